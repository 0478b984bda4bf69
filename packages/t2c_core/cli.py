"""`t2c-graph`: embedded Neo4j, CSV import, snapshots and checks from the command line."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import App, CycloptsError, Parameter

from graphling_io.console import print_status, progress
from t2c_core.errors import EmbeddedError, GraphUnavailableError, InputError, T2CError
from t2c_core.graph.credentials import MIN_PASSWORD_LENGTH, GraphConnection, read_users

app = App(
    name="t2c-graph",
    suppress_keyboard_interrupt=False,
    help="Run, fill, describe and check a Neo4j graph. Exit 0: done, 1: failed, 2: invalid input.",
    version=lambda: version("graphling"),
    version_flags=["--version"],
    result_action="return_value",
)

Connection = Annotated[GraphConnection, Parameter(name="*")]


@app.command
def up(
    *,
    data_dir: Annotated[Path, Parameter(name=("--data-dir", "--home"))],
    port: int = 7687,
    auth_file: Path | None = None,
    read_only: bool = False,
    heap_mb: int = 512,
) -> int:
    """Run an embedded Neo4j in the foreground; prints `ready bolt://127.0.0.1:PORT` when ready.

    It listens on the loopback interface only. SIGTERM or Ctrl-C stops it.

    Parameters
    ----------
    data_dir
        Folder of the store, created if it does not exist. `--home` is the former name of this option.
    port
        Bolt port; 0 for any free port.
    auth_file
        File of `user/password` lines, which replace all users and enable authentication. Without it there is no
        authentication: any process of this machine can read and write the graph.
    read_only
        Reject writes to the graph.
    heap_mb
        Java heap in megabytes; raise it for large graphs.
    """
    import signal

    from t2c_core.graph.embedded import EmbeddedGraph, ServerLimits

    users = read_users(auth_file, min_password_length=MIN_PASSWORD_LENGTH) if auth_file else None
    graph = EmbeddedGraph(
        data_dir, port=port, users=users, read_only=read_only, limits=ServerLimits(heap_mb=heap_mb)
    )
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.default_int_handler)
    try:
        with progress("Fetching Neo4j (once)") as advance:
            graph.start(progress=advance)
        if users is None:
            print_status(
                f"No authentication: any process of this machine can {'read' if read_only else 'read and write'} "
                f"this graph at {graph.uri}. Enable it with --auth-file."
            )
        print(f"ready {graph.uri}", flush=True)
        status = graph.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, signal.SIG_IGN)
        graph.stop()
    raise EmbeddedError(f"the server ended by itself with status {status}. {graph.log_tail()}")


@app.command(name="import")
def import_(
    source: Path,
    /,
    *,
    graph: Connection,
    mapping: Path | None = None,
    dry_run: bool = False,
    force: bool = False,
    strict: bool = False,
) -> int:
    """Import a folder or zip of CSVs into an empty database; prints a JSON summary.

    Typed headers define the content of a file: :ID and :LABEL for nodes, :START_ID, :END_ID and :TYPE for
    relationships, name:type for properties. Files that apoc.export.csv wrote are read as they are. For plain files, as
    spreadsheets write them, a mapping to labels and relationships is proposed, which --mapping keeps for editing. All
    headers and rows are validated before anything is written.

    Parameters
    ----------
    source
        Folder or zip.
    graph
        Database to fill.
    mapping
        YAML that says which labels and relationships plain files hold. If it does not exist, the proposal is written to
        it and imported; edit it and import again with --force.
    dry_run
        Check all headers and write the proposed mapping, but import nothing; prints the mapping.
    force
        Delete existing data first.
    strict
        Import nothing if a row is invalid, instead of skipping the row.
    """
    from graphling_io.outputs import write_text
    from t2c_core.graph.csv.mapping import CsvMapping
    from t2c_core.graph.csv.source import CsvSource
    from t2c_core.graph.importer import import_graph

    with CsvSource(source, CsvMapping.load(mapping) if mapping and mapping.exists() else None) as opened:
        used = opened.mapping or CsvMapping()
        if mapping and not mapping.exists():
            write_text(mapping, used.to_yaml())
        if opened.is_proposed:
            advice = (
                f"edit {mapping} and import again" if mapping else "keep this for editing with --mapping FILE"
            )
            print_status(f"Plain files are imported as proposed: {used.summary()}; {advice}.")
    for name in opened.ignored:
        print_status(f"{name} is not in the mapping, and not imported")
    if dry_run:
        print(used.to_yaml(), end="")
        return 0
    with progress("Importing") as advance:
        summary = import_graph(
            CsvSource(source, used),
            uri=graph.uri,
            auth=graph.auth,
            database=graph.database,
            replace=force,
            strict=strict,
            progress=advance,
            report=print_status,
        )
    print(json.dumps(asdict(summary), ensure_ascii=False))
    return 0


@app.command
def snapshot(
    *,
    graph: Connection,
    out: Path,
    policy: Path | None = None,
    aliases: Path | None = None,
    force: bool = False,
) -> int:
    """Write schema.json and values.sqlite of a graph for offline use; prints the manifest.

    Parameters
    ----------
    graph
        Graph to describe.
    out
        Folder to create.
    policy
        YAML with `hidden: [Label, Label.property, TYPE, TYPE.property]`, left out of schema and values.
    aliases
        YAML with other names of values (`values: {Drug.name: {Aspirin: [ASA]}}`) and with properties whose values are
        names (`properties: {Drug.name: [brandNames]}`).
    force
        Replace an existing snapshot.
    """
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.snapshot import write_snapshot
    from t2c_core.values.aliases import Aliases

    names = Aliases.load(aliases) if aliases else None
    with progress("Reading labels and types") as advance:
        manifest = write_snapshot(
            out,
            uri=graph.uri,
            auth=graph.auth,
            database=graph.database,
            policy=Policy.load(policy) if policy else None,
            aliases=names,
            replace=force,
            progress=advance,
        )
    for each in manifest["unused_aliases"]:
        print_status(f"the graph has no value {each}, which has aliases")
    print(json.dumps(manifest, ensure_ascii=False))
    return 0


@app.command
def check(
    query: str | None = None,
    /,
    *,
    schema: Path | None = None,
    policy: Path | None = None,
    fail: bool = False,
) -> int:
    """Validate queries without a database: JSON lines {id, cypher, params?} in, a JSON line per query out.

    Prints {id, verdict, codes, repaired, position} and, for people, message and repairs, in the order of the input.
    Exit 2 if a line is not such an object.

    Parameters
    ----------
    query
        A single query; JSON lines are read from standard input if omitted.
    schema
        schema.json of a snapshot, or its folder, which names, properties and directions are compared with.
    policy
        YAML with `hidden: [Label, Label.property, TYPE, TYPE.property]`, and optionally `allowed_functions`,
        `allowed_procedures` and `max_rows`.
    fail
        Exit 1 if a query is refused.
    """
    import io

    from t2c_core.guard.guard import Guard
    from t2c_core.guard.jsonl import check_jsonl
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema

    guard = Guard(GraphSchema.load(schema) if schema else None, Policy.load(policy) if policy else None)
    if query is not None:
        lines: BinaryIO = io.BytesIO(json.dumps({"id": "1", "cypher": query}).encode())
    else:
        if sys.stdin.isatty():
            print_status("Reading JSON lines {id, cypher, params?} from standard input.")
        lines = sys.stdin.buffer
    refused = False
    for line in check_jsonl(guard, lines):
        refused = refused or json.loads(line)["verdict"] == "refuse"
        print(line, flush=True)
    return 1 if fail and refused else 0


@app.command
def doctor(*, graph: Connection) -> int:
    """Check a server's security settings with probe queries; prints a JSON report.

    Nothing is written. Exit 0: safe, 1: unsafe, 2: the server cannot be reached or the input is invalid.

    Parameters
    ----------
    graph
        Server to check.
    """
    import asyncio

    from t2c_core.graph.hardening_check import check_hardening

    try:
        report = asyncio.run(check_hardening(graph.uri, auth=graph.auth, database=graph.database))
    except GraphUnavailableError as error:
        raise InputError(f"the server cannot be checked: {error}") from error
    print(json.dumps(report.as_json(), ensure_ascii=False, indent=1))
    return 0 if report.safe else 1


def main() -> None:
    """Run the command line and exit with its status."""
    logging.getLogger("neo4j").addHandler(logging.NullHandler())  # the driver raises what it logs
    if any(each.partition("=")[0] == "--home" for each in sys.argv[1:]):
        print_status("t2c-graph: --home is deprecated; use --data-dir")
    try:
        status = app(exit_on_error=False)
    except CycloptsError:
        status = 2
    except InputError as error:
        print_status(f"t2c-graph: {error}")
        status = 2
    except T2CError as error:
        print_status(f"t2c-graph: {error}")
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of the output has ended
        status = 1
    except OSError as error:  # for example a full disk
        print_status(f"t2c-graph: {error}")
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
