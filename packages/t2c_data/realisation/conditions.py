"""Property predicates in words: phrases placed behind a noun, such as `where the age is over 60` or `reported in 2021`.

Phrases come from the lexicon and from `condition_phrases`. A phrase that starts with `pre:` stands before the noun;
`[is|are]` inflects with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.lexicon.morphology import INTRODUCERS, PLURAL_VERBS, article, join_with_or
from t2c_data.planning.query_tree import ZERO
from t2c_data.realisation import condition_phrases as phrases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Noun, PropertyEntry
    from t2c_data.planning.query_tree import PropertyPredicate

SCHEMA_NAME_RATE = 0.03
"""How often a property is called by its name as the schema spells it."""


def pick(choices: Sequence[str], rng: Random) -> str:
    """Choose a text.

    Raises:
        UnfitError: there is none.
    """
    if not choices:
        raise UnfitError("no words")
    return rng.choice(choices)


class PredicateRealiser:
    """Realises property predicates.

    Args:
        context: graph with its lexicon.
        rng: source of all random choices.
    """

    def __init__(self, context: GraphContext, rng: Random) -> None:
        self.context = context
        self.rng = rng
        self._nouns: dict[tuple[str, str], Noun] = {}

    def reset(self) -> None:
        """Start a new question; within one question a property keeps its noun."""
        self._nouns.clear()

    def words(self, label_or_type: str, name: str) -> PropertyEntry:
        """Return the words of a property.

        Raises:
            UnfitError: questions must not mention it.
        """
        words = self.context.words(label_or_type, name)
        if words is None:
            raise UnfitError("no words for a property")
        return words

    def noun(self, label_or_type: str, name: str, *, plural: bool = False) -> str:
        """Choose a noun of a property, or its name as the schema spells it."""
        words = self.words(label_or_type, name)
        key = (label_or_type, name)
        if key not in self._nouns:
            spelt = self.rng.choice((name, f"'{name}'", f"'{name}'"))
            use_spelt = (
                self.rng.random() < SCHEMA_NAME_RATE
                and self.context.semantic_type(label_or_type, name) != "boolean"
            )
            self._nouns[key] = (spelt, spelt) if use_spelt else self.rng.choice(words.nouns)
        return self._nouns[key][plural]

    def realise(self, label_or_type: str, condition: PropertyPredicate, *, possessor: str = "") -> list[str]:
        """List phrases for a predicate.

        Args:
            label_or_type: label or relationship type of the property.
            condition: predicate to realise.
            possessor: noun that may own the property: `the case's age`.
        """
        words = self.words(label_or_type, condition.name)
        noun = self.noun(label_or_type, condition.name)
        is_plural = noun == self.noun(label_or_type, condition.name, plural=True) and noun.endswith("s")
        owner = f"{possessor}'s " if possessor and self.rng.random() < 0.15 else ""
        fill = _PhraseFiller(noun, owner, is_plural=is_plural)
        operator = condition.operator
        if condition.literal:
            return self._literal(condition, words, fill)
        if operator in {"true", "false"}:
            return self._boolean(operator, words, noun)
        if operator in phrases.NULL_PHRASES:
            return fill(phrases.NULL_PHRASES[operator], "")
        if operator in phrases.TEMPORAL_PHRASES:
            return self._temporal(condition, words, fill)
        has_own_phrases = operator in {"eq", "ne", "gt", "lt", "has"}
        own = self._lexical(condition, words, fill) if has_own_phrases else []
        return own or self._general(condition, words, fill)

    def strip_unless(self, phrase: str, condition: PropertyPredicate) -> str:
        """Remove `!unless Label.property` from a phrase; return an empty text if the value occurs there too."""
        text, unless, place = phrase.partition(" !unless ")
        if unless:
            label_or_type, _, name = place.partition(".")
            others = self.context.sample.folded.get((label_or_type, name), frozenset())
            if any(str(each.value).lower() in others for each in condition.mentions):
                return ""
        return text

    def _literal(self, condition: PropertyPredicate, words: PropertyEntry, fill: _PhraseFiller) -> list[str]:
        if condition.literal == ZERO:
            return [*(words.zero_phrases if condition.operator == "eq" else words.positive_phrases)]
        value = condition.literal.strip("'").replace("\\'", "'").replace("\\\\", "\\")
        adjective = self.rng.choice(words.values[value])
        is_unequal = condition.operator == "ne"
        return fill(phrases.GENERAL["ne"][:1] if is_unequal else phrases.ADJECTIVE, adjective)

    def _boolean(self, operator: str, words: PropertyEntry, noun: str) -> list[str]:
        own = [*(words.true_phrases if operator == "true" else words.false_phrases)]
        adjectives = [f"pre:{each}" for each in words.values.get(operator, ())]
        value = operator if self.rng.random() < 0.7 else {"true": "yes", "false": "no"}[operator]
        general = [f"where the {noun} is {value}", f"with {noun} {value}"]
        return own + adjectives + (general if not own or self.rng.random() < 0.1 else [])

    def time(self, condition: PropertyPredicate) -> str:
        """Realise the time alone, of a condition on a date: `in 2021`, `before 2021-03-01`."""
        sentinels = [each.sentinel for each in condition.mentions]
        any_year = condition.operator == "month" and len(sentinels) == 1
        template = self.rng.choice(
            phrases.MONTH_ALONE if any_year else phrases.TEMPORAL_PHRASES[condition.operator]
        )
        return template.replace("{a}", sentinels[0]).replace("{b}", sentinels[-1])

    def _temporal(self, condition: PropertyPredicate, words: PropertyEntry, fill: _PhraseFiller) -> list[str]:
        sentinels = [each.sentinel for each in condition.mentions]
        time = self.time(condition)
        if words.temporal_phrases and self.rng.random() < 0.6:
            own = [
                each.replace("{}", time)
                for each in words.temporal_phrases
                if not each.endswith(("since {}", "from {}"))
            ]
            ending = {"since": "since {}", "on": "from {}", "year": "from {}"}.get(condition.operator)
            short = [each for each in words.temporal_phrases if ending and each.endswith(ending)]
            if own or short:
                return [*own, *(each.replace("{}", sentinels[0]) for each in short)]
        general = fill(phrases.TIMED_PHRASES, time)
        return general + fill(phrases.DATE_PHRASES, sentinels[0]) if condition.operator == "on" else general

    def _size(self, condition: PropertyPredicate, words: PropertyEntry) -> list[str]:
        """List phrases for the size of a list: `with at least three brand names`."""
        plural = self.rng.choice(words.nouns)[1]
        amount = self.rng.choice(phrases.SIZES[condition.operator])
        amount = amount.replace("{}", condition.mentions[0].sentinel)
        return [f"with {amount} {plural}", f"that [has|have] {amount} {plural}", f"having {amount} {plural}"]

    def _lexical(self, condition: PropertyPredicate, words: PropertyEntry, fill: _PhraseFiller) -> list[str]:
        """List phrases of the lexicon for this property; empty if it has none or general ones are chosen."""
        sentinels = [each.sentinel for each in condition.mentions]
        shown = (
            sentinels[0]
            if len(sentinels) == 1
            else self.rng.choice(("both ", "both ", "")) + " and ".join(sentinels)
        )
        value = str(condition.mentions[0].value)
        equals = [kept for each in words.equals_phrases if (kept := self.strip_unless(each, condition))]
        if condition.operator == "eq" and value in words.values and self.rng.random() < 0.4:
            adjective = self.rng.choice(words.values[value])
            return fill(("where the {the}{n} is {v}", "with {n} {v}"), f"{adjective} ({shown})")
        if condition.operator == "ne":
            own = _negate_equals(equals) if self.rng.random() < 0.35 else []
        else:
            by_operator = {"eq": equals, "has": equals, "gt": words.greater_than, "lt": words.less_than}
            own = [*by_operator[condition.operator]] if self.rng.random() < 0.55 else []
        return [each.replace("{}", shown) for each in own]

    def _general(self, condition: PropertyPredicate, words: PropertyEntry, fill: _PhraseFiller) -> list[str]:
        operator = condition.operator
        if operator in phrases.SIZES:
            return self._size(condition, words)
        sentinels = [each.sentinel for each in condition.mentions]
        unit = f" {self.rng.choice(words.unit)}" if words.unit and self.rng.random() < 0.15 else ""
        if operator == "between":
            low, high = sentinels
            span = self.rng.choice((f"between {low} and {high}", f"from {low} to {high}"))
            return fill(phrases.RANGE_PHRASES, span + unit)
        if operator in phrases.LIMITS:
            comparative = self.rng.choice(phrases.LIMITS[operator])
            number = sentinels[0] + unit
            limit = comparative.replace("{}", number) if "{}" in comparative else f"{comparative} {number}"
            is_exclusive = operator in {"gt", "lt"}
            found = fill(phrases.BOUNDED_RANGE_PHRASES if is_exclusive else phrases.AT_LEAST_PHRASES, limit)
            return [*found, *fill(("where the {n} exceeds {v}",), number)] if operator == "gt" else found
        if operator == "in":
            return fill(phrases.IN_PHRASES, join_with_or(sentinels))
        value = sentinels[0] + (unit if operator == "eq" else "")
        if operator == "has" and len(sentinels) > 1:
            value = self.rng.choice(("both ", "")) + " and ".join(sentinels)
        return fill(phrases.GENERAL[operator], value)


class _PhraseFiller:
    """Inserts a noun and a value into general phrases."""

    def __init__(self, noun: str, owner: str, *, is_plural: bool) -> None:
        self._noun = noun
        self._owner = owner
        self._is_plural = is_plural

    def __call__(self, templates: Sequence[str], value: str) -> list[str]:
        noun, owner = self._noun, self._owner
        with_article = noun if self._is_plural else article(noun)
        filled = [each.format(n=noun, an=with_article, the=owner, v=value) for each in templates]
        if not self._is_plural:
            return filled
        verb = re.compile(rf"^((?:where|whose)\b.*?{re.escape(noun)}) (is|was|\w+s)\b")
        return [
            verb.sub(lambda found: f"{found[1]} {PLURAL_VERBS.get(found[2], found[2][:-1])}", each)
            for each in filled
        ]


def _negate_equals(phrases: Sequence[str]) -> list[str]:
    """Turn phrases for equality into phrases for inequality: `where the reporter is not a {}`."""
    negated = []
    for each in phrases:
        if each.startswith("pre:") or "[" in each:
            continue
        if re.search(r" (is|was|were) ", each):
            negated.append(re.sub(r" (is|was|were) ", r" \1 not ", each, count=1))
            other = " someone other than {}" if " by " in each else " something other than {}"
            negated.append(re.sub(r" an? \{\}| \{\}", other, each))
        elif not each.startswith(INTRODUCERS):
            negated.append("not " + each)
    return negated
