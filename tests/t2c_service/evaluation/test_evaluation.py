"""Evaluation: golds that count and golds that do not, figures with known values, and a running service."""

from __future__ import annotations

import functools
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx2
import neo4j
import pytest
from tests.model_doubles import Reply, ScriptedServer

from t2c_core.errors import GraphUnavailableError
from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.answering.records import Answer
from t2c_service.app import create_app
from t2c_service.errors import PairsError, SettingsError, UnansweredError
from t2c_service.evaluation import evaluate
from t2c_service.evaluation.pairs import read_pairs
from t2c_service.evaluation.report import Outcome, compute_metrics
from t2c_service.evaluation.runner import parse_ablations
from t2c_service.settings import AccessSettings, GraphSettings
from t2c_service.settings_loader import load_access_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import TestGraph
    from tests.t2c_service.conftest import Script

    from t2c_service.settings import Settings

HALF_LIFE = "MATCH (d:Drug {name: 'Warfarin'}) RETURN d.halfLifeHours"
PAIRS: list[dict[str, Any]] = [
    {"id": "right", "question": "What is the half-life of warfarin?", "cypher": HALF_LIFE, "category": "a"},
    {
        "id": "wrong",
        "question": "How many diseases are there?",
        "cypher": "MATCH (d:Disease) RETURN count(d)",
        "category": "a",
    },
    {
        "id": "parameters",
        "question": "The half-life of Warfarin, please",
        "cypher": "MATCH (d:Drug) WHERE d.name = $v1 RETURN d.halfLifeHours",
        "parameters": {"v1": "Warfarin"},
        "rows": [[40]],
        "category": "b",
    },
    {"id": "rows", "question": "How many planets are there?", "rows": [[8]], "category": "b"},
    {"id": "write", "question": "q1", "cypher": "CREATE (n:Owned) RETURN n"},
    {"id": "file", "question": "q2", "cypher": "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l"},
    {"id": "empty", "question": "q3", "cypher": "MATCH (d:Drug {name: 'Nothing'}) RETURN d.name"},
    {"id": "broken", "question": "q4", "cypher": "MATCH (d:Drug) RETURN 1 / 0"},
    {"id": "unstable", "question": "Give me some drug", "cypher": "MATCH (d:Drug) RETURN d.name LIMIT 1"},
    {"id": "differs", "question": "q5", "cypher": HALF_LIFE, "rows": [[41]]},
    {"id": "none", "question": "What does warfarin cost?"},
    {"id": "marked", "question": "Who makes warfarin?", "cypher": "RETURN 1", "answerable": False},
]
ANSWERS = {
    "half-life": "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours",
    "diseases": "MATCH (drug:Drug) RETURN count(drug)",
    "planets": "UNWIND [1,2,3,4,5,6,7,8] AS n RETURN count(n)",
    "some drug": "MATCH (drug:Drug) RETURN drug.name ORDER BY drug.name DESC LIMIT 1",
    "cost": "<unanswerable>",
    "makes": "MATCH (drug:Drug) RETURN count(drug)",
}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    return file


def check(report: dict[str, Any]) -> None:
    assert (report["pairs"], report["n"]) == (12, 4)
    assert report["ex"] == 0.75
    low, high = report["ex_interval"]
    assert low <= 0.75 <= high
    assert report["executable"] == report["answered"] == 1.0
    assert report["refused"] == report["empty"] == report["failed"] == 0.0
    assert report["f1"] == 0.75
    assert report["by_category"] == {
        "a": {"n": 2, "ex": 0.5, "ex_on_common_columns": 0.5},
        "b": {"n": 2, "ex": 1.0, "ex_on_common_columns": 1.0},
    }
    assert sum(group["n"] for group in report["by_shape"].values()) == 4
    assert report["unanswerable_set"] == {"n": 2, "refusal_recall": 0.5, "recognised": 0.5}
    assert report["nondeterministic"] == {"n": 1, "ex": 0.0}
    assert report["excluded"] == {
        "differs from the file's rows": 1, "empty": 1, "fails": 1, "refused": 2, "unstable": 1,
    }  # fmt: skip
    assert report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["max"]


