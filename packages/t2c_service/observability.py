"""What operators see: Prometheus metrics, OpenTelemetry traces, JSON logs with request ids. Measures nothing itself."""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from t2c_service.answering.records import Answer
    from t2c_service.settings import ObservabilitySettings

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is being answered; in log lines and traces."""

METRICS_TYPE = CONTENT_TYPE_LATEST
STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The service's figures, in a registry of their own so that two services in a process stay apart."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry(auto_describe=True)
        self.requests = Counter(
            "t2c_http_requests", "HTTP requests.", ("method", "route", "status"), registry=registry
        )
        self.request_s = Histogram(
            "t2c_http_request_seconds", "Time of HTTP requests.", ("route",), buckets=REQUEST_BUCKETS_S,
            registry=registry,
        )  # fmt: skip
        self.answers = Counter(
            "t2c_answers", "Answers given, by status; problems count as theirs.", ("database", "status", "entry"),
            registry=registry,
        )  # fmt: skip
        self.stage_s = Histogram(
            "t2c_stage_seconds", "Time of each stage of an answer.", ("stage",), buckets=STAGE_BUCKETS_S,
            registry=registry,
        )  # fmt: skip
        self.attempts = Counter(
            "t2c_attempts", "Queries tried, by what became of them.", ("outcome",), registry=registry
        )
        self.refusals = Counter(
            "t2c_refusals", "Refusals, by first reason code.", ("code",), registry=registry
        )
        self.tokens = Counter("t2c_model_tokens", "Tokens that models wrote.", registry=registry)
        self.active = Gauge("t2c_questions_active", "Questions worked on now.", registry=registry)
        self.waiting = Gauge(
            "t2c_questions_waiting", "Questions that wait for their turn.", registry=registry
        )
        self.turned_away = Counter(
            "t2c_turned_away", "Questions turned away, by reason.", ("reason",), registry=registry
        )
        self.up = Gauge(
            "t2c_dependency_up", "Whether a dependency could be used when last looked at.", ("dependency",),
            registry=registry,
        )  # fmt: skip
        self.snapshot_age_s = Gauge(
            "t2c_snapshot_age_seconds", "Age of the snapshot in use.", ("database",), registry=registry
        )
        self.audit_failures = Counter(
            "t2c_audit_failures", "Records that the audit log could not take.", registry=registry
        )

    def record_answer(self, answer: Answer, entry: str) -> None:
        """Count an answer with its stages and attempts."""
        self.answers.labels(answer.database, answer.status, entry).inc()
        for stage, elapsed_ms in answer.timings_ms.items():
            self.stage_s.labels(stage).observe(elapsed_ms / 1000)
        for attempt in answer.attempts:
            self.attempts.labels(attempt.outcome).inc()
            self.tokens.inc(attempt.tokens)
            if attempt.outcome == "refused" and attempt.codes:
                self.refusals.labels(attempt.codes[0]).inc()

    def track_snapshot_age(self, taken: Iterable[tuple[str, Callable[[], float]]]) -> None:
        """Give the age of each database's snapshot whenever it is asked for."""
        for name, when in taken:
            self.snapshot_age_s.labels(name).set_function(partial(_age_s, when))

    def render(self) -> bytes:
        """Write all figures as Prometheus reads them."""
        return generate_latest(self.registry)


def _age_s(when: Callable[[], float]) -> float:
    return max(0.0, time.time() - when())


class JsonFormatter(logging.Formatter):
    """Log lines as JSON objects, one a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s%(request)s: %(message)s"


class RequestIdFilter(logging.Filter):
    """Adds the id of the present request to log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add it; keep the record."""
        request_id = REQUEST_ID.get()
        record.request_id = request_id
        record.request = f" [{request_id}]" if request_id else ""
        return True


def set_up_logging(handler: logging.Handler, settings: ObservabilitySettings | None = None) -> None:
    """Make a handler write as the settings say."""
    is_json = settings is not None and settings.log_format == "json"
    handler.setFormatter(JsonFormatter() if is_json else logging.Formatter(TEXT_FORMAT))
    handler.addFilter(RequestIdFilter())


def start_tracing(settings: ObservabilitySettings) -> Callable[[], None]:
    """Send traces to a collector, if one is named.

    Returns:
        What to call at the end: it sends what is left.
    """
    if settings.otlp_endpoint is None:
        return lambda: None
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": settings.service_name}))
    endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    shutdown: Callable[[], None] = provider.shutdown
    return shutdown
