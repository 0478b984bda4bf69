"""Limits on a query's text, checked before the server sees it.

Deep nesting hangs the server's parser for ever and one huge expression outlives every time-out, on EXPLAIN already;
measured on Neo4j 2026.08. This looks at tokens, not at grammar: what it cannot be sure of it refuses.
"""

from __future__ import annotations

import re

from t2c_core.errors import RefusedError

MAX_CHARS = 10_000
MAX_DEPTH = 50
MAX_OPERATORS = 500
MAX_RANGE = 10_000
FIRST_WORDS = frozenset({"MATCH", "OPTIONAL", "WITH", "UNWIND", "RETURN", "CALL"})
"""What a query may begin with; so no options, no EXPLAIN, no PROFILE, no USE, no SHOW."""

_TOKEN = re.compile(
    r"""
      (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<name>`(?:[^`]|``)*`)
    | (?P<comment>//[^\n\r]*|/\*.*?\*/)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<word>[^\W\d]\w*)
    | (?P<operator>=~|<>|<=|>=|[-+*/%^=<>|&!])
    | (?P<rest>['"`]|/\*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATING_WORDS = frozenset({"AND", "OR", "XOR", "NOT", "CASE", "IN", "CONTAINS", "STARTS", "ENDS", "IS"})
_NESTING_WORDS = frozenset({"NOT", "CASE"})
_RANGE = re.compile(r"\s*\(\s*-?(?P<start>\d{1,9})\s*,\s*-?(?P<end>\d{1,9})\s*(?:,\s*-?\d{1,9}\s*)?\)")


def check_limits(cypher: str) -> None:
    """Pass a query whose text the server can take.

    Raises:
        RefusedError: `limits.length`, `limits.depth`, `limits.operators`, `limits.range`, `limits.regex`,
            `limits.start`, `limits.escape` or `limits.token`.
    """
    if len(cypher) > MAX_CHARS:
        raise _refused("length", f"the query has {len(cypher)} characters; {MAX_CHARS} are allowed")
    if re.search(r"\\u", cypher):
        raise _refused("escape", "Unicode escapes are not allowed; write the characters themselves")
    first = True
    depth = operators = nesting = 0
    for match in _TOKEN.finditer(cypher):
        kind, text = match.lastgroup, match[0]
        if kind == "comment" or text.isspace():
            continue
        word = text.upper() if kind == "word" else ""
        if first and word not in FIRST_WORDS:
            raise _refused(
                "start", f"a query begins with one of {', '.join(sorted(FIRST_WORDS))}, not {text!r}"
            )
        first = False
        depth += (kind == "open") - (kind == "close")
        nesting += word in _NESTING_WORDS
        operators += kind == "operator" or word in _OPERATING_WORDS
        _check_token(cypher, match, word)
        if depth > MAX_DEPTH or nesting > MAX_DEPTH:
            raise _refused("depth", f"brackets, NOT or CASE nest deeper than {MAX_DEPTH}")
        if operators > MAX_OPERATORS:
            raise _refused("operators", f"there are more than {MAX_OPERATORS} operators")
    if first:
        raise _refused("start", "the query is empty")


def _check_token(cypher: str, match: re.Match[str], word: str) -> None:
    if match.lastgroup == "rest" and (match[0] in "'\"`" or match[0] == "/*"):
        raise _refused("token", f"{match[0]} at position {match.start()} is never closed")
    if match[0] == "=~":
        raise _refused(
            "regex", "regular expressions can run without end; use CONTAINS, STARTS WITH or ENDS WITH"
        )
    called = match[0].strip("`").upper() if match.lastgroup == "name" else word
    if called == "RANGE" and cypher[match.end() :].lstrip().startswith(("(", "/")):
        bounds = _RANGE.match(cypher, match.end())
        if bounds is None or max(int(bounds["start"]), int(bounds["end"])) > MAX_RANGE:
            raise _refused("range", f"range() takes two whole numbers up to {MAX_RANGE}")


def _refused(code: str, message: str) -> RefusedError:
    return RefusedError(message, codes=(f"limits.{code}",))
