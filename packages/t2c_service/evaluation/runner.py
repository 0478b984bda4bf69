"""Evaluation: run the golds, ask every question, compare, and report.

Reads: a file of pairs. Writes: outcomes as JSONL, if requested. A service that becomes unavailable is waited for; if
it stays so, or the evaluation is interrupted, the outcomes so far are written and reported.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from graphling_io.outputs import atomic_file
from t2c_core.errors import GraphUnavailableError
from t2c_core.metrics import compare, equal_on_common_columns, jaccard, precision_recall
from t2c_service.bootstrap import open_service
from t2c_service.errors import PairsError, SettingsError, UnansweredError, UnavailableError
from t2c_service.evaluation.clients import EvaluationClient, HttpClient, InProcessClient, ask_patiently
from t2c_service.evaluation.gold_results import LIMITS, provenance, run_gold
from t2c_service.evaluation.pairs import EvaluationPair, read_pairs
from t2c_service.evaluation.report import (
    NOT_ASKED,
    Outcome,
    compute_metrics,
    to_jsonl,
    with_deprecated_names,
)
from t2c_service.neo4j_connections import open_graph
from t2c_service.settings import Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from t2c_core.graph.client import GraphClient
    from t2c_service.answering.records import Answer
    from t2c_service.evaluation.gold_results import GoldResult
    from t2c_service.settings import GraphSettings, Settings

CONCURRENCY = 4
EVALUATED_GOLDS = frozenset({None, "unstable"})
"""Values of `GoldResult.excluded` whose questions are asked; nondeterministic ones are reported apart."""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def parse_ablations(text: str, *, url: str | None = None) -> tuple[Part, ...]:
    """Parse a comma-separated list of parts of answering to leave out.

    Args:
        text: value of the command line; empty for none.
        url: address of a running service, which cannot be changed from here.

    Raises:
        SettingsError: a part is unknown, or the service is not in this process.
    """
    known: tuple[Part, ...] = get_args(Part)
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError(f"invalid --ablate {unknown[0]}: no such part; choose of {', '.join(known)}")
    if names and url is not None:
        raise SettingsError("--ablate changes the service; give --config instead of --url")
    return tuple(part for part in known if part in names)


async def evaluate(
    file: Path,
    *,
    settings: Settings | None = None,
    graph_settings: GraphSettings | None = None,
    url: str | None = None,
    key: SecretStr | None = None,
    out: Path | None = None,
    ablations: Sequence[Part] = (),
    psjs: bool = True,
) -> dict[str, Any]:
    """Ask every question of a file and compare the rows with the golds.

    Args:
        file: pairs; see `t2c_service.evaluation.pairs`.
        settings: settings of a service in this process; not needed with `url`.
        graph_settings: database for the golds when a running service is asked; without it, the rows of the file
            are the golds.
        url: address of a running service.
        key: API key for the running service.
        out: file for the outcomes; those of an ablation get its name as a suffix.
        ablations: parts of answering, each left out in a further run; only with `settings`.
        psjs: whether to compare provenance too, which takes as long as everything else.

    Returns:
        The report of `compute_metrics`; reports of further runs under `ablations`. If the evaluation had to stop,
        `complete` is false, `stopped` says why, and pairs that were not asked are excluded as `not asked`.

    Raises:
        PairsError: the file cannot be evaluated.
        UnansweredError: no question was answered.
        GraphUnavailableError: the graph is unavailable before the first question.
    """
    pairs = read_pairs(file)
    async with _open(settings, graph_settings, url, key) as (client, graph):
        if graph is not None:
            await graph.verify_connectivity()  # once, before many connections fail at the same time
        elif not any(pair.rows for pair in pairs):
            raise PairsError(
                f"{file} has gold queries but no rows: name the graph to run them on, in --config or T2C_GRAPH__URI"
            )
        with _progress() as progress:
            golds = await _each(pairs, partial(_gold, graph, traced=psjs), progress, "running golds")
            run = _Run(pairs, golds, client, graph, out)
            report = await run.report(progress, "asking")
            for part in ablations:
                assert settings is not None  # noqa: S101  (validated by `parse_ablations`)
                reduced = settings.model_copy(update={"ablate": (*settings.ablate, part)})
                path = out and out.with_name(f"{out.stem}.without-{part}{out.suffix}")
                async with _open(reduced, None, None, None) as (other, _):
                    run = _Run(pairs, golds, other, None, path)
                    found = await run.report(progress, f"asking without {part}")
                report.setdefault("ablations", {})[part] = found
    named: dict[str, Any] = with_deprecated_names(report)
    return named


class _Run:
    """One pass over all pairs.

    Args:
        pairs: questions.
        golds: gold results of the pairs; None for unanswerable ones.
        client: service to ask.
        graph: database for provenance; none is compared without it.
        out: file for the outcomes.
    """

    def __init__(
        self,
        pairs: Sequence[EvaluationPair],
        golds: Sequence[GoldResult | None],
        client: EvaluationClient,
        graph: GraphClient | None,
        out: Path | None,
    ) -> None:
        self._pairs = pairs
        self._golds = golds
        self._client = client
        self._graph = graph
        self._out = out
        self._outcomes: dict[int, Outcome] = {}
        """Outcomes by the position of the pair."""
        self._models: list[str] = []
        self._stopped = ""

    async def report(self, progress: Progress, title: str) -> dict[str, Any]:
        """Ask the questions, write the outcomes and compute the report."""
        numbered = list(enumerate(zip(self._pairs, self._golds, strict=True)))
        try:
            await _each(numbered, self._ask, progress, title)
        finally:  # an interrupted evaluation keeps what it has
            outcomes = [
                self._outcomes.get(number) or _outcome(pair, gold, excluded=NOT_ASKED)
                for number, (pair, gold) in numbered
            ]
            if self._models:
                self._write(outcomes)
        if not self._models:
            detail = self._stopped or next(
                (each.detail for each in outcomes if each.status == "failed"), "no gold can be used"
            )
            raise UnansweredError(f"no question was answered: {detail}")
        report = compute_metrics(outcomes, model=self._models[0])
        return report | {"complete": not self._stopped, "stopped": self._stopped}

    async def _ask(self, numbered: tuple[int, tuple[EvaluationPair, GoldResult | None]]) -> None:
        number, (pair, gold) = numbered
        if gold is not None and gold.excluded not in EVALUATED_GOLDS:
            outcome = _outcome(pair, gold)
        elif self._stopped:
            return
        else:
            try:
                answer = await ask_patiently(self._client, pair.question)
                outcome = await _compare(pair, gold, answer, self._graph)
                self._models.append(answer.model)
            except (UnavailableError, GraphUnavailableError) as error:
                self._stopped = self._stopped or str(error)
                return
            except UnansweredError as error:
                outcome = _outcome(pair, gold, status="failed", detail=str(error))
        self._outcomes[number] = outcome

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        if self._out is not None:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(self._out) as partial_file:
                partial_file.write_text(to_jsonl(outcomes), encoding="utf-8")


@asynccontextmanager
async def _open(
    settings: Settings | None, graph_settings: GraphSettings | None, url: str | None, key: SecretStr | None
) -> AsyncIterator[tuple[EvaluationClient, GraphClient | None]]:
    if url is None:
        if settings is None:
            raise PairsError("no service to ask: give --config, T2C_ variables, or --url")
        wide = settings.limits.model_copy(
            update={
                "max_rows": LIMITS.max_rows,
                "max_bytes": LIMITS.max_bytes,
                "max_cell_chars": LIMITS.max_cell_chars,
            }
        )
        async with open_service(settings.model_copy(update={"limits": wide})) as service:
            yield InProcessClient(service), service.default_database.graph
        return
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    async with httpx2.AsyncClient(headers=headers) as client:
        if graph_settings is None:
            yield HttpClient(url, client), None
        else:
            async with open_graph(graph_settings) as graph:
                yield HttpClient(url, client), graph


async def _gold(graph: GraphClient | None, pair: EvaluationPair, *, traced: bool) -> GoldResult | None:
    return await run_gold(graph, pair, traced=traced) if pair.answerable else None


async def _compare(
    pair: EvaluationPair, gold: GoldResult | None, answer: Answer, graph: GraphClient | None
) -> Outcome:
    failures = [attempt.message for attempt in answer.attempts if attempt.message]
    fields = {
        "status": answer.status,
        "cypher": answer.cypher,
        "parameters": dict(answer.parameters),
        "confidence": answer.confidence.score if answer.confidence else None,
        "probability": answer.confidence.probability if answer.confidence else None,
        "differences": answer.confidence.differences if answer.confidence else 0,
        "total_ms": round(answer.timings_ms.get("total", 0.0) - answer.timings_ms.get("wait", 0.0), 3),
        "attempts": len(answer.attempts),
        "codes": [code for attempt in answer.attempts for code in attempt.codes],
        "detail": failures[-1] if failures else "",
    }
    if gold is None or gold.gold is None:
        return _outcome(pair, gold, **fields)
    ran = answer.status in {"answered", "empty"}
    comparison = compare(gold.gold.rows, answer.rows, order=gold.gold.order) if ran else None
    fields["equal"] = bool(comparison and comparison.equal and not answer.truncated)
    fields["equal_on_common_columns"] = fields["equal"] or (
        ran and not answer.truncated and equal_on_common_columns(gold.gold.rows, answer.rows)
    )
    fields["reason"] = comparison.reason if comparison else f"the question was {answer.status}"
    is_same = comparison is not None and comparison.equal
    fields["f1"] = 1.0 if is_same else precision_recall(gold.gold.rows, answer.rows)[2] if ran else 0.0
    if gold.nodes is not None and graph is not None:
        nodes = await provenance(graph, answer.cypher or "", answer.parameters) if ran else None
        fields["psjs"] = jaccard(gold.nodes, nodes) if nodes is not None else 0.0
    return _outcome(pair, gold, **fields)


def _outcome(pair: EvaluationPair, gold: GoldResult | None, **fields: Any) -> Outcome:
    known = {"excluded": gold.excluded, "detail": gold.detail} if gold else {"excluded": None}
    return Outcome(
        id=pair.id,
        category=pair.category,
        question=pair.question,
        gold=pair.cypher,
        answerable=pair.answerable,
        **{**known, **{key: value for key, value in fields.items() if value != ""}},
    )


async def _each(
    items: Sequence[_Item], work: Callable[[_Item], Awaitable[_Made]], progress: Progress, title: str
) -> list[_Made]:
    """Process all items, a few at a time; return the results in the order of the items."""
    slots = asyncio.Semaphore(CONCURRENCY)
    task = progress.add_task(title, total=len(items))

    async def one(item: _Item) -> _Made:
        async with slots:
            made = await work(item)
        progress.advance(task)
        return made

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except ExceptionGroup as failures:  # the first says what is wrong; the others are the same
        raise failures.exceptions[0] from None
    return [each.result() for each in tasks]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
