"""Paraphrases are added only if they are verified."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.model_doubles import Reply, ScriptedServer
from tests.t2c_data.llm.scripted_llm import ScriptedLLM

from t2c_data.lexicon.model import Lexicon
from t2c_data.llm.client import LLMClient
from t2c_data.llm.endpoint import Endpoint
from t2c_data.llm.paraphrase import ParaphraseOptions, paraphrase
from t2c_data.pairs import Pair
from t2c_data.validators.stage import ValidationContext

COUNT = Pair(
    id="1", question="How many drugs are there?", cypher="MATCH (d:Drug) RETURN count(d)", split="dev"
)
NAMED = Pair(
    id="2",
    question="What are the diseases that 'Warfarin' treats?",
    cypher="MATCH (d:Drug)-[:TREATS]->(x:Disease) WHERE d.name = $v1 RETURN x.name",
    parameters={"v1": "Warfarin"},
)
UNANSWERABLE = Pair(id="3", question="What is the weather?", cypher="")


class FixedSimilarity:
    """A sentence encoder that finds every paraphrase equally similar."""

    def __init__(self, cosine: float) -> None:
        self.cosine = cosine

    def similarities(self, left: list[str], right: list[str]) -> list[float]:
        return [self.cosine for _ in zip(left, right, strict=True)]


@pytest.fixture
def run(graph: Any, lexicon: Lexicon, tmp_path: Path) -> Any:
    def run(
        pair: Pair, texts: list[str], *, cosine: float | None = None, equivalent: bool = True, **options: Any
    ) -> tuple[list[Pair], Counter[str], list[str]]:
        model = ScriptedLLM({}, paraphrases=texts, equivalent=equivalent)

        async def go(url: str) -> tuple[list[Pair], Counter[str]]:
            async with LLMClient(Endpoint(url=url, retries=0), tmp_path / "cache") as client:
                return await paraphrase(
                    [pair, UNANSWERABLE],
                    client,
                    ValidationContext.load(graph.snapshot, lexicon),
                    encoder=None if cosine is None else FixedSimilarity(cosine),  # type: ignore[arg-type]
                    options=ParaphraseOptions(count=4, **options),
                )

        with ScriptedServer(lambda request: Reply(model(request))) as server:
            return (*asyncio.run(go(server.url)), model.prompts)

    return run


def test_a_paraphrase_that_asks_for_more_is_rejected_by_the_validators(run: Any) -> None:
    found, rejected, _ = run(COUNT, ["Which number of drugs do we have?", "How many drugs cost 9?"])
    assert [each.question for each in found] == ["Which number of drugs do we have?"]
    assert (found[0].split, found[0].cypher, found[0].template) == ("dev", COUNT.cypher, "+reworded")
    assert found[0].id != COUNT.id
    assert rejected == {"entity.unused": 1}


def test_a_paraphrase_that_the_model_finds_different_is_rejected(run: Any) -> None:
    found, rejected, prompts = run(COUNT, ["Which number of drugs do we have?"], equivalent=False)
    assert (found, rejected) == ([], {"not equivalent": 1})
    assert prompts.count("You compare") == 1
    found, rejected, prompts = run(
        COUNT, ["What number of drugs do we have?"], equivalent=False, check_equivalence=False
    )
    assert (len(found), rejected, prompts.count("You compare")) == (1, {}, 0)


def test_a_paraphrase_below_the_similarity_is_rejected(run: Any) -> None:
    found, rejected, prompts = run(COUNT, ["Which number of drugs do we have?"], cosine=0.6)
    assert (found, rejected) == ([], {"low similarity": 1})
    assert prompts.count("You compare") == 0
    assert len(run(COUNT, ["Which number of drugs do we have?"], cosine=0.6, min_similarity=0.5)[0]) == 1


def test_a_paraphrase_without_the_value_is_rejected(run: Any) -> None:
    found, rejected, _ = run(
        NAMED, ["Which diseases does 'Warfarin' treat?", "What illnesses does it treat?"]
    )
    assert [each.question for each in found] == ["Which diseases does 'Warfarin' treat?"]
    assert rejected == {"value lost": 1}


def test_the_question_itself_and_repetitions_are_no_paraphrases(run: Any) -> None:
    texts = [
        "How many drugs are there",
        "What  number of drugs do we have?",
        "what number of drugs do we have",
        "",
    ]
    found, rejected, _ = run(COUNT, texts)
    assert [each.question for each in found] == ["What number of drugs do we have?"]
    assert rejected == {"duplicate": 2}


def test_unanswerable_questions_are_not_paraphrased(run: Any) -> None:
    _, _, prompts = run(COUNT, [])
    assert prompts.count("You reword") == 1


def test_unreadable_replies_add_nothing(graph: Any, lexicon: Lexicon, tmp_path: Path) -> None:
    async def go(url: str) -> Any:
        async with LLMClient(Endpoint(url=url, retries=0), tmp_path) as client:
            return await paraphrase([COUNT], client, ValidationContext.load(graph.snapshot, lexicon))

    with ScriptedServer(lambda _: Reply(json.dumps({"rewordings": "none"}))) as server:
        assert asyncio.run(go(server.url)) == ([], Counter())
