"""Value index of a graph, in one SQLite file: the properties in which a value occurs, with counts.

Look-ups ignore case, accents, punctuation and whitespace; fuzzy look-ups find similar values.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from cachetools import LRUCache
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from t2c_core.errors import SnapshotError
from t2c_core.values.normalization import fold
from t2c_core.values.sqlite_store import FORMAT_VERSION, EntityType, IndexedValue, decode, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from t2c_core.values.aliases import Aliases

CACHED_KEYS = 100_000
MAX_SPELLINGS = 5
MAX_POSTINGS = 50_000
MAX_CANDIDATES = 5_000
MAX_FORMS_WITH_WORD = 2_000
"""Maximum number of forms with a word; a word of more forms is no part to find a value by."""
PART_GRAMS = 3
MIN_MISSPELLED_LETTERS = 3
MIN_LETTERS_FOR_TWO_EDITS = 8
MAX_PARTIAL_SEARCH_SCORE = 90.0
"""Best score of a whole form at which forms that contain the text are no longer searched."""
PARTIAL_PENALTY = 12.0
"""Reduction of the score of a form that only contains the text."""

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
    """A similar normalized form and its score from 0 to 100."""

    folded: str
    score: float


class ValueIndex:
    """Read access to a value index; safe to share between threads.

    Args:
        path: file written by `build`.

    Raises:
        SnapshotError: the file does not exist or is not an index of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._forms: _Cache[tuple[IndexedValue, ...]] = _Cache()
        self._prefix_lengths: _Cache[int] = _Cache()
        self._spellings: _Cache[list[str]] = _Cache()
        self._forms_containing: _Cache[list[str]] = _Cache()
        self._connection, meta = _open(path)
        self.max_words = int(meta["max_words"])
        """Number of words of the longest form."""
        self.count = int(meta["values"])
        """Number of distinct (value, property)."""
        self._owners: dict[int, tuple[str, str, EntityType]] = {
            each[0]: each[1:]
            for each in self._connection.execute("SELECT id, owner, property, kind FROM owner")
        }

    @staticmethod
    def build(path: Path, rows: Iterable[IndexedValue], names: Aliases | None = None) -> int:
        """Write an index of all rows in bounded memory.

        Args:
            path: file to write, which appears when it is complete.
            rows: values in any order; the counts of equal rows are added.
            names: other names of values.

        Returns:
            Number of distinct (value, property).
        """
        return write(path, rows, names)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def folded(self, text: str) -> tuple[IndexedValue, ...]:
        """Return values equal to a text except for case, accents, punctuation and whitespace, most frequent first."""
        form = fold(text)
        return tuple(each for each in self.forms([form]).get(form, ()) if fold(str(each.value)) == form)

    def forms(self, folded: Iterable[str]) -> dict[str, tuple[IndexedValue, ...]]:
        """Return the values of several normalized forms; forms without values are absent.

        Where a property has no value of a form, values with this alias are returned, such as
        `Hospitalization - Initial or Prolonged` for `hospitalization`.
        """
        with self._lock:
            return self._forms.find(folded, self._read)

    def prefix_lengths(self, folded: Iterable[str]) -> dict[str, int]:
        """Return, for the words that occur in values, the length in words of the longest form that begins with each.

        Numbers are absent; 0 means that a word only occurs inside values.
        """
        with self._lock:
            return self._prefix_lengths.find(folded, self._read_words)

    def fuzzy(self, text: str, *, limit: int = 5, cutoff: float = 80.0) -> list[Similar]:
        """Return normalized forms similar to a text, best first.

        The rarest trigrams of the text select candidates, which rapidfuzz ranks. A form that contains the text has a
        lower score than a form of similar length.

        Args:
            text: text of at least three letters.
            limit: maximum number of forms.
            cutoff: minimum score, 0 to 100.
        """
        form = fold(text)
        grams = sorted({form[i : i + 3] for i in range(len(form) - 2)})
        with self._lock:
            sizes = self._connection.execute(_GRAM_SIZES, (json.dumps(grams),)).fetchall()
            rare = _rarest(sizes, len(grams))
            if not rare:
                return []
            query = " OR ".join(map(_quote_gram, rare))
            candidates = [each[0] for each in self._connection.execute(_SIMILAR, (query, MAX_CANDIDATES))]
        return _rank(form, candidates, cutoff)[:limit]

    def forms_containing(self, word: str) -> list[str]:
        """Return normalized forms of several words that contain a word or its plural.

        A word of fewer than three letters, or in more than `MAX_FORMS_WITH_WORD` forms, has none.
        """
        with self._lock:
            return self._forms_containing.get(word, self._read_forms_containing)

    def _read_forms_containing(self, word: str) -> list[str]:
        grams = sorted({word[i : i + 3] for i in range(len(word) - 2)})
        sizes = self._connection.execute(_GRAM_SIZES, (json.dumps(grams),)).fetchall()
        if not grams or len(sizes) < len(grams) or sizes[0][1] > MAX_FORMS_WITH_WORD:
            return []
        query = " AND ".join(_quote_gram(gram) for gram, _ in sizes[:PART_GRAMS])
        found = self._connection.execute(_SIMILAR, (query, MAX_FORMS_WITH_WORD))
        return sorted(
            form for (form,) in found if " " in form and not {word, word + "s"}.isdisjoint(form.split())
        )

    def spelling_candidates(self, word: str, *, limit: int = 3) -> list[str]:
        """Return words of values that a normalized word may be a misspelling of, best first.

        A word of three letters or more may have one edit (an insertion, deletion, substitution or transposition), a
        word of eight letters or more two edits in the same half. Digits are never edited.
        """
        if len(word) < MIN_MISSPELLED_LETTERS:
            return []
        with self._lock:
            return self._spellings.get(word, self._read_similar_words)[:limit]

    def _read_similar_words(self, word: str) -> list[str]:
        edits = 1 if len(word) < MIN_LETTERS_FOR_TWO_EDITS else 2
        half = len(word) // 2
        start, end = word[: max(1, half - 1)], word[half:][::-1]
        lengths = (len(word) - edits, len(word) + edits)
        candidates = {
            each[0]
            for statement, part in ((_SAME_START, start), (_SAME_END, end))
            for each in self._connection.execute(
                statement, (part, part + "\U0010ffff", *lengths, MAX_CANDIDATES)
            )
        }
        digits = _digits(word)
        similar = sorted(each for each in candidates if each != word and _digits(each) == digits)
        ranked = process.extract(word, similar, scorer=OSA.distance, score_cutoff=edits, limit=MAX_SPELLINGS)
        return [each for each, _, _ in ranked]

    def _read(self, forms: list[str]) -> dict[str, tuple[IndexedValue, ...]]:
        whole: dict[str, list[IndexedValue]] = {}
        by_alias: dict[str, list[IndexedValue]] = {}
        for form, kind, text, part, count, owner in self._connection.execute(_LOOKUP, (json.dumps(forms),)):
            value = IndexedValue(decode(kind, text), *self._owners[owner], count)
            (by_alias if part else whole).setdefault(form, []).append(value)
        for form, values in by_alias.items():
            properties = {(each.label_or_type, each.property) for each in whole.get(form, ())}
            whole.setdefault(form, []).extend(
                each for each in values if (each.label_or_type, each.property) not in properties
            )
        return {form: tuple(sorted(values, key=_by_count)) for form, values in whole.items()}

    def _read_words(self, words: list[str]) -> dict[str, int]:
        return dict(self._connection.execute(_WORDS, (json.dumps(words),)).fetchall())


