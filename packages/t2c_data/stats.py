"""Figures on a file of pairs: counts, shapes, lengths, leaks."""

from __future__ import annotations

from collections import Counter
from statistics import mean
from typing import TYPE_CHECKING, Any

from t2c_data.records import bare, normal, skeleton
from t2c_data.split import leak_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.records import Pair


def describe(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Describe pairs: how many, how various, how long, and whether their splits leak."""
    if not pairs:
        return {"pairs": 0}
    words = [len(pair.question.split()) for pair in pairs]
    return {
        "pairs": len(pairs),
        "questions": len({normal(pair.question) for pair in pairs}),
        "questions_without_values": len({bare(pair.question, pair.parameters) for pair in pairs}),
        "query_shapes": len({skeleton(pair.cypher) for pair in pairs}),
        "by_split": _counts(pair.split for pair in pairs),
        "by_category": _counts(pair.category for pair in pairs),
        "by_difficulty": _counts(str(pair.difficulty) for pair in pairs),
        "by_template": _counts(pair.template for pair in pairs),
        "parameters": _counts(str(len(pair.parameters)) for pair in pairs),
        "question_words": {"mean": round(mean(words), 2), "longest": max(words)},
        "leaks": leak_report(pairs),
    }


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
