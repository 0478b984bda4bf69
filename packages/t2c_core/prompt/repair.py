"""Repair of unambiguous mistakes in compact Cypher: misplaced parameters, and variables that no pattern binds.

A query that may be right is left unchanged, and each repair has a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.prompt.compact_cypher import ACCESS, bound_variables, parameter_usages
from t2c_core.prompt.variable_names import SUFFIXES

if TYPE_CHECKING:
    from t2c_core.prompt.compact_cypher import ParameterUsage
    from t2c_core.prompt.variable_names import VariableNames
    from t2c_core.schema.model import GraphSchema, Triple
    from t2c_core.values.linker import LinkedMention, LinkedQuestion

_NUMBERS = frozenset({"INTEGER", "FLOAT"})
_TIMES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})


def repair(
    atoms: list[str], schema: GraphSchema, names: VariableNames, linked: LinkedQuestion
) -> tuple[list[str], tuple[str, ...]]:
    """Repair a query.

    Args:
        atoms: atoms of the query.
        schema: schema of the graph.
        names: variables of the schema.
        linked: the question.

    Returns:
        Atoms of the repaired query, and the messages of the repairs.
    """
    reassigned, first = _reassign_parameters(atoms, schema, names, linked)
    complete, second = _add_missing_patterns(reassigned, schema, names)
    return complete, (*first, *second)


def element_type(schema: GraphSchema, use: ParameterUsage) -> str:
    """Return the type of the compared property, or of its elements if it is a list; empty if it is unknown."""
    found = (schema.property_of(each, use.property) for each in use.labels_or_types)
    first = next((each for each in found if each), None)
    return first.value_type.removeprefix("LIST<").removesuffix(">") if first else ""


def _reassign_parameters(
    atoms: list[str], schema: GraphSchema, names: VariableNames, linked: LinkedQuestion
) -> tuple[list[str], list[str]]:
    """Replace parameters that do not fit the compared property by the only one that does."""
    links = {link.name: link for link in linked.links}
    uses = list(parameter_usages(atoms, names))
    wrong = [use for use in uses if use.name in links and not _fits(links[use.name], use, schema)]
    assigned = {use.name for use in uses if use not in wrong}
    repaired = list(atoms)
    messages = []
    for use in wrong:
        others = [
            name
            for name, link in links.items()
            if name not in assigned and link.kind != "text" and _fits(link, use, schema)
        ]
        if len(others) != 1:
            continue
        assigned.add(others[0])
        repaired[use.position] = repaired[use.position].replace(f"${use.name}", f"${others[0]}")
        messages.append(f"{use.property}: ${use.name} -> ${others[0]}")
    return repaired, messages


def _fits(link: LinkedMention, use: ParameterUsage, schema: GraphSchema) -> bool:
    if use.numeric:
        return isinstance(link.value, int | float)
    if use.text or any(
        each.property == use.property and each.label_or_type in use.labels_or_types
        for each in link.occurrences
    ):
        return True
    kind = element_type(schema, use)
    if not kind:
        return True
    if kind in _NUMBERS:
        return isinstance(link.value, int | float)
    if kind in _TIMES:
        return link.kind == "date"
    return link.kind == "text"


def _add_missing_patterns(
    atoms: list[str], schema: GraphSchema, names: VariableNames
) -> tuple[list[str], list[str]]:
    """Add the patterns of variables that are accessed but not bound."""
    repaired = list(atoms)
    messages = []
    for atom in atoms:
        access = ACCESS.search(atom) if "-[" not in atom else None
        bound = bound_variables(repaired)
        if access is None or access["variable"] in bound or not bound:
            continue
        pattern = _pattern(access["variable"], bound, schema, names)
        if pattern is None or "MATCH" not in repaired:
            continue
        position = repaired.index("MATCH") + 1
        repaired[position:position] = [pattern, ","]
        messages.append(f"added {pattern}")
    return _without_lone_nodes(repaired), messages


def _without_lone_nodes(atoms: list[str]) -> list[str]:
    """Remove a node pattern of the first MATCH whose node is also in a triple."""
    if atoms[:1] != ["MATCH"] or len(atoms) < 4 or atoms[2] != ",":
        return atoms
    kept = list(atoms)
    for position in range(3, len(atoms)):
        node = atoms[position]
        if node in {"WHERE", "RETURN", "WITH"}:
            break
        if (
            node.startswith("(")
            and "-[" not in node
            and any(node in each for each in atoms[1:position] if "-[" in each)
        ):
            kept[position - 1 : position + 1] = []
            break
    return kept


def _pattern(variable: str, bound: set[str], schema: GraphSchema, names: VariableNames) -> str | None:
    accessed = names.by_variable.get(variable)
    if accessed is None:
        return None
    suffix = next(each for each in reversed(SUFFIXES) if variable.endswith(each))
    base = names.by_variable[variable.removesuffix(suffix) or variable]
    number = SUFFIXES.index(suffix) if base.name == accessed.name else 0
    labels = {label for label, first in names.label_variables.items() if first in bound}
    is_type = accessed.kind == "relationship"
    found = [
        each
        for each in schema.triples
        if (
            each.type == accessed.name and {each.source, each.target} & labels
            if is_type
            else (each.source == accessed.name and each.target in labels)
            or (each.target == accessed.name and each.source in labels)
        )
    ]
    if not found or len({(each.source, each.target) for each in found}) > 1:
        return None
    best: Triple = max(found, key=lambda each: each.count)
    if is_type or number == 0:
        return names.triple(best)
    source, target = (number, 0) if best.source == accessed.name else (0, number)
    return names.triple(best, source=source, target=target, number=number)
