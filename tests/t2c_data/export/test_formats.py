import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from t2c_core.prompt.chat import ChatFormat
from t2c_core.prompt.schema_tokens import UNANSWERABLE, SchemaTokenFormat
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_data.export.augmentation import perturb, typo
from t2c_data.export.chat_rows import export_chat
from t2c_data.export.formats import export_atoms, export_parquet
from t2c_data.export.query_relinking import relink_query
from t2c_data.pairs import Pair, read_pairs
from t2c_service.answering.prompting.builder import PromptBuilder


@pytest.fixture(scope="session")
def pairs(built: Path) -> list[Pair]:
    return read_pairs(built / "pairs.jsonl")


@pytest.fixture(scope="session")
def atoms(
    graph: Any, schema: GraphSchema, pairs: list[Pair], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("atoms")
    export_atoms(pairs, out, schema=schema, snapshot=graph.snapshot)
    return out


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_processes_write_the_same_rows(
    graph: Any,
    schema: GraphSchema,
    pairs: list[Pair],
    atoms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("t2c_data.export.atom_rows.MIN_PAIRS_FOR_PROCESSES", 10)
    monkeypatch.setattr("t2c_data.export.atom_rows.CHUNK", 50)
    export_atoms(pairs, tmp_path, schema=schema, snapshot=graph.snapshot)
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (atoms / name).read_bytes()


def test_most_pairs_survive_linking_and_every_loss_is_counted(
    graph: Any, schema: GraphSchema, atoms: Path, pairs: list[Pair], tmp_path: Path
) -> None:
    manifest = json.loads((atoms / "manifest.json").read_text())
    assert sum(manifest["rows"].values()) > len(pairs) * 0.9
    assert manifest["vocabulary"] < 4000
    named = next(pair for pair in pairs if any(isinstance(each, str) for each in pair.parameters.values()))
    plain = [replace(pair, split="train") for pair in pairs if pair.cypher][:40]
    given = [
        *plain,
        replace(named, id="a", question="What is there?"),
        replace(
            plain[0], id="b", cypher=plain[1].cypher, parameters=plain[1].parameters, question="what else?"
        ),
        replace(
            plain[0], id="c", question="what is new?", cypher="MATCH (d:Drug) RETURN count(d)", parameters={}
        ),
        replace(
            plain[0], id="d", question="what is new?", cypher="MATCH (d:Drug) RETURN d.name", parameters={}
        ),
    ]
    counted = export_atoms(given, tmp_path, schema=schema, snapshot=graph.snapshot, noise=0.0)
    assert counted["dropped"]["unlinked"] >= 1
    assert counted["dropped"]["contradiction"] == 1
    assert sum(counted["rows"].values()) + sum(counted["dropped"].values()) <= len(given)
    assert (
        sum(
            export_atoms(plain, tmp_path / "x", schema=schema, snapshot=graph.snapshot, noise=0.0)[
                "dropped"
            ].values()
        )
        == 0
    )


def test_prompts_hold_no_value_and_completions_mean_what_the_pair_says(
    graph: Any, schema: GraphSchema, atoms: Path, pairs: list[Pair], run_all
) -> None:
    by_id = {pair.id: pair for pair in pairs}
    prompts = SchemaTokenFormat(schema)
    with ValueIndex(graph.snapshot / "values.sqlite") as index:
        linker = Linker(index, schema)
        checked = []
        for row in rows(atoms / "dev.jsonl") + rows(atoms / "test.jsonl"):
            pair = by_id[row["id"]]
            linked = linker.link(pair.question)
            assert row["prompt"] == prompts.render(linked)
            generated = prompts.parse(row["completion"], linked)
            if not pair.cypher:
                assert generated.unanswerable
                continue
            assert sorted(map(str, generated.parameters.values())) == sorted(
                map(str, pair.parameters.values())
            )
            checked += [(generated.cypher, generated.parameters), (pair.cypher, pair.parameters)]
    answers = run_all(checked)
    for mine, theirs in zip(answers[::2], answers[1::2], strict=True):
        assert sorted(map(str, mine)) == sorted(map(str, theirs))


def test_a_prompt_has_one_meaning(atoms: Path) -> None:
    meanings: dict[str, set[str]] = {}
    for name in ("train", "dev", "test"):
        for row in rows(atoms / f"{name}.jsonl"):
            meanings.setdefault(row["prompt"], set()).add(row["completion"])
    assert all(len(found) == 1 for found in meanings.values())
    assert any(UNANSWERABLE in found for found in meanings.values())


def test_no_prompt_of_dev_or_test_is_trained_on(atoms: Path) -> None:
    train = {row["prompt"] for row in rows(atoms / "train.jsonl")}
    assert not train & {row["prompt"] for name in ("dev", "test") for row in rows(atoms / f"{name}.jsonl")}


def test_the_same_pairs_give_the_same_bytes(
    graph: Any, schema: GraphSchema, pairs: list[Pair], atoms: Path, tmp_path: Path
) -> None:
    export_atoms(pairs, tmp_path, schema=schema, snapshot=graph.snapshot)
    for file in sorted(atoms.rglob("*")):
        if file.is_file():
            assert (tmp_path / file.relative_to(atoms)).read_bytes() == file.read_bytes(), file.name


def test_a_value_that_is_not_linked_leaves_no_pair(
    graph: Any, schema: GraphSchema, pairs: list[Pair]
) -> None:
    pair = next(
        pair
        for pair in pairs
        if pair.cypher and any(isinstance(value, str) for value in pair.parameters.values())
    )
    with ValueIndex(graph.snapshot / "values.sqlite") as index:
        assert (
            relink_query(pair, Linker(index, schema).link("what is there"), SchemaTokenFormat(schema)) is None
        )


def test_calibration_text_is_prompts_with_completions(atoms: Path) -> None:
    first = rows(atoms / "train.jsonl")[0]
    assert rows(atoms / "calibration.jsonl")[0] == {"text": first["prompt"] + first["completion"]}


def test_chat_rows_end_with_the_query(
    graph: Any, schema: GraphSchema, pairs: list[Pair], tmp_path: Path
) -> None:
    manifest = export_chat(pairs[:60], tmp_path, schema=schema, snapshot=graph.snapshot)
    found = rows(tmp_path / "train.jsonl")
    assert len(found) == manifest["rows"]["train"] > 40
    assert [each["role"] for each in found[0]["messages"]] == ["system", "user", "assistant"]
    replies = [each["messages"][-1]["content"] for each in found]
    assert not [each for each in replies if each != each.strip() or "( " in each]  # as people write Cypher
    export_chat(pairs[:60], tmp_path / ".", schema=schema, snapshot=graph.snapshot, messages=False)
    assert set(rows(tmp_path / "train.jsonl")[0]) == {"prompt", "completion", "id"}


def test_questions_share_the_system_message_of_a_row(
    graph: Any, schema: GraphSchema, pairs: list[Pair], tmp_path: Path
) -> None:
    chosen = [replace(pair, split="train") for pair in pairs[:60]]
    single, shared = tmp_path / "single", tmp_path / "shared"
    for folder, turns in ((single, 1), (shared, 4)):
        folder.mkdir()
        export_chat(chosen, folder, schema=schema, snapshot=graph.snapshot, turns=turns)
    alone, together = rows(single / "train.jsonl"), rows(shared / "train.jsonl")
    assert len(together) == -(-len(alone) // 4)
    replies = [message for row in together for message in row["messages"][1:]]
    assert replies == [message for row in alone for message in row["messages"][1:]]
    assert all(row["messages"][0] == alone[0]["messages"][0] for row in together)
    manifest = json.loads((shared / "manifest.json").read_text())
    assert (manifest["rows"]["train"], manifest["questions"]["train"]) == (len(together), len(alone))


def test_rows_of_a_long_schema_hold_the_part_that_the_service_sends(
    graph: Any, schema: GraphSchema, pairs: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2c_data.export.chat_rows.MAX_SCHEMA_CHARS", 1500)
    chosen = [replace(pair, split="train") for pair in pairs[:8]]
    export_chat(chosen, tmp_path, schema=schema, snapshot=graph.snapshot, turns=4)
    builder = PromptBuilder(schema, ChatFormat(schema), schema_chars=1500)
    with ValueIndex(graph.snapshot / "values.sqlite") as index:
        linker = Linker(index, schema)
        by_id = {pair.id: linker.link(pair.question) for pair in chosen}
    for row in rows(tmp_path / "train.jsonl"):
        sent = builder.prepare(by_id[row["id"]]).initial_requests(1)[0].prompt
        assert row["messages"][:-1] == sent


def test_parquet_loads_as_a_data_set_with_a_card(pairs: list[Pair], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    manifest = export_parquet(pairs, tmp_path)
    table = parquet.read_table(tmp_path / "train.parquet").to_pylist()
    assert len(table) == manifest["rows"]["train"]
    assert (
        json.loads(table[0]["parameters"])
        == next(pair for pair in pairs if pair.id == table[0]["id"]).parameters
    )
    assert "config_name" in (tmp_path / "README.md").read_text()


def test_noise_keeps_values_readable_and_words_recognisable() -> None:
    pair = Pair(
        id="x",
        question="Which drugs treat 'Gout' and cost over 5?",
        cypher="MATCH",
        parameters={"v1": "Gout", "v2": 5},
    )
    seen = {perturb(pair, Random(seed)) for seed in range(200)}
    assert {kind for _, kind in seen} == {"unquoted", "lower", "both", "typo", "both typo"}
    assert all("gout" in text.lower() and "5" in text for text, _ in seen)
    assert "which drugs treat gout and cost over 5?" in {text for text, _ in seen}
    assert all(typo("therapy", Random(seed))[0] == "t" for seed in range(50))
