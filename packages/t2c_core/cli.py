"""`t2c-graph`: the embedded Neo4j, CSV import, snapshots and checks from the command line.

Parses, calls one public function, prints. Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path

from cyclopts import App, CycloptsError

from graphling_io.console import print_status, progress
from t2c_core.errors import EmbeddedError, InputError, T2CError

app = App(
    name="t2c-graph",
    help="Start, fill, describe and check a Neo4j graph. Exit 0: done, 1: failed, 2: wrong input.",
    version_flags=["--version"],
    result_action="return_value",
)


@app.command
def up(
    *,
    home: Path,
    port: int = 7687,
    auth_file: Path | None = None,
    read_only: bool = False,
    heap_mb: int = 512,
) -> int:
    """Run an embedded Neo4j in the foreground; prints `ready bolt://127.0.0.1:PORT` when it can be used.

    It listens on the loopback interface only. SIGTERM or Ctrl-C stops it.

    Parameters
    ----------
    home
        Folder of the store; made when absent.
    port
        Bolt port; 0 takes a free one.
    auth_file
        File of `user/password` lines: these are all users, and a password is asked for. Without it none
        is asked for: any process of this machine can then read and write the graph.
    read_only
        Refuse writes to the graph.
    heap_mb
        Java heap in megabytes; raise it for large graphs.
    """
    import signal

    from t2c_core.graph.embedded import EmbeddedGraph, ServerLimits

    users = _read_users(auth_file) if auth_file else None
    graph = EmbeddedGraph(
        home, port=port, users=users, read_only=read_only, limits=ServerLimits(heap_mb=heap_mb)
    )
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.default_int_handler)
    try:
        with progress("Fetching Neo4j (once)") as advance:
            graph.start(progress=advance)
        if users is None:
            print_status(
                f"No password is asked for: any process of this machine can "
                f"{'read' if read_only else 'read and write'} this graph at {graph.uri}. "
                "Use --auth-file to ask for one."
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
    uri: str,
    database: str | None = None,
    force: bool = False,
    strict: bool = False,
    auth_file: Path | None = None,
) -> int:
    """Load a folder or zip of CSVs with typed headers into an empty database; prints a JSON summary.

    Headers say what a file holds: :ID and :LABEL for nodes, :START_ID, :END_ID and :TYPE for relationships,
    name:type for properties. Every header and row is checked before anything is written.

    Parameters
    ----------
    source
        Folder or zip.
    uri
        Bolt address.
    database
        Its name; the server's default database when not given.
    force
        Delete what the database holds first.
    strict
        Import nothing if one row cannot be imported, rather than leaving that row out.
    auth_file
        File of a `user/password` line; else NEO4J_USERNAME and NEO4J_PASSWORD are used if set.
    """
    from t2c_core.graph.importer import import_graph

    with progress("Importing") as advance:
        summary = import_graph(
            source,
            uri=uri,
            auth=_read_auth(auth_file),
            database=database,
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
    uri: str,
    out: Path,
    database: str | None = None,
    policy: Path | None = None,
    force: bool = False,
    auth_file: Path | None = None,
) -> int:
    """Write schema.json and values.sqlite of a graph, for all who work without the graph; prints the manifest.

    Parameters
    ----------
    uri
        Bolt address.
    out
        Folder to make.
    database
        Its name; the server's default database when not given.
    policy
        YAML with `hidden: [Label, Label.property, TYPE, TYPE.property]`: left out of schema and values.
    force
        Replace the snapshot that is there.
    auth_file
        File of a `user/password` line; else NEO4J_USERNAME and NEO4J_PASSWORD are used if set.
    """
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.snapshot import write_snapshot

    with progress("Looking at labels and types") as advance:
        manifest = write_snapshot(
            out,
            uri=uri,
            auth=_read_auth(auth_file),
            database=database,
            policy=Policy.load(policy) if policy else None,
            replace=force,
            progress=advance,
        )
    print(json.dumps(manifest, ensure_ascii=False))
    return 0


@app.command
def check(*, schema: Path | None = None, policy: Path | None = None) -> int:
    """Judge queries without a database: JSON lines {id, cypher, params?} in, one line each out, in the same order.

    Prints {id, verdict, codes, repaired, position} and, for people, message and repairs. Exit 0 when all lines were
    judged, whatever the verdicts; 2 if a line is no such object.

    Parameters
    ----------
    schema
        schema.json of a snapshot, or its folder: names, owners of properties and directions are compared with it.
    policy
        YAML with `hidden: [Label, Label.property, TYPE, TYPE.property]`, and perhaps `functions`, `procedures`
        and `max_rows`.
    """
    from t2c_core.guard.guard import Guard
    from t2c_core.guard.jsonl import check_jsonl
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema

    guard = Guard(GraphSchema.load(schema) if schema else None, Policy.load(policy) if policy else None)
    for line in check_jsonl(guard, sys.stdin.buffer):
        print(line, flush=True)
    return 0


@app.command
def doctor(*, uri: str, database: str | None = None, auth_file: Path | None = None) -> int:
    """Try on a server what a hostile query would try; prints a JSON report. Exit 0: safe, 1: unsafe.

    Nothing is written. What is advice only does not make a server unsafe.

    Parameters
    ----------
    uri
        Bolt address.
    database
        Its name; the server's default database when not given.
    auth_file
        File of a `user/password` line; else NEO4J_USERNAME and NEO4J_PASSWORD are used if set.
    """
    import asyncio

    from t2c_core.graph.hardening_check import check_hardening

    posture = asyncio.run(check_hardening(uri, auth=_read_auth(auth_file), database=database))
    print(json.dumps(asdict(posture), ensure_ascii=False, indent=1))
    return 0 if posture.safe else 1


def main() -> None:
    """Run the command line and exit with its status."""
    logging.getLogger("neo4j").addHandler(logging.NullHandler())  # what it logs arrives as errors too
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
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of our output is gone
        status = 1
    except OSError as error:  # a full disk, a folder that may not be written
        print_status(f"t2c-graph: {error}")
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _read_auth(file: Path | None) -> tuple[str, str] | None:
    """Give the first user of a file, or the one in the environment."""
    if file:
        return next(iter(_read_users(file).items()))
    password = os.environ.get("NEO4J_PASSWORD")
    return (os.environ.get("NEO4J_USERNAME", "neo4j"), password) if password else None


def _read_users(file: Path) -> dict[str, str]:
    """Read `user/password` lines."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        shared = os.name == "posix" and file.stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read --auth-file {file}: {error}") from error
    if shared:
        print_status(f"Other users of this machine can read {file}; chmod 600 it.")
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, slash, password = line.strip().partition("/")
        if not (name and slash and password):
            raise InputError(f"{file}, line {number}: want user/password")
        if len(password) < 8:
            raise InputError(f"{file}, line {number}: the password of {name} has fewer than 8 characters")
        users[name] = password
    if not users:
        raise InputError(f"{file} has no user/password line; without users nobody could log in")
    return users
