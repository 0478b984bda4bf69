"""Rows verbalised by templates: plain text, values quoted, rows cited; column names in words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_ITEMS = 5
"""Maximum number of rows in the text."""
MAX_WIDE_ITEMS = 3
"""The same for rows of more than two columns."""
MAX_VALUE_CHARS = 80
MAX_COLUMNS = 4
MIN_PLAIN_FLOAT, MAX_PLAIN_FLOAT = 1e-9, 1e21
"""Bounds of the absolute values of floats that are written without an exponent."""
NAME_PROPERTIES = ("name", "title", "label", "description", "code", "id")
"""Properties that nodes are named by, best first."""

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
SHARE = "100.0 * count(CASE "
"""How queries of our own models begin a percentage."""
_OF_COUNTS = re.compile(r"(?P<function>avg|min|max|sum)\(COUNT \{", re.IGNORECASE)
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IDENTIFIER = re.compile(r"`[^`]*`|\w+")

EMPTY = "Nothing in the graph matches."


@dataclass(frozen=True)
class AnswerSegment:
    """A piece of the answer and the row it cites, counted from 1; None if it cites no row."""

    text: str
    row: int | None = None


def render_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, truncated: bool = False) -> str:
    """Render rows as plain text in which `[n]` cites row n; see `render_segments`."""
    pieces = render_segments(columns, rows, truncated=truncated)
    return "".join(piece.text + (f" [{piece.row}]" if piece.row else "") for piece in pieces)


def render_segments(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, truncated: bool = False
) -> list[AnswerSegment]:
    """Render rows as one or two sentences.

    Args:
        columns: column names of the query.
        rows: rows of JSON values.
        truncated: whether there are more rows than these.
    """
    if not rows:
        return [AnswerSegment(EMPTY)]
    if len(rows) == 1:
        return [
            AnswerSegment(
                _sentence(columns[0], rows[0][0]) if len(columns) == 1 else _pairs(columns, rows[0]), 1
            )
        ]
    count = f"{'More than ' if truncated else ''}{len(rows)} {'rows' if len(columns) > 1 else 'results'}: "
    segments = [AnswerSegment(count)]
    items = MAX_ITEMS if len(columns) <= 2 else MAX_WIDE_ITEMS
    for number, row in enumerate(rows[:items], start=1):
        segments += [AnswerSegment("; ")] if number > 1 else []
        segments.append(AnswerSegment(_row(columns, row), number))
    return [*segments, AnswerSegment("; and more in the table." if len(rows) > items or truncated else ".")]


def format_value(value: Any, *, quoted: bool = True) -> str:  # noqa: PLR0911  (one case a type)
    """Format a value as one line of text of bounded length; numbers are exact."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)  # without separators: it may be an identifier
        case float():
            return format_float(value)
        case str():
            text = _plain(value)
            return f"“{text}”" if quoted else text
        case list() | tuple():
            items = [format_value(item, quoted=quoted) for item in value[:MAX_ITEMS]]
            return ", ".join(items) + (
                f" and {len(value) - MAX_ITEMS} more" if len(value) > MAX_ITEMS else ""
            )
        case {"element_id": _, "properties": dict() as properties}:
            kind = _plain(":".join(value.get("labels") or [str(value.get("type", ""))]))
            name = find_name_property(properties)
            return kind if name is None else f"{kind} {format_value(name, quoted=quoted)}".strip()
        case dict():
            items = [
                f"{_plain(str(key))} {format_value(item, quoted=quoted)}"
                for key, item in list(value.items())[:MAX_COLUMNS]
            ]
            return "(" + ", ".join(items) + ")"
    return _plain(str(value))


def format_float(value: float) -> str:
    """Format a float so that it reads back as the same number, without an exponent where that is readable."""
    if value.is_integer() and abs(value) < MAX_PLAIN_FLOAT:
        return str(int(value))
    if MIN_PLAIN_FLOAT <= abs(value) < MAX_PLAIN_FLOAT:
        return format(Decimal(repr(value)), "f")
    return repr(value)


def find_name_property(properties: Mapping[str, Any]) -> str | None:
    """Return the value that names a node; None if it has neither text nor an integer."""
    by_key = {key.lower(): value for key, value in properties.items()}
    values = [*(by_key.get(key) for key in NAME_PROPERTIES), *properties.values()]
    named = [value for value in values if isinstance(value, str | int) and not isinstance(value, bool)]
    return str(next((value for value in named if isinstance(value, str)), named[0])) if named else None


def _sentence(column: str, value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    name = heading(column)
    return f"{name[:1].upper()}{name[1:]}: {format_value(value)}"


def _row(columns: Sequence[str], row: Sequence[Any]) -> str:
    if len(columns) == 1:
        return format_value(row[0])
    if len(columns) == 2:
        return f"{format_value(row[0])}: {format_value(row[1])}"
    return f"{format_value(row[0])} ({_pairs(columns[1:], row[1:], start=str.lower)})"


def _pairs(columns: Sequence[str], row: Sequence[Any], *, start: Callable[[str], str] = str.upper) -> str:
    pairs = [f"{heading(column)} {format_value(value)}" for column, value in zip(columns, row, strict=True)]
    more = len(pairs) - MAX_COLUMNS
    text = ", ".join(pairs[:MAX_COLUMNS]) + (f" and {more} more columns" if more > 0 else "")
    return start(text[:1]) + text[1:]


def _plain(text: str) -> str:
    kept = "".join(
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in text[: MAX_VALUE_CHARS * 4]
    )
    kept = "".join(char for char in kept if unicodedata.category(char) not in {"Cf", "Co", "Cs", "Cn"})
    kept = " ".join(kept.replace("“", "'").replace("”", "'").split())
    return kept if len(kept) <= MAX_VALUE_CHARS else kept[: MAX_VALUE_CHARS - 1].rstrip() + "…"


def heading(column: str) -> str:
    """Return a column name in words, `number of cases` for `count(case_)`; other expressions stay as they are."""
    column = column.strip()
    if known := _of_counts(column):
        return known
    call = _CALL.fullmatch(column)
    if call is None:
        return _words_of_path(column) or column
    inside = _words_of_path(call["inside"])
    function = call["function"].lower()
    if inside is None:
        return column
    if function == "count":
        return f"number of {'different ' if call['distinct'] else ''}{_plural(inside)}"
    if function in _FUNCTIONS:
        return f"{_FUNCTIONS[function]} {'different ' if call['distinct'] else ''}{inside}"
    return column


def _of_counts(column: str) -> str | None:
    """Return the heading of a count, a share or an aggregate of counts."""
    if column == "count(*)" or column.startswith("count(CASE "):
        return "number"
    if column.startswith(SHARE):
        return "percentage"
    nested = _OF_COUNTS.match(column)
    return f"{_FUNCTIONS[nested['function'].lower()]} number" if nested else None


def _words_of_path(text: str) -> str | None:
    parts = _IDENTIFIER.findall(text)
    if ".".join(parts) != text.strip():
        return None
    found: list[str] = []
    for part in parts:
        name = part.strip("`")
        words = [word.lower() for word in _NAME_WORD.findall(name)] or [name]
        found = words if words[: len(found)] == found else found + words
    return " ".join(found)


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
