"""From a question to an answer: link, prompt, model, guard, EXPLAIN, run; again with feedback where that did not do.

Every attempt is kept. Nothing here knows HTTP, and nothing runs that the guard has not let through.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from t2c_core.graph.client import QueryLimits
from t2c_core.guard.policy.policy import Policy
from t2c_service.answering.attempts.confidence import AttemptResult, compute_confidence, select_by_majority
from t2c_service.answering.attempts.guarded_graph import GuardedGraph
from t2c_service.answering.attempts.runner import AttemptRunner, ExecutionBudget
from t2c_service.answering.explaining.answer_builder import AnswerContext, build_answer
from t2c_service.answering.explaining.diagnosis import DiagnosisBudget, diagnose
from t2c_service.answering.explaining.result_graph import ResultGraphBuilder
from t2c_service.answering.progress_events import (
    ProgressEvent,
    StageTimer,
    no_op_callback,
    set_span_attributes,
)
from t2c_service.answering.prompting.builder import PromptBuilder, PromptContext
from t2c_service.answering.records import Answer, LinkedValue
from t2c_service.errors import DeadlineError
from t2c_service.observability import REQUEST_ID

if TYPE_CHECKING:
    from t2c_core.graph.client import GraphClient
    from t2c_core.prompt import PromptFormat
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.access.schema_filter import MentionLinker
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.examples import ExampleSelector
    from t2c_service.models import CypherModel
    from t2c_service.settings import LimitSettings


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """What one question may ask for, within the service's limits."""

    max_rows: int | None = None
    timeout_s: float | None = None
    samples: int | None = None
    dry_run: bool = False
    explain: bool = False
    graph: bool = True


@dataclass(frozen=True, kw_only=True)
class AnswererDependencies:
    """What answering needs."""

    schema: GraphSchema
    linker: MentionLinker
    prompt: PromptFormat
    model: CypherModel
    graph: GraphClient
    policy: Policy = field(default_factory=Policy)
    similar: ExampleSelector | None = None
    database: str = ""
    is_constrained: bool = False
    """Whether completions are kept within a grammar."""
    allow_repairs: bool = True
    """Whether a query that the guard had to mend is run."""


