"""Options of a question."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """Options of one question, bounded by the service's limits."""

    max_rows: int | None = None
    timeout_s: float | None = None
    samples: int | None = None
    dry_run: bool = False
    include_plan: bool = False
    include_graph: bool = True
    choice: int | None = None
    """Number, from 1, of the reading to take if the question is ambiguous; no choice is offered then."""
