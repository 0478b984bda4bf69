"""Fills a pattern: a tree bound to the graph, its query, and several wordings of it.

The result is a draft whose mentions are written out and numbered by `surface`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.planning.conditions import ConditionSampler
from t2c_data.planning.cypher_writer import CypherTemplateWriter
from t2c_data.planning.grounding import Grounder
from t2c_data.planning.query_tree import MARK_CLOSE, MARK_OPEN, CypherBuilder, QueryNode
from t2c_data.planning.slots.fill import fill_slots
from t2c_data.realisation.morphology import article, inflect
from t2c_data.realisation.noun_phrases import NounPhraseRealiser
from t2c_data.realisation.placeholders import PlaceholderRealiser
from t2c_data.realisation.referring_expressions import ReferringExpressionGenerator
from t2c_data.realisation.subject import RootRealiser
from t2c_data.templates.model import expand_alternatives

if TYPE_CHECKING:
    from random import Random

    from t2c_core.prompt.variable_names import VariableNames
    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import ValueMention
    from t2c_data.planning.slots.sampler import Slot
    from t2c_data.templates.model import QuestionTemplate

TRIES_A_WORDING = 4

_SINGLE = re.compile(r"\bis (?:the|its|their) \{([a-z])[!@]*\}")
_DOUBLED = re.compile(r"\b([a-z]{3,})(?:'s)? (?=\1(?:s|'s)?\b)", re.IGNORECASE)
_REPEATED = re.compile(r"\b((?:[a-z]+ ){1,3})(?=\1)", re.IGNORECASE)
_TWICE = re.compile(r"\b(\w+ed) ([a-z]+) \1\b")
_THEIRS = re.compile(r"\b(?:their|its)(?= (?:[\w'-]+ ){1,4}?(?:of|for) the )")
_HOLE = re.compile(r"\{([^{}]+)\}")
_MARK = re.compile(f"{MARK_OPEN}(\\d+){MARK_CLOSE}")
_SUMMED = re.compile(r"\b(avg|sum)\(")
_ROWS = re.compile(r"count\(\*\) (AS n|> \{)|\{x\.first\}")
"""Counts of rows that must each stand for one thing."""
_OVER_SEVERAL = frozenset({"aggregate", "group", "top", "having", "compare", "conditional"})


@dataclass(frozen=True, slots=True)
class InstantiatedTemplate:
    """A bound pattern: its query and wordings with marks where mentions go."""

    pattern: QuestionTemplate
    cypher: str
    texts: tuple[str, ...]
    mentions: dict[int, ValueMention]


class TemplateInstantiator:
    """Fills patterns from one graph.

    Args:
        world: the graph and its lexicon.
        names: variables of the schema.
    """

    def __init__(self, world: GraphContext, names: VariableNames) -> None:
        self.world = world
        self.names = names
        weights = {}
        for label in world.labels:
            types = {hop.triple.type for hop in world.hops.get(label, [])}
            weights[label] = (1.0 + len(types) + 0.7 * len(world.properties_of(label))) ** 1.3
        self._labels = list(weights)
        self._weights = list(weights.values())

    def instantiate(
        self,
        pattern: QuestionTemplate,
        rng: Random,
        *,
        wordings: int = 3,
        label: str = "",
        out_of_schema_noun: Noun | None = None,
    ) -> InstantiatedTemplate:
        """Fill a pattern once.

        Args:
            pattern: what to ask.
            rng: every choice comes from it.
            wordings: how many texts to try for.
            label: the root's label; chosen when empty.
            stranger: a noun that takes the place of what slot `a` is called.

        Raises:
            UnfitError: the choices made do not fit; try again.
        """
        binder = Grounder(self.world, rng)
        root = binder.root(label or rng.choices(self._labels, self._weights)[0])
        apart = ConditionSampler(binder).add_conditions(root, pattern)
        slots = fill_slots(pattern, binder, root)
        self._refuse_idle(pattern, root, slots, binder)
        cypher = CypherTemplateWriter(pattern, slots, root, binder).write(CypherBuilder(root, self.names))
        speaker = NounPhraseRealiser(self.world, rng)
        several = pattern.category in _OVER_SEVERAL or "{count}" in pattern.cypher
        subject = RootRealiser(speaker, root, apart, plural_only=several)
        namer = PlaceholderRealiser(ReferringExpressionGenerator(speaker, slots, subject, out_of_schema_noun))
        wanted = set(map(int, _MARK.findall(cypher)))
        texts: list[str] = []
        for _ in range(wordings * TRIES_A_WORDING):
            try:
                text = _word(pattern, namer, rng)
            except UnfitError:
                continue
            if set(map(int, _MARK.findall(text))) == wanted and text not in texts:
                texts.append(text)
            if len(texts) == wordings:
                break
        if not texts:
            raise UnfitError("no wording")
        return InstantiatedTemplate(pattern, cypher, tuple(texts), binder.mentions)

    def _refuse_idle(
        self, pattern: QuestionTemplate, root: QueryNode, slots: dict[str, Slot], binder: Grounder
    ) -> None:
        """Refuse figures over one thing, and sums over rows that repeat.

        Raises:
            UnfitError: it is such a question.
        """
        neighbours = [slot for name, slot in slots.items() if f"({{{name}}})" in pattern.cypher and slot.path]
        counted = re.search(r"\{(count|distinct)\}", pattern.cypher)
        if (
            (counted or pattern.category in _OVER_SEVERAL)
            and self.world.is_uniquely_identified(root)
            and not neighbours
        ):
            raise UnfitError("a figure over one thing")
        shown = [slot for slot in slots.values() if slot.name]
        told = {each.name for each in root.conditions if each.operator == "eq" and not root.is_disjunction}
        if (
            shown
            and "DISTINCT" in pattern.cypher
            and all(each.part is root and each.name in told for each in shown)
        ):
            raise UnfitError("the question gives its answer")
        if "count(DISTINCT {a})" in pattern.cypher and self.world.is_named(root):
            raise UnfitError("one thing has one value")
        if _ROWS.search(pattern.cypher) and binder.spreads(root):
            raise UnfitError("rows repeat in a count")
        if not _SUMMED.search(pattern.cypher):
            return
        shared = [
            slot
            for slot in neighbours
            if isinstance(slot.part, QueryNode) and self.world.is_many_to_one(slot.path[0])
        ]
        years = [slot for slot in slots.values() if slot.name.lower().endswith("year")]
        if years and "sum(" in pattern.cypher:
            raise UnfitError("nobody adds up years")
        if binder.spreads(root, grouped=False) or (shared and not self.world.is_named(root)):
            raise UnfitError("rows repeat in a sum")


def _word(pattern: QuestionTemplate, namer: PlaceholderRealiser, rng: Random) -> str:
    frame = expand_alternatives(rng.choice(pattern.say), rng)
    namer.subject.begin()
    if any(namer.asked.is_plural(name) for name in _SINGLE.findall(frame)):
        raise UnfitError("no singular")
    text = _HOLE.sub(lambda match: namer.realise(match[1]), frame)
    if not namer.subject.told:
        raise UnfitError("something that the query asks is not said")
    return remove_repetitions(inflect(text, plural=not namer.subject.singular))


def remove_repetitions(text: str) -> str:
    """Mend what holes give side by side: `ward ward names`, `their names of the drugs`, `name the name`."""
    text = _DOUBLED.sub("", _REPEATED.sub("", text))
    text = _TWICE.sub(r"\2 \1", text)
    text = re.sub(r"\b[Aa]n? (?=([a-z]+))", lambda found: article(found[1]).removesuffix(found[1]), text)
    text = re.sub(r",\s*(?=[.,?]|$)", "", _THEIRS.sub("the", text))
    return re.sub(r"^name (?=(?:the |all |)(?:[\w']+ )?names? )", "list ", text)
