"""Limits on a query's text, checked before the server sees it.

The server's parser and planner hang on deep or long constructs, on EXPLAIN already, and one huge expression
outlives every time-out; all limits were measured on Neo4j 2026.08. This looks at tokens, not at grammar: what it
cannot be sure of it refuses.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from t2c_core.errors import RefusedError

MAX_CHARS = 10_000
MAX_DEPTH = 50
MAX_OPERATORS = 500
MAX_OPERATOR_RUN = 4
MAX_ACCESSES = 20
"""Property and element accesses in a row: `a.b[0].c`."""
MAX_HOPS = 15
"""Relationships, and nodes apart, between one WITH and the next; the planner's time doubles with each."""
MAX_RANGE = 10_000
MAX_RANGES = 1_000_000
"""Product of all ranges of a query."""
MAX_LOOPS = 2
"""How deep list comprehensions, reduce() and predicates on lists may nest."""
MAX_WORDS = {
    "WITH": 30,
    "MATCH": 20,
    "OPTIONAL": 10,
    "UNION": 10,
    "UNWIND": 10,
    "NOT": MAX_DEPTH,
    "CASE": MAX_DEPTH,
}
MAX_SUBQUERIES = 3
"""How deep EXISTS, COUNT, COLLECT and CALL {} may nest."""
FIRST_WORDS = frozenset({"MATCH", "OPTIONAL", "WITH", "UNWIND", "RETURN", "CALL"})
"""What a query may begin with; so no options, no EXPLAIN, no PROFILE, no USE, no SHOW."""

