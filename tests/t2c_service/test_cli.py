"""The command line: exit statuses, what goes to which stream, and a served process from start to stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from t2c_service import cli

if TYPE_CHECKING:
    from tests.conftest import TestGraph

    from .conftest import Script

SCRIPT = Path(sys.executable).with_name("t2c-service")
HALF_LIFE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
QUESTION = "What is the half-life of warfarin?"


@pytest.fixture
def config(graph: TestGraph, model_url: str, tmp_path: Path) -> Path:
    file = tmp_path / "graphling.yaml"
    content = {
        "graph": {"uri": graph.uri},
        "snapshot": str(graph.snapshot),
        "model": {"kind": "openai", "url": model_url},
        "port": 0,
    }
    file.write_text(yaml.safe_dump(content))
    return file


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: status, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(cli, "_log", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return call


@pytest.mark.graph
def test_ask_prints_answer_and_query(run: Run, config: Path, script: Script) -> None:
    script.says = [HALF_LIFE]
    status, out, err = run("ask", QUESTION, "--config", config)
    assert status == 0
    assert out.splitlines()[0] == "Drug half life hours: 40 [1]"
    assert HALF_LIFE in out
    assert "$v1 = 'Warfarin'" in out
    assert err == ""


@pytest.mark.graph
def test_ask_json_is_one_line(run: Run, config: Path, script: Script) -> None:
    script.says = [HALF_LIFE]
    status, out, _ = run("ask", QUESTION, "--config", config, "--json")
    assert status == 0
    assert out.count("\n") == 1
    assert json.loads(out)["rows"] == [[40.0]]


@pytest.mark.graph
def test_ask_fails_when_no_query_ran(run: Run, config: Path, script: Script) -> None:
    script.says = ["MATCH (n) DETACH DELETE n"]
    status, out, _ = run("ask", QUESTION, "--config", config)
    assert status == 1
    assert "not allowed in a read-only query" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ask", "x", "--config", "none.yaml"], "cannot read the settings none.yaml"),
        (["ask", "x"], "`graph` is missing"),
        (["serve", "--port", "99999"], "invalid --port 99999"),
        (["serve", "--nope"], "--nope"),
        (
            ["evaluate", "--pairs", "none.jsonl", "--url", "http://127.0.0.1:9"],
            "cannot read the pairs none.jsonl",
        ),
        (["nope"], "nope"),
    ],
)
def test_wrong_input_exits_2_with_a_sentence(run: Run, arguments: list[str], told: str) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert told in err
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.graph
def test_an_empty_or_endless_question_is_wrong_input(run: Run, config: Path) -> None:
    assert run("ask", "  ", "--config", config)[0] == 2
    status, _, err = run("ask", "x" * 3000, "--config", config)
    assert (status, "3000 characters; at most 2000" in err) == (2, True)


@pytest.mark.graph
def test_a_model_that_is_down_exits_1(run: Run, graph: TestGraph, tmp_path: Path) -> None:
    file = tmp_path / "down.yaml"
    model = {"kind": "openai", "url": "http://127.0.0.1:9/v1"}
    file.write_text(
        yaml.safe_dump({"graph": {"uri": graph.uri}, "snapshot": str(graph.snapshot), "model": model})
    )
    status, _, err = run("ask", "x", "--config", file)
    assert status == 1
    assert "cannot be reached" in err
    assert "Traceback" not in err


@pytest.mark.graph
def test_a_taken_port_is_named(run: Run, config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, _, err = run("serve", "--config", config, "--port", taken.getsockname()[1])
    assert status == 2
    assert "cannot listen on 127.0.0.1" in err


def test_help_needs_no_heavy_imports() -> None:
    code = (
        "import sys; sys.argv = ['t2c-service', '--help']\n"
        "from t2c_service import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'fastapi', 'nicegui', 'neo4j', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "serve" in done.stdout


@pytest.mark.graph
def test_serve_prints_its_address_when_ready_and_stops_on_sigterm(config: Path, script: Script) -> None:
    script.says = [HALF_LIFE]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [SCRIPT, "serve", "--config", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as service:
        try:
            assert service.stdout is not None
            address = service.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:")
            request = urllib.request.Request(
                f"{address}/query",
                json.dumps({"question": QUESTION}).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=30) as response:
                assert json.load(response)["rows"] == [[40.0]]
        finally:
            service.send_signal(signal.SIGTERM)
            out, err = service.communicate(timeout=30)
    assert service.returncode == 0, err
    assert out == ""
    assert "Traceback" not in err


def test_keys_are_made_listed_and_revoked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    status, out, _ = run(
        "keys",
        "create",
        "ward 3",
        "--file",
        file,
        "--scope",
        "query",
        "--hide",
        "Patient.name",
        "--expires-in-days",
        30,
    )
    made = json.loads(out)
    assert (status, made["grant"]["scopes"], made["grant"]["hidden"]) == (0, ["query"], ["Patient.name"])
    assert made["key"].startswith(f"gk_{made['id']}_")
    status, out, _ = run("keys", "list", "--file", file)
    listed = json.loads(out)
    assert (status, listed["grant"]["name"], listed["revoked"]) == (0, "ward 3", None)
    assert "key" not in listed
    assert "sha256" not in listed
    status, out, _ = run("keys", "revoke", made["id"], "--file", file)
    assert (status, json.loads(out)["revoked"] is None) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "x"), "no file of API keys"),
        (("list",), "no file of API keys"),
        (("revoke", "abc", "--file", "{folder}/keys.json"), "has no key 'abc'"),
        (("create", "x", "--file", "{folder}/keys.json", "--per-minute", "0"), "greater than or equal to 1"),
        (("create", "", "--file", "{folder}/keys.json"), "at least 1 character"),
        (("create", "x", "--file", "{folder}"), "cannot read the API keys"),
        (("create", "x", "--file", "{folder}/keys.json", "--expires-in-days", "-5"), "--expires-in-days -5"),
        (("create", "x", "--file", "{folder}/keys.json", "--expires-in-days", "0"), "expected 1 to 36500"),
        (("create", "x", "--file", "{folder}/keys.json", "--days", "99999999999"), "expected 1 to 36500"),
    ],
)
def test_wrong_key_commands_exit_with_2(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    status, out, err = run("keys", *(each.format(folder=tmp_path) for each in arguments))
    assert (status, out) == (2, "")
    assert told in err


def test_the_file_of_keys_can_be_named_by_the_settings(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "graphling.yaml").write_text("access: {keys_file: keys.json}\n")
    assert run("keys", "create", "x", "--config", tmp_path / "graphling.yaml")[0] == 0
    assert (tmp_path / "keys.json").is_file()
    monkeypatch.setenv("T2C_ACCESS__KEYS_FILE", str(tmp_path / "keys.json"))
    assert json.loads(run("keys", "list")[1])["grant"]["name"] == "x"


def test_the_earlier_flag_of_expiry_works_and_says_the_present_one(run: Run, tmp_path: Path) -> None:
    status, out, err = run("keys", "create", "x", "--file", tmp_path / "keys.json", "--days=30")
    assert (status, json.loads(out)["grant"]["expires"] is None) == (0, False)
    assert err == "t2c-service: --days is deprecated; use --expires-in-days\n"


@pytest.mark.graph
@pytest.mark.parametrize(
    ("hide", "hint"),
    [("Patinet", "Patient"), ("Patient.nmae", "Patient.name"), ("TREATED", "TREATS")],
)
def test_a_hidden_name_that_the_graph_does_not_have_is_refused_with_the_nearest(
    run: Run, config: Path, tmp_path: Path, hide: str, hint: str
) -> None:
    command = ("keys", "create", "x", "--config", config, "--file", tmp_path / "keys.json", "--hide", hide)
    status, out, err = run(*command)
    assert (status, out) == (2, "")
    assert hide in err
    assert hint in err
    assert not (tmp_path / "keys.json").exists()
    assert run(*command, "--allow-missing")[0] == 0


def test_serve_says_how_to_open_an_address_to_everybody(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "graphling.yaml"
    model = {"kind": "openai", "url": "http://127.0.0.1:9/v1"}
    file.write_text(yaml.safe_dump({"graph": {"uri": "bolt://x:1"}, "snapshot": "none", "model": model}))
    status, _, err = run("serve", "--config", file, "--host", "0.0.0.0")
    assert (status, "--allow-anonymous" in err) == (2, True)
    status, _, err = run("serve", "--config", file, "--host", "0.0.0.0", "--port", 0, "--allow-anonymous")
    assert (status, "--allow-anonymous" in err) == (2, False), (
        "the snapshot is the next thing that is missing"
    )


def test_version_is_that_of_the_distribution(run: Run) -> None:
    status, out, _ = run("--version")
    assert (status, out.strip()) == (0, version("graphling"))
