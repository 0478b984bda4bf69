"""Limits of ordered answers: whether the last place is shared, and for which limit it is not.

An answer whose last place two rows share is not determined; nobody would accept it as gold. Runs no query.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.schema.model import Scalar

MAX_LIMIT = 20
"""A greater limit is not chosen."""
_LIMITED = re.compile(
    r"RETURN (?P<unique>DISTINCT )?(?P<items>.*) ORDER BY (?P<order>.*?)(?P<down> DESC)? "
    r"LIMIT (?:\$(?P<name>v\d+)|(?P<number>\d+))$"
)


def order_limit(cypher: str, parameters: Mapping[str, Scalar]) -> int | None:
    """Find the limit of an ordered query; None if it has none."""
    match = _LIMITED.search(cypher)
    if match is None:
        return None
    return int(parameters[match["name"]] if match["name"] else match["number"])


def over_fetch(cypher: str, parameters: Mapping[str, Scalar], rows: int) -> tuple[str, dict[str, Scalar]]:
    """Ask for more rows than the limit, and for what the order is by, to see where places are shared."""
    match = _LIMITED.search(cypher)
    if match is None:
        return cypher, dict(parameters)
    unique, items, order, down = (match[part] or "" for part in ("unique", "items", "order", "down"))
    shown = items if order in items.split(", ") else f"{items}, {order}"
    head = f"{cypher[: match.start()]}RETURN {unique}{shown} ORDER BY {order}{down} LIMIT "
    if match["name"]:
        return f"{head}${match['name']}", {**parameters, match["name"]: rows}
    return f"{head}{rows}", dict(parameters)


def resolve_ties(cypher: str, answer: Sequence[Sequence[Any]], limit: int) -> tuple[int, str]:
    """Find the limit nearest to the one given at which the answer is determined.

    Args:
        cypher: the query as `widened` gives it.
        answer: its rows.
        limit: as the question has it; one stays one.

    Returns:
        The limit, and why there is none, else an empty text.
    """
    column = _order_column(cypher)
    if len(answer) < 2 or column is None:
        return limit, "short" if column is not None else "order"
    ranks = [json.dumps(row[column]) for row in answer]
    if len(set(ranks[: limit + 1])) < 2:
        return limit, "tie"
    if limit >= len(ranks) or ranks[limit - 1] != ranks[limit]:
        return limit, ""
    free = [place for place in range(2, min(len(ranks), MAX_LIMIT + 1)) if ranks[place - 1] != ranks[place]]
    if limit == 1 or not free:
        return limit, "tie"
    return min(free, key=lambda place: (abs(place - limit), place)), ""


def _order_column(cypher: str) -> int | None:
    match = _LIMITED.search(cypher)
    items = match["items"].split(", ") if match else []
    return items.index(match["order"]) if match and match["order"] in items else None
