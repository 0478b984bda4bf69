"""Entity validator: whether question and query have the same values, and whether the graph has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_core.consistency.findings import Finding
from t2c_core.consistency.question_analysis import phrase
from t2c_core.values.normalization import fold, stem, words
from t2c_data.lexicon.identifiers import split_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_core.consistency.query_analysis import Access, QueryAnalysis, ValueComparison
    from t2c_core.consistency.question_analysis import QuestionAnalysis
    from t2c_core.values.index import ValueIndex
    from t2c_core.values.literals import LiteralMention
    from t2c_data.validators.schema_phrases import SchemaPhrases

SAME_START = 5
"""Number of initial letters that two forms of a word share: `hospitalised`, `hospitalization`."""
SHORT_CODE = 3
_SINGLE_LETTERS = {
    "f": ("female", "females", "woman", "women", "girl", "girls"), "m": ("male", "males", "man", "men", "boy", "boys"),
    "y": ("yes",), "n": ("no", "not"),
}  # fmt: skip
"""Words which a value of one letter abbreviates."""
"""Maximum number of letters of an abbreviation."""
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_RANGES = frozenset({"<", "<=", ">", ">="})
_SMALL_NUMBERS = 2
"""Largest number that a question need not state: `more than one`, `any`, `a second`."""


def check_entities(
    question: QuestionAnalysis,
    query: QueryAnalysis,
    known: SchemaPhrases,
    owners: Mapping[str, frozenset[str]],
    index: ValueIndex | None = None,
) -> list[Finding]:
    """Compare the values of a question with those of its query.

    Args:
        question: analysis of the question.
        query: analysis of the query.
        known: phrases of the schema.
        owners: labels or types of the query's variables.
        index: values of the graph; their presence is not checked if None.

    Returns:
        `entity.unasked`: value of the query not in the question. `entity.unused`: value of the question not used by
        the query. `entity.absent`: value of the query not in the graph.
    """
    found = [*_unasked(question, query, known, owners), *_unused(question, query, known)]
    if index is not None:
        found += _absent(query, owners, index)
    return list(dict.fromkeys(found))


def _unasked(
    question: QuestionAnalysis,
    query: QueryAnalysis,
    known: SchemaPhrases,
    owners: Mapping[str, frozenset[str]],
) -> Iterator[Finding]:
    for each in query.comparisons:
        if not each.accesses or isinstance(each.value, bool) or each.value == "":
            continue
        if isinstance(each.value, str):
            named = _names_text(question, each, known, owners)
        else:
            named = _names_number(question, each)
        if not named:
            name = each.accesses[0].property
            yield Finding(
                "entity.unasked", f"{name} is compared with {each.value!r}, which is not in the question"
            )


def _names_text(
    question: QuestionAnalysis,
    each: ValueComparison,
    known: SchemaPhrases,
    owners: Mapping[str, frozenset[str]],
) -> bool:
    value = str(each.value)
    if question.contains(value) or _contains_whole(question.text, value):
        return True
    is_part = each.operator in {"CONTAINS", "STARTS WITH", "ENDS WITH"} and len(value) > 1
    if is_part and value.casefold() in question.text.casefold():
        return True
    if _ISO_DATE.match(value):
        return _names_date(question, value[:10], each.operator)
    for access in each.accesses:
        for owner in owners.get(access.variable, ()):
            if any(
                question.contains(adjective)
                for adjective in known.value_adjectives(owner, access.property, value)
            ):
                return True
    asked = [word.folded for word in words(question.text)]
    parts = [word.folded for word in words(value) if len(word.folded) > SHORT_CODE]
    if not parts:
        return any(_abbreviates(value.lower(), word) for word in asked)
    stems = set(question.stems)
    shared = [part for part in parts if stem(part) in stems or _same_start(part, asked)]
    return 3 * len(shared) >= len(parts) and bool(shared)


def _contains_whole(text: str, value: str) -> bool:
    """Return whether a text contains a value, in any case, as words or, from four letters on, as their beginning."""
    before = r"(?<!\w)" if value[:1].isalnum() and value[0].isascii() else ""
    after = r"(?!\w)" if len(value) <= SHORT_CODE and value[-1:].isalnum() else ""
    return bool(re.search(f"{before}{re.escape(value)}{after}", text, re.IGNORECASE))


def _abbreviates(code: str, word: str) -> bool:
    """Return whether a code abbreviates a word: its letters occur in order, from the first on (`yr`, `years`)."""
    if not 1 < len(code) <= SHORT_CODE or not word or code[0] != word[0]:
        return word in _SINGLE_LETTERS.get(code, ())
    letters = iter(word)
    return all(letter in letters for letter in code)


def _same_start(part: str, asked: list[str]) -> bool:
    return len(part) >= SAME_START and any(word[:SAME_START] == part[:SAME_START] for word in asked)


def _names_date(question: QuestionAnalysis, value: str, operator: str) -> bool:
    """Return whether a question names a date, or a month, quarter or year that begins or ends with it."""
    readings = question.readings
    if any(each.kind == "date" and str(each.value).startswith(value) for each in readings):
        return True
    year = int(value[:4])
    near = {year, year + 1} if operator in {"<", "<="} else {year, year - 1}
    year_named = any(each.kind in {"year", "number"} and each.value in near for each in readings)
    return operator in _RANGES and year_named


def _names_number(question: QuestionAnalysis, each: ValueComparison) -> bool:
    value = float(each.value)
    if abs(value) <= _SMALL_NUMBERS and each.operator in _RANGES:
        return True
    near = {value, value - 1, value + 1} if each.operator in _RANGES else {value}
    if any(_is_number(reading) and float(reading.value) in near for reading in question.readings):
        return True
    for reading in question.readings:
        if reading.kind == "date" and value in {float(part) for part in str(reading.value)[:10].split("-")}:
            return True
    return any(
        number in {f"{each:g}" for each in near} for number in re.findall(r"\d+(?:\.\d+)?", question.text)
    )


def _is_number(reading: LiteralMention) -> bool:
    return isinstance(reading.value, int | float)


def _unused(question: QuestionAnalysis, query: QueryAnalysis, known: SchemaPhrases) -> Iterator[Finding]:
    values = [each.value for each in query.comparisons]
    texts = [fold(str(value)) for value in values if value != ""]
    named = _named(query)
    for ends in question.quoted:
        contents = [fold(end.content) for end in ends]
        used = any(
            content and (content in text or (text in content and 2 * len(text) >= len(content)))
            for content in contents
            for text in texts
        )
        if not used and not any(_is_element(end.content, named, query, known) for end in ends):
            yield Finding("entity.unused", f"{ends[0].content!r} is in the question and not used")
    spans = [(ends[0].start, ends[-1].end) for ends in question.quoted]
    for reading in question.readings:
        if any(start <= reading.start < end for start, end in spans):
            continue
        if not _uses(reading, question, query, texts):
            yield Finding("entity.unused", f"{reading.value!r} is in the question and not used")


def _named(query: QueryAnalysis) -> set[str]:
    """Return the stems of all names in a query: labels, types, properties, aliases."""
    names = {label for labels in query.labels.values() for label in labels}
    names |= {kind for edge in query.edges for kind in edge.types}
    names |= {access.property for access in query.accesses} | {item.name for item in query.items}
    return {each for name in names for each in phrase(split_identifier(name))} | {""}


def _is_element(content: str, named: set[str], query: QueryAnalysis, known: SchemaPhrases) -> bool:
    """Return whether a quoted text names an element of the query, or is another wording of one of its values."""
    stems = phrase(split_identifier(content))
    if stems and (set(stems) <= named or content.casefold() in query.cypher.casefold()):
        return True
    lexicon = known.lexicon
    values = {each.value for each in query.comparisons}
    return lexicon is not None and any(
        fold(content) in map(fold, wordings)
        for held in lexicon.properties.values()
        for value, wordings in held.values.items()
        if value in values or value in {"true", "false"}
    )


def _uses(
    reading: LiteralMention, question: QuestionAnalysis, query: QueryAnalysis, texts: list[str]
) -> bool:
    written = question.text[reading.start : reading.end]
    if not any(letter.isdigit() for letter in written):
        return True  # spelt numbers and months are often no values
    if reading.kind == "date":
        day = str(reading.value)[:10]
        parts = {int(part) for part in day.split("-")}
        whole = {each for each in query.values if isinstance(each, int)}
        return any(day in str(each) for each in query.values) or parts <= whole
    if any(f" {fold(written)} " in f" {text} " for text in texts):
        return True
    value = float(reading.value)
    near = {value, value - 1, value + 1}
    numbers = {float(each) for each in query.values if isinstance(each, int | float)}
    digits = {run for each in query.values for run in re.findall(r"\d+", str(each))}
    return bool(numbers & near) or f"{value:g}" in digits


def _absent(
    query: QueryAnalysis, owners: Mapping[str, frozenset[str]], index: ValueIndex
) -> Iterator[Finding]:
    for each in query.comparisons:
        if not isinstance(each.value, str) or each.operator not in {"=", "IN"} or not each.value:
            continue
        if _ISO_DATE.match(each.value):
            continue
        places = [(owner, access) for access in each.accesses for owner in owners.get(access.variable, ())]
        if places and not any(_held(index, each.value, owner, access) for owner, access in places):
            yield Finding(
                "entity.absent", f"no {each.accesses[0].property} has the value {each.value!r} in this graph"
            )


def _held(index: ValueIndex, value: str, owner: str, access: Access) -> bool:
    return any(
        (hit.label_or_type, hit.property) == (owner, access.property)
        and str(hit.value).casefold() == value.casefold()
        for hit in index.folded(value)
    )
