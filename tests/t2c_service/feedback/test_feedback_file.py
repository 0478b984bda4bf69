"""The file of feedback: bounded, whole lines from many writers; pairs of what is right, in the form of training rows."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_service.answering.records import Answer
from t2c_service.errors import FeedbackError, FeedbackFullError, UnknownAnswerError
from t2c_service.feedback.pairs import feedback_pairs
from t2c_service.feedback.store import FeedbackRecord, FeedbackStore, RecentAnswers, read_feedback

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = GraphSchema(
    labels=tuple(
        NodeLabel(name=each, count=1, properties=(Property(name="name", type="STRING"),))
        for each in ("Drug", "Disease")
    ),
    types=(RelationshipType(name="TREATS", count=1),),
    triples=(Triple(source="Drug", type="TREATS", target="Disease", count=1),),
)
NAMES = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.name"
TREATS = "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name"


def record(**changes: Any) -> FeedbackRecord:
    fields: dict[str, Any] = {
        "answer_id": "a1",
        "database": "default",
        "schema_version": "s1",
        "question": "What treats asthma?",
        "status": "answered",
        "origin": "model",
        "cypher": NAMES,
        "parameters": {"v1": "Asthma"},
        "verdict": "right",
    }
    return FeedbackRecord(**(fields | changes))


def append_many(arguments: tuple[Path, int]) -> None:
    file, number = arguments
    store = FeedbackStore(file, max_bytes=10_000_000)
    for each in range(50):
        store.append(record(answer_id=f"{number}-{each}", comment="é" * 500))


def test_writers_of_several_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "feedback.jsonl"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(append_many, [(file, number) for number in range(4)])
    assert len({each.answer_id for each in read_feedback(file)}) == 200


def test_the_file_has_a_maximum_size(tmp_path: Path) -> None:
    file = tmp_path / "feedback.jsonl"
    store = FeedbackStore(file, max_bytes=2_000)
    for _ in range(2):
        store.append(record())
    with pytest.raises(FeedbackFullError, match="maximum of 2000 bytes"):
        store.append(record(comment="x" * 1000))
    assert 0 < file.stat().st_size <= 2_000
    assert all(each == record(timestamp=each.timestamp) for each in read_feedback(file))


def test_threads_keep_to_the_maximum_too(tmp_path: Path) -> None:
    file = tmp_path / "feedback.jsonl"
    store = FeedbackStore(file, max_bytes=3_000)

    def append(_: int) -> None:
        try:
            store.append(record())
        except FeedbackFullError:
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(50)))
    assert file.stat().st_size <= 3_000
    assert len(list(read_feedback(file))) > 1


def test_a_file_that_cannot_be_used_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(FeedbackError, match="cannot be written"):
        FeedbackStore(tmp_path / "absent" / "f.jsonl", max_bytes=9_999).append(record())
    file = tmp_path / "feedback.jsonl"
    with pytest.raises(FeedbackError, match="cannot read"):
        list(read_feedback(file))
    file.write_text(record().model_dump_json() + "\n\n{}\n")
    with pytest.raises(FeedbackError, match="line 3: not feedback"):
        list(read_feedback(file))


def test_an_answer_is_found_by_whom_it_was_given_to_and_without_its_rows() -> None:
    recent = RecentAnswers(2)
    for number in range(3):
        answer = Answer(
            question="Who?",
            status="answered",
            answer="Somebody",
            cypher=NAMES,
            rows=(("secret",),),
            model="m",
            schema_version="s",
            request_id=str(number),
        )
        recent.remember("ward", answer)
    found = recent.find("ward", "2")
    assert (found.cypher, found.rows, found.answer) == (NAMES, (), "")
    for subject, request_id in (("other", "2"), ("ward", "0"), ("ward", "x")):
        with pytest.raises(UnknownAnswerError):
            recent.find(subject, request_id)


def test_right_answers_and_corrections_become_pairs() -> None:
    records = [
        record(),
        record(question="Who?", verdict="wrong"),
        record(
            question="Which?", verdict="wrong", corrected_cypher=TREATS, corrected_parameters={"v1": "Gout"}
        ),
        record(question="none", cypher=None),
    ]
    pairs, left_out = feedback_pairs(records, SCHEMA)
    assert [(each["question"], each["cypher"], each["parameters"]) for each in pairs] == [
        ("What treats asthma?", NAMES, {"v1": "Asthma"}),
        ("Which?", TREATS, {"v1": "Gout"}),
    ]
    assert {(each["split"], each["category"]) for each in pairs} == {("train", "feedback")}
    assert len({each["id"] for each in pairs}) == 2
    assert left_out == {"without a right query": 2}
    json.dumps(pairs)


def test_the_last_feedback_about_a_question_counts() -> None:
    pairs, left_out = feedback_pairs(
        [record(), record(question=" what TREATS  asthma?", verdict="wrong")], SCHEMA
    )
    assert pairs == []
    assert left_out == {"superseded": 1, "without a right query": 1}


@pytest.mark.parametrize(
    ("cypher", "parameters", "made"),
    [
        (NAMES.replace("$v1", "$name"), {"name": "A", "other": 1}, (NAMES, {"v1": "A"})),
        (NAMES.replace("$v1", "$v7"), {"v7": "A"}, (NAMES, {"v1": "A"})),
        (NAMES, {}, None),
        (NAMES, {"v1": ["A"]}, None),
        (NAMES.replace("drug", "d"), {"v1": "A"}, None),
        (TREATS.replace("-[treats:TREATS]->", "-[:TREATS]->"), {"v1": "A"}, None),
        ("MATCH (drug:Drug) WHERE drug.name =~ $v1 RETURN drug.name", {"v1": "A"}, None),
        ("MATCH (drug:Drug RETURN drug", {}, None),
    ],
)
def test_pairs_have_numbered_parameters_and_the_variables_of_the_small_model(
    cypher: str, parameters: dict[str, Any], made: tuple[str, dict[str, Any]] | None
) -> None:
    pairs, left_out = feedback_pairs([record(cypher=cypher, parameters=parameters)], SCHEMA)
    if made is None:
        assert (pairs, left_out) == ([], {"not a query of the training form": 1})
    else:
        assert (pairs[0]["cypher"], pairs[0]["parameters"]) == made
