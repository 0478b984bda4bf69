"""What operators see: metrics, spans and log lines of real requests."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from t2c_service.answering import progress_events as stages
from t2c_service.observability import REQUEST_ID, set_up_logging, start_tracing
from t2c_service.settings import ObservabilitySettings

if TYPE_CHECKING:
    import httpx2

    from .conftest import Script

HALF_LIFE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
QUESTION = {"question": "What is the half-life of warfarin?"}


@pytest.mark.graph
async def test_answers_stages_and_requests_are_counted(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = ["MATCH (n) DELETE n", HALF_LIFE]
    await client.post("/query", json=QUESTION)
    await client.post("/query", json={"question": ""})
    await client.get("/made/up/path")
    await client.get("/readyz")
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = set(response.text.splitlines())
    assert lines >= {
        't2c_answers_total{channel="http",database="default",entry="http",status="answered"} 1.0',
        't2c_answers_total{channel="http",database="",entry="http",status="invalid"} 1.0',
        't2c_attempts_total{outcome="refused"} 1.0',
        't2c_attempts_total{outcome="ran"} 1.0',
        't2c_refusals_total{code="parse.write"} 1.0',
        "t2c_model_tokens_total 4.0",
        "t2c_questions_active 0.0",
        't2c_dependency_up{dependency="graph"} 1.0',
        't2c_http_requests_total{method="POST",route="/query",status="200"} 1.0',
        't2c_http_requests_total{method="POST",route="/query",status="422"} 1.0',
        't2c_http_requests_total{method="GET",route="other",status="404"} 1.0',
    }
    for stage in ("link", "model", "explain", "run", "total"):
        assert f't2c_stage_seconds_count{{stage="{stage}"}} 1.0' in lines
    assert any(line.startswith('t2c_snapshot_age_seconds{database="default"}') for line in lines)
    assert "made" not in response.text


@pytest.mark.graph
async def test_each_stage_is_a_span_without_values_of_the_graph(
    client: httpx2.AsyncClient, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(stages, "_tracer", provider.get_tracer("test"))
    script.says = [HALF_LIFE]
    await client.post("/query", json=QUESTION, headers={"X-Request-ID": "mine-1"})
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) >= {"t2c.total", "t2c.link", "t2c.prompt", "t2c.model", "t2c.explain", "t2c.run"}
    root = spans["t2c.total"]
    for name in ("t2c.link", "t2c.model", "t2c.run"):
        assert spans[name].context.trace_id == root.context.trace_id
        assert spans[name].parent is not None
    assert dict(root.attributes or {})["t2c.status"] == "answered"
    assert dict(root.attributes or {})["t2c.request_id"] == "mine-1"
    assert dict(spans["t2c.run"].attributes or {})["t2c.rows"] == 1
    told = json.dumps([dict(span.attributes or {}) for span in spans.values()])
    assert "Warfarin" not in told
    provider.shutdown()


def test_traces_go_nowhere_unless_a_collector_is_named() -> None:
    before = trace.get_tracer_provider()
    start_tracing(ObservabilitySettings())()
    assert trace.get_tracer_provider() is before


def lines_of(log_format: str, write: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    set_up_logging(handler, ObservabilitySettings(log_format=log_format))  # type: ignore[arg-type]
    logger = logging.getLogger("t2c_service.test")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        write(logger)  # type: ignore[operator]
    finally:
        logger.removeHandler(handler)
    return stream.getvalue()


def test_log_lines_can_be_json_with_the_request_in_them() -> None:
    token = REQUEST_ID.set("mine-1")

    def write(logger: logging.Logger) -> None:
        logger.info("two\nlines %s", "here", extra={"attributes": {"status": 200}})
        try:
            {}["x"]
        except KeyError:
            logger.exception("fault")

    first, second = [json.loads(line) for line in lines_of("json", write).splitlines()]
    REQUEST_ID.reset(token)
    assert (first["message"], first["level"], first["request_id"]) == ("two\nlines here", "info", "mine-1")
    assert first["status"] == 200
    assert first["timestamp"] == first["at"]
    assert "KeyError" in second["exception"]


def test_log_lines_can_be_text() -> None:
    line = lines_of("text", lambda logger: logger.warning("careful"))
    assert line.endswith("WARNING t2c_service.test: careful\n")
