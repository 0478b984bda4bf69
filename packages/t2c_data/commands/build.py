"""Commands that make pairs from graphs: `lexicon`, `build`, `recipe`.

Each parses, calls one public function and prints. What is done with a file of pairs is in `pairs`.
"""

from __future__ import annotations

import os
from pathlib import Path

from graphling_io.console import print_status, progress
from t2c_data.errors import DataInputError


def lexicon(*, snapshot: Path, out: Path, force: bool = False) -> int:
    """Draft the words of a graph from its schema, as YAML for a person to edit.

    Parameters
    ----------
    snapshot
        Folder that `t2c-graph snapshot` wrote.
    out
        The YAML file.
    force
        Replace the file when it exists.
    """
    from t2c_core.schema.model import GraphSchema
    from t2c_data.lexicon.draft import draft_text
    from t2c_data.pairs import write_lines

    if out.exists() and not force:
        raise DataInputError(f"{out} exists, perhaps edited by a person; give --force to replace it")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_lines(out, draft_text(GraphSchema.load(snapshot)).splitlines())
    print_status(f"wrote {out}; edit it, then: t2c-data build --lexicon {out}")
    return 0


def build(  # noqa: PLR0913 - the options of a command
    *,
    uri: str,
    snapshot: Path,
    out: Path,
    pairs: int = 3000,
    seed: int = 0,
    lexicon: Path | None = None,
    pipeline: str = "template",
    llm_url: str = "",
    llm_model: str = "",
    budget_tokens: int = 0,
    structured: bool = True,
    judged: bool = True,
    ray_workers: int = 0,
    user: str = "",
    password_env: str = "T2C_GRAPH_PASSWORD",  # noqa: S107 - a variable's name
    workers: int = 6,
    force: bool = False,
) -> int:
    """Build pairs from a graph; stopped at any time, a second call goes on and gives the same bytes.

    Parameters
    ----------
    uri
        Bolt address of the graph; it is only read.
    snapshot
        Folder that `t2c-graph snapshot` wrote.
    out
        Folder for `pairs.jsonl` and `manifest.json`.
    pairs
        How many pairs of each pipeline.
    seed
        The same seed, graph and lexicon give the same bytes.
    lexicon
        Words of the graph, edited by a person; drafted from the schema when absent.
    pipeline
        How pairs are made: `template`, `llm`, or `template,llm` for both.
    llm_url
        Address with /v1 of an OpenAI-compatible server, for `llm`; its key in T2C_LLM_KEY.
    llm_model
        The model's name there; the only one if left out.
    budget_tokens
        Tokens that the model may read and write in all; 0 for no bound.
    structured
        Whether the server holds replies to a JSON schema.
    judged
        Whether the model also judges its pairs.
    ray_workers
        Spread the template pipeline over so many workers of Ray; 0 works in this process. The bytes are the same.
    user
        User of the graph, when it asks for one.
    password_env
        Name of the environment variable that holds the password.
    workers
        Queries in flight.
    force
        Throw away what the folder holds of another build.
    """
    import json

    from t2c_data.jobs.build import BuildConfig, run_build
    from t2c_data.llm.client import Endpoint

    endpoint = Endpoint(url=llm_url, model=llm_model, budget_tokens=budget_tokens, structured=structured)
    order = BuildConfig(
        uri=uri, snapshot=snapshot, pairs=pairs, seed=seed, lexicon=lexicon, pipelines=tuple(pipeline.split(",")),
        endpoint=endpoint if llm_url else None, judged=judged, workers=workers, ray_workers=ray_workers,
        auth=(user, os.environ.get(password_env, "")) if user else None,
    )  # fmt: skip
    with progress("Building pairs") as advance:
        manifest = run_build(order, out, force=force, progress=advance)
    if manifest.get("stopped"):
        print_status(f"t2c-data: {manifest['stopped']}")
    shown = ("pairs", "by_split", "by_category", "dropped", "leaks", "usage", "stopped")
    print(json.dumps({key: manifest[key] for key in shown if key in manifest}))
    return 0


def recipe(
    file: Path, /, *, out: Path, source: list[str] | None = None, llm_url: str = "", force: bool = False
) -> int:
    """Build a data set from several graphs, as a YAML file says (see recipes/medt2c.yaml); resumable.

    Parameters
    ----------
    file
        The recipe.
    out
        Folder of the data set; one folder for each graph and pipeline is made in it.
    source
        Where a graph of the recipe is: NAME=bolt://..., or NAME=folder-or-zip of CSVs. Overrides the recipe.
    llm_url
        Address of the model. Overrides the recipe.
    force
        Throw away what the folder holds of another recipe.
    """
    import json

    from t2c_data.jobs.recipe import Recipe, run_recipe

    with progress("Building pairs") as advance:
        manifest = run_recipe(
            Recipe.load(file),
            out,
            sources=source or (),
            llm_url=llm_url,
            force=force,
            progress=advance,
            tell=print_status,
        )
    print(json.dumps(manifest, ensure_ascii=False))
    return 0
