"""Grammars: what they take and refuse, that what they give runs, and their size on large schemas."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import neo4j
import pytest

from t2c_core.errors import QueryRejectedError
from t2c_core.grammar import GrammarCache, atoms_grammar, cypher_grammar
from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.visibility import Visibility
from t2c_core.prompt import ChatFormat, SchemaTokenFormat
from t2c_core.prompt.compact_cypher import ACCESS, TRIPLE, bound_variables, encode, tokenize
from t2c_core.prompt.schema_tokens import UNANSWERABLE
from t2c_core.schema import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.linker import LinkedQuestion
from t2c_service.models.openai import matches_grammar

from .sampling import draw, read

if TYPE_CHECKING:
    from tests.conftest import TestGraph

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Drug",
            count=3,
            properties=(
                Property(name="name", type="STRING", distinct=100),
                Property(name="form", type="STRING", distinct=2, examples=("tablet", "it's")),
                Property(name="year", type="INTEGER"),
                Property(name="brand names", type="LIST<STRING>"),
                Property(name="sold", type="LOCAL DATETIME"),
                Property(name="generic", type="BOOLEAN"),
            ),
        ),
        NodeLabel(name="Odd`Label", count=1, properties=(Property(name="name", type="STRING"),)),
    ),
    types=(
        RelationshipType(name="CURES", count=1, properties=(Property(name="since", type="DATE"),)),
        RelationshipType(name="EASES", count=1),
        RelationshipType(name="MIXES", count=1),
    ),
    triples=(
        Triple(source="Drug", type="CURES", target="Odd`Label", count=1),
        Triple(source="Drug", type="EASES", target="Odd`Label", count=1),
        Triple(source="Drug", type="MIXES", target="Drug", count=1),
    ),
)


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (drug:Drug) RETURN drug.name",
        "MATCH (drug:Drug) RETURN count(*)",
        "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN count(*) > 0",
        "MATCH (drug:Drug)-[mixes:MIXES]->(drug2:Drug) WHERE drug2.name IN [$v1, $v2] RETURN DISTINCT drug.name",
        "MATCH (drug:Drug)-[any_of:CURES|EASES]->(odd_label:`Odd``Label`) RETURN odd_label.name, count(*)",
        "MATCH (drug:Drug) WHERE $v1 IN drug.`brand names` AND size(drug.`brand names`) > $v2 RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.form = 'it\\'s' RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.generic = true AND drug.name STARTS WITH $v1 RETURN drug.name",
        "MATCH (drug:Drug) WHERE date(drug.sold) >= date($v1) AND drug.sold.year = $v2 RETURN avg(drug.year)",
        (
            "MATCH (drug:Drug) WHERE NOT EXISTS { MATCH (drug:Drug)-[cures:CURES]->(odd_label:`Odd``Label`) } RETURN "
            "drug.name ORDER BY drug.name DESC LIMIT 1"
        ),
        "MATCH (drug:Drug) WHERE COUNT { MATCH (drug:Drug)-[mixes:MIXES]->(drug2:Drug) } >= $v1 RETURN drug.name",
        "MATCH (drug:Drug) RETURN count(CASE WHEN drug.year > $v1 THEN 1 END)",
        (
            "MATCH (drug:Drug)-[cures:CURES]->(odd_label:`Odd``Label`) WITH odd_label, count(*) AS n WHERE n > $v1 "
            "RETURN odd_label.name, n"
        ),
        "MATCH (drug:Drug) WITH avg(drug.year) AS n MATCH (drug:Drug) WHERE drug.year > n RETURN count(*)",
        "MATCH (drug:Drug) WHERE (drug.name = $v1 OR drug.year < $v2) RETURN drug.year, drug.name ORDER BY drug.year",
    ],
)
def test_compact_queries_are_taken(cypher: str) -> None:
    assert matches_grammar(atoms_grammar(SCHEMA), encode(cypher))


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (drug:Drug) RETURN drug.price",
        "MATCH (drug:Drug) RETURN odd_label.year",
        "MATCH (illness:Illness) RETURN count(*)",
        "MATCH (odd_label:`Odd``Label`)-[cures:CURES]->(drug:Drug) RETURN count(*)",
        "MATCH (drug:Drug)-[cures:CURES]->(drug2:Drug) RETURN count(*)",
        "MATCH (drug:Drug)-[any_of:CURES|MIXES]->(odd_label:`Odd``Label`) RETURN count(*)",
        "MATCH (drug:Drug) WHERE drug.name = 'aspirin' RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.name = $v17 RETURN drug.name",
        "MATCH (drug:Drug) WHERE drug.year CONTAINS $v1 RETURN drug.name",
        "MATCH (drug:Drug) RETURN avg(drug.name)",
        "MATCH (drug:Drug) RETURN count(*) > 08",
        "MATCH (drug:Drug)",
    ],
)
def test_other_queries_are_not(cypher: str) -> None:
    assert not matches_grammar(atoms_grammar(SCHEMA), encode(cypher))


@pytest.mark.parametrize("write", [atoms_grammar, cypher_grammar])
def test_a_question_that_cannot_be_answered_has_a_completion(write: object) -> None:
    word = UNANSWERABLE if write is atoms_grammar else "UNANSWERABLE"
    for schema in (SCHEMA, GraphSchema(labels=(), types=(), triples=())):
        assert matches_grammar(write(schema), word)  # type: ignore[operator]


def test_parameters_are_those_of_the_question() -> None:
    query = "MATCH (drug:Drug) WHERE drug.name = $v2 RETURN drug.name"
    assert matches_grammar(atoms_grammar(SCHEMA, parameters=2), encode(query))
    assert not matches_grammar(atoms_grammar(SCHEMA, parameters=1), encode(query))
    assert matches_grammar(atoms_grammar(SCHEMA, parameters=0), encode("MATCH (drug:Drug) RETURN drug.name"))
    grammars = GrammarCache(SCHEMA, SchemaTokenFormat(SCHEMA))
    assert grammars.for_question(LinkedQuestion("", ())).text == atoms_grammar(SCHEMA, parameters=0)
    chat = GrammarCache(SCHEMA, ChatFormat(SCHEMA)).for_question(LinkedQuestion("", ()))
    assert (chat.text, chat.uses_schema_tokens) == (cypher_grammar(SCHEMA, parameters=0), False)


@pytest.mark.parametrize("write", [atoms_grammar, cypher_grammar])
def test_what_a_policy_hides_cannot_be_written(write: object) -> None:
    hidden = Visibility({"Drug.year", "EASES", "Odd`Label"}, SCHEMA)
    text = write(hidden.filter_schema(SCHEMA))  # type: ignore[operator]
    assert not any(name in text for name in ("EASES", "Odd"))
    assert matches_grammar(text, "MATCH (drug:Drug) RETURN drug.name")
    assert not matches_grammar(text, "MATCH (drug:Drug) RETURN drug.year")


@pytest.mark.parametrize(
    ("cypher", "taken"),
    [
        ("MATCH (d:Drug {name: $v1})-[:CURES]->(:`Odd``Label`) RETURN d.year", True),
        (
            "MATCH (o:`Odd``Label`)<-[c:CURES|EASES]-(d) WHERE c.since.year > 2000 RETURN o.name, count(d) AS n",
            True,
        ),
        (
            "MATCH (d:Drug)\nWHERE NOT (d)-[:MIXES]->()\nRETURN DISTINCT d.name\nORDER BY d.name\nLIMIT 5",
            True,
        ),
        (
            "MATCH (d:Drug) WITH d.form AS f, avg(d.year) AS y WHERE y > $v1 RETURN f, round(y) ORDER BY y DESC",
            True,
        ),
        ("RETURN EXISTS { (:Drug {name: $v1})-[:MIXES]-(:Drug {name: $v2}) }", True),
        ("MATCH (d:Drug) WHERE any(b IN d.`brand names` WHERE b STARTS WITH $v1) RETURN d.name", True),
        ("MATCH (d:Drug)<-[:CURES]-(:`Odd``Label`) RETURN d.year", False),
        ("MATCH (d:Drug)-[:HEALS]->(x) RETURN x.name", False),
        ("MATCH (d:Pill) RETURN d.name", False),
        ("MATCH (d:Drug) RETURN d.price", False),
        ("MATCH (d:Drug) WHERE d.name = 'aspirin' RETURN d.name", False),
        ("MATCH (d:Drug) DETACH DELETE d", False),
        ("MATCH (d:Drug) SET d.year = 1 RETURN d.name", False),
        ("LOAD CSV FROM $v1 AS row RETURN row", False),
        ("CALL db.labels()", False),
    ],
)
def test_general_queries_are_taken_or_not(cypher: str, *, taken: bool) -> None:
    assert matches_grammar(cypher_grammar(SCHEMA), cypher) is taken


def test_texts_around_a_completion_do_not_count() -> None:
    grammar = cypher_grammar(SCHEMA)
    assert matches_grammar(grammar, "\nMATCH (d:Drug) RETURN d.name \n")
    assert not matches_grammar(grammar, "Here it is: MATCH (d:Drug) RETURN d.name")


UNKNOWN_NAMES = {"01N50", "01N51", "01N52"}
"""What the server notes of labels, types and properties that it does not have."""


def is_scoped(atoms: list[str]) -> bool:
    """Tell what a context-free grammar cannot: that variables are bound, once, and that order goes by what is there."""
    bound = bound_variables(atoms)
    links = [match["link"] for each in atoms if (match := TRIPLE.fullmatch(each))]
    used = {
        match["variable"] for each in atoms if (match := ACCESS.search(each)) and not TRIPLE.fullmatch(each)
    }
    columns = "".join(atoms).partition("RETURN")[2].split(",")
    repeats = (links, columns)
    return used <= bound and all(len(each) == len(set(each)) for each in repeats)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_grammar_gives_runs(graph: TestGraph, seed: int) -> None:
    """Texts drawn at random name nothing that there is not, only read, and pass the guard."""
    schema = GraphSchema.load(graph.snapshot)
    rules = read(atoms_grammar(schema, parameters=3))
    guard = Guard(schema)
    rng = random.Random(seed)
    values = {"v1": 1, "v2": 2, "v3": 3}
    seen = 0
    with (
        neo4j.GraphDatabase.driver(graph.uri) as driver,
        driver.session(default_access_mode="READ") as session,
    ):
        for _ in range(4000):
            text = draw(rules, rng)
            atoms = tokenize(text) if text != UNANSWERABLE else []
            simple = atoms and not {"WITH", "OPTIONAL MATCH", "ORDER BY", "EXISTS {", "COUNT {"} & set(atoms)
            if not simple or not is_scoped(atoms) or "variable" in text:
                continue
            known = bound_variables(atoms)
            counted = [atoms[i + 1] for i, each in enumerate(atoms[:-1]) if each in {"count(", "DISTINCT"}]
            if any(each.isidentifier() and each not in known | {"DISTINCT"} for each in counted):
                continue
            seen += 1
            summary = session.run(f"EXPLAIN {text}", values).consume()  # type: ignore[arg-type]
            assert summary.query_type == "r"
            statuses = {each.gql_status for each in summary.gql_status_objects}
            assert not statuses & UNKNOWN_NAMES, text
            verdict = guard.check(text.strip(), values)
            assert verdict.allowed or verdict.codes[0].startswith(("cost.", "limits.")), (text, verdict)
            if seen >= 25:
                break
    assert seen >= 10


def test_a_refused_query_is_reported(graph: TestGraph) -> None:
    guard = Guard(GraphSchema.load(graph.snapshot))
    with pytest.raises(QueryRejectedError):
        guard.require("MATCH (drug:Drug) DELETE drug")


def large(labels: int, types: int, properties: int) -> GraphSchema:
    rng = random.Random(0)
    held = [Property(name=f"property{number}", type="STRING", distinct=99) for number in range(properties)]
    share = properties // labels
    names = [f"Label{number}" for number in range(labels)]
    kinds = [f"TYPE_{number}" for number in range(types)]
    return GraphSchema(
        labels=tuple(
            NodeLabel(name=name, count=1, properties=tuple(held[number * share : (number + 1) * share]))
            for number, name in enumerate(names)
        ),
        types=tuple(RelationshipType(name=kind, count=1) for kind in kinds),
        triples=tuple(
            Triple(source=rng.choice(names), type=kind, target=rng.choice(names), count=1) for kind in kinds
        ),
    )


@pytest.mark.parametrize("write", [atoms_grammar, cypher_grammar])
def test_size_grows_with_the_schema_and_no_faster(write: object) -> None:
    small, ten_times = (len(write(large(n, 2 * n, 5 * n))) for n in (20, 200))  # type: ignore[operator]
    assert ten_times < 14 * small
