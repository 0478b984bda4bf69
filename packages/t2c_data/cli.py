"""`t2c-data`: draft a lexicon, build pairs from a graph, split, report on and export them.

Parses, calls one public function, prints. Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App, CycloptsError

from t2c_data.errors import DataError, DataInputError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

app = App(
    name="t2c-data",
    help="Turn a graph into question-Cypher pairs. Exit 0: done, 1: failed, 2: wrong input.",
    version_flags=["--version"],
    result_action="return_value",
)


@app.command
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
    from t2c_data.drafting import draft_text
    from t2c_data.records import write_lines

    if out.exists() and not force:
        raise DataInputError(f"{out} exists, perhaps edited by a person; give --force to replace it")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_lines(out, draft_text(GraphSchema.load(snapshot)).splitlines())
    _tell(f"wrote {out}; edit it, then: t2c-data build --lexicon {out}")
    return 0


@app.command
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

    from t2c_data.build import BuildOrder, run_build
    from t2c_data.llm.client import Endpoint

    endpoint = Endpoint(url=llm_url, model=llm_model, budget_tokens=budget_tokens, structured=structured)
    order = BuildOrder(
        uri=uri, snapshot=snapshot, pairs=pairs, seed=seed, lexicon=lexicon, pipelines=tuple(pipeline.split(",")),
        endpoint=endpoint if llm_url else None, judged=judged, workers=workers, ray_workers=ray_workers,
        auth=(user, os.environ.get(password_env, "")) if user else None,
    )  # fmt: skip
    with _progress("Building pairs") as advance:
        manifest = run_build(order, out, force=force, progress=advance)
    if manifest.get("stopped"):
        _tell(f"t2c-data: {manifest['stopped']}")
    shown = ("pairs", "by_split", "by_category", "dropped", "leaks", "usage", "stopped")
    print(json.dumps({key: manifest[key] for key in shown if key in manifest}))
    return 0


@app.command
def validate(  # noqa: PLR0913 - the options of a command
    *,
    uri: str,
    snapshot: Path,
    pairs: Path | None = None,
    out: Path | None = None,
    judged: Path | None = None,
    lexicon: Path | None = None,
    unproven: bool = False,
    encoder: bool = False,
    llm_url: str = "",
    llm_model: str = "",
    replies: Path | None = None,
    user: str = "",
    password_env: str = "T2C_GRAPH_PASSWORD",  # noqa: S107 - a variable's name
    workers: int = 6,
) -> int:
    """Give each pair a verdict of five validators; or measure the validators on pairs that people judged.

    Parameters
    ----------
    uri
        Bolt address of the graph; it is only read.
    snapshot
        Folder that `t2c-graph snapshot` wrote.
    pairs
        A file of pairs.
    out
        The file with their verdicts: each row plus keep, reasons, checks and details. With --judged: the whole
        report, with the pairs missed and the false alarms.
    judged
        A file of judged pairs: question, cypher and right (true or false).
    lexicon
        Words of the graph, edited by a person; drafted from the schema when absent.
    unproven
        Keep pairs whose answer is empty, or whose values the graph does not have.
    encoder
        Also ask the sentence encoder how far a question is from its query.
    llm_url
        Address with /v1 of a model that judges what passes all else; its key in T2C_LLM_KEY.
    llm_model
        The model's name there; the only one if left out.
    replies
        Folder where the model's replies are kept; beside `out` if left out.
    user
        User of the graph, when it asks for one.
    password_env
        Name of the environment variable that holds the password.
    workers
        Queries in flight.
    """
    import json

    from t2c_data.check import CheckOrder, run_check

    if (pairs is None) == (judged is None):
        raise DataInputError("give either --pairs FILE or --judged FILE")
    if pairs is not None and out is None:
        raise DataInputError("--pairs wants --out FILE for the verdicts")
    order = CheckOrder(
        uri=uri, snapshot=snapshot, lexicon=lexicon, unproven=unproven, encoder=encoder, llm_url=llm_url,
        llm_model=llm_model, replies=replies, workers=workers,
        auth=(user, os.environ.get(password_env, "")) if user else None,
    )  # fmt: skip
    with _progress("Validating pairs") as advance:
        report = run_check(order, pairs=pairs, judged=judged, out=out, progress=advance)
    print(json.dumps(report, ensure_ascii=False))
    return 0


@app.command
def reword(  # noqa: PLR0913 - the options of a command
    *,
    pairs: Path,
    snapshot: Path,
    out: Path,
    llm_url: str,
    llm_model: str = "",
    lexicon: Path | None = None,
    count: int = 2,
    encoder: bool = True,
    replies: Path | None = None,
) -> int:
    """Have a model reword questions; only rewordings that hold are added to the pairs.

    Parameters
    ----------
    pairs
        A file of pairs.
    snapshot
        Folder that `t2c-graph snapshot` wrote.
    out
        The file with the pairs and their rewordings; what failed is counted on standard output.
    llm_url
        Address with /v1 of an OpenAI-compatible server; its key in T2C_LLM_KEY.
    llm_model
        The model's name there; the only one if left out.
    lexicon
        Words of the graph, edited by a person; drafted from the schema when absent.
    count
        Rewordings asked for of each question.
    encoder
        Whether the sentence encoder must find question and rewording alike.
    replies
        Folder where the model's replies are kept; beside `out` if left out.
    """
    import json

    from t2c_data.check import RewordOrder, run_reword

    order = RewordOrder(
        snapshot=snapshot, lexicon=lexicon, llm_url=llm_url, llm_model=llm_model, count=count, encoder=encoder,
        replies=replies,
    )  # fmt: skip
    print(json.dumps(run_reword(order, pairs, out)))
    return 0


@app.command
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

    from t2c_data.recipe import Recipe, run_recipe

    with _progress("Building pairs") as advance:
        manifest = run_recipe(
            Recipe.load(file),
            out,
            sources=source or (),
            llm_url=llm_url,
            force=force,
            progress=advance,
            tell=_tell,
        )
    print(json.dumps(manifest, ensure_ascii=False))
    return 0


@app.command
def split(*, pairs: Path, out: Path, seed: int = 0, encoder: bool = False) -> int:
    """Split pairs anew so that no query shape and no near-duplicate question stands on both sides.

    Parameters
    ----------
    pairs
        A file of pairs.
    out
        The file with their splits; the report goes to standard output.
    seed
        Mixes the assignment.
    encoder
        Whether questions that the sentence encoder finds nearly equal stay together too; for reworded ones.
    """
    import json

    from t2c_data.records import read_pairs, write_lines
    from t2c_data.split import assign_splits

    given = read_pairs(pairs)
    alike: list[tuple[int, int]] = []
    if encoder:
        from t2c_data.encoder import Encoder
        from t2c_data.similarity import alike_questions

        alike = alike_questions(given, Encoder())
    found, report = assign_splits(given, seed=seed, alike=alike)
    write_lines(out, (pair.to_json() for pair in found))
    print(json.dumps(report))
    return 0


@app.command
def stats(
    *, pairs: Path, snapshot: Path | None = None, manifest: Path | None = None, out: Path | None = None
) -> int:
    """Report on a file of pairs as JSON: counts, shapes, lengths, variety, coverage, leaks.

    Parameters
    ----------
    pairs
        A file of pairs.
    snapshot
        Folder that `t2c-graph snapshot` wrote, to see what of the schema no pair touches.
    manifest
        The build's manifest, for what it dropped; the one beside the pairs when absent.
    out
        Folder for the results page: the same figures, drawn.
    """
    import json
    from collections import Counter

    from t2c_core.schema.model import GraphSchema
    from t2c_data.plots import write_results
    from t2c_data.records import read_pairs
    from t2c_data.stats import describe, read_drops

    found = read_pairs(pairs)
    drops = read_drops(manifest or pairs.with_name("manifest.json"), needed=manifest is not None)
    figures = describe(found, schema=GraphSchema.load(snapshot) if snapshot else None, dropped=drops)
    if out is not None and found:
        write_results(figures, Counter(len(pair.question.split()) for pair in found), out)
        _tell(f"wrote {out}/README.md")
    print(json.dumps(figures, indent=1))
    return 0


@app.command
def export(
    *,
    pairs: Path,
    out: Path,
    format: Literal["atoms", "chat", "completion", "parquet"] = "atoms",  # noqa: A002
    snapshot: Path | None = None,
    seed: int = 0,
    noise: float = 0.45,
    force: bool = False,
) -> int:
    """Export pairs for training.

    Parameters
    ----------
    pairs
        A file of pairs.
    out
        Folder of the export.
    format
        atoms: tokenizer and rows of a tiny per-graph model; chat: OpenAI messages; completion: prompt and
        completion for general models; parquet: the pairs as they are, with a data card.
    snapshot
        Folder that `t2c-graph snapshot` wrote; needed for all but parquet.
    seed
        Mixes the noise.
    noise
        Share of questions whose quotes, capitals or letters are disturbed before they are linked (atoms).
    force
        Write into a folder that is not empty.
    """
    import json

    from t2c_core.schema.model import GraphSchema
    from t2c_data.export import export_atoms, export_chat, export_parquet, fresh_folder
    from t2c_data.records import read_pairs

    found = read_pairs(pairs)
    if format != "parquet" and snapshot is None:
        raise DataInputError(f"--format {format} links values and needs --snapshot DIR")
    fresh_folder(out, force=force)
    if format == "parquet" or snapshot is None:
        print(json.dumps(export_parquet(found, out)))
        return 0
    schema = GraphSchema.load(snapshot)
    with _progress("Linking questions") as advance:
        if format == "atoms":
            manifest = export_atoms(
                found, out, schema=schema, snapshot=snapshot, seed=seed, noise=noise, progress=advance
            )
        else:
            manifest = export_chat(
                found, out, schema=schema, snapshot=snapshot, messages=format == "chat", progress=advance
            )
    print(json.dumps(manifest))
    return 0


def main() -> None:
    """Run the command line and exit with its status."""
    from t2c_core.errors import InputError, T2CError

    try:
        status = app(exit_on_error=False)
    except CycloptsError:
        status = 2
    except (DataInputError, InputError) as error:
        _tell(f"t2c-data: {error}")
        status = 2
    except (DataError, T2CError) as error:
        _tell(f"t2c-data: {error}")
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of our output is gone
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error once there is progress to show."""
    from rich.console import Console
    from rich.progress import Progress

    bar: Bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(title, total=None)
    started = False

    def advance(done: int, total: int) -> None:
        nonlocal started
        if not started:
            bar.start()
            started = True
        bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        if started:
            bar.stop()