_TOKEN = re.compile(
    r"""
      (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<name>`(?:[^`]|``)*`)
    | (?P<blank>\s+|//[^\n\r]*|/\*.*?\*/)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<word>[^\W\d]\w*)
    | (?P<number>\d+)
    | (?P<operator>=~|<>|<=|>=|[-+*/%^=<>|&!])
    | (?P<rest>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATING_WORDS = frozenset({"AND", "OR", "XOR", "NOT", "CASE", "IN", "CONTAINS", "STARTS", "ENDS", "IS"})
_COMPARISONS = frozenset({"=", "<>", "<", ">", "<=", ">="})
_BEFORE_WHOLE = _COMPARISONS | {"WHEN", "THEN", "ELSE", "AND", "OR"}
_AFTER_WHOLE = _COMPARISONS | {"WHEN", "THEN", "ELSE", "AND", "OR", "END"}
"""What stands around a value that is compared, or is one branch's whole result."""
_LOOPING_WORDS = frozenset({"ANY", "ALL", "NONE", "SINGLE", "REDUCE"})
_SUBQUERY_WORDS = frozenset({"EXISTS", "COUNT", "COLLECT", "CALL"})

Kind = Literal["string", "name", "open", "close", "word", "number", "operator", "rest"]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Kind
    text: str
    """Words in capitals, names without back-ticks, everything else as it stands."""
    position: int


_NONE = _Token("rest", "", -1)


def check_limits(cypher: str) -> None:
    """Pass a query whose text the server can take.

    Raises:
        RefusedError: `limits.length`, `limits.escape`, `limits.token`, `limits.start`, `limits.depth`,
            `limits.operators`, `limits.clauses`, `limits.patterns`, `limits.range`, `limits.loops` or
            `limits.regex`.
    """
    if len(cypher) > MAX_CHARS:
        raise _refused("length", f"the query has {len(cypher)} characters; {MAX_CHARS} are allowed")
    if not cypher.isascii() and re.search("[\ud800-\udfff]", cypher):
        raise _refused("token", "half a character (a lone surrogate) cannot be sent")
    if "\\u" in cypher:
        raise _refused("escape", "Unicode escapes are not allowed; write the characters themselves")
    tokens = list(_tokens(cypher))
    first = tokens[0].text if tokens else "nothing"
    if first not in FIRST_WORDS:
        raise _refused("start", f"a query begins with one of {', '.join(sorted(FIRST_WORDS))}, not {first!r}")
    _check_depth(tokens)
    _check_operators(tokens)
    _check_counts(tokens)
    _check_ranges(tokens)
    _check_reduce(tokens)


def _tokens(cypher: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(cypher):
        kind, text = match.lastgroup, match[0]
        if kind == "blank":
            continue
        if kind == "rest" and (text in "'\"`" or cypher.startswith("/*", match.start())):
            raise _refused("token", f"{text} at position {match.start()} is never closed")
        if kind == "operator" and cypher.startswith("/*", match.start()):
            raise _refused("token", f"/* at position {match.start()} is never closed")
        text = text.upper() if kind == "word" else text[1:-1].upper() if kind == "name" else text
        found.append(_Token(kind, text, match.start()))  # type: ignore[arg-type]
    return found


@dataclass(frozen=True, slots=True)
class _Bracket:
    is_loop: bool
    is_subquery: bool
    accesses: int
    """Accesses in a row when it closes."""


def _check_depth(tokens: list[_Token]) -> None:
    """Bound the nesting of brackets, of loops over lists and of subqueries, and chains of accesses."""
    opened: list[_Bracket] = []
    accesses = 0
    before = _NONE
    for place, token in enumerate(tokens):
        if token.kind == "open":
            is_access = token.text == "[" and before.kind in ("word", "name", "close")
            is_subquery = token.text == "{" and before.text in _SUBQUERY_WORDS
            opened.append(_Bracket(_is_loop(tokens, place), is_subquery, accesses + is_access))
            _check_opened(opened)
            accesses = 0
        elif token.kind == "close":
            accesses = opened.pop().accesses if opened else 0
        elif token.text == ".":
            accesses += 1
        elif before.text != ".":
            accesses = 0
        if accesses > MAX_ACCESSES:
            raise _refused("depth", f"there are more than {MAX_ACCESSES} accesses in a row")
        before = token


def _check_opened(opened: list[_Bracket]) -> None:
    if len(opened) > MAX_DEPTH:
        raise _refused("depth", f"brackets nest deeper than {MAX_DEPTH}")
    if sum(each.is_loop for each in opened) > MAX_LOOPS:
        raise _refused("loops", f"loops over lists nest deeper than {MAX_LOOPS}")
    if sum(each.is_subquery for each in opened) > MAX_SUBQUERIES:
        raise _refused("depth", f"subqueries nest deeper than {MAX_SUBQUERIES}")


def _is_loop(tokens: list[_Token], place: int) -> bool:
    before = tokens[place - 1] if place else _NONE
    if tokens[place].text == "(":
        return before.kind in ("word", "name") and before.text in _LOOPING_WORDS
    following = tokens[place + 1 : place + 3]
    is_in = len(following) == 2 and following[1].kind == "word" and following[1].text == "IN"
    return tokens[place].text == "[" and is_in


def _check_operators(tokens: list[_Token]) -> None:
    run = powers = operators = 0
    for token in tokens:
        is_operator = token.kind == "operator"
        run = run + 1 if is_operator else 0
        powers += token.text == "^"
        operators += is_operator or (token.kind == "word" and token.text in _OPERATING_WORDS)
        if token.text == "=~" and is_operator:
            raise _refused(
                "regex", "regular expressions can run without end; use CONTAINS, STARTS WITH or ENDS WITH"
            )
        if operators > MAX_OPERATORS or run > MAX_OPERATOR_RUN or powers > MAX_ACCESSES:
            raise _refused(
                "operators", f"there are more than {MAX_OPERATORS} operators, or too many in a row"
            )


def _check_counts(tokens: list[_Token]) -> None:
    counts = Counter(token.text for token in tokens if token.kind == "word")
    for word, most in MAX_WORDS.items():
        if counts[word] > most:
            raise _refused("clauses", f"{word} occurs {counts[word]} times; {most} are allowed")
    shape = "".join(_shape(token) for token in tokens)
    for part in shape.split(";"):
        patterns = len(re.findall(r"\)<?-[\[-]|,\(_?[:)]", part))
        if patterns > MAX_HOPS:
            raise _refused(
                "patterns", f"{patterns} relationships and nodes are matched at once; {MAX_HOPS} may be"
            )


def _shape(token: _Token) -> str:
    if token.kind == "word" and token.text in ("WITH", "UNION"):
        return ";"
    return token.text if token.kind in ("open", "close", "operator", "rest") else "_"


def _check_ranges(tokens: list[_Token]) -> None:
    """Let ranges go over few numbers, or over the length of a list."""
    product = 1
    for place, token in enumerate(tokens[:-1]):
        if token.text == "RANGE" and token.kind in ("word", "name") and tokens[place + 1].text == "(":
            arguments = _arguments(tokens, place + 1)
            sizes = [_bound(each) for each in arguments]
            if len(sizes) not in (2, 3) or None in sizes or max(filter(None, sizes), default=0) > MAX_RANGE:
                raise _refused("range", f"range() takes whole numbers up to {MAX_RANGE}, or size() of a list")
            product *= max(sizes[0] or 0, sizes[1] or 0) + 1
    if product > MAX_RANGES:
        raise _refused("range", f"the ranges of the query multiply to {product}; {MAX_RANGES} are allowed")


def _bound(tokens: list[_Token]) -> int | None:
    """Give the size of a number or, as 0, of `size(…)` with or without a number taken off; None for all else."""
    texts = [token.text for token in tokens]
    if texts and texts[0] == "-":
        texts = texts[1:]
    if len(texts) == 1 and texts[0].isascii() and texts[0].isdigit():
        return int(texts[0][:10])
    if len(texts) > 3 and texts[:2] == ["SIZE", "("]:
        rest = texts[_closing(tokens, 1) + 1 :]
        if not rest or (len(rest) == 2 and rest[0] == "-" and rest[1].isdigit()):
            return 0
    return None


def _check_reduce(tokens: list[_Token]) -> None:
    """Keep what reduce() gathers from doubling with each step: but in comparisons, a step may use it once."""
    for place, token in enumerate(tokens[:-2]):
        if token.text == "REDUCE" and token.kind in ("word", "name") and tokens[place + 1].text == "(":
            inside = tokens[place + 2 : _closing(tokens, place + 1) + 1]
            start = next((number for number, each in enumerate(inside) if each.text == "|"), len(inside))
            uses = sum(
                each.text == inside[0].text
                and not (before.text in _BEFORE_WHOLE and after.text in _AFTER_WHOLE)
                for before, each, after in zip(
                    inside[start:], inside[start + 1 :], inside[start + 2 :], strict=False
                )
            )
            if uses > 1 or start == len(inside) or any(each.text == "REPLACE" for each in inside):
                raise _refused("loops", "reduce() may use what it gathers only once in each step")


def _arguments(tokens: list[_Token], opening: int) -> list[list[_Token]]:
    """Part what stands between the bracket at `opening` and its closing one at commas."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens[opening + 1 : _closing(tokens, opening)]:
        depth += (token.kind == "open") - (token.kind == "close")
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _closing(tokens: list[_Token], opening: int) -> int:
    depth = 0
    for place in range(opening, len(tokens)):
        depth += (tokens[place].kind == "open") - (tokens[place].kind == "close")
        if not depth:
            return place
    return len(tokens)


def _refused(code: str, message: str) -> RefusedError:
    return RefusedError(message, codes=(f"limits.{code}",))
