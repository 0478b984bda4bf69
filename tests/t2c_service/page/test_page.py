"""The page in a real browser: a question asked, an answer read, and nothing sent to or fetched from another host."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml
from playwright.async_api import async_playwright, expect
from tests.model_doubles import Reply, ScriptedServer
from tests.t2c_service.conftest import Script

from t2c_service.access.keys import KeyPermissions, KeyStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser, BrowserContext, Page
    from tests.conftest import TestGraph


CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.graph,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

COUNTS = "MATCH (drug:Drug)-[:TREATS]->(disease:Disease) WHERE disease.name IN ['Asthma', 'Gout'] RETURN disease.name, count(drug)"
TREATS = "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name, drug.halfLifeHours"
TOO_YOUNG = "MATCH (drug:Drug) WHERE drug.name = $v1 AND drug.approvalYear > 2100 RETURN drug.name"
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def _script() -> Script:
    return Script()


@pytest.fixture
def script(_script: Script) -> Script:
    """What the model of the one service of this file says, from the start again for each test."""
    _script.says, _script.by_words, _script.asked = ["MATCH (n:Nothing) RETURN n"], {}, []
    return _script


@contextmanager
def served(folder: Path, graph: TestGraph, script: Script, **settings: object) -> Iterator[str]:
    """A served process with the page, on a free port; gives its address."""
    (folder / "examples.jsonl").write_text('{"question": "Which drugs treat asthma?", "featured": true}\n')
    with ScriptedServer(script.reply) as model:
        content = {
            "graph": {"uri": graph.uri},
            "snapshot": str(graph.snapshot),
            "model": {"kind": "openai", "url": model.url},
            "examples": "examples.jsonl",
            "title": "Test graph",
            "port": 0,
            "limits": {"max_diagnosis_s": 30},
            **settings,
        }
        config = folder / "graphling.yaml"
        config.write_text(yaml.safe_dump(content))
        command = [Path(sys.executable).with_name("t2c-service"), "serve", "--config", config]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
            assert service.stdout is not None
            try:
                yield service.stdout.readline().strip()
            finally:
                service.terminate()
                service.wait(30)


@pytest.fixture(scope="module")
def address(graph: TestGraph, _script: Script, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("page"), graph, _script) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


class Visit:
    """A page and what it asked the network for, and complained about."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.other_hosts: list[str] = []
        self.errors: list[str] = []
        host = urlsplit(address).netloc
        page.on("request", lambda request: self._see(request.url, host))
        page.on("websocket", lambda socket: self._see(socket.url, host))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    def _see(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != host:
            self.other_hosts.append(url)

    async def ask(self, question: str) -> None:
        await self.page.get_by_label("Question").fill(question)
        await self.page.keyboard.press("Enter")

    async def is_narrow(self) -> bool:
        return bool(await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


async def visit(context: BrowserContext, address: str) -> Visit:
    found = Visit(await context.new_page(), address)
    await found.page.goto(address, timeout=WAIT_MS)
    await expect(found.page.locator(".g-state.g-good")).to_be_visible(timeout=WAIT_MS)
    return found


async def test_a_question_is_asked_and_answered_on_one_host(
    address: str, browser: Browser, script: Script
) -> None:
    script.says = [TREATS]
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    seen = await visit(context, address)
    page = seen.page
    await expect(page).to_have_title("Test graph")
    await page.get_by_role("button", name="Which drugs treat asthma?").click()
    answer = page.locator(".g-answer")
    await expect(answer).to_contain_text("“Salbutamol”: 4.6", timeout=WAIT_MS)
    await expect(page.get_by_role("cell", name="Salbutamol", exact=True)).to_be_visible()
    await expect(page.locator(".g-code")).to_contain_text("MATCH")
    await expect(page.get_by_text("$v1 = “Asthma”")).to_be_visible()
    await expect(page.locator(".g-chart canvas")).to_be_visible(timeout=WAIT_MS)
    await expect(page.get_by_text("query generated")).to_be_visible()
    await page.locator(".g-cite").nth(1).click()
    await expect(page.locator(".g-table tr.selected")).to_have_count(1)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download JSON").click()
    taken = json.loads((await (await download.value).path()).read_text())
    assert ["Salbutamol", 4.6] in taken["rows"]
    await page.get_by_label("Light or dark").click()
    await expect(page.locator("body.body--dark")).to_have_count(1)
    assert seen.other_hosts == []
    assert seen.errors == []
    await context.close()


async def test_a_query_is_changed_a_chart_drawn_and_a_question_found_again(
    address: str, browser: Browser, script: Script
) -> None:
    script.says = [Reply(COUNTS, delay_s=1.5)]
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    seen = await visit(context, address)
    page = seen.page
    await page.locator("body").click(position={"x": 5, "y": 400})
    await page.keyboard.press("/")
    await expect(page.get_by_label("Question")).to_be_focused()
    await seen.ask("How many drugs treat asthma and gout?")
    await expect(page.locator(".g-step").first).to_contain_text("Linked", timeout=WAIT_MS)
    await expect(page.locator(".g-answer")).to_contain_text("Asthma", timeout=WAIT_MS)
    await page.get_by_role("button", name="Chart").click()
    await expect(page.locator(".g-bars canvas")).to_be_visible(timeout=WAIT_MS)
    await page.get_by_role("button", name="Table").click()

    await page.locator(".cm-content").click()
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text("MATCH (w:Ward) RETURN w.name ORDER BY w.name LIMIT 3")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".g-question")).to_have_text("Your own query", timeout=WAIT_MS)
    await expect(page.locator(".g-table tbody tr")).to_have_count(3)

    await page.get_by_label("History").click()
    await page.locator(".g-past", has_text="asthma and gout").click()
    await expect(page.locator(".g-answer")).to_contain_text("Asthma", timeout=WAIT_MS)
    await page.get_by_label("Graph schema").click()
    await page.get_by_label("Find").fill("TREATS")
    await expect(page.get_by_text("Drug → TREATS → Disease")).to_be_visible(timeout=WAIT_MS)
    await page.keyboard.press("Escape")
    await expect(page.get_by_label("Find")).to_be_hidden(timeout=WAIT_MS)
    await page.reload()
    await expect(page.locator(".g-state.g-good")).to_be_visible(timeout=WAIT_MS)
    await page.get_by_label("History").click()
    await expect(page.locator(".g-past")).to_have_text("How many drugs treat asthma and gout?")
    assert seen.other_hosts == []
    assert seen.errors == []
    await context.close()


