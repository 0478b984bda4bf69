"""Placeholders of a wording: what a template returns, groups or compares, in the form that the wording asks for.

The format of a placeholder is what follows the slot: `{a}` names it, `{a+}` in the plural, `{a!}` names the property
alone, `{a@}` attaches it to the root, `{a.role}` names its node as seen from the root.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import TemplateError, UnfitError
from t2c_data.lexicon.measure_words import (
    countable_plurals,
    measure_adjectives,
    measure_verbs,
    place_preposition,
)
from t2c_data.lexicon.morphology import article, inflect_alternatives
from t2c_data.realisation.conditions import pick
from t2c_data.realisation.referring_expressions import REFERENCE_FORMATS
from t2c_data.realisation.subject import ROOT_FORMATS
from t2c_data.templates.model import parse_placeholder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from t2c_data.lexicon.model import PropertyEntry
    from t2c_data.planning.query_tree import QueryNode, QueryRelationship, Slot
    from t2c_data.realisation.referring_expressions import ReferringExpressionGenerator

_CLAUSES = ("where ", "who ", "in which ", "whose ", "pre:")
_SUPERLATIVES = {"high": ("highest", "largest", "greatest"), "low": ("lowest", "smallest")}
_DATE_SUPERLATIVES = {"high": ("latest", "most recent"), "low": ("earliest",)}
_DESCENDING = (
    ("descending", "in descending order", "from high to low"),
    ("descending", "in descending order", "latest first", "from newest to oldest"),
)
"""For numbers and for dates."""
_ASCENDING = (
    ("in ascending order", "ascending", "from low to high", ""),
    ("in ascending order", "earliest first", ""),
)


class PlaceholderRealiser:
    """Realises the placeholders of one instantiated template.

    Args:
        references: generator of referring expressions, with the realisers of root and trees.
    """

    def __init__(self, references: ReferringExpressionGenerator) -> None:
        self.references = references
        self.subject = references.subject
        self._noun_phrases = references.noun_phrases
        self._context = references.noun_phrases.context
        self._rng = references.noun_phrases.rng

    def realise(self, placeholder: str) -> str:
        """Realise a placeholder.

        Raises:
            UnfitError: the lexicon has no words for it here.
            TemplateError: there is no such placeholder.
        """
        if placeholder in ROOT_FORMATS:
            return ROOT_FORMATS[placeholder](self.subject)
        if placeholder == "np they":
            return self.done_by_group()
        name, style, plural = parse_placeholder(placeholder)
        slot = self.references.slots.get(name)
        if slot is not None and slot.mention is not None:
            return slot.mention.sentinel
        if slot is not None and style in REFERENCE_FORMATS:
            return REFERENCE_FORMATS[style](self.references, slot, plural)
        if slot is None or style not in SLOT_FORMATS:
            known = ", ".join((*REFERENCE_FORMATS, *SLOT_FORMATS))
            raise TemplateError(f"unknown placeholder {{{placeholder}}}; formats are {known}")
        return SLOT_FORMATS[style](self, slot)

    def _pick(self, phrases: Iterable[str], pattern: str) -> str:
        """Choose a phrase that matches a pattern and return its first group."""
        found = (re.fullmatch(pattern, each) for each in phrases)
        return pick([each[1] for each in found if each], self._rng)

    def _phrases(self, rel: QueryRelationship, *, backward: bool = False) -> list[str]:
        return self._noun_phrases.relationships.without_conditions(rel, backward=backward)

    def _words(self, slot: Slot) -> PropertyEntry:
        return self._noun_phrases.predicates.words(slot.part.label_or_type, slot.name)

    # formats that restrict or repeat the root

    def done_by_group(self) -> str:
        """Realise the root as what its group has done: `cases they registered that resulted in death`."""
        rel = self.references.only_relationship(self.references.slots["g"])
        if rel.forward:
            raise UnfitError("the group is not the agent")
        verb = self._pick(self._phrases(rel, backward=True), r"that ((?:have )?\w+ed) \{\}")
        return self.subject.with_postmodifier(f"they {verb}")

    def grouped_root(self, slot: Slot) -> str:
        """Realise the root with its group: `cases registered by each manufacturer that ...`."""
        rel = self.references.displayed_neighbour(slot)
        phrases = self._phrases(rel)
        fitting = [each for each in phrases if each.endswith(" {}") and not each.startswith("whose ")]
        group = f"each {self._noun_phrases.nouns.label_noun(rel.node.label)[0]}"
        phrase = inflect_alternatives(pick(fitting, self._rng), plural=True)
        return self.subject.with_postmodifier(phrase.replace("{}", group))

    def shared_neighbour(self, slot: Slot) -> str:
        """Realise that others have the same neighbour: `treat the same disease`."""
        rel = slot.path[0]
        phrase = pick([each for each in self._phrases(rel) if each.startswith("that ")], self._rng)
        text = inflect_alternatives(phrase, plural=True).removeprefix("that ")
        return text.replace("{}", f"the same {self._noun_phrases.nouns.label_noun(rel.node.label)[0]}")

    # formats for a named far end

    def far_end_np(self, slot: Slot) -> str:
        """Realise the far end, with its role if another relationship could be meant."""
        rel = slot.path[0]
        if (
            self._context.has_parallel_types(rel)
            and not self._context.lexicon.relationship(rel.triple).is_default
        ):
            return self.far_end_with_role(slot)
        return self._noun_phrases.far_end(rel)

    def far_end_with_role(self, slot: Slot) -> str:
        """Realise the far end with its role: `'X' as a primary suspect drug`."""
        far_end = self._noun_phrases.far_end(slot.path[0])
        return f"{far_end} as {article(self.references.role(slot, False))}"

    def value(self, slot: Slot) -> str:
        """Repeat the value that names the far end."""
        conditions = slot.path[0].node.conditions
        if len(conditions) != 1 or conditions[0].operator != "eq" or not conditions[0].mentions:
            raise UnfitError("no value to repeat")
        return conditions[0].mentions[0].sentinel

    def inverse_role(self, slot: Slot) -> str:
        """Realise what a neighbour is to the root, behind "is": `listed as a primary suspect in`."""
        phrases = self._phrases(slot.path[0], backward=True)
        phrase = pick([each for each in phrases if each.startswith("that [is|are]")], self._rng)
        text = inflect_alternatives(phrase, plural=False).removeprefix("that is ")
        return text.replace(" {}", "").replace("{} ", "")

    def verb_phrase(self, slot: Slot, *, plural: bool = True) -> str:
        """Realise what the root does: `treat`, `belong to` behind "does", `treats` of one."""
        verb = re.compile(r"that \[(?!(?:is|has|was)\|)\w+\|\w+\][^{}]* \{\}")
        phrase = pick([each for each in self._phrases(slot.path[0]) if verb.fullmatch(each)], self._rng)
        return inflect_alternatives(phrase, plural=plural).removeprefix("that ").removesuffix(" {}")

    def done(self, slot: Slot) -> str:
        """Realise what neighbours do to the root, behind "most often": `supplied`."""
        return pick(self._noun_phrases.relationships.done_by(slot.path[0]), self._rng)

    def copula_phrase(self, slot: Slot) -> str:
        """Realise what the root is, behind "is": `contraindicated in`."""
        return self._pick(self._phrases(slot.path[0]), r"that \[is\|are\] ([^{}]+) \{\}")

    # formats for a condition that is verbalised separately, or counted

    def separate_where(self, slot: Slot) -> str:
        """Realise the separate condition as a clause behind "where": `the route is oral`."""
        phrases = [each for each in self._separate(slot) if each.startswith("where ")]
        return pick(phrases, self._rng).removeprefix("where the ").removeprefix("where ")

    def postmodifier(self, slot: Slot) -> str:
        """Realise the separate or counted condition behind a noun: `with the route 'Oral'`."""
        if slot.is_conditional_count:
            return self._counted(slot, 0, allow_that=True)
        phrases = [each for each in self._separate(slot) if not each.startswith((*_CLAUSES, "that "))]
        return inflect_alternatives(pick(phrases, self._rng), plural=False)

    def premodifier(self, slot: Slot) -> str:
        """Realise the separate condition before a noun: `rare`."""
        if not self.references.displayed_neighbour(slot).forward:
            raise UnfitError("an adjective of something else")
        return self._pick(self._separate(slot), r"pre:(.*)")

    def _separate(self, slot: Slot) -> list[str]:
        if slot.separate_condition is None:
            raise UnfitError("no separate condition")
        return self._noun_phrases.predicates.realise(slot.path[0].triple.type, slot.separate_condition)

    def _counted(self, slot: Slot, number: int, *, allow_that: bool = False) -> str:
        """Realise a counted relationship: `reported by 'A'`."""
        rel = slot.path[number]
        excluded = _CLAUSES if allow_that else (*_CLAUSES, "that ")
        phrases = self._noun_phrases.relationships.phrases(rel)
        phrase = pick([each for each in phrases if not each.startswith(excluded)], self._rng)
        return inflect_alternatives(self._noun_phrases.fill_far_end(phrase, rel), plural=True)

    # formats for numbers, dates, categories and booleans

    def _is_date(self, slot: Slot) -> bool:
        return self._semantic_type(slot) == "date"

    def _semantic_type(self, slot: Slot) -> str:
        return self._context.semantic_type(slot.part.label_or_type, slot.name)

    def _superlative(self, slot: Slot, end: str) -> str:
        """Return a general superlative: `highest` of a number, `latest` of a date."""
        return self._rng.choice((_DATE_SUPERLATIVES if self._is_date(slot) else _SUPERLATIVES)[end])

    def amount(self, slot: Slot) -> str:
        """Name a property that is not a date."""
        if self._is_date(slot):
            raise UnfitError("a date")
        return self.references.name(slot, False)

    def category(self, slot: Slot) -> str:
        """Name a property that has categories: `reporter occupation`."""
        if self._semantic_type(slot) != "category":
            raise UnfitError("not a category")
        return self.references.name(slot, False)

    def boolean_adjective(self, slot: Slot) -> str:
        """Realise a boolean of the root, behind "is": `prescription-only`."""
        words, start = self._words(slot), "that [is|are] "
        phrases = [each.removeprefix(start) for each in words.true_phrases if each.startswith(start)]
        return pick(phrases + list(words.values.get("true", ())), self._rng)

    def participle(self, slot: Slot) -> str:
        """Realise what happened to the root on a date or in a year, behind "was": `hired`."""
        words = self._words(slot)
        if self._is_date(slot):
            return self._pick(words.temporal_phrases, r"(\w+(?:ed|en|n)) \{\}")
        return self._pick(words.equals_phrases, r"(\w+(?:ed|en|n)) in \{\}")

    # formats for measures

    def measure_adjective(self, slot: Slot) -> str:
        """Realise the adjective that asks for a number, behind "how": `tall`."""
        return pick(measure_adjectives(self._words(slot)), self._rng)

    def measure_verb(self, slot: Slot) -> str:
        """Realise the verb whose object is the number, behind "how much does it": `weigh`."""
        return pick(measure_verbs([singular for singular, _ in self._words(slot).nouns]), self._rng)

    def countable(self, slot: Slot) -> str:
        """Realise what the number counts, behind "how many": `beds`."""
        if self._context.property(slot.part.label_or_type, slot.name).type != "INTEGER":
            raise UnfitError("no number of things")
        return pick(countable_plurals(slot.name, self._words(slot)), self._rng)

    def place(self, slot: Slot) -> str:
        """Realise a place with its preposition: `on which floor`."""
        noun = self.references.property(slot, False)
        preposition = place_preposition(noun)
        if not preposition:
            raise UnfitError("no place")
        return f"{preposition} {self._rng.choice(('which', 'what'))} {noun}"

    def subset_clause(self, slot: Slot) -> str:
        """Realise the condition of a subset as a finite clause: `smoke`."""
        return self._noun_phrases.finite_clause(self._subset(slot), plural=True)

    def subset_noun_phrase(self, slot: Slot) -> str:
        """Realise a subset of the root: `patients who smoke`."""
        nouns = ((self.subject.noun(plural=False), self.subject.noun(plural=True)),)
        return self._noun_phrases.noun_phrase(self._subset(slot), plural=True, nouns=nouns)

    def _subset(self, slot: Slot) -> QueryNode:
        if slot.subset is None:
            raise UnfitError("no subset")
        return slot.subset


_Formats = PlaceholderRealiser
SLOT_FORMATS: dict[str, Callable[[PlaceholderRealiser, Slot], str]] = {
    ".high": lambda formats, slot: formats._superlative(slot, "high"),
    ".low": lambda formats, slot: formats._superlative(slot, "low"),
    ".top": lambda formats, slot: "latest" if formats._is_date(slot) else "top",
    ".bottom": lambda formats, slot: "earliest" if formats._is_date(slot) else "bottom",
    ".descending": lambda formats, slot: formats._rng.choice(_DESCENDING[formats._is_date(slot)]),
    ".ascending": lambda formats, slot: formats._rng.choice(_ASCENDING[formats._is_date(slot)]),
    ".most": lambda formats, slot: pick(formats._words(slot).superlative_max, formats._rng),
    ".least": lambda formats, slot: pick(formats._words(slot).superlative_min, formats._rng),
    ".amount": _Formats.amount,
    ".type": _Formats.category,
    ".flag": _Formats.boolean_adjective,
    ".when": _Formats.participle,
    ".thing": _Formats.far_end_np,
    ".thing.as": _Formats.far_end_with_role,
    ".end": lambda formats, slot: formats._noun_phrases.far_end(slot.path[0], singular=True),
    ".value": _Formats.value,
    ".each": _Formats.grouped_root,
    ".where": _Formats.separate_where,
    ".with": _Formats.postmodifier,
    ".before": _Formats.premodifier,
    ".plain1": lambda formats, slot: formats._counted(slot, 0),
    ".plain2": lambda formats, slot: formats._counted(slot, 1),
    ".value2": lambda _, slot: slot.path[1].node.conditions[0].mentions[0].sentinel,
    ".one": lambda _, slot: slot.values[0].sentinel,
    ".two": lambda _, slot: slot.values[1].sentinel,
    ".both": lambda _, slot: f"{slot.values[0].sentinel} and {slot.values[1].sentinel}",
    ".back": _Formats.inverse_role,
    ".do": _Formats.verb_phrase,
    ".be": _Formats.copula_phrase,
    ".done": _Formats.done,
    ".share": _Formats.shared_neighbour,
    ".adjective": _Formats.measure_adjective,
    ".verb": _Formats.measure_verb,
    ".countable": _Formats.countable,
    ".place": _Formats.place,
    ".unit": lambda formats, slot: pick(formats._words(slot).unit, formats._rng),
    ".clause": _Formats.subset_clause,
    ".np": _Formats.subset_noun_phrase,
    ".does": lambda formats, slot: formats.verb_phrase(slot, plural=False),
}
"""Realisations of placeholders for slots that have no number, by format."""
