"""Load on the running service: many clients at once, a stub model, the real demo graph; loopback only.

    python benchmarks/t2c_service/load.py [--clients 200] [--requests 4000] [--alone 400] [--uri bolt://...]

Starts an embedded Neo4j with the demo graph, a stub of an OpenAI-compatible server (it writes the demo's own queries,
at once), and `t2c-service serve` as a process of its own. Measures first one client alone, for what the service adds
to model and database, then all clients together. Writes benchmarks/t2c_service/results/load.json.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from t2c_core.graph.embedded import EmbeddedGraph
from t2c_core.graph.importer import import_graph
from t2c_core.schema.snapshot import write_snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "t2c_service" / "results" / "load.json"
NOT_OURS = ("model", "wait", "explain", "run", "graph", "diagnose")
"""Stages that are spent on the model's or the database's answer."""


def demo_rows() -> list[dict[str, Any]]:
    """Read questions and queries of the demo."""
    text = (ROOT / "demo" / "questions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def stub(port: int) -> None:
    """Serve as a model that knows the demo's queries; which one it writes depends on the prompt alone."""
    import uvicorn

    queries = [row["cypher"] for row in demo_rows() if row.get("cypher")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/v1/models":
            listed = {"id": "stub", "object": "model", "created": 0, "owned_by": "x"}
            content: dict[str, Any] = {"object": "list", "data": [listed]}
        else:
            asked = str(json.loads(body).get("prompt")).encode()
            number = int.from_bytes(hashlib.sha256(asked).digest()[:4], "big") % len(queries)
            content = {
                "id": "x",
                "object": "text_completion",
                "created": 0,
                "model": "stub",
                "choices": [{"index": 0, "text": queries[number], "finish_reason": "stop", "logprobs": None}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")


@dataclass
class Running:
    """What is being measured."""

    address: str
    process_id: int

    @property
    def memory_mb(self) -> float:
        """Resident memory of the service now."""
        status = Path(f"/proc/{self.process_id}/status").read_text(encoding="utf-8")
        line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    @property
    def cpu_s(self) -> float:
        """Processor time that the service has spent; other programs on the machine do not add to it."""
        fields = Path(f"/proc/{self.process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def demo_graph(running: str | None) -> Iterator[tuple[str, Path]]:
    """Give address and snapshot of the demo graph: one that runs, or an embedded one of our own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with contextlib.ExitStack() as stack:
            uri = running
            if uri is None:
                uri = stack.enter_context(EmbeddedGraph(home / "store")).uri
                import_graph(ROOT / "demo" / "graph", uri=uri, strict=True)
            write_snapshot(home / "snapshot", uri=uri)
            yield uri, home / "snapshot"


@contextmanager
def system(*, concurrency: int, waiting: int, uri: str | None = None) -> Iterator[Running]:
    """Start graph, stub and service, and stop them at the end."""
    with contextlib.ExitStack() as stack:
        address, snapshot = stack.enter_context(demo_graph(uri))
        port = _free_port()
        stack.enter_context(_program(sys.executable, __file__, "--stub", str(port)))
        environment = {
            "T2C_GRAPH__URI": address,
            "T2C_SNAPSHOT": str(snapshot),
            "T2C_MODEL__KIND": "openai",
            "T2C_MODEL__URL": f"http://127.0.0.1:{port}/v1",
            "T2C_MODEL__NAME": "stub",
            "T2C_MODEL__TIMEOUT_S": "120",
            "T2C_LIMITS__REQUEST_S": "300",
            "T2C_LIMITS__CONCURRENCY": str(concurrency),
            "T2C_LIMITS__WAITING": str(waiting),
            "T2C_PAGE": "false",
            "T2C_PORT": "0",
            "OMP_NUM_THREADS": "1",
        }
        serve = str(Path(sys.executable).with_name("t2c-service"))
        process = stack.enter_context(_program(serve, "serve", environment=environment))
        assert process.stdout is not None
        yield Running(process.stdout.readline().strip(), process.pid)


@contextmanager
def _program(*command: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Tally:
    """What came back."""

    latencies_ms: list[float] = field(default_factory=list)
    ours_ms: list[float] = field(default_factory=list)
    """Latency without the stages in NOT_OURS."""
    statuses: dict[str, int] = field(default_factory=dict)

    def take(self, status: int, body: bytes, elapsed_ms: float) -> None:
        """Count one reply."""
        content = json.loads(body)
        kind = content.get("status") if status == 200 else f"{status} {content.get('type', '')}"
        self.statuses[str(kind)] = self.statuses.get(str(kind), 0) + 1
        self.latencies_ms.append(elapsed_ms)
        spent = content.get("timings_ms", {}) if status == 200 else {}
        self.ours_ms.append(elapsed_ms - sum(spent.get(stage, 0.0) for stage in NOT_OURS))

    @property
    def errors(self) -> int:
        """Replies with another status than 200."""
        return sum(count for kind, count in self.statuses.items() if kind[:1].isdigit())


class Client:
    """One connection that is kept; plain HTTP/1.1, so that the measure is not of a client library."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader, self._writer, self._host = reader, writer, host

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str) -> AsyncIterator[Client]:
        """Open a connection and close it at the end."""
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield cls(reader, writer, parts.netloc)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ask(self, question: str) -> tuple[int, bytes]:
        """Ask one question."""
        body = json.dumps({"question": question}).encode()
        head = (
            f"POST /query HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines[1:])}
        return int(lines[0].split()[1]), await self._reader.readexactly(int(headers["content-length"]))


async def ask_many(address: str, questions: list[str], *, clients: int, count: int) -> tuple[Tally, float]:
    """Ask `count` questions with so many clients; give what came back and the seconds it took."""
    tally = Tally()
    numbers = iter(range(count))

    async def work() -> None:
        async with Client.connect(address) as client:
            for number in numbers:
                started = time.perf_counter()
                status, body = await client.ask(questions[number % len(questions)])
                tally.take(status, body, (time.perf_counter() - started) * 1000)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return tally, time.perf_counter() - started


def spread(values: list[float]) -> dict[str, float]:
    """Describe many times in milliseconds."""
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

    return {
        "p50": at(0.5),
        "p95": at(0.95),
        "p99": at(0.99),
        "max": at(1.0),
        "mean": round(statistics.fmean(ordered), 2),
    }


def machine() -> dict[str, Any]:
    """Say on what it was measured, and how busy that was with other things."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a result whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    half.replace(path)


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    clients: int
    requests: int
    alone: int


async def measure(running: Running, plan: Plan) -> dict[str, Any]:
    """Measure one client alone, then all together."""
    questions = [row["question"] for row in demo_rows()]
    await ask_many(running.address, questions, clients=1, count=len(questions))  # warm
    spent_s = running.cpu_s
    alone, _ = await ask_many(running.address, questions, clients=1, count=plan.alone)
    alone_cpu_ms = (running.cpu_s - spent_s) / plan.alone * 1000
    before_mb, spent_s = running.memory_mb, running.cpu_s
    together, elapsed_s = await ask_many(
        running.address, questions, clients=plan.clients, count=plan.requests
    )
    return {
        "alone": {
            "latency_ms": spread(alone.latencies_ms),
            "service_ms": spread(alone.ours_ms),
            "cpu_ms_a_question": round(alone_cpu_ms, 2),
            "statuses": alone.statuses,
        },
        "together": {
            "latency_ms": spread(together.latencies_ms),
            "questions_a_second": round(plan.requests / elapsed_s, 1),
            "cpu_ms_a_question": round((running.cpu_s - spent_s) / plan.requests * 1000, 2),
            "errors": together.errors,
            "statuses": together.statuses,
            "memory_mb": {"before": round(before_mb, 1), "after": round(running.memory_mb, 1)},
        },
    }


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--alone", type=int, default=400)
    parser.add_argument("--uri", help="a running demo graph, instead of an embedded one")
    parser.add_argument("--stub", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.stub:
        stub(chosen.stub)
        return
    plan = Plan(chosen.clients, chosen.requests, chosen.alone)
    host = machine()
    with system(concurrency=16, waiting=plan.clients + 10, uri=chosen.uri) as running:
        found = asyncio.run(measure(running, plan))
    content = {"plan": asdict(plan), "machine": host, **found}
    save(RESULT, content)
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
