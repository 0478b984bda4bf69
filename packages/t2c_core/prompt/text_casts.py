"""Casts of strings that hold numbers or dates: left out of compact Cypher, added where needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import unquote_identifier
from t2c_core.prompt.compact_cypher import ACCESS, TRIPLE, detokenize, tokenize
from t2c_core.text_formats import CASTS, is_ordered_as_text, typed_expression

if TYPE_CHECKING:
    from t2c_core.prompt.variable_names import VariableNames
    from t2c_core.schema.model import GraphSchema, Property

_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">=", "IN"})
_ARITHMETIC = frozenset({"+", "-", "*", "/"})
_EXTREMES = frozenset({"min(", "max("})
_SUMS = frozenset({"avg(", "sum("})


def add_casts(atoms: list[str], schema: GraphSchema, names: VariableNames) -> list[str]:
    """Return the atoms of a query with casts around the properties that it compares, aggregates or orders by.

    Args:
        atoms: atoms of compact Cypher, without casts.
        schema: schema of the graph.
        names: variables of the schema.
    """
    held = [each for label in schema.labels for each in label.properties]
    held += [each for kind in schema.types for each in kind.properties]
    if not any(map(_is_cast, held)):
        return atoms
    owners = _owners(atoms, names)
    return [_cast(atoms, position, schema, owners) for position in range(len(atoms))]


def with_casts(cypher: str, schema: GraphSchema, names: VariableNames) -> str:
    """Return a query with casts around the properties that it compares, aggregates or orders by.

    Raises:
        CompactSyntaxError: it is not compact Cypher.
    """
    atoms = tokenize(cypher)
    cast = add_casts(atoms, schema, names)
    return cypher if cast == atoms else detokenize(cast)


def _is_cast(held: Property) -> bool:
    return held.text_format in CASTS or held.missing_text is not None


def _owners(atoms: list[str], names: VariableNames) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {name: (each.name,) for name, each in names.by_variable.items()}
    for atom in atoms:
        if match := TRIPLE.fullmatch(atom):
            found[match["link"]] = tuple(unquote_identifier(each) for each in match["types"].split("|"))
    return found


def _cast(atoms: list[str], position: int, schema: GraphSchema, owners: dict[str, tuple[str, ...]]) -> str:
    atom = atoms[position]
    match = ACCESS.fullmatch(atom)
    if match is None:
        return atom
    name = unquote_identifier(match["property"])
    held = [schema.property_of(owner, name) for owner in owners.get(match["variable"], ())]
    known = next((each for each in held if each is not None and _is_cast(each)), None)
    if known is None or not _is_used_as_typed(atoms, position, known, part=match["part"]):
        return atom
    return typed_expression(match["variable"], known) + (f".{match['part']}" if match["part"] else "")


def _is_used_as_typed(atoms: list[str], position: int, held: Property, *, part: str | None) -> bool:
    """Return whether a query uses what the string of a property holds rather than the string."""
    after = atoms[position + 1] if position + 1 < len(atoms) else ""
    if after in {"IS NULL", "IS NOT NULL"}:
        return held.missing_text is not None
    if held.text_format not in CASTS or part:
        return part is not None
    before = atoms[position - 1] if position else ""
    if before == "DISTINCT":
        before = atoms[position - 2]
    if before in _SUMS or before in _ARITHMETIC or after in _ARITHMETIC:
        return True
    if before in _EXTREMES or _is_sort_key(atoms, position):
        return not is_ordered_as_text(held)
    if after in _COMPARISONS:
        return not atoms[position + 2].startswith("'") and _is_date_or_number(held, atoms[position + 2])
    return before in _COMPARISONS and ACCESS.search(atoms[position - 2]) is not None


def _is_date_or_number(held: Property, operand: str) -> bool:
    """Return whether a property is compared with something of the type that it holds."""
    is_date = operand.startswith("date(") or ACCESS.search(operand) is not None
    return is_date or held.value_type in {"INTEGER", "FLOAT"}


def _is_sort_key(atoms: list[str], position: int) -> bool:
    for atom in reversed(atoms[:position]):
        if atom == "ORDER BY":
            return True
        if atom in {"RETURN", "WITH", "MATCH", "WHERE", "LIMIT", "{"}:
            return False
    return False
