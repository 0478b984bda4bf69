"""What a policy leaves of a schema and of the values that a question names; the guard enforces it on queries."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema, Property
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.prompting.examples import Example


class MentionLinker(Protocol):
    """Links questions to a graph."""

    def link(self, question: str) -> LinkedQuestion:
        """Find what a question names."""


def filter_schema(schema: GraphSchema, policy: Policy) -> GraphSchema:
    """Leave out of a schema what a policy hides; triples go with the label at either end."""

    def shown(owner: str, properties: tuple[Property, ...]) -> tuple[Property, ...]:
        return tuple(each for each in properties if not policy.hides(owner, each.name))

    if not policy.hidden:
        return schema
    return replace(
        schema,
        labels=tuple(
            replace(each, properties=shown(each.name, each.properties))
            for each in schema.labels
            if not policy.hides(each.name)
        ),
        types=tuple(
            replace(each, properties=shown(each.name, each.properties))
            for each in schema.types
            if not policy.hides(each.name)
        ),
        triples=tuple(
            each
            for each in schema.triples
            if not any(policy.hides(name) for name in (each.source, each.type, each.target))
        ),
        hidden=tuple(sorted({*schema.hidden, *policy.hidden})),
    )


def filter_examples(examples: tuple[Example, ...], policy: Policy) -> tuple[Example, ...]:
    """Keep the examples whose queries name nothing that a policy hides; without a query, none can be sure."""
    hidden = {part for name in policy.hidden for part in name.split(".")[-1:]}
    if not hidden:
        return examples
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(hidden)))})\b", re.IGNORECASE)
    return tuple(
        each
        for each in examples
        if each.cypher and not pattern.search(each.cypher) and not pattern.search(each.question)
    )


class FilteredLinker:
    """Links questions to what a policy shows: a value that occurs in hidden places only is none.

    Args:
        linker: of the whole graph.
        policy: what it hides.
    """

    def __init__(self, linker: MentionLinker, policy: Policy) -> None:
        self._linker = linker
        self._policy = policy

    def link(self, question: str) -> LinkedQuestion:
        """Find what a question names among what may be seen."""
        linked = self._linker.link(question)
        links = (
            replace(
                link,
                occurrences=tuple(
                    place for place in link.occurrences if not self._policy.hides(place.owner, place.property)
                ),
            )
            for link in linked.links
        )
        return replace(
            linked, links=tuple(link for link in links if link.occurrences or link.kind != "value")
        )
