"""Import a graph from CSVs once, before its server starts: import, users and snapshot by `t2c-graph`.

Runs the embedded Neo4j on the folder of the store during the import, so that the server itself never has to allow
writes. A finished import is not repeated; an interrupted one starts again, and so does one of other CSVs. A changed
password is set without an import. The store of a running server is left alone.

Reads: a folder or zip of typed-header CSVs; GRAPH_PASSWORD_FILE or T2C_GRAPH__PASSWORD.
Writes: the store in HOME/data, a snapshot with a manifest, HOME/data/loaded.json at the end.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from t2c_core.graph.embedded import MARKER_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
STOP_S = 60


def init_graph(source: Path, home: Path, snapshot: Path, password: str) -> dict[str, object]:
    """Import the graph unless that is done, set the password if it changed, and return the summary of the import."""
    done_file = home / "data" / "loaded.json"
    content = digest_files(source)
    done = json.loads(done_file.read_text(encoding="utf-8")) if done_file.is_file() else {}
    is_loaded = done.get("source") == content and (snapshot / "manifest.json").is_file()
    if is_loaded and digest_password(password, done["salt"]) == done["password"]:
        return {"status": "already_loaded", "loaded": "before", **done["summary"]}
    check_stopped(home / "data")
    if is_loaded:
        (home / MARKER_FILE).touch()  # it is not on the volume
        with _graph(home, password):
            summary = done["summary"]
    else:
        done_file.unlink(missing_ok=True)
        if (home / "data").is_dir():  # a mount point: only its content can be removed
            for each in (home / "data").iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        with _graph(home, password) as access:
            summary = json.loads(_run("import", str(source), *access, "--force", "--strict"))
            _run("snapshot", *access, "--out", str(snapshot), "--force")
    salt = secrets.token_hex(16)
    record = {
        "summary": summary,
        "source": content,
        "salt": salt,
        "password": digest_password(password, salt),
    }
    temporary = done_file.with_name("loaded.tmp")
    temporary.write_text(json.dumps(record), encoding="utf-8")
    temporary.replace(done_file)
    # `loaded` is the earlier name of `status`
    return {"status": "password_changed" if is_loaded else "loaded", "loaded": "now", **summary}


def digest_files(source: Path) -> str:
    """Return a digest of the names and contents of a file or of the files of a folder."""
    digest = hashlib.sha256()
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if file.is_file():
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{file.relative_to(source)}\0{content}\n".encode())
    return digest.hexdigest()


def digest_password(password: str, salt: str) -> str:
    """Return a digest by which a changed password is noticed."""
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def check_stopped(data: Path) -> None:
    """Exit if a running server uses the store: it locks a file of it."""
    lock = data / "databases" / "store_lock"
    if lock.is_file():
        with lock.open("r+b") as stream:
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SystemExit(
                    "load: the graph or its password changed while the server runs; stop it first: docker compose down"
                ) from None


@contextmanager
def _graph(home: Path, password: str) -> Iterator[tuple[str, ...]]:
    """Run the embedded Neo4j with a password; gives the options with which `t2c-graph` connects to it."""
    with tempfile.TemporaryDirectory() as scratch:
        users = Path(scratch) / "users"
        users.touch(mode=0o600)
        users.write_text(f"neo4j/{password}\n", encoding="utf-8")
        command = [BIN / "t2c-graph", "up", "--data-dir", home, "--port", "0", "--auth-file", users]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                line = server.stdout.readline() if server.stdout else ""
                if not line.startswith("ready "):
                    raise SystemExit("load: the embedded Neo4j did not start; its message is above")
                yield ("--uri", line.split()[1], "--auth-file", str(users))
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
