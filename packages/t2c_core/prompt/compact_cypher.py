"""Compact executable Cypher: text split into atoms, the pieces that a tiny model writes as one token each.

An atom is a whole triple, a property access, a keyword, an operator or a parameter. Joined in the plain way the
atoms are Cypher that Neo4j runs as it is. Holds no schema and no values.
"""

from __future__ import annotations

import re

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


class CompactSyntaxError(ValueError):
    """A text that cannot be split into atoms."""


def tokenize(cypher: str) -> list[str]:
    """Split Cypher into atoms.

    Raises:
        CompactSyntaxError: there is something that is no atom.
    """
    atoms = []
    position = 0
    text = cypher.strip().removesuffix(";").rstrip()
    while position < len(text):
        match = _ATOM.match(text, position)
        if match is None:
            raise CompactSyntaxError(
                f"no compact Cypher at position {position}: {text[position : position + 40]!r}"
            )
        atom = match["atom"]
        if "`" not in atom and "'" not in atom:
            atom = _SPACE.sub(" ", atom).replace("( ", "(").replace(" )", ")")
        atoms.append(atom)
        position = match.end()
    return atoms


def detokenize(atoms: list[str]) -> str:
    """Write atoms as Cypher for people: one blank between atoms, none inside brackets."""
    text = ""
    glue = True
    for atom in atoms:
        text += atom if glue or atom in _CLOSING else " " + atom
        glue = atom.endswith(("(", "["))
    return text


def token_text(atom: str) -> str:
    """Write an atom as the text of its token: with a leading blank, which every atom but closing ones has."""
    return atom if atom in _CLOSING else " " + atom


def encode(cypher: str) -> str:
    """Write Cypher as a completion: the texts of its tokens, one after the other."""
    return "".join(token_text(atom) for atom in tokenize(cypher))


def decode(completion: str) -> str:
    """Write a completion as Cypher for people."""
    return detokenize(tokenize(completion))
