"""The demo's questions: well formed, of many kinds, and answered by their Cypher with their rows."""

import json
from collections import Counter
from pathlib import Path

import neo4j
import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"


def read(name):
    return [json.loads(line) for line in (DEMO / name).read_text(encoding="utf-8").splitlines()]


QUESTIONS = read("questions.jsonl")
UNANSWERABLE = read("unanswerable.jsonl")


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.iso_format() if hasattr(value, "iso_format") else value


def rounded(rows):
    return [[round(cell, 6) if isinstance(cell, float) else cell for cell in row] for row in rows]


@pytest.fixture(scope="module")
def driver(graph):
    with neo4j.GraphDatabase.driver(graph.uri) as made:
        yield made


@pytest.mark.graph
@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["id"])
def test_cypher_gives_the_expected_rows(driver, row):
    with driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        found = rounded(plain(list(record.values())) for record in session.run(row["cypher"]))
    expected = rounded(row["rows"])
    if "ORDER BY" not in row["cypher"]:
        found, expected = sorted(found, key=json.dumps), sorted(expected, key=json.dumps)
    assert found == expected


def test_every_question_has_an_answer_and_every_yes_no_one_boolean():
    for row in QUESTIONS:
        assert row["rows"], row["id"]
        if row["category"] == "yes/no":
            assert row["rows"] in ([[True]], [[False]])


def test_questions_are_many_of_many_kinds_and_said_once():
    assert len(QUESTIONS) >= 60
    assert len({row["category"] for row in QUESTIONS}) >= 15
    assert 8 <= sum(row.get("featured", False) for row in QUESTIONS) <= 14
    for field in ("id", "question", "cypher"):
        repeated = [each for each, count in Counter(row[field] for row in QUESTIONS).items() if count > 1]
        assert not repeated


def test_yes_no_questions_have_both_answers():
    answers = {row["rows"][0][0] for row in QUESTIONS if row["category"] == "yes/no"}
    assert answers == {True, False}


def test_limited_answers_say_their_order():
    assert all("ORDER BY" in row["cypher"] for row in QUESTIONS if "LIMIT" in row["cypher"])


def test_unanswerable_questions_say_why():
    assert len(UNANSWERABLE) >= 12
    for row in UNANSWERABLE:
        assert row.keys() == {"id", "question", "why"}
        assert row["why"]
    assert not {row["question"] for row in UNANSWERABLE} & {row["question"] for row in QUESTIONS}
