"""Column names for people: `count(case_)` becomes "number of cases". The columns themselves keep their names."""

from __future__ import annotations

import re

_FUNCTIONS = {
    "avg": "average",
    "min": "lowest",
    "max": "highest",
    "sum": "total",
    "collect": "list of",
    "size": "size of",
}
_CALL = re.compile(
    r"(?P<function>\w+)\(\s*(?P<distinct>DISTINCT\s+)?(?P<inside>.*)\)", re.IGNORECASE | re.DOTALL
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PATH = re.compile(r"`[^`]*`|\w+")


def heading(column: str) -> str:
    """Write a column's name for people; what is no plain path or call stays as it is."""
    column = column.strip()
    if column == "count(*)":
        return "number"
    call = _CALL.fullmatch(column)
    if call is None:
        return _path(column) or column
    inside = _path(call["inside"])
    function = call["function"].lower()
    if inside is None:
        return column
    if function == "count":
        return f"number of {'different ' if call['distinct'] else ''}{_plural(inside)}"
    if function in _FUNCTIONS:
        return f"{_FUNCTIONS[function]} {'different ' if call['distinct'] else ''}{inside}"
    return column


def _path(text: str) -> str | None:
    parts = _PATH.findall(text)
    if ".".join(parts) != text.strip():
        return None
    told: list[str] = []
    for part in parts:
        name = part.strip("`")
        words = [word.lower() for word in _WORD.findall(name)] or [name]
        told = words if words[: len(told)] == told else told + words
    return " ".join(told)


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
