"""Import a graph from CSVs once, before its server starts: import, users and snapshot by `t2c-graph`.

Runs the embedded Neo4j on the folder of the store during the import, so that the server itself never has to allow
writes. A finished import is not repeated; an interrupted one starts again.

Reads: a folder or zip of typed-header CSVs; GRAPH_PASSWORD_FILE or T2C_GRAPH__PASSWORD.
Writes: the store in HOME/data, a snapshot with a manifest, HOME/data/loaded.json at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
STOP_S = 60


def init_graph(source: Path, home: Path, snapshot: Path, password: str) -> dict[str, object]:
    """Import the graph unless that is done, and return the summary of the import."""
    done_file = home / "data" / "loaded.json"
    if done_file.is_file() and (snapshot / "manifest.json").is_file():
        summary = json.loads(done_file.read_text(encoding="utf-8"))
        return {"status": "already_loaded", "loaded": "before", **summary}
    if (home / "data").is_dir():  # a mount point: only its content can be removed
        for each in (home / "data").iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        users = Path(scratch) / "users"
        users.touch(mode=0o600)
        users.write_text(f"neo4j/{password}\n", encoding="utf-8")
        with _graph(home, users) as uri:
            access = ("--uri", uri, "--auth-file", str(users))
            summary = json.loads(_run("import", str(source), *access, "--force", "--strict"))
            _run("snapshot", *access, "--out", str(snapshot), "--force")
    temporary = done_file.with_name("loaded.tmp")
    temporary.write_text(json.dumps(summary), encoding="utf-8")
    temporary.replace(done_file)
    return {"status": "loaded", "loaded": "now", **summary}  # `loaded` is the earlier name of `status`


@contextmanager
def _graph(home: Path, users: Path) -> Iterator[str]:
    command = [BIN / "t2c-graph", "up", "--data-dir", home, "--port", "0", "--auth-file", users]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line.startswith("ready "):
                raise SystemExit("load: the embedded Neo4j did not start; its message is above")
            yield line.split()[1]
        finally:
            server.terminate()
            server.wait(STOP_S)


def _run(*arguments: str) -> str:
    done = subprocess.run([BIN / "t2c-graph", *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def _password() -> str:
    file = os.environ.get("GRAPH_PASSWORD_FILE")
    password = Path(file).read_text(encoding="utf-8") if file else os.environ.get("T2C_GRAPH__PASSWORD", "")
    if len(password.strip()) < 8:
        raise SystemExit("load: set T2C_GRAPH__PASSWORD in .env to a password of at least 8 characters")
    return password.strip()


def main() -> None:
    """Parse the command line and import the graph."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    for name in ("source", "home", "snapshot"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    chosen = parser.parse_args()
    print(json.dumps(init_graph(chosen.source, chosen.home, chosen.snapshot, _password())))


if __name__ == "__main__":
    main()
