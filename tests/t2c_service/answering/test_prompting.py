"""What the prompt of a chat model contains: the pruned schema, similar examples; and which attempt is selected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from t2c_core.consistency.question_match import QuestionMatcher
from t2c_core.graph.client import QueryResult, ResultGraph
from t2c_core.prompt import SchemaTokenFormat
from t2c_core.prompt.chat import describe
from t2c_core.prompt.schema_pruning import prune_schema
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence
from t2c_service.answering.attempts.confidence import AttemptResult, compute_confidence, select_attempt
from t2c_service.answering.prompting.builder import PromptContext
from t2c_service.answering.prompting.examples import Example, ExampleSelector, mask
from t2c_service.answering.records import Attempt

if TYPE_CHECKING:
    from collections.abc import Sequence


def prop(name: str) -> Property:
    return Property(name=name, type="STRING")


def chain(length: int) -> GraphSchema:
    """Stop1 -LEADS_TO2-> Stop2 -LEADS_TO3-> … and many labels that hang on nothing."""
    names = [f"Stop{number}" for number in range(1, length + 1)]
    others = [f"Other{number}" for number in range(60)]
    return GraphSchema(
        labels=tuple(
            NodeLabel(name=name, count=5, properties=tuple(prop(f"{name.lower()}Key{n}") for n in range(12)))
            for name in [*names, *others]
        ),
        types=tuple(RelationshipType(name=f"LEADS_TO{n}", count=5) for n in range(2, length + 1)),
        triples=tuple(
            Triple(source=f"Stop{n - 1}", type=f"LEADS_TO{n}", target=f"Stop{n}", count=5)
            for n in range(2, length + 1)
        ),
    )


def linked(question: str, **places: tuple[str, str]) -> LinkedQuestion:
    links = []
    for number, (text, (owner, name)) in enumerate(places.items(), start=1):
        start = question.index(text)
        place = Occurrence(owner, name, "node", text)
        links.append(LinkedMention(f"v{number}", start, start + len(text), text, "value", (place,), text))
    return LinkedQuestion(question, tuple(links))


def test_the_part_holds_what_the_question_names_and_the_way_between() -> None:
    part = prune_schema(
        chain(4), linked("from Ulm at stop1 to stop4", Ulm=("Stop1", "stop1Key3")), max_chars=1500
    )
    names = {label.name for label in part.labels}
    assert {"Stop1", "Stop2", "Stop3", "Stop4"} <= names
    assert {kind.name for kind in part.types} == {"LEADS_TO2", "LEADS_TO3", "LEADS_TO4"}
    assert len(describe(part)) <= 1500
    assert "stop1Key3" in {each.name for each in part.label_by_name["Stop1"].properties}


def test_the_part_is_the_same_each_time_and_never_empty() -> None:
    schema = chain(6)
    for question in ("nothing that is known", "stop3 and other17"):
        parts = [prune_schema(schema, linked(question), max_chars=800) for _ in range(2)]
        assert parts[0] == parts[1]
        assert parts[0].labels
        assert all(label.name in schema.label_by_name for label in parts[0].labels)


class WordLinker:
    """Takes words with a capital letter, but not the first, for values of `City.name`."""

    def link(self, question: str) -> LinkedQuestion:
        found = [word.strip("?.") for word in question.split()[1:] if word[:1].isupper()]
        return linked(question, **dict.fromkeys(found, ("City", "name")))


PAIRS = [
    Example("how many people live in Ulm?", cypher="MATCH (c:City {name: 'Ulm'}) RETURN c.people"),
    Example("which rivers flow through Passau?", cypher="MATCH … $p", parameters={"p": "Passau"}),
    Example("which rivers flow through nowhere?", cypher="MATCH … $p", parameters={"p": "nowhere"}),
    Example("who is the mayor of Bonn?"),
]


def encoder(sentences: Sequence[str]) -> list[list[float]]:
    return [[1.0, 0.0] if "people" in each else [0.0, 1.0] for each in sentences]


@pytest.mark.parametrize("with_encoder", [False, True])
def test_examples_match_by_what_is_asked_not_of_whom(with_encoder: bool) -> None:
    similar = ExampleSelector(PAIRS, WordLinker(), encoder=encoder if with_encoder else None)
    assert len(similar) == 2  # one has no query, one a value that is not linked
    found = similar.select(WordLinker().link("how many people live in Passau?"))
    assert found[-1][1] == "MATCH (c:City {name: $v1}) RETURN c.people"
    assert [cypher for _, cypher in similar.select(WordLinker().link("which rivers flow through Ulm?"))][
        -1
    ] == ("MATCH … $v1")


def test_a_question_is_no_example_of_itself() -> None:
    similar = ExampleSelector(PAIRS, WordLinker())
    found = similar.select(WordLinker().link("how many people live in Ulm?"))
    assert all(question.question != "how many people live in Ulm?" for question, _ in found)


def test_values_do_not_count_as_words() -> None:
    assert mask(WordLinker().link("which rivers flow through Ulm?")) == "which rivers flow through value?"


@pytest.mark.parametrize(
    ("question", "said", "is_name"),
    [
        ("who heads the 'Metabolic Ward'?", "'Metabolic Ward'", True),
        ("diseases of the urinary system", "urinary system", True),
        ("people in Ulm", "Ulm", True),
        ("Medicine with the name", "Medicine", False),
        ("which medicine is it", "medicine", False),
    ],
)
def test_names_are_told_from_words(question: str, said: str, is_name: bool) -> None:
    start = question.index(said)
    place = Occurrence("Ward", "name", "node", said)
    assert (
        LinkedMention("v1", start, start + len(said), said, "value", (place,), said.strip("'")).is_proper_name
        is is_name
    )


def test_a_name_counts_as_used_where_its_value_is() -> None:
    schema = chain(2)
    twice = linked("'female' ('F')", **{"'female'": ("Stop1", "sex"), "'F'": ("Stop1", "sex")})
    twice = LinkedQuestion(
        twice.question,
        tuple(
            replace(each, value="F", occurrences=(Occurrence("Stop1", "sex", "node", "F"),))
            for each in twice.links
        ),
    )
    prepared = PromptContext(twice, SchemaTokenFormat(schema), schema, matcher=QuestionMatcher(schema, None))
    query = "MATCH (stop1:Stop1) RETURN stop1.name"
    compared = "MATCH (stop1:Stop1) WHERE stop1.sex = $v2 RETURN stop1.name"
    attempts = [
        Attempt(hypothesis=0, outcome="ran", cypher=query),
        Attempt(hypothesis=1, outcome="ran", cypher=compared, parameters={"v2": "F"}),
        Attempt(hypothesis=2, outcome="unanswerable"),
    ]
    unused = [prepared.match(attempt).unused_mentions for attempt in attempts]
    assert unused == [("'female'", "'F'"), (), ()]


def tried(rows: Sequence[Sequence[Any]] | None, number: int, logprob: float | None = None) -> AttemptResult:
    attempt = Attempt(
        hypothesis=number, outcome="failed" if rows is None else "ran", tokens=2, mean_logprob=logprob
    )
    if rows is None:
        return AttemptResult(attempt)
    kept = tuple(tuple(row) for row in rows)
    return AttemptResult(
        attempt, QueryResult(columns=("x",), rows=kept, truncated=False, elapsed_ms=0.0, graph=ResultGraph())
    )


def test_the_sample_that_most_agree_with_is_chosen_whatever_the_order_of_its_rows() -> None:
    samples = [tried([[9]], 0, -0.1), tried([[1], [2]], 1), tried(None, 2), tried([[2], [1]], 3)]
    chosen = select_attempt(samples)
    assert chosen is samples[1]
    confidence = compute_confidence(chosen, samples)
    assert confidence is not None
    assert (confidence.agreement, confidence.samples, confidence.probability) == (0.5, 4, None)


def test_among_equals_the_likelier_then_the_earlier_sample_is_chosen() -> None:
    assert select_attempt([tried([[1]], 0, -2.0), tried([[2]], 1, -1.0)]).attempt.hypothesis == 1
    assert select_attempt([tried([[1]], 0), tried([[2]], 1)]).attempt.hypothesis == 0


def test_rows_go_before_no_rows_and_no_rows_before_failures() -> None:
    assert select_attempt([tried([], 0), tried([], 1), tried([[1]], 2)]).attempt.hypothesis == 2
    assert select_attempt([tried(None, 0), tried([], 1)]).attempt.hypothesis == 1
    assert compute_confidence(tried(None, 0), [tried(None, 0)]) is None
