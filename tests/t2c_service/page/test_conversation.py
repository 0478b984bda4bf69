"""A dialogue on the page: five turns, a question with two readings, a correction and a verified query."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.model_doubles import UNSURE, Reply
from tests.t2c_service.conftest import Script
from tests.t2c_service.page.test_page import (
    CHROMIUM,
    VERIFIED,
    WAIT_MS,
    browser,  # noqa: F401  (a fixture)
    served,
    visit,
)

if TYPE_CHECKING:
    from playwright.async_api import Browser
    from tests.conftest import TestGraph

pytestmark = [
    pytest.mark.graph,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

FIRST = "Which drugs treat gout?"
TREATS = "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name"
CAUSES = (
    "MATCH (drug:Drug)-[has_side_effect:HAS_SIDE_EFFECT]->(side_effect:SideEffect) WHERE side_effect.name = $v1 "
    "RETURN drug.name"
)
SCREENSHOTS = os.environ.get("GRAPHLING_SCREENSHOTS")
"""Folder in which to keep pictures of the page, for people."""


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_dialogue_with_a_choice_a_correction_and_a_verified_query(
    graph: TestGraph,
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    width: int,
) -> None:
    script = Script(says=[TREATS])
    (tmp_path / "verified.yaml").write_text(VERIFIED)
    settings = {"verified_queries": "verified.yaml", "feedback": {"file": "feedback.jsonl"}}
    with served(tmp_path, graph, script, **settings) as address:
        context = await browser.new_context(viewport={"width": width, "height": 900})
        seen = await visit(context, address)
        page = seen.page

        async def look(name: str) -> None:
            assert await seen.is_narrow()
            if SCREENSHOTS:
                await page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=True)

        await seen.ask(FIRST)
        await expect(page.locator(".g-answer")).to_contain_text("Allopurinol", timeout=WAIT_MS)
        await expect(page.get_by_text(f"A follow-up refers to: {FIRST}")).to_be_visible(timeout=WAIT_MS)
        for text, expected in (
            ("what about migraine?", "Sumatriptan"),
            ("only those with the approval year 1992", "Sumatriptan"),
            ("how many are there?", "1"),
            ("list them", "Sumatriptan"),
        ):
            before = await page.locator(".g-question").text_content()
            await seen.ask(text)
            await expect(page.locator(".g-question")).to_have_text(text, timeout=WAIT_MS)
            assert before != text
            await expect(page.locator(".g-answer")).to_contain_text(expected, timeout=WAIT_MS)
            await expect(page.get_by_text("Follows up on:")).to_be_visible()
        await look("follow-up")

        await page.get_by_role("button", name="New conversation").click()
        await expect(page.get_by_text("A follow-up refers to:")).to_have_count(0)
        script.says = [Reply(each, logprobs=UNSURE) for each in (TREATS, CAUSES)]
        await seen.ask("Which drugs are there with depression?")
        await expect(page.get_by_text("Which one is meant?")).to_be_visible(timeout=WAIT_MS)
        await expect(page.locator(".g-choice")).to_have_count(2)
        await look("ambiguous")
        await page.locator(".g-choice").nth(1).click()
        await expect(page.locator(".g-answer")).to_contain_text("Isotretinoin", timeout=WAIT_MS)
        await expect(page.locator(".g-choice")).to_have_count(0)
        await seen.ask("how many are there?")
        await expect(page.get_by_text("Follows up on: Which drugs are there with depression?")).to_be_visible(
            timeout=WAIT_MS
        )

        await page.get_by_label("Wrong", exact=True).click()
        await page.get_by_label("Right query").fill(CAUSES.replace("$v1", "'Depression'"))
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("The correction was kept.")).to_be_visible(timeout=WAIT_MS)

        await seen.ask("Which drugs are there for Asthma?")
        await expect(page.get_by_text("Verified query", exact=True)).to_be_visible(timeout=WAIT_MS)
        await expect(page.locator(".g-answer")).to_contain_text("Budesonide", timeout=WAIT_MS)
        await look("verified")
        assert (seen.other_hosts, seen.errors) == ([], [])
        await context.close()
    kept = [json.loads(line) for line in (tmp_path / "feedback.jsonl").read_text().splitlines()]
    assert [each["verdict"] for each in kept] == ["wrong"]
