"""Follow-ups applied to the query of the turn before: no model and no database takes part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from t2c_service.answering.conversation.reading import FollowUpReader
from t2c_service.answering.conversation.rewriting import Rewriting, rewrite

if TYPE_CHECKING:
    from t2c_core.values.linker import Linker
    from t2c_service.answering.conversation.vocabulary import Vocabulary

ASTHMA = "MATCH (p:Patient)-[has:HAS]->(d:Disease) WHERE d.name = $v1 RETURN p.name"
ASTHMA_COUNT = "MATCH (p:Patient)-[has:HAS]->(d:Disease) WHERE d.name = $v1 RETURN count(DISTINCT p)"
TALL = "MATCH (p:Patient) WHERE p.heightCm > $v1 RETURN p.name"
VISITS = "MATCH (v:Visit) WHERE v.date.year = $v1 RETURN count(*)"
COSTS = "MATCH (v:Visit) RETURN avg(v.cost)"
PER_WARD = "MATCH (v:Visit)-[on:ON_WARD]->(w:Ward) RETURN w.name, count(*)"
BEDS = "MATCH (w:Ward) RETURN w.name ORDER BY w.beds DESC LIMIT 1"
FLOOR = "MATCH (w:Ward) WHERE w.floor = $v1 RETURN w.name"
TREATS = "MATCH (d:Drug)-[t:TREATS]->(x:Disease) WHERE x.name = $v1 RETURN d.name"
CHRONIC = "MATCH (d:Disease) WHERE d.chronic = true RETURN d.name"
HALF_LIFE = "MATCH (d:Drug) WHERE d.name = $v1 RETURN d.halfLife"


def apply(
    vocabulary: Vocabulary, linker: Linker, cypher: str, text: str, parameters: dict[str, Any] | None = None
) -> Rewriting | None:
    return rewrite(FollowUpReader(vocabulary).read(linker.link(text)), vocabulary, cypher, parameters or {})


@pytest.mark.parametrize(
    ("cypher", "value", "text", "expected", "values"),
    [
        # a condition more
        (ASTHMA, "Asthma", "and only the female ones?", "p.sex = $v2 RETURN p.name", ["Asthma", "female"]),
        (ASTHMA, "Asthma", "who of them smokes?", "AND p.smoker = true RETURN p.name", ["Asthma"]),
        (ASTHMA, "Asthma", "those who do not smoke", "AND p.smoker = false RETURN p.name", ["Asthma"]),
        (ASTHMA, "Asthma", "just the severe cases", "AND has.severity = $v2 RETURN", ["Asthma", "severe"]),
        (ASTHMA, "Asthma", "do any of them speak French?", "AND $v2 IN p.languages", ["Asthma", "French"]),
        (ASTHMA, "Asthma", "those born after 2000", "AND p.birthDate.year > $v2", ["Asthma", 2000]),
        (ASTHMA, "Asthma", "taller than 180", "AND p.heightCm > $v2 RETURN", ["Asthma", 180]),
        (VISITS, 2023, "only emergencies", "AND v.emergency = true RETURN count(*)", [2023]),
        (CHRONIC, None, "those treated with aspirin", "WHERE drug.name = $v1 RETURN DISTINCT d.name", ["Aspirin"]),
        # another value of the same property
        (ASTHMA, "Asthma", "and with COPD?", "d.name = $v1 RETURN p.name", ["COPD"]),
        (TREATS, "Gout", "what about migraine?", "x.name = $v1 RETURN d.name", ["Migraine"]),
        (TREATS, "Gout", "asthma", "x.name = $v1 RETURN d.name", ["Asthma"]),
        (HALF_LIFE, "Warfarin", "and of lithium?", "d.name = $v1 RETURN d.halfLife", ["Lithium"]),
        (VISITS, 2023, "and in 2024?", "v.date.year = $v2 RETURN count(*)", [2024]),
        (VISITS, 2023, "after 2020", "v.date.year > $v2 RETURN count(*)", [2020]),
        (TALL, 190, "more than 170", "p.heightCm > $v2 RETURN p.name", [170]),
        (TALL, 190, "shorter than 160", "p.heightCm < $v2 RETURN p.name", [160]),
        (FLOOR, 1, "floor 5?", "w.floor = $v2 RETURN w.name", [5]),
        (CHRONIC, None, "and which are not?", "WHERE d.chronic = false RETURN d.name", []),
        # sort and limit
        (TALL, 190, "sort that by weight", "RETURN p.name ORDER BY p.weightKg", [190]),
        (TALL, 190, "sorted by age", "RETURN p.name ORDER BY p.birthDate DESC", [190]),
        (TALL, 190, "heaviest first", "RETURN p.name ORDER BY p.weightKg DESC", [190]),
        (TALL, 190, "alphabetically", "RETURN p.name ORDER BY p.name", [190]),
        (TALL, 190, "limit to 5", "RETURN p.name LIMIT 5", [190]),
        (BEDS, None, "only the top 3", "ORDER BY w.beds DESC LIMIT 3", []),
        (BEDS, None, "and the fewest?", "ORDER BY w.beds LIMIT 1", []),
        (BEDS, None, "reverse the order", "ORDER BY w.beds LIMIT 1", []),
        (BEDS, None, "show all", "RETURN w.name ORDER BY w.beds DESC", []),
        (TREATS, "Gout", "top 3 by half-life", "d.halfLife IS NOT NULL RETURN d.name ORDER BY d.halfLife DESC LIMIT 3",
         ["Gout"]),
        (PER_WARD, None, "in descending order", "count(*) ORDER BY count(*) DESC", []),
        (PER_WARD, None, "which has the most?", "count(*) ORDER BY count(*) DESC LIMIT 1", []),
        # count, compute, group, list
        (ASTHMA, "Asthma", "how many are there?", "RETURN count(DISTINCT p)", ["Asthma"]),
        (TALL, 190, "count them", "RETURN count(p)", [190]),
        (ASTHMA_COUNT, "Asthma", "how many of those are women?", "p.sex = $v2 RETURN count(DISTINCT p)",
         ["Asthma", "female"]),
        (ASTHMA_COUNT, "Asthma", "who are they?", "RETURN DISTINCT p.name", ["Asthma"]),
        (TALL, 190, "what is their average weight?", "RETURN avg(p.weightKg)", [190]),
        (COSTS, None, "and in total?", "RETURN sum(v.cost)", []),
        (COSTS, None, "per ward", "RETURN ward.name, avg(v.cost)", []),
        (VISITS, 2023, "by ward", "RETURN ward.name, count(*)", [2023]),
        # columns
        (TALL, 190, "add their weight", "RETURN p.name, p.weightKg", [190]),
        (TALL, 190, "when were they born?", "RETURN p.name, p.birthDate", [190]),
        (ASTHMA, "Asthma", "show the severity too", "RETURN p.name, has.severity", ["Asthma"]),
        (BEDS, None, "on which floor is it?", "RETURN w.floor ORDER BY w.beds DESC LIMIT 1", []),
        (HALF_LIFE, "Warfarin", "when was it approved?", "RETURN d.approved", ["Warfarin"]),
        (COSTS, None, "and the length?", "RETURN avg(v.days)", []),
        # what a relationship leads to
        (ASTHMA, "Asthma", "which drugs do they take?", "RETURN DISTINCT drug.name", ["Asthma"]),
    ],
)  # fmt: skip
def test_a_follow_up_changes_the_query_before(
    vocabulary: Vocabulary,
    linker: Linker,
    cypher: str,
    value: Any,
    text: str,
    expected: str,
    values: list[Any],
) -> None:
    found = apply(vocabulary, linker, cypher, text, {} if value is None else {"v1": value})
    assert found is not None
    assert expected in found.cypher
    assert sorted(map(str, found.parameters.values())) == sorted(map(str, values))


@pytest.mark.parametrize(
    ("cypher", "text"),
    [
        (TALL, "what's the weather like there?"),  # a word that is nothing here
        (TALL, "what is their salary?"),
        (TALL, "and of lithium?"),  # there is no drug that it could take the place of
        (PER_WARD, "how many doctors?"),
        (VISITS, "what is its severity?"),
        ("MATCH (a:Drug)-[t:TREATS]->(x)<-[u:TREATS]-(b:Drug) WHERE a.name = $v1 AND b.name = $v2 RETURN x.name",
         "and lithium?"),  # two drugs may be meant
        (ASTHMA, "without asthma"),
        (BEDS, "which patients take them?"),
    ],
)  # fmt: skip
def test_what_has_no_place_or_two_is_not_rewritten(
    vocabulary: Vocabulary, linker: Linker, cypher: str, text: str
) -> None:
    found = apply(vocabulary, linker, cypher, text, {"v1": "Warfarin", "v2": "Aspirin"})
    assert found is None


def test_conditions_of_a_subquery_have_their_values_replaced(vocabulary: Vocabulary, linker: Linker) -> None:
    cypher = "RETURN EXISTS { (:Drug {name: 'Aspirin'})-[:TREATS]->(:Disease {name: 'Gout'}) }"
    found = apply(vocabulary, linker, cypher, "and migraine?")
    assert found is not None
    assert sorted(found.parameters.values()) == ["Aspirin", "Migraine"]
    assert apply(vocabulary, linker, cypher, "sort them by name") is None


def test_a_condition_on_many_things_does_not_multiply_a_figure(
    vocabulary: Vocabulary, linker: Linker
) -> None:
    cypher = "MATCH (p:Patient) RETURN avg(p.weightKg)"
    found = apply(vocabulary, linker, cypher, "only those who take warfarin")
    assert found is not None
    assert "EXISTS { MATCH (p:Patient)-[takes:TAKES]->(drug:Drug) WHERE drug.name = $v1 }" in found.cypher


def test_a_dialogue_of_several_turns_adds_up(vocabulary: Vocabulary, linker: Linker) -> None:
    cypher, parameters = ASTHMA, {"v1": "Asthma"}
    for text in ("only women", "with COPD instead", "add their weight", "heaviest first", "top 2"):
        found = apply(vocabulary, linker, cypher, text, parameters)
        assert found is not None, text
        cypher, parameters = found.cypher, found.parameters
    assert cypher.endswith("RETURN p.name, p.weightKg ORDER BY p.weightKg DESC LIMIT 2")
    assert sorted(parameters.values()) == ["COPD", "female"]


@pytest.mark.parametrize(
    ("text", "is_follow_up"),
    [
        ("and only the female ones?", True),
        ("sort that by age", True),
        ("how many are there?", True),
        ("COPD", True),
        ("what about migraine?", True),
        ("which drugs do they take?", True),
        ("which has the most?", True),
        ("Which drugs treat gout?", False),
        ("who takes warfarin?", False),
        ("patients taller than 190 cm", False),
        ("how many visits were there in 2024?", False),
    ],
)
def test_a_text_with_a_subject_of_its_own_is_no_follow_up(
    vocabulary: Vocabulary, linker: Linker, text: str, *, is_follow_up: bool
) -> None:
    assert FollowUpReader(vocabulary).is_follow_up(linker.link(text)) == is_follow_up
