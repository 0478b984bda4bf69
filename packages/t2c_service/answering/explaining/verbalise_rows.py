"""Rows as one plain-text answer, made by template: no model, no markup, values quoted as data, rows cited."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_service.answering.explaining.column_labels import heading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_ITEMS = 5
"""Rows told in words; the table has the others."""
MAX_WIDE_ITEMS = 3
"""The same for rows of more than two columns."""
MAX_VALUE_CHARS = 80
MAX_COLUMNS = 4
NAME_PROPERTIES = ("name", "title", "label", "description", "code", "id")
"""Properties that things are called by, best first."""

UNANSWERABLE = "This graph does not hold what would answer the question."
DOUBTFUL = "No query for this question is sure enough to be answered with."
EMPTY = "Nothing in the graph matches."
REFUSED = "No query that may run was found for this question."
FAILED = "No query for this question could be run."


def not_run(estimated_rows: float) -> str:
    """Tell of a query that was not to run."""
    return f"Not run, as asked. The planner expects to work through about {estimated_rows:,.0f} rows."


@dataclass(frozen=True)
class AnswerSegment:
    """A piece of an answer and the row that it is taken from, counted from 1; none if from no single row."""

    text: str
    row: int | None = None


def render_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, truncated: bool = False) -> str:
    """Tell rows as plain text in which `[n]` cites row n; see `tell`."""
    pieces = render_segments(columns, rows, truncated=truncated)
    return "".join(piece.text + (f" [{piece.row}]" if piece.row else "") for piece in pieces)


def render_segments(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, truncated: bool = False
) -> list[AnswerSegment]:
    """Tell rows in a sentence or two.

    Args:
        columns: their names as the query gave them.
        rows: at least none; values as JSON holds them.
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
    told = [AnswerSegment(count)]
    items = MAX_ITEMS if len(columns) <= 2 else MAX_WIDE_ITEMS
    for number, row in enumerate(rows[:items], start=1):
        told += [AnswerSegment("; ")] if number > 1 else []
        told.append(AnswerSegment(_row(columns, row), number))
    return [*told, AnswerSegment("; and more in the table." if len(rows) > items or truncated else ".")]


def format_value(value: Any, *, quoted: bool = True) -> str:  # noqa: PLR0911  (one case a type)
    """Write a value as text on one line, without control or direction characters and of bounded length."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)  # without separators: it may be an identifier
        case float():
            return f"{value:.6g}"
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


def find_name_property(properties: Mapping[str, Any]) -> str | None:
    """Choose the property that a node is called by; none if it has no text or whole number."""
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
