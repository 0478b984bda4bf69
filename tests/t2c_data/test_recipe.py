"""A data set of several graphs, as a file says."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from t2c_data.errors import DataInputError
from t2c_data.jobs.recipe import Recipe, run_recipe
from t2c_data.pairs import read_pairs
from t2c_data.testing import ScriptedWriter
from tests.model_doubles import Reply, ScriptedServer

GOOD = [
    ("How many drugs are there?", "MATCH (d:Drug) RETURN count(d)"),
    ("How many diseases are there?", "MATCH (d:Disease) RETURN count(d)"),
    ("What are the names of all drugs?", "MATCH (d:Drug) RETURN d.name"),
]
MEDT2C = Path(__file__).parents[2] / "recipes" / "medt2c.yaml"


def test_the_shipped_recipe_has_the_papers_shape() -> None:
    recipe = Recipe.load(MEDT2C)
    assert recipe.pairs * len(recipe.pipelines) * len(recipe.graphs) == 3000
    assert (MEDT2C.parent / recipe.graphs["demo"].source).is_dir()
    for graph in recipe.graphs.values():
        assert (MEDT2C.parent / graph.lexicon).is_file()


def test_both_pipelines_of_every_graph_become_one_set(graph: Any, tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    lexicon = str(MEDT2C.parent.parent / "demo" / "lexicon.yaml")
    graphs = {"one": {"source": graph.uri, "lexicon": lexicon}, "two": {"lexicon": lexicon}}
    file.write_text(yaml.safe_dump({"pairs": 3, "pipelines": ["template", "llm"], "graphs": graphs}))
    with pytest.raises(DataInputError, match="--source two="):
        run_recipe(Recipe.load(file), tmp_path / "out")
    with pytest.raises(DataInputError, match="the recipe has one, two"):
        run_recipe(Recipe.load(file), tmp_path / "out", sources=["three=bolt://x"])
    writer = ScriptedWriter({"all": GOOD})
    with ScriptedServer(lambda request: Reply(writer(request))) as server:
        manifest = run_recipe(
            Recipe.load(file), tmp_path / "out", sources=[f"two={graph.uri}"], llm_url=server.url
        )
        again = run_recipe(
            Recipe.load(file), tmp_path / "out", sources=[f"two={graph.uri}"], llm_url=server.url
        )
    assert [again["by_graph"], again["sha256"]] == [manifest["by_graph"], manifest["sha256"]], (
        manifest,
        again,
    )
    pairs = read_pairs(tmp_path / "out" / "pairs.jsonl")
    assert manifest["by_graph"] == {"one": 6, "two": 6}
    assert sum(pair.template == "llm" for pair in pairs) == 2 * len(GOOD)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["leaks"]["question"] == 0


def test_a_file_that_is_no_recipe_is_told(tmp_path: Path) -> None:
    for text in ("", "graphs: 5", "graphs: {a: {colour: red}}", "pairs: 5", "graphs: {}\nunknown: 1"):
        (tmp_path / "r.yaml").write_text(text)
        with pytest.raises(DataInputError, match="no recipe"):
            Recipe.load(tmp_path / "r.yaml")
