"""Operator checks: comparison operators, negation, sort directions, aggregates and limits of question and query."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from t2c_core.consistency.findings import Finding
from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_core.consistency.query_analysis import QueryAnalysis, ValueComparison
    from t2c_core.consistency.question_analysis import QuestionAnalysis
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.literals import LiteralMention

Direction = Literal["high", "low"]

_BEFORE_VALUE = {
    ">": r"(?:older|more|greater|higher|larger|longer|bigger) than|over|above|exceeding|after",
    "<": r"(?:younger|less|fewer|lower|smaller|shorter) than|under|below|before",
    ">=": r"at least|no (?:less|fewer) than|not (?:younger|less) than",
    "<=": r"at most|no (?:more|longer|older) than|not (?:older|more) than|up to",
}
_AFTER_VALUE = {
    ">=": r"(?:years?(?: old)?\s+)?(?:or (?:older|more|over|above|greater|higher)|and (?:older|above))",
    "<=": r"(?:years?(?: old)?\s+)?(?:or (?:younger|less|fewer|under|below|lower)|and younger)",
}
_BEFORE = {sign: re.compile(rf"\b(?:{words})\s+$", re.IGNORECASE) for sign, words in _BEFORE_VALUE.items()}
_AFTER = {sign: re.compile(rf"\s+(?:{words})\b", re.IGNORECASE) for sign, words in _AFTER_VALUE.items()}
_RANGE = re.compile("|".join(_BEFORE_VALUE.values()), re.IGNORECASE)
_NEGATED = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "=": "<>", "<>": "="}

_NEGATION = re.compile(r"\b(?:not|never|without|excluding|except|no(?!\.))\b|n['’]t\b", re.IGNORECASE)
_NO_NEGATION = re.compile(
    r"\bnot only\b|\bor not\b|\b(?:no|without) (?:any )?(?:matter|duplicates?|repeats?|repetitions?)\b",
    re.IGNORECASE,
)
_MAY_NEGATE = re.compile(
    r"\b(?:other|others|else|different|only|exclusively|just|missing|lack\w*|none|nor|neither|outside|all|every|each"
    r"|un\w+|in\w+|non\w*|exclud\w*|but|rest|remaining|avoid\w*|rather|instead|absent|empty|free)\b",
    re.IGNORECASE,
)
_HIGH = r"highest|largest|biggest|greatest|longest|maximum|latest|newest|(?<!at )most"
_LOW = r"lowest|smallest|shortest|minimum|fewest|earliest|(?<!at )least"
_SUPERLATIVES: dict[Direction, re.Pattern[str]] = {
    "high": re.compile(rf"\b(?:{_HIGH}|descending)\b(?! of\b)", re.IGNORECASE),
    "low": re.compile(rf"\b(?:{_LOW}|ascending)\b", re.IGNORECASE),
}
_AGE = {"oldest": "high", "youngest": "low"}
_AGE_WORD = re.compile(r"\b(oldest|youngest)\b", re.IGNORECASE)
_TOTAL = re.compile(r"\btotal (?!number|count|of\b)|\bsum of\b", re.IGNORECASE)
_AVERAGE = re.compile(r"\b(?:average|mean)\b", re.IGNORECASE)
_SORTED = re.compile(r"\b(?:ascending|descending)\b", re.IGNORECASE)
_TEMPORAL = re.compile(r"date|birth|born|year|time|opened|created|founded", re.IGNORECASE)
_BEFORE_COUNT = re.compile(r"\b(?:top|first|limit(?:ed)? to)\s+$", re.IGNORECASE)
_AFTER_COUNT = re.compile(rf"\s+(?:{_HIGH}|{_LOW}|oldest|youngest)\b", re.IGNORECASE)


@dataclass(frozen=True)
class KnownPhrases:
    """Phrases of a graph that may hold a word of negation and negate nothing."""

    nouns: tuple[str, ...] = ()
    """Nouns of labels and properties: `no-fly list`."""
    relationships: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Phrases by relationship type: `that does not go with {}`."""


def check_operators(
    question: QuestionAnalysis, query: QueryAnalysis, schema: GraphSchema, known: KnownPhrases
) -> list[Finding]:
    """Compare the comparisons, negations, superlatives and limits of a question with those of its query.

    Args:
        question: analysis of the question.
        query: analysis of the query.
        schema: schema of the graph.
        known: phrases of the graph.

    Returns:
        `semantic.comparison`: a value is compared by another operator than the question's. `semantic.negation`: only
        one of question and query negates. `semantic.order`: the query sorts or aggregates in the opposite direction.
        `semantic.aggregate`: a total is asked for and another aggregate computed. `coherence.limit`: the query
        returns another number of rows than asked for.
    """
    found = [
        *_comparisons(question, query), *_negations(question, query, known), *_directions(question, query, schema),
        *_limits(question, query),
    ]  # fmt: skip
    computes_other = query.functions & {"avg", "min", "max"} and not query.functions & {
        "sum",
        "count",
        "size",
    }
    if computes_other and _TOTAL.search(question.bare) and not _AVERAGE.search(question.bare):
        found.append(Finding("semantic.aggregate", "a total is asked for; the query computes none"))
    return list(dict.fromkeys(found))


