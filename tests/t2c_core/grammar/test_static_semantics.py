"""Static semantics of compact Cypher: what queries may say beyond the grammar, as a whole and while they are written."""

from __future__ import annotations

import pytest
from tests.t2c_core.grammar.test_grammar import SCHEMA

from t2c_core.grammar.lexemes import split_lexemes
from t2c_core.grammar.static_semantics import StaticSemantics
from t2c_core.prompt.compact_cypher import encode
from t2c_core.prompt.schema_tokens import UNANSWERABLE
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence

LINKED = LinkedQuestion(
    "q",
    (
        LinkedMention(
            "v1", 0, 1, "aspirin", "value", (Occurrence("Drug", "name", "node", "Aspirin"),), "aspirin"
        ),
        LinkedMention("v2", 1, 2, "7", "number", (), 7),
        LinkedMention("v3", 2, 3, "2020-01-31", "date", (), "2020-01-31"),
        LinkedMention(
            "v4", 3, 4, "bayer", "value", (Occurrence("Drug", "brand names", "node", "Bayer"),), "bayer"
        ),
        LinkedMention(
            "v6", 4, 5, "ibuprofen", "value", (Occurrence("Drug", "name", "node", "Ibuprofen"),), "ibuprofen"
        ),
    ),
)
SEMANTICS = StaticSemantics(SCHEMA, LINKED)
CURES = "(drug:Drug)-[cures:CURES]->(odd_label:`Odd``Label`)"


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.year",
        "MATCH (drug:Drug) WHERE drug.name = $v1 OR drug.name = $v6 RETURN drug.year",
        "MATCH (drug:Drug) WHERE drug.name = $v1 AND drug.name <> $v6 RETURN drug.year",
        "MATCH (drug:Drug), (drug2:Drug) WHERE drug.name = $v1 AND drug2.name = $v6 RETURN drug.year",
        "MATCH (drug:Drug) WHERE drug.name = $v1 AND drug.year > $v2 RETURN count(*) > 0",
        "MATCH (drug:Drug) WHERE date(drug.sold) > date($v3) AND drug.sold.year = $v2 RETURN drug.name LIMIT 3",
        "MATCH (drug:Drug) WHERE $v4 IN drug.`brand names` RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.form CONTAINS $v1 RETURN drug.name LIMIT $v2",
        f"MATCH (drug:Drug) WHERE NOT EXISTS {{ MATCH {CURES} }} RETURN drug.name ORDER BY drug.year DESC",
        f"MATCH (drug:Drug) WHERE COUNT {{ MATCH {CURES} }} > $v2 RETURN avg( COUNT {{ MATCH {CURES} }} )",
        f"MATCH {CURES} WITH odd_label.name AS g, count(*) AS n WHERE n > $v2 RETURN g, n ORDER BY n DESC",
        f"MATCH {CURES} RETURN odd_label.name, count(*) ORDER BY count(*) DESC LIMIT 1",
        f"MATCH (drug:Drug) WITH avg(drug.year) AS n MATCH {CURES} WHERE drug.year > n AND drug.name = $v1 RETURN drug.name",
        "MATCH (drug:Drug) RETURN 100.0 * count(CASE WHEN drug.year > $v2 THEN 1 END) / count(*)",
    ],
)
def test_sound_queries_are_accepted(cypher: str) -> None:
    assert SEMANTICS.accepts(encode(cypher))


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (drug:Drug) RETURN drug2.name",
        "MATCH (drug:Drug) WITH drug.sold AS g, count(DISTINCT drug) AS n RETURN drug.year",
        "MATCH (drug:Drug) WHERE drug.name = $v1 AND drug.name = $v6 RETURN drug.year",
        "MATCH (drug:Drug) RETURN drug.name ORDER BY n",
        "MATCH (drug:Drug) WHERE drug.year > n RETURN drug.name",
        "MATCH (drug:Drug) WITH avg(drug.year) AS n MATCH (drug2:Drug) WHERE drug.year > n RETURN drug2.name",
        f"MATCH (drug:Drug) WHERE EXISTS {{ MATCH {CURES} }} RETURN odd_label.name",
        f"MATCH {CURES} WITH odd_label, count(*) AS n WHERE n > $v2 RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.form = $v1 RETURN drug.name",
        f"MATCH {CURES} WHERE odd_label.name = $v1 RETURN drug.name",
        "MATCH (drug:Drug) WHERE $v1 IN drug.`brand names` RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.year = $v1 RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.sold > date($v2) RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.name = $v5 RETURN drug.name",
        "MATCH (drug:Drug) RETURN drug.name LIMIT $v1",
        "MATCH (drug:Drug) WHERE drug.name = $v1 OR drug.name = $v1 RETURN drug.year",
        f"MATCH {CURES}, {CURES} RETURN drug.name",
        "MATCH (drug:Drug) RETURN sum(drug.name)",
        "MATCH (drug:Drug) RETURN avg(drug.sold)",
        "MATCH (drug:Drug) RETURN sum(drug.`brand names`)",
        "MATCH (drug:Drug) RETURN max(drug.generic)",
        f"MATCH {CURES} RETURN odd_label.name, count(*) ORDER BY drug.year",
        "MATCH (drug:Drug) RETURN DISTINCT drug.name ORDER BY drug.year",
        "MATCH (drug:Drug) RETURN drug.name ORDER BY count(*)",
        "MATCH (drug:Drug) RETURN drug.name, drug.name",
    ],
)
def test_unsound_queries_are_not(cypher: str) -> None:
    assert not SEMANTICS.accepts(encode(cypher))


def test_a_query_is_rejected_as_soon_as_nothing_can_follow() -> None:
    state = SEMANTICS.start().after(b" MATCH (drug:Drug) RETURN")
    assert state is not None
    assert state.after(b" dr") is not None
    assert state.after(b" drug2") is None
    assert state.after(b" odd") is None


def test_texts_may_be_split_anywhere() -> None:
    text = encode(f"MATCH {CURES} WHERE drug.form = 'été' AND drug.name = $v1 RETURN odd_label.name")
    state = SEMANTICS.start()
    for byte in text.encode():
        following = state.after(bytes([byte]))
        assert following is not None, text
        state = following
    assert state.is_complete


def test_a_question_that_cannot_be_answered_may_be_said_so() -> None:
    assert SEMANTICS.accepts(UNANSWERABLE)
    assert not SEMANTICS.accepts("")


def test_the_last_lexeme_may_still_grow() -> None:
    assert split_lexemes(" RETURN drug.na")[1] == "drug.na"
    assert split_lexemes(" (drug:Drug)")[1] == "(drug:Drug)"
    assert [each.text for each in split_lexemes("n >= 3 ")[0]] == ["n", ">=", "3"]
