"""Names in the text of a query.

Holds no values: these go as parameters, never into the text.
"""

import re

_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WORDS = frozenset(
    """
    ALL ALLREDUCE ALLSHORTESTPATHS AND ANY AS ASC ASCENDING BOTH CALL CASE COLLECT CONTAINS COUNT CREATE DELETE DESC
    DESCENDING DETACH DISTINCT DROP ELSE END ENDS EXISTS FALSE FILTER FINISH FOR FOREACH FROM GROUP GROUPS IN INF
    INFINITY INSERT IS LEADING LET LIMIT LOAD MATCH MERGE NAN NEXT NONE NORMALIZE NORMALIZED NOT NULL OFFSET OPTIONAL OR
    ORDER REDUCE REMOVE RETURN SEARCH SET SHORTEST SHORTESTPATH SHOW SINGLE SKIP STARTS TERMINATE THEN TRAILING TRIM
    TRUE TYPED UNION UNWIND USE WHEN WHERE WITH XOR YIELD
    """.split()
)
"""Words that are read as something else where a variable may stand."""
_OPERATORS = frozenset("IS IN NOT NULL TYPED NORMALIZED NFC NFD NFKC NFKD".split())
"""Words that are read as something else where a label, type or property may stand."""


def quote_identifier(name: str) -> str:
    r"""Write any label, type, property or variable name so that the server reads exactly that name.

    Back-ticks are doubled. A backslash is written as its Unicode escape, since the server decodes `\uXXXX` before
    anything else, in back-ticks too.
    """
    return "`" + name.replace("\\", "\\u005c").replace("`", "``") + "`"


def format_identifier(name: str) -> str:
    """Write the name of a label, type, property or parameter, in back-ticks only if it needs them."""
    return name if _PLAIN.fullmatch(name) and name.upper() not in _OPERATORS else quote_identifier(name)


def unquote_identifier(text: str) -> str:
    """Undo `write_name` or `quote_name`."""
    return text[1:-1].replace("``", "`").replace("\\u005c", "\\") if text.startswith("`") else text


def write_variable(name: str) -> str:
    """Write the name of a variable, in back-ticks if it needs them or is a word of the language."""
    return name if _PLAIN.fullmatch(name) and name.upper() not in _WORDS else quote_identifier(name)
