"""Differences between a question and a query: words, values, properties and operations that only one of them has."""

from typing import Any

import pytest

from t2c_core.consistency.question_match import QuestionMatch, QuestionMatcher
from t2c_core.schema import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Ship",
            count=9,
            properties=(
                Property(name="name", type="STRING"),
                Property(name="lengthM", type="INTEGER"),
                Property(name="flag", type="STRING"),
            ),
        ),
        NodeLabel(
            name="Port",
            count=9,
            properties=(Property(name="name", type="STRING"), Property(name="country", type="STRING")),
        ),
    ),
    types=(RelationshipType(name="CALLS_AT", count=9), RelationshipType(name="BUILT_IN", count=9)),
    triples=(
        Triple(source="Ship", type="CALLS_AT", target="Port", count=9),
        Triple(source="Ship", type="BUILT_IN", target="Port", count=9),
    ),
)
LEXICON = {
    "labels": {"Ship": {"nouns": ["ship|ships", "vessel|vessels"]}, "Port": {"nouns": ["port|ports"]}},
    "properties": {
        "Ship": {
            "lengthM": {"nouns": ["length|lengths"], "superlative_max": ["longest"], "unit": ["metres"]},
            "flag": {"nouns": ["flag|flags"], "equals_phrases": ["sailing under {}"]},
        },
        "Port": {"country": {"nouns": ["country|countries"]}},
    },
    "types": {
        "CALLS_AT": {"forward": ["that [visits|visit] {}"], "backward": ["visited by {}"]},
        "BUILT_IN": {"forward": ["built in {}"], "backward": ["where {} was built"]},
    },
}
CALLS = "MATCH (ship:Ship)-[calls_at:CALLS_AT]->(port:Port) "
MATCHER = QuestionMatcher(SCHEMA, LEXICON)


def linked(question: str, **values: tuple[str, str]) -> LinkedQuestion:
    """Link texts of a question to properties: `Malta=("Port", "country")`."""
    found = sorted((question.index(text), text, place) for text, place in values.items())
    return LinkedQuestion(
        question,
        tuple(
            LinkedMention(
                f"v{number}",
                start,
                start + len(text),
                text,
                "value",
                (Occurrence(*place, "node", text),),
                text,
            )
            for number, (start, text, place) in enumerate(found, start=1)
        ),
    )


def match(question: str, cypher: str, links: dict[str, tuple[str, str]] | None = None) -> QuestionMatch:
    """Compare a question with a query that uses the linked values by name."""
    asked = linked(question, **(links or {}))
    parameters: dict[str, Any] = {
        name: value for name, value in asked.parameters().items() if f"${name}" in cypher
    }
    return MATCHER.match(asked, cypher, parameters)


@pytest.mark.parametrize(
    ("question", "cypher"),
    [
        ("How many vessels are there?", "MATCH (ship:Ship) RETURN count(*)"),
        ("the longest ship, please", "MATCH (ship:Ship) RETURN ship.name ORDER BY ship.lengthM DESC LIMIT 1"),
        ("How long is the longest ship?", "MATCH (ship:Ship) RETURN max(ship.lengthM)"),
        ("average length of the ships", "MATCH (ship:Ship) RETURN avg(ship.lengthM)"),
        ("ships by country of the ports they visit", CALLS + "RETURN port.country, count(*)"),
        ("how many ships are there per flag", "MATCH (ship:Ship) RETURN ship.flag, count(*)"),
        (
            "ships that never visit a port",
            "MATCH (ship:Ship) WHERE NOT EXISTS { " + CALLS + "} RETURN ship.name",
        ),
        (
            "average number of ports per ship",
            "MATCH (ship:Ship) RETURN avg(COUNT { MATCH (ship:Ship)-[calls_at:CALLS_AT]->(port:Port) })",
        ),
    ],
)
def test_a_query_that_answers_the_question_has_no_difference(question: str, cypher: str) -> None:
    assert match(question, cypher) == QuestionMatch()


