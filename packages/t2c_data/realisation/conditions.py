"""Says conditions: phrases to be put behind a noun, such as `where the age is over 60` or `reported in 2021`.

Phrases come from the lexicon and from `wordings`; `pre:` marks one that stands before the noun, `[is|are]`
one that inflects with it. Holds no noun phrases (see `verbalise`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.realisation import condition_phrases as wordings
from t2c_data.realisation.morphology import AGREED, INTROS, article, join_with_or

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Noun, PropertyEntry
    from t2c_data.planning.query_tree import PropertyPredicate

RAW = 0.03
"""How often a property is called by its name in the schema."""


def pick(choices: Sequence[str], rng: Random) -> str:
    """Choose a text.

    Raises:
        UnfitError: there is none.
    """
    if not choices:
        raise UnfitError("no words")
    return rng.choice(choices)


class PredicateRealiser:
    """Says conditions on properties.

    Args:
        world: the graph and its lexicon.
        rng: every choice comes from it.
    """

    def __init__(self, world: GraphContext, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self._nouns: dict[tuple[str, str], Noun] = {}

    def reset(self) -> None:
        """Begin a wording: a property keeps its noun until the next one."""
        self._nouns.clear()

    def words(self, owner: str, name: str) -> PropertyEntry:
        """Find the words of a property.

        Raises:
            UnfitError: questions never speak of it.
        """
        words = self.world.words(owner, name)
        if words is None:
            raise UnfitError("no words for a property")
        return words

    def noun(self, owner: str, name: str, *, plural: bool = False) -> str:
        """Choose a property's noun, or its name as the schema spells it."""
        words = self.words(owner, name)
        key = (owner, name)
        if key not in self._nouns:
            raw = self.rng.choice((name, f"'{name}'", f"'{name}'"))
            spelt = self.rng.random() < RAW and self.world.semantic_type(owner, name) != "boolean"
            self._nouns[key] = (raw, raw) if spelt else self.rng.choice(words.nouns)
        return self._nouns[key][plural]

    def realise(self, owner: str, condition: PropertyPredicate, *, whose: str = "") -> list[str]:
        """Say a condition in several ways.

        Args:
            owner: label or relationship type of the property.
            condition: what is asked of it.
            whose: a noun that may own the property: `the case's age`.
        """
        words = self.words(owner, condition.name)
        noun = self.noun(owner, condition.name)
        several = noun == self.noun(owner, condition.name, plural=True) and noun.endswith("s")
        fill = _Filler(noun, f"{whose}'s " if whose and self.rng.random() < 0.15 else "", several=several)
        operator = condition.operator
        if condition.literal:
            return self._literal(condition, words, fill)
        if operator in {"true", "false"}:
            return self._flag(operator, words, noun)
        if operator in wordings.NULL_PHRASES:
            return fill.all(wordings.NULL_PHRASES[operator], "")
        if operator in wordings.TEMPORAL_PHRASES or operator in wordings.SIZES:
            return (self._moment if operator in wordings.TEMPORAL_PHRASES else self._sized)(
                condition, words, fill
            )
        if operator in {"eq", "ne", "gt", "lt", "has"} and (special := self._special(condition, words, fill)):
            return special
        return self._general(condition, words, fill)

    def strip_unless(self, phrase: str, condition: PropertyPredicate) -> str:
        """Give a phrase without its `!unless Label.property`; empty if the value occurs there too."""
        text, bar, place = phrase.partition(" !unless ")
        if bar:
            owner, _, name = place.partition(".")
            others = self.world.sample.folded.get((owner, name), frozenset())
            if any(str(each.value).lower() in others for each in condition.mentions):
                return ""
        return text

    def _literal(self, condition: PropertyPredicate, words: PropertyEntry, fill: _Filler) -> list[str]:
        value = condition.literal.strip("'").replace("\\'", "'").replace("\\\\", "\\")
        adjective = self.rng.choice(words.values[value])
        return fill.all(
            wordings.GENERAL["ne"][:1] if condition.operator == "ne" else wordings.ADJECTIVE, adjective
        )

    def _flag(self, operator: str, words: PropertyEntry, noun: str) -> list[str]:
        said = [*(words.yes if operator == "true" else words.no)]
        adjectives = [f"pre:{each}" for each in words.values.get(operator, ())]
        flag = operator if self.rng.random() < 0.7 else {"true": "yes", "false": "no"}[operator]
        plain = [f"where the {noun} is {flag}", f"with {noun} {flag}"]
        return said + adjectives + (plain if not said or self.rng.random() < 0.1 else [])

    def _moment(self, condition: PropertyPredicate, words: PropertyEntry, fill: _Filler) -> list[str]:
        marks = [each.sentinel for each in condition.mentions]
        alone = condition.operator == "month" and len(marks) == 1
        moment = self.rng.choice(
            wordings.MONTH_ALONE if alone else wordings.TEMPORAL_PHRASES[condition.operator]
        )
        time = moment.replace("{a}", marks[0]).replace("{b}", marks[-1])
        if words.when and self.rng.random() < 0.6:
            said = [
                each.replace("{}", time) for each in words.when if not each.endswith(("since {}", "from {}"))
            ]
            bare = {"since": "since {}", "on": "from {}", "year": "from {}"}.get(condition.operator)
            short = [each for each in words.when if bare and each.endswith(bare)]
            if said or short:
                return [*said, *(each.replace("{}", marks[0]) for each in short)]
        said = fill.all(wordings.TIMED_PHRASES, time)
        return said + fill.all(wordings.DATE_PHRASES, marks[0]) if condition.operator == "on" else said

    def _sized(self, condition: PropertyPredicate, words: PropertyEntry, fill: _Filler) -> list[str]:  # noqa: ARG002
        """Say how long a list is: `with at least three brand names`."""
        many = self.rng.choice(words.nouns)[1]
        amount = self.rng.choice(wordings.SIZES[condition.operator]).replace(
            "{}", condition.mentions[0].sentinel
        )
        return [f"with {amount} {many}", f"that [has|have] {amount} {many}", f"having {amount} {many}"]

    def _special(self, condition: PropertyPredicate, words: PropertyEntry, fill: _Filler) -> list[str]:
        """Say it in words that only this property has; empty if it has none or general ones are taken."""
        marks = [each.sentinel for each in condition.mentions]
        mark = marks[0] if len(marks) == 1 else self.rng.choice(("both ", "both ", "")) + " and ".join(marks)
        value = str(condition.mentions[0].value)
        phrases = [kept for each in words.phrases if (kept := self.strip_unless(each, condition))]
        if condition.operator == "eq" and value in words.values and self.rng.random() < 0.4:
            adjective = self.rng.choice(words.values[value])
            return fill.all(("where the {the}{n} is {v}", "with {n} {v}"), f"{adjective} ({mark})")
        if condition.operator == "ne":
            negated = _negated(phrases) if self.rng.random() < 0.35 else []
            return [each.replace("{}", mark) for each in negated]
        said = {"eq": phrases, "has": phrases, "gt": words.more, "lt": words.less}[condition.operator]
        return [each.replace("{}", mark) for each in said] if self.rng.random() < 0.55 else []

    def _general(self, condition: PropertyPredicate, words: PropertyEntry, fill: _Filler) -> list[str]:
        operator = condition.operator
        marks = [each.sentinel for each in condition.mentions]
        unit = f" {self.rng.choice(words.unit)}" if words.unit and self.rng.random() < 0.15 else ""
        if operator == "between":
            span = self.rng.choice((f"between {marks[0]} and {marks[1]}", f"from {marks[0]} to {marks[1]}"))
            return fill.all(wordings.RANGE_PHRASES, span + unit)
        if operator in wordings.LIMITS:
            sign = self.rng.choice(wordings.LIMITS[operator])
            limit = sign.replace("{}", marks[0] + unit) if "{}" in sign else f"{sign} {marks[0]}{unit}"
            said = fill.all(
                wordings.BOUNDED_RANGE_PHRASES if operator in {"gt", "lt"} else wordings.AT_LEAST_PHRASES,
                limit,
            )
            return (
                [*said, *fill.all(("where the {n} exceeds {v}",), marks[0] + unit)]
                if operator == "gt"
                else said
            )
        if operator == "in":
            return fill.all(wordings.IN_PHRASES, join_with_or(marks))
        if operator == "has" and len(marks) > 1:
            marks = [self.rng.choice(("both ", "")) + " and ".join(marks)]
        return fill.all(wordings.GENERAL[operator], marks[0] + (unit if operator == "eq" else ""))


