"""The demo: graph, model, service and page on this machine; what `make demo` runs.

Imports the demo graph into an embedded Neo4j once, then serves it with the starter model. With `--once` it
asks the first example question, prints the response as one line of JSON and stops.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import httpx

from graphling.step_runner import (
    BIN,
    StepError,
    embedded_graph,
    free_port,
    log,
    read_rows,
    run_console_script,
    run_if_outdated,
    write_if_changed,
)

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo"
HOME = ROOT / "models" / "demo"
SERVE = (BIN / "t2c-service", "serve", "--config", DEMO / "graphling.yaml")
ADDRESS = "http://"


def prepare() -> None:
    """Import the demo graph and write its snapshot, unless done before."""
    HOME.mkdir(parents=True, exist_ok=True)
    source, summary, snapshot = DEMO / "graph", HOME / "graph.json", HOME / "snapshot"
    if summary.is_file() and (snapshot / "manifest.json").is_file():
        return
    with embedded_graph(HOME / "graph") as uri:
        run_if_outdated("import", summary, [], lambda: write_if_changed(summary, run_console_script(
            "t2c-graph", "import", source, "--uri", uri, "--force")))  # fmt: skip
        run_if_outdated("snapshot", snapshot, [summary], lambda: run_console_script(
            "t2c-graph", "snapshot", "--uri", uri, "--out", snapshot))  # fmt: skip


def serve() -> NoReturn:
    """Become the service, so that what is sent to stop this process stops that."""
    os.execv(SERVE[0], [str(each) for each in SERVE])


def ask_once() -> int:
    """Serve, ask the first example question over HTTP, print the response, stop."""
    command = (*SERVE, "--port", str(free_port()))
    question = next(row["question"] for row in read_rows(DEMO / "questions.jsonl") if row.get("featured"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            lines = service.stdout or ()
            words = (word for line in lines for word in line.split())
            address = next((word for word in words if word.startswith(ADDRESS)), None)
            if address is None:
                raise StepError("the service did not start; its own message stands above")
            log(f"> {question}")
            response = httpx.post(f"{address.rstrip('/')}/query", json={"question": question}, timeout=120)
            content = response.json()
            print(json.dumps(content, ensure_ascii=False))
            return 0 if content.get("status") == "answered" else 1
        finally:
            service.send_signal(signal.SIGTERM)


def main() -> int:
    """Start the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="ask one question and stop")
    options = parser.parse_args()
    try:
        prepare()
        return ask_once() if options.once else serve()
    except StepError as error:
        log(str(error))
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
