"""Keeps each question once, and drops questions that were given two meanings.

Holds no rows: who takes part asks for each candidate whether it stays.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any

from t2c_data.dataset.string_ids import StringInterner
from t2c_data.pairs import normalize_question

if TYPE_CHECKING:
    from collections.abc import Mapping


class Deduplicator:
    """Takes candidates one by one, in order; the first of equal questions stays."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        """How many candidates were dropped, by reason."""
        self._questions = StringInterner()
        self._meanings = array("Q")

    def __len__(self) -> int:
        """Count what was kept."""
        return len(self._meanings)

    def take(self, row: Mapping[str, Any]) -> bool:
        """Keep a candidate unless it was dropped before or its question is there already."""
        if "drop" in row:
            self.dropped[row["drop"]] += 1
            return False
        number, meaning = self._questions.number(normalize_question(row["question"])), _digest(row["cypher"])
        if number < len(self._meanings):
            self.dropped["duplicate" if self._meanings[number] == meaning else "contradiction"] += 1
            return False
        self._meanings.append(meaning)
        return True


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
