"""The part of a large schema that a question is about: elements that it names, what holds its values, ways between.

For chat models, whose prompt holds the schema as text; models of one graph know theirs by heart.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

from t2c_core.prompt.chat import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType
    from t2c_core.values.linker import LinkedQuestion

VALUE_WEIGHT = 3.0
NAME_WEIGHT = 2.0
PROPERTY_WEIGHT = 1.0
MIN_SIMILARITY = 85
"""From here on two words count as the same, 0 to 100: plurals, endings, slips."""
MAX_SEEDS = 6
"""Labels that are connected with one another."""
MAX_PROPERTIES = 8
"""Properties kept where the question names none of them."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def prune_schema(schema: GraphSchema, linked: LinkedQuestion, *, max_chars: int) -> GraphSchema:
    """Choose a part of a schema.

    Args:
        schema: the whole.
        linked: the question with the places of its values.
        max_chars: longest text of the part, as `t2c_core.prompt.chat.describe` writes it. The labels that the
            question is surest about stay, even where they alone are longer.

    Returns:
        A schema with some of the labels, types, triples and properties, in the same order.
    """
    words = {word.lower() for word in _WORD.findall(linked.question) if len(word) > 2}
    scores = _scores(schema, linked, words)
    seeds = [name for name, _ in scores.most_common(MAX_SEEDS)] or _largest(schema)
    chosen = _connected(schema, seeds)
    part = _part(schema, chosen, words, linked)
    for name in _by_interest(schema, scores, chosen):
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
    """Score labels by how much the question says of them; a relationship type counts for the labels at its ends."""
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
        for place in link.occurrences:
            credit(place.owner, VALUE_WEIGHT / len(link.occurrences))
    owners: list[NodeLabel | RelationshipType] = [*schema.labels, *schema.types]
    for owner in owners:
        if (likeness := _name_similarity(owner.name, words)) > 0:
            credit(owner.name, NAME_WEIGHT * likeness)
        best = max((_name_similarity(each.name, words) for each in owner.properties), default=0.0)
        if best > 0:
            credit(owner.name, PROPERTY_WEIGHT * best)
    return scores


def _name_similarity(name: str, words: set[str]) -> float:
    """Give the share of a name's words that the question has too."""
    own = [word.lower() for word in _WORD.findall(name) if len(word) > 2]
    found = sum(any(fuzz.ratio(word, other) >= MIN_SIMILARITY for other in words) for word in own)
    return found / len(own) if own else 0.0


def _largest(schema: GraphSchema) -> list[str]:
    return [
        label.name for label in sorted(schema.labels, key=lambda each: (-each.count, each.name))[:MAX_SEEDS]
    ]


def _neighbours(schema: GraphSchema) -> dict[str, set[str]]:
    neighbours: dict[str, set[str]] = {label.name: set() for label in schema.labels}
    for triple in schema.triples:
        neighbours.setdefault(triple.source, set()).add(triple.target)
        neighbours.setdefault(triple.target, set()).add(triple.source)
    return neighbours


def _connected(schema: GraphSchema, seeds: list[str]) -> frozenset[str]:
    """Add the labels on a shortest way from each seed to the others, so that the pattern can be written."""
    neighbours = _neighbours(schema)
    chosen = {seeds[0]} if seeds else set()
    for seed in seeds[1:]:
        chosen.update(_shortest_path(neighbours, seed, chosen))
    return frozenset(chosen)


def _shortest_path(neighbours: dict[str, set[str]], start: str, goals: set[str]) -> list[str]:
    came_from: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        if here in goals:
            return list(_back(came_from, here))
        for other in sorted(neighbours.get(here, ())):
            if other not in came_from:
                came_from[other] = here
                queue.append(other)
    return [start]


def _back(came_from: dict[str, str | None], end: str) -> Iterator[str]:
    place: str | None = end
    while place is not None:
        yield place
        place = came_from[place]


def _by_interest(schema: GraphSchema, scores: Counter[str], chosen: frozenset[str]) -> list[str]:
    """Order the other labels: those that the question says something of, then neighbours, most nodes first."""
    neighbours = _neighbours(schema)
    near = {other for name in chosen for other in neighbours.get(name, ())}
    others = [label for label in schema.labels if label.name not in chosen]
    others.sort(key=lambda each: (-scores[each.name], each.name not in near, -each.count, each.name))
    return [label.name for label in others if scores[label.name] or label.name in near]


def _part(schema: GraphSchema, chosen: Iterable[str], words: set[str], linked: LinkedQuestion) -> GraphSchema:
    names = set(chosen)
    triples = tuple(each for each in schema.triples if each.source in names and each.target in names)
    kinds = {each.type for each in triples}
    held = {(place.owner, place.property) for link in linked.links for place in link.occurrences}

    def kept(owner: str, properties: tuple[Property, ...]) -> tuple[Property, ...]:
        if len(properties) <= MAX_PROPERTIES:
            return properties
        wanted = [
            each
            for each in properties
            if (owner, each.name) in held or _name_similarity(each.name, words) > 0
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
