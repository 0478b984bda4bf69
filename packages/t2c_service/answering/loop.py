"""From a question to an answer: link, prompt, model, guard, EXPLAIN, run; one more hypothesis when a query cannot run.

Every attempt is kept. Nothing here knows HTTP, and nothing runs that the guard has not let through.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.errors import GraphError, GraphTimeoutError, QueryError, RefusedError
from t2c_core.graph.client import Limits
from t2c_core.guard.limits import MAX_CHARS
from t2c_core.guard.policy import Policy
from t2c_core.prompt import ChatFormat
from t2c_service.answering import answer as wording
from t2c_service.answering.guarded import GuardedGraph
from t2c_service.answering.neighbourhood import MAX_MATCHES, MAX_VALUES, behind, plain_properties
from t2c_service.answering.records import Answer, Attempt, GraphView, LinkedValue, Status
from t2c_service.errors import CompletionError, DeadlineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.graph.client import GraphClient, QueryResult
    from t2c_core.prompt import PromptFormat
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.link import LinkedQuestion, Linker
    from t2c_service.models import Completion, CypherModel, Prompt
    from t2c_service.settings import LimitSettings

VIEW_TIMEOUT_S = 2.0
"""Longest extra query for the graph view."""
VIEW_CELL_CHARS = 200
FEEDBACK = "That query cannot be used: {reason}\nReply with a corrected query alone."
FEEDBACK_CHARS = 500


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """What one question may ask for, within the service's limits."""

    max_rows: int | None = None
    timeout_s: float | None = None
    graph: bool = True


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What answering needs."""

    schema: GraphSchema
    linker: Linker
    prompt: PromptFormat
    model: CypherModel
    graph: GraphClient
    policy: Policy = field(default_factory=Policy)


@dataclass
class Stopwatch:
    """Milliseconds by stage; a stage that happens again adds up."""

    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage from entry to exit."""
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed_ms = (time.perf_counter() - started) * 1000
            self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + elapsed_ms, 3)

    def move(self, stage: str, other: str, elapsed_ms: float) -> None:
        """Count a part of a stage's time, if there is any, as that of another."""
        part = min(max(elapsed_ms, 0.0), self.timings_ms[stage])
        self.timings_ms[stage] = round(self.timings_ms[stage] - part, 3)
        self.timings_ms[other] = round(self.timings_ms.get(other, 0.0) + part, 3)


