"""An index of the values of a graph in one SQLite file: value → the properties that hold it.

Answers exact, folded (case, accents, punctuation, blanks) and fuzzy look-ups, with counts. It does not read
questions (see `link`) and does not read graphs (the snapshot hands rows to `ValueIndex.build`).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from t2c_core.errors import SnapshotError
from t2c_core.values.normalization import fold
from t2c_core.values.sqlite_store import FORMAT_VERSION, IndexedValue, OwnerKind, change, decode, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

CACHED_KEYS = 100_000
MAX_SPELLINGS = 5
MAX_POSTINGS = 50_000
MAX_CANDIDATES = 5_000
MAX_HOLDERS = 2_000
"""In more forms than these, a word is no part to find a value by."""
PART_GRAMS = 3
MIN_MISSPELT_LETTERS = 3
MIN_LETTERS_FOR_TWO_SLIPS = 8
NEAR_ENOUGH = 90.0
"""From this score on, forms that only hold the text are not looked for."""
PART_PENALTY = 12.0
"""How much less a form that only holds the text counts than one that is like it."""

Found = TypeVar("Found")

_LOOKUP = """
    SELECT form.folded, occurrence.type, occurrence.text, occurrence.part, occurrence.count, occurrence.owner
    FROM json_each(?) AS asked CROSS JOIN form ON form.folded = asked.value
    JOIN occurrence ON occurrence.form = form.id
"""
_GRAM_SIZES = """
    SELECT gram_size.gram, gram_size.size FROM json_each(?) AS asked CROSS JOIN gram_size
    ON gram_size.gram = asked.value ORDER BY 2, 1
"""
_SIMILAR = "SELECT folded FROM form WHERE id IN (SELECT rowid FROM gram WHERE gram MATCH ? LIMIT ?)"
_WORDS = "SELECT word, longest FROM json_each(?) AS asked CROSS JOIN word ON word.word = asked.value"
_SAME_START = """
    SELECT word FROM word WHERE word >= ? AND word < ? AND length(word) BETWEEN ? AND ? LIMIT ?
"""
_SAME_END = """
    SELECT word FROM word WHERE backwards >= ? AND backwards < ? AND length(word) BETWEEN ? AND ? LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Similar:
    """A folded form near to what was asked, and how near: 0 to 100."""

    folded: str
    score: float


