import pytest

from t2c_core.prompt.chat import ChatFormat, describe
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Drug", count=2, properties=(Property(name="name", type="STRING", examples=("Aspirin",)),)
        ),
        NodeLabel(name="My Label", count=1),
    ),
    types=(RelationshipType(name="TREATS", count=1, properties=(Property(name="since", type="DATE"),)),),
    triples=(Triple(source="Drug", type="TREATS", target="My Label", count=1),),
)
CHAT = ChatFormat(SCHEMA)
QUESTION = LinkedQuestion(
    "what treats aspirin in 5",
    (
        LinkedMention(
            "v1", 12, 19, "aspirin", "value", (Occurrence("Drug", "name", "node", "Aspirin"),), "aspirin"
        ),
        LinkedMention("v2", 23, 24, "5", "number", (), 5),
    ),
)
QUERY = "MATCH (d:Drug {name: $v1}) RETURN d.name LIMIT $v2"


def test_the_schema_text_names_every_label_type_property_and_direction() -> None:
    assert describe(SCHEMA) == (
        "Nodes:\n(:Drug {name: STRING e.g. Aspirin})\n(:`My Label`)\n"
        "Relationships:\n(:Drug)-[:TREATS {since: DATE}]->(:`My Label`)"
    )


def test_values_are_listed_as_parameters_with_their_places() -> None:
    assert CHAT.render(QUESTION) == (
        "Parameters:\n$v1 = 'Aspirin' (a value of Drug.name)\n$v2 = 5 (number)\n\nQuestion: what treats aspirin in 5"
    )


def test_messages_begin_with_the_part_that_never_changes() -> None:
    messages = CHAT.messages(QUESTION, examples=[(QUESTION, QUERY)])
    assert [each["role"] for each in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"] == CHAT.system
    assert describe(SCHEMA) in CHAT.system


@pytest.mark.parametrize(
    "reply",
    [
        QUERY,
        QUERY + ";",
        f"```cypher\n{QUERY}\n```",
        f"Here is the query:\n\n```\n{QUERY};\n```\nIt returns names.",
        f"The query is: {QUERY}\n\nIt returns names.",
    ],
)
def test_the_query_is_taken_out_of_a_reply(reply: str) -> None:
    generated = CHAT.parse(reply, QUESTION)
    assert generated.cypher == QUERY
    assert generated.parameters == {"v1": "Aspirin", "v2": 5}


def test_a_refusal_is_no_query() -> None:
    assert CHAT.parse("UNANSWERABLE", QUESTION).unanswerable
    assert not CHAT.parse("I do not know", QUESTION).unanswerable
