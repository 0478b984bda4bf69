"""Commands that make pairs from graphs: `lexicon`, `build`, `recipe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from graphling_io.console import print_status, progress
from t2c_data.errors import DataInputError
from t2c_data.jobs.config import BuildConfig

SHOWN = ("pairs", "by_split", "by_category", "dropped", "evaluation", "leaks", "usage", "stopped")
"""Fields of the manifest that `build` prints."""


def lexicon(*, snapshot: Path, out: Path, force: bool = False) -> None:
    """Draft the lexicon of a graph from its schema, as YAML for a person to edit.

    Parameters
    ----------
    snapshot
        Folder that `t2c-graph snapshot` wrote.
    out
        The YAML file.
    force
        Replace the file if it exists.
    """
    from graphling_io.outputs import check_no_overlap, write_text
    from t2c_core.schema.model import GraphSchema
    from t2c_data.lexicon.draft import draft_text

    if out.exists() and not force:
        raise DataInputError(f"{out} exists and may have been edited; give --force to replace it")
    check_no_overlap(out, [snapshot])
    write_text(out, draft_text(GraphSchema.load(snapshot)))
    print_status(f"wrote {out}; edit it, then: t2c-data build --lexicon {out}")


def build(
    config: Annotated[BuildConfig, Parameter(name="*")], *, out: Path, force: bool = False
) -> dict[str, Any]:
    """Build pairs from a graph; stopped at any time, the same command resumes and gives the same bytes.

    Parameters
    ----------
    out
        Folder for `pairs.jsonl` and `manifest.json`.
    force
        Delete what the folder holds of another build.
    """
    from t2c_data.jobs.build import run_build

    with progress("Building pairs") as advance:
        manifest = run_build(config, out, force=force, progress=advance)
    if manifest.get("stopped"):
        print_status(f"t2c-data: {manifest['stopped']}")
    return {key: manifest[key] for key in SHOWN if key in manifest}


def recipe(
    file: Path,
    /,
    *,
    out: Path,
    source: list[str] | None = None,
    llm_url: str = "",
    auth_file: Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Build a dataset from several graphs, as a YAML file says (see recipes/medt2c.yaml); resumable.

    Parameters
    ----------
    file
        The recipe.
    out
        Folder of the dataset; one folder per graph and pipeline is made in it.
    source
        Source of a graph: NAME=bolt://..., or NAME=folder-or-zip of CSVs. Overrides the recipe.
    llm_url
        Address of the language model, with /v1. Overrides the recipe.
    auth_file
        File with a `user/password` line; NEO4J_USERNAME and NEO4J_PASSWORD are used if omitted.
    force
        Delete what the folder holds of another recipe.
    """
    from t2c_data.jobs.recipe import Recipe, run_recipe

    with progress("Building pairs") as advance:
        return run_recipe(
            Recipe.load(file), out, sources=source or (), llm_url=llm_url, auth_file=auth_file, force=force,
            progress=advance,
        )  # fmt: skip
