"""What the parameters of a query are compared with, and which variables its patterns bind.

Works on atoms (see `compact`). Holds no values and no schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import unquote_identifier
from t2c_core.prompt.compact_cypher import ACCESS, NODE, PARAMETER, TRIPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.prompt.variable_names import VariableNames

_TEXT_OPERATORS = frozenset({"CONTAINS", "STARTS WITH", "ENDS WITH"})
_CLAUSE_ENDS = frozenset(
    {"AND", "OR", "NOT", "WHERE", "RETURN", "WITH", "ORDER BY", "MATCH", "OPTIONAL MATCH", "{", "}"}
)
_COUNTS = frozenset({"LIMIT", "count(*)", "n"})


@dataclass(frozen=True, slots=True)
class ParameterUsage:
    """Where a query uses a parameter: what it is compared with."""

    position: int
    """Place of the parameter among the atoms."""
    name: str
    """The parameter, without the dollar sign."""
    owners: tuple[str, ...]
    """Label or relationship types whose property it is compared with; empty for counts."""
    property: str
    numeric: bool
    """Whether a whole number is wanted: a limit, a count, a year."""
    text: bool
    """Whether the mention itself is wanted: a part of a string."""


def parameter_usages(atoms: list[str], names: VariableNames) -> Iterator[ParameterUsage]:
    """Find what each parameter of a query is compared with, in order of occurrence."""
    owners: dict[str, tuple[str, ...]] = {
        variable: (holder.name,) for variable, holder in names.by_variable.items()
    }
    for atom in atoms:
        if match := TRIPLE.fullmatch(atom):
            owners[match["link"]] = tuple(unquote_identifier(each) for each in _types(match["types"]))
    for position, atom in enumerate(atoms):
        match = PARAMETER.search(atom)
        if match is None or "." in atom:
            continue
        compared, numeric, text = _context(atoms, position)
        access = ACCESS.search(compared)
        held = owners.get(access["variable"], ()) if access else ()
        numeric = numeric or bool(access and access["part"])
        name = unquote_identifier(access["property"]) if access else ""
        yield ParameterUsage(position, match[0].removeprefix("$"), held, name, numeric, text)


def bound_variables(atoms: list[str]) -> set[str]:
    """List the variables that the patterns of a query bind."""
    found: set[str] = set()
    for atom in atoms:
        if match := TRIPLE.fullmatch(atom):
            found |= {match["source"], match["link"], match["target"]}
        elif match := NODE.fullmatch(atom):
            found.add(match["variable"])
    return found


def _context(atoms: list[str], position: int) -> tuple[str, bool, bool]:
    text = False
    for earlier in range(position - 1, -1, -1):
        atom = atoms[earlier]
        if atom in _COUNTS or (atom == "}" and earlier == position - 2):
            return "", True, False
        text = text or atom in _TEXT_OPERATORS
        if atom in _CLAUSE_ENDS or TRIPLE.fullmatch(atom):
            break
        if ACCESS.search(atom):
            return atom, atoms[earlier - 1] == "size(", text
    for later in atoms[position + 1 : position + 4]:
        if ACCESS.search(later) and not TRIPLE.fullmatch(later):
            return later, False, text
    return "", True, False


def _types(text: str) -> list[str]:
    return re.findall(r"`(?:[^`]|``)*`|[^|`]+", text)
