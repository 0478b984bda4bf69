"""Progress events, timings and trace spans of the stages of answering."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Iterator

EventName = Literal["linked", "prompted", "generated", "guarded", "ran", "attempt", "diagnosed"]

_tracer = trace.get_tracer("t2c_service")


@dataclass(frozen=True)
class ProgressEvent:
    """A stage that was completed for a question."""

    name: EventName
    data: dict[str, Any]
    """JSON-serialisable content."""


ProgressCallback = Callable[[ProgressEvent], None]
"""Receives each event as it happens; must not block."""


def no_op_callback(_: ProgressEvent) -> None:
    """Ignore an event."""


@dataclass
class StageTimer:
    """Milliseconds by stage, each also a trace span; repeated stages add up."""

    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        started = time.perf_counter()
        try:
            with _tracer.start_as_current_span(f"t2c.{stage}"):
                yield
        finally:
            self.add(stage, (time.perf_counter() - started) * 1000)

    def add(self, stage: str, elapsed_ms: float) -> None:
        """Add time to a stage."""
        self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + elapsed_ms, 3)

    def reattribute(self, stage: str, other: str, elapsed_ms: float) -> None:
        """Move a part of one stage's time to another stage."""
        part = min(max(elapsed_ms, 0.0), self.timings_ms[stage])
        self.add(stage, -part)
        self.add(other, part)


def set_span_attributes(**attributes: str | float | bool) -> None:
    """Set attributes of the current span; never values from the graph."""
    trace.get_current_span().set_attributes({f"t2c.{key}": value for key, value in attributes.items()})
