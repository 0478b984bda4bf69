"""Examples and linked values as a policy shows them; the guard enforces the same policy on queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.visibility import Visibility

if TYPE_CHECKING:
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.prompting.examples import Example, MentionLinker


def filter_examples(
    examples: tuple[Example, ...], policy: Policy, schema: GraphSchema, *, keep_without_query: bool = False
) -> tuple[Example, ...]:
    """Return the examples whose queries use visible names only.

    Args:
        examples: Example questions.
        policy: Hidden names.
        schema: Schema of the graph.
        keep_without_query: Whether to return examples without a query, of which nothing can be checked.
    """
    if not policy.hidden:
        return examples
    guard = Guard(schema, policy)
    return tuple(
        each
        for each in examples
        if (guard.shows(each.cypher, each.parameters) if each.cypher else keep_without_query)
    )


class FilteredLinker:
    """Links questions without using hidden properties.

    Args:
        linker: Linker of the whole graph.
        policy: Hidden names.
        schema: Schema of the whole graph.
    """

    def __init__(self, linker: MentionLinker, policy: Policy, schema: GraphSchema | None = None) -> None:
        self._linker = linker
        self._visibility = Visibility(policy.hidden, schema)

    def link(self, question: str) -> LinkedQuestion:
        """Return the question with those of its mentions that occur in a visible property."""
        linked = self._linker.link(question)
        links = (
            replace(
                link,
                occurrences=tuple(
                    each
                    for each in link.occurrences
                    if self._visibility.shows(each.label_or_type, each.property)
                ),
            )
            for link in linked.links
        )
        return replace(
            linked, links=tuple(link for link in links if link.occurrences or link.kind != "value")
        )