@pytest.mark.graph
async def test_figures_are_those_of_the_counted_pairs(
    settings: Settings, script: Script, pairs: Path, tmp_path: Path, graph: TestGraph
) -> None:
    script.by_words = ANSWERS
    report = await evaluate(pairs, settings=settings, out=tmp_path / "out" / "rows.jsonl")
    check(report)
    assert report["psjs"] == pytest.approx(2 / 3)
    assert report["attempts_refused"] == {}
    rows = {
        row["id"]: row for row in map(json.loads, (tmp_path / "out" / "rows.jsonl").read_text().splitlines())
    }
    assert [row["id"] for row in rows.values()] == [pair["id"] for pair in PAIRS]
    assert rows["right"]["equal"]
    assert (rows["wrong"]["equal"], rows["wrong"]["reason"]) == (False, "values")
    assert rows["write"]["status"] is None
    assert rows["none"]["status"] == "unanswerable"
    assert "by zero" in rows["broken"]["detail"]
    with neo4j.GraphDatabase.driver(graph.uri) as driver:
        assert driver.execute_query("MATCH (n:Owned) RETURN count(n)").records[0][0] == 0


@pytest.mark.graph
async def test_the_nodes_behind_the_rows_are_compared_only_if_asked_for(
    settings: Settings, script: Script, pairs: Path
) -> None:
    script.by_words = ANSWERS
    report = await evaluate(pairs, settings=settings, psjs=False)
    check(report)
    assert report["psjs"] is None


@pytest.mark.graph
async def test_a_running_service_gives_the_same_figures(
    settings: Settings, script: Script, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.by_words = ANSWERS
    app = create_app(settings)
    to_app = functools.partial(httpx2.AsyncClient, transport=httpx2.ASGITransport(app=app))
    async with app.router.lifespan_context(app):
        monkeypatch.setattr("t2c_service.evaluation.runner.httpx2.AsyncClient", to_app)
        with_golds = await evaluate(
            pairs, url="http://127.0.0.1/", graph_settings=GraphSettings(uri=settings.graph.uri)
        )
        rows_only = await evaluate(pairs, url="http://127.0.0.1")
    check(with_golds)
    assert (rows_only["n"], rows_only["psjs"]) == (3, None)


@pytest.mark.graph
async def test_a_service_that_wants_a_key_is_shown_it(
    settings: Settings, script: Script, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.by_words = ANSWERS
    key, _ = KeyStore(tmp_path / "keys.json").create(KeyPermissions(name="judge", scopes=("query",)))
    locked = settings.model_copy(update={"access": AccessSettings(keys_file=tmp_path / "keys.json")})
    app = create_app(locked)
    to_app = functools.partial(httpx2.AsyncClient, transport=httpx2.ASGITransport(app=app))
    async with app.router.lifespan_context(app):
        monkeypatch.setattr("t2c_service.evaluation.runner.httpx2.AsyncClient", to_app)
        with pytest.raises(UnansweredError, match="answered 401"):
            await evaluate(pairs, url="http://127.0.0.1", key=load_access_settings().client_api_key)
        monkeypatch.setenv("T2C_ACCESS__KEY", key)
        report = await evaluate(pairs, url="http://127.0.0.1", key=load_access_settings().client_api_key)
    assert (report["n"], report["failed"]) == (3, 0.0)


async def test_a_service_that_is_down_is_no_score(pairs: Path) -> None:
    with pytest.raises(UnansweredError, match=r"no question was answered.*127\.0\.0\.1:9"):
        await evaluate(pairs, url="http://127.0.0.1:9")


async def test_a_graph_that_is_down_is_named_once(pairs: Path) -> None:
    down = GraphSettings(uri="bolt://127.0.0.1:9")
    with pytest.raises(GraphUnavailableError, match=r"no Neo4j answers at bolt://127\.0\.0\.1:9"):
        await evaluate(pairs, url="http://127.0.0.1:9", graph_settings=down)


@pytest.mark.graph
async def test_a_graph_that_goes_down_is_named_once(
    pairs: Path, graph: TestGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any, **__: Any) -> None:
        raise GraphUnavailableError("no Neo4j answers any more")

    monkeypatch.setattr("t2c_service.evaluation.runner.run_gold", gone)
    with pytest.raises(GraphUnavailableError, match="any more"):
        await evaluate(pairs, url="http://127.0.0.1:9", graph_settings=GraphSettings(uri=graph.uri))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no pairs"),
        ("{", r":1: invalid JSON"),
        ('{"question": "x"}\n{"q": 1}', r":2: `question` is missing"),
        ('{"question": "x", "cypher": 3}', "invalid `cypher`"),
        ('{"question": "x", "rows": [1]}', "invalid `rows`"),
        ('{"question": "x", "cypher": "y", "parameters": [1]}', "invalid `parameters`"),
    ],
)
def test_invalid_files_of_pairs_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(text)
    with pytest.raises(PairsError, match=message):
        read_pairs(file)


