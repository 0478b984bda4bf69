"""Strings that hold numbers, dates or times of day: how they are recognised, read, and compared in queries."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.cypher.literals import write_string

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from t2c_core.schema.model import Property, Scalar, TextFormat

MISSING = frozenset(
    {"", "NULL", "null", "N/A", "n/a", "NA", "None", "none", "unknown", "Unknown", "-", "--", "?"}
)
"""Strings that stand for an absent value."""
MISSING_TEXT = MISSING - {"NA", "None", "none", "unknown", "Unknown"}
"""Those of them that are no text of their own, as `unknown` of a category is."""
MIN_DISTINCT = 2
"""A property with fewer distinct values is not recognised."""
_NO_QUANTITY = re.compile(
    r"(?:^|_|(?<=[a-z])(?=[A-Z]))(?i:id|code|number|no|nr|key|phone|fax|zip|isbn|issn|ssn|sku|version|via|type|class|status|flag|category)$"
    r"|(?i:phone|zip|postal|postcode)"
)
"""Names of properties whose digits are no quantity."""
_CLOCK = r"(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_PATTERNS: dict[TextFormat, re.Pattern[str]] = {
    "INTEGER": re.compile(r"-?(?:0|[1-9]\d{0,14})"),
    "FLOAT": re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d+)?"),
    "YYYY-MM-DD": re.compile(rf"(?P<y>\d{{4}})-(?P<m>\d{{2}})-(?P<d>\d{{2}}){_CLOCK}"),
    "YYYY/MM/DD": re.compile(rf"(?P<y>\d{{4}})/(?P<m>\d{{2}})/(?P<d>\d{{2}}){_CLOCK}"),
    "DD/MM/YYYY": re.compile(rf"(?P<d>\d{{2}})/(?P<m>\d{{2}})/(?P<y>\d{{4}}){_CLOCK}"),
    "MM/DD/YYYY": re.compile(rf"(?P<m>\d{{2}})/(?P<d>\d{{2}})/(?P<y>\d{{4}}){_CLOCK}"),
    "DD.MM.YYYY": re.compile(rf"(?P<d>\d{{2}})\.(?P<m>\d{{2}})\.(?P<y>\d{{4}}){_CLOCK}"),
    "HH:MM": re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d"),
    "HH:MM:SS": re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"),
}
_EXPRESSIONS = {
    "INTEGER": "toInteger({})",
    "FLOAT": "toFloat({})",
    "YYYY-MM-DD": "date(left({}, 10))",
    "YYYY/MM/DD": "date(replace(left({}, 10), '/', '-'))",
    "DD/MM/YYYY": "date(substring({}, 6, 4) + '-' + substring({}, 3, 2) + '-' + substring({}, 0, 2))",
    "MM/DD/YYYY": "date(substring({}, 6, 4) + '-' + substring({}, 0, 2) + '-' + substring({}, 3, 2))",
    "DD.MM.YYYY": "date(substring({}, 6, 4) + '-' + substring({}, 3, 2) + '-' + substring({}, 0, 2))",
}
CASTS = frozenset(_EXPRESSIONS)
"""Formats whose strings are cast in queries; times of day are in order as they are."""
_NAME = r"(?:`(?:[^`]|``)*`|[A-Za-z_]\w*)"
_VALUE = rf"(?:nullIf\()?({_NAME}\.{_NAME})(?:, '[^']*'\))?"
_CAST = re.compile(
    "|".join(
        (
            *(re.escape(each).replace(r"\{\}", _VALUE) for each in dict.fromkeys(_EXPRESSIONS.values())),
            rf"nullIf\(({_NAME}\.{_NAME}), '[^']*'\)",
        )
    )
)
_MONTHS_FIRST = frozenset({"DD/MM/YYYY", "MM/DD/YYYY"})


def find_text_format(name: str, values: Collection[str]) -> tuple[TextFormat | None, str | None]:
    """Return what the strings of a property hold if it is not text, and the string for an absent value.

    Every value has to be of the format; numbers with leading zeros, and codes and phone numbers by their names, are
    text. Dates that could be read with the day or the month first are text too.
    """
    missing = sorted(MISSING.intersection(values))
    held = [each for each in values if each not in MISSING]
    if len(held) < MIN_DISTINCT or len(missing) > 1:
        return None, None
    fits = [each for each in _PATTERNS if all(_reads(one, each) for one in held)]
    is_text = (
        not fits
        or set(fits) >= _MONTHS_FIRST
        or (fits[0] in {"INTEGER", "FLOAT"} and _NO_QUANTITY.search(name) is not None)
        or (bool(missing) and fits[0] in {"DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY"})
    )
    if is_text:
        return None, missing[0] if missing and missing[0] in MISSING_TEXT else None
    return fits[0], missing[0] if missing else None


def parse_text(text: str, held: Property) -> Scalar | None:
    """Return the value that a string of a property holds; dates are ISO 8601 text, None is an absent value."""
    if text == held.missing_text:
        return None
    if held.text_format is None:
        return text
    if not _reads(text, held.text_format):
        return None
    if held.text_format == "INTEGER":
        return int(text)
    if held.text_format == "FLOAT":
        return float(text)
    day = _date(text, held.text_format)
    return day.isoformat() if day else text


def typed_expression(variable: str, held: Property) -> str:
    """Return the Cypher expression of what a property holds, for comparisons, aggregates and orders.

    Args:
        variable: variable of the node or relationship.
        held: the property; one that is no text in disguise, and has no string for an absent value, is accessed as it
            is.
    """
    access = f"{variable}.{format_identifier(held.name)}"
    template = _EXPRESSIONS.get(held.text_format or "", "{}")
    if held.missing_text is not None and template.startswith(("date(", "{")):
        return template.format(f"nullIf({access}, {write_string(held.missing_text)})")
    return template.format(*[access] * template.count("{}"))


def is_ordered_as_text(held: Property) -> bool:
    """Return whether the strings of a property sort like what they hold, so that extremes and orders need no cast."""
    return held.text_format not in CASTS or (
        held.text_format in {"YYYY-MM-DD", "YYYY/MM/DD"} and held.missing_text is None
    )


def without_casts(cypher: str) -> str:
    """Replace the expressions of `typed_expression` by the accesses of their properties."""
    return _CAST.sub(lambda found: next(filter(None, found.groups())), cypher)


def _reads(text: str, found: TextFormat) -> bool:
    if not _PATTERNS[found].fullmatch(text):
        return False
    return "Y" not in found or _date(text, found) is not None


def _date(text: str, found: TextFormat) -> date | None:
    match = _PATTERNS[found].fullmatch(text)
    if match is None or "y" not in match.re.groupindex:
        return None
    try:
        return date(int(match["y"]), int(match["m"]), int(match["d"]))
    except ValueError:
        return None


def strings_of(values: Iterable[tuple[str, object]]) -> list[str]:
    """Return the strings among typed values; empty if there are others."""
    found = list(values)
    return [str(each) for kind, each in found] if all(kind == "STRING" for kind, _ in found) else []
