"""Parameterisation of a query: literals which its question names become `$v1`, `$v2`, … in the question's order."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import transform, walk
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Node
    from t2c_core.schema.model import Scalar

_UNSPACED = "\\u3040-\\u30ff\\u3400-\\u9fff\\uac00-\\ud7af"
"""Characters of scripts without spaces between words, as the inside of a character class."""


def parameterize(question: str, cypher: str) -> tuple[str, dict[str, Scalar]]:
    """Return a query with parameters in place of the literals which its question names, and their values.

    Other literals stay, as do numbers which are no value: arguments of functions, indexes, lengths of paths. A query
    outside the read-only subset is returned unchanged.
    """
    try:
        tree = parse(cypher)
    except CypherSyntaxError:
        return cypher, {}
    places: dict[tuple[type, Scalar], int] = {}
    literals = sorted(_literals(tree), key=lambda literal: literal.position)
    for literal in literals:
        place = _place(question, literal.value)
        if place >= 0:
            places.setdefault((type(literal.value), literal.value), place)
    used = {node.name for node in walk(tree) if isinstance(node, t.Parameter)}
    free = (name for number in count(1) if (name := f"v{number}") not in used)
    names = dict(zip(sorted(places, key=places.__getitem__), free, strict=False))
    if not names:
        return cypher, {}
    replaced = {id(literal) for literal in literals}

    def change(node: Node) -> Node:
        key = (type(node.value), node.value) if id(node) in replaced else None  # type: ignore[attr-defined]
        return t.Parameter(names[key], position=node.position) if key in names else node

    return render(transform(tree, change)), {name: value for (_, value), name in names.items()}


def _literals(tree: t.Query) -> list[t.String | t.Integer | t.Float]:
    """Return all strings but computed property keys, and the numbers which are compared or limit the result."""
    keys, numbers = set(), []
    for node in walk(tree):
        match node:
            case t.ContainerIndex():
                keys.add(id(node.index))
            case t.Comparison():
                numbers += list(node.operands)
            case t.BinaryPredicate():
                numbers += [node.right, *(node.right.items if isinstance(node.right, t.ListLiteral) else ())]
            case t.MapEntry():
                numbers += [node.value, *(node.value.items if isinstance(node.value, t.ListLiteral) else ())]
            case t.Projection() | t.OrderBySkipLimit() if node.limit:
                numbers.append(node.limit)
    strings = [node for node in walk(tree) if isinstance(node, t.String) and id(node) not in keys]
    return [*strings, *(cast("t.Integer", each) for each in numbers if isinstance(each, t.Integer | t.Float))]


def _place(question: str, value: Scalar) -> int:
    """Return where a question names a value as a whole word or number; -1 if it does not."""
    text = re.escape(str(value))
    if isinstance(value, str):
        word = f"[^\\W{_UNSPACED}]"
        before = f"(?<!{word})" if re.match(word, value) else ""
        after = f"(?!{word})" if value and re.match(word, value[-1]) else ""
        pattern = f"{before}{text}{after}"
    else:
        pattern = rf"(?<![\w.])(?<!\d,){text}(?!\w|[.,]\d)"
    found = re.search(pattern, question) if text else None
    return found.start() if found else -1
