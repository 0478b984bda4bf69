"""Files and folders that appear whole or not at all.

Holds the temporary-name-then-rename writers that every artefact goes through. Knows nothing of
what is written.
"""

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class OutputError(ValueError):
    """An output cannot be written: it exists already, or there is no room."""


FULL = {errno.ENOSPC, errno.EDQUOT}


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name and rename it.

    Args:
        path: the final name; its folder exists.
        text: the content, written as UTF-8.
    """
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON under a temporary name and rename it.

    Args:
        path: the final name; its folder exists.
        content: anything `json` can write; paths become text.
    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name and rename it when the block ends without an error.

    Args:
        path: the final name; its folder exists.

    Yields:
        The temporary name.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Fill a folder under a temporary name and rename it when the block ends without an error.

    Args:
        path: the final folder.
        force: replace a folder that is there and not empty.

    Yields:
        The temporary folder to write into, beside the final one.

    Raises:
        OutputError: the folder is there, is not empty and `force` is off; or it cannot be made, or there is no room.
    """
    check_output_empty(path, force=force)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    except OSError as error:
        raise OutputError(f"the output {path} cannot be written: {error}") from error
    try:
        yield partial
        old = path.with_name(f".{path.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.replace(old)
        partial.replace(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OutputError(f"the output {path} cannot be written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def apply_umask(path: Path) -> None:
    """Give a file the mode that `open` gives new files; some libraries write for the owner alone.

    Args:
        path: the file.
    """
    probe = path.with_name(f".{path.name}.mode")
    probe.touch()
    path.chmod(probe.stat().st_mode & 0o777)
    probe.unlink()


def check_free_space(path: Path, needed_bytes: int) -> None:
    """Refuse an output for which there is no room.

    Args:
        path: the folder that is to be written.
        needed_bytes: about how much it will hold.

    Raises:
        OutputError: the file system has less left.
    """
    there = next(parent for parent in path.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed_bytes:
        raise OutputError(
            f"the output {path} needs about {needed_bytes:,} bytes and no more than {free:,} are free; "
            "make room or name another place"
        )


def check_output_empty(path: Path, *, force: bool = False) -> None:
    """Refuse an output folder that already holds something.

    Args:
        path: the folder that is to be written.
        force: accept it nevertheless.

    Raises:
        OutputError: it is a file, or a folder that is not empty and `force` is off.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"the output {path} is a file; name a folder")
    if not force and path.is_dir() and any(path.iterdir()):
        raise OutputError(f"the output folder {path} is not empty; name another one or give --force")
