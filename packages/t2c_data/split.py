"""Splits without leaks: no shape of a query and no wording without its values stands on both sides.

Pairs that share either are joined into one component; whole components are assigned.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from t2c_data.records import bare, skeleton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.records import Pair

SHARES = (("dev", 0.03), ("test", 0.03))
_FILLERS = frozenset(
    """the a an of for in to and or is are was were all any me please what which how who list show find get give return
    retrieve identify display fetch provide that there with by their its these those also""".split()
)


def assign_splits(
    pairs: Sequence[Pair],
    *,
    seed: int,
    shares: Sequence[tuple[str, float]] = SHARES,
    alike: Sequence[tuple[int, int]] = (),
) -> tuple[list[Pair], dict[str, Any]]:
    """Assign each pair to train, dev or test.

    Args:
        pairs: in any order; the result keeps it.
        seed: mixes the assignment.
        shares: names and shares of the splits other than train.
        alike: places of pairs that must stay together for another reason.

    Returns:
        The pairs with their split, and a report that counts what stands on both sides.
    """
    members, names = _components(pairs, alike)
    chosen = ["train"] * len(pairs)
    wanted = {name: share * len(pairs) for name, share in shares}
    for root in sorted(members, key=lambda root: _mix(seed, names[root])):
        size = len(members[root])
        for name, room in wanted.items():
            if size <= max(room * 0.1, 3) and room >= size:
                wanted[name] = room - size
                for place in members[root]:
                    chosen[place] = name
                break
    result = [replace(pair, split=split) for pair, split in zip(pairs, chosen, strict=True)]
    return result, leak_report(result)


def _components(
    pairs: Sequence[Pair], alike: Sequence[tuple[int, int]]
) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Join pairs that must stay together: places by root, and a name for each root that no order changes."""
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def keys(pair: Pair) -> tuple[str, str]:
        shape = skeleton(pair.cypher) if pair.cypher else f"unanswerable {pair.question}"
        return "c" + shape, "q" + near(pair)

    for pair in pairs:
        first, second = keys(pair)
        parent[find(second)] = find(first)
    for one, other in alike:
        parent[find(keys(pairs[other])[0])] = find(keys(pairs[one])[0])
    members: dict[str, list[int]] = defaultdict(list)
    names: dict[str, str] = {}
    for place, pair in enumerate(pairs):
        first, _ = keys(pair)
        root = find(first)
        members[root].append(place)
        names[root] = min(names.get(root, first), first)
    return members, names


def near(pair: Pair) -> str:
    """Reduce a question so that near-duplicates become equal: no values, no fillers, no order of words."""
    words = [word for word in bare(pair.question, pair.parameters).split(" ") if word not in _FILLERS]
    return " ".join(sorted(words))


def leak_report(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Count queries' shapes, questions and near-duplicates that stand in train and elsewhere."""
    sides: dict[str, dict[str, set[str]]] = {
        what: defaultdict(set) for what in ("skeleton", "question", "near")
    }
    for pair in pairs:
        side = "train" if pair.split == "train" else "held out"
        if pair.cypher:
            sides["skeleton"][skeleton(pair.cypher)].add(side)
        sides["question"][pair.question.casefold()].add(side)
        sides["near"][near(pair)].add(side)
    report: dict[str, Any] = {
        what: sum(len(both) > 1 for both in found.values()) for what, found in sides.items()
    }
    report["splits"] = dict(sorted(Counter(pair.split for pair in pairs).items()))
    return report


def _mix(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
