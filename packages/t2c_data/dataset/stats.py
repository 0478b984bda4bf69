"""Statistics of pairs: counts, query skeletons, lengths, lexical diversity, coverage of the schema, leakage."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from t2c_core.consistency.query_analysis import QueryAnalysis
from t2c_core.metrics.text_similarity import MAX_GRAM, google_bleu
from t2c_data.dataset.split import leak_report
from t2c_data.errors import PairsError
from t2c_data.pairs import mask_values, normalize_question, skeleton
from t2c_data.validators.schema import owners

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType
    from t2c_data.pairs import Pair

SELF_BLEU_SAMPLE = 300
"""Number of questions that are compared with each other."""
DEPRECATED = {
    "query_skeletons": "query_shapes", "question_length": "question_words", "lexical_diversity": "variety",
}  # fmt: skip
"""Fields and the names that they had before, under which they are also written for one version."""


def describe(
    pairs: Sequence[Pair], *, schema: GraphSchema | None = None, dropped: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Return the statistics of pairs.

    Args:
        pairs: the pairs.
        schema: schema of which the coverage is measured; not measured if None.
        dropped: number of candidates that the build dropped, by reason.
    """
    if not pairs:
        return {"pairs": 0}
    lengths = [len(pair.question.split()) for pair in pairs]
    found = {
        "pairs": len(pairs),
        "questions": len({normalize_question(pair.question) for pair in pairs}),
        "questions_without_values": len({mask_values(pair.question, pair.parameters) for pair in pairs}),
        "query_skeletons": len({skeleton(pair.cypher) for pair in pairs}),
        "by_split": _counts(pair.split for pair in pairs),
        "by_category": _counts(pair.category for pair in pairs),
        "by_difficulty": _counts(str(pair.difficulty) for pair in pairs),
        "by_template": _counts(pair.template for pair in pairs),
        "parameters": _counts(str(len(pair.parameters)) for pair in pairs),
        "question_length": {
            "mean": round(mean(lengths), 2),
            "median": median(lengths),
            "shortest": min(lengths),
            "longest": max(lengths),
        },
        "lexical_diversity": lexical_diversity([pair.question for pair in pairs]),
        "leaks": leak_report(pairs),
    }
    if dropped is not None:
        found["dropped"] = dict(sorted(dropped.items(), key=lambda each: -each[1]))
    if schema is not None:
        found["coverage"] = coverage(pairs, schema)
    return found | {old: found[name] for name, old in DEPRECATED.items()}


def read_drops(manifest: Path, *, needed: bool = False) -> dict[str, int] | None:
    """Return the number of dropped candidates by reason from a build's manifest, or None if there is no manifest.

    Args:
        manifest: the file.
        needed: whether a missing file is an error.

    Raises:
        PairsError: the file is not the manifest of a build.
    """
    if not manifest.is_file() and not needed:
        return None
    try:
        dropped: dict[str, int] = json.loads(manifest.read_text(encoding="utf-8"))["dropped"]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise PairsError(f"{manifest} is not the manifest of a build ({error!r})") from error
    return dropped


def lexical_diversity(questions: Sequence[str]) -> dict[str, float]:
    """Measure how much the wording of questions varies.

    Returns:
        `distinct_1` to `distinct_4`: ratio of distinct n-grams of words. `self_bleu`: mean similarity (Google BLEU) of
        a question to its most similar one, over a fixed sample; 1 if all are copies.
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
    """Count the pairs that use each label, relationship type and property of a schema, and list the uncovered ones."""
    labels: Counter[str] = Counter()
    types: Counter[str] = Counter()
    properties: Counter[str] = Counter()
    seen: dict[str, tuple[set[str], set[str], set[str]]] = {}
    for pair in pairs:
        if not pair.cypher:
            continue
        shape = skeleton(pair.cypher)
        if shape not in seen:
            seen[shape] = _used_elements(pair.cypher, schema)
        for counter, names in zip((labels, types, properties), seen[shape], strict=True):
            counter.update(names)
    declaring: list[NodeLabel | RelationshipType] = [*schema.labels, *schema.types]
    found = {
        "labels": {each.name: labels[each.name] for each in schema.labels},
        "types": {each.name: types[each.name] for each in schema.types},
        "properties": {
            name: properties[name]
            for element in declaring
            for each in element.properties
            for name in [f"{element.name}.{each.name}"]
        },
    }
    uncovered = {
        kind: [name for name, count in counts.items() if not count] for kind, counts in found.items()
    }
    return {**found, "uncovered": uncovered, "untouched": uncovered}


def _used_elements(cypher: str, schema: GraphSchema) -> tuple[set[str], set[str], set[str]]:
    query = QueryAnalysis(cypher)
    known = owners(query, schema)
    properties = {
        f"{label_or_type}.{access.property}"
        for access in query.accesses
        for label_or_type in known.get(access.variable, ())
        if schema.property_of(label_or_type, access.property)
    }
    return (
        {label for labels in query.labels.values() for label in labels},
        {type_name for edge in query.edges for type_name in edge.types},
        properties,
    )


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
