"""Fills the holes of a wording: the root, what is returned, and what is said of it besides.

Each hole of a wording has a mode: `{a}` one, `{a+}` many, `{a!}` the property alone, `{a@}` joined to the root,
`{a.role}` what it is called seen from the root. The root is said by `subject`, names of what is returned by `asked`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import TemplateError, UnfitError
from t2c_data.planning.query_tree import QueryRelationship
from t2c_data.realisation.conditions import pick
from t2c_data.realisation.morphology import article, inflect
from t2c_data.realisation.referring_expressions import REFERENCE_FORMATS
from t2c_data.realisation.subject import SUBJECT_HOLES
from t2c_data.templates.model import parse_placeholder

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_data.planning.slots.sampler import Slot
    from t2c_data.realisation.referring_expressions import ReferringExpressionGenerator

_CLAUSES = ("where ", "who ", "in which ", "whose ", "pre:")
_WORDS = {"high": ("highest", "largest", "greatest"), "low": ("lowest", "smallest")}
_DAYS = {"high": ("latest", "most recent"), "low": ("earliest",)}
_DOWN = (
    ("descending", "in descending order", "from high to low"),
    ("descending", "in descending order", "latest first", "from newest to oldest"),
)
_UP = (
    ("in ascending order", "ascending", "from low to high", ""),
    ("in ascending order", "earliest first", ""),
)


class PlaceholderRealiser:
    """Says the holes of one filled pattern, once for each wording.

    Args:
        asked: names what is returned; has the root and the speaker.
    """

    def __init__(self, asked: ReferringExpressionGenerator) -> None:
        self.asked = asked
        self.subject = asked.subject
        self._slots = asked.slots
        self._speaker = asked.speaker
        self._world = asked.speaker.world
        self._rng = asked.speaker.rng

    def realise(self, hole: str) -> str:
        """Say a hole of a wording.

        Raises:
            UnfitError: the lexicon has no words for it here.
            TemplateError: there is no such hole.
        """
        if hole in SUBJECT_HOLES:
            return SUBJECT_HOLES[hole](self.subject)
        if hole == "np they":
            return self.theirs()
        name, mode, plural = parse_placeholder(hole)
        slot = self._slots.get(name)
        if slot is not None and slot.mention is not None:
            return slot.mention.sentinel
        if slot is not None and mode in REFERENCE_FORMATS:
            return REFERENCE_FORMATS[mode](self.asked, slot, plural)
        if slot is None or mode not in _MODES:
            raise TemplateError(f"no hole {{{hole}}}; modes: {', '.join((*REFERENCE_FORMATS, *_MODES))}")
        return _MODES[mode](self, slot)

    def theirs(self) -> str:
        """Say the root as what its group has done: `cases they registered that resulted in death`."""
        link = self.asked.one_step(self._slots["g"])
        if link.forward:
            raise UnfitError("not theirs")
        said = [
            grouped_root
            for grouped_root in self._speaker.links.without_conditions(link, backward=True)
            if re.fullmatch(r"that (have )?\w+ed \{\}", grouped_root)
        ]
        verb = pick(said, self._rng).removeprefix("that ").removesuffix(" {}")
        return self.subject.with_noun(f"they {verb}")

    def grouped_root(self, slot: Slot) -> str:
        """Say the root with its group in its place: `cases registered by each manufacturer that ...`."""
        link = self.asked.one_step(slot)
        if (
            isinstance(slot.part, QueryRelationship)
            or slot.name != self._world.lexicon.labels[slot.part.label].key
        ):
            raise UnfitError("not a neighbour that has a name")
        phrases = [
            grouped_root
            for grouped_root in self._speaker.links.without_conditions(link)
            if grouped_root.endswith(" {}") and not grouped_root.startswith("whose ")
        ]
        group = f"each {self._speaker.nouns.label_noun(link.node.label)[0]}"
        return self.subject.with_noun(inflect(pick(phrases, self._rng), plural=True).replace("{}", group))

    def far_end_np(self, slot: Slot) -> str:
        """Say the far end of a link, and what it is there if another link would be meant otherwise."""
        link = slot.path[0]
        if self._world.has_parallel_types(link) and not self._world.lexicon.link(link.triple).assumed:
            return self.thing_as(slot)
        return self._speaker.far_end(link)

    def thing_as(self, slot: Slot) -> str:
        """Say the far end of a link and what it is there: `'X' as a primary suspect drug`."""
        return f"{self._speaker.far_end(slot.path[0])} as {article(self.asked.role(slot, False))}"

    def value(self, slot: Slot) -> str:
        """Say again the value that names the far end of a link."""
        conditions = slot.path[0].node.conditions
        if len(conditions) != 1 or conditions[0].operator != "eq" or not conditions[0].mentions:
            raise UnfitError("no value to say again")
        return conditions[0].mentions[0].sentinel

    def where(self, slot: Slot) -> str:
        """Say the condition that is said apart as what follows "where": `the route is oral`."""
        said = [grouped_root for grouped_root in self._apart(slot) if grouped_root.startswith("where ")]
        return pick(said, self._rng).removeprefix("where the ").removeprefix("where ")

    def with_(self, slot: Slot) -> str:
        """Say the condition that is said apart behind a noun: `with the route 'Oral'`."""
        if slot.is_conditional_count:
            return self._plainly(slot.path[0], finite=True)
        said = [
            grouped_root
            for grouped_root in self._apart(slot)
            if not grouped_root.startswith((*_CLAUSES, "that "))
        ]
        return inflect(pick(said, self._rng), plural=False)

    def _apart(self, slot: Slot) -> list[str]:
        if slot.separate_condition is None:
            raise UnfitError("no condition of its own")
        return self._speaker.phraser.realise(slot.path[0].triple.type, slot.separate_condition)

    def plain_first(self, slot: Slot) -> str:
        """Say what is counted first: `reported by 'A'`."""
        return self._plainly(slot.path[0])

    def plain_second(self, slot: Slot) -> str:
        """Say what is counted second."""
        return self._plainly(slot.path[1])

    def second(self, slot: Slot) -> str:
        """Say only the value of what is counted second."""
        return slot.path[1].node.conditions[0].mentions[0].sentinel

    def _plainly(self, link: QueryRelationship, *, finite: bool = False) -> str:
        without = _CLAUSES if finite else (*_CLAUSES, "that ")
        phrase = pick(
            [
                grouped_root
                for grouped_root in self._speaker.links.say(link)
                if not grouped_root.startswith(without)
            ],
            self._rng,
        )
        return inflect(self._speaker.fill_far_end(phrase, link), plural=True)

    def _is_date(self, slot: Slot) -> bool:
        return self._world.semantic_type(self._world.owner(slot.part), slot.name) == "date"

    def _extreme(self, slot: Slot, end: str) -> str:
        """Say which end of an order is meant: `highest` of a number, `latest` of a date."""
        return self._rng.choice((_DAYS if self._is_date(slot) else _WORDS)[end])

    def _figure(self, slot: Slot) -> str:
        """Name what is not a date."""
        if self._is_date(slot):
            raise UnfitError("a date")
        return self.asked.name(slot, False)

    def _type(self, slot: Slot) -> str:
        """Name what has kinds: `reporter occupation`, but no names."""
        if self._world.semantic_type(self._world.owner(slot.part), slot.name) != "category":
            raise UnfitError("not a kind of something")
        return self.asked.name(slot, False)

    def most(self, slot: Slot) -> str:
        """Say the superlative for the greatest: `oldest`."""
        return pick(self._speaker.phraser.words(self._world.owner(slot.part), slot.name).most, self._rng)

    def least(self, slot: Slot) -> str:
        """Say the superlative for the least: `youngest`."""
        return pick(self._speaker.phraser.words(self._world.owner(slot.part), slot.name).least, self._rng)

    def inverse_role(self, slot: Slot) -> str:
        """Say what a neighbour is to the root, behind "is": `listed as a primary suspect in`."""
        phrases = [
            grouped_root
            for grouped_root in self._speaker.links.without_conditions(slot.path[0], backward=True)
            if grouped_root.startswith("that [is|are]")
        ]
        text = inflect(pick(phrases, self._rng), plural=False)
        return text.removeprefix("that is ").replace(" {}", "").replace("{} ", "")

    def verb_phrase(self, slot: Slot) -> str:
        """Say what the root does, behind "does": `treat`, `belong to`."""
        phrases = [
            grouped_root
            for grouped_root in self._speaker.links.without_conditions(slot.path[0])
            if re.fullmatch(r"that \[\w+\|\w+\][^{}]* \{\}", grouped_root)
        ]
        phrases = [
            grouped_root
            for grouped_root in phrases
            if not grouped_root.startswith(("that [is|", "that [has|", "that [was|"))
        ]
        return inflect(pick(phrases, self._rng), plural=True).removeprefix("that ").removesuffix(" {}")

    def copula_phrase(self, slot: Slot) -> str:
        """Say what the root is, behind "is": `contraindicated in`."""
        said = [
            grouped_root
            for grouped_root in self._speaker.links.without_conditions(slot.path[0])
            if re.fullmatch(r"that \[is\|are\] [^{}]+ \{\}", grouped_root)
        ]
        return pick(said, self._rng).removeprefix("that [is|are] ").removesuffix(" {}")

    def boolean_adjective(self, slot: Slot) -> str:
        """Say what a boolean of the root says, behind "is": `prescription-only`."""
        words = self._speaker.phraser.words(self._world.owner(slot.part), slot.name)
        said = [
            grouped_root.removeprefix("that [is|are] ")
            for grouped_root in words.yes
            if grouped_root.startswith("that [is|are] ")
        ]
        return pick(said + list(words.values.get("true", ())), self._rng)

    def when(self, slot: Slot) -> str:
        """Say what happened to the root on a date, behind "was": `hired`."""
        words = self._speaker.phraser.words(self._world.owner(slot.part), slot.name)
        return pick(
            [
                grouped_root.removesuffix(" {}")
                for grouped_root in words.when
                if re.fullmatch(r"\w+(ed|en|n) \{\}", grouped_root)
            ],
            self._rng,
        )

    def premodifier(self, slot: Slot) -> str:
        """Say the condition that is said apart before a noun: `rare`."""
        link = self.asked.one_step(slot)
        if not link.forward or slot.name != self._world.lexicon.labels[link.node.label].key:
            raise UnfitError("an adjective of something else")
        said = [
            grouped_root.removeprefix("pre:")
            for grouped_root in self._apart(slot)
            if grouped_root.startswith("pre:")
        ]
        return pick(said, self._rng)

    def shares(self, slot: Slot) -> str:
        """Say that others have the same neighbour: `treat the same disease`."""
        link = slot.path[0]
        phrases = [
            grouped_root
            for grouped_root in self._speaker.links.without_conditions(link)
            if grouped_root.startswith("that ")
        ]
        text = inflect(pick(phrases, self._rng), plural=True).removeprefix("that ")
        return text.replace("{}", f"the same {self._speaker.nouns.label_noun(link.node.label)[0]}")


_MODES: dict[str, Callable[[PlaceholderRealiser, Slot], str]] = {
    ".high": lambda namer, slot: namer._extreme(slot, "high"),
    ".low": lambda namer, slot: namer._extreme(slot, "low"),
    ".top": lambda namer, slot: "latest" if namer._is_date(slot) else "top",
    ".bottom": lambda namer, slot: "earliest" if namer._is_date(slot) else "bottom",
    ".descending": lambda namer, slot: namer._rng.choice(_DOWN[namer._is_date(slot)]),
    ".ascending": lambda namer, slot: namer._rng.choice(_UP[namer._is_date(slot)]),
    ".amount": lambda namer, slot: namer._figure(slot),
    ".type": lambda namer, slot: namer._type(slot),
    ".thing": PlaceholderRealiser.far_end_np,
    ".thing.as": PlaceholderRealiser.thing_as,
    ".value": PlaceholderRealiser.value,
    ".each": PlaceholderRealiser.grouped_root,
    ".where": PlaceholderRealiser.where,
    ".with": PlaceholderRealiser.with_,
    ".plain1": PlaceholderRealiser.plain_first,
    ".plain2": PlaceholderRealiser.plain_second,
    ".value2": PlaceholderRealiser.second,
    ".most": PlaceholderRealiser.most,
    ".least": PlaceholderRealiser.least,
    ".one": lambda _, slot: slot.values[0].sentinel,
    ".two": lambda _, slot: slot.values[1].sentinel,
    ".both": lambda _, slot: f"{slot.values[0].sentinel} and {slot.values[1].sentinel}",
    ".back": PlaceholderRealiser.inverse_role,
    ".do": PlaceholderRealiser.verb_phrase,
    ".be": PlaceholderRealiser.copula_phrase,
    ".flag": PlaceholderRealiser.boolean_adjective,
    ".when": PlaceholderRealiser.when,
    ".before": PlaceholderRealiser.premodifier,
    ".share": PlaceholderRealiser.shares,
    ".end": lambda namer, slot: namer._speaker.far_end(slot.path[0], one=True),
}
