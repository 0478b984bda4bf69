"""Literals of a query as parameters: `$v1`, `$v2`, … in the order in which the question names their values.

Values that the question does not name stay in the query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2c_core.schema.model import Scalar

_LITERAL = re.compile(
    r"""(?P<skip>`(?:[^`]|``)*`|//[^\n\r]*|/\*.*?\*/|\$\w+|[^\W\d]\w*)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>\d+\.\d+|\d+)""",
    re.VERBOSE | re.DOTALL,
)
_HOPS = re.compile(r"\*\s*\d*\s*(\.\.\s*)?$")
_COMPARED = re.compile(r"(=|<|>|\bIN\s*\[[^\]]*|[:\[,]|\bLIMIT)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    value: Scalar
    place: int
    """Where the question names it."""


def parameterize(question: str, cypher: str) -> tuple[str, dict[str, Scalar]]:
    """Take the literals that a question names out of its query.

    Returns:
        The query with parameters, and their values.
    """
    found: list[_Found] = []
    for match in _LITERAL.finditer(cypher):
        if match.lastgroup == "skip":
            continue
        value = _value(match)
        place = _place(question, value)
        before = cypher[: match.start()]
        number = match.lastgroup == "number"
        if place >= 0 and not (number and (_HOPS.search(before) or not _COMPARED.search(before))):
            found.append(_Found(match.start(), match.end(), value, place))
    names: dict[tuple[type, Scalar], str] = {}
    for each in sorted(found, key=lambda each: (each.place, each.start)):
        names.setdefault((type(each.value), each.value), f"v{len(names) + 1}")
    text = cypher
    for each in reversed(found):
        text = f"{text[: each.start]}${names[type(each.value), each.value]}{text[each.end :]}"
    return text, {name: value for (_, value), name in names.items()}


def _value(match: re.Match[str]) -> Scalar:
    if match["text"]:
        return re.sub(r"\\(.)", r"\1", match["text"][1:-1])
    return float(match["number"]) if "." in match["number"] else int(match["number"])


def _place(question: str, value: Scalar) -> int:
    if isinstance(value, str):
        return question.find(value) if value else -1
    found = re.search(rf"(?<![\w.]){re.escape(str(value))}(?![\w]|\.\d)", question)
    return found.start() if found else -1
