"""Semantic validator: whether the query uses the schema elements that the question names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.consistency.findings import Finding
from t2c_core.consistency.query_analysis import Access
from t2c_core.consistency.question_analysis import phrase
from t2c_core.values.normalization import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_core.consistency.query_analysis import QueryAnalysis
    from t2c_core.consistency.question_analysis import Phrase, QuestionAnalysis
    from t2c_core.values.index import ValueIndex
    from t2c_data.validators.schema_phrases import SchemaPhrases


def check_semantics(
    question: QuestionAnalysis,
    query: QueryAnalysis,
    known: SchemaPhrases,
    owners: Mapping[str, frozenset[str]],
    index: ValueIndex | None = None,
) -> list[Finding]:
    """Compare the elements that a question names with those that its query uses.

    Args:
        question: analysis of the question.
        query: analysis of the query.
        known: phrases of the schema.
        owners: labels or types of the query's variables.
        index: values of the graph; other occurrences of a value are not checked if None.

    Returns:
        `semantic.property`: a property is named in full and not used. `semantic.elsewhere`: a value is compared with a
        property that the question does not name, although it occurs in the naming property too.
        `semantic.relation`: a relationship type is named, and another one that is not named is used instead.
    """
    found = [*_property(question, query, known), *_relation(question, query, known)]
    if index is not None:
        found += _elsewhere(question, query, known, owners, index)
    return list(dict.fromkeys(found))


def _property(question: QuestionAnalysis, query: QueryAnalysis, known: SchemaPhrases) -> Iterator[Finding]:
    """Find properties named by two or more words that the query does not use."""
    read = {access.property for access in query.accesses}
    labels = {label for held in query.labels.values() for label in held}
    satisfied: set[Phrase] = set()
    for (owner, name), phrases in known.properties.items():
        if name in read or (owner in labels and fold(owner) == fold(name)):
            satisfied |= phrases
    for label in labels:
        satisfied |= known.labels.get(label, frozenset())
    for (_, name), phrases in known.properties.items():
        for each in phrases:
            if len(each) < 2 or name in read or each in satisfied:
                continue
            named = question.names(each, quoted=False, spellings=known.spellings)
            if named and not _inside_longer(each, question, satisfied):
                yield Finding("semantic.property", f"{name} is named and not used")


def _inside_longer(found: Phrase, question: QuestionAnalysis, satisfied: set[Phrase]) -> bool:
    """Return whether the words are only part of a longer name that the query uses."""
    return any(
        len(longer) > len(found)
        and any(longer[start : start + len(found)] == found for start in range(len(longer)))
        and question.names(longer, quoted=False)
        for longer in satisfied
    )


def _relation(question: QuestionAnalysis, query: QueryAnalysis, known: SchemaPhrases) -> Iterator[Finding]:
    """Find a type that is named and not used while another one to the same label is used and not named."""
    used = {kind for edge in query.edges for kind in edge.types}
    stems = set(question.bare_stems)
    triples = known.schema.triples
    common = {word for words in known.labels.values() for each in words for word in each}
    for kind in sorted(used):
        own = known.types.get(kind, frozenset()) - common
        if not own or own & stems:
            continue
        ends = {each.target for each in triples if each.type == kind}
        rivals = sorted({each.type for each in triples if each.target in ends} - used)
        shared = {stem for rival in rivals for stem in known.types[rival] | known.relationship_stems[rival]}
        if (known.relationship_stems[kind] - common - shared) & stems:
            continue
        for rival in rivals:
            words = known.types[rival] - common
            if words and words <= stems:
                yield Finding("semantic.relation", f"{rival} is named, {kind} is used")


def _elsewhere(
    question: QuestionAnalysis,
    query: QueryAnalysis,
    known: SchemaPhrases,
    owners: Mapping[str, frozenset[str]],
    index: ValueIndex,
) -> Iterator[Finding]:
    compared = {access for each in query.comparisons for access in each.accesses}
    for each in query.comparisons:
        if not isinstance(each.value, str) or each.operator != "=" or len(each.accesses) != 1:
            continue
        access = each.accesses[0]
        for label in owners.get(access.variable, ()):
            naming = known.naming(label)
            if not naming or naming == access.property or access.property in question.text:
                continue
            own = (label, access.property)
            value = phrase(each.value)
            names = [
                *known.properties.get(own, ()),
                *((*lead, *value) for lead in known.cue_phrases.get(own, ())),
            ]
            if any(question.names(words) for words in names):
                continue
            if Access(access.variable, naming) not in compared and _has(index, each.value, label, naming):
                yield Finding(
                    "semantic.elsewhere",
                    f"{each.value!r} is compared with {access.property}, which is not named; it occurs in {naming} too",
                )


def _has(index: ValueIndex, value: str, owner: str, name: str) -> bool:
    return any((hit.label_or_type, hit.property) == (owner, name) for hit in index.folded(value))
