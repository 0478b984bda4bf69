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
    pipeline: Literal["template"] = "template",
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
        How many pairs.
    seed
        The same seed, graph and lexicon give the same bytes.
    lexicon
        Words of the graph, edited by a person; drafted from the schema when absent.
    pipeline
        How questions are made.
    user
        User of the graph, when it asks for one.
    password_env
        Name of the environment variable that holds the password.
    workers
        Queries in flight.
    force
        Throw away what the folder holds of another build.
    """
    import asyncio
    import json

    from t2c_core.schema.model import GraphSchema
    from t2c_data.drafting import draft
    from t2c_data.lexicon import Lexicon, from_content
    from t2c_data.pipeline import BuildConfig, build, prepare

    del pipeline  # the only one so far
    schema = GraphSchema.load(snapshot)
    words = Lexicon.load(lexicon, schema) if lexicon else from_content(draft(schema), schema)
    config = BuildConfig(pairs=pairs, seed=seed, workers=workers)
    prepare(out, schema=schema, lexicon=words, config=config, force=force)
    auth = (user, os.environ.get(password_env, "")) if user else None
    with _progress("Building pairs") as advance:
        manifest = asyncio.run(
            build(out, uri=uri, schema=schema, lexicon=words, config=config, auth=auth, progress=advance)
        )
    print(
        json.dumps({key: manifest[key] for key in ("pairs", "by_split", "by_category", "dropped", "leaks")})
    )
    return 0


@app.command
def split(*, pairs: Path, out: Path, seed: int = 0) -> int:
    """Split pairs anew so that no query shape and no near-duplicate question stands on both sides.

    Parameters
    ----------
    pairs
        A file of pairs.
    out
        The file with their splits; the report goes to standard output.
    seed
        Mixes the assignment.
    """
    import json

    from t2c_data.records import read_pairs, write_lines
    from t2c_data.split import assign_splits

    found, report = assign_splits(read_pairs(pairs), seed=seed)
    write_lines(out, (pair.to_json() for pair in found))
    print(json.dumps(report))
    return 0


@app.command
def stats(*, pairs: Path) -> int:
    """Report on a file of pairs as JSON: counts, shapes, lengths, leaks.

    Parameters
    ----------
    pairs
        A file of pairs.
    """
    import json

    from t2c_data.records import read_pairs
    from t2c_data.stats import describe

    print(json.dumps(describe(read_pairs(pairs)), indent=1))
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
