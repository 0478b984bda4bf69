"""A data set of several graphs as a YAML file says: sources, pipelines, how many pairs of each.

Reads: the recipe; CSVs or running graphs; lexicons. Writes: a folder for each graph (store, snapshot, pairs of each
pipeline), and `pairs.jsonl` and `manifest.json` of all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.dataset.split import assign_splits
from t2c_data.errors import DataInputError
from t2c_data.jobs.build import BuildConfig, run_build
from t2c_data.jobs.output_dir import prepare_output_dir
from t2c_data.llm.client import Endpoint
from t2c_data.pairs import read_pairs, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Tell = Callable[[str], None]

SCHEMES = ("bolt://", "bolt+s://", "bolt+ssc://", "neo4j://", "neo4j+s://", "neo4j+ssc://")


@dataclass(frozen=True, kw_only=True)
class GraphSource:
    """A graph of a recipe."""

    source: str = ""
    """A Bolt address, or a folder or zip of CSVs; beside the recipe if relative."""
    lexicon: str = ""
    """Words of the graph; drafted from the schema when left out."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to build."""

    name: str
    folder: Path
    """Folder of the recipe, for relative paths."""
    graphs: dict[str, GraphSource]
    pairs: int = 750
    """Of each pipeline and graph."""
    seed: int = 0
    pipelines: tuple[str, ...] = ("template", "llm")
    llm: dict[str, Any] = field(default_factory=dict)
    """Fields of `llm.client.Endpoint`."""

    @classmethod
    def load(cls, file: Path) -> Recipe:
        """Read a recipe.

        Raises:
            DataInputError: it cannot be read as one.
        """
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            graphs = {name: GraphSource(**(each or {})) for name, each in content.pop("graphs").items()}
            return cls(
                name=content.pop("name", file.stem),
                folder=file.parent,
                graphs=graphs,
                pipelines=tuple(content.pop("pipelines", ("template", "llm"))),
                **content,
            )
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise DataInputError(f"{file} is no recipe of a data set: {error!r}") from error


def run_recipe(
    recipe: Recipe,
    out: Path,
    *,
    sources: Sequence[str] = (),
    llm_url: str = "",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Build all that a recipe names; called again it goes on where it was stopped.

    Args:
        recipe: what to build.
        out: the folder.
        sources: `NAME=source`, over what the recipe says.
        llm_url: address of the model, over what the recipe says.
        force: throw away what the folder holds of another recipe.
        progress: told how many pairs of the part that is being built there are.
        tell: told what is being built.

    Returns:
        The manifest.

    Raises:
        DataInputError: a graph has no source, or the folder holds something else.
    """
    places = _places(recipe, sources)
    plan = {
        "recipe": recipe.name, "pairs": recipe.pairs, "seed": recipe.seed, "pipelines": recipe.pipelines,
        "graphs": sorted(recipe.graphs),
    }  # fmt: skip
    prepare_output_dir(out, plan, artifacts=("manifest.json", "pairs.jsonl", *recipe.graphs), force=force)
    endpoint = (
        Endpoint(**{**recipe.llm, **({"url": llm_url} if llm_url else {})}) if recipe.llm or llm_url else None
    )
    parts = {}
    for name, source in places.items():
        if tell:
            tell(f"{name}: {source}")
        with _graph(source, out / name) as uri:
            order = BuildConfig(
                uri=uri,
                snapshot=_snapshot(uri, out / name / "snapshot"),
                pairs=recipe.pairs,
                seed=recipe.seed,
                lexicon=_beside(recipe, recipe.graphs[name].lexicon),
                pipelines=recipe.pipelines,
                endpoint=endpoint,
            )
            parts[name] = run_build(order, out / name / "pairs", progress=progress)
    return _together(out, plan, parts, recipe.seed)


def _places(recipe: Recipe, sources: Sequence[str]) -> dict[str, str | Path]:
    given = dict(each.partition("=")[::2] for each in sources)
    strange = set(given) - set(recipe.graphs)
    if strange:
        raise DataInputError(
            f"--source {min(strange)}=...: the recipe has {', '.join(sorted(recipe.graphs))}"
        )
    places: dict[str, str | Path] = {}
    for name, graph in recipe.graphs.items():
        source = given.get(name) or graph.source
        if not source:
            raise DataInputError(
                f"the recipe does not say where {name} is; give --source {name}=bolt://host:port, "
                "or a folder or zip of CSVs"
            )
        if source.startswith(SCHEMES):
            places[name] = source
        else:
            places[name] = (
                recipe.folder / source if name not in given else type(recipe.folder)(source)
            ).resolve()
    return places


def _beside(recipe: Recipe, path: str) -> Path | None:
    return (recipe.folder / path).resolve() if path else None


@contextmanager
def _graph(source: str | Path, folder: Path) -> Iterator[str]:
    """Give the address of a graph; one of CSVs is loaded into an embedded Neo4j and stopped afterwards."""
    if isinstance(source, str):
        yield source
        return
    from t2c_core.graph.embedded import EmbeddedGraph
    from t2c_core.graph.importer import import_graph

    folder.mkdir(parents=True, exist_ok=True)
    loaded = folder / "loaded.json"
    with EmbeddedGraph(folder / "store") as server:
        if not loaded.is_file():
            summary = import_graph(source, uri=server.uri, replace=True)
            write_lines(
                loaded, [json.dumps({"nodes": summary.nodes, "relationships": summary.relationships})]
            )
        yield server.uri


def _snapshot(uri: str, out: Path) -> Path:
    from t2c_core.schema.snapshot import write_snapshot

    if not (out / "manifest.json").is_file():
        write_snapshot(out, uri=uri, replace=True)
    return out


def _together(out: Path, plan: dict[str, Any], parts: dict[str, dict[str, Any]], seed: int) -> dict[str, Any]:
    pairs = [pair for name in parts for pair in read_pairs(out / name / "pairs" / "pairs.jsonl")]
    split, leaks = assign_splits(pairs, seed=seed)
    write_lines(out / "pairs.jsonl", (pair.to_json() for pair in split))
    manifest = {
        "pairs": len(split),
        "plan": plan,
        "by_graph": {name: part["pairs"] for name, part in parts.items()},
        "schemas": {name: part["schema"] for name, part in parts.items()},
        "by_split": dict(sorted(Counter(pair.split for pair in split).items())),
        "by_category": dict(sorted(Counter(pair.category for pair in split).items())),
        "leaks": leaks,
        "sha256": hashlib.sha256((out / "pairs.jsonl").read_bytes()).hexdigest(),
    }
    write_lines(out / "manifest.json", [json.dumps(manifest, indent=1, sort_keys=True)])
    return manifest