class _Filler:
    """Puts a noun and a value into general phrases."""

    def __init__(self, noun: str, owner: str, *, several: bool = False) -> None:
        self._noun = noun
        self._owner = owner
        self._several = several

    def all(self, templates: Sequence[str], value: str) -> list[str]:
        noun, owner = self._noun, self._owner
        with_article = noun if self._several else article(noun)
        said = [each.format(n=noun, an=with_article, the=owner, v=value) for each in templates]
        if not self._several:
            return said
        start = re.compile(rf"^((?:where|whose)\b.*?{re.escape(noun)}) (is|was|\w+s)\b")
        return [
            start.sub(lambda found: f"{found[1]} {AGREED.get(found[2], found[2][:-1])}", each)
            for each in said
        ]


def _negated(phrases: Sequence[str]) -> list[str]:
    """Turn phrases that say a value into those that say another: `where the reporter is not a {}`."""
    said = []
    for each in phrases:
        if each.startswith("pre:") or "[" in each:
            continue
        if re.search(r" (is|was|were) ", each):
            said.append(re.sub(r" (is|was|were) ", r" \1 not ", each, count=1))
            other = " someone other than {}" if " by " in each else " something other than {}"
            said.append(re.sub(r" an? \{\}| \{\}", other, each))
        elif not each.startswith(INTROS):
            said.append("not " + each)
    return said
