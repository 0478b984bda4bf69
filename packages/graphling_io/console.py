"""Messages and progress bars on standard error; standard output stays the result."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONSOLE = Console(stderr=True)


def print_status(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar once there is progress to show, if standard error is a terminal."""
    from rich.progress import Progress

    bar = Progress(console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal)
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
