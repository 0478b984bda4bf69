"""Verified queries of one graph under one policy: which one answers a question, and with which values.

A question is answered only if it has a wording of a query word by word, and every placeholder a value that is
certain: a value of the parameter's property, a number, a date, a choice, or quoted text. Nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.values.literals import find_literals
from t2c_core.values.normalization import fold
from t2c_service.answering.records import LinkedValue, Occurrence
from t2c_service.answering.verified.wording import SYMBOLS, Wording, tokenize
from t2c_service.errors import QuestionError, UnknownQueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from t2c_core.guard.guard import Guard
    from t2c_core.guard.policy.visibility import Visibility
    from t2c_core.values.index import IndexedValue
    from t2c_core.values.locales import Locale
    from t2c_service.answering.verified.definition import QueryParameter, VerifiedQuery
    from t2c_service.answering.verified.wording import Filling

    Lookup = Callable[[str], tuple[IndexedValue, ...]]
    """Returns the values of the graph that a text names, whatever its case and accents."""

_QUOTED = re.compile(r"(?:\"([^\"]+)\"|'([^']+)'|“([^”]+)”|‘([^’]+)’|«([^»]+)»)")
_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_DAY_OR_MONTH = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d+")
MONTHS = 12
_TRUTH = {"yes": True, "true": True, "no": False, "false": False}


class _UncertainError(Exception):
    """A part of a question is no certain value of a parameter."""


@dataclass(frozen=True, kw_only=True)
class VerifiedMatch:
    """A verified query and the values with which it answers."""

    query: VerifiedQuery
    parameters: dict[str, Any]
    links: tuple[LinkedValue, ...] = ()
    """Parts of the question that became parameters."""


class VerifiedQueries:
    """Verified queries; safe to share between threads.

    Args:
        queries: queries that the guard allows.
        lookup: finds values of the graph.
    """

    def __init__(
        self,
        queries: Iterable[VerifiedQuery] = (),
        lookup: Lookup = lambda _: (),
        *,
        locale: Locale = "en",
    ) -> None:
        self._locale: Locale = locale
        self._queries = {each.name: each for each in queries}
        self._lookup = lookup
        self._wordings = [
            (each, Wording.parse(question)) for each in self._queries.values() for question in each.questions
        ]

    def __iter__(self) -> Iterator[VerifiedQuery]:
        return iter(self._queries.values())

    def __len__(self) -> int:
        return len(self._queries)

    def visible(self, guard: Guard, visibility: Visibility) -> VerifiedQueries:
        """Return those that a principal may run.

        Args:
            guard: guard of the principal's policy.
            visibility: what that policy shows.
        """
        return VerifiedQueries(
            (
                each
                for each in self
                if guard.check(each.cypher).allowed
                and all(
                    visibility.shows_values(*parameter.owner_and_key)
                    for parameter in each.parameters.values()
                    if parameter.owner_and_key
                )
            ),
            self._lookup,
            locale=self._locale,
        )

    def match(self, question: str) -> VerifiedMatch | None:
        """Return the query whose wording a question has, or None if there is none or more than one."""
        tokens = tokenize(question)
        found: dict[str, tuple[int, VerifiedMatch]] = {}
        for query, wording in self._wordings:
            words = sum(each is not None for each in wording.form)
            for fillings in wording.fillings(question, tokens):
                try:
                    match = self._fill(query, fillings)
                except _UncertainError:
                    continue
                key = f"{query.name} {match.parameters}"
                if key not in found or found[key][0] < words:
                    found[key] = (words, match)
        most = max((words for words, _ in found.values()), default=0)
        matches = [match for words, match in found.values() if words == most]
        return matches[0] if len(matches) == 1 else None

    def bind(self, name: str, arguments: Mapping[str, Any]) -> VerifiedMatch:
        """Return a query with the values of a call.

        Args:
            name: name of the query.
            arguments: values by parameter name.

        Raises:
            UnknownQueryError: there is no such query.
            QuestionError: a value is missing, unknown or invalid.
        """
        query = self._queries.get(name)
        if query is None:
            known = ", ".join(sorted(self._queries)) or "none"
            raise UnknownQueryError(f"unknown verified query {name[:80]!r}; available: {known}")
        for given in arguments.keys() - query.parameters.keys():
            raise QuestionError(
                f"unknown parameter {given[:80]!r}; expected: {', '.join(query.parameters) or 'none'}",
                pointer="parameters",
            )
        values = {}
        for key, parameter in query.parameters.items():
            value = arguments.get(key)
            if value is None and parameter.is_required:
                raise QuestionError(f"the parameter {key!r} is required", pointer=f"parameters/{key}")
            try:
                value = parameter.default if value is None else parameter.validate_value(value)
            except ValueError as error:
                raise QuestionError(f"parameter {key!r}: {error}", pointer=f"parameters/{key}") from None
            if parameter.values_of:
                occurrence = self._occurrence(parameter, str(value))
                value = occurrence.value if occurrence else value
            values[key] = value
        return VerifiedMatch(query=query, parameters=values)

    def _fill(self, query: VerifiedQuery, fillings: Mapping[str, Filling]) -> VerifiedMatch:
        """Return the query with the values that a question gives; raise if one is not certain."""
        values = {}
        links = []
        for name, parameter in query.parameters.items():
            filling = fillings.get(name)
            if filling is None:
                values[name] = parameter.default
                continue
            occurrences: tuple[Occurrence, ...] = ()
            if parameter.values_of:
                occurrence = self._occurrence(parameter, filling.text)
                if occurrence is None or SYMBOLS.search(filling.text):
                    raise _UncertainError
                occurrences = (occurrence,)
            values[name] = _value(
                parameter, occurrences[0].value if occurrences else filling.text, self._locale
            )
            links.append(
                LinkedValue(
                    name=name,
                    text=filling.text,
                    start=filling.start,
                    end=filling.end,
                    kind="value" if parameter.type in {"string", "boolean"} else parameter.type,
                    value=values[name],
                    occurrences=occurrences,
                )
            )
        links.sort(key=lambda each: each.start)
        return VerifiedMatch(query=query, parameters=values, links=tuple(links))

    def _occurrence(self, parameter: QueryParameter, text: str) -> Occurrence | None:
        """Return where the parameter's property has a text, with or without an article, if it has one spelling."""
        found = {
            each.value: each
            for each in self._lookup(text)
            if f"{each.label_or_type}.{each.property}" == parameter.values_of and isinstance(each.value, str)
        }
        value = found.get(text) or (next(iter(found.values())) if len(found) == 1 else None)
        if value is None:
            bare = _ARTICLE.sub("", text)
            return self._occurrence(parameter, bare) if bare != text else None
        return Occurrence(
            owner=value.label_or_type, property=value.property, kind=value.entity_type, value=value.value
        )


