"""Atomic output files and folders: a result appears under its name when it is complete, or not at all.

Every output is written to a scratch folder beside its target (`.NAME.RANDOM.graphling-tmp`) and renamed. A scratch
folder is locked while its process lives, so that a later run can remove what a killed one left behind.
"""

import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

SCRATCH_SUFFIX = ".graphling-tmp"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class OutputError(ValueError):
    """An output cannot be written: it exists, overlaps an input, is not ours to replace, or the disk is full."""


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically.

    Args:
        path: file to write; missing parents are created.
        text: the content.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically.

    Args:
        path: file to write; missing parents are created.
        content: a JSON value; other objects become strings.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


@contextmanager
def atomic_file(path: Path, *, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Write a file to a temporary path and rename it when the block ends without an error.

    Args:
        path: file to write; missing parents are created. An existing file is replaced.
        inputs: files and folders that are read; the output must not overlap them.

    Yields:
        The temporary path, on the same file system.

    Raises:
        OutputError: the path is a folder or overlaps an input, or the file cannot be written.
    """
    check_no_overlap(path, inputs)
    path = path.resolve()
    if path.is_dir():
        raise OutputError(f"the output {path} is a folder; name a file")
    with _scratch(path) as scratch, _clear_disk_errors(path):
        yield scratch / path.name
        (scratch / path.name).replace(path)


@contextmanager
def atomic_directory(
    path: Path,
    *,
    markers: Iterable[str],
    inputs: Iterable[Path] = (),
    contents: Iterable[str] | None = None,
    force: bool = False,
) -> Iterator[Path]:
    """Fill a temporary folder and rename it when the block ends without an error.

    Args:
        path: folder to write; missing parents are created.
        markers: names of files of which our folders of this kind hold at least one, such as a manifest.
        inputs: files and folders that are read; the output must not overlap them.
        contents: glob patterns of all names that such a folder may hold; anything if None.
        force: replace a folder that is not empty, if it is one of ours.

    Yields:
        The temporary folder, on the same file system.

    Raises:
        OutputError: see `check_output_directory`; or the folder cannot be written.
    """
    markers, contents = list(markers), None if contents is None else list(contents)
    check_output_directory(path, markers=markers, inputs=inputs, contents=contents, force=force)
    path = path.resolve()
    with _scratch(path) as scratch, _clear_disk_errors(path):
        new = scratch / "new"
        new.mkdir()
        yield new
        # Again: the folder may have been filled meanwhile.
        check_output_directory(path, markers=markers, contents=contents, force=force)
        if path.exists():
            path.replace(scratch / "previous")
        new.replace(path)


def clear_directory(path: Path, *, markers: Iterable[str], contents: Iterable[str] | None = None) -> None:
    """Delete all that one of our own output folders holds, for outputs that are written in place.

    Args:
        path: folder to empty; nothing happens if it does not exist or is empty.
        markers: see `atomic_directory`.
        contents: see `atomic_directory`.

    Raises:
        OutputError: the folder is not one of ours.
    """
    markers = list(markers)
    check_output_directory(path, markers=markers, contents=contents, force=True)
    # A marker goes last: what a killed run leaves is still recognised.
    for item in sorted(path.iterdir() if path.is_dir() else (), key=lambda item: item.name in markers):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def check_output_directory(
    path: Path,
    *,
    markers: Iterable[str],
    inputs: Iterable[Path] = (),
    contents: Iterable[str] | None = None,
    force: bool = False,
) -> None:
    """Check that an output folder may be written, before any work is done.

    Args:
        path: see `atomic_directory`, as all other arguments.
        markers: names of files that show that a folder is ours.
        inputs: files and folders that are read.
        contents: glob patterns of all names that such a folder may hold.
        force: accept a folder of ours that is not empty.

    Raises:
        OutputError: the path is a file, overlaps an input, or is a folder that is not empty while `force` is off, has
            no marker, or holds other names than `contents`.
    """
    check_no_overlap(path, inputs)
    if path.exists() and not path.is_dir():
        raise OutputError(f"the output {path} is a file; name a folder")
    found = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
    if not found:
        return
    if not force:
        raise OutputError(f"the output folder {path} is not empty; name another one or give --force")
    markers = list(markers)
    if not any((path / name).is_file() for name in markers):
        raise OutputError(
            f"the output folder {path} holds {_some(found)} but no {' or '.join(markers)}, so it was not made by "
            "this command and is not replaced even with --force; name another folder or empty it yourself"
        )
    allowed = None if contents is None else [*contents, *markers]
    foreign = [name for name in found if not any(fnmatch(name, pattern) for pattern in allowed or "*")]
    if foreign:
        raise OutputError(
            f"the output folder {path} also holds {_some(foreign)}, which this command does not make; move that away "
            "or name another folder"
        )


def check_no_overlap(path: Path, inputs: Iterable[Path]) -> None:
    """Check that an output does not overlap what is read.

    Args:
        path: file or folder to write.
        inputs: files and folders that are read.

    Raises:
        OutputError: the output equals, contains or lies within an input; symbolic links are followed.
    """
    output = path.resolve()
    for item in inputs:
        source = item.resolve()
        if source == output:
            relation = "is also the input"
        elif output in source.parents:
            relation = "contains the input"
        elif source in output.parents:
            relation = "lies within the input"
        else:
            continue
        raise OutputError(f"the output {path} {relation} {item}; name another output")


def check_free_space(path: Path, needed_bytes: int) -> None:
    """Check that the file system has room for an output.

    Args:
        path: file or folder to write.
        needed_bytes: its approximate size.

    Raises:
        OutputError: less is free.
    """
    parent = next(parent for parent in path.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(parent).free
    if free < needed_bytes:
        raise OutputError(
            f"the output {path} needs about {needed_bytes:,} bytes and only {free:,} are free; free some space or "
            "name another place"
        )


def apply_umask(path: Path) -> None:
    """Give a file the permissions that `open` gives new files; some libraries create files with mode 0600.

    Args:
        path: file to change.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        probe = Path(folder) / "probe"
        probe.touch()
        path.chmod(probe.stat().st_mode & 0o777)


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Create a locked scratch folder beside a target; remove it in the end, and those of killed runs first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        scratch, lock = _locked_scratch(path)
    except OSError as error:
        raise OutputError(f"the output {path} cannot be written: {error}") from error
    try:
        yield scratch
    finally:
        _remove_scratch(scratch, path)
        os.close(lock)


def _locked_scratch(path: Path) -> tuple[Path, int]:
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=SCRATCH_SUFFIX, dir=path.parent))
        lock = os.open(scratch, os.O_RDONLY)
        with suppress(
            OSError
        ):  # some network file systems have no locks; nothing is taken for abandoned there
            fcntl.flock(lock, fcntl.LOCK_EX)
        if scratch.exists():  # else another run took it for abandoned before it was locked
            return scratch, lock
        os.close(lock)


def _remove_abandoned(path: Path) -> None:
    """Remove scratch folders of this target whose process has ended."""
    for scratch in path.parent.iterdir():
        if not (scratch.name.startswith(f".{path.name}.") and scratch.name.endswith(SCRATCH_SUFFIX)):
            continue
        with suppress(OSError):
            lock = os.open(scratch, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove_scratch(scratch, path)
            finally:
                os.close(lock)


def _remove_scratch(scratch: Path, path: Path) -> None:
    """Remove a scratch folder; a target that was moved into it and not replaced goes back."""
    if (scratch / "previous").exists() and not path.exists():
        (scratch / "previous").replace(path)
    shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _clear_disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise OutputError(f"the output {path} cannot be written: {error}") from error


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
