"""Apply the edits of a follow-up to the query of the turn before.

Every edit must find its place in one way; where one cannot be applied, the follow-up is not rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.errors import CypherSyntaxError
from t2c_service.answering.conversation.conditions import ConditionEditor
from t2c_service.answering.conversation.draft import Draft, access
from t2c_service.answering.conversation.placing import Placing, UnplacedError
from t2c_service.answering.conversation.results import ResultEditor
from t2c_service.answering.conversation.vocabulary import PropertyOf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_service.answering.conversation.follow_up import FollowUp
    from t2c_service.answering.conversation.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Rewriting:
    """A query that was made of the one before."""

    cypher: str
    parameters: dict[str, Any]


def rewrite(
    found: FollowUp,
    vocabulary: Vocabulary,
    cypher: str,
    parameters: Mapping[str, Any],
    *,
    asked: str | None = None,
) -> Rewriting | None:
    """Return the query of the turn before with the edits of a follow-up, or None if one cannot be applied.

    Args:
        found: edits of the follow-up.
        vocabulary: words of the graph.
        cypher: query of the turn before.
        parameters: values of its parameters.
        asked: label that the question of that turn asked for or counted, if it named one.
    """
    if found.unread:
        return None
    try:
        draft = Draft(cypher, parameters, vocabulary.schema)
        before = draft.render()
        placing = Placing(draft, vocabulary, found.types, asked)
        conditions = ConditionEditor(draft, vocabulary, found, placing)
        conditions.apply()
        if draft.is_open:
            ResultEditor(draft, vocabulary, found, placing, conditions.columns).apply()
            _check_words(draft, found)
    except (CypherSyntaxError, UnplacedError):
        return None
    after = draft.render()
    return Rewriting(cypher=after[0], parameters=after[1]) if after != before else None


def _check_words(draft: Draft, found: FollowUp) -> None:
    """Check that the query has what each word of the graph names, so that none is ignored.

    Raises:
        UnplacedError: it lacks a thing, a relationship or a property.
    """
    owners = set(draft.owners.values())
    reads = (access(node) for node in walk(draft.to_query()) if isinstance(node, t.Property))
    used = {PropertyOf(draft.owners.get(each[0], ""), each[1]) for each in reads if each is not None}
    named = {of.owner for refs in found.columns for of in refs}
    for labels in found.labels:
        if not labels & owners and not labels & named:
            raise UnplacedError("a thing that is named is not used")
    for types, properties in found.words:
        if not types & owners and not properties & used:
            raise UnplacedError("a word is not used")
