"""An answer as Markdown for chat clients: text, table and query; values of the graph are escaped."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from t2c_service.answering.explaining.verbalise_rows import format_value, heading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_service.answering.records import Answer

MAX_ROWS = 20
"""Maximum number of rows of the table."""

_FENCED = re.compile(r"^(?P<fence>`{3,})cypher\n(?P<body>.*?)\n(?P=fence)$", re.MULTILINE | re.DOTALL)
_VALUE = re.compile(r"// \$(?P<name>\w+) = (?P<value>.*)")
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|#~!&$]|(?<=:)/|(?<=www)\.|@", re.IGNORECASE)
"""Characters that begin markup, and those that make an address a link.

Source: https://spec.commonmark.org/0.31.2/#backslash-escapes, https://github.github.com/gfm/#autolinks-extension-
"""


def as_markdown(answer: Answer) -> str:
    """Render an answer as Markdown; a single value has no table."""
    parts = [escaped(answer.answer)]
    if answer.choices:
        parts = ["This can be read in several ways. Which one is meant?"]
        parts.append(
            "\n".join(f"{n}. {escaped(each.interpretation)}" for n, each in enumerate(answer.choices, 1))
        )
    if answer.rows and (len(answer.rows) > 1 or len(answer.columns) > 1):
        parts.append(_table(answer.columns, answer.rows))
        hidden = len(answer.rows) - MAX_ROWS
        if hidden > 0:
            parts.append(f"{hidden} more rows{' or more' if answer.truncated else ''}.")
    if answer.diagnosis is not None:
        parts.append(escaped(answer.diagnosis.summary))
    if answer.interpretation and not answer.choices:
        parts.append(f"Understood as: {escaped(answer.interpretation)}")
    if answer.verified_query:
        parts.append(f"Answered by the verified query {escaped(answer.verified_query)}")
    if answer.cypher and not answer.choices:
        parts.append(_query(answer.cypher, answer.parameters))
    parts += [f"Note: {escaped(each)}" for each in answer.warnings]
    return "\n\n".join(parts)


def query_in_markdown(text: str) -> tuple[str, dict[str, Any]] | None:
    """Return the query and the parameters that `as_markdown` wrote into an answer, or None if there is none."""
    fenced = list(_FENCED.finditer(text))
    if not fenced:
        return None
    found = fenced[-1]
    parameters: dict[str, Any] = {}
    lines = found["body"].split("\n")
    while lines and (value := _VALUE.fullmatch(lines[0])):
        try:
            parameters[value["name"]] = json.loads(value["value"])
        except ValueError:
            return None
        del lines[0]
    cypher = "\n".join(lines).strip()
    return (cypher, parameters) if cypher else None


def escaped(text: str) -> str:
    """Escape text so that it is shown literally."""
    return _MARKUP.sub(lambda found: "\\" + found.group(), " ".join(text.split()))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [
        [escaped(heading(each)) for each in columns],
        ["---"] * len(columns),
        *([escaped(format_value(cell, quoted=False)) for cell in row] for row in rows[:MAX_ROWS]),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _query(cypher: str, parameters: dict[str, Any]) -> str:
    values = [f"// ${name} = {json.dumps(value, ensure_ascii=False)}" for name, value in parameters.items()]
    body = "\n".join([*values, cypher])
    longest = max(map(len, re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}cypher\n{body}\n{fence}"