@pytest.mark.parametrize(
    ("question", "cypher", "differences"),
    [
        ("phone numbers of the ports", "MATCH (port:Port) RETURN port.name", {"unknown": ("phone",)}),
        ("flag of each ship", "MATCH (ship:Ship) RETURN ship.name", {"unused": ("flag",)}),
        (
            "the ports",
            "MATCH (port:Port) RETURN port.name, port.country",
            {"unasked": ("Port.country",)},
        ),
        (
            "what is the average length of ships?",
            "MATCH (ship:Ship) RETURN sum(ship.lengthM)",
            {"contradictions": ("an average is asked for; the query computes none",)},
        ),
        (
            "how many ships have each flag? for each flag please",
            "MATCH (ship:Ship) WHERE ship.flag IS NOT NULL RETURN count(*)",
            {"contradictions": ("a value for each group is asked for; the query returns one value",)},
        ),
    ],
)
def test_each_difference_is_named(question: str, cypher: str, differences: dict[str, Any]) -> None:
    assert match(question, cypher) == QuestionMatch(**differences)


@pytest.mark.parametrize(
    ("question", "cypher", "difference"),
    [
        (
            "which ports does no ship visit?",
            "MATCH (port:Port) WHERE NOT EXISTS { MATCH (ship:Ship)-[built_in:BUILT_IN]->(port:Port) } RETURN port.name",
            "CALLS_AT is asked for; the query follows BUILT_IN",
        ),
        (
            "Which long ships visit a port?",
            CALLS + "RETURN port.country",
            "Ship is asked for; the query returns no property of it",
        ),
    ],
)
def test_another_relationship_or_another_thing_is_a_contradiction(
    question: str, cypher: str, difference: str
) -> None:
    assert difference in match(question, cypher).contradictions


def test_a_query_that_returns_what_the_question_gives_answers_nothing() -> None:
    links = {"Valletta Harbour": ("Port", "name")}
    question = "what else do ships visit together with Valletta Harbour?"
    echoed = match(question, CALLS + "WHERE port.name = $v1 RETURN port.name", links)
    assert "the query returns only what the question gives" in echoed.contradictions
    other = match(question, CALLS + "WHERE port.name <> $v1 RETURN port.name", links)
    assert "the query returns only what the question gives" not in other.contradictions


def test_a_name_that_the_query_ignores_is_a_difference_and_no_unknown_word() -> None:
    links = {"Valletta Harbour": ("Port", "name")}
    ignored = match("ships that visit Valletta Harbour", CALLS + "RETURN ship.name", links)
    assert ignored == QuestionMatch(unused_mentions=("Valletta Harbour",))
    used = match("ships that visit Valletta Harbour", CALLS + "WHERE port.name = $v1 RETURN ship.name", links)
    assert not used


def test_a_year_that_the_query_ignores_is_a_difference() -> None:
    question = "how many ships were there in 2024?"
    start = question.index("2024")
    year = LinkedMention("v1", start, start + 4, "2024", "year", (), 2024)
    asked = LinkedQuestion(question, (year,))
    assert MATCHER.match(asked, "MATCH (ship:Ship) RETURN count(*)", {}).unused_mentions == ("2024",)
    cypher = "MATCH (ship:Ship) WHERE ship.lengthM = $v1 RETURN count(*)"
    assert not MATCHER.match(asked, cypher, {"v1": 2024}).unused_mentions


def test_a_value_is_excluded_by_both_or_by_neither() -> None:
    links = {"Malta": ("Port", "country")}
    equal, other = (
        f"MATCH (port:Port) WHERE port.country {sign} $v1 RETURN port.name" for sign in ("=", "<>")
    )
    assert not match("ports in Malta", equal, links)
    assert not match("ports not in Malta", other, links)
    assert match("ports not in Malta", equal, links).contradictions
    assert match("ports in Malta", other, links).contradictions == (
        "the query negates; the question does not",
        "the query excludes Malta; the question does not",
    )


def test_without_a_lexicon_no_word_is_unknown() -> None:
    asked = linked("gross tonnage of the ships")
    cypher = "MATCH (ship:Ship) RETURN ship.name"
    assert not QuestionMatcher(SCHEMA).match(asked, cypher, {})
    assert MATCHER.match(asked, cypher, {}).unknown == ("gross", "tonnage")


def test_differences_are_told_in_words() -> None:
    found = match("phone number and flag of the ports", "MATCH (port:Port) RETURN port.name, port.country")
    assert list(found.reasons()) == [
        "nothing in this graph is called “phone”",
        "the query ignores “flag”, which the question mentions",
        "the query uses Port.country, which the question does not ask for",
    ]
