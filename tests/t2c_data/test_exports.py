import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from t2c_core.prompt.schema_tokens import UNANSWERABLE, SchemaTokenFormat
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_data.dataset.split import assign_splits, leak_report, near_duplicate_key
from t2c_data.dataset.stats import describe
from t2c_data.export.augmentation import perturb, typo
from t2c_data.export.formats import export_atoms, export_chat, export_parquet
from t2c_data.export.query_relinking import relink_query
from t2c_data.pairs import Pair, read_pairs


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


def test_most_pairs_survive_linking_and_every_loss_is_counted(atoms: Path, pairs: list[Pair]) -> None:
    manifest = json.loads((atoms / "manifest.json").read_text())
    assert sum(manifest["rows"].values()) > len(pairs) * 0.9
    assert manifest["vocabulary"] < 4000
    assert {"contradiction", "unlinked"} <= {key.split(" ")[0] for key in manifest["dropped"]} | {
        "contradiction",
        "unlinked",
    }


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
    export_chat(pairs[:60], tmp_path / ".", schema=schema, snapshot=graph.snapshot, messages=False)
    assert set(rows(tmp_path / "train.jsonl")[0]) == {"prompt", "completion", "id"}


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


def test_pairs_that_share_a_shape_or_a_wording_stay_together() -> None:
    def pair(number: int, question: str, cypher: str, value: str) -> Pair:
        return Pair(id=str(number), question=question, cypher=cypher, parameters={"v1": value})

    made = [
        pair(number, f"{verb} the {thing} {place} of 'value{number}'", f"MATCH (a:{thing}{place}) WHERE a.x = $v1 RETURN a.y", f"value{number}")
        for number, (verb, thing, place) in enumerate((verb, thing, place) for verb in ("list", "show", "get") for thing in "ABCDEFGH" for place in "JKLMNOPQRS")
    ]  # fmt: skip
    split, report = assign_splits(made, seed=3)
    assert report["skeleton"] == report["near"] == report["question"] == 0
    assert len({each.split for each in split}) == 3
    assert leak_report([*split, made[0], Pair(**{**vars_of(made[0]), "split": "dev"})])["skeleton"] == 1
    assert near_duplicate_key(made[0]) == near_duplicate_key(pair(1, "please show me A J of 'z'", "", "z"))


def vars_of(pair: Pair) -> dict[str, Any]:
    return {name: getattr(pair, name) for name in Pair.__dataclass_fields__}


def test_figures_count_everything(pairs: list[Pair]) -> None:
    figures = describe(pairs)
    assert figures["pairs"] == sum(figures["by_category"].values()) == len(pairs)
    assert figures["query_shapes"] > 80
    assert describe([]) == {"pairs": 0}
