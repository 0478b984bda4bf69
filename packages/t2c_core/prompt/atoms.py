"""The format of tiny per-graph models: values leave the question, every element of the schema is one token.

Prompt: the question in lower case; each linked mention stands as `<v1>` and the places where such a value occurs.
Completion: compact Cypher (see `compact`) in which values are `$v1`. The tokens are made in `tokenizer`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from t2c_core.prompt.compact import (
    ACCESS,
    MAX_PARAMETERS,
    PARAMETER,
    TRIPLE,
    CompactSyntaxError,
    encode,
    join,
    split,
)
from t2c_core.prompt.format import Generated
from t2c_core.prompt.names import Names, unspell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.link import Link, LinkedQuestion

QUESTION: Final = "<question>"
ANSWER: Final = "<answer>"
UNANSWERABLE: Final = "<unanswerable>"
KINDS: Final = ("value", "number", "date", "year", "month", "text")
MAX_PLACES: Final = 8
_TEXT_OPERATORS = frozenset({"CONTAINS", "STARTS WITH", "ENDS WITH"})
_CLAUSE_ENDS = frozenset({"AND", "OR", "NOT", "WHERE", "RETURN", "WITH", "ORDER BY", "MATCH", "OPTIONAL MATCH", "{", "}"})  # fmt: skip
_COUNTS = frozenset({"LIMIT", "count(*)", "n"})


class AtomsFormat:
    """Prompts and completions in atoms.

    Args:
        schema: the graph that questions are about.
    """

    name = "atoms-1"

    def __init__(self, schema: GraphSchema) -> None:
        self.schema = schema
        self.names = Names(schema)

    def render(self, linked: LinkedQuestion) -> str:
        """Write the prompt of a question, between the question and the answer marker."""
        pieces = [QUESTION]
        position = 0
        for link in linked.links[:MAX_PARAMETERS]:
            pieces += [_plain(linked.question[position : link.start]), mention(link)]
            position = link.end
        pieces.append(_plain(linked.question[position:]).rstrip(" ?.!;"))
        return " ".join(" ".join(pieces).split()) + " " + ANSWER

    def complete(self, cypher: str) -> str:
        """Write Cypher as the completion that a model should give.

        Raises:
            CompactSyntaxError: the Cypher has something that the compact form does not.
        """
        return encode(cypher)

    def parse(self, completion: str, linked: LinkedQuestion) -> Generated:
        """Read a completion; `$v1` takes the value of the place that it is compared with.

        A completion that is no compact Cypher is handed on as it is: the guard decides about it.
        """
        text = completion.strip()
        if UNANSWERABLE in text:
            return Generated(cypher="", unanswerable=True)
        try:
            atoms = split(text)
        except CompactSyntaxError:
            return Generated(cypher=text)
        by_name = {link.name: link for link in linked.links}
        parameters: dict[str, Scalar] = {}
        for use in parameter_uses(atoms, self.names):
            link = by_name.get(use.name)
            if link is not None and use.name not in parameters:
                parameters[use.name] = self._value(link, use)
        return Generated(cypher=join(atoms), parameters=parameters)

    def _value(self, link: Link, use: ParameterUse) -> Scalar:
        if use.numeric:
            return _whole(link)
        if use.text:
            return _as_text(link)
        for place in link.places:
            if place.property == use.property and place.owner in use.owners:
                return place.value
        kind = next(
            (found.type for owner in use.owners if (found := self.schema.property_of(owner, use.property))),
            None,
        )
        return _coerce(link, str(kind or "").removeprefix("LIST<").removesuffix(">"))


class ParameterUse:
    """Where a completion uses a parameter: what it is compared with.

    Args:
        name: the parameter, without the dollar sign.
        owners: label or relationship types whose property it is compared with; empty for counts.
        property: that property.
        numeric: whether a whole number is wanted (a limit, a count, a year).
        text: whether the mention itself is wanted (a part of a string).
    """

    __slots__ = ("name", "numeric", "owners", "property", "text")

    def __init__(
        self, name: str, owners: tuple[str, ...], property: str, *, numeric: bool, text: bool
    ) -> None:  # noqa: A002
        self.name = name
        self.owners = owners
        self.property = property
        self.numeric = numeric
        self.text = text


def mention(link: Link) -> str:
    """Write a linked mention: its marker, the places of the value, and what it may be otherwise."""
    marks = [f"<{link.name}>"]
    places = list(dict.fromkeys(place_mark(place.owner, place.property) for place in link.places))
    numeric = isinstance(link.value, int | float) and not isinstance(link.value, bool)
    if link.kind != "value":
        marks.append(f"<{link.kind}>")
    elif numeric:
        marks.append("<number>")
    marks += sorted(places)[:MAX_PLACES] if numeric else places[:MAX_PLACES]
    return " ".join(marks)


def place_mark(owner: str, name: str) -> str:
    """Write the mark of a property, for instance `<Drug.name>`."""
    return f"<{owner}.{name}>"


def parameter_uses(atoms: list[str], names: Names) -> Iterator[ParameterUse]:
    """Find what each parameter of a query is compared with, in order of occurrence."""
    owners = {variable: (holder.name,) for variable, holder in names.holders.items()}
    for atom in atoms:
        if match := TRIPLE.fullmatch(atom):
            owners[match["link"]] = tuple(unspell(each) for each in _types(match["types"]))
    for position, atom in enumerate(atoms):
        match = PARAMETER.search(atom)
        if match is None or "." in atom:
            continue
        compared, numeric, text = _context(atoms, position)
        access = ACCESS.search(compared)
        held = owners.get(access["variable"], ()) if access else ()
        yield ParameterUse(
            match[0].removeprefix("$"),
            held,
            unspell(access["property"]) if access else "",
            numeric=numeric or bool(access and access["part"]) or not held,
            text=text,
        )


def _context(atoms: list[str], position: int) -> tuple[str, bool, bool]:
    text = False
    for earlier in range(position - 1, -1, -1):
        atom = atoms[earlier]
        if atom in _COUNTS or (atom == "}" and earlier == position - 2):
            return "", True, False
        text = text or atom in _TEXT_OPERATORS
        if atom in _CLAUSE_ENDS or TRIPLE.fullmatch(atom):
            break
        if ACCESS.search(atom):
            return atom, atoms[earlier - 1] == "size(", text
    for later in atoms[position + 1 : position + 4]:
        if ACCESS.search(later) and not TRIPLE.fullmatch(later):
            return later, False, text
    return "", True, False


def _types(text: str) -> list[str]:
    return re.findall(r"`(?:[^`]|``)*`|[^|`]+", text)


def _plain(text: str) -> str:
    return re.sub(r"<(?=\w)", "< ", text.lower())


def _bare(text: str) -> str:
    return text.strip().strip("'\"“”‘’`«»").strip()


def _as_text(link: Link) -> str:
    return str(link.value) if link.kind == "text" else _bare(link.text)


def _whole(link: Link) -> Scalar:
    if isinstance(link.value, bool):
        return link.value
    if isinstance(link.value, int | float):
        return int(link.value)
    match = re.search(r"-?\d+", str(link.value)) or re.search(r"-?\d+", link.text)
    return int(match[0]) if match else link.value


def _coerce(link: Link, kind: str) -> Scalar:
    if kind == "STRING":
        return _bare(link.text) if isinstance(link.value, int | float) else str(link.value)
    if kind in {"INTEGER", "FLOAT"} and isinstance(link.value, str):
        try:
            number = float(link.value.replace(",", ""))
        except ValueError:
            return link.value
        return int(number) if number.is_integer() else number
    return link.value
