"""Draws texts from a grammar in EBNF, independently of the library that compiles it.

Reads the notation that `t2c_core.grammar` writes: literals, character classes, references, brackets, `?`, `{m,n}`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<set>\[[^\]]*\])|(?P<name>[A-Za-z_]\w*)|(?P<sign>\{\d+,\d+\}|[()|?]))"""
)
_RANGE = re.compile(r"(\\?.)-(\\?.)|(\\?.)", re.DOTALL)


class Node(NamedTuple):
    kind: str
    """text, set, name, sequence, choice or repeat."""
    value: object = None
    parts: tuple[Node, ...] = ()


def read(grammar: str) -> dict[str, Node]:
    """Read a grammar into its rules."""
    rules = {}
    for line in grammar.splitlines():
        name, _, body = line.partition(" ::= ")
        tokens = list(_TOKEN.finditer(body))
        assert "".join(each[0] for each in tokens).strip() == body.strip(), line
        rules[name], rest = _choice(tokens)
        assert not rest, line
    return rules


def _choice(tokens: list[re.Match[str]]) -> tuple[Node, list[re.Match[str]]]:
    options, parts = [], []
    while tokens and tokens[0]["sign"] != ")":
        if tokens[0]["sign"] == "|":
            options.append(Node("sequence", parts=tuple(parts)))
            parts, tokens = [], tokens[1:]
            continue
        part, tokens = _part(tokens)
        parts.append(part)
    options.append(Node("sequence", parts=tuple(parts)))
    return Node("choice", parts=tuple(options)), tokens


def _part(tokens: list[re.Match[str]]) -> tuple[Node, list[re.Match[str]]]:
    first, rest = tokens[0], tokens[1:]
    if first["sign"] == "(":
        node, rest = _choice(rest)
        rest = rest[1:]
    elif first["text"]:
        node = Node("text", json.loads(first["text"]))
    elif first["set"]:
        node = Node("set", _letters(first["set"][1:-1]))
    else:
        node = Node("name", first["name"])
    if rest and rest[0]["sign"] == "?":
        return Node("repeat", (0, 1), (node,)), rest[1:]
    if rest and (rest[0]["sign"] or "").startswith("{"):
        least, most = map(int, rest[0]["sign"][1:-1].split(","))
        return Node("repeat", (least, most), (node,)), rest[1:]
    return node, rest


def _letters(text: str) -> str:
    found = ""
    for first, last, single in _RANGE.findall(text):
        if single:
            found += single.replace("\\n", "\n")
        else:
            found += "".join(map(chr, range(ord(first), ord(last) + 1)))
    return found


def draw(
    rules: dict[str, Node],
    rng: Random,
    *,
    fits: Callable[[str, str], bool] = lambda _name, _text: True,
    tries: int = 40,
) -> str:
    """Draw a text of the rule `root`, short ones more often.

    Args:
        rules: of `read`.
        rng: makes the choices.
        fits: asked with a rule's name and each text drawn for it; one that does not fit is drawn again.
        tries: so many times at most.
    """

    def text(node: Node, depth: int) -> str:
        if node.kind in {"text", "set"}:
            return str(node.value) if node.kind == "text" else rng.choice(str(node.value))
        if node.kind == "sequence":
            return "".join(text(each, depth) for each in node.parts)
        if node.kind == "choice":
            return text(rng.choice(node.parts), depth)
        if node.kind == "repeat":
            least, most = node.value  # type: ignore[misc]
            count = least
            while count < most and rng.random() < 0.4 / (1 + depth / 8):
                count += 1
            return "".join(text(node.parts[0], depth) for _ in range(count))
        name = str(node.value)
        for _ in range(tries):
            drawn = text(rules[name], depth + 1)
            if fits(name, drawn):
                break
        return drawn

    return text(Node("name", "root"), 0)
