"""Identifiers in the text of a query: quoting with backticks, and when it is needed."""

import re

_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED = frozenset(
    """
    ALL ALLREDUCE ALLSHORTESTPATHS AND ANY AS ASC ASCENDING BOTH CALL CASE COLLECT CONTAINS COUNT CREATE DELETE DESC
    DESCENDING DETACH DISTINCT DROP ELSE END ENDS EXISTS FALSE FILTER FINISH FOR FOREACH FROM GROUP GROUPS IN INF
    INFINITY INSERT IS LEADING LET LIMIT LOAD MATCH MERGE NAN NEXT NONE NORMALIZE NORMALIZED NOT NULL OFFSET OPTIONAL OR
    ORDER REDUCE REMOVE RETURN SEARCH SET SHORTEST SHORTESTPATH SHOW SINGLE SKIP STARTS TERMINATE THEN TRAILING TRIM
    TRUE TYPED UNION UNWIND USE WHEN WHERE WITH XOR YIELD
    """.split()
)
"""Keywords which may have another meaning where a variable may stand."""
_OPERATORS = frozenset("IS IN NOT NULL TYPED NORMALIZED NFC NFD NFKC NFKD".split())
"""Keywords which may have another meaning where a label, type or property may stand."""


def quote_identifier(name: str) -> str:
    r"""Return any identifier in backticks, so that the server reads exactly that name.

    Backticks are doubled. A backslash becomes its Unicode escape, since the server decodes `\uXXXX` before lexing,
    inside backticks too.
    """
    return "`" + name.replace("\\", "\\u005c").replace("`", "``") + "`"


def format_identifier(name: str) -> str:
    """Return the name of a label, type, property or parameter, in backticks only if needed."""
    return name if _PLAIN.fullmatch(name) and name.upper() not in _OPERATORS else quote_identifier(name)


def format_variable(name: str) -> str:
    """Return the name of a variable, in backticks if it is reserved or not a plain identifier."""
    return name if _PLAIN.fullmatch(name) and name.upper() not in _RESERVED else quote_identifier(name)


def unquote_identifier(text: str) -> str:
    """Return the name which `quote_identifier` or `format_identifier` wrote."""
    return text[1:-1].replace("``", "`").replace("\\u005c", "\\") if text.startswith("`") else text
