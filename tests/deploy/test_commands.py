"""The commands of the containers, run without containers: loader, Neo4j with its configuration, service, health checks.

Paths and ports of the containers are replaced; everything else is read from the files.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neo4j
import pytest
from tests.model_doubles import Reply, ScriptedServer

from t2c_core.graph.embedded import EmbeddedGraph

from .conftest import DEPLOY, with_defaults

if TYPE_CHECKING:
    from tests.conftest import TestGraph

pytestmark = [
    pytest.mark.graph,
    pytest.mark.skipif(sys.platform == "win32", reason="containers run on Linux"),
]

PASSWORD = "correct horse battery"
NEW_PASSWORD = "another horse battery"
GRAPH = {
    "people.csv": ":ID,:LABEL,name\n1,Person,Ada\n2,Person,Bo\n",
    "KNOWS.csv": ":START_ID,:END_ID,:TYPE\n1,2,KNOWS\n",
}


class Configured(EmbeddedGraph):
    """Neo4j as deploy/neo4j/neo4j.conf has it, but for address, memory and a slow machine's patience."""

    def _settings(self) -> dict[str, str]:
        lines = (DEPLOY / "neo4j" / "neo4j.conf").read_text("utf-8").splitlines()
        settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        ours = super()._settings()
        differs = ("server.bolt.listen_address", "db.transaction.timeout", "server.memory.pagecache.size")
        return {**settings, **{key: ours[key] for key in differs}}


def load(
    tmp_path: Path, compose: dict[str, Any], password: str = PASSWORD
) -> subprocess.CompletedProcess[str]:
    places = {
        "/source": tmp_path / "source",
        "/graph": tmp_path / "graph",
        "/snapshot/current": tmp_path / "snapshot",
    }
    arguments = [str(places.get(each, each)) for each in compose["services"]["load"]["command"]]
    secret = tmp_path / "password"
    secret.write_text(password + "\n")
    return subprocess.run(
        [sys.executable, DEPLOY / "init_graph.py", *arguments],
        env={**os.environ, "GRAPH_PASSWORD_FILE": str(secret)},
        capture_output=True,
        text=True,
        check=False,
    )


def run_check(test: list[str], port_in_container: int, port: int) -> int:
    assert test[0] == "CMD"
    command = [each.replace(str(port_in_container), str(port)).replace("$$", "$") for each in test[1:]]
    command[0] = {"python": sys.executable}.get(command[0], command[0])
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode


def test_the_loader_fills_a_store_that_the_hardened_server_then_only_reads(
    tmp_path: Path, compose: dict[str, Any]
) -> None:
    (tmp_path / "source").mkdir()
    for name, text in GRAPH.items():
        (tmp_path / "source" / name).write_text(text)
    first, second = load(tmp_path, compose), load(tmp_path, compose)
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert (summary["status"], summary["loaded"]) == ("loaded", "now")
    assert (summary["nodes"], summary["relationships"]) == (2, 1)
    again = json.loads(second.stdout)
    assert (again["status"], again["loaded"], again["nodes"]) == ("already_loaded", "before", 2)
    assert (tmp_path / "snapshot" / "manifest.json").is_file()

    with Configured(tmp_path / "graph") as server:
        check = compose["services"]["graph"]["healthcheck"]["test"]
        port = int(server.uri.rpartition(":")[2])
        assert run_check(check, 7687, port) == 0
        with (
            neo4j.GraphDatabase.driver(server.uri, auth=("neo4j", "wrong one")) as driver,
            pytest.raises(neo4j.exceptions.AuthError),
        ):
            driver.verify_connectivity()
        with neo4j.GraphDatabase.driver(server.uri, auth=("neo4j", PASSWORD)) as driver:
            assert driver.execute_query("MATCH (n:Person) RETURN count(n)").records[0][0] == 2
            with pytest.raises(neo4j.exceptions.Neo4jError, match="read-only"):
                driver.execute_query("CREATE (n:Person)")
            for source in ("file:///etc/passwd", "http://127.0.0.1:1/x", "https://example.org/x"):
                with pytest.raises(neo4j.exceptions.Neo4jError):
                    driver.execute_query("LOAD CSV FROM $source AS line RETURN line", source=source)
        refused = load(tmp_path, compose, NEW_PASSWORD)
        assert refused.returncode == 1
        assert "stop it first" in refused.stderr
        assert run_check(check, 7687, port) == 0
    assert run_check(check, 7687, port) != 0


