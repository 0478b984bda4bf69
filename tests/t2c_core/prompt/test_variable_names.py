from t2c_core.prompt.variable_names import VariableNames
from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType, Triple


def schema(labels: list[str], types: list[str], triples: list[tuple[str, str, str]]) -> GraphSchema:
    return GraphSchema(
        labels=tuple(NodeLabel(name=name, count=1) for name in labels),
        types=tuple(RelationshipType(name=name, count=1) for name in types),
        triples=tuple(Triple(source=a, type=t, target=b, count=1) for a, t, b in triples),
    )


def test_variables_are_words_of_the_name_and_never_keywords() -> None:
    names = VariableNames(schema(["Case", "ReportSource", "HTTPServer", "Order"], ["HAS_REACTION"], []))
    assert names.label_variables == {
        "Case": "case_", "ReportSource": "report_source", "HTTPServer": "http_server", "Order": "order_",
    }  # fmt: skip
    assert names.type_variables == {"HAS_REACTION": "has_reaction"}


def test_no_two_variables_are_equal_with_any_suffix() -> None:
    names = VariableNames(
        schema(["Drug", "drug", "Drug2", "  ", "1st", "Ärzte", "any of"], ["DRUG", "drug_2", "--"], [])
    )
    variables = [*names.label_variables.values(), *names.type_variables.values()]
    spread = [variable + suffix for variable in variables for suffix in ("", "2", "3")]
    assert len(set(spread)) == len(spread)
    assert all(variable.isidentifier() and variable.isascii() for variable in variables)
    assert len(names.by_variable) == len(spread)


def test_a_second_node_of_a_label_has_its_own_variable() -> None:
    found = schema(["Case", "Drug"], ["TOOK", "GAVE"], [("Case", "TOOK", "Drug")])
    names = VariableNames(found)
    assert names.triple(found.triples[0]) == "(case_:Case)-[took:TOOK]->(drug:Drug)"
    assert names.triple(found.triples[0], target=1, number=1) == "(case_:Case)-[took2:TOOK]->(drug2:Drug)"
    assert (
        names.triple(found.triples[0], types=("GAVE", "TOOK"))
        == "(case_:Case)-[any_of:GAVE|TOOK]->(drug:Drug)"
    )
