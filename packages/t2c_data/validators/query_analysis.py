"""What a query compares and returns, besides what it matches (see `matching`), read from its tokens.

Reads what people and models write, with literals in the text or parameters beside it. It is no parser and guards
nothing: what it does not understand it leaves out, so that a validator says nothing rather than something wrong.
Holds no schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from t2c_core.metrics.clauses import split_clauses, split_items
from t2c_data.validators.pattern_extraction import Access, PatternExtractor, ValueComparison
from t2c_data.validators.tokens import BOUNDARIES, Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from t2c_core.schema.model import Scalar
    from t2c_data.validators.tokens import Token

_COMPARING = frozenset({"=", "<>", "<", ">", "<=", ">=", "=~", "IN", "CONTAINS", "STARTS", "ENDS"})
_AGGREGATES = re.compile(r"\b(count|avg|sum|min|max|collect|stdevp?|percentile\w+)\s*[({]", re.IGNORECASE)
_ALIAS = re.compile(r"^(?P<expression>.*?)\s+AS\s+(?P<alias>`(?:[^`]|``)+`|\w+)$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of the result."""

    name: str
    expression: str
    """What it is, with names that an earlier WITH gave replaced once."""
    aggregate: bool
    accesses: tuple[Access, ...]


class QueryAnalysis(PatternExtractor):
    """A query, read: what its patterns match, what it compares and returns."""

    @cached_property
    def variables(self) -> dict[str, str]:
        """Variables that an earlier variable was renamed to, by their new name."""
        found = {}
        for before, word, after in zip(self._tokens, self._tokens[1:], self._tokens[2:], strict=False):
            if word.upper == "AS" and before.is_name and before.name in self._known:
                found[after.name] = before.name
        return found

    @cached_property
    def _known(self) -> set[str]:
        return {*self.labels, *(edge.variable for edge in self.edges)}

    @cached_property
    def accesses(self) -> tuple[Access, ...]:
        """Every property that is read, each once."""
        held = [access for entry in self.entries for access in entry.accesses]
        return tuple(dict.fromkeys([*held, *_accesses(self._tokens)]))

    @cached_property
    def comparisons(self) -> tuple[ValueComparison, ...]:
        """Every value that something is compared with."""
        return (*self.entries, *(each for term in self._terms() for each in self._compared(term)))

    @cached_property
    def items(self) -> tuple[ResultColumn, ...]:
        """The columns of the (last) RETURN."""
        found = split_clauses(self.cypher)
        named: dict[str, str] = {}
        for clause in found:
            if clause.keyword == "WITH":
                named.update(
                    {name: text for name, text in map(_named, split_items(clause.body)) if name != text}
                )
        returned = [clause.body for clause in found if clause.keyword == "RETURN"]
        items = (
            split_items(re.sub(r"^DISTINCT\s+", "", returned[-1], flags=re.IGNORECASE)) if returned else []
        )
        return tuple(self._item(name, named.get(text, text)) for name, text in map(_named, items))

    @cached_property
    def keywords(self) -> frozenset[str]:
        """Every bare word of the query, in capitals."""
        return frozenset(token.upper for token in self._tokens if token.kind == "word")

    @cached_property
    def limit(self) -> Scalar | None:
        """The last LIMIT."""
        found = None
        for word, count in zip(self._tokens, self._tokens[1:], strict=False):
            if word.upper == "LIMIT" and count.kind in {"number", "parameter"}:
                found = count.value(self.parameters)
        return found

    def _item(self, name: str, text: str) -> ResultColumn:
        return ResultColumn(name, text, bool(_AGGREGATES.search(text)), tuple(_accesses(Tokens(text))))

    def _terms(self) -> Iterator[list[Token]]:
        """Cut the query at words and commas that part conditions."""
        term: list[Token] = []
        brackets: list[bool] = []
        for place, token in enumerate(self._tokens):
            text = token.text
            before = self._tokens[place - 1].upper if place else ""
            if (token.upper in BOUNDARIES and before not in {"STARTS", "ENDS"}) or (
                text in {",", "|"} and not (brackets and brackets[-1])
            ):
                yield term
                term = []
                continue
            if text in {"(", "[", "{"}:
                brackets.append((text == "(" and self._tokens.is_call(place)) or text == "[")
            elif text in {")", "]", "}"} and brackets:
                brackets.pop()
            term.append(token)
        yield term

    def _compared(self, term: Sequence[Token]) -> Iterator[ValueComparison]:
        operators = [token.upper for token in term if token.upper in _COMPARING]
        if not operators or any(_starts_link(term, place) for place in range(len(term))):
            return
        accesses = tuple(_accesses(term))
        for token in term:
            value = token.value(self.parameters)
            if value is not None:
                name = token.text[1:] if token.kind == "parameter" else ""
                yield ValueComparison(accesses, operators[0], value, name)


def _starts_link(term: Sequence[Token], place: int) -> bool:
    texts = [token.text for token in term[place : place + 3]]
    return texts[:2] == ["-", "["] or texts == ["<", "-", "["]


def _accesses(tokens: Sequence[Token]) -> Iterator[Access]:
    """Find every `variable.property` that is neither a function nor a part of a longer chain."""
    for place in range(len(tokens) - 2):
        holder, dot, name = tokens[place : place + 3]
        plain = holder.is_name and name.is_name and dot.text == "."
        chained = place and tokens[place - 1].text == "."
        called = place + 3 < len(tokens) and tokens[place + 3].text == "("
        if plain and not chained and not called:
            yield Access(holder.name, name.name)


def _named(item: str) -> tuple[str, str]:
    """Part an item into its name and its expression."""
    match = _ALIAS.match(item)
    return (match["alias"].strip("`"), match["expression"]) if match else (item, item)