class Answerer:
    """Answers questions about one graph; safe for many questions at once.

    Args:
        parts: linker, prompt format, model, graph and its schema.
        limits: what one question may cost.
        model_timeout_s: longest wait for one completion.
    """

    def __init__(self, parts: Parts, limits: LimitSettings, *, model_timeout_s: float) -> None:
        self._parts = parts
        self._limits = limits
        self._model_timeout_s = model_timeout_s
        self._plain = plain_properties(parts.schema)
        self._guarded = GuardedGraph(parts.graph, parts.schema, parts.policy)

    async def answer(self, question: str, options: AskOptions | None = None) -> Answer:
        """Answer one question.

        Args:
            question: in plain language, not empty.
            options: what to do differently for this one.

        Raises:
            ModelUnavailableError, GraphUnavailableError: a dependency is down; nothing is wrong with the question.
            OverloadedError: too many questions wait for the model.
            DeadlineError: the question took longer than `request_s`.
        """
        try:
            async with asyncio.timeout(self._limits.request_s):
                return await self._answer(question, options or AskOptions())
        except TimeoutError as error:
            raise DeadlineError(f"no answer within {self._limits.request_s:.3g} s") from error

    async def _answer(self, question: str, options: AskOptions) -> Answer:
        watch = Stopwatch()
        with watch("total"):
            with watch("link"):
                linked = await asyncio.to_thread(self._parts.linker.link, question)
            limits = self._run_limits(options)
            attempts: list[Attempt] = []
            result: QueryResult | None = None
            while len(attempts) < self._limits.attempts:
                attempt, result = await self._attempt(linked, attempts, limits)
                attempts.append(attempt)
                if attempt.outcome in {"ran", "unanswerable"}:
                    break
            for stage in ("wait", "model", "explain", "run"):
                watch.timings_ms[stage] = round(sum(each.timings_ms.get(stage, 0.0) for each in attempts), 3)
            view = GraphView()
            if result is not None and result.rows and options.graph:
                with watch("graph"):
                    view = await self._view(attempts[-1], result)
        return self._told(linked, attempts, result, view, watch.timings_ms)

    def _run_limits(self, options: AskOptions) -> Limits:
        ours = self._limits
        return Limits(
            timeout_s=min(options.timeout_s or ours.timeout_s, ours.timeout_s),
            max_rows=min(options.max_rows or ours.max_rows, ours.max_rows),
            max_bytes=ours.max_bytes,
            max_cell_chars=ours.max_cell_chars,
        )

    async def _attempt(
        self, linked: LinkedQuestion, earlier: list[Attempt], limits: Limits
    ) -> tuple[Attempt, QueryResult | None]:
        watch = Stopwatch()
        made: dict[str, Any] = {"hypothesis": len(earlier), "timings_ms": watch.timings_ms}
        try:
            with watch("model"):
                completion = await self._completion(linked, earlier)
            watch.move("model", "wait", watch.timings_ms["model"] - completion.elapsed_ms)
            made |= {"tokens": completion.tokens, "mean_logprob": completion.mean_logprob}
            generated = self._parts.prompt.parse(completion.text, linked)
            if generated.unanswerable:
                return Attempt(outcome="unanswerable", **made), None
            made |= {"cypher": generated.cypher, "parameters": generated.parameters}
            with watch("explain"):
                passed = await self._guarded.check(generated.cypher, generated.parameters)
            made |= {"cypher": passed.cypher, "parameters": dict(passed.parameters)}
            with watch("run"):
                result = await self._guarded.run(passed, limits)
        except RefusedError as error:
            return Attempt(outcome="refused", codes=error.codes, message=str(error), **made), None
        except CompletionError as error:
            return Attempt(outcome="failed", codes=("completion",), message=str(error), **made), None
        except QueryError as error:
            return Attempt(outcome="failed", codes=(error.code or "query",), message=str(error), **made), None
        except GraphTimeoutError as error:
            return Attempt(outcome="failed", codes=("timeout",), message=str(error), **made), None
        return Attempt(outcome="ran", **made), result

    async def _completion(self, linked: LinkedQuestion, earlier: list[Attempt]) -> Completion:
        prompt, hypothesis = self._prompt(linked, earlier)
        completion = await self._parts.model.complete(
            prompt, hypothesis=hypothesis, timeout_s=self._model_timeout_s
        )
        if len(completion.text) > MAX_CHARS:
            raise CompletionError(
                f"the model wrote {len(completion.text)} characters, more than any query has"
            )
        return completion

    def _prompt(self, linked: LinkedQuestion, earlier: list[Attempt]) -> tuple[Prompt, int]:
        """Write the prompt and choose the hypothesis; chat models are told what was wrong instead."""
        if not isinstance(self._parts.prompt, ChatFormat):
            return self._parts.prompt.render(linked), len(earlier)
        messages = self._parts.prompt.messages(linked)
        for attempt in earlier:
            if attempt.cypher:
                feedback = FEEDBACK.format(reason=attempt.message[:FEEDBACK_CHARS])
                messages += [
                    {"role": "assistant", "content": attempt.cypher},
                    {"role": "user", "content": feedback},
                ]
        silent = sum(not attempt.cypher for attempt in earlier)
        return messages, silent

    async def _view(self, attempt: Attempt, result: QueryResult) -> GraphView:
        """Show the nodes among the results, or else the pattern behind them; a view that fails is an empty one."""
        if result.graph.nodes:
            return GraphView.of(result, sampled=result.truncated)
        query = behind(
            attempt.cypher or "", attempt.parameters, result.columns, result.rows, plain=self._plain
        )
        if query is None:
            return GraphView()
        limits = Limits(
            timeout_s=min(VIEW_TIMEOUT_S, self._limits.timeout_s),
            max_rows=MAX_MATCHES,
            max_bytes=self._limits.max_bytes,
            max_cell_chars=VIEW_CELL_CHARS,
        )
        try:
            passed = await self._guarded.check(query.cypher, query.parameters)
            found = await self._guarded.run(passed, limits)
        except (RefusedError, GraphError):
            return GraphView()
        sampled = query.is_sample(found.rows) or len(result.rows) > MAX_VALUES
        return GraphView.of(found, sampled=sampled)

    def _told(
        self,
        linked: LinkedQuestion,
        attempts: list[Attempt],
        result: QueryResult | None,
        view: GraphView,
        timings_ms: dict[str, float],
    ) -> Answer:
        last = attempts[-1]
        status = _status(attempts, result)
        return Answer(
            question=linked.question,
            status=status,
            answer=_text(status, result),
            cypher=last.cypher,
            parameters=last.parameters,
            columns=tuple(result.columns) if result else (),
            rows=tuple(tuple(row) for row in result.rows) if result else (),
            truncated=bool(result and result.truncated),
            graph=view,
            linked_values=tuple(map(LinkedValue.of, linked.links)),
            attempts=tuple(attempts),
            warnings=tuple(_warnings(attempts, result)),
            timings_ms=timings_ms,
            model=self._parts.model.name,
            schema_version=self._parts.schema.version,
        )


def _status(attempts: list[Attempt], result: QueryResult | None) -> Status:
    if result is not None:
        return "answered" if result.rows else "empty"
    if attempts[-1].outcome == "unanswerable":
        return "unanswerable"
    return "refused" if any(attempt.outcome == "refused" for attempt in attempts) else "failed"


def _text(status: Status, result: QueryResult | None) -> str:
    if result is not None:
        return wording.phrase(result.columns, result.rows, truncated=result.truncated)
    return {
        "unanswerable": wording.UNANSWERABLE,
        "refused": wording.REFUSED,
        "failed": wording.FAILED,
    }[status]


def _warnings(attempts: list[Attempt], result: QueryResult | None) -> Iterator[str]:
    if result is not None and len(attempts) > 1:
        yield f"The first query could not be used ({attempts[0].message}); this is attempt {len(attempts)}."
    if result is not None and result.truncated:
        yield "The result was longer than the limits allow and was cut."
