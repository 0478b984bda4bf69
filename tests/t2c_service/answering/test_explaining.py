"""Rows and column names in words, and the provenance query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2c_core.schema.model import GraphSchema, NodeLabel, Property, PropertyType
from t2c_service.answering.explaining.provenance_graph import (
    ROW_VALUES,
    ProvenanceQuery,
    build_provenance_query,
    plain_properties,
)
from t2c_service.answering.explaining.verbalise_rows import (
    format_value,
    heading,
    render_segments,
    render_text,
)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("drug.name", "drug name"),
        ("count(case_)", "number of cases"),
        ("count(DISTINCT drug)", "number of different drugs"),
        ("count(disease)", "number of diseases"),
        ("count(therapy)", "number of therapies"),
        ("count(*)", "number"),
        ("avg(case_.age)", "average case age"),
        ("collect(DISTINCT drug.name)", "list of different drug name"),
        ("age_group.ageGroup", "age group"),
        ("case_.eventDate.year", "case event date year"),
        ("totalCases", "total cases"),
        ("`my col`", "my col"),
        ("ICDCode", "icd code"),
        ("drug.price * 2", "drug.price * 2"),
        ("count(drug) > 3", "count(drug) > 3"),
        ("100.0 * count(CASE WHEN drug.generic = true THEN 1 END) / count(*)", "percentage"),
        ("count(CASE WHEN drug.generic = true THEN 1 END)", "number"),
        ("avg(COUNT { MATCH (drug:Drug)-[treats:TREATS]->(d:Disease) })", "average number"),
    ],
)
def test_columns_are_named_for_people(column: str, text: str) -> None:
    assert heading(column) == text


@pytest.mark.parametrize(
    ("columns", "rows", "text"),
    [
        (["x"], [], "Nothing in the graph matches."),
        (["count(drug)"], [[12345]], "Number of drugs: 12345 [1]"),
        (["count(drug) > 0"], [[True]], "Yes [1]"),
        (["drug.name"], [["A"], ["B"]], "2 results: “A” [1]; “B” [2]."),
        (["drug.name", "count(x)"], [["A", 1], ["B", 2]], "2 rows: “A”: 1 [1]; “B”: 2 [2]."),
        (["drug.name", "drug.dose"], [["A", None]], "Drug name “A”, drug dose nothing [1]"),
        (["a", "b", "c"], [["A", 1, 2.5]] * 2, "2 rows: “A” (b 1, c 2.5) [1]; “A” (b 1, c 2.5) [2]."),
    ],
)
def test_rows_are_verbalised(columns: list[str], rows: list[list[object]], text: str) -> None:
    assert render_text(columns, rows) == text


def test_the_text_has_the_first_rows_and_mentions_the_others() -> None:
    text = render_text(["x"], [[number] for number in range(9)], truncated=True)
    assert text == "More than 9 results: 0 [1]; 1 [2]; 2 [3]; 3 [4]; 4 [5]; and more in the table."


def test_citations_come_from_rows_and_never_from_values() -> None:
    pieces = render_segments(["x"], [["[9]"], ["b"]])
    assert [piece.row for piece in pieces if piece.row] == [1, 2]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb\t c\u2028d", "“a b c d”"),
        ("\u202eevil\u200b", "“evil”"),
        ("“quoted”", "“'quoted'”"),
        ("x" * 500, "“" + "x" * 79 + "…”"),
        (["a", None, True], "“a”, nothing, yes"),
        (list(range(7)), "0, 1, 2, 3, 4 and 2 more"),
        ({"a": 1}, "(a 1)"),
        (1.0, "1"),
        (-0.00012345678, "-0.00012345678"),
        (
            {"element_id": "4:x:1", "labels": ["Drug"], "properties": {"name": "Aspirin", "n": 1}},
            "Drug “Aspirin”",
        ),
        ({"element_id": "5:x:1", "type": "TREATS", "start": "a", "end": "b", "properties": {}}, "TREATS"),
    ],
)
def test_values_are_one_line_of_plain_text(value: object, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1999999.5, "1999999.5"),
        (2000000.4, "2000000.4"),
        (1e6, "1000000"),
        (123456789.125, "123456789.125"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-7, "0.0000001"),
        (-2.5e-12, "-2.5e-12"),
        (1e15, "1000000000000000"),
        (1e25, "1e+25"),
        (-0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_stated_exactly(value: float, text: str) -> None:
    assert format_value(value) == text
    assert render_text(["x"], [[value]]) == f"X: {text} [1]"


@given(st.floats(allow_nan=False))
def test_a_stated_number_reads_back_as_itself(value: float) -> None:
    assert float(format_value(value)) == value


PLAIN = frozenset({"name", "n"})


def rewritten(cypher: str, rows: list[list[object]], **parameters: str) -> ProvenanceQuery:
    found = build_provenance_query(cypher, parameters, rows, plain=PLAIN)
    assert found is not None
    return found


def test_each_row_gets_its_own_matches_of_the_pattern() -> None:
    query = rewritten(
        "MATCH (a:A)-[r:R]->(b:B), (a)-->(c) WHERE a.n = $v1 OR b.n STARTS WITH $v2 RETURN a.name, count(b) LIMIT 3",
        [["x", 1], ["y", 2], [None, 3], ["x", 4]],
        v1="1",
        v2="2",
    )
    assert query.cypher == (
        "UNWIND $shown AS shown CALL (shown) { MATCH (a:A)-[r:R]->(b:B), (a)-->(c) "
        "WHERE (a.n = $v1 OR b.n STARTS WITH $v2) AND a.name = shown RETURN a, r, b, c LIMIT 20 } "
        "RETURN shown, a, r, b, c"
    )
    assert query.parameters == {"v1": "1", "v2": "2", ROW_VALUES: ["x", "y"]}


def test_without_a_plain_column_some_matches_are_taken() -> None:
    query = rewritten("MATCH (a:A)--(b) RETURN count(a), a.born", [[3, "2020-01-01"]])
    assert query.cypher == "MATCH (a:A)--(b) RETURN 1, a, b LIMIT 40"


@pytest.mark.parametrize(
    ("cypher", "part"),
    [
        ("MATCH (a)--(z) MATCH (b) RETURN a.name", "{ MATCH (a)--(z) MATCH (b) WHERE a.name = shown RETURN a, z, b LIMIT 40 }"),
        ("MATCH (a)--(z) WHERE a.name = 'x' RETURN a.name AS n", "WHERE a.name = 'x' AND a.name = shown RETURN"),
        ("MATCH (a)--(z) WHERE EXISTS { (a)--(b) } RETURN a.name", "AND a.name = shown RETURN a, z LIMIT 40 }"),
        ("MATCH (a)--(`z y`) // RETURN\n RETURN a.name;", "RETURN shown, a, `z y`"),
        ("MATCH p = (a) ((b)-[r]->(c))+ RETURN DISTINCT a.name ORDER BY a.name", "RETURN shown, a, b, r, c"),
        ("MATCH (a)--(z) RETURN *, a.`x`", "MATCH (a)--(z) RETURN 1, a, z LIMIT 40"),
    ],
)  # fmt: skip
def test_conditions_comments_and_quoted_names_are_kept(cypher: str, part: str) -> None:
    assert part in rewritten(cypher, [["x"]]).cypher


def test_a_sample_is_known_by_rows_with_as_many_matches_as_were_looked_for() -> None:
    query = ProvenanceQuery("", {}, max_matches=2)
    assert query.is_sample([["x", 1], ["x", 2], ["y", 1]])
    assert not query.is_sample([["x", 1], ["y", 2], ["z", 1]])


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (a)--(z) WITH a RETURN a.name",
        "MATCH (a)--(z) OPTIONAL MATCH (a)--(b) RETURN a.name",
        "MATCH (a)--(z) RETURN a.name UNION MATCH (b) RETURN b.name",
        "MATCH (a)--(z) SET a.x = 1 RETURN a.name",
        "MATCH (a)--(z) RETURN a.name, $shown",
        "MATCH ()--() RETURN count(*)",
        "MATCH (a) RETURN a.name",
        "MATCH (shown)--(b) RETURN shown.name",
        "UNWIND [1] AS x RETURN x",
        "MATCH (a)--(z) UNWIND a.names AS n RETURN n",
        "",
    ],
)
def test_other_forms_have_no_provenance_query(cypher: str) -> None:
    assert build_provenance_query(cypher, {}, [["x"]], plain=PLAIN) is None


def test_a_property_is_plain_only_if_it_is_for_every_owner() -> None:
    def label(owner: str, types: dict[str, PropertyType]) -> NodeLabel:
        properties = tuple(Property(name=name, type=kind) for name, kind in types.items())
        return NodeLabel(name=owner, count=1, properties=properties)

    schema = GraphSchema(
        labels=(
            label("A", {"name": "STRING", "when": "STRING"}),
            label("B", {"when": "DATE", "n": "INTEGER"}),
        ),
        types=(),
        triples=(),
    )
    assert plain_properties(schema) == {"name", "n"}
