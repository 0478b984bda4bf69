"""Whether a query answers the question: what the question asks for and the query lacks, and the reverse.

Every content word of the question must name an element of the query, a value, or an operation; every property that the
query compares or returns must be asked for. The words of an element are those of the lexicon and of its name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from t2c_core.consistency.operators import KnownPhrases, check_operators
from t2c_core.consistency.query_analysis import QueryAnalysis
from t2c_core.consistency.question_analysis import QuestionAnalysis
from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.interpretation.words import split_identifier
from t2c_core.values.normalization import fold, stem, words
from t2c_core.values.stopwords import STOPWORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from t2c_core.cypher.ast_nodes import Node
    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType
    from t2c_core.values.linker import LinkedQuestion

Element = tuple[str, ...]
"""`(label or type,)`, or `(label or type, property)`."""

_MARKUP = re.compile(r"\{\w*\}|!unless .*|\bpre:")
_AVERAGE = re.compile(r"\b(?:average|averages|averaged|mean|avg|on average)\b", re.IGNORECASE)
_COUNT = re.compile(r"\bhow many\b|\b(?:number|count|amount) of\b|^count\b", re.IGNORECASE)
_SHARE = re.compile(r"\b(?:percent|percentage|share|proportion|fraction|ratio)\b|%", re.IGNORECASE)
_EXTREME = re.compile(
    r"\b(?:most|least|fewest|highest|lowest|largest|smallest|biggest|greatest|longest|shortest|maximum|minimum|oldest"
    r"|youngest|top|latest|earliest|newest|first|last|best|worst)\b",
    re.IGNORECASE,
)
_EACH = re.compile(
    r"\b(?:for|in|on|of|by|at) (?:each|every)\b|\bgrouped by\b|\bper (?!cent\b|day\b|year\b)", re.IGNORECASE
)
_NOT_BEFORE = re.compile(
    r"\b(?:not|never|except|excluding|without|other than|different from|unlike|n['\u2019]t|no)\b(?:\W+\w+){0,4}\W*$",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"\W*(?:please\W+)?(?:which|what|list|show|name|find|give|get|tell|display)\s+(?:me |all |the |every )*",
    re.IGNORECASE,
)
_CLAUSE_WORDS = frozenset(
    "is are was were do does did has have had of in on for with that who which where by from".split()
)
_FUNCTION_STEMS = frozenset(
    map(
        stem,
        """a an the of for in on at by to from with is are was were be been has have had do does did that which who
        and or not no whose where it its their they this than what how many much""".split(),
    )
)
MAX_MODIFIERS = 4
"""Maximum number of words from `which` to the noun, that one included."""
_QUOTES = "\"'“”‘’"
_DEGREE = re.compile(r"(?P<base>\w{3,}?)(?:i?er|i?est)")
"""Comparatives and superlatives."""
_OPERATION_WORDS = frozenset(
    map(
        stem,
        """ordering sorting ranking counting alphabetically grouping number total sum least most only both same alike
        common none every different separately names thing things kind sort way much long distributed breakdown
        duplicate duplicates repetition broken split situated located anyone person persons one ones""".split(),
    )
)
_GENERAL_STEMS = frozenset(map(stem, STOPWORDS)) | _OPERATION_WORDS


@dataclass(frozen=True)
class QuestionMatch:
    """How a query and a question differ."""

    unknown: tuple[str, ...] = ()
    """Content words of the question that name nothing in the graph."""
    unused: tuple[str, ...] = ()
    """Content words of the question that name only elements which the query does not use."""
    unused_mentions: tuple[str, ...] = ()
    """Names of the question that are linked to a value which the query does not use."""
    unasked: tuple[str, ...] = ()
    """Properties of the query that no word and no value of the question asks for."""
    contradictions: tuple[str, ...] = ()
    """Operations that one of the two has and the other one lacks, in words."""

    def __len__(self) -> int:
        """Return the number of differences."""
        return sum(len(getattr(self, each.name)) for each in fields(self))

    def reasons(self) -> Iterator[str]:
        """Yield the differences as clauses."""
        ignored = (*self.unused_mentions, *self.unused)
        if self.unknown:
            yield f"nothing in this graph is called {_quoted(self.unknown)}"
        if ignored:
            yield f"the query ignores {_quoted(ignored)}, which the question mentions"
        if self.unasked:
            yield f"the query uses {' and '.join(self.unasked)}, which the question does not ask for"
        yield from self.contradictions


class QuestionMatcher:
    """Compares questions about one graph with queries.

    Args:
        schema: schema of the graph.
        lexicon: content of its lexicon file; the names of the schema alone are known without one.
    """

    def __init__(self, schema: GraphSchema, lexicon: Mapping[str, Any] | None = None) -> None:
        self._schema = schema
        self._has_lexicon = bool(lexicon)
        content = lexicon or {}
        self._elements: dict[str, set[Element]] = defaultdict(set)
        """Elements by the stems that name them."""
        labels, types = content.get("labels") or {}, content.get("types") or {}
        properties = content.get("properties") or {}
        self._naming: dict[str, tuple[str, ...]] = {}
        nouns: list[str] = []
        phrases: dict[str, tuple[str, ...]] = {}
        for label in schema.labels:
            entry = labels.get(label.name) or {}
            named_by = (entry.get("display_property"), *(entry.get("naming_properties") or ()))
            self._naming[label.name] = tuple(str(key) for key in named_by if key) or ("name", "title")
            nouns += self._learn((label.name,), entry)
        for kind in schema.types:
            entries = [value for key, value in types.items() if key == kind.name or f"-{kind.name}->" in key]
            phrases[kind.name] = tuple(self._learn((kind.name,), entries))
        self._type_stems = {
            kind.name: frozenset(key for key, held in self._elements.items() if (kind.name,) in held)
            - _FUNCTION_STEMS
            for kind in schema.types
        }
        self._label_stems = self._head_nouns(labels)
        parts: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        for each in parts:
            for own in each.properties:
                entry = (properties.get(each.name) or {}).get(own.name) or {}
                nouns += self._learn((each.name, own.name), entry)
        self._known = KnownPhrases(tuple(nouns), phrases)

    def _learn(self, element: Element, entry: Any) -> list[str]:
        """Note the words of a lexicon entry and of the element's name, and return the former."""
        texts = list(_texts(entry))
        self._elements[_stem(element[-1])].add(element)
        for text in (split_identifier(element[-1]), *texts):
            for each in words(_MARKUP.sub(" ", text)):
                self._elements[_stem(each.folded)].add(element)
                if degree := _DEGREE.fullmatch(each.folded):  # heaviest, heavier: heavy
                    self._elements[_stem(degree["base"])].add(element)
        return texts

    def _head_nouns(self, entries: Mapping[str, Any]) -> dict[str, str | None]:
        """Return labels by the stem of the last word of a noun; None where it may name several."""
        found: dict[str, set[str]] = defaultdict(set)
        for label in self._schema.labels:
            entry = entries.get(label.name) or {}
            nouns = [split_identifier(label.name), *_texts([entry.get("nouns"), entry.get("animate_nouns")])]
            for noun in nouns:
                held = words(noun)
                if held:
                    found[_stem(held[-1].folded)].add(label.name)
        return {key: next(iter(labels)) if len(labels) == 1 else None for key, labels in found.items()}

    def match(self, linked: LinkedQuestion, cypher: str, parameters: Mapping[str, Any]) -> QuestionMatch:
        """Compare a question with a query.

        Args:
            linked: the question with its linked mentions.
            cypher: query of the read-only subset.
            parameters: values of its parameters.
        """
        query = QueryAnalysis(cypher, parameters)
        used = self._used(query)
        values = {str(value).casefold() for value in query.values}
        own = linked.parameters()
        mentions, unused_mentions = [], []
        for each in linked.links:
            texts = {str(own[each.name]), str(each.value), *(str(place.value) for place in each.occurrences)}
            if each.name in parameters or any(text.casefold() in values for text in texts):
                mentions.append(each)
            elif each.is_proper_name or each.kind in {"year", "month", "date"}:
                unused_mentions.append(each.text)
        unknown, unused = [], []
        named: set[Element] = {
            (place.label_or_type, place.property) for each in mentions for place in each.occurrences
        }
        is_linked = [
            (each.start, each.end) for each in linked.links if each in mentions or each.is_proper_name
        ]
        for word in words(linked.question):
            key = _stem(word.folded)
            elements = self._elements.get(key, set())
            if any(start <= word.start < end for start, end in is_linked):
                continue
            named |= elements & used
            if key in _GENERAL_STEMS or word.folded in STOPWORDS or word.folded.isdigit() or len(key) < 3:
                continue
            if not elements and self._has_lexicon:
                unknown.append(word.folded)
            elif elements and not elements & used:
                unused.append(word.folded)
        return QuestionMatch(
            unknown=tuple(dict.fromkeys(unknown)),
            unused=tuple(dict.fromkeys(unused)),
            unused_mentions=tuple(unused_mentions),
            unasked=tuple(self._unasked(query, named)),
            contradictions=(
                *self._contradictions(QuestionAnalysis(linked.question, linked.locale), query, used),
                *self._other_relationships(linked, query),
                *self._other_results(linked, query),
                *_negated_values(linked, query, parameters),
            ),
        )

    def _other_relationships(self, linked: LinkedQuestion, query: QueryAnalysis) -> Iterator[str]:
        """Yield types that are named and not used, where one that is not named joins the same labels."""
        said = {_stem(word.folded) for word in words(linked.question)} - _FUNCTION_STEMS
        used = {name for edge in query.edges for name in edge.types}
        ends = {(each.source, each.target): set[str]() for each in self._schema.triples}
        for each in self._schema.triples:
            ends[each.source, each.target].add(each.type)
        for kind in sorted(used):
            if self._type_stems.get(kind, frozenset()) & said:
                continue
            rivals = set().union(*(types for types in ends.values() if kind in types)) - used
            shared = self._type_stems.get(kind, frozenset())
            for rival in sorted(rivals):
                if (self._type_stems[rival] - shared) & said:
                    yield f"{rival} is asked for; the query follows {kind}"

    def _other_results(self, linked: LinkedQuestion, query: QueryAnalysis) -> Iterator[str]:
        """Yield results that cannot be asked for: what the question gives, or nothing of what it asks for."""
        plain = [item for item in query.items if not item.aggregate]
        if not plain or len(plain) < len(query.items) or query.returns_elements:
            return
        returned = {access for item in plain for access in item.accesses}
        fixed = {
            each.accesses[0]
            for each in query.comparisons
            if each.operator == "=" and not each.negated and len(each.accesses) == 1 and not each.computed
        }
        if returned and returned <= fixed and all(isinstance(item.expression, t.Property) for item in plain):
            yield "the query returns only what the question gives"
        owners = _owners(query)
        labels = {owner for access in returned for owner in owners.get(access.variable, ())}
        asked = self.asked_label(linked.question)
        if asked and labels and asked not in labels:
            yield f"{asked} is asked for; the query returns no property of it"

    def asked_label(self, question: str) -> str | None:
        """Return the label whose noun follows `which`, `list` and the like in the same clause."""
        found = _ASKING.match(question)
        for word in words(question[found.end() :])[:MAX_MODIFIERS] if found else ():
            key = _stem(word.folded)
            if key in self._label_stems:
                return self._label_stems[key]
            if word.folded in _CLAUSE_WORDS or any(key in stems for stems in self._type_stems.values()):
                return None
        return None

    def _used(self, query: QueryAnalysis) -> set[Element]:
        owners = _owners(query)
        names = {name for held in owners.values() for name in held}
        used: set[Element] = {(name,) for name in names}
        for access in query.accesses:
            used |= {(owner, access.property) for owner in owners.get(access.variable, ())}
        for name in names:  # a node stands for its name
            used |= {(name, key) for key in self._naming.get(name, ())}
        return used

    def _unasked(self, query: QueryAnalysis, named: set[Element]) -> Iterator[str]:
        owners = _owners(query)
        seen: set[Element] = set()
        for access in query.accesses:
            for owner in owners.get(access.variable, ()):
                element = (owner, access.property)
                if element in seen or element in named or access.property in self._naming.get(owner, ()):
                    continue
                seen.add(element)
                yield f"{owner}.{access.property}"

    def _contradictions(
        self, question: QuestionAnalysis, query: QueryAnalysis, used: set[Element]
    ) -> Iterator[str]:
        for finding in check_operators(question, query, self._schema, self._known):
            yield finding.detail
        text = question.bare
        functions = query.functions
        if _AVERAGE.search(text) and not query.averages:
            yield "an average is asked for; the query computes none"
        if query.averages and not _AVERAGE.search(text):
            yield "the query computes an average that is not asked for"
        counts = functions & {"count", "size", "sum"}
        reads_number = any(len(each) > 1 for each in self._elements[_stem("number")] & used)
        if _COUNT.search(text) and not counts and not reads_number and not functions & {"min", "max", "avg"}:
            yield "a count is asked for; the query computes none"
        if _SHARE.search(text) and "count" not in functions:
            yield "a share is asked for; the query computes none"
        single = len(query.items) == 1 and query.items[0].aggregate and not query.order
        if single and _EACH.search(text) and "count" not in _nested_functions(query):
            yield "a value for each group is asked for; the query returns one value"
        orders = bool(query.order) or bool(functions & {"min", "max"})
        if orders and query.has_limit and not _EXTREME.search(text) and not _has_superlative(text):
            yield "the query takes an extreme that is not asked for"


