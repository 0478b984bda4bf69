"""The evaluation itself: golds first, then every question, a few at a time, with progress on standard error.

Reads: a file of pairs. Writes: outcomes as JSONL, if asked to.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from t2c_core.metrics import compare, jaccard, precision_recall
from t2c_service.bootstrap import open_service
from t2c_service.errors import PairsError, UnansweredError
from t2c_service.evaluation.clients import EvaluationClient, HttpClient, InProcessClient
from t2c_service.evaluation.gold_results import LIMITS, provenance, run_gold
from t2c_service.evaluation.pairs import EvaluationPair, read_pairs
from t2c_service.evaluation.report import Outcome, compute_metrics, to_jsonl
from t2c_service.neo4j_connections import open_graph

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from t2c_core.graph.client import GraphClient
    from t2c_service.answering.records import Answer
    from t2c_service.evaluation.gold_results import GoldResult
    from t2c_service.settings import GraphSettings, Part, Settings

CONCURRENCY = 4
EVALUATED_GOLDS = frozenset({None, "unstable"})
"""Golds whose questions are asked; the unstable ones are reported apart."""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


async def evaluate(
    file: Path,
    *,
    settings: Settings | None = None,
    graph_settings: GraphSettings | None = None,
    url: str | None = None,
    key: SecretStr | None = None,
    out: Path | None = None,
    without: Sequence[Part] = (),
    psjs: bool = True,
) -> dict[str, Any]:
    """Ask every question of a file and compare with the golds.

    Args:
        file: pairs; see `pairs`.
        settings: of the service to ask in this process; not needed with `url`.
        graph_settings: the graph that golds run on when a running service is asked; without it, the
            file's own rows are the golds.
        url: address of a running service.
        key: API key for that service, if it asks for one.
        out: where each pair's outcome goes; those of a run without a part beside it, under its name.
        psjs: whether to compare the nodes behind the rows too, which takes as long as all the rest.
        without: parts of answering, each of which is left out in a further run; only with `settings`.

    Returns:
        The figures of `report.figures`; under `without` those of the further runs, by part.

    Raises:
        PairsError: the file cannot be evaluated.
        UnansweredError: not one question got an answer.
        GraphUnavailableError: the graph does not answer, or no longer.
    """
    pairs = read_pairs(file)
    async with _opened(settings, graph_settings, url, key) as (asker, graph):
        if graph is not None:
            await (
                graph.verify_connectivity()
            )  # alone, so that a graph that is down fails one connection and not many
        elif not any(pair.rows for pair in pairs):
            raise PairsError(
                f"{file} has gold queries but no rows: name the graph that they run on, in --config or T2C_GRAPH__URI"
            )
        with _progress() as progress:
            golds = await _each(pairs, partial(_gold, graph, traced=psjs), progress, "running golds")
            judged = list(zip(pairs, golds, strict=True))
            outcomes, model = await _outcomes(judged, asker, graph, progress)
            _write_outcomes(outcomes, out)
            report = compute_metrics(outcomes, model=model)
            for part in without:
                assert settings is not None  # noqa: S101  (of an own service only)
                poorer = settings.model_copy(update={"ablate": (*settings.ablate, part)})
                async with _opened(poorer, None, None, None) as (other, _):
                    outcomes, model = await _outcomes(judged, other, None, progress, f"asking without {part}")
                _write_outcomes(outcomes, out and out.with_name(f"{out.stem}.without-{part}{out.suffix}"))
                report.setdefault("without", {})[part] = compute_metrics(outcomes, model=model)
    return report


def _write_outcomes(outcomes: Sequence[Outcome], out: Path | None) -> None:
    if out is None:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    half = out.with_name(out.name + ".half")
    half.write_text(to_jsonl(outcomes), encoding="utf-8")
    half.replace(out)


@asynccontextmanager
async def _opened(
    settings: Settings | None, graph_settings: GraphSettings | None, url: str | None, key: SecretStr | None
) -> AsyncIterator[tuple[EvaluationClient, GraphClient | None]]:
    if url is None:
        if settings is None:
            raise PairsError("there is nothing to ask: give --config, T2C_ variables, or --url")
        wide = settings.limits.model_copy(
            update={
                "max_rows": LIMITS.max_rows,
                "max_bytes": LIMITS.max_bytes,
                "max_cell_chars": LIMITS.max_cell_chars,
            }
        )
        async with open_service(settings.model_copy(update={"limits": wide})) as service:
            yield InProcessClient(service), service.graph
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


async def _outcomes(
    judged: Sequence[tuple[EvaluationPair, GoldResult | None]],
    asker: EvaluationClient,
    graph: GraphClient | None,
    progress: Progress,
    title: str = "asking",
) -> tuple[list[Outcome], str]:
    """Ask all questions whose gold is worth it; without a graph provenance is left out."""
    models: list[str] = []

    async def outcome_of(each: tuple[EvaluationPair, GoldResult | None]) -> Outcome:
        pair, gold = each
        if gold is not None and gold.excluded not in EVALUATED_GOLDS:
            return _outcome(pair, gold)
        try:
            answer = await asker.ask(pair.question)
        except UnansweredError as error:
            return _outcome(pair, gold, status="failed", detail=str(error))
        models.append(answer.model)
        return await _judged(pair, gold, answer, graph)

    outcomes = await _each(judged, outcome_of, progress, title)
    if not models:
        detail = next((each.detail for each in outcomes if each.status == "failed"), "no gold can be used")
        raise UnansweredError(f"no question could be asked: {detail}")
    return outcomes, models[0]


async def _judged(
    pair: EvaluationPair, gold: GoldResult | None, answer: Answer, graph: GraphClient | None
) -> Outcome:
    failures = [attempt.message for attempt in answer.attempts if attempt.message]
    told = {
        "status": answer.status,
        "cypher": answer.cypher,
        "parameters": dict(answer.parameters),
        "confidence": answer.confidence.score if answer.confidence else None,
        "total_ms": round(answer.timings_ms.get("total", 0.0) - answer.timings_ms.get("wait", 0.0), 3),
        "attempts": len(answer.attempts),
        "codes": [code for attempt in answer.attempts for code in attempt.codes],
        "detail": failures[-1] if failures else "",
    }
    if gold is None or gold.gold is None:
        return _outcome(pair, gold, **told)
    ran = answer.status in {"answered", "empty"}
    verdict = compare(gold.gold.rows, answer.rows, order=gold.gold.order) if ran else None
    told["equal"] = bool(verdict and verdict.equal and not answer.truncated)
    told["reason"] = verdict.reason if verdict else f"the question was {answer.status}"
    told["f1"] = precision_recall(gold.gold.rows, answer.rows)[2] if ran else 0.0
    if gold.nodes is not None and graph is not None:
        nodes = await provenance(graph, answer.cypher or "", answer.parameters) if ran else None
        told["psjs"] = jaccard(gold.nodes, nodes) if nodes is not None else 0.0
    return _outcome(pair, gold, **told)


def _outcome(pair: EvaluationPair, gold: GoldResult | None, **told: Any) -> Outcome:
    return Outcome(
        id=pair.id,
        category=pair.category,
        question=pair.question,
        gold=pair.cypher,
        answerable=pair.answerable,
        excluded=gold.excluded if gold else None,
        **{
            "detail": gold.detail if gold else "",
            **{key: value for key, value in told.items() if value != ""},
        },
    )


async def _each(
    items: Sequence[_Item], work: Callable[[_Item], Awaitable[_Made]], progress: Progress, title: str
) -> list[_Made]:
    """Do some work for every item, a few at a time, in the items' order."""
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
