"""Slots that measure each root by itself, or a part of all roots: counts of neighbours, subsets, thresholds, years."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.lexicon.measure_words import countable_plurals, measure_verbs, place_preposition
from t2c_data.planning.query_tree import QueryNode, QueryRelationship, Slot

if TYPE_CHECKING:
    from t2c_data.graph.context import Hop
    from t2c_data.planning.slot_sampler import SlotSampler

SUBSET_OPERATORS = frozenset(
    {"eq", "true", "false", "gt", "lt", "ge", "le", "has", "year", "after_year", "before_year"}
)
SUBSET_TYPES = frozenset({"boolean", "category", "number", "date", "list"})
"""Semantic types of properties that divide the roots."""
_YEAR = re.compile(r"year$", re.IGNORECASE)


def neighbour_count(sampler: SlotSampler, options: str) -> Slot:
    """The number of neighbours of each root; `several`: over a hop on which some root has more than one."""
    context = sampler.context
    hops = [
        hop
        for hop in context.hops.get(sampler.root.label, [])
        if not hop.types and (not options or context.max_degree(hop.number, hop.forward) > 1)
    ]
    hop = sampler.choose_hop(hops)
    end = QueryNode(hop.end_label)
    rel = QueryRelationship(hop.triple, hop.forward, end)
    if context.has_parallel_relationships(rel):
        raise UnfitError("a neighbour would be counted twice")
    return Slot(end, path=(rel,), anchor=sampler.root)


def subset(sampler: SlotSampler, _: str) -> Slot:
    """The roots that meet one further condition, on a property or on a named neighbour."""
    root, grounder = sampler.root, sampler.grounder
    view = QueryNode(root.label)
    fixed = sampler.fixed_properties() | {each.name for each in root.conditions}
    hops = [hop for hop in sampler.hops(grouped=False) if sampler.naming_property(hop.end_label)]
    if hops and sampler.rng.random() < 0.35:
        rel = grounder.follow(root, sampler.choose_hop(hops))
        sampler.name_far_end(rel)
        view.relationships.append(rel)
        return Slot(root, subset=view)
    names = [name for name in sampler.names(root.label, SUBSET_TYPES) if name not in fixed]
    booleans = [name for name in names if sampler.context.semantic_type(root.label, name) == "boolean"]
    chosen = booleans if booleans and sampler.rng.random() < 0.5 else names
    view.conditions.append(grounder.compare(root, sampler.choose(chosen), SUBSET_OPERATORS))
    return Slot(root, subset=view)


def threshold(sampler: SlotSampler, options: str) -> Slot:
    """A whole number near the values of another slot's property, to compare its averages with."""
    slot = sampler.slots[options]
    values = sampler.context.sample.values.get((slot.part.label_or_type, slot.name), [])
    numbers = sorted(each for each in values if isinstance(each, int | float) and not isinstance(each, bool))
    if len(numbers) < 4:
        raise UnfitError("too few numbers")
    middle = numbers[len(numbers) // 4 : 3 * len(numbers) // 4 + 1]
    number = round(sampler.rng.choice(middle))
    if number < 1:
        raise UnfitError("too small a number")
    return Slot(sampler.root, mention=sampler.grounder.mention(number, "count"))


def year_number(sampler: SlotSampler, _: str) -> Slot:
    """A property of the root that holds a year as a number."""
    names = [name for name in sampler.names(sampler.root.label, {"number"}) if _YEAR.search(name)]
    taken = sampler.fixed_properties()
    return Slot(sampler.root, sampler.choose([name for name in names if name not in taken]))


def only_year(sampler: SlotSampler, _: str) -> Slot:
    """The year of the only date of the root, which is an event, so that "per year" says which."""
    dates = sampler.names(sampler.root.label, {"date"})
    is_event = not sampler.context.lexicon.labels[sampler.root.label].animate_nouns
    if len(dates) != 1 or dates[0] in sampler.fixed_properties() or not is_event:
        raise UnfitError("not one date")
    return Slot(sampler.root, dates[0], suffix=".year")


def measured(sampler: SlotSampler, options: str) -> Slot:
    """A number of the root that can be asked for by "how tall", "how much does it cost" or "how many beds".

    `countable`: by "how many" or a verb only.
    """
    root, context = sampler.root, sampler.context
    names = []
    for name in sampler.names(root.label, {"number"}):
        words = context.lexicon.properties[root.label, name]
        is_integer = context.property(root.label, name).type == "INTEGER"
        counts = is_integer and bool(countable_plurals(name, words))
        has_verb = bool(measure_verbs([singular for singular, _ in words.nouns]))
        if counts or has_verb or (not options and words.superlative_max):
            names.append(name)
    fixed = sampler.fixed_properties()
    return Slot(root, sampler.choose([name for name in names if name not in fixed]))


def place(sampler: SlotSampler, _: str) -> Slot:
    """A property of the root that says where it is."""
    words = sampler.context.lexicon.properties
    fixed = sampler.fixed_properties() | {each.name for each in sampler.root.conditions}
    names = [
        name
        for name in sampler.names(sampler.root.label)
        if name not in fixed
        and any(place_preposition(noun) for noun, _ in words[sampler.root.label, name].nouns)
    ]
    return Slot(sampler.root, sampler.choose(names))


def closed_path(sampler: SlotSampler, _: str) -> Slot:
    """A neighbour that the root has over two relationships: `a drug that they take and are allergic to`."""
    root = sampler.root
    hops = [hop for hop in sampler.context.hops.get(root.label, []) if not hop.types]
    pairs = [
        (first, second)
        for first in hops
        for second in hops
        if first.end_label == second.end_label
        and first.end_label != root.label
        and first.triple.type != second.triple.type
    ]
    if not pairs:
        raise UnfitError("no two relationships between the same labels")
    first, second = sampler.rng.choice(pairs)
    end = QueryNode(first.end_label)
    rel, closing = (_relationship(hop, end) for hop in (first, second))
    closing.is_unverbalised, rel.closing = True, closing
    root.relationships += [rel, closing]
    return Slot(end, path=(rel,))


def _relationship(hop: Hop, end: QueryNode) -> QueryRelationship:
    return QueryRelationship(hop.triple, hop.forward, end)
