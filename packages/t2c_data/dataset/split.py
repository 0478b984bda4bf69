"""Splits without leaks: no shape of a query and no wording without its values stands on both sides.

Pairs that share either are joined into one component; whole components are assigned. Texts are numbered on the disk, so
that a pair takes a few bytes of memory.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from t2c_data.dataset.string_ids import StringInterner
from t2c_data.pairs import mask_values, skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from t2c_data.pairs import Pair

SHARES = (("dev", 0.03), ("test", 0.03))
STOPWORDS = frozenset(
    """the a an of for in to and or is are was were all any me please what which how who list show find get give return
    retrieve identify display fetch provide that there with by their its these those also""".split()
)


def assign_splits(
    pairs: Sequence[Pair],
    *,
    seed: int,
    shares: Sequence[tuple[str, float]] = SHARES,
    must_link: Sequence[tuple[int, int]] = (),
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
    splitter = Splitter()
    for pair in pairs:
        splitter.add(pair)
    for one, other in must_link:
        splitter.join(one, other)
    chosen = splitter.choose(seed=seed, shares=shares)
    result = [replace(pair, split=split) for pair, split in zip(pairs, chosen, strict=True)]
    return result, leak_report(result)


class Splitter:
    """Joins pairs that must stay together, one by one, and chooses a split for each component."""

    def __init__(self) -> None:
        self._shapes, self._wordings = StringInterner(), StringInterner()
        self._shape_of = array("L")
        self._first_shape = array("L")
        """The first shape of each wording: all others are joined to it."""
        self._parents = array("L")

    def add(self, pair: Pair) -> None:
        """Take the next pair."""
        text = skeleton(pair.cypher) if pair.cypher else f"unanswerable {pair.question}"
        shape, wording = self._shapes.number(text), self._wordings.number(near_duplicate_key(pair))
        if shape == len(self._parents):
            self._parents.append(shape)
        if wording == len(self._first_shape):
            self._first_shape.append(shape)
        self._shape_of.append(shape)
        self._parents[self._root(shape)] = self._root(self._first_shape[wording])

    def join(self, one: int, other: int) -> None:
        """Keep two pairs together, by their places."""
        self._parents[self._root(self._shape_of[other])] = self._root(self._shape_of[one])

    def choose(self, *, seed: int, shares: Sequence[tuple[str, float]] = SHARES) -> list[str]:
        """Choose a split for each pair.

        Components are gone through in an order that the seed mixes from their first shape, and fill the small splits
        first.
        """
        sizes = Counter(self._root(shape) for shape in self._shape_of)
        names = StringInterner()
        roots = array("L")
        known: set[int] = set()
        for text, shape in self._shapes.sorted():
            root = self._root(shape)
            if root not in known:
                known.add(root)
                names.number(_mix(seed, "c" + text))
                roots.append(root)
        wanted = {name: share * len(self._shape_of) for name, share in shares}
        chosen: dict[int, str] = {}
        for _, number in names.sorted():
            size = sizes[roots[number]]
            for name, room in wanted.items():
                if size <= max(room * 0.1, 3) and room >= size:
                    wanted[name] = room - size
                    chosen[roots[number]] = name
                    break
        return [chosen.get(self._root(shape), "train") for shape in self._shape_of]

    def _root(self, shape: int) -> int:
        parents = self._parents
        while parents[shape] != shape:
            parents[shape] = parents[parents[shape]]
            shape = parents[shape]
        return shape


class LeakCounter:
    """Counts shapes of queries, questions and near-duplicates that stand in train and elsewhere."""

    def __init__(self) -> None:
        self._texts = {what: StringInterner() for what in ("skeleton", "question", "near")}
        self._sides = {what: bytearray() for what in self._texts}
        self._splits: Counter[str] = Counter()

    def add(self, pair: Pair) -> None:
        """Take the next pair."""
        self._splits[pair.split] += 1
        side = 1 if pair.split == "train" else 2
        if pair.cypher:
            self._mark("skeleton", skeleton(pair.cypher), side)
        self._mark("question", pair.question.casefold(), side)
        self._mark("near", near_duplicate_key(pair), side)

    def report(self) -> dict[str, Any]:
        """Tell how many texts stand on both sides, and how large the splits are."""
        both: dict[str, Any] = {what: sides.count(3) for what, sides in self._sides.items()}
        return {**both, "splits": dict(sorted(self._splits.items()))}

    def _mark(self, what: str, text: str, side: int) -> None:
        sides, number = self._sides[what], self._texts[what].number(text)
        if number == len(sides):
            sides.append(0)
        sides[number] |= side


def leak_report(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Count queries' shapes, questions and near-duplicates that stand in train and elsewhere."""
    leaks = LeakCounter()
    for pair in pairs:
        leaks.add(pair)
    return leaks.report()


def near_duplicate_key(pair: Pair) -> str:
    """Reduce a question so that near-duplicates become equal: no values, no fillers, no order of words."""
    words = [word for word in mask_values(pair.question, pair.parameters).split(" ") if word not in STOPWORDS]
    return " ".join(sorted(words))


def _mix(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
