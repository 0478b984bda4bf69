"""Rows of an answer for the table, and as CSV and JSON files."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from t2c_service.answering.explaining.verbalise_rows import format_value, heading
from t2c_service.page.charts import is_number

if TYPE_CHECKING:
    from t2c_service.answering.records import Answer

NUMBER = "row"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table_columns(answer: Answer) -> list[dict[str, Any]]:
    """Return the column definitions; their keys are positions, because names come from a query."""
    columns: list[dict[str, Any]] = [{"name": NUMBER, "label": "#", "field": NUMBER, "align": "left"}]
    for position, name in enumerate(answer.columns):
        numeric = any(is_number(row[position]) for row in answer.rows)
        title = heading(name)
        columns.append(
            {
                "name": f"c{position}",
                "label": title[:1].upper() + title[1:],
                "field": f"c{position}",
                "align": "right" if numeric else "left",
                "sortable": True,
            }
        )
    return columns


def table_rows(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows as scalars; numbers stay numbers, so that they sort as such."""
    return [
        {NUMBER: number} | {f"c{position}": _flat(value) for position, value in enumerate(row)}
        for number, row in enumerate(answer.rows, start=1)
    ]


def as_csv(answer: Answer) -> bytes:
    """Return the rows as CSV; cells that a spreadsheet would evaluate are escaped."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_escape_formula(name) for name in answer.columns])
    writer.writerows([_escape_formula(value) for value in row] for row in answer.rows)
    return text.getvalue().encode("utf-8-sig")


def as_json(answer: Answer) -> bytes:
    """Return question, query and rows as JSON."""
    content = answer.model_dump(mode="json", include={"question", "cypher", "parameters", "columns", "rows"})
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _flat(value: Any) -> Any:
    if value is None or isinstance(value, int | float | str):
        return format_value(value) if isinstance(value, bool) else value
    return format_value(value, quoted=False)


def _escape_formula(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