class ValueIndex:
    """The read side of the index; safe to share between threads.

    Args:
        path: the file that `build` wrote.

    Raises:
        SnapshotError: there is no such file, or it is not an index of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._forms: _Cache[tuple[IndexedValue, ...]] = _Cache()
        self._openings: _Cache[int] = _Cache()
        self._spellings: _Cache[list[str]] = _Cache()
        self._holders: _Cache[list[str]] = _Cache()
        self._connection, meta = _open(path)
        self.max_words = int(meta["max_words"])
        """Words of the longest folded form."""
        self.count = int(meta["values"])
        """How many distinct (value, property) are indexed."""
        self._owners: dict[int, tuple[str, str, OwnerKind]] = {
            each[0]: each[1:]
            for each in self._connection.execute("SELECT id, owner, property, kind FROM owner")
        }

    @staticmethod
    def build(path: Path, rows: Iterable[IndexedValue]) -> int:
        """Write an index of all rows, in bounded memory; the same rows in any order give equal look-ups.

        Args:
            path: where the file goes; it appears there only when complete.
            rows: values by property; the counts of equal rows are added.

        Returns:
            How many distinct (value, property) are indexed.
        """
        return write(path, rows)

    @staticmethod
    def change(
        path: Path, *, added: Iterable[IndexedValue] = (), removed: Iterable[IndexedValue] = ()
    ) -> int:
        """Bring an index up to date without reading all values again; open ones keep what they had.

        Args:
            path: the file; the changed one takes its place when complete.
            added: values that are new, or whose counts go up by those given.
            removed: values that a property no longer has.

        Returns:
            How many distinct (value, property) are then indexed.
        """
        return change(path, added, removed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()

    def exact(self, text: str) -> tuple[IndexedValue, ...]:
        """Find a value as it is written, most frequent first."""
        return tuple(each for each in self.folded(text) if str(each.value) == text)

    def folded(self, text: str) -> tuple[IndexedValue, ...]:
        """Find values equal to a text but for case, accents, punctuation and blanks, most frequent first."""
        form = fold(text)
        return tuple(each for each in self.forms([form]).get(form, ()) if fold(str(each.value)) == form)

    def forms(self, folded: Iterable[str]) -> dict[str, tuple[IndexedValue, ...]]:
        """Find values of many folded forms at once; forms that no value has are left out.

        A property that has no value of a form, but values that people call so (`Hospitalization` for
        `Hospitalization - Initial or Prolonged`), gives these.
        """
        with self._lock:
            return self._forms.find(folded, self._read)

    def prefix_lengths(self, folded: Iterable[str]) -> dict[str, int]:
        """Tell which folded words occur in values, and the words of the longest form that begins with each.

        Numbers are not recorded.
        """
        with self._lock:
            return self._openings.find(folded, self._read_words)

    def fuzzy(self, text: str, *, limit: int = 5, cutoff: float = 80.0) -> list[Similar]:
        """Find folded forms near to a text, nearest first.

        The rarest trigrams of the text bring the candidates, rapidfuzz ranks them. A form that holds the
        whole text among others counts as near too, but less than one of like length.

        Args:
            text: at least three letters.
            limit: how many at most.
            cutoff: the least score, 0 to 100.
        """
        form = fold(text)
        grams = sorted({form[i : i + 3] for i in range(len(form) - 2)})
        with self._lock:
            sizes = self._connection.execute(_GRAM_SIZES, (json.dumps(grams),)).fetchall()
            rare = _rarest(sizes, len(grams))
            if not rare:
                return []
            query = " OR ".join('"' + each.replace('"', '""') + '"' for each in rare)
            candidates = [each[0] for each in self._connection.execute(_SIMILAR, (query, MAX_CANDIDATES))]
        return _rank(form, candidates, cutoff)[:limit]

    def forms_containing(self, word: str) -> list[str]:
        """Find folded forms of several words that have a folded word, or its plural, among them.

        A word of fewer than three letters, or in very many forms, has none.
        """
        with self._lock:
            return self._holders.find([word], lambda _: {word: self._having(word)}).get(word, [])

    def _having(self, word: str) -> list[str]:
        grams = sorted({word[i : i + 3] for i in range(len(word) - 2)})
        sizes = self._connection.execute(_GRAM_SIZES, (json.dumps(grams),)).fetchall()
        if not grams or len(sizes) < len(grams) or sizes[0][1] > MAX_HOLDERS:
            return []
        query = " AND ".join('"' + gram.replace('"', '""') + '"' for gram, _ in sizes[:PART_GRAMS])
        found = self._connection.execute(_SIMILAR, (query, MAX_HOLDERS))
        own = {word, word + "s"}
        return sorted(form for (form,) in found if " " in form and own & set(form.split()))

    def spelling_candidates(self, word: str, *, limit: int = 3) -> list[str]:
        """Find words of values that a folded word may be a misspelling of, nearest first.

        One slip (a letter more, less, other, or two swapped) in words of three letters; two from eight on, if
        both lie in the same half of the word. Digits are never slips.
        """
        if len(word) < MIN_MISSPELT_LETTERS:
            return []
        with self._lock:
            return self._spellings.find([word], lambda _: {word: self._near(word)}).get(word, [])[:limit]

    def _near(self, word: str) -> list[str]:
        slips = 1 if len(word) < MIN_LETTERS_FOR_TWO_SLIPS else 2
        half = len(word) // 2
        start, end = word[: max(1, half - 1)], word[half:][::-1]
        lengths = (len(word) - slips, len(word) + slips)
        near = {
            each[0]
            for statement, part in ((_SAME_START, start), (_SAME_END, end))
            for each in self._connection.execute(
                statement, (part, part + "\U0010ffff", *lengths, MAX_CANDIDATES)
            )
        }
        digits = _digits(word)
        alike = sorted(each for each in near if each != word and _digits(each) == digits)
        ranked = process.extract(word, alike, scorer=OSA.distance, score_cutoff=slips, limit=MAX_SPELLINGS)
        return [each for each, _, _ in ranked]

    def _read(self, forms: list[str]) -> dict[str, tuple[IndexedValue, ...]]:
        whole: dict[str, list[IndexedValue]] = {}
        parts: dict[str, list[IndexedValue]] = {}
        for form, kind, text, part, count, owner in self._connection.execute(_LOOKUP, (json.dumps(forms),)):
            value = IndexedValue(decode(kind, text), *self._owners[owner], count)
            (parts if part else whole).setdefault(form, []).append(value)
        for form, values in parts.items():
            held = {(each.owner, each.property) for each in whole.get(form, ())}
            whole.setdefault(form, []).extend(
                each for each in values if (each.owner, each.property) not in held
            )
        return {form: tuple(sorted(values, key=_by_count)) for form, values in whole.items()}

    def _read_words(self, words: list[str]) -> dict[str, int]:
        return dict(self._connection.execute(_WORDS, (json.dumps(words),)).fetchall())


class _Cache(Generic[Found]):
    """What was found and what was not found under the latest keys; its user holds the lock."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Found | None] = OrderedDict()

    def find(self, keys: Iterable[str], read: Callable[[list[str]], dict[str, Found]]) -> dict[str, Found]:
        asked = dict.fromkeys(keys)
        missing = [key for key in asked if key not in self._known]
        if missing:
            fresh = read(missing)
            self._known.update((key, fresh.get(key)) for key in missing)
        found = {key: value for key in asked if (value := self._known[key]) is not None}
        while len(self._known) > CACHED_KEYS:
            self._known.popitem(last=False)
        return found