async def test_every_way_in_gives_the_same_answer(address: str, script: Script) -> None:
    script.by_words = {"treat": TREATS, "cost": "<unanswerable>"}
    script.says = [COUNTS]
    program = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "t2c_service" / "entries.py"))
    questions = [
        "Which drugs treat asthma?",
        "What does warfarin cost?",
        "How many drugs are there for asthma and gout?",
    ]
    found = await program["compare"](address, questions)
    assert found["differences"] == []
    assert found["statuses"] == {"answered": 2, "unanswerable": 1}


async def test_a_phone_has_no_sideways_scroll(address: str, browser: Browser, script: Script) -> None:
    script.says = [TREATS]
    context = await browser.new_context(viewport={"width": 375, "height": 800}, color_scheme="dark")
    seen = await visit(context, address)
    assert await seen.is_narrow()
    await seen.ask("Which drugs treat asthma?")
    await expect(seen.page.locator(".g-answer")).to_contain_text("Salbutamol", timeout=WAIT_MS)
    assert await seen.is_narrow()
    await expect(seen.page.locator("body.body--dark")).to_have_count(1)
    await context.close()


async def test_stored_markup_stays_text(address: str, browser: Browser, script: Script) -> None:
    hostile = "<img src=x onerror=document.title=1><script>document.title=2</script>"
    script.says = [f"WITH '{hostile}' AS note RETURN note, {{name: note}} AS `:onclick`, 1 AS `<i>`"]
    context = await browser.new_context()
    seen = await visit(context, address)
    await seen.ask("What is noted?")
    await expect(seen.page.locator(".g-answer")).to_contain_text("<img src=x", timeout=WAIT_MS)
    await expect(seen.page.get_by_role("cell", name=hostile, exact=True)).to_be_visible()
    assert await seen.page.locator("img[src=x]").count() == 0
    await expect(seen.page).to_have_title("Test graph")
    assert seen.other_hosts == []
    await context.close()


