"""Processes for work on many pairs, one a core."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_PAIRS_FOR_PROCESSES = 2_000
"""Minimum number of pairs for which processes are started; each takes seconds to load what it needs."""


def process_pool(initializer: Callable[..., None], *arguments: object) -> ProcessPoolExecutor:
    """Return new processes, one a core, each of which first calls a function with some arguments."""
    return ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("spawn"), initializer=initializer, initargs=arguments
    )
