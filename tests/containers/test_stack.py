"""`docker compose up` as a person meets it: first answer, 40 questions, page, killed containers, other settings, removal.

Each test leaves the project running for the next; the last one removes it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp.client.client import Client
from playwright.async_api import async_playwright, expect
from tests.containers.stack import LOAD_IMAGE, PASSWORD, PROJECT, QUESTION, ROOT, SERVICE_IMAGE
from tests.deploy.test_kubernetes import pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.containers.conftest import Measurements
    from tests.containers.engine import Engine
    from tests.containers.stack import Stack

log = logging.getLogger("containers")

pytestmark = pytest.mark.containers

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 60_000
LIMITS_MB = {SERVICE_IMAGE: 225, LOAD_IMAGE: 570}
"""Without the image of Python."""
NEW_PASSWORD = "another horse battery"
OUTAGE = {503, 504, "not reached"}
"""What a question may meet while a container is down."""


def questions(count: int) -> list[str]:
    lines = (ROOT / "demo" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines[:count]]


def rows_of(content: dict[str, Any]) -> tuple[str, list[str]]:
    return content["status"], sorted(map(json.dumps, content["rows"]))


@pytest.mark.parametrize(("image", "limit_mb"), LIMITS_MB.items())
def test_images_are_small_and_run_as_nobody_special(
    stack: Stack, engine: Engine, measured: Measurements, image: str, limit_mb: int
) -> None:
    def size_mb(name: str) -> float:
        return int(engine.docker("image", "inspect", name, "--format", "{{.Size}}").stdout) / 1e6

    for name in (image, stack.images.python):
        measured.note(f"{name}, MB", size_mb(name))
    user = engine.docker("image", "inspect", image, "--format", "{{.Config.User}}").stdout.strip()
    assert user == "7474:7474"
    assert size_mb(image) - size_mb(stack.images.python) <= limit_mb


def test_the_first_question_of_a_fresh_stack_is_answered(stack: Stack, measured: Measurements) -> None:
    started = time.monotonic()
    stack.up()
    measured.note("docker compose up to healthy, s", time.monotonic() - started)
    response = stack.ask()
    measured.note("docker compose up to first answer, s", time.monotonic() - started)
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "answered"
    assert [40.0] in [list(row) for row in response.json()["rows"]]
    assert "40" in response.json()["answer"]
    for service in ("graph", "model", "service"):
        assert stack.state(service)["restarts"] == 0, stack.logs(service)


async def test_forty_questions_have_the_same_answers_by_http_and_mcp(stack: Stack) -> None:
    statuses: Counter[str] = Counter()
    async with (
        httpx2.AsyncClient(base_url=stack.url, timeout=120) as client,
        Client(f"{stack.url}/mcp") as agent,
    ):
        for question in questions(40):
            response = await client.post("/query", json={"question": question})
            assert response.status_code == 200, (question, response.text)
            told = await agent.call_tool("ask", {"question": question})
            assert told.structured_content is not None, (question, told.content)
            assert rows_of(told.structured_content) == rows_of(response.json()), question
            statuses[response.json()["status"]] += 1
    log.info("40 questions: %s", dict(statuses))
    assert statuses["answered"] >= 30, statuses
    assert not {"failed", "refused"} & set(statuses), statuses


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")
async def test_the_page_answers_in_a_browser(stack: Stack) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(stack.url, timeout=WAIT_MS)
        await page.locator(".g-state.g-good").wait_for(timeout=WAIT_MS)
        await page.get_by_label("Question").fill(QUESTION)
        await page.keyboard.press("Enter")
        await expect(page.locator(".g-answer")).to_contain_text("40", timeout=WAIT_MS)
        await browser.close()
    assert errors == []


def test_nothing_is_written_outside_the_volumes_and_nothing_inside_reaches_out(stack: Stack) -> None:
    for service in ("graph", "service"):
        written = stack.run_python(service, "open('/opt/graphling/x', 'w')")
        assert "Read-only file system" in written.stderr, service
    away = "import socket; socket.create_connection(('192.0.2.1', 443), 3)"
    assert stack.run_python("graph", away).returncode != 0
    assert "unreachable" in stack.run_python("graph", away).stderr


class Clients:
    """Clients that ask one question after the other, and what became of each."""

    def __init__(self, stack: Stack) -> None:
        self.outcomes: Counter[int | str] = Counter()
        self.surprises: list[str] = []
        self._stack, self._lock, self._stop = stack, threading.Lock(), threading.Event()

    def run(self) -> None:
        for question in questions(84) * 100:
            if self._stop.is_set():
                return
            try:
                response = self._stack.ask(question)
                outcome: int | str = response.status_code
                problem = response.headers["Content-Type"].startswith("application/problem+json")
                surprise = outcome not in {200, *OUTAGE} or (outcome != 200 and not problem)
                surprise = surprise or (outcome == 200 and response.json()["status"] in {"failed", "refused"})
            except httpx2.TransportError:
                outcome, surprise = "not reached", False
            with self._lock:
                self.outcomes[outcome] += 1
                if surprise:
                    self.surprises.append(f"{outcome}: {question}: {response.text[:400]}")
            if outcome != 200:
                time.sleep(0.2)

    @contextmanager
    def asking(self, count: int) -> Iterator[None]:
        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(self.run) for _ in range(2)]
            try:
                yield
                while sum(self.outcomes.values()) < count:
                    time.sleep(0.2)
            finally:
                self._stop.set()
        for each in running:
            each.result()


def test_each_container_that_is_killed_comes_back_by_itself_while_questions_are_asked(
    stack: Stack, measured: Measurements
) -> None:
    clients = Clients(stack)
    with clients.asking(200):
        for service in ("graph", "model", "service"):
            before = stack.state(service)
            started = time.monotonic()
            stack.kill(service)
            while stack.state(service)["StartedAt"] == before["StartedAt"]:
                assert time.monotonic() - started < 60, f"{service} was not started again"
                time.sleep(0.2)
            stack.wait_healthy(service)
            stack.wait_healthy("service")
            while (reply := try_to_ask(stack)) != "answered":
                assert time.monotonic() - started < 300, f"{service}: {reply}\n{stack.logs(service)[-4000:]}"
                time.sleep(0.2)
            measured.note(f"{service} killed to next answer, s", time.monotonic() - started)
    log.info("while containers were killed: %s", dict(clients.outcomes))
    assert clients.surprises == []
    assert clients.outcomes[200] > 50
    assert clients.outcomes[503] > 0


def try_to_ask(stack: Stack) -> str:
    try:
        response = stack.ask()
    except httpx2.TransportError as error:
        return repr(error)
    return response.json()["status"] if response.status_code == 200 else response.text


def test_probes_and_metrics_answer_any_host_where_others_are_turned_away(stack: Stack) -> None:
    stack.settings["T2C_ALLOWED_HOSTS"] = "ask.example.org"
    stack.up("service")  # its health check names 127.0.0.1
    inside = "import urllib.request as u; print(u.urlopen('http://service:8080/metrics').read().decode())"
    assert "t2c_dependency_up" in stack.run_python("graph", inside).stdout
    assert stack.ask().status_code == 421
    assert stack.ask(Host="ask.example.org").status_code == 200
    del stack.settings["T2C_ALLOWED_HOSTS"]


def test_keys_are_made_in_the_container_and_then_asked_for(stack: Stack) -> None:
    created = stack.compose(
        *("run", "--rm", "-T", "--no-deps", "service", "keys", "create", "me", "--file", "/state/keys.json")
    )
    key = json.loads(created.stdout)["key"]
    stack.settings |= {
        "T2C_ACCESS__KEYS_FILE": "/state/keys.json",
        "T2C_ACCESS__AUDIT_LOG": "/state/audit.jsonl",
    }
    stack.up("service")
    assert stack.ask().status_code == 401
    assert stack.ask(Authorization=f"Bearer {key}").json()["status"] == "answered"
    read = stack.run_python("service", "print(open('/state/audit.jsonl').read())")
    assert QUESTION in read.stdout
    del stack.settings["T2C_ACCESS__KEYS_FILE"], stack.settings["T2C_ACCESS__AUDIT_LOG"]
    stack.up("service")


@pytest.mark.parametrize(
    ("workload", "name", "made"),
    [
        ("service", "snapshot", "manifest.json"),
        ("service", "settings", "graphling.yaml"),
        ("model", "starter", "model.safetensors"),
    ],
)
def test_init_containers_of_the_manifests_work_in_our_images(
    stack: Stack, engine: Engine, workload: str, name: str, made: str
) -> None:
    spec = pods("demo")[workload]["spec"]
    (container,) = (each for each in spec["initContainers"] if each["name"] == name)
    image = {"load": LOAD_IMAGE, "service": SERVICE_IMAGE}[
        container["image"].split(":")[0].rpartition("/")[2]
    ]
    user = spec["securityContext"]
    mounts = [f"--tmpfs={each['mountPath']}:mode=1777" for each in container["volumeMounts"]]
    target = next(each["mountPath"] for each in container["volumeMounts"] if each["name"] != "tmp")
    done = engine.docker(
        *("run", "--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *(f"--user={user['runAsUser']}:{user['runAsGroup']}", f"--network={PROJECT}_inner"),
        *("-e", "T2C_GRAPH__URI=bolt://graph:7687", "-e", f"NEO4J_PASSWORD={stack.settings[PASSWORD]}"),
        *(*mounts, f"--entrypoint={container['command'][0]}", image, *container["command"][1:]),
        f"{container['args'][0].replace('exec ', '')} && find {target}",
    )
    assert f"/{made}\n" in done.stdout


def test_what_is_published_beyond_this_machine_needs_keys(stack: Stack) -> None:
    stack.settings["BIND"] = "0.0.0.0"
    done = stack.compose("run", "--rm", "-T", "--no-deps", "service", check=False)
    assert done.returncode == 2, done.stderr
    assert "keys" in done.stderr
    del stack.settings["BIND"]


def test_a_changed_password_is_refused_while_the_graph_runs_and_taken_after_a_stop(
    stack: Stack, measured: Measurements
) -> None:
    stack.settings[PASSWORD] = NEW_PASSWORD
    assert stack.up(check=False).returncode != 0
    assert "docker compose down" in stack.logs("load")

    stack.compose("down")
    started = time.monotonic()
    stack.up()
    assert stack.ask().json()["status"] == "answered"
    measured.note("docker compose up with volumes to first answer, s", time.monotonic() - started)
    assert json.loads(stack.logs("load").strip().splitlines()[-1])["status"] == "password_changed"
    program = (
        "import neo4j, sys; "
        "neo4j.GraphDatabase.driver('bolt://graph:7687', auth=('neo4j', sys.argv[1])).verify_connectivity()"
    )
    for password, is_taken in ((NEW_PASSWORD, True), ("correct horse battery", False)):
        tried = stack.run_python("service", program.replace("sys.argv[1]", repr(password)))
        assert (tried.returncode == 0) is is_taken, tried.stderr
    again = stack.compose("run", "--rm", "-T", "load")
    assert json.loads(again.stdout)["status"] == "already_loaded"


def test_a_missing_password_is_named(stack: Stack) -> None:
    kept = stack.settings.pop(PASSWORD)
    done = stack.compose("config", "-q", check=False)
    assert done.returncode != 0
    assert "set T2C_GRAPH__PASSWORD in .env" in done.stderr
    stack.settings[PASSWORD] = kept


@pytest.mark.parametrize("files", [(), ("compose.monitoring.yaml",), ("compose.gpu.yaml",)])
def test_all_combinations_of_files_are_read_by_compose(stack: Stack, files: tuple[str, ...]) -> None:
    content = stack.compose("--profile", "monitoring", "config", "--format", "json", files=files).stdout
    assert {"service", "graph", "model", "prometheus", "grafana"} <= set(json.loads(content)["services"])


def test_down_with_volumes_leaves_nothing(stack: Stack) -> None:
    assert stack.remains()
    stack.compose("down", "-v")
    assert stack.remains() == []
