"""Figures on a file of pairs: counts, shapes, lengths, variety of wording, what of the schema no pair touches, leaks.

Holds no drawing (see `plots`).
"""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from t2c_core.metrics.text_similarity import MAX_GRAM, google_bleu
from t2c_data.dataset.split import leak_report
from t2c_data.errors import PairsError
from t2c_data.pairs import mask_values, normalize_question, skeleton
from t2c_data.validators.query_analysis import QueryAnalysis
from t2c_data.validators.schema import owners

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType
    from t2c_data.pairs import Pair

SELF_BLEU_SAMPLE = 300
"""Questions that are compared with each other."""


def describe(
    pairs: Sequence[Pair], *, schema: GraphSchema | None = None, dropped: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Describe pairs: how many, how various, how long, and whether their splits leak.

    Args:
        pairs: what to describe.
        schema: to see what of it no pair touches.
        dropped: how many candidates the build dropped, by reason.
    """
    if not pairs:
        return {"pairs": 0}
    words = [len(pair.question.split()) for pair in pairs]
    found = {
        "pairs": len(pairs),
        "questions": len({normalize_question(pair.question) for pair in pairs}),
        "questions_without_values": len({mask_values(pair.question, pair.parameters) for pair in pairs}),
        "query_shapes": len({skeleton(pair.cypher) for pair in pairs}),
        "by_split": _counts(pair.split for pair in pairs),
        "by_category": _counts(pair.category for pair in pairs),
        "by_difficulty": _counts(str(pair.difficulty) for pair in pairs),
        "by_template": _counts(pair.template for pair in pairs),
        "parameters": _counts(str(len(pair.parameters)) for pair in pairs),
        "question_words": {
            "mean": round(mean(words), 2),
            "median": median(words),
            "shortest": min(words),
            "longest": max(words),
        },
        "variety": variety([pair.question for pair in pairs]),
        "leaks": leak_report(pairs),
    }
    if dropped is not None:
        found["dropped"] = dict(sorted(dropped.items(), key=lambda each: -each[1]))
    if schema is not None:
        found["coverage"] = coverage(pairs, schema)
    return found


def read_drops(manifest: Path, *, needed: bool = False) -> dict[str, int] | None:
    """Read from a build's manifest how many candidates were dropped; None if there is no manifest.

    Raises:
        PairsError: there is none although it is needed, or it is no manifest.
    """
    if not manifest.is_file() and not needed:
        return None
    try:
        dropped: dict[str, int] = json.loads(manifest.read_text(encoding="utf-8"))["dropped"]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise PairsError(f"{manifest} is no manifest of a build ({error!r})") from error
    return dropped


def variety(questions: Sequence[str]) -> dict[str, float]:
    """Measure how various wordings are.

    Returns:
        `distinct_1` to `distinct_4`: share of runs of words that are distinct among all of that length.
        `self_bleu`: how like a question is to the one that it is most like, over a fixed sample; 1 for copies.
    """
    tokens = [normalize_question(question).split(" ") for question in questions]
    found: dict[str, float] = {}
    for size in range(1, MAX_GRAM + 1):
        grams = [
            tuple(each[start : start + size]) for each in tokens for start in range(len(each) - size + 1)
        ]
        found[f"distinct_{size}"] = round(len(set(grams)) / len(grams), 4) if grams else 0.0
    texts = sorted({" ".join(each) for each in tokens})
    sample = Random(0).sample(texts, min(SELF_BLEU_SAMPLE, len(texts)))  # noqa: S311
    nearest = [
        max((google_bleu([(one, other)]) for other in sample if other != one), default=0.0) for one in sample
    ]
    found["self_bleu"] = round(mean(nearest), 4) if nearest else 0.0
    return found


def coverage(pairs: Sequence[Pair], schema: GraphSchema) -> dict[str, Any]:
    """List what of a schema pairs touch, how often, and what no pair touches."""
    labels: Counter[str] = Counter()
    types: Counter[str] = Counter()
    properties: Counter[str] = Counter()
    seen: dict[str, tuple[set[str], set[str], set[str]]] = {}
    for pair in pairs:
        if not pair.cypher:
            continue
        shape = skeleton(pair.cypher)
        if shape not in seen:
            seen[shape] = _touched(pair.cypher, schema)
        for counter, names in zip((labels, types, properties), seen[shape], strict=True):
            counter.update(names)
    holders: list[NodeLabel | RelationshipType] = [*schema.labels, *schema.types]
    owned = [f"{holder.name}.{each.name}" for holder in holders for each in holder.properties]
    return {
        "labels": {each.name: labels[each.name] for each in schema.labels},
        "types": {each.name: types[each.name] for each in schema.types},
        "properties": {name: properties[name] for name in owned},
        "untouched": {
            "labels": [each.name for each in schema.labels if not labels[each.name]],
            "types": [each.name for each in schema.types if not types[each.name]],
            "properties": [name for name in owned if not properties[name]],
        },
    }


def _touched(cypher: str, schema: GraphSchema) -> tuple[set[str], set[str], set[str]]:
    query = QueryAnalysis(cypher)
    known = owners(query, schema)
    held = {
        f"{owner}.{access.property}"
        for access in query.accesses
        for owner in known.get(access.variable, ())
        if schema.property_of(owner, access.property)
    }
    return (
        {label for found in query.labels.values() for label in found},
        {kind for edge in query.edges for kind in edge.types},
        held,
    )


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