def test_nothing_to_count_is_an_error() -> None:
    outcome = Outcome(id="1", category="a", question="q", gold="g", answerable=True, excluded="empty")
    with pytest.raises(PairsError, match="none of the 1 pairs can be counted: 1 empty"):
        compute_metrics([outcome], model="m")


async def test_parts_of_answering_are_left_out_one_at_a_time(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIRS[0]) + "\n", encoding="utf-8")
    script.by_words = {"half-life": ANSWERS["half-life"]}
    guided = settings.model_copy(
        update={"model": settings.model.model_copy(update={"grammar": "on"}), "prompt": "atoms"}
    )
    report = await evaluate(
        file, settings=guided, ablations=("grammar", "values"), out=tmp_path / "rows.jsonl"
    )
    assert set(report["ablations"]) == {"grammar", "values"}
    assert (report["ablations"]["grammar"]["ex"], report["ablations"]["grammar"]["psjs"]) == (1.0, None)
    for name in ("rows", "rows.without-grammar", "rows.without-values"):
        assert (tmp_path / f"{name}.jsonl").stat().st_size
    whole, without_grammar, last = script.asked[0], script.asked[1], script.asked[-1]
    assert "<v1>" in without_grammar["prompt"]
    assert "structured_outputs" in whole
    assert "structured_outputs" not in without_grammar
    assert "<v1>" not in last["prompt"]
    assert "$v1" not in last["structured_outputs"]["grammar"]


def test_only_known_parts_of_an_own_service_can_be_left_out() -> None:
    assert parse_ablations("values,grammar") == ("grammar", "values")
    assert parse_ablations("") == ()
    with pytest.raises(SettingsError, match="no such part; choose of grammar, values, repair, examples"):
        parse_ablations("beams")
    with pytest.raises(SettingsError, match="give --config instead of --url"):
        parse_ablations("grammar", url="http://127.0.0.1:1")


@pytest.mark.graph
async def test_queries_that_could_not_run_are_counted_by_reason(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.by_words = {"half-life": "MATCH (planet:Planet) RETURN planet.name"}
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIRS[0]) + "\n")
    report = await evaluate(file, settings=settings)
    assert (report["unanswerable"], report["refused"]) == (1.0, 0.0)
    assert report["attempts_refused"] == {"schema.label": 2}  # the retry is counted too


def test_the_report_says_what_a_least_confidence_would_refuse() -> None:
    made = [
        outcome("sure and right", confidence=0.9, equal=True),
        outcome("doubtful and right", confidence=0.22, equal=True),
        outcome("doubtful and wrong", confidence=0.12),
        outcome("refused", status="refused"),
        outcome("strange, seen", status="unanswerable", answerable=False, confidence=0.9),
        outcome("strange, doubtful", answerable=False, confidence=0.12),
    ]
    found = {row["min_confidence"]: row for row in compute_metrics(made, model="m")["coverage_by_confidence"]}
    assert found[0.0] == {
        "min_confidence": 0.0, "unanswerable": 0.0, "ex": 0.5, "selective_accuracy": 0.5, "refusal_recall": 0.5,
        "right_of_answered": 0.5, "recognised": 0.5,
    }  # fmt: skip
    assert found[0.2]["unanswerable"] == 0.25
    assert found[0.2]["selective_accuracy"] == pytest.approx(2 / 3)
    assert found[0.2]["refusal_recall"] == 1.0
    assert (found[0.25]["ex"], found[0.25]["unanswerable"]) == (0.25, 0.5)


def test_without_confidence_there_is_nothing_to_say_of_it() -> None:
    assert compute_metrics([outcome("a", equal=True)], model="m")["coverage_by_confidence"] == []


def outcome(name: str, *, answerable: bool = True, status: str = "answered", **more: Any) -> Outcome:
    return Outcome(
        id=name, category="a", question=name, gold="g" if answerable else None, answerable=answerable,
        excluded=None, status=status, **more,
    )  # fmt: skip


RIGHT = [
    {"id": str(number), "question": f"How many planets are there? ({number})", "rows": [[8]]}
    for number in range(8)
]


