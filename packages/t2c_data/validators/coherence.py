"""Coherence validator: whether the result has the form that the question asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_core.consistency.findings import Finding
from t2c_core.consistency.question_analysis import phrase
from t2c_core.cypher.ast_nodes import Comparison
from t2c_data.lexicon.identifiers import split_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.consistency.query_analysis import QueryAnalysis
    from t2c_core.consistency.question_analysis import QuestionAnalysis
    from t2c_data.validators.execution import ExecutionEvidence
    from t2c_data.validators.schema_phrases import SchemaPhrases

_COUNT = re.compile(r"^\W*(how many|count)\b|\b(how many|(the|total) (number|count) of)\b", re.IGNORECASE)
_AVERAGE = re.compile(r"\b(average|mean|avg)\b", re.IGNORECASE)
_GROUP = re.compile(r"\bfor each\b|\bgrouped by\b|\bper each\b", re.IGNORECASE)
_TOP = re.compile(r"\btop (\d+|two|three|five|ten)\b", re.IGNORECASE)
_UNIQUE = re.compile(r"\b(distinct|unique|different)\b", re.IGNORECASE)
_RETURN = re.compile(
    r"(?:^|[.;,]\s*(?:and\s+)?|\band\s+)(?:then\s+)?(?:return|list|show|display|provide)\s+([^.;?]*)",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:where|that|which|who|whose|with|having|between|for (?:each|every)|grouped by|more than)\b",
    re.IGNORECASE,
)
"""Words behind which a list of what is asked for goes over into conditions."""
_NUMBER_OF = re.compile(r"\b(?:numbers?|counts?) of\b|\bper\b", re.IGNORECASE)
_ALSO = re.compile(
    r"[.;,]\s*(?:also|additionally|and also|in addition)\b,?\s*(?:\w+\s+)?"
    r"(?:find|retrieve|return|identify|list|show|get|provide)",
    re.IGNORECASE,
)
_FIND = re.compile(
    r"^\W*(find|retrieve|identify|list|get|show|return)\s+(all\s+|the\s+|distinct\s+)*(?P<what>\w+)",
    re.IGNORECASE,
)


def check_coherence(
    question: QuestionAnalysis, query: QueryAnalysis, known: SchemaPhrases, evidence: ExecutionEvidence
) -> list[Finding]:
    """Compare what a question asks for with what the query returns.

    Args:
        question: analysis of the question.
        query: analysis of the query.
        known: phrases of the schema.
        evidence: rows of the query.

    Returns:
        `coherence.count`, `coherence.average`: an aggregate is asked for and not computed. `coherence.group`: an
        aggregate per group is asked for, and one column is returned. `coherence.top`: the top k are asked for without
        ORDER BY and LIMIT. `coherence.order`: LIMIT without ORDER BY. `coherence.missing`: a property that is asked
        for is not returned. `coherence.duplicates`: distinct results are asked for, and rows repeat.
        `coherence.empty`, `coherence.null`, `coherence.zero`: the answer has no row, only nulls, or is 0.
    """
    found = [*_aggregates(question, query, known), *_missing(question, query, known)]
    if query.limit is not None and not (query.order or query.functions & {"min", "max"}):
        found.append(Finding("coherence.order", "LIMIT without ORDER BY"))
    if evidence.ran:
        found += _rows(question, query, evidence)
    return list(dict.fromkeys(found))


def _aggregates(question: QuestionAnalysis, query: QueryAnalysis, known: SchemaPhrases) -> Iterator[Finding]:
    text = question.bare
    counts = query.functions & {"count", "size", "sum"}
    if _COUNT.search(text) and not counts and not _names_number(question, query, known):
        yield Finding("coherence.count", "a count is asked for; the query computes none")
    if _AVERAGE.search(text) and not query.averages:
        yield Finding("coherence.average", "an average is asked for; the query computes none")
    if _GROUP.search(text) and len(query.items) == 1 and query.items[0].aggregate:
        yield Finding("coherence.group", "an aggregate per group is asked for; the query returns one column")
    if _TOP.search(text) and not (query.has_limit and query.order):
        yield Finding("coherence.top", "the top results are asked for; the query lacks ORDER BY or LIMIT")


def _names_number(question: QuestionAnalysis, query: QueryAnalysis, known: SchemaPhrases) -> bool:
    """Return whether the count is a property that the query reads: `number of beds`, `how many kilograms`."""
    read = {access.property for access in query.accesses}
    keys = [key for key in known.properties if key[1] in read]
    named = any(
        "of" in each and question.names(each, quoted=False) for key in keys for each in known.properties[key]
    )
    units = {unit for key in keys for unit in known.units[key]}
    return named or any(
        re.search(rf"\bhow many {re.escape(unit)}\b", question.bare, re.IGNORECASE) for unit in units
    )


def _missing(question: QuestionAnalysis, query: QueryAnalysis, known: SchemaPhrases) -> Iterator[Finding]:
    if not query.items or (query.result and query.result.star):
        return
    wanted = _RETURN.findall(question.bare)
    find = _FIND.match(question.bare)
    single = len(query.items) == 1 and not query.items[0].aggregate
    if single and not wanted and find and _ALSO.search(question.bare) and query.items[0].accesses:
        yield Finding(
            "coherence.missing",
            f"{find['what']} and something else are asked for; the query returns one column",
        )
    if len(wanted) != 1 or question.bare.lower().startswith("return"):
        return
    returned = {access.property for item in query.items for access in item.accesses}
    returned_phrases = {phrases for key, phrases in known.properties.items() if key[1] in returned}
    satisfied = {each for phrases in returned_phrases for each in phrases}
    for item in query.items:
        for access in item.accesses:
            for label in query.labels.get(access.variable, ()):
                satisfied |= known.labels.get(label, frozenset())
    columns = [phrase(split_identifier(item.name)) for item in query.items]
    for part in re.split(r",|\band\b", _CONDITION.split(wanted[0])[0]):
        if _NUMBER_OF.search(part):
            continue
        asked = phrase(re.split(r"\b(?:for|of|in|where|that|who|with|from|by|as|to)\b", part)[0])
        name = next(
            (
                name
                for (_, name), phrases in known.properties.items()
                if name not in returned and any(each == asked[-len(each) :] for each in phrases)
            ),
            "",
        )
        answered = any(each == asked[-len(each) :] for each in satisfied if asked)
        if (
            name
            and not answered
            and not any(set(phrase(split_identifier(name))) <= set(each) for each in columns)
        ):
            yield Finding("coherence.missing", f"{name} is asked for and not returned")


def _rows(question: QuestionAnalysis, query: QueryAnalysis, evidence: ExecutionEvidence) -> Iterator[Finding]:
    rows = evidence.rows
    if not rows:
        yield Finding("coherence.empty", "the answer has no row")
    elif all(cell is None or cell == [] for row in rows for cell in row):
        yield Finding("coherence.null", "the answer has only nulls")
    elif (
        rows == ((0,),)
        and rows[0][0] is not False
        and not any(isinstance(item.expression, Comparison) for item in query.items)
    ):
        yield Finding("coherence.zero", "the answer is 0")
    shown = [repr(row) for row in rows]
    plain = not any(item.aggregate for item in query.items)
    if plain and len(set(shown)) < len(shown) and _UNIQUE.search(question.bare):
        yield Finding("coherence.duplicates", "distinct results are asked for; rows repeat")
