"""Compact Cypher: queries as atoms, each of which is one token of a small per-graph model.

An atom is a whole triple, a property access, a keyword, an operator or a parameter. The atoms, joined by spaces, are
executable Cypher. This module also finds what each parameter of a query is compared with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import unquote_identifier
from t2c_core.text_formats import without_casts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.prompt.variable_names import VariableNames

MAX_PARAMETERS = 16

_NAME = r"(?:`(?:[^`]|``)*`|[A-Za-z_]\w*)"
_NODE = rf"\({_NAME}(?::{_NAME})?\)"
_LINK = rf"-\[{_NAME}(?::{_NAME}(?:\|{_NAME})*)?\]->"
ACCESS = re.compile(rf"(?P<variable>{_NAME})\.(?P<property>{_NAME})(?:\.(?P<part>year|month|day))?")
TRIPLE = re.compile(
    rf"\((?P<source>{_NAME}):(?P<source_label>{_NAME})\)-\[(?P<link>{_NAME}):(?P<types>{_NAME}(?:\|{_NAME})*)\]->"
    rf"\((?P<target>{_NAME}):(?P<target_label>{_NAME})\)"
)
NODE = re.compile(rf"\((?P<variable>{_NAME}):(?P<label>{_NAME})\)")
PARAMETER = re.compile(r"\$v(?P<number>\d+)")

_ATOM = re.compile(
    rf"""\s*(?P<atom>
      {_NODE}(?:{_LINK}{_NODE})?
    | date\(\s*{_NAME}\.{_NAME}\s*\)
    | date\(\s*\$v\d+\s*\)
    | OPTIONAL\s+MATCH\b | ORDER\s+BY\b | STARTS\s+WITH\b | ENDS\s+WITH\b | IS\s+NOT\s+NULL\b | IS\s+NULL\b
    | CASE\s+WHEN\b | THEN\s+1\s+END\b
    | (?:EXISTS|COUNT)\s*\{{
    | count\(\*\)
    | (?:count|avg|min|max|sum|collect|size)\(
    | {_NAME}\.{_NAME}(?:\.(?:year|month|day))?
    | \$v\d+
    | '(?:[^'\\]|\\.)*'
    | {_NAME}
    | \d+(?:\.\d+)?
    | <> | <= | >= | [=<>,()\[\]{{}}+*/-]
    )""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\s+")
_CLOSING = frozenset({",", ")", "]"})

_TEXT_OPERATORS = frozenset({"CONTAINS", "STARTS WITH", "ENDS WITH"})
_CLAUSE_ENDS = frozenset(
    {
        "AND",
        "OR",
        "NOT",
        "WHERE",
        "RETURN",
        "WITH",
        "ORDER BY",
        "MATCH",
        "OPTIONAL MATCH",
        "CASE WHEN",
        "{",
        "}",
    }
)
_COUNTS = frozenset({"LIMIT", "count(*)", "n"})


class CompactSyntaxError(ValueError):
    """A text is not compact Cypher."""


def tokenize(cypher: str) -> list[str]:
    """Split Cypher into atoms, without casts of strings that hold numbers or dates.

    Raises:
        CompactSyntaxError: the text has a part that is not an atom.
    """
    atoms = []
    position = 0
    text = without_casts(cypher).strip().removesuffix(";").rstrip()
    while position < len(text):
        match = _ATOM.match(text, position)
        if match is None:
            raise CompactSyntaxError(
                f"invalid compact Cypher at position {position}: {text[position : position + 40]!r}"
            )
        atom = match["atom"]
        if "`" not in atom and "'" not in atom:
            atom = _SPACE.sub(" ", atom).replace("( ", "(").replace(" )", ")")
        atoms.append(atom)
        position = match.end()
    return atoms


def detokenize(atoms: list[str]) -> str:
    """Join atoms by spaces, except inside brackets."""
    text = ""
    glue = True
    for atom in atoms:
        text += atom if glue or atom in _CLOSING else " " + atom
        glue = atom.endswith(("(", "["))
    return text


def token_text(atom: str) -> str:
    """Return the text of an atom's token, which begins with a space unless the atom is a closing one."""
    return atom if atom in _CLOSING else " " + atom


def encode(cypher: str) -> str:
    """Return Cypher as a completion: the concatenated texts of its tokens."""
    return "".join(token_text(atom) for atom in tokenize(cypher))


def decode(completion: str) -> str:
    """Return a completion as Cypher."""
    return detokenize(tokenize(completion))


@dataclass(frozen=True, slots=True)
class ParameterUsage:
    """A use of a parameter in a query, and what it is compared with."""

    position: int
    """Index of the parameter's atom."""
    name: str
    """Name without the dollar sign."""
    labels_or_types: tuple[str, ...]
    """Label or relationship types of the compared property; empty for a count."""
    property: str
    numeric: bool
    """Whether an integer is expected: a limit, a count, a year."""
    text: bool
    """Whether the text of the mention is expected, as a part of a string."""


def parameter_usages(atoms: list[str], names: VariableNames) -> Iterator[ParameterUsage]:
    """Yield what each parameter of a query is compared with, in order of occurrence."""
    by_variable: dict[str, tuple[str, ...]] = {
        variable: (found.name,) for variable, found in names.by_variable.items()
    }
    for atom in atoms:
        if match := TRIPLE.fullmatch(atom):
            by_variable[match["link"]] = tuple(unquote_identifier(each) for each in _types(match["types"]))
    for position, atom in enumerate(atoms):
        match = PARAMETER.search(atom)
        if match is None or "." in atom:
            continue
        compared, numeric, text = _context(atoms, position)
        access = ACCESS.search(compared)
        labels_or_types = by_variable.get(access["variable"], ()) if access else ()
        numeric = numeric or bool(access and access["part"])
        name = unquote_identifier(access["property"]) if access else ""
        yield ParameterUsage(position, match[0].removeprefix("$"), labels_or_types, name, numeric, text)


def bound_variables(atoms: list[str]) -> set[str]:
    """Return the variables that the patterns of a query bind."""
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