async def test_refusals_and_faults_are_told(address: str, browser: Browser, script: Script) -> None:
    context = await browser.new_context()
    seen = await visit(context, address)
    script.says = ["MATCH (n) DETACH DELETE n"]
    await seen.ask("Delete everything")
    await expect(seen.page.get_by_text("Refused", exact=True)).to_be_visible(timeout=WAIT_MS)
    await expect(seen.page.locator(".g-attempt .g-tag").nth(1)).to_be_visible()
    await expect(seen.page.locator(".g-note.g-bad")).to_be_visible()
    script.says = ["<unanswerable>"]
    await seen.ask("What does warfarin cost?")
    await expect(seen.page.get_by_text("Not in this graph")).to_be_visible(timeout=WAIT_MS)
    await seen.ask("x" * 1900)
    await expect(seen.page.get_by_text("Not in this graph")).to_be_visible(timeout=WAIT_MS)
    assert await seen.is_narrow()
    await context.close()


async def test_an_empty_answer_says_which_condition_nothing_meets(
    address: str, browser: Browser, script: Script
) -> None:
    script.says = [TOO_YOUNG]
    context = await browser.new_context(viewport={"width": 375, "height": 800})
    seen = await visit(context, address)
    page = seen.page
    await seen.ask("Is warfarin newer than 2100?")
    await expect(page.get_by_text("Nothing found", exact=True)).to_be_visible(timeout=WAIT_MS)
    relaxed = page.locator(".g-relaxation", has_text="approvalYear")
    await expect(relaxed).to_contain_text("1 without it")
    assert await seen.is_narrow()
    await relaxed.get_by_role("button").click()
    await expect(page.locator(".g-question")).to_have_text("Your own query", timeout=WAIT_MS)
    await expect(page.locator(".g-answer")).to_contain_text("Warfarin")
    assert seen.errors == []
    await context.close()


async def test_a_key_opens_the_graphs_that_it_is_for(
    graph: TestGraph, browser: Browser, script: Script, tmp_path: Path
) -> None:
    script.says = [TREATS]
    (tmp_path / "ward.jsonl").write_text('{"question": "Which wards are there?", "featured": true}\n')
    store = KeyStore(tmp_path / "keys.json")
    reader, _ = store.create(KeyPermissions(name="reader", scopes=("schema",)))
    one, _ = store.create(KeyPermissions(name="one", scopes=("query",), databases=("hospital",)))
    both, _ = store.create(KeyPermissions(name="both", scopes=("query", "cypher", "schema")))
    hospital = {
        "graph": {"uri": graph.uri},
        "snapshot": str(graph.snapshot),
        "title": "The hospital",
        "examples": "ward.jsonl",
    }
    with served(
        tmp_path,
        graph,
        script,
        access={"keys_file": "keys.json"},
        database="pharmacy",
        databases={"hospital": hospital},
    ) as address:
        context = await browser.new_context(viewport={"width": 375, "height": 800})
        seen = await visit(context, address)
        page = seen.page

        async def show(key: str) -> None:
            await page.get_by_label("Key").fill(key)
            await page.keyboard.press("Enter")

        await expect(page.locator(".g-title", has_text="Sign in")).to_be_visible()
        await expect(page.get_by_label("Graph", exact=True)).to_have_count(0)
        await expect(page.get_by_label("Question")).to_have_count(0)
        await page.get_by_label("Graph schema").click()
        await expect(page.get_by_text("Requires a key with the")).to_be_visible(timeout=WAIT_MS)
        await expect(page.get_by_label("Find")).to_have_count(0)
        await (
            page.get_by_role("dialog").get_by_label("Close").click()
        )  # a panel on its way in takes no Escape
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await show("gk_00000000_nope")
        await expect(page.get_by_role("alert")).to_contain_text("key", timeout=WAIT_MS)
        await show(reader)
        await expect(page.get_by_role("alert")).to_contain_text("lacks the `query` scope", timeout=WAIT_MS)
        await show(one)
        await seen.ask("Which drugs treat asthma?")
        await expect(page.locator(".g-answer")).to_contain_text("Salbutamol", timeout=WAIT_MS)
        await expect(page.get_by_role("button", name="Run again")).to_have_count(0)
        await expect(page.get_by_label("Graph", exact=True)).to_have_count(0)
        assert await seen.is_narrow()

        await page.reload()
        await expect(page.locator(".g-state.g-good")).to_be_visible(timeout=WAIT_MS)
        await show(both)
        await expect(page.get_by_role("button", name="Which drugs treat asthma?")).to_be_visible(
            timeout=WAIT_MS
        )
        assert await seen.is_narrow()
        await page.locator(".g-graphs").click()
        await expect(page.get_by_role("option")).to_have_text(["pharmacy", "The hospital"], timeout=WAIT_MS)
        await page.get_by_role("option", name="The hospital").click()
        await expect(page.get_by_role("button", name="Which wards are there?")).to_be_visible(timeout=WAIT_MS)
        await seen.ask("Which drugs treat asthma?")
        await expect(page.locator(".g-answer")).to_contain_text("Salbutamol", timeout=WAIT_MS)
        await expect(page.get_by_role("button", name="Run again")).to_be_visible()
        assert await seen.is_narrow()
        store.revoke(both.split("_")[1])
        await seen.ask("Which drugs treat asthma?")
        await expect(page.get_by_role("alert")).to_contain_text("invalid API key", timeout=WAIT_MS)
        assert (seen.other_hosts, seen.errors) == ([], [])
        await context.close()


