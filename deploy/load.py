"""Fill a graph from CSVs once, before its server starts: import, users and snapshot by our own commands.

Runs the embedded Neo4j on the store's folder while it is loaded, so that the server itself never has to allow a
write. Done before: nothing is touched. Killed on the way: the next run begins anew.

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


def load(source: Path, home: Path, snapshot: Path, password: str) -> dict[str, object]:
    """Load the graph unless that is done; give what the import told."""
    mark = home / "data" / "loaded.json"
    if mark.is_file() and (snapshot / "manifest.json").is_file():
        return {"loaded": "before", **json.loads(mark.read_text(encoding="utf-8"))}
    if (home / "data").is_dir():  # a mount point: only what is in it can be removed
        for left in (home / "data").iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        users = Path(scratch) / "users"
        users.touch(mode=0o600)
        users.write_text(f"neo4j/{password}\n", encoding="utf-8")
        with _graph(home, users) as uri:
            access = ("--uri", uri, "--auth-file", str(users))
            told = json.loads(_run("import", str(source), *access, "--force", "--strict"))
            _run("snapshot", *access, "--out", str(snapshot), "--force")
    half = mark.with_name("loaded.half")
    half.write_text(json.dumps(told), encoding="utf-8")
    half.replace(mark)
    return {"loaded": "now", **told}


@contextmanager
def _graph(home: Path, users: Path) -> Iterator[str]:
    command = [BIN / "t2c-graph", "up", "--home", home, "--port", "0", "--auth-file", users]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line.startswith("ready "):
                raise SystemExit("load: the embedded Neo4j did not start; its own message stands above")
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
    """Read the command line and load."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    for name in ("source", "home", "snapshot"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    chosen = parser.parse_args()
    print(json.dumps(load(chosen.source, chosen.home, chosen.snapshot, _password())))


if __name__ == "__main__":
    main()
