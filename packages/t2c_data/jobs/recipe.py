"""Builds a dataset from several graphs, as a YAML recipe says.

Reads: the recipe; CSVs or running graphs; lexicons. Writes: a folder per graph (store, snapshot, pairs of each
pipeline), and `pairs.jsonl` and `manifest.json` of all graphs.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from graphling_io.console import print_status
from graphling_io.outputs import write_text
from t2c_core.graph.credentials import GraphConnection
from t2c_data.dataset.collector import write_pairs
from t2c_data.dataset.store import prepare_output_dir
from t2c_data.errors import DataInputError
from t2c_data.jobs.build import run_build
from t2c_data.jobs.config import BuildConfig
from t2c_data.llm.endpoint import Endpoint
from t2c_data.pairs import Pair, iter_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SCHEMES = ("bolt://", "bolt+s://", "bolt+ssc://", "neo4j://", "neo4j+s://", "neo4j+ssc://")
DEPRECATED = {"budget_tokens": "max_total_tokens", "structured": "structured_output"}
"""Fields of `llm` and their present names."""
FolderName = Annotated[str, StringConstraints(pattern=r"^\w[\w -]*$")]
"""Name of a graph, which is also the name of its folder."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecipeGraph(_Strict):
    """A graph of a recipe."""

    source: str = ""
    """Bolt address, or folder or zip of CSVs; relative to the recipe."""
    database: str | None = None
    """Name of the database at a Bolt address; the server's default database if omitted."""
    lexicon: str = ""
    """Lexicon of the graph; drafted from the schema if omitted."""


class Recipe(_Strict):
    """What to build from several graphs."""

    name: str
    folder: Path
    """Folder of the recipe, for relative paths."""
    graphs: Annotated[dict[FolderName, RecipeGraph], Field(min_length=1)]
    pairs: Annotated[int, Field(ge=1)] = 750
    """Number of pairs per pipeline and graph."""
    seed: int = 0
    pipelines: Annotated[tuple[Literal["template", "llm"], ...], Field(min_length=1)] = ("template", "llm")
    llm: Endpoint = Endpoint()

    @model_validator(mode="before")
    @classmethod
    def _accept_deprecated(cls, content: Any) -> Any:
        if isinstance(content, dict):
            content = {key: value for key, value in content.items() if value is not None}
            content["graphs"] = _without_nulls(content.get("graphs"))
            llm = content.get("llm")
            for old, new in DEPRECATED.items():
                if isinstance(llm, dict) and old in llm:
                    print_status(f"llm.{old} in a recipe is deprecated; use llm.{new}")
                    llm[new] = llm.pop(old)
            if isinstance(llm, dict) and (unknown := set(llm) - set(Endpoint.__dataclass_fields__)):
                raise ValueError(f"unknown field of llm: {min(unknown)}")
        return content

    @classmethod
    def load(cls, file: Path) -> Recipe:
        """Read a recipe.

        Raises:
            DataInputError: the file cannot be read or is not a recipe.
        """
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise TypeError("it is not a mapping")  # noqa: TRY301
            return cls.model_validate({"name": file.stem, **content, "folder": file.parent})
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'recipe'}: {each['msg']}" for each in error.errors()
            )
            raise DataInputError(f"{file} is not a valid recipe: {faults}") from error
        except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
            raise DataInputError(f"{file} is not a valid recipe: {error}") from error

    def path(self, name: str) -> Path:
        """Return a path that is relative to the recipe."""
        return (self.folder / name).resolve()


