"""Ties at the limit of an ordered answer: find a limit at which the answer is determined.

An answer whose last place is shared by two rows is not determined, so it cannot serve as gold.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.schema.model import Scalar

MAX_LIMIT = 20
"""Maximum limit that is chosen in place of a tied one."""
_LIMITED = re.compile(
    r"RETURN (?P<unique>DISTINCT )?(?P<items>.*) ORDER BY (?P<order>.*?)(?P<down> DESC)? "
    r"LIMIT (?:\$(?P<name>v\d+)|(?P<number>\d+))$"
)


def order_limit(cypher: str, parameters: Mapping[str, Scalar]) -> int | None:
    """Return the limit of an ordered query; None if it has none."""
    match = _LIMITED.search(cypher)
    if match is None:
        return None
    return int(parameters[match["name"]] if match["name"] else match["number"])


def over_fetch(cypher: str, parameters: Mapping[str, Scalar], rows: int) -> tuple[str, dict[str, Scalar]]:
    """Return the query with a limit of `rows` and the sort key among its columns."""
    match = _LIMITED.search(cypher)
    if match is None:
        return cypher, dict(parameters)
    unique, items, order, down = (match[part] or "" for part in ("unique", "items", "order", "down"))
    columns = items if order in items.split(", ") else f"{items}, {order}"
    head = f"{cypher[: match.start()]}RETURN {unique}{columns} ORDER BY {order}{down} LIMIT "
    if match["name"]:
        return f"{head}${match['name']}", {**parameters, match["name"]: rows}
    return f"{head}{rows}", dict(parameters)


def resolve_ties(cypher: str, answer: Sequence[Sequence[Any]], limit: int) -> tuple[int, str]:
    """Find the limit nearest to the given one at which the answer is determined.

    Args:
        cypher: query returned by `over_fetch`.
        answer: its rows.
        limit: limit of the question; a limit of one is never changed.

    Returns:
        The limit, and the reason why there is none (`short`, `order`, `tie`), empty if there is one.
    """
    match = _LIMITED.search(cypher)
    columns = match["items"].split(", ") if match else []
    if match is None or match["order"] not in columns:
        return limit, "order"
    if len(answer) < 2:
        return limit, "short"
    keys = [json.dumps(row[columns.index(match["order"])]) for row in answer]
    if len(set(keys[: limit + 1])) < 2:
        return limit, "tie"
    if limit >= len(keys) or keys[limit - 1] != keys[limit]:
        return limit, ""
    untied = [place for place in range(2, min(len(keys), MAX_LIMIT + 1)) if keys[place - 1] != keys[place]]
    if limit == 1 or not untied:
        return limit, "tie"
    return min(untied, key=lambda place: (abs(place - limit), place)), ""
