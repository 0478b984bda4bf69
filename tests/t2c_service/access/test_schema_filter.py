"""What a policy hides is in no example and no linked value."""

from __future__ import annotations

from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence
from t2c_service.access.schema_filter import FilteredLinker, filter_examples
from t2c_service.answering.prompting.examples import Example


def texts(*names: str) -> tuple[Property, ...]:
    return tuple(Property(name=name, type="STRING") for name in names)


SCHEMA = GraphSchema(
    labels=(
        NodeLabel(name="Doctor", count=2, properties=texts("name", "ward")),
        NodeLabel(name="Drug", count=2, properties=texts("name")),
    ),
    types=(RelationshipType(name="PRESCRIBED", count=2),),
    triples=(Triple(source="Doctor", type="PRESCRIBED", target="Drug", count=2),),
)
NAMES = Example("Which drugs are there by name?", cypher="MATCH (d:Drug) RETURN d.name")
DOCTOR = Example(
    "Who is in ward 3?", cypher="MATCH (d:Doctor {ward: $v1}) RETURN d.name", parameters={"v1": "3"}
)
COUNT = Example("How many doctors prescribe?", cypher="MATCH (d:Doctor)-[:PRESCRIBED]->() RETURN count(d)")
UNKNOWN = Example("What else?")
EXAMPLES = (NAMES, DOCTOR, COUNT, UNKNOWN)


def visible(*hidden: str, **options: bool) -> tuple[Example, ...]:
    return filter_examples(EXAMPLES, Policy(hidden=frozenset(hidden)), SCHEMA, **options)


def test_only_examples_that_use_a_hidden_name_are_dropped() -> None:
    assert visible("Doctor.name") == (NAMES, COUNT), "another label's `name` is visible"
    assert visible("Doctor") == (NAMES,)
    assert visible("PRESCRIBED") == (NAMES, DOCTOR)
    assert visible() == EXAMPLES


def test_an_example_without_a_query_is_kept_only_on_demand() -> None:
    assert UNKNOWN not in visible("Drug")
    assert UNKNOWN in visible("Drug", keep_without_query=True)


class OneLink:
    def link(self, question: str) -> LinkedQuestion:
        found = (Occurrence("Doctor", "name", "node", "Ada"), Occurrence("Drug", "name", "node", "Ada"))
        return LinkedQuestion(question, (LinkedMention("v1", 0, 3, "Ada", "value", found, "Ada"),))


def test_hidden_occurrences_are_no_links() -> None:
    def occurrences(*hidden: str) -> list[str]:
        linker = FilteredLinker(OneLink(), Policy(hidden=frozenset(hidden)), SCHEMA)
        return [each.label_or_type for link in linker.link("Ada?").links for each in link.occurrences]

    assert occurrences() == ["Doctor", "Drug"]
    assert occurrences("Doctor.name") == ["Drug"]
    assert occurrences("Doctor", "Drug.name") == []
