"""The same questions by every way in: page (a real browser), POST /query, server-sent events, MCP. Same answers?

    python benchmarks/t2c_service/entries.py --url http://127.0.0.1:8080 [--questions demo/questions.jsonl] [--count 40]

Asks a running service, for instance `make demo`'s. Writes benchmarks/t2c_service/results/entries.json;
exit status 1 if two ways
differ in status, words, query or rows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from mcp.client.client import Client
from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from playwright.async_api import Page

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "t2c_service" / "results" / "entries.json"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 120_000
WORDS = """card => { const copy = card.cloneNode(true); copy.querySelectorAll('.g-cite').forEach(each => each.remove());
return copy.textContent }"""


@dataclass(frozen=True)
class Told:
    """What one way in tells of a question, as far as all ways tell it."""

    status: str
    words: str
    cypher: str
    rows: str = ""

    @classmethod
    def of(cls, content: dict[str, Any]) -> Told:
        """Take an answer as JSON holds it."""
        rows = json.dumps(sorted(content["rows"], key=json.dumps), sort_keys=True)
        return cls(content["status"], _plain(content["answer"]), content["cypher"] or "", rows)


def _plain(text: str) -> str:
    return " ".join(re.sub(r" \[\d+\]", "", text).split())


async def post(client: httpx2.AsyncClient, question: str) -> Told:
    """Ask over HTTP."""
    return Told.of((await client.post("/query", json={"question": question})).json())


async def stream(client: httpx2.AsyncClient, question: str) -> Told:
    """Ask over HTTP and read the events."""
    headers = {"Accept": "text/event-stream"}
    reply = await client.post("/query", json={"question": question}, headers=headers)
    last = [event for event in reply.text.split("\n\n") if event.startswith("event: ")][-1]
    name, _, data = last.partition("\ndata: ")
    if name != "event: answer":
        raise RuntimeError(f"{question}: the last event is {last[:200]}")
    return Told.of(json.loads(data))


async def tool(client: Client, question: str) -> Told:
    """Ask as an MCP client."""
    result = await client.call_tool("ask", {"question": question})
    if result.structured_content is None:
        raise RuntimeError(f"{question}: {result.content}")
    return Told.of(result.structured_content)


STATUS = {
    "Answered": "answered",
    "Nothing found": "empty",
    "Not in this graph": "unanswerable",
    "Refused": "refused",
    "Failed": "failed",
}


async def visit(page: Page, question: str) -> Told:
    """Ask on the page and read what it shows; rows are read from the file that it offers."""
    await page.get_by_label("Question").fill(question)
    await page.keyboard.press("Enter")
    card = page.locator(".g-column, .g-card").filter(has=page.locator(".g-answer"))
    await page.locator(".g-question", has_text=question).first.wait_for(timeout=WAIT_MS)
    await card.first.wait_for(timeout=WAIT_MS)
    status = STATUS[(await card.locator(".g-tag").last.inner_text()).strip()]
    words = await page.locator(".g-answer").evaluate(WORDS)
    editor = page.locator(".cm-content")
    cypher = "\n".join(await editor.locator(".cm-line").all_inner_texts()) if await editor.count() else ""
    rows = "[]"
    download = page.get_by_role("button", name="Download JSON")
    if await download.count():
        async with page.expect_download() as taken:
            await download.click()
        content = json.loads((await (await taken.value).path()).read_text(encoding="utf-8"))
        rows = json.dumps(sorted(content["rows"], key=json.dumps), sort_keys=True)
    return Told(status, _plain(words), cypher, rows)


async def compare(url: str, questions: Sequence[str]) -> dict[str, Any]:
    """Ask every question by every way; tell where they differ, and how long each way took."""
    differences: list[dict[str, Any]] = []
    statuses: dict[str, int] = {}
    spent_ms: dict[str, list[float]] = {}
    async with (
        httpx2.AsyncClient(base_url=url, timeout=120) as client,
        Client(url.rstrip("/") + "/mcp") as agent,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        await page.goto(url, timeout=WAIT_MS)
        await page.locator(".g-state.g-good").wait_for(timeout=WAIT_MS)
        ways: dict[str, Callable[[str], Awaitable[Told]]] = {
            "post": lambda question: post(client, question),
            "events": lambda question: stream(client, question),
            "mcp": lambda question: tool(agent, question),
            "page": lambda question: visit(page, question),
        }
        for question in questions:
            told: dict[str, Told] = {}
            for name, way in ways.items():
                started = time.perf_counter()
                told[name] = await way(question)
                spent_ms.setdefault(name, []).append((time.perf_counter() - started) * 1000)
            statuses[told["post"].status] = statuses.get(told["post"].status, 0) + 1
            if len(set(told.values())) > 1:
                differences.append({"question": question} | {name: vars(each) for name, each in told.items()})
        await browser.close()
    return {
        "questions": len(questions),
        "statuses": statuses,
        "differences": differences,
        "median_ms": {name: round(sorted(each)[len(each) // 2], 1) for name, each in spent_ms.items()},
    }


def main() -> int:
    """Compare, print, save; give the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--questions", type=Path, default=ROOT / "demo" / "questions.jsonl")
    parser.add_argument("--count", type=int, default=40)
    chosen = parser.parse_args()
    lines = chosen.questions.read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines][: chosen.count]
    found = asyncio.run(compare(chosen.url, asked))
    RESULT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1, ensure_ascii=False))
    return 1 if found["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