_NO_WORDS = frozenset(
    {"kind", "display_property", "naming_properties", "key", "name", "is_default", "assumed", "hidden"}
)
"""Fields of lexicon entries that hold no words."""


def _quoted(texts: Iterable[str]) -> str:
    return " and ".join(f"“{text.strip(_QUOTES)}”" for text in texts)


def _texts(content: Any) -> Iterator[str]:
    match content:
        case str():
            yield from content.split("|")
        case dict():
            for key, value in content.items():
                if key not in _NO_WORDS:
                    yield from _texts(value)
        case list():
            for each in content:
                yield from _texts(each)


def _owners(query: QueryAnalysis) -> dict[str, set[str]]:
    """Return labels or types by variable."""
    owners: dict[str, set[str]] = {name: set(held) for name, held in query.labels.items()}
    for edge in query.edges:
        owners.setdefault(edge.variable, set()).update(edge.types)
    for later, earlier in query.variables.items():
        owners.setdefault(later, set()).update(owners.get(earlier, ()))
    return owners


def _negated_values(
    linked: LinkedQuestion, query: QueryAnalysis, parameters: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the values that only one of question and query excludes."""
    for each in linked.links:
        value = parameters.get(each.name)
        compared = [
            found for found in query.comparisons if found.value == value and found.operator in {"=", "<>"}
        ]
        if not isinstance(value, str) or not compared:
            continue
        excludes = any((found.operator == "<>") != found.negated for found in compared)
        asked = bool(_NOT_BEFORE.search(linked.question[: each.start]))
        if asked and not excludes and not query.negates:
            yield f"{each.text} is excluded; the query requires it"
        if (
            excludes
            and not asked
            and not re.search(r"\bother\b|\bbut\b|\bnon", linked.question, re.IGNORECASE)
        ):
            yield f"the query excludes {each.text}; the question does not"


def _nested_functions(query: QueryAnalysis) -> frozenset[str]:
    """Return the functions inside the aggregates of the result."""
    nodes = [
        node
        for item in query.items
        for node in walk(cast("Node", item.expression))
        if isinstance(node, t.SubqueryExpression)
    ]
    return frozenset(node.kind.lower() for node in nodes)


def _has_superlative(text: str) -> bool:
    return re.search(r"\b\w{3,}est\b", text, re.IGNORECASE) is not None


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return stem(fold(word).replace(" ", ""))
