"""A text with the turn before it: its query changed, a question composed of both, or a question of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.consistency.question_match import QuestionMatcher
from t2c_service.answering.conversation.reading import FollowUpReader
from t2c_service.answering.conversation.rewriting import Rewriting, rewrite
from t2c_service.answering.conversation.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.interpretation.words import Words
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.records import Choice

_OPENING = re.compile(
    r"^(?:\s*(?:and|but|so|then|now|ok|okay|only|just|also|please)\b[\s,]*)+", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class PreviousTurn:
    """The turn that a text may follow up on."""

    question: str
    cypher: str
    parameters: Mapping[str, Any]
    choices: tuple[Choice, ...] = field(default=())
    """Readings that were offered, if the question was ambiguous."""


class Dialogue:
    """Relates texts to the turn before them, for one graph.

    Args:
        schema: schema as the principal may see it.
        words: words of the graph.
    """

    def __init__(self, schema: GraphSchema, words: Words) -> None:
        self._vocabulary = Vocabulary(schema, words.content)
        self._reader = FollowUpReader(self._vocabulary)
        self._matcher = QuestionMatcher(schema, words.content)

    def is_follow_up(self, linked: LinkedQuestion) -> bool:
        """Return whether a text may change the question before rather than being one of its own."""
        return self._reader.is_follow_up(linked)

    def refers_back(self, linked: LinkedQuestion) -> bool:
        """Return whether a text cannot be understood without the one before."""
        return self._reader.refers_back(linked)

    def rewrite(self, linked: LinkedQuestion, previous: PreviousTurn) -> Rewriting | None:
        """Return the query of the turn before, changed as a text says, or None if it cannot be."""
        asked = self._matcher.asked_label(previous.question)
        return rewrite(
            self._reader.read(linked), self._vocabulary, previous.cypher, previous.parameters, asked=asked
        )


def compose(previous: str, text: str) -> str:
    """Return a question of the words of the turn before and those of a follow-up."""
    return f"{previous.rstrip(' ?.!')} {_OPENING.sub('', text).strip()}"
