"""Schema pruning for chat models: labels that a question mentions, those of its values, and shortest paths between."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import networkx
from rapidfuzz import fuzz

from t2c_core.prompt.chat import ChatFormat, describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType
    from t2c_core.values.linker import LinkedQuestion

VALUE_WEIGHT = 3.0
NAME_WEIGHT = 2.0
PROPERTY_WEIGHT = 1.0
MIN_SIMILARITY = 85
"""Minimum ratio, 0 to 100, at which two words match."""
MAX_SEEDS = 6
"""Maximum number of labels that are connected with one another."""
MAX_PROPERTIES = 8
"""Properties per label or type that are kept where the question mentions none of them."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def fitting_format(whole: ChatFormat, linked: LinkedQuestion, *, max_chars: int) -> ChatFormat:
    """Return the format whose system message a prompt has: with the whole schema, or a part if that is too long.

    Args:
        whole: format with the whole schema.
        linked: question of the prompt.
        max_chars: maximum characters of the system message with the whole schema.
    """
    if len(whole.system) <= max_chars:
        return whole
    return ChatFormat(prune_schema(whole.schema, linked, max_chars=max_chars))


def prune_schema(schema: GraphSchema, linked: LinkedQuestion, *, max_chars: int) -> GraphSchema:
    """Return the part of a schema that a question needs.

    Args:
        schema: whole schema.
        linked: question with the occurrences of its values.
        max_chars: maximum characters of the part as `t2c_core.prompt.chat.describe` renders it; the label with the
            highest score is kept even if it is longer.

    Returns:
        A schema with a subset of the labels, types, triples and properties, in the same order.
    """
    words = {word.lower() for word in _WORD.findall(linked.question) if len(word) > 2}
    scores = _scores(schema, linked, words)
    seeds = [name for name, _ in scores.most_common(MAX_SEEDS)] or _largest(schema)
    graph = _schema_graph(schema)
    chosen = _connected(graph, seeds)
    part = _part(schema, chosen, words, linked)
    for name in _by_interest(schema, graph, scores, chosen):
        wider = _part(schema, chosen | {name}, words, linked)
        if len(describe(wider)) > max_chars:
            break
        chosen, part = chosen | {name}, wider
    while len(describe(part)) > max_chars and len(chosen) > 1:
        dropped = min(chosen, key=lambda name: (scores[name], name))
        chosen = chosen - {dropped}
        part = _part(schema, chosen, words, linked)
    return part


def _scores(schema: GraphSchema, linked: LinkedQuestion, words: set[str]) -> Counter[str]:
    """Score labels by their mentions; a relationship type counts for the labels at both ends."""
    scores: Counter[str] = Counter()
    ends: dict[str, set[str]] = {}
    for triple in schema.triples:
        ends.setdefault(triple.type, set()).update((triple.source, triple.target))

    def credit(owner: str, weight: float) -> None:
        if owner in schema.label_by_name:
            scores[owner] += weight  # type: ignore[assignment]
        for end in ends.get(owner, ()):
            scores[end] += weight / 2  # type: ignore[assignment]

    for link in linked.links:
        for occurrence in link.occurrences:
            credit(occurrence.label_or_type, VALUE_WEIGHT / len(link.occurrences))
    owners: list[NodeLabel | RelationshipType] = [*schema.labels, *schema.types]
    for owner in owners:
        if (similarity := _name_similarity(owner.name, words)) > 0:
            credit(owner.name, NAME_WEIGHT * similarity)
        best = max((_name_similarity(each.name, words) for each in owner.properties), default=0.0)
        if best > 0:
            credit(owner.name, PROPERTY_WEIGHT * best)
    return scores


def _name_similarity(name: str, words: set[str]) -> float:
    """Return the fraction of a name's words that occur in the question."""
    own = [word.lower() for word in _WORD.findall(name) if len(word) > 2]
    found = sum(any(fuzz.ratio(word, other) >= MIN_SIMILARITY for other in words) for word in own)
    return found / len(own) if own else 0.0


def _largest(schema: GraphSchema) -> list[str]:
    return [
        label.name for label in sorted(schema.labels, key=lambda each: (-each.count, each.name))[:MAX_SEEDS]
    ]


def _schema_graph(schema: GraphSchema) -> networkx.Graph:
    """Return the labels as nodes, sorted so that shortest paths are the same on every run."""
    graph = networkx.Graph()
    graph.add_nodes_from(sorted(label.name for label in schema.labels))
    graph.add_edges_from(sorted((each.source, each.target) for each in schema.triples))
    return graph


def _connected(graph: networkx.Graph, seeds: list[str]) -> frozenset[str]:
    """Add the labels on a shortest path from each seed to the seeds before it, so that one pattern can join them."""
    chosen = set(seeds[:1])
    for seed in seeds[1:]:
        paths: dict[str, list[str]] = networkx.single_source_shortest_path(graph, seed)
        reached = sorted((len(paths[each]), each) for each in chosen & paths.keys())
        chosen.update(paths[reached[0][1]] if reached else [seed])
    return frozenset(chosen)


def _by_interest(
    schema: GraphSchema, graph: networkx.Graph, scores: Counter[str], chosen: frozenset[str]
) -> list[str]:
    """Return the other labels: mentioned ones, then neighbours, by descending count."""
    adjacent = {other for name in chosen for other in graph.neighbors(name)}
    others = [label for label in schema.labels if label.name not in chosen]
    others.sort(key=lambda each: (-scores[each.name], each.name not in adjacent, -each.count, each.name))
    return [label.name for label in others if scores[label.name] or label.name in adjacent]


def _part(schema: GraphSchema, chosen: Iterable[str], words: set[str], linked: LinkedQuestion) -> GraphSchema:
    names = set(chosen)
    triples = tuple(each for each in schema.triples if each.source in names and each.target in names)
    kinds = {each.type for each in triples}
    linked_properties = {
        (each.label_or_type, each.property) for link in linked.links for each in link.occurrences
    }

    def kept(owner: str, properties: tuple[Property, ...]) -> tuple[Property, ...]:
        if len(properties) <= MAX_PROPERTIES:
            return properties
        wanted = [
            each
            for each in properties
            if (owner, each.name) in linked_properties or _name_similarity(each.name, words) > 0
        ]
        common = sorted(properties, key=lambda each: (-each.share, not each.unique, each.name))
        names_kept = {each.name for each in [*wanted, *common][: max(MAX_PROPERTIES, len(wanted))]}
        return tuple(each for each in properties if each.name in names_kept)

    return replace(
        schema,
        labels=tuple(
            replace(each, properties=kept(each.name, each.properties))
            for each in schema.labels
            if each.name in names
        ),
        types=tuple(
            replace(each, properties=kept(each.name, each.properties))
            for each in schema.types
            if each.name in kinds
        ),
        triples=triples,
    )
