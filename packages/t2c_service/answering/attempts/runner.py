"""One hypothesis: model, guard, EXPLAIN, run, and what became of it. Holds neither retries nor choices (see `loop`)."""

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
    from t2c_service.models import Completion, CypherModel


@dataclass(frozen=True, kw_only=True)
class ExecutionBudget:
    """How one query is run, if it is."""

    limits: QueryLimits
    model_timeout_s: float
    dry_run: bool = False


class AttemptRunner:
    """Tries hypotheses on one graph.

    Args:
        model: writes them.
        guarded: passes and runs them.
    """

    def __init__(self, model: CypherModel, guarded: GuardedGraph) -> None:
        self._model = model
        self._guarded = guarded

    async def run_attempt(
        self, asked: GenerationRequest, budget: ExecutionBudget, listener: ProgressCallback
    ) -> AttemptResult:
        """Have the model write one query and run it.

        Args:
            asked: what the model is told, and which of its hypotheses is wanted.
            budget: what it may cost.
            listener: told of each step.

        Raises:
            ModelError, OverloadedError, DeadlineError: the model gave no completion, through no fault of its own.
            GraphUnavailableError: the graph cannot be reached.
        """
        watch = StageTimer()
        made: dict[str, Any] = {
            "hypothesis": asked.number,
            "round": asked.round,
            "feedback": asked.feedback,
            "timings_ms": watch.timings_ms,
        }
        try:
            with watch("model"):
                completion = await self._completion(asked, budget.model_timeout_s)
            watch.reattribute("model", "wait", watch.timings_ms["model"] - completion.elapsed_ms)
            made |= {"tokens": completion.tokens, "mean_logprob": completion.mean_logprob}
            generated = asked.parse(completion.text)
        except CompletionError as error:
            return _told(
                AttemptResult(Attempt(outcome="failed", codes=("completion",), message=str(error), **made)),
                listener,
            )
        if generated.unanswerable:
            return _told(AttemptResult(Attempt(outcome="unanswerable", **made)), listener)
        made["repairs"] = generated.repairs
        listener(ProgressEvent("generated", {"hypothesis": asked.number, "cypher": generated.cypher}))
        return await self.run(generated.cypher, generated.parameters, budget, listener, made)

    async def run(
        self,
        cypher: str,
        parameters: dict[str, Any],
        budget: ExecutionBudget,
        listener: ProgressCallback,
        made: dict[str, Any] | None = None,
    ) -> AttemptResult:
        """Guard a query and run it.

        Args:
            cypher: from a model or a person.
            parameters: its values by name.
            budget: what it may cost.
            listener: told of each step.
            made: what is known of the attempt already.

        Raises:
            GraphUnavailableError: the graph cannot be reached.
        """
        made = {"hypothesis": 0, "timings_ms": {}, **(made or {})}
        watch = StageTimer(made["timings_ms"])
        made |= {"cypher": cypher, "parameters": parameters}
        try:
            with watch("explain"):
                passed = await self._guarded.check(cypher, parameters)
            made |= {
                "cypher": passed.cypher,
                "parameters": dict(passed.parameters),
                "repairs": (*made.get("repairs", ()), *passed.repairs),
                "written": cypher if passed.cypher != cypher else None,
            }
            listener(
                ProgressEvent("guarded", {"hypothesis": made["hypothesis"], "repairs": list(passed.repairs)})
            )
            if budget.dry_run:
                return _told(AttemptResult(Attempt(outcome="passed", **made), None, passed), listener)
            with watch("run"):
                result = await self._guarded.run(passed, budget.limits)
                set_span_attributes(rows=len(result.rows), truncated=result.truncated)
        except QueryRejectedError as error:
            run_attempt = Attempt(outcome="refused", codes=error.codes, message=str(error), **made)
        except QueryError as error:
            run_attempt = Attempt(
                outcome="failed", codes=(error.code or "query",), message=str(error), **made
            )
        except GraphTimeoutError as error:
            run_attempt = Attempt(outcome="failed", codes=("timeout",), message=str(error), **made)
        else:
            run_attempt = Attempt(outcome="ran", rows=len(result.rows), **made)
            return _told(AttemptResult(run_attempt, result, passed), listener)
        return _told(AttemptResult(run_attempt), listener)

    async def _completion(self, asked: GenerationRequest, timeout_s: float) -> Completion:
        completion = await self._model.complete(
            asked.prompt, hypothesis=asked.hypothesis, grammar=asked.grammar, timeout_s=timeout_s
        )
        if len(completion.text) > MAX_CHARS:
            raise CompletionError(
                f"the model wrote {len(completion.text)} characters, more than any query has"
            )
        set_span_attributes(tokens=completion.tokens)
        return completion


def _told(tried: AttemptResult, listener: ProgressCallback) -> AttemptResult:
    run_attempt = tried.attempt
    set_span_attributes(outcome=run_attempt.outcome, hypothesis=run_attempt.hypothesis)
    listener(ProgressEvent("attempt", run_attempt.model_dump(mode="json")))
    return tried
