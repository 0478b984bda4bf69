"""Verified queries: what their file may say, which questions they answer, and with which values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.guard.policy.visibility import Visibility
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.index import IndexedValue
from t2c_core.values.normalization import fold
from t2c_service.answering.verified.catalogue import VerifiedQueries
from t2c_service.answering.verified.definition import (
    VerifiedQuery,
    check_verified_queries,
    load_verified_queries,
)
from t2c_service.errors import QuestionError, SettingsError, UnknownQueryError

if TYPE_CHECKING:
    from pathlib import Path

VALUES = (("Disease", "Asthma"), ("Disease", "Crohn’s disease"), ("Drug", "Warfarin"), ("Disease", "MS"))
VALUES += (("Disease", "Ms"), ("Ward", "Asthma"))
TREAT = "MATCH (d:Drug)-[:TREATS]->(x:Disease) WHERE x.name = $disease RETURN d.name"
SCHEMA = GraphSchema(
    labels=tuple(
        NodeLabel(
            name=each,
            count=3,
            properties=tuple(Property(name=key, type=kind) for key, kind in properties.items()),
        )
        for each, properties in {
            "Drug": {"name": "STRING", "approvalYear": "INTEGER", "approved": "DATE", "note": "STRING"},
            "Disease": {"name": "STRING"},
        }.items()
    ),
    types=(RelationshipType(name="TREATS", count=3),),
    triples=(Triple(source="Drug", type="TREATS", target="Disease", count=3),),
)


def lookup(text: str) -> tuple[IndexedValue, ...]:
    return tuple(
        IndexedValue(value, label, "name", "node") for label, value in VALUES if fold(value) == fold(text)
    )


def query(**changes: Any) -> VerifiedQuery:
    content = {
        "name": "drugs_for_disease",
        "description": "Drugs that treat a disease.",
        "questions": ["Which drugs treat {disease}?", "{disease}'s drugs"],
        "cypher": TREAT,
        "parameters": {"disease": {"values_of": "Disease.name", "example": "Asthma"}},
    }
    return VerifiedQuery.model_validate(content | changes)


def typed(kind: str, question: str = "Drugs with a value above {x}", **more: Any) -> VerifiedQueries:
    made = query(
        questions=[question],
        cypher="MATCH (d:Drug) WHERE d.note = $x RETURN d.name",
        parameters={"x": {"type": kind, **more}},
    )
    return VerifiedQueries([made], lookup)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Which drugs treat Asthma?", "Asthma"),
        ("which  DRUGS treat asthma", "Asthma"),
        ("Which drugs treat “asthma”?", "Asthma"),
        ("Which drugs treat Crohn's disease?", "Crohn’s disease"),
        ("Crohn's disease's drugs", "Crohn’s disease"),
        ("Asthma’s drugs!", "Asthma"),
        ("Which drugs treat MS?", "MS"),
        ("Which drugs treat the asthma?", "Asthma"),
    ],
)
def test_a_question_with_a_wording_is_answered_with_the_spelling_of_the_graph(
    question: str, value: str
) -> None:
    found = VerifiedQueries([query()], lookup).match(question)
    assert found is not None
    assert found.parameters == {"disease": value}
    link = found.links[0]
    assert fold(question[link.start : link.end]).endswith(fold(value))
    assert [(each.owner, each.property, each.value) for each in link.occurrences] == [
        ("Disease", "name", value)
    ]


@pytest.mark.parametrize(
    "question",
    [
        "Which drugs treat bad asthma?",
        "Which drugs treat Warfarin?",  # no value of this property
        "Which drugs treat asthmaa?",  # near is not equal
        "Which drugs do not treat asthma?",
        "Which drugs treat asthma and cost less than 5?",
        "Which drugs treat < asthma?",
        "How many drugs treat asthma?",
        "Which drugs treat ms?",  # two values, MS and Ms
        "Which drugs treat?",
        "asthma",
        "Which drugs treat {disease}?",
        "treat " * 300,
    ],
)
def test_a_question_that_says_anything_else_is_left_to_the_model(question: str) -> None:
    assert VerifiedQueries([query()], lookup).match(question) is None


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("integer", "5", 5),
        ("integer", "ten", 10),
        ("integer", "1,500", 1500),
        ("integer", "1998", 1998),
        ("integer", "5.5", None),
        ("integer", "5 mg", None),
        ("integer", "5 and 6", None),
        ("integer", "< 5", None),
        ("number", "5.5", 5.5),
        ("number", "-2", -2),
        ("date", "2024-05-31", "2024-05-31"),
        ("date", "31 May 2024", "2024-05-31"),
        ("date", "03/04/2024", None),  # by country March or April
        ("date", "31/05/2024", "2024-05-31"),
        ("date", "2024", None),
        ("boolean", "yes", True),
        ("boolean", "false", False),
        ("boolean", "maybe", None),
        ("string", "'fever'", "fever"),
        ("string", "“high fever”", "high fever"),
        ("string", "fever", None),  # free text is quoted, since anything could be meant
    ],
)
def test_a_placeholder_takes_a_certain_value_of_its_type_only(kind: str, said: str, value: Any) -> None:
    found = typed(kind).match(f"drugs with a value above {said}?")
    assert (found and found.parameters["x"]) == value


def test_limits_and_choices_hold_for_questions_and_calls() -> None:
    limited = typed("integer", minimum=1, maximum=20)
    assert limited.match("drugs with a value above 21") is None
    with pytest.raises(QuestionError, match="exceeds the maximum 20"):
        limited.bind("drugs_for_disease", {"x": 21})
    chosen = typed("string", choices=["Oral", "Topical"])
    found = chosen.match("drugs with a value above oral")
    assert found is not None
    assert found.parameters == {"x": "Oral"}
    assert chosen.match("drugs with a value above nasal") is None
    with pytest.raises(QuestionError, match="expected one of 'Oral', 'Topical'"):
        chosen.bind("drugs_for_disease", {"x": "Nasal"})


def test_defaults_stand_in_for_what_a_question_does_not_say() -> None:
    made = query(
        questions=["Which drugs treat {disease}?", "Top {n} drugs for {disease}"],
        cypher=TREAT + " LIMIT $n",
        parameters={
            "disease": {"values_of": "Disease.name"},
            "n": {"type": "integer", "default": 3},
        },
    )
    queries = VerifiedQueries([made], lookup)
    found = queries.match("Which drugs treat asthma?"), queries.match("top 7 drugs for asthma")
    assert [each and each.parameters for each in found] == [
        {"disease": "Asthma", "n": 3},
        {"disease": "Asthma", "n": 7},
    ]


def test_the_wording_with_more_words_is_meant_and_equal_ones_answer_nothing() -> None:
    quoted = {"x": {"type": "string"}}
    cypher = "MATCH (d:Drug) WHERE d.note = $x RETURN d.name"
    broad = query(name="broad", questions=["Find {x}"], cypher=cypher, parameters=quoted)
    near = query(name="near", questions=["Find drugs {x}"], cypher=cypher, parameters=quoted)
    found = VerifiedQueries([broad, near], lookup).match("find drugs 'a'")
    assert found is not None
    assert found.query.name == "near"
    year = query(
        name="year",
        questions=["Drugs of {x}"],
        cypher=cypher,
        parameters={"x": {"type": "integer"}},
    )
    number = year.model_copy(update={"name": "number"})
    assert VerifiedQueries([year, number], lookup).match("drugs of 1998") is None


def test_calls_are_checked_like_questions() -> None:
    queries = VerifiedQueries([query()], lookup)
    assert queries.bind("drugs_for_disease", {"disease": "ASTHMA"}).parameters == {"disease": "Asthma"}
    assert queries.bind("drugs_for_disease", {"disease": "Other"}).parameters == {"disease": "Other"}
    with pytest.raises(UnknownQueryError, match="available: drugs_for_disease"):
        queries.bind("other", {})
    for arguments, message in (
        ({}, "'disease' is required"),
        ({"disease": 5}, "expected text, got 5"),
        ({"disease": "x" * 301}, "at most 300"),
        ({"disease": "Asthma", "more": 1}, "unknown parameter 'more'"),
    ):
        with pytest.raises(QuestionError, match=message):
            queries.bind("drugs_for_disease", arguments)


def test_the_json_schema_describes_the_parameters() -> None:
    made = query(
        cypher="MATCH (d:Drug) WHERE d.note = $disease AND d.approvalYear > $year AND d.approved < date($day) RETURN d.name",
        questions=[],
        parameters={
            "disease": {"values_of": "Disease.name", "example": "Asthma", "description": "A disease."},
            "year": {"type": "integer", "default": 2000, "minimum": 1900},
            "day": {"type": "date"},
        },
    )
    assert made.json_schema() == {
        "type": "object",
        "properties": {
            "disease": {"type": "string", "description": "A disease.", "examples": ["Asthma"]},
            "year": {"type": "integer", "default": 2000, "minimum": 1900.0},
            "day": {"type": "string", "format": "date"},
        },
        "required": ["disease", "day"],
        "additionalProperties": False,
    }


def test_the_example_is_a_question_that_the_query_answers() -> None:
    made = query()
    assert made.example() == "Which drugs treat Asthma?"
    found = VerifiedQueries([made], lookup).match(made.example() or "")
    assert found is not None
    assert query(parameters={"disease": {"values_of": "Disease.name"}}).example() is None
    free = next(iter(typed("string", example="fever")))
    assert typed("string").match(free.example() or "") is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Drugs For"}, "query 'Drugs For': `name`"),
        ({"name": "ask"}, "belongs to another MCP tool"),
        ({"description": ""}, "`description`"),
        ({"cypher": "MATCH (d:Drug {name: $disease}) DETACH DELETE d"}, "parse.write"),
        ({"cypher": "MATCH (d:Drug RETURN d"}, r"\(parse.syntax\)"),
        ({"cypher": "MATCH (d:Drug) RETURN d.name"}, r"\$disease is not used"),
        ({"cypher": TREAT + ", $other"}, r"\$other is not declared"),
        ({"questions": ["Which drugs treat {illness}?"]}, "which is no parameter"),
        ({"questions": ["Which drugs are there?"]}, "the parameter has no default"),
        ({"questions": ["{disease}"]}, "has no words"),
        ({"questions": ["drugs for{disease}"]}, "needs spaces around it"),
        ({"questions": ["drugs for {disease"]}, "in braces"),
        ({"questions": ["drugs {disease} or {disease}"]}, "all different"),
        ({"parameters": {"disease": {"type": "text"}}}, "`parameters.disease.type`"),
        ({"parameters": {"disease": {"typ": "string"}}}, "`parameters.disease.typ`: Extra inputs"),
        (
            {"parameters": {"disease": {"type": "integer", "default": "many"}}},
            "`default`: expected an integer",
        ),
        ({"parameters": {"disease": {"type": "date", "default": "1.5.2024"}}}, "expected a date such as"),
        (
            {"parameters": {"disease": {"type": "number", "values_of": "Drug.x"}}},
            "belongs to parameters of type",
        ),
        ({"parameters": {"disease": {"minimum": 1}}}, "type integer or number"),
        ({"query": "x"}, "`query`: Extra inputs"),
    ],
)
def test_an_invalid_query_is_refused_with_its_name_and_the_reason(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = tmp_path / "verified.yaml"
    content = query().model_dump(mode="json", exclude_none=True) | changes
    file.write_text(yaml.safe_dump({"queries": [content]}))
    with pytest.raises(SettingsError, match=message) as error:
        load_verified_queries(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping with the key `queries:`"),
        ("- a", "expected a mapping"),
        ("queries: {a: 1}", "a list of queries"),
        ("queries: [1]", "query 1: Input should be"),
        ("queries: [", "invalid YAML"),
        ("queries: []\nmore: 1", "`?more`?: Extra inputs"),
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "verified.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_verified_queries(file)
    with pytest.raises(SettingsError, match="cannot read"):
        load_verified_queries(tmp_path / "absent.yaml")


def test_names_and_wordings_are_unique(tmp_path: Path) -> None:
    file = tmp_path / "verified.yaml"
    one = query().model_dump(mode="json", exclude_none=True)
    file.write_text(yaml.safe_dump({"queries": [one, one]}))
    with pytest.raises(SettingsError, match="two queries are called 'drugs_for_disease'"):
        load_verified_queries(file)
    other = one | {"name": "other", "questions": ["which drugs TREAT {disease}"]}
    file.write_text(yaml.safe_dump({"queries": [one, other]}))
    with pytest.raises(SettingsError, match="'drugs_for_disease' and 'other' have the same wording"):
        load_verified_queries(file)


def test_dates_of_yaml_are_text(tmp_path: Path) -> None:
    file = tmp_path / "verified.yaml"
    content = {
        "name": "since",
        "description": "Drugs approved since a day.",
        "questions": ["Drugs approved since {day}"],
        "cypher": "MATCH (d:Drug) WHERE d.approved >= date($day) RETURN d.name",
    }
    text = yaml.safe_dump({"queries": [content]}) + "  parameters: {day: {type: date, default: 2020-01-01}}\n"
    file.write_text(text)
    assert load_verified_queries(file)[0].parameters["day"].default == "2020-01-01"


def test_the_guard_and_the_schema_are_asked_at_the_start() -> None:
    properties = {("Drug", "name"), ("Disease", "name")}
    check_verified_queries((query(),), Guard(SCHEMA), properties, None)
    unknown = query(cypher=TREAT.replace("d.name", "d.nothing"))
    with pytest.raises(SettingsError, match=r"'drugs_for_disease' is refused \(schema.property"):
        check_verified_queries((unknown,), Guard(SCHEMA), properties, None)
    hidden = Policy(hidden=frozenset({"Drug.name"}))
    with pytest.raises(SettingsError, match=r"is refused \(policy"):
        check_verified_queries((query(),), Guard(SCHEMA, hidden), properties, None)
    with pytest.raises(SettingsError, match=r"the graph has no property Disease\.name"):
        check_verified_queries((query(),), Guard(SCHEMA), set(), None)


@pytest.mark.parametrize("hidden", ["Drug.name", "Drug", "TREATS", "Disease.name"])
def test_a_policy_leaves_out_what_it_hides(hidden: str) -> None:
    plain = query(
        name="years",
        cypher="MATCH (d:Drug) RETURN max(d.approvalYear)",
        questions=["latest year"],
        parameters={},
    )
    queries = VerifiedQueries([query(), plain], lookup)
    policy = Policy(hidden=frozenset({hidden}))
    visible = queries.visible(Guard(SCHEMA, policy), Visibility(policy.hidden, SCHEMA))
    assert [each.name for each in visible] == (["years"] if hidden != "Drug" else [])
    assert visible.match("Which drugs treat asthma?") is None
    with pytest.raises(UnknownQueryError):
        visible.bind("drugs_for_disease", {"disease": "Asthma"})
