"""Train, dev and test splits without leakage: no query skeleton and no near-duplicate question is in two splits.

Pairs that share either form one component, and components are assigned as a whole. Texts are kept in temporary SQLite
files, so that a pair takes a few bytes of memory.
"""

from __future__ import annotations

import hashlib
import sqlite3
from array import array
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from t2c_data.pairs import mask_values, skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from t2c_data.pairs import Pair

_UNANSWERABLE = "unanswerable "
"""Start of the skeleton of a pair without a query."""
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
        pairs: pairs in any order.
        seed: seed of the assignment.
        shares: names and ratios of the splits other than train.
        must_link: positions of two pairs each that must be in the same split for another reason.

    Returns:
        The pairs in their order with their split, and the report of `LeakCounter`.
    """
    splitter = Splitter()
    for pair in pairs:
        splitter.add(pair)
    for one, other in must_link:
        splitter.join(one, other)
    chosen = splitter.choose(seed=seed, shares=shares)
    result = [replace(pair, split=split) for pair, split in zip(pairs, chosen, strict=True)]
    return result, leak_report(result)


class StringInterner:
    """Numbers strings from 0 in the order in which they come; they are kept in a temporary SQLite file."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE string (text TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID; BEGIN;"
        )
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def number(self, text: str) -> int:
        """Return the number of a string; a new string gets the next one."""
        found = self._base.execute("SELECT number FROM string WHERE text = ?", (text,)).fetchone()
        if found is not None:
            return int(found[0])
        self._base.execute("INSERT INTO string VALUES (?, ?)", (text, self._count))
        self._count += 1
        return self._count - 1

    def sorted(self) -> Iterator[tuple[str, int]]:
        """Yield strings and their numbers in the order of the strings."""
        with closing(self._base.execute("SELECT text, number FROM string ORDER BY text")) as rows:
            yield from rows


class Splitter:
    """Joins pairs that must be in the same split, one by one, and chooses a split for each component."""

    def __init__(self) -> None:
        self._skeletons, self._questions = StringInterner(), StringInterner()
        self._skeleton_of = array("L")
        """Skeleton of each pair."""
        self._first_skeleton = array("L")
        """First skeleton of each masked question; all others of that question are joined to it."""
        self._parents = array("L")
        """Union-find forest over skeletons."""

    def add(self, pair: Pair) -> None:
        """Add the next pair."""
        text = skeleton(pair.cypher) if pair.cypher else f"{_UNANSWERABLE}{pair.question}"
        shape, question = self._skeletons.number(text), self._questions.number(near_duplicate_key(pair))
        if shape == len(self._parents):
            self._parents.append(shape)
        if question == len(self._first_skeleton):
            self._first_skeleton.append(shape)
        self._skeleton_of.append(shape)
        self._parents[self._root(shape)] = self._root(self._first_skeleton[question])

    def join(self, one: int, other: int) -> None:
        """Put two pairs, given by position, into the same split."""
        self._parents[self._root(self._skeleton_of[other])] = self._root(self._skeleton_of[one])

    def choose(self, *, seed: int, shares: Sequence[tuple[str, float]] = SHARES) -> list[str]:
        """Return the split of each pair.

        Components are visited in an order that depends on the seed and their first skeleton; small splits are filled
        first. Answerable and unanswerable pairs have quotas of their own, so that each split has as many of either.
        """
        sizes = Counter(self._root(shape) for shape in self._skeleton_of)
        shuffled = StringInterner()
        roots = array("L")
        is_unanswerable: dict[int, bool] = {}
        for text, shape in self._skeletons.sorted():
            root = self._root(shape)
            if root not in is_unanswerable:
                is_unanswerable[root] = text.startswith(_UNANSWERABLE)
                shuffled.number(hashlib.sha256(f"{seed}:c{text}".encode()).hexdigest())
                roots.append(root)
        totals: Counter[bool] = Counter()
        for root, size in sizes.items():
            totals[is_unanswerable[root]] += size
        remaining = {(name, key): share * total for name, share in shares for key, total in totals.items()}
        chosen: dict[int, str] = {}
        for _, number in shuffled.sorted():
            root = roots[number]
            size = sizes[root]
            for name, _ in shares:
                room = remaining[name, is_unanswerable[root]]
                if size <= max(room * 0.1, 3) and room >= size:
                    remaining[name, is_unanswerable[root]] = room - size
                    chosen[root] = name
                    break
        return [chosen.get(self._root(shape), "train") for shape in self._skeleton_of]

    def _root(self, shape: int) -> int:
        parents = self._parents
        while parents[shape] != shape:
            parents[shape] = parents[parents[shape]]
            shape = parents[shape]
        return shape


class LeakCounter:
    """Counts query skeletons, questions and near-duplicate questions that are both in train and in another split."""

    def __init__(self) -> None:
        self._texts = {name: StringInterner() for name in ("skeleton", "question", "near")}
        self._sides = {name: bytearray() for name in self._texts}
        self._splits: Counter[str] = Counter()

    def add(self, pair: Pair) -> None:
        """Add the next pair."""
        self._splits[pair.split] += 1
        side = 1 if pair.split == "train" else 2
        if pair.cypher:
            self._mark("skeleton", skeleton(pair.cypher), side)
        self._mark("question", pair.question.casefold(), side)
        self._mark("near", near_duplicate_key(pair), side)

    def report(self) -> dict[str, Any]:
        """Return the number of leaks by kind, and the sizes of the splits."""
        leaks: dict[str, Any] = {name: sides.count(3) for name, sides in self._sides.items()}
        return {**leaks, "splits": dict(sorted(self._splits.items()))}

    def _mark(self, name: str, text: str, side: int) -> None:
        sides, number = self._sides[name], self._texts[name].number(text)
        if number == len(sides):
            sides.append(0)
        sides[number] |= side


def leak_report(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Return the report of `LeakCounter` over some pairs."""
    leaks = LeakCounter()
    for pair in pairs:
        leaks.add(pair)
    return leaks.report()


def near_duplicate_key(pair: Pair) -> str:
    """Return the sorted words of a question without values and stop words; near-duplicates have the same key."""
    words = [word for word in mask_values(pair.question, pair.parameters).split(" ") if word not in STOPWORDS]
    return " ".join(sorted(words))