def _digits(word: str) -> str:
    return "" if word.isalpha() else "".join(each for each in word if each.isdigit())


def _by_count(value: IndexedValue) -> tuple[int, str, str, str]:
    return -value.count, value.owner, value.property, str(value.value)


def _rank(form: str, candidates: list[str], cutoff: float) -> list[Similar]:
    scores = {
        each: score
        for each, score, _ in process.extract(
            form, candidates, scorer=fuzz.ratio, limit=None, score_cutoff=cutoff
        )
    }
    whole = max(scores.values(), default=0.0)
    longer = [each for each in candidates if len(each) > len(form)] if whole < NEAR_ENOUGH else []
    for each, score, _ in process.extract(
        form, longer, scorer=fuzz.partial_ratio, limit=None, score_cutoff=min(100.0, cutoff + PART_PENALTY)
    ):
        scores[each] = max(score - PART_PENALTY, scores.get(each, 0.0))
    return [Similar(*each) for each in sorted(scores.items(), key=lambda it: (-it[1], it[0]))]


def _rarest(sizes: list[tuple[str, int]], grams: int) -> list[str]:
    """Choose enough rare trigrams that two slips cannot spoil all, within a budget of postings."""
    wanted = min(grams, 7)
    chosen: list[str] = []
    postings = 0
    for gram, size in sizes[:wanted]:
        postings += size
        if chosen and postings > MAX_POSTINGS:
            break
        chosen.append(gram)
    return chosen


def _open(path: Path) -> tuple[sqlite3.Connection, dict[str, str]]:
    advice = f"write it again with: t2c-graph snapshot --uri U --out {path.parent}"
    if not path.is_file():
        raise SnapshotError(f"no value index at {path}; {advice}")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    try:
        connection.execute("PRAGMA mmap_size = 1073741824")
        meta = dict(connection.execute("SELECT name, value FROM meta"))
    except sqlite3.DatabaseError as error:
        connection.close()
        raise SnapshotError(f"{path} is not a value index ({error}); {advice}") from error
    if meta.get("format") != FORMAT_VERSION:
        connection.close()
        raise SnapshotError(
            f"{path} has value index format {meta.get('format')} where {FORMAT_VERSION} is read; {advice}"
        )
    return connection, meta


__all__ = ["IndexedValue", "OwnerKind", "Similar", "ValueIndex"]
