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
from t2c_service.answering.attempts.confidence import AttemptResult, compute_confidence, select_attempt
from t2c_service.answering.attempts.guarded_graph import GuardedGraph
from t2c_service.answering.attempts.runner import AttemptRunner, ExecutionBudget
from t2c_service.answering.explaining.answer_builder import AnswerContext, build_answer
from t2c_service.answering.explaining.diagnosis import DiagnosisBudget, diagnose
from t2c_service.answering.explaining.provenance_graph import ResultGraphBuilder
from t2c_service.answering.progress_events import (
    ProgressEvent,
    StageTimer,
    no_op_callback,
    set_span_attributes,
)
from t2c_service.answering.prompting.builder import PromptBuilder, PromptContext
from t2c_service.answering.records import Answer, LinkedValue
from t2c_service.answering.verified.catalogue import VerifiedQueries
from t2c_service.errors import DeadlineError
from t2c_service.observability import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient
    from t2c_core.prompt import PromptFormat
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.examples import ExampleSelector, MentionLinker
    from t2c_service.answering.verified.catalogue import VerifiedMatch
    from t2c_service.models.protocol import CypherModel
    from t2c_service.settings import LimitSettings


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """Options of one question, bounded by the service's limits."""

    max_rows: int | None = None
    timeout_s: float | None = None
    samples: int | None = None
    dry_run: bool = False
    include_plan: bool = False
    include_graph: bool = True


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

    async def answer(
        self, question: str, options: AskOptions | None = None, listener: ProgressCallback = no_op_callback
    ) -> Answer:
        """Answer one question.

        Args:
            question: text in natural language, not empty.
            options: options of this question.
            listener: callback that receives each progress event.

        Raises:
            ModelUnavailableError, GraphUnavailableError: a dependency is down.
            OverloadedError: the model's queue is full.
            DeadlineError: the time limit `request_timeout_s` was exceeded.
        """
        return await self._within_deadline(self._answer(question, options or AskOptions(), listener))

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

    async def _answer(self, question: str, options: AskOptions, listener: ProgressCallback) -> Answer:
        verified = await asyncio.to_thread(self._parts.verified.match, question)
        if verified is not None:
            return await self._answer_verified(question, verified, options, listener)
        timer = StageTimer()
        with timer("total"):
            with timer("link"):
                linked = await asyncio.to_thread(self._parts.linker.link, question)
                set_span_attributes(links=len(linked.links))
            links = tuple(map(LinkedValue.of, linked.links))
            listener(
                ProgressEvent("linked", {"linked_values": [each.model_dump(mode="json") for each in links]})
            )
            with timer("prompt"):
                prompt = await self._build_prompt(linked, listener)
            chosen, attempts, samples = await self._generate(prompt, options, listener)
            match = prompt.match(chosen.attempt)
            context = AnswerContext(
                question=question,
                links=links,
                chosen=chosen,
                attempts=tuple(attempts),
                confidence=compute_confidence(
                    chosen,
                    samples if chosen in samples else [chosen],
                    None if prompt.has_dialogue else match,
                ),
                match=match,
                min_confidence=self._limits.min_confidence,
            )
            return await self._finish(context, options, timer, listener)

    async def _run(self, cypher: str, parameters: dict[str, Any], options: AskOptions) -> Answer:
        timer = StageTimer()
        with timer("total"):
            attempt = await self._runner.run(cypher, parameters, self._budget(options), no_op_callback)
            context = AnswerContext(
                question="", links=(), chosen=attempt, attempts=(attempt,), origin="caller"
            )
            return await self._finish(context, options, timer, no_op_callback)

    async def _answer_verified(
        self, question: str, found: VerifiedMatch, options: AskOptions, listener: ProgressCallback
    ) -> Answer:
        timer = StageTimer()
        with timer("total"):
            links = [each.model_dump(mode="json") for each in found.links]
            listener(ProgressEvent("linked", {"linked_values": links}))
            attempt = await self._runner.run(
                found.query.cypher, found.parameters, self._budget(options), listener
            )
            context = AnswerContext(
                question=question,
                links=found.links,
                chosen=attempt,
                attempts=(attempt,),
                origin="verified",
                verified_query=found.query.name,
            )
            return await self._finish(context, options, timer, listener)

    async def _build_prompt(self, linked: LinkedQuestion, listener: ProgressCallback) -> PromptContext:
        if self._prompts.is_quick:
            return self._prompts.prepare(linked)
        prompt = await asyncio.to_thread(self._prompts.prepare, linked)
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
