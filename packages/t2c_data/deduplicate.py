"""Keeps each question once, and drops questions that were given two meanings."""

from __future__ import annotations

from collections import Counter
from typing import Any

from t2c_data.records import normal


class Deduplicator:
    """Takes candidates one by one, in order; the first of equal questions stays."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.dropped: Counter[str] = Counter()
        """How many candidates were dropped, by reason."""
        self._meanings: dict[str, str] = {}

    def take(self, row: dict[str, Any]) -> None:
        """Keep a candidate unless it was dropped before or its question is there already."""
        if "drop" in row:
            self.dropped[row["drop"]] += 1
            return
        key = normal(row["question"])
        known = self._meanings.get(key)
        if known is not None:
            self.dropped["duplicate" if known == row["cypher"] else "contradiction"] += 1
            return
        self._meanings[key] = row["cypher"]
        self.kept.append(row)
