"""The answering loop: link values, build the prompt, generate, guard, EXPLAIN, run; retry with feedback."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.parser import parse
from t2c_core.graph.client import QueryLimits
from t2c_core.guard.policy.policy import Policy
from t2c_core.interpretation.readback import read_back
from t2c_core.interpretation.words import Words
from t2c_service.answering.attempts.ambiguity import may_be_ambiguous, other_reading
from t2c_service.answering.attempts.confidence import (
    AttemptResult,
    compute_confidence,
    probability_of,
    select_attempt,
)
from t2c_service.answering.attempts.guarded_graph import GuardedGraph
from t2c_service.answering.attempts.runner import AttemptRunner, ExecutionBudget
from t2c_service.answering.conversation.dialogue import Dialogue
from t2c_service.answering.conversation.turns import MAX_TURNS
from t2c_service.answering.explaining.answer_builder import AnswerContext, build_answer
from t2c_service.answering.explaining.diagnosis import DiagnosisBudget, diagnose
from t2c_service.answering.explaining.provenance_graph import ResultGraphBuilder
from t2c_service.answering.follow_ups import FollowUps
from t2c_service.answering.options import AskOptions
from t2c_service.answering.progress_events import (
    ProgressEvent,
    StageTimer,
    no_op_callback,
    set_span_attributes,
)
from t2c_service.answering.prompting.builder import PromptBuilder, PromptContext
from t2c_service.answering.records import Answer, Choice, Confidence, LinkedValue
from t2c_service.answering.verified.catalogue import VerifiedQueries
from t2c_service.errors import DeadlineError
from t2c_service.observability import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from t2c_core.graph.client import GraphClient
    from t2c_core.prompt import PromptFormat
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.conversation.dialogue import PreviousTurn
    from t2c_service.answering.conversation.turns import Turn
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.examples import ExampleSelector, MentionLinker
    from t2c_service.answering.verified.catalogue import VerifiedMatch
    from t2c_service.models.protocol import CypherModel
    from t2c_service.settings import LimitSettings


REWRITING_CONFIDENCE = 0.9
"""Confidence of an answer to a follow-up: the share right on the dialogues of `benchmarks/questions`."""


@dataclass(frozen=True, kw_only=True)
class AnswererDependencies:
    """Schema, linker, prompt format, model and graph of one database."""

    schema: GraphSchema
    linker: MentionLinker
    prompt: PromptFormat
    model: CypherModel
    graph: GraphClient
    policy: Policy = field(default_factory=Policy)
    words: Words = field(default_factory=Words)
    """Nouns and phrases with which an answer says what its query asks for."""
    similar: ExampleSelector | None = None
    verified: VerifiedQueries = field(default_factory=VerifiedQueries)
    """Queries that answer questions with their wordings before the model is asked."""
    database: str = ""
    is_constrained: bool = False
    """Whether completions are constrained to a grammar."""
    allow_repairs: bool = True
    """Whether queries that the guard repaired are run."""


class Answerer:
    """Answer questions about one graph under one policy; may be used concurrently.

    Args:
        parts: dependencies of this database.
        limits: limits per question.
        model_timeout_s: maximum seconds to wait for one completion.
    """

    def __init__(self, parts: AnswererDependencies, limits: LimitSettings, *, model_timeout_s: float) -> None:
        self._parts = parts
        self._limits = limits
        self._model_timeout_s = model_timeout_s
        self._guarded = GuardedGraph(
            parts.graph, parts.schema, parts.policy, allow_repairs=parts.allow_repairs
        )
        self._runner = AttemptRunner(parts.model, self._guarded)
        self._graph_builder = ResultGraphBuilder(self._guarded, parts.schema, limits)
        self._diagnosis_budget = DiagnosisBudget(
            queries=limits.max_diagnosis_queries, seconds=limits.max_diagnosis_s
        )
        self._prompts = PromptBuilder(
            parts.schema,
            parts.prompt,
            similar=parts.similar,
            words=parts.words,
            schema_chars=limits.max_schema_chars,
            is_constrained=parts.is_constrained,
        )
        self._follow_ups: FollowUps | None = None
        """Changes of the query before; a chat model has the earlier turns in its prompt instead."""
        if self._prompts.is_quick:
            self._follow_ups = FollowUps(Dialogue(parts.schema, parts.words), parts.linker, self)

    async def answer(
        self,
        question: str,
        options: AskOptions | None = None,
        listener: ProgressCallback = no_op_callback,
        conversation: Sequence[Turn] = (),
    ) -> Answer:
        """Answer one question.

        Args:
            question: text in natural language, not empty.
            options: options of this question.
            listener: callback that receives each progress event.
            conversation: earlier turns, the latest last.

        Raises:
            ModelUnavailableError, GraphUnavailableError: a dependency is down.
            OverloadedError: the model's queue is full.
            DeadlineError: the time limit `request_timeout_s` was exceeded.
        """
        turns = tuple(conversation[-MAX_TURNS:])
        return await self._within_deadline(self._converse(question, options or AskOptions(), listener, turns))

    async def run(self, cypher: str, parameters: dict[str, Any], options: AskOptions | None = None) -> Answer:
        """Run a query of the caller through the same guard.

        Args:
            cypher: query text.
            parameters: parameter values by name.
            options: options of this query.

        Raises:
            GraphUnavailableError: the graph is down.
            DeadlineError: the time limit `request_timeout_s` was exceeded.
        """
        return await self._within_deadline(self._run(cypher, parameters, options or AskOptions()))

    async def run_verified(
        self, name: str, arguments: Mapping[str, Any], options: AskOptions | None = None
    ) -> Answer:
        """Run a verified query.

        Args:
            name: name of the query.
            arguments: values by parameter name.
            options: options of this query.

        Raises:
            UnknownQueryError, QuestionError: there is no such query, or a value is invalid.
            GraphUnavailableError: the graph is down.
            DeadlineError: the time limit `request_timeout_s` was exceeded.
        """
        found = self._parts.verified.bind(name, arguments)
        return await self._within_deadline(
            self._answer_verified("", found, options or AskOptions(), no_op_callback)
        )

    def allows(self, cypher: str, parameters: Mapping[str, Any]) -> bool:
        """Return whether the guard allows a query; the server is not asked."""
        return self._guarded.allows(cypher, parameters)

    async def check(self, cypher: str, parameters: Mapping[str, Any]) -> str:
        """Return a query as the guard and the planner allow it, repaired if needed; it is not run.

        Raises:
            QueryRejectedError: the query must not run.
            QueryError: the server rejects it.
            GraphUnavailableError: the graph is down.
        """
        return (await self._guarded.check(cypher, parameters)).cypher

    async def _within_deadline(self, work: Any) -> Answer:
        try:
            async with asyncio.timeout(self._limits.request_timeout_s):
                answer: Answer = await work
                return answer
        except TimeoutError as error:
            raise DeadlineError(f"no answer within {self._limits.request_timeout_s:.3g} s") from error

    async def _converse(
        self, question: str, options: AskOptions, listener: ProgressCallback, turns: tuple[Turn, ...]
    ) -> Answer:
        """Answer a question with the turns before it: by a change of their query, or in the prompt of a chat model."""
        previous = None if self._follow_ups is None else await self._follow_ups.previous(turns)
        return await self.answer_turn(question, options, listener, previous, turns)

    async def answer_turn(
        self,
        question: str,
        options: AskOptions,
        listener: ProgressCallback,
        previous: PreviousTurn | None = None,
        turns: tuple[Turn, ...] = (),
    ) -> Answer:
        """Answer a question by a verified query, by a change of the query before, or by the model."""
        verified = await asyncio.to_thread(self._parts.verified.match, question)
        if verified is not None:
            return await self._answer_verified(question, verified, options, listener)
        if previous is not None and self._follow_ups is not None:
            answer = await self._follow_ups.answer(question, options, listener, previous)
            if answer is not None:
                return answer
        return await self.ask_model(question, options, listener, turns)

    async def ask_model(
        self,
        question: str,
        options: AskOptions,
        listener: ProgressCallback = no_op_callback,
        turns: tuple[Turn, ...] = (),
    ) -> Answer:
        """Answer a question by the queries of the model."""
        timer = StageTimer()
        with timer("total"):
            with timer("link"):
                linked = await asyncio.to_thread(self._parts.linker.link, question)
                set_span_attributes(links=len(linked.links))
            links = tuple(map(LinkedValue.of, linked.links))
            _report_links(links, listener)
            with timer("prompt"):
                prompt = await self._build_prompt(linked, listener, turns)
            chosen, attempts, samples = await self._generate(prompt, options, listener)
            chosen, choices = await self._choose_reading(prompt, chosen, attempts, options, listener)
            match = prompt.match(chosen.attempt)
            context = AnswerContext(
                question=question,
                links=links,
                chosen=chosen,
                attempts=tuple(attempts),
                choices=choices,
                confidence=compute_confidence(
                    chosen,
                    samples if chosen in samples else [chosen],
                    None if prompt.has_dialogue else match,
                ),
                match=match,
                min_confidence=self._limits.min_confidence,
            )
            return await self._finish(context, options, timer, listener)

    async def _choose_reading(
        self,
        prompt: PromptContext,
        chosen: AttemptResult,
        attempts: list[AttemptResult],
        options: AskOptions,
        listener: ProgressCallback,
    ) -> tuple[AttemptResult, tuple[Choice, ...]]:
        """Return the attempt to answer with, and the readings to choose from if the question has two."""
        if prompt.has_dialogue or not may_be_ambiguous(chosen, prompt.match):
            return chosen, ()
        if len(attempts) == 1:
            request = prompt.retry_request([each.attempt for each in attempts], [])
            attempts.append(await self._runner.run_attempt(request, self._budget(options), listener))
            chosen = select_attempt(attempts, prompt.match)
            if not may_be_ambiguous(chosen, prompt.match):
                return chosen, ()
        other = other_reading(chosen, attempts, prompt.match)
        if other is None:
            return chosen, ()
        readings = [chosen, other]
        if options.choice is not None:
            return readings[min(options.choice, len(readings)) - 1], ()
        return chosen, tuple(map(self._choice, readings))

    def _choice(self, reading: AttemptResult) -> Choice:
        attempt = reading.attempt
        return Choice(
            interpretation=self._interpretation(reading) or attempt.cypher or "",
            cypher=attempt.cypher or "",
            parameters=attempt.parameters,
            probability=round(probability_of(attempt), 4),
        )

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
        links = tuple(map(LinkedValue.of, linked.links)) if linked else ()

        def context(attempt: AttemptResult) -> AnswerContext:
            return AnswerContext(
                question=question,
                links=links,
                chosen=attempt,
                attempts=(attempt,),
                origin="follow_up",
                follow_up_of=previous.question,
                confidence=Confidence(score=REWRITING_CONFIDENCE) if attempt.is_usable else None,
            )

        return await self._answer_by(query, links, context, options, listener)

    async def _run(self, cypher: str, parameters: dict[str, Any], options: AskOptions) -> Answer:
        def context(attempt: AttemptResult) -> AnswerContext:
            return AnswerContext(question="", links=(), chosen=attempt, attempts=(attempt,), origin="caller")

        return await self._answer_by((cypher, parameters), (), context, options, no_op_callback)

    async def _answer_verified(
        self, question: str, found: VerifiedMatch, options: AskOptions, listener: ProgressCallback
    ) -> Answer:
        def context(attempt: AttemptResult) -> AnswerContext:
            return AnswerContext(
                question=question,
                links=found.links,
                chosen=attempt,
                attempts=(attempt,),
                origin="verified",
                verified_query=found.query.name,
            )

        query = (found.query.cypher, found.parameters)
        return await self._answer_by(query, found.links, context, options, listener)

    async def _answer_by(
        self,
        query: tuple[str, Mapping[str, Any]],
        links: tuple[LinkedValue, ...],
        context: Callable[[AttemptResult], AnswerContext],
        options: AskOptions,
        listener: ProgressCallback,
    ) -> Answer:
        """Answer with a query that the model did not write."""
        timer = StageTimer()
        with timer("total"):
            _report_links(links, listener)
            attempt = await self._runner.run(query[0], dict(query[1]), self._budget(options), listener)
            return await self._finish(context(attempt), options, timer, listener)

    async def _build_prompt(
        self, linked: LinkedQuestion, listener: ProgressCallback, turns: tuple[Turn, ...]
    ) -> PromptContext:
        if self._prompts.is_quick:
            return self._prompts.prepare(linked)
        prompt = await asyncio.to_thread(self._prompts.prepare, linked, turns)
        if prompt.has_dialogue:
            labels = [label.name for label in prompt.schema.labels]
            examples = [example.question for example, _ in prompt.examples]
            listener(ProgressEvent("prompted", {"labels": labels, "examples": examples}))
        return prompt

    async def _generate(
        self, prompt: PromptContext, options: AskOptions, listener: ProgressCallback
    ) -> tuple[AttemptResult, list[AttemptResult], list[AttemptResult]]:
        """Run all samples, then one attempt per round until one is acceptable.

        Returns:
            The attempt to answer with, all attempts, and the samples that are compared with one another.
        """
        budget = self._budget(options)
        count = min(max(1, options.samples or self._limits.default_samples), self._limits.max_samples)
        tasks = [
            asyncio.create_task(self._runner.run_attempt(request, budget, listener))
            for request in prompt.initial_requests(count)
        ]
        try:
            samples = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        attempts = list(samples)
        corrected: list[AttemptResult] = []
        best = select_attempt(attempts, prompt.match)
        while len(corrected) + 1 < self._limits.max_attempts and not self._is_acceptable(best, prompt):
            corrected.append(attempts[-1] if corrected else best)
            request = prompt.retry_request(
                [each.attempt for each in attempts], [each.attempt for each in corrected]
            )
            attempts.append(await self._runner.run_attempt(request, budget, listener))
            best = select_attempt(attempts, prompt.match)
        return best, attempts, samples

    def _is_acceptable(self, result: AttemptResult, prompt: PromptContext) -> bool:
        if result.is_empty:
            return not (self._limits.retry_empty and prompt.has_dialogue)
        return result.is_usable and not prompt.match(result.attempt)

    async def _finish(
        self, context: AnswerContext, options: AskOptions, timer: StageTimer, listener: ProgressCallback
    ) -> Answer:
        """Diagnose an empty result, build the graph of one that is not, and build the answer."""
        chosen = context.chosen
        for stage in ("wait", "model", "explain", "run"):
            spent = sum(each.attempt.timings_ms.get(stage, 0.0) for each in context.attempts)
            timer.timings_ms[stage] = round(spent, 3)
        view = diagnosis = None
        if chosen.is_empty and chosen.approved is not None:
            with timer("diagnose"):
                diagnosis = await diagnose(self._guarded, chosen.approved, self._diagnosis_budget)
            if diagnosis is not None:
                listener(ProgressEvent("diagnosed", diagnosis.model_dump(mode="json")))
        if context.result is not None and context.result.rows and options.include_graph:
            with timer("graph"):
                view = await self._graph_builder.build(chosen)
        answer = build_answer(
            replace(
                context,
                interpretation=self._interpretation(chosen),
                view=view,
                diagnosis=diagnosis,
                include_plan=options.include_plan or options.dry_run,
            )
        )
        set_span_attributes(status=answer.status, attempts=len(context.attempts), request_id=REQUEST_ID.get())
        return answer.model_copy(
            update={
                "database": self._parts.database,
                "timings_ms": timer.timings_ms,
                "model": self._parts.model.name if context.origin == "model" else "",
                "schema_version": self._parts.schema.version,
            }
        )

    def _interpretation(self, chosen: AttemptResult) -> str | None:
        """Return what an approved query asks for, in words."""
        attempt = chosen.attempt
        if chosen.approved is None or attempt.cypher is None:
            return None
        query = parse(attempt.cypher)
        return read_back(
            query, schema=self._parts.schema, words=self._parts.words, parameters=attempt.parameters
        )

    def _budget(self, options: AskOptions) -> ExecutionBudget:
        limits = self._limits
        max_rows = min(limits.max_rows, self._parts.policy.max_rows)
        return ExecutionBudget(
            limits=QueryLimits(
                timeout_s=min(options.timeout_s or limits.timeout_s, limits.timeout_s),
                max_rows=min(options.max_rows or max_rows, max_rows),
                max_bytes=limits.max_bytes,
                max_cell_chars=limits.max_cell_chars,
            ),
            model_timeout_s=self._model_timeout_s,
            dry_run=options.dry_run,
        )


def _report_links(links: tuple[LinkedValue, ...], listener: ProgressCallback) -> None:
    listener(ProgressEvent("linked", {"linked_values": [each.model_dump(mode="json") for each in links]}))