class FlakyService:
    """An HTTP service that is always right, but not always available.

    Args:
        problems: response of each request until one is None; then the right answer, for all that follow.
    """

    def __init__(self, problems: list[httpx2.Response | Exception | None]) -> None:
        self.problems = problems
        self.asked: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(json.loads(request.content)["question"])
        problem = self.problems.pop(0) if self.problems else None
        if isinstance(problem, Exception):
            raise problem
        if problem is not None:
            return problem
        answer = Answer(
            question="q",
            status="answered",
            answer="8",
            columns=("n",),
            rows=((8,),),
            model="m",
            schema_version="1",
        )
        return httpx2.Response(200, content=answer.model_dump_json())


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of an evaluation, none of which is slept."""
    found: list[float] = []

    async def note(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("t2c_service.evaluation.clients.asyncio", SimpleNamespace(sleep=note))
    monkeypatch.setattr("t2c_service.evaluation.runner.CONCURRENCY", 1)
    return found


def serve(service: FlakyService, monkeypatch: pytest.MonkeyPatch) -> None:
    client = functools.partial(httpx2.AsyncClient, transport=httpx2.MockTransport(service))
    monkeypatch.setattr("t2c_service.evaluation.runner.httpx2.AsyncClient", client)


@pytest.fixture
def right(tmp_path: Path) -> Path:
    file = tmp_path / "right.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in RIGHT))
    return file


@pytest.mark.parametrize(
    ("problem", "wait"),
    [
        (httpx2.Response(429, headers={"Retry-After": "7"}), 7.0),
        (httpx2.Response(503, headers={"Retry-After": "3"}), 3.0),
        (httpx2.Response(503), 1.0),
        (httpx2.Response(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 1.0),
        (httpx2.Response(502), 1.0),
        (httpx2.ReadError("reset"), 1.0),
    ],
)
async def test_an_always_right_service_scores_all_though_it_is_sometimes_unavailable(
    right: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch, problem: Any, wait: float
) -> None:
    service = FlakyService([None, problem, None, problem, problem, None, problem])
    serve(service, monkeypatch)
    report = await evaluate(right, url="http://service")
    assert (report["ex"], report["n"], report["complete"]) == (1.0, 8, True)
    assert waits[0] == wait
    assert len(waits) == 4


async def test_a_service_that_stays_down_leaves_a_partial_report_and_its_outcomes(
    right: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve(FlakyService([None, None, None, *[httpx2.ReadError("reset") for _ in range(500)]]), monkeypatch)
    out = tmp_path / "rows.jsonl"
    report = await evaluate(right, url="http://service", out=out)
    assert (report["ex"], report["n"], report["pairs"]) == (1.0, 3, 8)
    assert report["complete"] is False
    assert "unavailable" in report["stopped"]
    assert report["excluded"] == {"not asked": 5}
    assert sum(waits) == pytest.approx(600)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["answered"] * 3 + [None] * 5


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_key_that_is_revoked_meanwhile_is_no_wrong_answer(
    right: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    serve(FlakyService([None, None, httpx2.Response(status)]), monkeypatch)
    report = await evaluate(right, url="http://service")
    assert (report["ex"], report["n"], report["complete"]) == (1.0, 2, False)
    assert f"answered {status}" in report["stopped"]
    assert waits == []


async def test_a_question_that_the_service_fails_on_is_a_wrong_answer(
    right: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(FlakyService([None, httpx2.Response(500), httpx2.Response(422), httpx2.Response(504)]), monkeypatch)
    report = await evaluate(right, url="http://service")
    assert (report["ex"], report["n"], report["failed"]) == (5 / 8, 8, 3 / 8)
    assert (report["complete"], waits) == (True, [])


async def test_an_interrupted_evaluation_keeps_its_outcomes(
    right: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve(FlakyService([None, None, KeyError("a fault of the client")]), monkeypatch)
    out = tmp_path / "rows.jsonl"
    with pytest.raises(KeyError):
        await evaluate(right, url="http://service", out=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    statuses = [row["status"] for row in rows]
    assert len(statuses) == 8
    assert statuses[:2] == ["answered"] * 2
    assert None in statuses


async def test_a_model_server_that_is_overloaded_is_waited_for_in_process(
    settings: Settings, waits: list[float], tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIRS[0]) + "\n")
    asked = 0

    def reply(_: dict[str, Any]) -> Reply:
        nonlocal asked
        asked += 1
        return Reply(status=429) if asked <= 2 else Reply(ANSWERS["half-life"])

    with ScriptedServer(reply) as server:
        model = settings.model.model_copy(update={"url": server.url})
        report = await evaluate(file, settings=settings.model_copy(update={"model": model}), psjs=False)
    assert (report["ex"], report["complete"]) == (1.0, True)
    assert len(waits) == 1
