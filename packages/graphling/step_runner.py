"""Steps of a run: run a console script when its output is missing or outdated, and record what was made.

Reads and writes: `steps.json` in the folder of the run: per output, the hash of everything it was made from. A step is
skipped if that hash is unchanged, resumed if it was stopped, and run again if an input has other content.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphling_io.console import print_status
from graphling_io.outputs import write_json, write_text
from t2c_core.errors import EmbeddedError
from t2c_core.graph.embedded import EmbeddedGraph, ServerLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

BIN = Path(sys.executable).parent
MARKERS = ("manifest.json", "conversion.json", "config.json")
"""Files that an output folder gets last, so that it is complete once it has one."""


class StepError(Exception):
    """A step failed; the message of its command is already on standard error."""


class StepRunner:
    """Run the steps of one run.

    Args:
        home: folder of the run.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file = home / "steps.json"
        self._records: dict[str, dict[str, Any]] = (
            json.loads(self._file.read_text(encoding="utf-8")) if self._file.is_file() else {}
        )

    def run(
        self,
        output: str,
        make: Callable[[], object],
        *,
        reads: Sequence[Path] = (),
        parameters: Sequence[object] = (),
        resumes: bool = False,
    ) -> None:
        """Make an output unless it was made from the same inputs already.

        Args:
            output: file or folder, relative to the folder of the run.
            make: function that runs the console script.
            reads: files and folders that the output is made from.
            parameters: options that the output depends on.
            resumes: whether `make` resumes a partial output; otherwise that is removed first.

        Raises:
            StepError: the command failed.
        """
        path = self._home / output
        inputs = fingerprint(reads, parameters)
        record = self._records.get(output)
        if record is None and path.exists():
            record = self._adopt(path, inputs, reads)
        is_same = record is not None and record["inputs"] == inputs
        is_finished = record is not None and record["files"] is not None and is_complete(path)
        if is_same and is_finished:
            print_status(f"= {output}: up to date")
            return
        is_resumed = resumes and is_same and not is_finished
        if path.exists() and not is_resumed:
            self._remove(path, record)
        self._save(output, inputs, None)
        print_status(f"> {output}{' (resumed)' if is_resumed and path.exists() else ''}")
        started = time.monotonic()
        make()
        if not is_complete(path):
            raise StepError(f"{output}: the command succeeded, but {path} is not complete")
        seconds = time.monotonic() - started
        self._save(output, inputs, _file_names(path), seconds)
        print_status(f"= {output}: {seconds:.0f} s")

    def minutes(self) -> dict[str, float]:
        """Return how long each step took when it last ran; a resumed one counts its last part."""
        return {
            output: round(record["seconds"] / 60, 2)
            for output, record in self._records.items()
            if record.get("seconds") is not None
        }

    def _save(self, output: str, inputs: str, files: list[str] | None, seconds: float | None = None) -> None:
        self._records[output] = {"inputs": inputs, "files": files, "seconds": seconds}
        write_json(self._file, self._records)

    def _adopt(self, path: Path, inputs: str, reads: Sequence[Path]) -> dict[str, Any]:
        """Return a record for an output without one: earlier versions kept no records and compared dates."""
        made_at = _completed_at(path)
        if made_at is None or any((_completed_at(each) or 0) > made_at for each in reads):
            return {"inputs": "", "files": None}
        self._save(path.relative_to(self._home).as_posix(), inputs, _file_names(path))
        return self._records[path.relative_to(self._home).as_posix()]

    def _remove(self, path: Path, record: dict[str, Any] | None) -> None:
        """Remove an outdated output; if it may contain files of others, move it aside instead."""
        known = record and record["files"]
        if known is not None and set(_file_names(path)) <= set(known):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            return
        number = 1
        while (aside := path.with_name(f"{path.name}.outdated-{number}")).exists():
            number += 1
        path.rename(aside)
        print_status(f"{path.name} is outdated and was not made by a finished step; it is now {aside.name}")


def fingerprint(reads: Sequence[Path], parameters: Sequence[object]) -> str:
    """Return a hash of the content of files and folders and of some options."""
    content = [_digest(each) for each in reads]
    return hashlib.sha256(json.dumps([content, list(parameters)], default=str).encode()).hexdigest()


def _digest(path: Path) -> object:
    if path.is_dir():
        return {name: _digest(path / name) for name in _file_names(path)}
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_names(path: Path) -> list[str]:
    if not path.is_dir():
        return [path.name]
    return sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())


def is_complete(path: Path) -> bool:
    """Return whether an output is complete: a file, or a folder with its manifest."""
    return _completed_at(path) is not None


def _completed_at(path: Path) -> float | None:
    files = [path] if path.is_file() else [path / name for name in MARKERS]
    return next((file.stat().st_mtime for file in files if file.is_file()), None)


def run_console_script(name: str, *arguments: object, cwd: Path | None = None) -> str:
    """Run one of our console scripts, show its progress, and return its standard output.

    Args:
        name: name of the script.
        arguments: command line of the script.
        cwd: working directory; the current one if None.

    Raises:
        StepError: the exit status is not 0.
    """
    command = [str(BIN / name), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise StepError(f"`{' '.join([name, *command[1:]])}` failed with exit status {done.returncode}")
    return done.stdout


@contextmanager
def embedded_graph(home: Path, *, is_long: bool = False) -> Iterator[str]:
    """Run the embedded Neo4j of a folder and yield its Bolt address; it ends with this process.

    Args:
        home: folder of the store.
        is_long: whether it runs for minutes.

    Raises:
        StepError: it did not start.
    """
    try:
        limits = ServerLimits(optimising_compiler=is_long)
        with EmbeddedGraph(home, limits=limits).start(progress=_report_download) as graph:
            yield graph.uri
    except EmbeddedError as error:
        raise StepError(str(error)) from error


def _report_download(done: int, total: int) -> None:
    if done * 4 // total > (done - 1) * 4 // total:
        print_status(f"downloading Neo4j (once): {done} of {total} files")


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def write_if_changed(path: Path, text: str) -> None:
    """Write a text file, unless it has that content already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def to_jsonl(rows: Iterable[dict[str, Any]]) -> str:
    """Render rows as JSONL."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read a JSONL file row by row."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