def _value(parameter: QueryParameter, text: Any, locale: Locale) -> Any:
    """Return the value of a parameter that a part of a question gives; raise if it is not certain."""
    value = text
    if parameter.type == "string" and not (parameter.values_of or parameter.choices):
        quoted = _QUOTED.fullmatch(text)
        value = next(each for each in quoted.groups() if each) if quoted else None
    elif parameter.type == "boolean":
        value = _TRUTH.get(fold(text))
    elif parameter.type != "string":
        value = _literal(text, locale, is_date=parameter.type == "date")
    try:
        return parameter.validate_value(value)
    except ValueError as error:
        raise _UncertainError from error


def _literal(text: str, locale: Locale, *, is_date: bool) -> Any:
    """Return the number or date that a text is, None if it is neither.

    A date whose day and month can be exchanged is not certain, unless the locale says which comes first.
    """
    literals = find_literals(text, locale)
    kinds = {"date"} if is_date else {"number", "year"}
    if len(literals) != 1 or literals[0].kind not in kinds:
        return None
    if (literals[0].start, literals[0].end) != (0, len(text)):
        return None
    parts = _DAY_OR_MONTH.fullmatch(text) if is_date and locale == "en" else None
    if parts and parts[1] != parts[2] and max(int(parts[1]), int(parts[2])) <= MONTHS:
        return None
    return literals[0].value
