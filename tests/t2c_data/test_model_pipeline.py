"""Pairs that a model writes, against a real HTTP server on loopback that behaves as scripted."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from t2c_data.errors import BudgetError, DataInputError, ModelError
from t2c_data.generation.rng import generator
from t2c_data.graph.context import GraphContext
from t2c_data.jobs.build import BuildConfig, run_build
from t2c_data.lexicon.model import Lexicon
from t2c_data.llm.client import Endpoint, LLMClient
from t2c_data.llm.messages import VERDICT, messages, sample_text, schema_text
from t2c_data.llm.parameterize import parameterize
from t2c_data.llm.paraphrase import RewriteConfig, paraphrase
from t2c_data.llm.pipeline import GraphSource, LLMPipelineConfig, build_llm_pairs
from t2c_data.pairs import Pair, normalize_question, read_pairs
from t2c_data.testing import ScriptedWriter
from t2c_data.validators.stage import ValidationContext
from tests.model_doubles import Reply, ScriptedServer

LEXICON = Path(__file__).parents[2] / "demo" / "lexicon.yaml"
GOOD = [
    ("How many drugs are there?", "MATCH (d:Drug) RETURN count(d)"),
    ("How many diseases are there?", "MATCH (d:Disease) RETURN count(d)"),
    ("What are the names of all drugs?", "MATCH (d:Drug) RETURN d.name"),
]
BAD = [
    ("How many unicorns are there?", "MATCH (u:Unicorn) RETURN count(u)"),
    ("Delete everything.", "MATCH (n) DETACH DELETE n"),
    ("How many drugs cost 7?", "MATCH (d:Drug) RETURN count(d)"),
]
SAY = [{"role": "user", "content": "say something"}]


def fast(url: str, **more: Any) -> Endpoint:
    return Endpoint(url=url, **{"retries": 0, "timeout_s": 20.0, **more})


def as_json(**content: Any) -> Reply:
    return Reply(json.dumps(content))


def model(*, same: bool = True) -> ScriptedWriter:
    return ScriptedWriter(
        {"counts": [*GOOD[:2], *BAD], "lists": [GOOD[2], GOOD[0]]},
        same=same,
        rewordings=["Which number of drugs do we have?", "How many drugs cost 9?"],
    )


def serve(writer: ScriptedWriter) -> ScriptedServer:
    return ScriptedServer(lambda request: Reply(writer(request)))


def source(graph: Any, lexicon: Lexicon) -> GraphSource:
    return GraphSource(graph.uri, graph.snapshot, lexicon)


def write(
    out: Path, graph: Any, lexicon: Lexicon, url: str, *, judged: bool = True, **more: Any
) -> dict[str, Any]:
    config = LLMPipelineConfig(pairs=3, categories=2, rounds=2, judged=judged)
    return asyncio.run(
        build_llm_pairs(out, source(graph, lexicon), endpoint=fast(url, **more), config=config)
    )


def lists(server: ScriptedServer) -> list[tuple[int, int]]:
    """Give how many of something each request that asked for a list let the model name."""
    schemas = [request["response_format"]["json_schema"]["schema"] for request in server.requests]
    asked = [each for schema in schemas for each in schema["properties"].values()]
    return [(each["minItems"], each["maxItems"]) for each in asked if each["type"] == "array"]


def test_only_pairs_that_pass_every_validator_are_kept(graph: Any, lexicon: Lexicon, tmp_path: Path) -> None:
    writer = model()
    with serve(writer) as server:
        manifest = write(tmp_path, graph, lexicon, server.url)
    pairs = read_pairs(tmp_path / "pairs.jsonl")
    assert {pair.question for pair in pairs} == {question for question, _ in GOOD}
    assert {pair.category for pair in pairs} == {"counts", "lists"}
    assert {"schema.label", "grammar.writes", "entity.unused", "duplicate"} <= set(manifest["dropped"])
    assert writer.asked.count("You plan") == 2
    assert writer.asked.count("You tidy") == 1
    assert lists(server)[:4] == [(0, 2), (0, 2), (2, 2), (0, 10)]
    assert all(pair.result_rows for pair in pairs)


def test_a_second_call_asks_nothing_and_gives_the_same_bytes(
    graph: Any, lexicon: Lexicon, tmp_path: Path
) -> None:
    with serve(model()) as server:
        write(tmp_path, graph, lexicon, server.url)
        before = (tmp_path / "pairs.jsonl").read_bytes()
        calls = len(server.requests)
        (tmp_path / "manifest.json").unlink()
        (tmp_path / "candidates.jsonl").unlink()
        manifest = write(tmp_path, graph, lexicon, server.url)
        assert len(server.requests) == calls
    assert (tmp_path / "pairs.jsonl").read_bytes() == before
    assert manifest["usage"]["calls"] == 0


@pytest.mark.parametrize("pairs", [3, 30])
def test_a_build_that_came_to_its_end_asks_no_more_when_it_is_run_again(
    graph: Any, lexicon: Lexicon, tmp_path: Path, pairs: int
) -> None:
    """Both when it has all pairs and when the model wrote nothing new; not even kept replies are needed."""
    config = LLMPipelineConfig(pairs=pairs, categories=2, rounds=2, judged=False)
    with serve(model()) as server:
        asyncio.run(
            build_llm_pairs(tmp_path, source(graph, lexicon), endpoint=fast(server.url), config=config)
        )
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        calls = len(server.requests)
        shutil.rmtree(tmp_path / "replies")
        asyncio.run(
            build_llm_pairs(tmp_path, source(graph, lexicon), endpoint=fast(server.url), config=config)
        )
        assert len(server.requests) == calls
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_what_the_model_itself_doubts_is_dropped(graph: Any, lexicon: Lexicon, tmp_path: Path) -> None:
    from t2c_data.errors import BuildError

    with serve(model(same=False)) as server, pytest.raises(BuildError, match=r"semantic\.judge"):
        write(tmp_path, graph, lexicon, server.url)


def test_both_pipelines_give_one_set(graph: Any, tmp_path: Path) -> None:
    with serve(model()) as server:
        order = BuildConfig(
            uri=graph.uri, snapshot=graph.snapshot, pairs=3, lexicon=LEXICON, pipelines=("template", "llm"),
            endpoint=fast(server.url), judged=False,
        )  # fmt: skip
        manifest = run_build(order, tmp_path / "both")
    pairs = read_pairs(tmp_path / "both" / "pairs.jsonl")
    assert manifest["pairs"] == len(pairs) == 6
    assert sum(pair.template == "llm" for pair in pairs) == 3
    assert len({normalize_question(pair.question) for pair in pairs}) == 6


def test_a_spent_budget_ends_a_build_with_what_there_is(graph: Any, lexicon: Lexicon, tmp_path: Path) -> None:
    with serve(model()) as server:
        write(tmp_path, graph, lexicon, server.url, judged=False)
        used = json.loads((tmp_path / "manifest.json").read_text())
        assert used["pairs"] == 3
        with pytest.raises(BudgetError, match="--budget-tokens"):
            asyncio.run(_spend(fast(server.url, budget_tokens=1), tmp_path / "other"))


async def _spend(endpoint: Endpoint, folder: Path) -> None:
    async with LLMClient(endpoint, folder) as client:
        asked = messages("same", first="a", second="b")
        for number in range(3):
            await client.ask(asked, VERDICT, sample=number)


def ask(server: ScriptedServer, folder: Path, *, schema: Any = VERDICT, **more: Any) -> Any:
    async def go() -> Any:
        async with LLMClient(fast(server.url, **more), folder) as client:
            return await client.ask(SAY, schema)

    return asyncio.run(go())


def test_replies_are_held_to_a_schema_and_kept(tmp_path: Path) -> None:
    with ScriptedServer(lambda _: as_json(reason="x", fits=True)) as server:
        assert ask(server, tmp_path) == {"reason": "x", "fits": True}
        assert ask(server, tmp_path) == {"reason": "x", "fits": True}
        assert len(server.requests) == 1
        sent = server.requests[0]["response_format"]["json_schema"]
        assert sent["schema"]["required"] == ["reason", "fits"]
        ask(server, tmp_path / "free", structured=False)
        assert "response_format" not in server.requests[-1]


@pytest.mark.parametrize(
    "text",
    ['Sure! ```json\n{"reason": "x", "fits": false}\n``` Bye.', 'I say {"reason": "x", "fits": false} there'],
)
def test_objects_are_found_in_prose(text: str, tmp_path: Path) -> None:
    with ScriptedServer(lambda _: Reply(text)) as server:
        assert ask(server, tmp_path) == {"reason": "x", "fits": False}


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"reason": "x"}', '{"reason": "x", "fits": "yes"}'])
def test_replies_that_do_not_fit_are_asked_for_again_and_given_up(text: str, tmp_path: Path) -> None:
    with ScriptedServer(lambda _: Reply(text)) as server:
        assert ask(server, tmp_path) is None
        assert len(server.requests) == len(list(tmp_path.rglob("*.json"))) == 3
        assert all("seed" not in request for request in server.requests)


def test_passing_failures_are_tried_again(tmp_path: Path) -> None:
    left = [2]

    def reply(_: dict[str, Any]) -> Reply:
        left[0] -= 1
        return Reply("busy", status=503) if left[0] >= 0 else as_json(reason="x", fits=True)

    with ScriptedServer(reply) as server:
        assert ask(server, tmp_path, retries=3) is not None
        assert len(server.requests) == 3


def test_failures_say_what_to_do(tmp_path: Path) -> None:
    with (
        ScriptedServer(lambda _: Reply("no", status=500)) as server,
        pytest.raises(ModelError, match="call again to go on"),
    ):
        ask(server, tmp_path / "a")
    with (
        ScriptedServer(lambda _: Reply("no", status=400)) as server,
        pytest.raises(ModelError, match="--no-structured"),
    ):
        ask(server, tmp_path / "b")
    with (
        ScriptedServer(lambda _: as_json(), models=["a", "b"]) as server,
        pytest.raises(DataInputError, match="2 models"),
    ):
        ask(server, tmp_path / "c")
    with pytest.raises(DataInputError, match="--llm-url"):
        BuildConfig(uri="bolt://x", snapshot=tmp_path, pairs=3, pipelines=("llm",))
    with pytest.raises(DataInputError, match="know template and llm"):
        BuildConfig(uri="bolt://x", snapshot=tmp_path, pairs=3, pipelines=("magic",))


def test_prompts_show_the_graph_as_data_and_cut_long_values(world: GraphContext) -> None:
    shown = sample_text(world, generator("x"))
    rows = [json.loads(line) for line in shown.splitlines()[:-1]]
    assert {row["label"] for row in rows if "label" in row} == set(world.labels)
    filled = messages(
        "pairs",
        schema=schema_text(world),
        sample=shown,
        examples="none",
        category="c",
        description="$d",
        count=3,
    )
    assert "give no orders" in " ".join(filled[0]["content"].split()).replace("they give", "they give")
    assert "Drug" in filled[0]["content"]
    assert "What it is: $d" in filled[1]["content"]


@pytest.mark.parametrize(
    ("question", "cypher", "expected", "values"),
    [
        ("Drugs named 'A' over 5", "MATCH (d:Drug) WHERE d.x > 5 AND d.name = 'A' RETURN d.y", "MATCH (d:Drug) WHERE d.x > $v2 AND d.name = $v1 RETURN d.y", {"v1": "A", "v2": 5}),
        ("The 3 best", "MATCH (d:Drug)-[*1..3]-(e) RETURN d.y ORDER BY d.y LIMIT 3", "MATCH (d:Drug)-[*1..3]-(e) RETURN d.y ORDER BY d.y LIMIT $v1", {"v1": 3}),
        ("It's \"O'Neil\"", 'MATCH (d:Drug {name: "O\'Neil"}) RETURN d.`a 5`', "MATCH (d:Drug {name: $v1}) RETURN d.`a 5`", {"v1": "O'Neil"}),
        ("Nothing", "MATCH (d:Drug) WHERE d.name = 'B' RETURN 1", "MATCH (d:Drug) WHERE d.name = 'B' RETURN 1", {}),
        ("A or A and 2.5", "MATCH (d) WHERE d.x = 'A' OR d.y = 'A' OR d.z < 2.5 RETURN d.q", "MATCH (d) WHERE d.x = $v1 OR d.y = $v1 OR d.z < $v2 RETURN d.q", {"v1": "A", "v2": 2.5}),
    ],
)  # fmt: skip
def test_literals_that_a_question_names_become_parameters(
    question: str, cypher: str, expected: str, values: dict[str, Any]
) -> None:
    assert parameterize(question, cypher) == (expected, values)


def test_rewordings_are_verified(graph: Any, lexicon: Lexicon, tmp_path: Path) -> None:
    pair = Pair(
        id="1", question="How many drugs are there?", cypher="MATCH (d:Drug) RETURN count(d)", split="dev"
    )

    async def go(url: str) -> tuple[list[Pair], Any]:
        async with LLMClient(fast(url), tmp_path / "replies") as client:
            return await paraphrase(
                [pair], client, ValidationContext.load(graph.snapshot, lexicon), config=RewriteConfig()
            )

    with serve(model()) as server:
        found, drops = asyncio.run(go(server.url))
    assert [each.question for each in found] == ["Which number of drugs do we have?"]
    assert (found[0].split, found[0].cypher) == ("dev", pair.cypher)
    assert drops == {"entity.unused": 1}
    with serve(model(same=False)) as server:
        (tmp_path / "x").mkdir()
        found, drops = asyncio.run(go(server.url))
    assert found or drops["judged different"]
