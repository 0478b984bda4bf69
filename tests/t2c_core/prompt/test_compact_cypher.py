import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2c_core.prompt.compact_cypher import CompactSyntaxError, decode, detokenize, encode, tokenize

QUERIES = [
    "MATCH (drug:Drug) RETURN drug.name, drug.price",
    "MATCH (case_:Case)-[r:R]->(reaction:Reaction), (case_:Case)-[r2:R]->(reaction2:Reaction) WHERE reaction.description = $v1 AND reaction2.description = $v2 RETURN DISTINCT case_.id",
    "MATCH (case_:Case)-[any_of:IS_PRIMARY|IS_SECONDARY]->(drug:Drug) WHERE any_of.route = $v1 RETURN count(*)",
    "MATCH (case_:Case) WHERE (case_.age > $v1 OR case_.sex <> $v2) AND case_.day >= date($v3) AND case_.day <= date($v4) RETURN avg(case_.age)",
    "MATCH (case_:Case) WHERE case_.day.year = $v1 AND case_.day.month = $v2 AND case_.note IS NOT NULL AND case_.end IS NULL RETURN min(case_.age), max(case_.age)",
    "MATCH (drug:Drug) WHERE $v1 IN drug.brandNames AND drug.name STARTS WITH $v2 AND drug.code IN [$v3, $v4] RETURN drug.name",
    "MATCH (a:A) WHERE NOT EXISTS { MATCH (a:A)-[b:B]->(c:C) WHERE c.name = $v1 } AND COUNT { MATCH (a:A)-[b:B]->(c:C) } >= $v2 RETURN a.id",
    "MATCH (a:A)-[b:B]->(c:C) WITH a, count(*) AS n WHERE n > $v1 RETURN a.name, n ORDER BY n DESC LIMIT $v2",
    "MATCH (a:A) OPTIONAL MATCH (a:A)-[b:B]->(c:C) RETURN a.name, collect(DISTINCT c.name), count(DISTINCT c)",
    "MATCH (a:A) RETURN count(CASE WHEN a.sex = 'it\\'s' THEN 1 END), count(*) > 0",
    "MATCH (visit:Visit) WHERE visit.end > visit.start AND date(visit.at) = date($v1) AND visit.open = true RETURN sum(visit.cost)",
    "MATCH (`node`:`my label`)-[r:`has ``tick`]->(b:B) WHERE r.`strange ( name` = $v1 RETURN b.`é`",
]


@pytest.mark.parametrize("query", QUERIES)
def test_what_is_encoded_decodes_to_the_same_query(query: str) -> None:
    assert decode(encode(query)) == query


@pytest.mark.parametrize("query", QUERIES)
def test_a_completion_is_stable_under_another_round(query: str) -> None:
    completion = encode(query)
    assert encode(decode(completion)) == completion
    assert "".join(completion.split()) == "".join(query.split())


def test_a_triple_a_property_and_a_keyword_are_one_atom_each() -> None:
    assert tokenize("MATCH (a:A)-[b:B|C]->(d:D) WHERE d.x.year >= $v1 RETURN count( DISTINCT a )") == [
        "MATCH", "(a:A)-[b:B|C]->(d:D)", "WHERE", "d.x.year", ">=", "$v1", "RETURN", "count(", "DISTINCT", "a", ")",
    ]  # fmt: skip


def test_blanks_and_a_final_semicolon_do_not_matter() -> None:
    assert tokenize("MATCH (a:A)\n  WHERE a.x  IS  NOT\tNULL RETURN a.x ;") == tokenize(
        "MATCH (a:A) WHERE a.x IS NOT NULL RETURN a.x"
    )


def test_text_that_is_no_atom_is_refused_with_its_position() -> None:
    with pytest.raises(CompactSyntaxError, match="position 11"):
        tokenize("MATCH (a:A) ; ~ RETURN 1")


@given(st.lists(st.sampled_from([atom for query in QUERIES for atom in tokenize(query)]), max_size=30))
def test_joined_atoms_split_into_the_same_atoms_unless_two_read_as_one(atoms: list[str]) -> None:
    again = tokenize(detokenize(atoms))
    assert "".join(again).replace(" ", "") == "".join(atoms).replace(" ", "")
