"""A dataset of several graphs, built as a recipe says."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.model_doubles import Reply, ScriptedServer
from tests.t2c_data.llm.scripted_llm import ScriptedLLM

from t2c_data.errors import DataInputError
from t2c_data.jobs.recipe import Recipe, run_recipe
from t2c_data.pairs import read_pairs

GOOD = [
    ("How many drugs are there?", "MATCH (d:Drug) RETURN count(d)"),
    ("How many diseases are there?", "MATCH (d:Disease) RETURN count(d)"),
    ("What are the names of all drugs?", "MATCH (d:Drug) RETURN d.name"),
]
MEDT2C = Path(__file__).parents[3] / "recipes" / "medt2c.yaml"


def load(folder: Path, content: Any) -> Recipe:
    (folder / "r.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return Recipe.load(folder / "r.yaml")


def test_the_shipped_recipe_has_the_papers_shape() -> None:
    recipe = Recipe.load(MEDT2C)
    assert recipe.pairs * len(recipe.pipelines) * len(recipe.graphs) == 3000
    assert recipe.path(recipe.graphs["demo"].source).is_dir()
    assert all(recipe.path(graph.lexicon).is_file() for graph in recipe.graphs.values())


def test_both_pipelines_of_every_graph_become_one_dataset(graph: Any, tmp_path: Path) -> None:
    lexicon = str(MEDT2C.parent.parent / "demo" / "lexicon.yaml")
    graphs = {"one": {"source": graph.uri, "lexicon": lexicon}, "two": {"lexicon": lexicon}}
    recipe = load(tmp_path, {"pairs": 3, "pipelines": ["template", "llm"], "graphs": graphs})
    with pytest.raises(DataInputError, match="--source two="):
        run_recipe(recipe, tmp_path / "out")
    with pytest.raises(DataInputError, match="the recipe has one, two"):
        run_recipe(recipe, tmp_path / "out", sources=["three=bolt://x"])
    assert not (tmp_path / "out").exists()
    model = ScriptedLLM({"all": GOOD})
    with ScriptedServer(lambda request: Reply(model(request))) as server:
        manifest = run_recipe(recipe, tmp_path / "out", sources=[f"two={graph.uri}"], llm_url=server.url)
        again = run_recipe(recipe, tmp_path / "out", sources=[f"two={graph.uri}"], llm_url=server.url)
    assert again == manifest
    pairs = read_pairs(tmp_path / "out" / "pairs.jsonl")
    assert manifest["by_graph"] == {"one": 6, "two": 6}
    assert sum(pair.template == "llm" for pair in pairs) == 2 * len(GOOD)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["leaks"]["question"] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a mapping"),
        ("graphs: 5", "graphs"),
        ("graphs: {a: {colour: red}}", "graphs.a.colour"),
        ("pairs: 5", "graphs"),
        ("graphs: {}", "graphs"),
        ("graphs: {a: null}\nunknown: 1", "unknown"),
        ("graphs: {a: null}\npairs: many", "pairs"),
        ("graphs: {a: null}\npairs: 0", "pairs"),
        ("graphs: {a: null}\npipelines: [magic]", "pipelines"),
        ("graphs: {a: null}\npipelines: template", "pipelines"),
        ("graphs: {a: null}\nllm: {temprature: 1}", "temprature"),
        ("graphs: {a: null}\nllm: {temperature: hot}", "temperature"),
        ("graphs: [a", "flow sequence"),
    ],
)
def test_an_invalid_recipe_is_refused_with_the_field(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataInputError, match=f"not a valid recipe.*{message}"):
        load(tmp_path, content)


@pytest.mark.parametrize(
    "name", ["../victim", "/tmp/victim", "a/../../victim", "..", ".", "", "a\\b", "pairs.jsonl"]
)
def test_a_graph_cannot_be_named_like_another_folder(tmp_path: Path, name: str) -> None:
    """Folders of graphs are deleted with --force; `../victim` was one outside the output folder."""
    (tmp_path / "victim").mkdir()
    with pytest.raises(DataInputError, match="not a valid recipe"):
        load(tmp_path, {"graphs": {name: {"source": "bolt://x"}}})
    assert (tmp_path / "victim").is_dir()


def test_force_deletes_nothing_that_no_recipe_made(tmp_path: Path) -> None:
    recipe = load(
        tmp_path, {"graphs": {"thesis": {"source": "bolt://127.0.0.1:1"}}, "pipelines": ["template"]}
    )
    (tmp_path / "home" / "thesis").mkdir(parents=True)
    with pytest.raises(DataInputError, match="not the folder of a build"):
        run_recipe(recipe, tmp_path / "home", force=True)
    assert (tmp_path / "home" / "thesis").is_dir()


def test_deprecated_fields_of_the_model_are_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load(tmp_path, {"graphs": {"a": None}, "llm": {"budget_tokens": 7, "structured": False}})
    assert (recipe.llm.max_total_tokens, recipe.llm.structured_output) == (7, False)
    assert "llm.budget_tokens in a recipe is deprecated; use llm.max_total_tokens" in capsys.readouterr().err