class Answerer:
    """Answers questions about one graph under one policy; safe for many questions at once.

    Args:
        parts: linker, prompt format, model, graph and its schema.
        limits: what one question may cost.
        model_timeout_s: longest wait for one completion.
    """

    def __init__(self, parts: AnswererDependencies, limits: LimitSettings, *, model_timeout_s: float) -> None:
        self._parts = parts
        self._limits = limits
        self._model_timeout_s = model_timeout_s
        self._guarded = GuardedGraph(parts.graph, parts.schema, parts.policy, is_mended=parts.allow_repairs)
        self._attempter = AttemptRunner(parts.model, self._guarded)
        self._views = ResultGraphBuilder(self._guarded, parts.schema, limits)
        self._diagnosis_budget = DiagnosisBudget(queries=limits.diagnosis_queries, seconds=limits.diagnosis_s)
        self._prompter = PromptBuilder(
            parts.schema,
            parts.prompt,
            similar=parts.similar,
            schema_chars=limits.schema_chars,
            is_constrained=parts.is_constrained,
        )

    async def answer(
        self, question: str, options: AskOptions | None = None, listener: ProgressCallback = no_op_callback
    ) -> Answer:
        """Answer one question.

        Args:
            question: in plain language, not empty.
            options: what to do differently for this one.
            listener: told of each step as it is done.

        Raises:
            ModelUnavailableError, GraphUnavailableError: a dependency is down; nothing is wrong with the question.
            OverloadedError: too many questions wait for the model.
            DeadlineError: the question took longer than `request_s`.
        """
        return await self._within_time(self._answer(question, options or AskOptions(), listener))

    async def run(self, cypher: str, parameters: dict[str, Any], options: AskOptions | None = None) -> Answer:
        """Run a person's own query through the same guard.

        Args:
            cypher: to be guarded.
            parameters: its values by name.
            options: what to do differently for this one.

        Raises:
            GraphUnavailableError: the graph is down.
            DeadlineError: it took longer than `request_s`.
        """
        return await self._within_time(self._run(cypher, parameters, options or AskOptions()))

    async def _within_time(self, work: Any) -> Answer:
        try:
            async with asyncio.timeout(self._limits.request_s):
                answer: Answer = await work
                return answer
        except TimeoutError as error:
            raise DeadlineError(f"no answer within {self._limits.request_s:.3g} s") from error

    async def _answer(self, question: str, options: AskOptions, listener: ProgressCallback) -> Answer:
        watch = StageTimer()
        with watch("total"):
            with watch("link"):
                linked = await asyncio.to_thread(self._parts.linker.link, question)
                set_span_attributes(links=len(linked.links))
            links = tuple(map(LinkedValue.of, linked.links))
            listener(
                ProgressEvent("linked", {"linked_values": [each.model_dump(mode="json") for each in links]})
            )
            with watch("prompt"):
                prepared = await self._prepare(linked, listener)
            chosen, tried, samples = await self._try(prepared, options, listener)
            found = AnswerContext(
                question=question,
                links=links,
                chosen=chosen,
                tried=tuple(tried),
                confidence=compute_confidence(chosen, samples if chosen in samples else [chosen]),
                ignored=prepared.unused_mentions(chosen.attempt),
            )
            return await self._finish(found, options, watch, listener)

    async def _run(self, cypher: str, parameters: dict[str, Any], options: AskOptions) -> Answer:
        watch = StageTimer()
        with watch("total"):
            tried = await self._attempter.run(cypher, parameters, self._budget(options), no_op_callback)
            found = AnswerContext(question="", links=(), chosen=tried, tried=(tried,))
            return await self._finish(found, options, watch, no_op_callback)

    async def _prepare(self, linked: LinkedQuestion, listener: ProgressCallback) -> PromptContext:
        if self._prompter.is_quick:
            return self._prompter.prepare(linked)
        prepared = await asyncio.to_thread(self._prompter.prepare, linked)
        if prepared.has_dialogue:
            listener(
                ProgressEvent(
                    "prompted",
                    {
                        "labels": [label.name for label in prepared.schema.labels],
                        "examples": [example.question for example, _ in prepared.examples],
                    },
                )
            )
        return prepared

    async def _try(
        self, prepared: PromptContext, options: AskOptions, listener: ProgressCallback
    ) -> tuple[AttemptResult, list[AttemptResult], list[AttemptResult]]:
        """Try samples, then one attempt a round until one will do.

        Returns:
            The attempt to answer with, all attempts, and those of them that are compared with one another.
        """
        budget = self._budget(options)
        count = min(max(1, options.samples or self._limits.default_samples), self._limits.samples)
        first = prepared.initial_requests(count)
        tasks = [asyncio.create_task(self._attempter.run_attempt(each, budget, listener)) for each in first]
        try:
            samples = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        tried = list(samples)
        corrected: list[AttemptResult] = []
        best = select_by_majority(tried, prepared.unused_mentions)
        while len(corrected) + 1 < self._limits.attempts and not self._will_do(best, prepared):
            corrected.append(tried[-1] if corrected else best)
            asked = prepared.retry_request(
                [each.attempt for each in tried], [each.attempt for each in corrected]
            )
            tried.append(await self._attempter.run_attempt(asked, budget, listener))
            best = select_by_majority(tried, prepared.unused_mentions)
        return best, tried, samples

    def _will_do(self, tried: AttemptResult, prepared: PromptContext) -> bool:
        if tried.is_empty:
            return not (self._limits.retry_empty and prepared.has_dialogue)
        return tried.is_usable and not prepared.unused_mentions(tried.attempt)

    async def _finish(
        self, found: AnswerContext, options: AskOptions, watch: StageTimer, listener: ProgressCallback
    ) -> Answer:
        """Diagnose what is empty, show what is not, and tell it."""
        chosen = found.chosen
        for stage in ("wait", "model", "explain", "run"):
            spent = sum(each.attempt.timings_ms.get(stage, 0.0) for each in found.tried)
            watch.timings_ms[stage] = round(spent, 3)
        view = diagnosis = None
        if chosen.is_empty and chosen.passed is not None:
            with watch("diagnose"):
                diagnosis = await diagnose(self._guarded, chosen.passed, self._diagnosis_budget)
            if diagnosis is not None:
                listener(ProgressEvent("diagnosed", diagnosis.model_dump(mode="json")))
        if chosen.result is not None and chosen.result.rows and options.graph:
            with watch("graph"):
                view = await self._views.build(chosen)
        answer = build_answer(
            replace(
                found,
                view=view,
                diagnosis=diagnosis,
                include_plan=options.explain or options.dry_run,
                min_confidence=self._limits.min_confidence,
            )
        )
        set_span_attributes(status=answer.status, attempts=len(found.tried), request_id=REQUEST_ID.get())
        return answer.model_copy(
            update={
                "database": self._parts.database,
                "timings_ms": watch.timings_ms,
                "model": self._parts.model.name if found.question else "",
                "schema_version": self._parts.schema.version,
            }
        )

    def _budget(self, options: AskOptions) -> ExecutionBudget:
        ours = self._limits
        most = min(ours.max_rows, self._parts.policy.max_rows)
        return ExecutionBudget(
            limits=QueryLimits(
                timeout_s=min(options.timeout_s or ours.timeout_s, ours.timeout_s),
                max_rows=min(options.max_rows or most, most),
                max_bytes=ours.max_bytes,
                max_cell_chars=ours.max_cell_chars,
            ),
            model_timeout_s=self._model_timeout_s,
            dry_run=options.dry_run,
        )
