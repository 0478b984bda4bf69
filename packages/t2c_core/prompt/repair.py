"""Mends what a tiny model gets wrong in a way that the schema and the links show beyond doubt.

Two mistakes only: a value put where it does not occur while another fits, and a variable that no pattern binds.
Nothing that could run as it is meant is touched; every repair is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.prompt.compact_cypher import ACCESS
from t2c_core.prompt.parameter_usage import bound_variables, parameter_usages
from t2c_core.prompt.variable_names import SUFFIXES

if TYPE_CHECKING:
    from t2c_core.prompt.parameter_usage import ParameterUsage
    from t2c_core.prompt.variable_names import VariableNames
    from t2c_core.schema.model import GraphSchema, Triple
    from t2c_core.values.linker import LinkedMention, LinkedQuestion

_NUMBERS = frozenset({"INTEGER", "FLOAT"})
_TIMES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})


def repair(
    atoms: list[str], schema: GraphSchema, names: VariableNames, linked: LinkedQuestion
) -> tuple[list[str], tuple[str, ...]]:
    """Mend a query.

    Args:
        atoms: the query.
        schema: what there is.
        names: its variables.
        linked: the question.

    Returns:
        The atoms and what was mended.
    """
    slots, first = _slots(atoms, schema, names, linked)
    bound, second = _bind(slots, schema, names)
    return bound, (*first, *second)


def _slots(
    atoms: list[str], schema: GraphSchema, names: VariableNames, linked: LinkedQuestion
) -> tuple[list[str], list[str]]:
    """Exchange parameters that do not fit their place for those that do, if only one does."""
    links = {link.name: link for link in linked.links}
    uses = list(parameter_usages(atoms, names))
    wrong = [use for use in uses if use.name in links and not _fits(links[use.name], use, schema)]
    right = {use.name for use in uses if use not in wrong}
    mended = list(atoms)
    told = []
    for use in wrong:
        others = [
            name
            for name, link in links.items()
            if name not in right and link.kind != "text" and _fits(link, use, schema)
        ]
        if len(others) != 1:
            continue
        right.add(others[0])
        mended[use.position] = mended[use.position].replace(f"${use.name}", f"${others[0]}")
        told.append(f"{use.property}: ${use.name} -> ${others[0]}")
    return mended, told


def _fits(link: LinkedMention, use: ParameterUsage, schema: GraphSchema) -> bool:
    if use.numeric:
        return isinstance(link.value, int | float)
    if use.text or any(
        place.property == use.property and place.owner in use.owners for place in link.occurrences
    ):
        return True
    held = next((found for owner in use.owners if (found := schema.property_of(owner, use.property))), None)
    if held is None:
        return True
    kind = held.type.removeprefix("LIST<").removesuffix(">")
    if kind in _NUMBERS:
        return isinstance(link.value, int | float)
    if kind in _TIMES:
        return link.kind == "date"
    return link.kind == "text"


def _bind(atoms: list[str], schema: GraphSchema, names: VariableNames) -> tuple[list[str], list[str]]:
    """Add the pattern of a property whose variable no pattern binds."""
    mended = list(atoms)
    told = []
    for atom in atoms:
        access = ACCESS.search(atom) if "-[" not in atom else None
        bound = bound_variables(mended)
        if access is None or access["variable"] in bound or not bound:
            continue
        pattern = _pattern(access["variable"], bound, schema, names)
        if pattern is None or "MATCH" not in mended:
            continue
        place = mended.index("MATCH") + 1
        mended[place:place] = [pattern, ","]
        told.append(f"added {pattern}")
    return _without_lone_nodes(mended), told


def _without_lone_nodes(atoms: list[str]) -> list[str]:
    """Drop a node pattern of the first MATCH whose node a triple there has too."""
    if atoms[:1] != ["MATCH"] or len(atoms) < 4 or atoms[2] != ",":
        return atoms
    kept = list(atoms)
    for place in range(3, len(atoms)):
        if atoms[place] in {"WHERE", "RETURN", "WITH"}:
            break
        node = atoms[place]
        if (
            node.startswith("(")
            and "-[" not in node
            and any(node in each for each in atoms[1:place] if "-[" in each)
        ):
            kept[place - 1 : place + 1] = []
            break
    return kept


def _pattern(variable: str, bound: set[str], schema: GraphSchema, names: VariableNames) -> str | None:
    holder = names.by_variable.get(variable)
    if holder is None:
        return None
    suffix = next(each for each in reversed(SUFFIXES) if variable.endswith(each))
    number = (
        SUFFIXES.index(suffix)
        if names.by_variable[variable.removesuffix(suffix) or variable].name == holder.name
        else 0
    )
    labels = {label for label, base in names.label_variables.items() if base in bound}
    if holder.kind == "relationship":
        found = [
            each
            for each in schema.triples
            if each.type == holder.name and {each.source, each.target} & labels
        ]
    else:
        found = [
            each
            for each in schema.triples
            if (each.source == holder.name and each.target in labels)
            or (each.target == holder.name and each.source in labels)
        ]
    if not found or len({(each.source, each.target) for each in found}) > 1:
        return None
    best: Triple = max(found, key=lambda each: each.count)
    if holder.kind == "relationship" or number == 0:
        return names.triple(best)
    source, target = (number, 0) if best.source == holder.name else (0, number)
    return names.triple(best, source=source, target=target, number=number)
