"""Schema, examples and linked values as a policy shows them; the guard enforces the policy on queries."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema, Property
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.prompting.examples import Example, MentionLinker


def filter_schema(schema: GraphSchema, policy: Policy) -> GraphSchema:
    """Return a schema without hidden names; a triple is hidden with either of its labels."""

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
    """Return the examples whose queries contain no hidden name; an example without a query is left out."""
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
    """Links questions without using hidden properties.

    Args:
        linker: Linker of the whole graph.
        policy: Hidden names.
    """

    def __init__(self, linker: MentionLinker, policy: Policy) -> None:
        self._linker = linker
        self._policy = policy

    def link(self, question: str) -> LinkedQuestion:
        """Return the question with those of its mentions that occur in a visible property."""
        linked = self._linker.link(question)
        links = (
            replace(
                link,
                occurrences=tuple(
                    each
                    for each in link.occurrences
                    if not self._policy.hides(each.label_or_type, each.property)
                ),
            )
            for link in linked.links
        )
        return replace(
            linked, links=tuple(link for link in links if link.occurrences or link.kind != "value")
        )
