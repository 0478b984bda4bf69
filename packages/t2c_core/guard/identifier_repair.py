"""Adds missing backticks to names of the schema: `(:Adverse Event)`, `n.first name`.

Works on the tokens of a refused text: it cannot be parsed without backticks, or `n.first-name` is a subtraction.
A name is escaped only if the schema has it, and only where nothing but a name can stand; the result is checked like any
other text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.cypher.lexer import END, FLOAT, NAME_STARTS, tokenize
from t2c_core.errors import CypherSyntaxError
from t2c_core.guard.verdict import Repair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.cypher.lexer import Tokens
    from t2c_core.guard.verdict import GuardVerdict
    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType

_Names = dict[str, list[tuple[int, str]]]
"""Case-folded names with their numbers of tokens, longest first, by the first token."""
_BEFORE_LABELS = frozenset(":|&!")
_BEFORE_KEYS = frozenset("{,")


@dataclass(frozen=True, slots=True)
class RepairedText:
    """A query text with added backticks."""

    cypher: str
    repairs: tuple[Repair, ...]
    added: tuple[int, ...]
    """Positions of the added backticks in the original text."""

    def with_repairs(self, verdict: GuardVerdict) -> GuardVerdict:
        """Return a verdict on the repaired text with these repairs and with positions in the original text."""
        others = [replace(each, position=self.original_position(each.position)) for each in verdict.repairs]
        return replace(verdict, repairs=(*self.repairs, *others))

    def original_position(self, position: int) -> int:
        """Return the position in the original text for one in the repaired text."""
        for number, start in enumerate(self.added):
            if start + number >= position:
                return position - number
        return position - len(self.added)


class BacktickRepairer:
    """Escapes the names of a schema that need backticks.

    Args:
        schema: Schema of the graph.
    """

    def __init__(self, schema: GraphSchema) -> None:
        named: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        self._labels = _by_first_token(each.name for each in named)
        self._keys = _by_first_token(key.name for each in named for key in each.properties)

    def repair(self, cypher: str) -> RepairedText | None:
        """Escape names with backticks; return None if no name lacks them.

        Args:
            cypher: A text that was refused.
        """
        if not (self._labels or self._keys) or "\\u" in cypher:  # an escape shifts the positions of tokens
            return None
        try:
            tokens = tokenize(cypher)
        except CypherSyntaxError:
            return None
        added: list[int] = []
        repairs = []
        brackets = [""]
        index = 0
        while (key := tokens.keys[index]) != END:
            if key in ("(", "[", "{"):
                brackets.append(key)
            elif key in (")", "]", "}"):
                brackets.pop()
            length = self._length(cypher, tokens, index, brackets[-1]) if index else 0
            if length:
                start, end = _span(tokens, index, length)
                start += tokens.keys[index] == FLOAT and cypher[start] == "."
                added += [start, end]
                repairs.append(
                    Repair("repair.backticks", f"{cypher[start:end]} escaped with backticks", start)
                )
            index += length or 1
        if not added:
            return None
        pieces = [cypher[start:end] for start, end in zip([0, *added], [*added, len(cypher)], strict=True)]
        return RepairedText("`".join(pieces), tuple(repairs), tuple(added))

    def _length(self, cypher: str, tokens: Tokens, index: int, bracket: str) -> int:
        """Return the number of tokens of the name without backticks that begins at a token; 0 if there is none."""
        before = tokens.keys[index - 1]
        if tokens.keys[index] == FLOAT and cypher[tokens.starts[index]] == ".":  # the dot of `n.2fa enabled`
            return _longest(self._keys, cypher, tokens, index)
        if before in _BEFORE_LABELS and bracket != "{":  # a colon in a map stands before a value
            return _longest(self._labels, cypher, tokens, index)
        if before == ".":
            return _longest(self._keys, cypher, tokens, index)
        if before in _BEFORE_KEYS and bracket == "{":
            length = _longest(self._keys, cypher, tokens, index)
            return length if tokens.keys[index + length] == ":" else 0
        return 0


def _by_first_token(names: Iterable[str]) -> _Names:
    found: _Names = {}
    for name in sorted({each.casefold() for each in names if format_identifier(each) != each}):
        for prefix in ("", ".") if name[0].isdigit() else ("",):  # a dot before a digit belongs to a number
            try:
                texts = [text for text in tokenize(prefix + name).texts if text]
            except CypherSyntaxError:  # a quote or the like in a name hides where the name ends
                continue
            if texts:
                found.setdefault(texts[0], []).append((len(texts), prefix + name))
    for each in found.values():
        each.sort(reverse=True)
    return found


def _longest(names: _Names, cypher: str, tokens: Tokens, index: int) -> int:
    for length, name in names.get(tokens.texts[index].casefold(), ()):
        if length == 1 and tokens.keys[index][0] in NAME_STARTS:  # needs no backticks
            continue
        start, end = _span(tokens, index, length)
        if cypher[start:end].casefold() == name:
            return length
    return 0


def _span(tokens: Tokens, index: int, length: int) -> tuple[int, int]:
    last = min(index + length, len(tokens.texts)) - 1
    return tokens.starts[index], tokens.starts[last] + len(tokens.texts[last])
