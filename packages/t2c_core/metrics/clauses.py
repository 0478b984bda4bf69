"""The top-level clauses of a Cypher query, cut out of its text without reading what is in them.

Good enough to look at golds that run; it is no parser and guards nothing (see `guard`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`]|``)*`|//[^\n\r]*|/\*.*?\*/|\s+|[\w$]+|.", re.DOTALL
)
_TWO_WORDS = {("OPTIONAL", "MATCH"), ("ORDER", "BY")}
_KEYWORDS = frozenset(
    "MATCH OPTIONAL_MATCH WHERE WITH RETURN ORDER_BY SKIP OFFSET LIMIT UNION UNWIND CALL".split()
)
_NOT_CLAUSES = frozenset({"STARTS", "ENDS", "."})
"""Words before WITH or a property name that make it none."""


@dataclass(frozen=True, slots=True)
class ClauseText:
    """A clause: its keyword in capitals (`OPTIONAL MATCH`) and the text after it."""

    keyword: str
    body: str


def split_clauses(query: str) -> list[ClauseText]:
    """Cut a query into its top-level clauses; comments and a final semicolon are dropped."""
    found: list[tuple[str, list[str]]] = [("", [])]
    depth = 0
    previous = ""
    for token in _joined(_TOKEN.findall(query)):
        if token.startswith(("//", "/*")):
            continue
        word = token.upper()
        if depth == 0 and word.replace(" ", "_") in _KEYWORDS and previous not in _NOT_CLAUSES:
            found.append((word, []))
        else:
            found[-1][1].append(token)
        depth += token in ("(", "[", "{")
        depth -= token in (")", "]", "}")
        previous = word if token.strip() else previous
    cut = [ClauseText(keyword, "".join(body).strip().rstrip(";").strip()) for keyword, body in found]
    return [each for each in cut if each.keyword or each.body]


def split_items(body: str) -> list[str]:
    """Cut a clause's body at its top-level commas."""
    items: list[str] = [""]
    depth = 0
    for token in _TOKEN.findall(body):
        depth += token in ("(", "[", "{")
        depth -= token in (")", "]", "}")
        if token == "," and depth == 0:  # noqa: S105
            items.append("")
        else:
            items[-1] += token
    return [each.strip() for each in items]


def _joined(tokens: list[str]) -> list[str]:
    """Join the two words of `OPTIONAL MATCH` and `ORDER BY`, whatever stands between them."""
    joined: list[str] = []
    position = 0
    while position < len(tokens):
        first = tokens[position].upper()
        after = next((i for i in range(position + 1, len(tokens)) if tokens[i].strip()), position)
        if (first, tokens[after].upper()) in _TWO_WORDS:
            joined.append(f"{first} {tokens[after].upper()}")
            position = after + 1
        else:
            joined.append(tokens[position])
            position += 1
    return joined