class _Cache(Generic[Found]):
    """Results of the latest keys, including keys without result; the caller holds the lock."""

    def __init__(self) -> None:
        self._results: LRUCache[str, Found | None] = LRUCache(CACHED_KEYS)

    def __len__(self) -> int:
        return len(self._results)

    def get(self, key: str, read: Callable[[str], Found]) -> Found:
        return self.find([key], lambda _: {key: read(key)})[key]

    def find(self, keys: Iterable[str], read: Callable[[list[str]], dict[str, Found]]) -> dict[str, Found]:
        asked: dict[str, Found | None] = dict.fromkeys(keys)
        missing = []
        for key in asked:
            if key in self._results:
                asked[key] = self._results[key]
            else:
                missing.append(key)
        fresh = read(missing) if missing else {}
        for key in missing:
            asked[key] = self._results[key] = fresh.get(key)
        return {key: result for key, result in asked.items() if result is not None}


def _quote_gram(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'


def _digits(word: str) -> str:
    return "" if word.isalpha() else "".join(each for each in word if each.isdigit())


def _by_count(value: IndexedValue) -> tuple[int, str, str, str]:
    return -value.count, value.label_or_type, value.property, str(value.value)


def _rank(form: str, candidates: list[str], cutoff: float) -> list[Similar]:
    scores = {
        each: score
        for each, score, _ in process.extract(
            form, candidates, scorer=fuzz.ratio, limit=None, score_cutoff=cutoff
        )
    }
    best = max(scores.values(), default=0.0)
    longer = [each for each in candidates if len(each) > len(form)] if best < MAX_PARTIAL_SEARCH_SCORE else []
    for each, score, _ in process.extract(
        form, longer, scorer=fuzz.partial_ratio, limit=None, score_cutoff=min(100.0, cutoff + PARTIAL_PENALTY)
    ):
        scores[each] = max(score - PARTIAL_PENALTY, scores.get(each, 0.0))
    return [Similar(*each) for each in sorted(scores.items(), key=lambda it: (-it[1], it[0]))]


def _rarest(sizes: list[tuple[str, int]], grams: int) -> list[str]:
    """Return enough rare trigrams that two edits cannot change all of them, within a budget of postings."""
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


__all__ = ["EntityType", "IndexedValue", "Similar", "ValueIndex"]
