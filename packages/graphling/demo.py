"""The demo: embedded Neo4j with the demo graph, the starter model, the service and its page on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from graphling.locations import DEMO, demo_home
from graphling.step_runner import (
    BIN,
    StepError,
    StepRunner,
    embedded_graph,
    free_port,
    is_complete,
    read_rows,
    run_console_script,
    write_if_changed,
)
from graphling_io.console import print_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOME = demo_home()
SERVE = (BIN / "t2c-service", "serve", "--config", DEMO / "graphling.yaml")


def prepare() -> None:
    """Import the demo graph and write its snapshot, unless that was done before."""
    HOME.mkdir(parents=True, exist_ok=True)
    source, summary, snapshot = DEMO / "graph", HOME / "graph.json", HOME / "snapshot"
    if is_complete(summary) and is_complete(snapshot):
        return
    steps = StepRunner(HOME)
    with embedded_graph(HOME / "graph") as uri:
        steps.run("graph.json", lambda: write_if_changed(summary, run_console_script(
            "t2c-graph", "import", source, "--uri", uri, "--force")), reads=[source])  # fmt: skip
        steps.run("snapshot", lambda: run_console_script(
            "t2c-graph", "snapshot", "--uri", uri, "--out", snapshot), reads=[summary])  # fmt: skip


def service_environment() -> Mapping[str, str]:
    """Return the environment of the service: its settings name the store, snapshot and feedback of this demo."""
    files = {"GRAPH__HOME": "graph", "SNAPSHOT": "snapshot", "FEEDBACK__FILE": "feedback.jsonl"}
    return {**os.environ, **{f"T2C_{key}": str(HOME / name) for key, name in files.items()}}


def serve() -> NoReturn:
    """Replace this process by the service, so that it receives the signals."""
    os.execve(SERVE[0], [str(each) for each in SERVE], service_environment())


def ask_once() -> dict[str, Any]:
    """Serve, ask the first example question over HTTP, and stop.

    Returns:
        The response of the service.

    Raises:
        StepError: the service did not start.
    """
    command: Sequence[object] = (*SERVE, "--port", free_port())
    question = next(row["question"] for row in read_rows(DEMO / "questions.jsonl") if row.get("featured"))
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, env=service_environment()
    ) as service:
        try:
            words = (word for line in service.stdout or () for word in line.split())
            address = next((word for word in words if word.startswith("http://")), None)
            if address is None:
                raise StepError("the service did not start; its message is above")
            print_status(f"> {question}")
            response = httpx.post(f"{address.rstrip('/')}/query", json={"question": question}, timeout=120)
            content: dict[str, Any] = response.json()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise StepError(f"the service did not answer: {error}") from error
        else:
            return content
        finally:
            service.send_signal(signal.SIGTERM)
