"""Choices among readings, and the query in an answer that a chat client sends back."""

from __future__ import annotations

import pytest

from t2c_service.answering.conversation.turns import pick
from t2c_service.answering.explaining.markdown import as_markdown, query_in_markdown
from t2c_service.answering.records import Answer, Choice

CHOICES = (
    Choice(interpretation="Drugs that treat the disease “Depression”", cypher="A"),
    Choice(interpretation="Drugs that cause the side effect “Depression”", cypher="B"),
)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("the second", 1),
        ("2", 1),
        ("the first one, please", 0),
        ("I mean the side effect", 1),
        ("the disease", 0),
        ("depression", None),
        ("the third", None),
        ("Which drugs treat gout?", None),
    ],
)
def test_a_turn_takes_a_reading_by_its_number_or_its_words(text: str, taken: int | None) -> None:
    assert pick(text, CHOICES) == taken


def test_the_query_of_an_answer_is_read_back_from_its_markdown() -> None:
    answer = Answer(
        question="?", status="empty", answer="Nothing.", cypher="MATCH (n)\nRETURN n", model="", schema_version="",
        parameters={"v1": "a\n```b", "v2": 3},
    )  # fmt: skip
    assert query_in_markdown(as_markdown(answer)) == (answer.cypher, answer.parameters)


@pytest.mark.parametrize("text", ["", "no query", "```cypher\n```", "```cypher\n// $v1 = {\nRETURN 1\n```"])
def test_text_without_a_query_has_none(text: str) -> None:
    assert query_in_markdown(text) is None
