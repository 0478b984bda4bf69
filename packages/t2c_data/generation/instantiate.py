"""Template instantiation: a tree grounded in the graph, its query and several wordings.

Values stay sentinels until `realisation.surface` inserts them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.lexicon.morphology import article, inflect_alternatives
from t2c_data.planning.conditions import ConditionSampler
from t2c_data.planning.cypher_writer import CypherBuilder, CypherTemplateWriter, grouped_by
from t2c_data.planning.grounding import Grounder
from t2c_data.planning.query_tree import SENTINEL_CLOSE, SENTINEL_OPEN, QueryNode
from t2c_data.planning.slots import fill_slots
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
    from t2c_data.planning.query_tree import Slot, ValueMention
    from t2c_data.templates.model import QuestionTemplate

TRIES_PER_WORDING = 4

_SINGULAR_PLACEHOLDER = re.compile(r"\bis (?:the|its|their) \{([a-z])[!@]*\}")
_REPEATED_NOUN = re.compile(r"\b([a-z]{3,})(?:'s)? (?=\1(?:s|'s)?\b)", re.IGNORECASE)
_REPEATED_WORDS = re.compile(r"\b((?:[a-z]+ ){1,3})(?=\1)", re.IGNORECASE)
_REPEATED_PARTICIPLE = re.compile(r"\b(\w+ed) ([a-z]+) \1\b")
_POSSESSIVE_WITH_OWNER = re.compile(r"\b(?:their|its)(?= (?:[\w'-]+ ){1,4}?(?:of|for) the )")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_SENTINEL = re.compile(f"{SENTINEL_OPEN}(\\d+){SENTINEL_CLOSE}")
_SUM = re.compile(r"\b(avg|sum)\(")
_ROW_COUNT = re.compile(r"count\(\*\) (AS n|> \{)|\{x\.(first|part)\}")
"""Counts of rows in which each row must stand for one root."""
_AGGREGATING = frozenset({"aggregate", "group", "top", "having", "compare", "conditional"})


@dataclass(frozen=True, slots=True)
class InstantiatedTemplate:
    """A template with its query tree, its query and wordings, in which sentinels stand for the mentions."""

    template: QuestionTemplate
    cypher: str
    texts: tuple[str, ...]
    mentions: dict[int, ValueMention]
    root: QueryNode
    slots: dict[str, Slot]


class TemplateInstantiator:
    """Instantiates templates on one graph.

    Args:
        context: graph with its lexicon.
        names: variables of the schema.
    """

    def __init__(self, context: GraphContext, names: VariableNames) -> None:
        self.context = context
        self.names = names
        self._weights = {}
        for label in context.labels:
            types = {hop.triple.type for hop in context.hops.get(label, [])}
            self._weights[label] = (1.0 + len(types) + 0.7 * len(context.properties_of(label))) ** 1.3

    def instantiate(
        self,
        template: QuestionTemplate,
        rng: Random,
        *,
        wordings: int = 3,
        label: str = "",
        out_of_schema_noun: Noun | None = None,
    ) -> InstantiatedTemplate:
        """Instantiate a template once.

        Args:
            template: template to instantiate.
            rng: source of all random choices.
            wordings: maximum number of texts.
            label: label of the root; chosen when empty.
            out_of_schema_noun: noun that replaces the property of slot `a`.

        Raises:
            UnfitError: the choices made do not fit; try again.
        """
        grounder = Grounder(self.context, rng)
        root = grounder.root(label or rng.choices([*self._weights], [*self._weights.values()])[0])
        views = ConditionSampler(grounder).add_conditions(root, template)
        slots = fill_slots(template, grounder, root)
        self._check_sense(template, root, slots, grounder)
        cypher = CypherTemplateWriter(template, slots, root, grounder).write(CypherBuilder(root, self.names))
        noun_phrases = NounPhraseRealiser(self.context, rng)
        plural_only = template.category in _AGGREGATING or "{count}" in template.cypher
        subject = RootRealiser(noun_phrases, root, views, plural_only=plural_only)
        placeholders = PlaceholderRealiser(
            ReferringExpressionGenerator(noun_phrases, slots, subject, out_of_schema_noun)
        )
        mentioned = set(map(int, _SENTINEL.findall(cypher)))
        texts: list[str] = []
        for _ in range(wordings * TRIES_PER_WORDING):
            try:
                text = _realise(template, placeholders, rng)
            except UnfitError:
                continue
            if set(map(int, _SENTINEL.findall(text))) == mentioned and text not in texts:
                texts.append(text)
            if len(texts) == wordings:
                break
        if not texts:
            raise UnfitError("no wording")
        return InstantiatedTemplate(template, cypher, tuple(texts), grounder.mentions, root, slots)

    def _check_sense(
        self, template: QuestionTemplate, root: QueryNode, slots: dict[str, Slot], grounder: Grounder
    ) -> None:
        """Check that the question makes sense: no aggregate of one node, no sum over repeated rows.

        Raises:
            UnfitError: it does not.
        """
        cypher = template.cypher
        neighbours = [
            slot
            for name, slot in slots.items()
            if f"({{{name}}})" in cypher and slot.path and slot.anchor is None
        ]
        counts = re.search(r"\{(count|distinct)\}", cypher)
        aggregates = counts or template.category in _AGGREGATING
        if aggregates and self.context.is_uniquely_identified(root) and not neighbours:
            raise UnfitError("an aggregate of one node")
        shown = [slot for slot in slots.values() if slot.name]
        stated = {each.name for each in root.conditions if each.operator == "eq" and not root.is_disjunction}
        if (
            shown
            and "DISTINCT" in cypher
            and all(each.part is root and each.name in stated for each in shown)
        ):
            raise UnfitError("the question contains its answer")
        if "count(DISTINCT {a})" in cypher and self.context.is_named(root):
            raise UnfitError("one node has one value")
        if _ROW_COUNT.search(cypher) and grounder.multiplies_rows(root):
            raise UnfitError("rows repeat in a count")
        key = self.context.lexicon.labels[root.label].display_property
        if re.search(r"\{rows\}|WITH \{root\}", cypher) and not self.context.is_identifying(root.label, key):
            raise UnfitError("a group of several roots")
        added = {name: slot for name, slot in slots.items() if slot not in neighbours}
        repeats = grounder.repeats_roots(added, grouped_by(template))
        if re.search(r"\{x\.(first|part)\}", cypher) and repeats:
            raise UnfitError("rows repeat in a conditional count")
        if not _SUM.search(cypher):
            return
        if "sum(" in cypher and any(slot.name.lower().endswith("year") for slot in slots.values()):
            raise UnfitError("a sum of years")
        is_shared = any(
            isinstance(slot.part, QueryNode) and self.context.is_many_to_one(slot.path[0])
            for slot in neighbours
        )
        is_parallel = any(
            isinstance(slot.part, QueryNode)
            and any(rel.types or self.context.has_parallel_relationships(rel) for rel in slot.path)
            for slot in neighbours
        )
        if (
            repeats
            or is_parallel
            or grounder.multiplies_rows(root, count_types=False)
            or (is_shared and not self.context.is_named(root))
        ):
            raise UnfitError("rows repeat in a sum")


def _realise(template: QuestionTemplate, placeholders: PlaceholderRealiser, rng: Random) -> str:
    wording = expand_alternatives(rng.choice(template.questions), rng)
    subject = placeholders.subject
    subject.begin()
    if any(placeholders.references.is_plural(name) for name in _SINGULAR_PLACEHOLDER.findall(wording)):
        raise UnfitError("no singular")
    text = _PLACEHOLDER.sub(lambda match: placeholders.realise(match[1]), wording)
    if not subject.is_complete:
        raise UnfitError("a condition of the query is not verbalised")
    return remove_repetitions(inflect_alternatives(text, plural=not subject.singular))


def remove_repetitions(text: str) -> str:
    """Remove repetitions that adjacent placeholders cause: `ward ward names`, `their names of the drugs`."""
    text = _REPEATED_NOUN.sub("", _REPEATED_WORDS.sub("", text))
    text = _REPEATED_PARTICIPLE.sub(r"\2 \1", text)
    text = re.sub(r"\b[Aa]n? (?=([a-z]+))", lambda found: article(found[1]).removesuffix(found[1]), text)
    text = re.sub(r",\s*(?=[.,?]|$)", "", _POSSESSIVE_WITH_OWNER.sub("the", text))
    return re.sub(r"^name (?=(?:the |all |)(?:[\w']+ )?names? )", "list ", text)