VERIFIED = """
queries:
- name: drugs_for_disease
  description: Drugs that treat a disease.
  questions: ["Which drugs are there for {disease}?"]
  cypher: >-
    MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $disease RETURN drug.name ORDER BY drug.name
  parameters: {disease: {values_of: Disease.name, example: Asthma}}
- name: beds_of_ward
  description: Beds of a ward.
  questions: ["Beds of {ward}"]
  cypher: MATCH (ward:Ward) WHERE ward.name = $ward RETURN ward.beds
  parameters: {ward: {values_of: Ward.name}}
"""


async def test_a_verified_query_answers_and_feedback_is_kept(
    graph: TestGraph, browser: Browser, script: Script, tmp_path: Path
) -> None:
    (tmp_path / "verified.yaml").write_text(VERIFIED)
    script.says = ["MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.approvalYear"]
    settings = {"verified_queries": "verified.yaml", "feedback": {"file": "feedback.jsonl"}}
    with served(tmp_path, graph, script, **settings) as address:
        context = await browser.new_context(viewport={"width": 375, "height": 800})
        seen = await visit(context, address)
        page = seen.page
        await page.get_by_role("button", name="Beds of {ward}").click()
        await expect(page.get_by_label("Question")).to_have_value("Beds of {ward}")
        await page.get_by_role("button", name="Which drugs are there for Asthma?").click()
        await expect(page.locator(".g-answer")).to_contain_text("Budesonide", timeout=WAIT_MS)
        await expect(page.get_by_text("Verified query", exact=True)).to_be_visible()
        assert script.asked == []
        await page.get_by_label("Right", exact=True).click()
        await expect(page.get_by_text("Thank you.", exact=True)).to_be_visible(timeout=WAIT_MS)

        await seen.ask("What is the half-life of warfarin?")
        await expect(page.locator(".g-answer")).to_contain_text("1954", timeout=WAIT_MS)
        await page.get_by_label("Wrong", exact=True).click()
        await page.get_by_label("Comment").fill("that is the year")
        await page.get_by_label("Right query").fill("MATCH (drug:Drug) DETACH DELETE drug")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("Not kept: parse.write")).to_be_visible(timeout=WAIT_MS)
        query = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
        await page.get_by_label("Right query").fill(query)
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("The correction was kept.")).to_be_visible(timeout=WAIT_MS)
        assert await seen.is_narrow()
        assert seen.errors == []
        await context.close()
    kept = [json.loads(line) for line in (tmp_path / "feedback.jsonl").read_text().splitlines()]
    assert [(each["verdict"], each["channel"]) for each in kept] == [("right", "page"), ("wrong", "page")]
    assert (kept[1]["corrected_cypher"], kept[1]["comment"]) == (query, "that is the year")
