"""Follow-ups of a conversation for small models: the query before is changed, or both questions are composed.

Turns that come without a query are answered again, as far back as the follow-ups reach.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from cachetools import LRUCache

from t2c_service.answering.conversation.dialogue import PreviousTurn, compose
from t2c_service.answering.conversation.turns import pick
from t2c_service.answering.explaining.answer_builder import UNRELATED
from t2c_service.answering.options import AskOptions
from t2c_service.answering.progress_events import no_op_callback
from t2c_service.answering.records import GraphView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.conversation.dialogue import Dialogue
    from t2c_service.answering.conversation.turns import Turn
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.examples import MentionLinker
    from t2c_service.answering.records import Answer

COMPOSED_CONFIDENCE = 0.8
"""Minimum confidence of a query for a follow-up that the model answers in the words of both questions."""
CACHED_TURNS = 500
"""Number of turns whose queries are kept, so that a conversation is not answered again with each question."""


class TurnAnswerer(Protocol):
    """Answers single turns."""

    async def answer_turn(
        self,
        question: str,
        options: AskOptions,
        listener: ProgressCallback,
        previous: PreviousTurn | None = None,
    ) -> Answer:
        """Answer a question by a verified query, by a change of the query before, or by the model."""

    async def ask_model(
        self, question: str, options: AskOptions, listener: ProgressCallback = no_op_callback
    ) -> Answer:
        """Answer a question by the queries of the model."""

    async def run_again(
        self,
        question: str,
        query: tuple[str, Mapping[str, Any]],
        previous: PreviousTurn,
        options: AskOptions,
        listener: ProgressCallback,
        linked: LinkedQuestion | None = None,
    ) -> Answer:
        """Answer with a query that was made of the one of the turn before."""


class FollowUps:
    """Answers questions by the turn before them.

    Args:
        dialogue: relates texts to the turn before.
        linker: linker of the graph.
        answers: answers single turns.
    """

    def __init__(self, dialogue: Dialogue, linker: MentionLinker, answers: TurnAnswerer) -> None:
        self._dialogue = dialogue
        self._linker = linker
        self._answers = answers
        self._replays: LRUCache[str, PreviousTurn | None] = LRUCache(CACHED_TURNS)

    async def previous(self, turns: tuple[Turn, ...]) -> PreviousTurn | None:
        """Return the latest turn that has a query; turns without one are answered again, as far back as needed."""
        start = len(turns)
        while start > 0:
            start -= 1
            linked = await asyncio.to_thread(self._linker.link, turns[start].question)
            if _own_query(turns[start]) is not None or not self._dialogue.is_follow_up(linked):
                break
        previous: PreviousTurn | None = None
        for number in range(start, len(turns)):
            previous = _own_query(turns[number]) or await self._replayed(turns[start : number + 1], previous)
        return previous

    async def _replayed(self, turns: tuple[Turn, ...], previous: PreviousTurn | None) -> PreviousTurn | None:
        """Return the query of the last turn by answering its question; the one before where it has none."""
        key = repr([(each.question, each.cypher, each.is_trusted, dict(each.parameters)) for each in turns])
        if key not in self._replays:
            options = AskOptions(include_graph=False)
            answer = await self._answers.answer_turn(turns[-1].question, options, no_op_callback, previous)
            found = None
            if answer.cypher is not None and answer.status in {"answered", "empty", "ambiguous"}:
                taken = next((each for each in answer.choices if each.cypher == turns[-1].cypher), None)
                found = PreviousTurn(
                    question=answer.question,
                    cypher=taken.cypher if taken else answer.cypher,
                    parameters=taken.parameters if taken else answer.parameters,
                    choices=() if taken else answer.choices,
                )
            self._replays[key] = found or previous
        return self._replays[key]

    async def answer(
        self, question: str, options: AskOptions, listener: ProgressCallback, previous: PreviousTurn
    ) -> Answer | None:
        """Answer a question by the query of the turn before, or return None if it is one of its own."""
        taken = pick(question, previous.choices)
        if taken is not None:
            choice = previous.choices[taken]
            return await self._answers.run_again(
                question, (choice.cypher, choice.parameters), previous, options, listener
            )
        linked = await asyncio.to_thread(self._linker.link, question)
        if not self._dialogue.is_follow_up(linked):
            return None
        rewriting = self._dialogue.rewrite(linked, previous)
        if rewriting is not None:
            answer = await self._answers.run_again(
                question, (rewriting.cypher, rewriting.parameters), previous, options, listener, linked
            )
            if answer.status not in {"refused", "failed"}:
                return answer
        composed = await self._answers.ask_model(
            compose(previous.question, question), replace(options, choice=1)
        )
        if _is_sure(composed) and _has_values(composed, previous, linked):
            return composed.model_copy(
                update={"question": question, "follow_up_of": previous.question, "linked_values": ()}
            )
        own = await self._answers.ask_model(question, options, listener)
        if not self._dialogue.refers_back(linked) or _is_sure(own):
            return own
        return own.model_copy(
            update={
                "status": "unanswerable",
                "answer": UNRELATED.format(question=previous.question),
                "follow_up_of": previous.question,
                "rows": (),
                "columns": (),
                "choices": (),
                "graph": GraphView(),
                "warnings": (),
                "diagnosis": None,
                "interpretation": None,
            }
        )


def _own_query(turn: Turn) -> PreviousTurn | None:
    """Return a turn whose query may be changed and run, as it was sent."""
    if turn.cypher is None or not turn.is_trusted:
        return None
    return PreviousTurn(question=turn.question, cypher=turn.cypher, parameters=turn.parameters)


def _is_sure(answer: Answer) -> bool:
    """Return whether an answer is likely enough to be given to a question that refers to another one."""
    confidence = answer.confidence
    return (
        answer.status in {"answered", "empty"}
        and confidence is not None
        and confidence.score >= COMPOSED_CONFIDENCE
        and not confidence.differences
    )


def _has_values(answer: Answer, previous: PreviousTurn, linked: LinkedQuestion) -> bool:
    """Return whether a query has every value of the one before and every one that the follow-up names."""
    held = {str(each) for each in answer.parameters.values()}
    named = [{str(each.value), *(str(place.value) for place in each.occurrences)} for each in linked.links]
    return all(str(each) in held for each in previous.parameters.values()) and all(
        each & held for each in named
    )
