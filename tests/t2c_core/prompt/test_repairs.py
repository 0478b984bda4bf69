import pytest

from t2c_core.prompt.schema_tokens import SchemaTokenFormat
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Case",
            count=9,
            properties=(Property(name="age", type="FLOAT"), Property(name="day", type="DATE")),
        ),
        NodeLabel(name="Drug", count=9, properties=(Property(name="name", type="STRING"),)),
        NodeLabel(name="Outcome", count=9, properties=(Property(name="name", type="STRING"),)),
    ),
    types=(
        RelationshipType(name="LED_TO", count=9),
        RelationshipType(name="TOOK", count=9, properties=(Property(name="route", type="STRING"),)),
        RelationshipType(name="GAVE", count=5),
    ),
    triples=(
        Triple(source="Case", type="GAVE", target="Drug", count=5),
        Triple(source="Case", type="LED_TO", target="Outcome", count=9),
        Triple(source="Case", type="TOOK", target="Drug", count=9),
    ),
)
FORMAT = SchemaTokenFormat(SCHEMA)
TOOK = "(case_:Case)-[took:TOOK]->(drug:Drug)"
LED = "(case_:Case)-[led_to:LED_TO]->(outcome:Outcome)"
ASKED = LinkedQuestion(
    "aspirin and death over 60",
    (
        LinkedMention(
            "v1", 0, 7, "aspirin", "value", (Occurrence("Drug", "name", "node", "ASPIRIN"),), "aspirin"
        ),
        LinkedMention(
            "v2", 12, 17, "death", "value", (Occurrence("Outcome", "name", "node", "Death"),), "death"
        ),
        LinkedMention("v3", 23, 25, "60", "number", (), 60),
    ),
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            f"MATCH {LED}, {TOOK} WHERE drug.name = $v2 AND outcome.name = $v1 RETURN count(*)",
            f"MATCH {LED}, {TOOK} WHERE drug.name = $v1 AND outcome.name = $v2 RETURN count(*)",
        ),
        (
            f"MATCH {TOOK} WHERE drug.name = $v1 AND case_.age > $v2 RETURN count(*)",
            f"MATCH {TOOK} WHERE drug.name = $v1 AND case_.age > $v3 RETURN count(*)",
        ),
        (
            f"MATCH {TOOK} WHERE drug.name = $v1 RETURN outcome.name",
            f"MATCH {LED}, {TOOK} WHERE drug.name = $v1 RETURN outcome.name",
        ),
        (
            "MATCH (case_:Case) WHERE outcome.name = $v2 RETURN count(*)",
            f"MATCH {LED} WHERE outcome.name = $v2 RETURN count(*)",
        ),
        ("MATCH (case_:Case) RETURN took.route", f"MATCH {TOOK} RETURN took.route"),
    ],
)
def test_a_misplaced_value_or_a_missing_pattern_is_repaired_with_a_message(said: str, meant: str) -> None:
    generated = FORMAT.parse(said, ASKED)
    assert generated.cypher == meant
    assert generated.repairs


@pytest.mark.parametrize(
    "query",
    [
        f"MATCH {LED}, {TOOK} WHERE drug.name = $v1 AND outcome.name = $v2 AND case_.age > $v3 RETURN count(*)",
        "MATCH (drug:Drug) WHERE drug.name = $v2 RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.name CONTAINS $v2 RETURN drug.name LIMIT $v3",
        "MATCH (drug:Drug)-[x:UNKNOWN]->(case_:Case) WHERE nothing.name = $v1 RETURN drug.name",
        "MATCH (case_:Case) WHERE NOT EXISTS { MATCH " + TOOK + " WHERE drug.name = $v1 } RETURN case_.age",
        f"MATCH {TOOK} WITH drug.name AS g, count(*) AS n WHERE n > $v3 RETURN g, n",
    ],
)
def test_what_may_be_meant_so_is_left_alone(query: str) -> None:
    wanted = query.replace("$v2 RETURN", "$v1 RETURN") if "drug.name = $v2" in query else query
    generated = FORMAT.parse(query, ASKED)
    assert generated.cypher == wanted
    assert bool(generated.repairs) == (wanted != query)