def _comparisons(question: QuestionAnalysis, query: QueryAnalysis) -> Iterator[Finding]:
    for mention in question.readings:
        wanted = _wanted_operator(question.text, mention)
        if wanted is None or mention.kind not in {"number", "date"}:
            continue
        compared = [each for each in query.comparisons if _is_about(each, mention)]
        if compared and not any(_agrees(each, wanted, mention) for each in compared):
            signs = ", ".join(dict.fromkeys(_effective(each) for each in compared))
            yield Finding(
                "semantic.comparison", f"{wanted} {mention.value} is asked for; the query compares by {signs}"
            )


def _wanted_operator(text: str, mention: LiteralMention) -> str | None:
    after = (sign for sign, pattern in _AFTER.items() if pattern.match(text, mention.end))
    # Longer phrases come last: "not older than" contains "older than".
    before = (sign for sign, pattern in reversed(_BEFORE.items()) if pattern.search(text[: mention.start]))
    return next(after, None) or next(before, None)


def _is_about(each: ValueComparison, mention: LiteralMention) -> bool:
    if each.operator not in _NEGATED:
        return False
    if isinstance(each.value, str):
        return mention.kind == "date" and each.value[:10] == str(mention.value)[:10]
    return each.value == mention.value and not each.computed


def _effective(each: ValueComparison) -> str:
    return _NEGATED[each.operator] if each.negated else each.operator


def _agrees(each: ValueComparison, wanted: str, mention: LiteralMention) -> bool:
    sign = _effective(each)
    if isinstance(each.value, str) or not isinstance(mention.value, int | float):
        return sign[0] == wanted[0]
    return sign == wanted


def _negations(question: QuestionAnalysis, query: QueryAnalysis, known: KnownPhrases) -> Iterator[Finding]:
    used = {name for edge in query.edges for name in edge.types}
    if any(_NEGATION.search(phrase) for name in used for phrase in known.relationships.get(name, ())):
        return  # a phrase such as "that does not go with {}" states the relationship
    text = question.bare
    for value in query.values:
        if isinstance(value, str) and len(value) > 1:
            text = _without(text, value)
    if _NEGATION.search(text):
        for noun in sorted(filter(_NEGATION.search, known.nouns), key=len, reverse=True):
            text = _without(text, noun)
    text = _NO_NEGATION.sub(" ", _RANGE.sub(" ", text))
    asked = bool(_NEGATION.search(text))
    if asked and not query.negates and not query.is_lenient_negation:
        yield Finding("semantic.negation", "the question negates; the query does not")
    if query.negates and not asked and not _MAY_NEGATE.search(text):
        yield Finding("semantic.negation", "the query negates; the question does not")


def _without(text: str, words: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(words)}(?!\w)", " ", text, flags=re.IGNORECASE)


def _directions(question: QuestionAnalysis, query: QueryAnalysis, schema: GraphSchema) -> Iterator[Finding]:
    asked: set[Direction] = {side for side, pattern in _SUPERLATIVES.items() if pattern.search(question.bare)}
    age = {word.lower() for word in _AGE_WORD.findall(question.bare)}
    ordered = query.order[0] if query.order else None
    keys = list(walk(query.resolved(ordered.expression))) if ordered else []
    properties = {node.key for node in keys if isinstance(node, t.Property)}
    if not ordered:
        properties = {access.property for item in query.items for access in item.accesses}
    is_temporal = any(_is_temporal(name, schema) for name in properties)
    for word in age:
        side = _AGE[word]
        asked.add(side if not is_temporal else "low" if side == "high" else "high")  # type: ignore[arg-type]
    if re.search(r"\bmost recent(?:ly)?\b", question.bare, re.IGNORECASE) and not is_temporal:
        return
    if len(asked) != 1:
        return
    used: set[Direction] = set()
    if ordered and (query.has_limit or _SORTED.search(question.bare)):
        used.add("high" if ordered.descending else "low")
    used |= {side for side, name in (("high", "max"), ("low", "min")) if name in query.functions}  # type: ignore[misc]
    (side,) = asked
    if used and side not in used:
        opposite = "lowest" if side == "high" else "highest"
        yield Finding("semantic.order", f"the {side}est is asked for; the query takes the {opposite}")


def _is_temporal(name: str, schema: GraphSchema) -> bool:
    held = [each for label in schema.labels for each in label.properties if each.name == name]
    return bool(_TEMPORAL.search(name)) or any("DATE" in each.type or "TIME" in each.type for each in held)


def _limits(question: QuestionAnalysis, query: QueryAnalysis) -> Iterator[Finding]:
    for mention in question.readings:
        is_count = _BEFORE_COUNT.search(question.text[: mention.start]) or _AFTER_COUNT.match(
            question.text, mention.end
        )
        if mention.kind != "number" or not is_count or not isinstance(query.limit, int):
            continue
        if mention.value not in query.limits:
            yield Finding(
                "coherence.limit", f"{mention.value} rows are asked for; the limit is {query.limit}"
            )
