"""What a query matches, compares and returns, read from its tokens.

Reads what people and models write, with literals in the text or parameters beside it. It is no parser and guards
nothing: what it does not understand it leaves out, so that a validator says nothing rather than something wrong.
Holds no schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from t2c_core.metrics.clauses import clauses, split_items

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_core.schema.model import Scalar

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<quoted>`(?:[^`]|``)*`)|(?P<blank>\s+|//[^\n\r]*|/\*.*?\*/)
    |(?P<parameter>\$\w+)|(?P<number>\d+\.\d+(?:[eE][-+]?\d+)?|\d+|\.\d+)|(?P<word>[^\W\d]\w*)
    |(?P<sign><>|<=|>=|=~|\.\.|.)""",
    re.VERBOSE | re.DOTALL,
)
_BOUNDARIES = frozenset(
    """AND OR XOR NOT WHERE RETURN WITH MATCH OPTIONAL UNWIND ORDER LIMIT SKIP OFFSET UNION WHEN THEN ELSE END
    CASE DISTINCT""".split()
)
_KEYWORDS = _BOUNDARIES | frozenset("BY AS IN EXISTS ASC DESC ASCENDING DESCENDING CALL ON IS".split())
"""Words before a bracket that make it no function call."""
_COMPARING = frozenset({"=", "<>", "<", ">", "<=", ">=", "=~", "IN", "CONTAINS", "STARTS", "ENDS"})
_AGGREGATES = re.compile(r"\b(count|avg|sum|min|max|collect|stdevp?|percentile\w+)\s*[({]", re.IGNORECASE)
_ALIAS = re.compile(r"^(?P<expression>.*?)\s+AS\s+(?P<alias>`(?:[^`]|``)+`|\w+)$", re.IGNORECASE | re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Access:
    """A property of a variable."""

    variable: str
    property: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship of a pattern; its ends are variables, invented ones where the query gives none."""

    variable: str
    types: tuple[str, ...]
    source: str
    target: str
    directed: bool
    steps: bool = False
    """Whether it stands for several relationships in a row."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value that properties are compared with; none of a property if what is compared is a figure."""

    accesses: tuple[Access, ...]
    operator: str
    value: Scalar
    parameter: str = ""
    """Name of the parameter that brings it; empty for a literal."""


@dataclass(frozen=True, slots=True)
class Item:
    """A column of the result."""

    name: str
    expression: str
    """What it is, with names that an earlier WITH gave replaced once."""
    aggregate: bool
    accesses: tuple[Access, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind == "word" else self.text


@dataclass
class QueryReading:
    """A query, read.

    Args:
        cypher: one query.
        parameters: values by name, without the dollar sign.
    """

    cypher: str
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(default_factory=dict, init=False)
    """Labels that each node variable is matched with; empty if with none."""
    edges: list[Edge] = field(default_factory=list, init=False)
    entries: list[Comparison] = field(default_factory=list, init=False)
    """Comparisons written as `{name: value}` in a pattern."""
    nested: list[Access] = field(default_factory=list, init=False)
    """Properties that a pattern compares with a map, which none can hold: `{age: {gt: 60}}`."""

    def __post_init__(self) -> None:
        self._tokens = [
            _Token(match.lastgroup or "", match[0])
            for match in _TOKEN.finditer(self.cypher)
            if match.lastgroup != "blank"
        ]
        place = 0
        while place < len(self._tokens):
            place = self._pattern(place) or place + 1

    @cached_property
    def variables(self) -> dict[str, str]:
        """Variables that an earlier variable was renamed to, by their new name."""
        found = {}
        for before, word, after in zip(self._tokens, self._tokens[1:], self._tokens[2:], strict=False):
            if word.upper == "AS" and before.kind in {"word", "quoted"} and _name(before) in self._known:
                found[_name(after)] = _name(before)
        return found

    @cached_property
    def _known(self) -> set[str]:
        return {*self.labels, *(edge.variable for edge in self.edges)}

    @cached_property
    def accesses(self) -> tuple[Access, ...]:
        """Every property that is read, each once."""
        held = [access for entry in self.entries for access in entry.accesses]
        return tuple(dict.fromkeys([*held, *self._accesses(self._tokens)]))

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every value that something is compared with."""
        return (*self.entries, *(each for term in self._terms() for each in self._compared(term)))

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The columns of the (last) RETURN."""
        found = clauses(self.cypher)
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
        for word, value in zip(self._tokens, self._tokens[1:], strict=False):
            if word.upper == "LIMIT" and value.kind in {"number", "parameter"}:
                found = self._value(value)
        return found

    def _item(self, name: str, text: str) -> Item:
        tokens = [
            _Token(match.lastgroup or "", match[0])
            for match in _TOKEN.finditer(text)
            if match.lastgroup != "blank"
        ]
        return Item(name, text, bool(_AGGREGATES.search(text)), tuple(self._accesses(tokens)))

    # Patterns

    def _pattern(self, place: int) -> int | None:
        """Read a pattern that begins at a bracket; gives the place behind it."""
        if not self._is(place, "(") or self._calls(place):
            return None
        node = self._node(place)
        if node is None:
            return None
        end, variable, described = node
        if not described and not self._starts_link(end):
            return None
        while self._starts_link(end):
            link = self._link(end)
            if link is None:
                break
            start, left, right, types, name, entries, steps = link
            following = self._node(start)
            if following is None:
                break
            end, other, _ = following
            source, target = (other, variable) if left and not right else (variable, other)
            self.edges.append(Edge(name, types, source, target, left != right, steps))
            self.entries += entries
            variable = other
        return end

    def _calls(self, place: int) -> bool:
        before = self._tokens[place - 1] if place else None
        return before is not None and before.kind == "word" and before.upper not in _KEYWORDS

    def _node(self, place: int) -> tuple[int, str, bool] | None:
        """Read `(name:Label {name: value} WHERE ...)`: the place behind it, its variable, and if it says anything."""
        if not self._is(place, "("):
            return None
        place, variable = self._variable(place + 1)
        place, labels = self._names(place)
        place, entries = self._map(place, variable)
        if place < len(self._tokens) and self._tokens[place].upper == "WHERE":
            place = self._closing(place)
        if not self._is(place, ")"):
            return None
        if labels or entries or self._starts_link(place + 1) or variable.startswith("#"):
            self.labels.setdefault(variable, set()).update(labels)
        self.entries += entries
        return place + 1, variable, bool(labels or entries)

    def _starts_link(self, place: int) -> bool:
        return (self._is(place, "-") and (self._is(place + 1, "[") or self._is(place + 1, "-"))) or (
            self._is(place, "<") and self._is(place + 1, "-")
        )

    def _link(
        self, place: int
    ) -> tuple[int, bool, bool, tuple[str, ...], str, list[Comparison], bool] | None:
        left = self._is(place, "<")
        place += left + 1
        name, steps = f"#e{place}", False
        types: tuple[str, ...] = ()
        entries: list[Comparison] = []
        if self._is(place, "["):
            place, name = self._variable(place + 1)
            place, types = self._names(place)
            if self._is(place, "*"):
                steps = True
                while place < len(self._tokens) and not self._is(place, "]") and not self._is(place, "{"):
                    place += 1
            place, entries = self._map(place, name)
            if place < len(self._tokens) and self._tokens[place].upper == "WHERE":
                place = self._closing(place)
            if not self._is(place, "]"):
                return None
            place += 1
        if not self._is(place, "-"):
            return None
        right = self._is(place + 1, ">")
        return place + 1 + right, left, right, types, name, entries, steps

    def _variable(self, place: int) -> tuple[int, str]:
        if place < len(self._tokens) and self._tokens[place].kind in {"word", "quoted"}:
            return place + 1, _name(self._tokens[place])
        return place, f"#{place}"

    def _names(self, place: int) -> tuple[int, tuple[str, ...]]:
        """Read `:A`, `:A:B`, `:A|B`, `:A&B`; a negation leaves nothing to hold a query to."""
        names: list[str] = []
        negated = False
        while place < len(self._tokens) and self._tokens[place].text in {":", "|", "&", "!", "(", "%"}:
            if self._tokens[place].text == "(" and not names and not negated:
                break
            negated |= self._tokens[place].text in {"!", "%"}
            place += 1
            if place < len(self._tokens) and self._tokens[place].kind in {"word", "quoted"}:
                names.append(_name(self._tokens[place]))
                place += 1
        return place, () if negated else tuple(names)

    def _map(self, place: int, variable: str) -> tuple[int, list[Comparison]]:
        """Read `{name: value, ...}`."""
        if not self._is(place, "{"):
            return place, []
        end = self._closing(place + 1)
        found: list[Comparison] = []
        inner = range(place + 1, end - 1)
        for at in inner:
            token, after = self._tokens[at], self._tokens[at + 1]
            if (
                token.kind in {"word", "quoted"}
                and after.text == ":"
                and self._tokens[at - 1].text in {"{", ","}
            ):
                access = Access(variable, _name(token))
                if self._is(at + 2, "{"):
                    self.nested.append(access)
                    continue
                stop = next((each for each in range(at + 2, end) if self._tokens[each].text == ","), end)
                values = [
                    value for each in self._tokens[at + 2 : stop] if (value := self._value(each)) is not None
                ]
                names = [each.text[1:] for each in self._tokens[at + 2 : stop] if each.kind == "parameter"]
                found += [Comparison((access,), "=", value, (names or [""])[0]) for value in values]
                if not values:
                    found.append(Comparison((access,), "=", "", "?"))
        return end + 1, found

    def _closing(self, place: int) -> int:
        """Find the bracket that closes the one that `place` stands behind."""
        depth = 0
        while place < len(self._tokens):
            text = self._tokens[place].text
            if text in {"(", "[", "{"}:
                depth += 1
            elif text in {")", "]", "}"}:
                if depth == 0:
                    return place
                depth -= 1
            place += 1
        return place

    def _is(self, place: int, text: str) -> bool:
        return 0 <= place < len(self._tokens) and self._tokens[place].text == text

    # Terms

    def _terms(self) -> Iterator[list[_Token]]:
        """Cut the query at words and commas that part conditions."""
        term: list[_Token] = []
        brackets: list[bool] = []
        for place, token in enumerate(self._tokens):
            text = token.text
            after = self._tokens[place - 1].upper if place else ""
            if (token.upper in _BOUNDARIES and after not in {"STARTS", "ENDS"}) or (
                text in {",", "|"} and not (brackets and brackets[-1])
            ):
                yield term
                term = []
                continue
            if text in {"(", "[", "{"}:
                brackets.append((text == "(" and self._calls(place)) or text == "[")
            elif text in {")", "]", "}"} and brackets:
                brackets.pop()
            term.append(token)
        yield term

    def _compared(self, term: list[_Token]) -> Iterator[Comparison]:
        operators = [token.upper for token in term if token.upper in _COMPARING]
        if not operators or any(self._starts_like_link(term, place) for place in range(len(term))):
            return
        accesses = tuple(self._accesses(term))
        for token in term:
            value = self._value(token)
            if value is not None:
                name = token.text[1:] if token.kind == "parameter" else ""
                yield Comparison(accesses, operators[0], value, name)

    def _starts_like_link(self, term: list[_Token], place: int) -> bool:
        texts = [token.text for token in term[place : place + 3]]
        return texts[:2] == ["-", "["] or texts == ["<", "-", "["]

    def _accesses(self, tokens: list[_Token]) -> Iterator[Access]:
        for place in range(len(tokens) - 2):
            holder, dot, name = tokens[place : place + 3]
            plain = holder.kind in {"word", "quoted"} and name.kind in {"word", "quoted"} and dot.text == "."
            chained = place and tokens[place - 1].text == "."
            called = place + 3 < len(tokens) and tokens[place + 3].text == "("
            if plain and not chained and not called:
                yield Access(_name(holder), _name(name))

    def _value(self, token: _Token) -> Scalar | None:
        if token.kind == "string":
            return _unescape(token.text[1:-1])
        if token.kind == "number":
            return int(token.text) if token.text.isdigit() else float(token.text)
        if token.kind == "parameter":
            return self.parameters.get(token.text[1:])
        return None


def _name(token: _Token) -> str:
    return token.text[1:-1].replace("``", "`") if token.kind == "quoted" else token.text


def _named(item: str) -> tuple[str, str]:
    """Part an item into its name and its expression."""
    match = _ALIAS.match(item)
    return (match["alias"].strip("`"), match["expression"]) if match else (item, item)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)
