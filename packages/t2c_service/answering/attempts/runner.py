"""One attempt: generate a query, guard it, EXPLAIN it, run it, and record the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.lexer import MAX_CHARS
from t2c_core.errors import GraphTimeoutError, QueryError, QueryRejectedError
from t2c_service.answering.attempts.confidence import AttemptResult
from t2c_service.answering.progress_events import ProgressEvent, StageTimer, set_span_attributes
from t2c_service.answering.records import Attempt
from t2c_service.errors import CompletionError

if TYPE_CHECKING:
    from t2c_core.graph.client import QueryLimits
    from t2c_service.answering.attempts.guarded_graph import GuardedGraph
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.builder import GenerationRequest
    from t2c_service.models.protocol import Completion, CypherModel


@dataclass(frozen=True, kw_only=True)
class ExecutionBudget:
    """Limits of one attempt."""

    limits: QueryLimits
    model_timeout_s: float
    dry_run: bool = False


class AttemptRunner:
    """Run attempts on one graph.

    Args:
        model: generator of queries.
        guarded: graph that checks and runs them.
    """

    def __init__(self, model: CypherModel, guarded: GuardedGraph) -> None:
        self._model = model
        self._guarded = guarded

    async def run_attempt(
        self, request: GenerationRequest, budget: ExecutionBudget, listener: ProgressCallback
    ) -> AttemptResult:
        """Generate one query and run it.

        Args:
            request: prompt and hypothesis number.
            budget: limits of the attempt.
            listener: callback that receives each progress event.

        Raises:
            ModelError, OverloadedError, DeadlineError: the model returned no completion.
            GraphUnavailableError: the graph cannot be reached.
        """
        timer = StageTimer()
        fields: dict[str, Any] = {
            "hypothesis": request.number,
            "round": request.round,
            "feedback": request.feedback,
            "timings_ms": timer.timings_ms,
        }
        try:
            with timer("model"):
                completion = await self._complete(request, budget.model_timeout_s)
            timer.reattribute("model", "wait", timer.timings_ms["model"] - completion.elapsed_ms)
            fields |= {"tokens": completion.tokens, "mean_logprob": completion.mean_logprob}
            parsed = request.parse(completion.text)
        except CompletionError as error:
            attempt = Attempt(outcome="failed", codes=("completion",), message=str(error), **fields)
            return _report(AttemptResult(attempt), listener)
        if parsed.unanswerable:
            return _report(AttemptResult(Attempt(outcome="unanswerable", **fields)), listener)
        fields["repairs"] = parsed.repairs
        listener(ProgressEvent("generated", {"hypothesis": request.number, "cypher": parsed.cypher}))
        return await self.run(parsed.cypher, parsed.parameters, budget, listener, fields)

    async def run(
        self,
        cypher: str,
        parameters: dict[str, Any],
        budget: ExecutionBudget,
        listener: ProgressCallback,
        fields: dict[str, Any] | None = None,
    ) -> AttemptResult:
        """Guard a query and run it.

        Args:
            cypher: query of a model or a person.
            parameters: parameter values by name.
            budget: limits of the attempt.
            listener: callback that receives each progress event.
            fields: fields of `Attempt` that are known already.

        Raises:
            GraphUnavailableError: the graph cannot be reached.
        """
        fields = {"hypothesis": 0, "timings_ms": {}, **(fields or {})}
        timer = StageTimer(fields["timings_ms"])
        fields |= {"cypher": cypher, "parameters": parameters}
        try:
            with timer("explain"):
                approved = await self._guarded.check(cypher, parameters)
            fields |= {
                "cypher": approved.cypher,
                "parameters": dict(approved.parameters),
                "repairs": (*fields.get("repairs", ()), *approved.repairs),
                "generated_cypher": cypher if approved.cypher != cypher else None,
            }
            listener(
                ProgressEvent(
                    "guarded", {"hypothesis": fields["hypothesis"], "repairs": list(approved.repairs)}
                )
            )
            if budget.dry_run:
                return _report(
                    AttemptResult(Attempt(outcome="passed", **fields), approved=approved), listener
                )
            with timer("run"):
                result = await self._guarded.run(approved, budget.limits)
                set_span_attributes(rows=len(result.rows), truncated=result.truncated)
        except QueryRejectedError as error:
            attempt = Attempt(outcome="refused", codes=error.codes, message=str(error), **fields)
        except QueryError as error:
            attempt = Attempt(outcome="failed", codes=(error.code or "query",), message=str(error), **fields)
        except GraphTimeoutError as error:
            attempt = Attempt(outcome="failed", codes=("timeout",), message=str(error), **fields)
        else:
            attempt = Attempt(outcome="ran", rows=len(result.rows), **fields)
            return _report(AttemptResult(attempt, result, approved), listener)
        return _report(AttemptResult(attempt), listener)

    async def _complete(self, request: GenerationRequest, timeout_s: float) -> Completion:
        completion = await self._model.complete(
            request.prompt, hypothesis=request.hypothesis, grammar=request.grammar, timeout_s=timeout_s
        )
        if len(completion.text) > MAX_CHARS:
            raise CompletionError(
                f"the completion has {len(completion.text)} characters; a query has at most {MAX_CHARS}"
            )
        set_span_attributes(tokens=completion.tokens)
        return completion


def _report(result: AttemptResult, listener: ProgressCallback) -> AttemptResult:
    attempt = result.attempt
    set_span_attributes(outcome=attempt.outcome, hypothesis=attempt.hypothesis)
    listener(ProgressEvent("attempt", attempt.model_dump(mode="json")))
    return result