def run_recipe(
    recipe: Recipe,
    out: Path,
    *,
    sources: Sequence[str] = (),
    llm_url: str = "",
    auth_file: Path | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Build all that a recipe names and return the manifest; a stopped run is resumed.

    Args:
        recipe: what to build.
        out: the folder.
        sources: `NAME=source`, which override the recipe.
        llm_url: address of the model, which overrides the recipe.
        auth_file: file with a `user/password` line for graphs at a Bolt address.
        force: delete what the folder holds of another recipe.
        progress: called with the number of pairs of the part that is being built, and the target.

    Raises:
        DataInputError: a graph has no source, or the folder holds something else.
    """
    places = _places(recipe, sources)
    plan = {
        "recipe": recipe.name, "pairs": recipe.pairs, "seed": recipe.seed, "pipelines": recipe.pipelines,
        "graphs": sorted(recipe.graphs),
    }  # fmt: skip
    prepare_output_dir(out, plan, artifacts=("manifest.json", "pairs.jsonl", *recipe.graphs), force=force)
    llm = replace(recipe.llm, url=llm_url or recipe.llm.url)
    manifests = {}
    for name, place in places.items():
        print_status(f"{name}: {place}")
        chosen = recipe.graphs[name]
        with _graph(place, out / name, chosen.database, auth_file) as graph:
            config = BuildConfig(
                graph=graph,
                snapshot=_snapshot(graph, out / name / "snapshot"),
                pairs=recipe.pairs,
                seed=recipe.seed,
                lexicon=recipe.path(chosen.lexicon) if chosen.lexicon else None,
                pipeline=",".join(recipe.pipelines),
                llm=llm,
            )
            manifests[name] = run_build(config, out / name / "pairs", progress=progress)
    return _merge(out, plan, manifests, recipe.seed)


def _places(recipe: Recipe, sources: Sequence[str]) -> dict[str, str | Path]:
    """Return the Bolt address, or the folder or zip of CSVs, of each graph."""
    given = dict(each.partition("=")[::2] for each in sources)
    unknown = set(given) - set(recipe.graphs)
    if unknown:
        raise DataInputError(
            f"invalid --source {min(unknown)}=...: the recipe has {', '.join(sorted(recipe.graphs))}"
        )
    places: dict[str, str | Path] = {}
    for name, graph in recipe.graphs.items():
        source = given.get(name) or graph.source
        if not source:
            raise DataInputError(
                f"the recipe has no source of {name}; give --source {name}=bolt://host:port, "
                "or a folder or zip of CSVs"
            )
        if source.startswith(SCHEMES):
            places[name] = source
        else:
            places[name] = Path(source).resolve() if given.get(name) else recipe.path(source)
    return places


@contextmanager
def _graph(
    place: str | Path, folder: Path, database: str | None, auth_file: Path | None
) -> Iterator[GraphConnection]:
    """Yield the connection of a graph; CSVs are imported into an embedded Neo4j, which is stopped afterwards."""
    if isinstance(place, str):
        yield GraphConnection(uri=place, database=database, auth_file=auth_file)
        return
    from t2c_core.graph.embedded import EmbeddedGraph
    from t2c_core.graph.importer import import_graph

    imported = folder / "loaded.json"
    with EmbeddedGraph(folder / "store") as server:
        if not imported.is_file():
            summary = import_graph(place, uri=server.uri, replace=True)
            counts = {"nodes": summary.nodes, "relationships": summary.relationships}
            write_text(imported, json.dumps(counts) + "\n")
        yield GraphConnection(uri=server.uri)


def _snapshot(graph: GraphConnection, out: Path) -> Path:
    from t2c_core.schema.snapshot import write_snapshot

    if not (out / "manifest.json").is_file():
        write_snapshot(out, uri=graph.uri, auth=graph.auth, database=graph.database, replace=True)
    return out


def _merge(
    out: Path, plan: dict[str, Any], manifests: dict[str, dict[str, Any]], seed: int
) -> dict[str, Any]:
    def pairs() -> Iterator[Pair]:
        for name in manifests:
            yield from iter_pairs(out / name / "pairs" / "pairs.jsonl")

    by_graph = Counter({name: manifest["pairs"] for name, manifest in manifests.items()})
    schemas = {name: manifest["schema"] for name, manifest in manifests.items()}
    extra = {"plan": plan, "by_graph": dict(by_graph), "schemas": schemas}
    return write_pairs(out, pairs, seed=seed, extra=extra)


def _without_nulls(graphs: Any) -> Any:
    return {name: each or {} for name, each in graphs.items()} if isinstance(graphs, dict) else graphs