def test_the_loader_sets_a_changed_password_and_imports_a_changed_graph(
    tmp_path: Path, compose: dict[str, Any]
) -> None:
    (tmp_path / "source").mkdir()
    for name, text in GRAPH.items():
        (tmp_path / "source" / name).write_text(text)
    (tmp_path / "source" / "people.csv").write_text(GRAPH["people.csv"] + "3,Person,Cy\n")
    for password, status, nodes in (
        (PASSWORD, "loaded", 3),
        (NEW_PASSWORD, "password_changed", 3),
        (NEW_PASSWORD, "already_loaded", 3),
    ):
        done = load(tmp_path, compose, password)
        assert done.returncode == 0, done.stderr
        assert (json.loads(done.stdout)["status"], json.loads(done.stdout)["nodes"]) == (status, nodes)
    (tmp_path / "source" / "people.csv").write_text(GRAPH["people.csv"])
    changed = json.loads(load(tmp_path, compose, NEW_PASSWORD).stdout)
    assert (changed["status"], changed["nodes"]) == ("loaded", 2)
    kept = (tmp_path / "graph" / "data" / "loaded.json").read_text()
    assert NEW_PASSWORD not in kept
    with Configured(tmp_path / "graph") as server:
        with neo4j.GraphDatabase.driver(server.uri, auth=("neo4j", NEW_PASSWORD)) as driver:
            assert driver.execute_query("MATCH (n:Person) RETURN count(n)").records[0][0] == 2
        with (
            neo4j.GraphDatabase.driver(server.uri, auth=("neo4j", PASSWORD)) as driver,
            pytest.raises(neo4j.exceptions.AuthError),
        ):
            driver.verify_connectivity()


def test_the_loader_asks_for_a_password(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("T2C_", "GRAPH_"))}
    command = [
        sys.executable,
        DEPLOY / "init_graph.py",
        "--source",
        ".",
        "--home",
        tmp_path / "h",
        "--snapshot",
        tmp_path / "s",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "set T2C_GRAPH__PASSWORD in .env" in done.stderr
    assert not (tmp_path / "h").exists()


def test_the_service_runs_with_the_environment_that_compose_gives_it(
    graph: TestGraph, compose: dict[str, Any], tmp_path: Path
) -> None:
    service = compose["services"]["service"]
    (volume,) = (each for each in service["volumes"] if "SETTINGS" in each)
    folder, inside, _ = with_defaults(volume).split(":")
    arguments = [each.replace(inside, str(DEPLOY / folder)) for each in service["command"]]
    with ScriptedServer(
        lambda _: Reply("MATCH (drug:Drug) RETURN count(drug)"), models=("graphling",)
    ) as model:
        puts = {
            "T2C_HOST": "127.0.0.1",
            "T2C_PUBLISHED_HOST": "127.0.0.1",
            "T2C_PORT": "0",
            "T2C_GRAPH__URI": graph.uri,
            "T2C_GRAPH__PASSWORD": PASSWORD,
            "T2C_SNAPSHOT": str(graph.snapshot),
            "T2C_MODEL__URL": model.url,
        }
        assert set(puts) <= set(service["environment"])
        environment = {key: value for key, value in os.environ.items() if not key.startswith("T2C_")}
        environment |= {**service["environment"], **puts, "T2C_PAGE": "false"}
        command = [Path(sys.executable).with_name("t2c-service"), *arguments]
        with subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                port = int(address.rpartition(":")[2])
                body = json.dumps({"question": "How many drugs are there?"}).encode()
                request = urllib.request.Request(
                    f"{address}/query", body, {"Content-Type": "application/json"}
                )
                with urllib.request.urlopen(request, timeout=60) as reply:
                    assert json.load(reply)["status"] == "answered"
                dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
                (alive,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", dockerfile, re.MULTILINE)
                for check in (service["healthcheck"]["test"], ["CMD", *json.loads(alive)]):
                    assert run_check(check, 8080, port) == 0
            finally:
                process.terminate()
            assert process.wait(240) == 0
    assert list(tmp_path.iterdir()) == [], "a service with a read-only root writes nothing"


def test_the_model_server_takes_the_arguments_that_compose_gives_it(compose: dict[str, Any]) -> None:
    arguments = [with_defaults(each) for each in compose["services"]["model"]["command"]]
    program = (
        "import sys; from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args;"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser;"
        "parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:]);"
        "validate_parsed_serve_args(parsed); print(parsed.model, parsed.served_model_name, parsed.max_model_len)"
    )
    pytest.importorskip("vllm", reason="vLLM is not installed (make vllm)")
    environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split()[-3:] == ["/model", "['graphling']", "512"], done.stderr[-2000:]
