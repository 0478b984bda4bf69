"""Steps of a run: start a console script, skip what is done, keep the embedded graph up meanwhile.

Knows nothing of what the steps make.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2c_core.errors import EmbeddedError
from t2c_core.graph.embedded import EmbeddedGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

BIN = Path(sys.executable).parent


class StepError(Exception):
    """A console script failed; its own message stands above."""


def log(text: str) -> None:
    """Tell the person at the terminal; results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def run_if_outdated(
    name: str, result: Path, reads: Sequence[Path], make: Callable[[], object], *, resumes: bool = False
) -> None:
    """Make a result unless it is there and newer than everything it is made from.

    Args:
        name: what the person is told.
        result: the file, or the folder whose manifest tells that it is whole.
        reads: files and folders that the result is made from.
        make: runs the console script.
        resumes: whether `make` goes on with a part that a stopped run left; otherwise it starts anew.
    """
    made = completed_at(result)
    if made is not None and all((completed_at(each) or 0) <= made for each in reads):
        log(f"= {name}: done before")
        return
    if result.exists() and (made is not None or not resumes):
        shutil.rmtree(result) if result.is_dir() else result.unlink()
    log(f"> {name}")
    started = time.monotonic()
    make()
    if completed_at(result) is None:
        raise StepError(f"{name}: the command ended well, yet {result} is not whole")
    log(f"= {name}: {time.monotonic() - started:.0f} s")


def completed_at(result: Path) -> float | None:
    """Tell when a file or folder was finished; None while it is missing or not whole."""
    if result.is_file():
        return result.stat().st_mtime
    for mark in ("manifest.json", "conversion.json", "config.json"):
        if (result / mark).is_file():
            return (result / mark).stat().st_mtime
    return None


def run_console_script(name: str, *arguments: object, cwd: Path | None = None) -> str:
    """Run one of our console scripts, its progress shown, and return what it prints.

    Args:
        name: of the script.
        arguments: what it is given.
        cwd: the folder it runs in; this one when absent.

    Raises:
        StepError: it ended with another status than 0.
    """
    command = [str(BIN / name), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise StepError(f"`{' '.join([name, *command[1:]])}` ended with status {done.returncode}")
    return done.stdout


@contextmanager
def embedded_graph(home: Path) -> Iterator[str]:
    """Keep the embedded Neo4j of a folder up, and give its Bolt address; it ends with this process, however that ends.

    Raises:
        StepError: it did not start.
    """
    try:
        with EmbeddedGraph(home).start(progress=_fetched) as graph:
            yield graph.uri
    except EmbeddedError as error:
        raise StepError(str(error)) from error


def _fetched(done: int, total: int) -> None:
    """Tell at every quarter how much of Neo4j has been fetched, which happens once on a machine."""
    if done * 4 // total > (done - 1) * 4 // total:
        log(f"fetching Neo4j (once): {done} of {total} files")


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def write_if_changed(path: Path, text: str) -> None:
    """Write a file whole or not at all; one that already says so keeps its date."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".half")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def jsonl(rows: Iterable[dict[str, Any]]) -> str:
    """Write rows as JSONL text."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read a JSONL file row by row."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
