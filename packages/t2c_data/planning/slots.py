"""Slots of a template: what a question returns, groups by, counts or compares, chosen for a grounded tree.

`SLOT_KINDS` maps the kinds of slots that templates name to the functions that fill them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from t2c_data.errors import TemplateError, UnfitError
from t2c_data.planning import measures
from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship, Slot
from t2c_data.planning.slot_sampler import FIXING, SlotSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_data.graph.context import Hop
    from t2c_data.planning.grounding import Grounder
    from t2c_data.planning.query_tree import Operator
    from t2c_data.templates.model import QuestionTemplate

GROUPABLE = frozenset({"category", "boolean"})
"""Semantic types by which a root or relationship is grouped."""
UNGROUPABLE = frozenset({"id", "list", "number", "date", "text"})
"""Semantic types by which nothing is grouped."""
TOP_K_CHOICES = (1, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7, 8, 10, 10, 15, 20)
_WITHOUT_VALUE: frozenset[Operator] = frozenset({"null", "true", "false"})


def fill_slots(template: QuestionTemplate, grounder: Grounder, root: QueryNode) -> dict[str, Slot]:
    """Fill the slots of a template.

    Args:
        template: template with the slots.
        grounder: grounder of the tree.
        root: root of the tree; relationships for what is returned are added to it.

    Raises:
        UnfitError: the sampled node does not offer what a slot needs.
        TemplateError: a kind of slot is unknown.
    """
    sampler = SlotSampler(template, grounder, root)
    for name, kinds in template.slots.items():
        kind, _, options = sampler.rng.choice(kinds.split("|")).partition(" ")
        if kind not in SLOT_KINDS:
            raise TemplateError(
                f"{template.id}: unknown slot kind {kind!r}; expected one of {', '.join(SLOT_KINDS)}"
            )
        sampler.slots[name] = SLOT_KINDS[kind](sampler, options)
        if f"DISTINCT {{{name}}}" in template.cypher:
            sampler.check_type(sampler.slots[name], {"list"})
    return sampler.slots


# properties of the root and of what conditions mention


def _constrained_property(sampler: SlotSampler, options: str) -> Slot:
    """A property of the root that a condition mentions; `open`: without fixing it."""
    key, root = sampler.key(), sampler.root
    excluded = _WITHOUT_VALUE | FIXING if options == "open" else _WITHOUT_VALUE
    names = [each.name for each in root.conditions if each.operator not in excluded]
    names = [name for name in names if name not in sampler.used_properties(root)]
    names = [name for name in names if name != key or sampler.rng.random() < 0.3]
    return Slot(root, sampler.choose(names))


def _constrained_neighbour_property(sampler: SlotSampler, options: str) -> Slot:
    """A property of a neighbour, or of its relationship, that a condition mentions; `open`: without fixing it."""
    choices: list[tuple[QueryNode | QueryRelationship, str, QueryRelationship]] = []
    for rel in sampler.root.relationships:
        if rel.is_negated or rel.is_unverbalised:
            continue
        for part in (rel.node, rel):
            fixed = FIXING if options == "open" else frozenset()
            names = {each.name for each in part.conditions if each.operator not in fixed}
            if part is rel.node and options != "open":
                names.add(sampler.context.lexicon.labels[rel.node.label].display_property)
            names &= set(sampler.context.properties_of(part.label_or_type))
            choices += [(part, name, rel) for name in sorted(names - sampler.used_properties(part))]
    if not choices:
        raise UnfitError("no other property is mentioned")
    part, name, rel = sampler.rng.choice(choices)
    return Slot(part, name, path=(rel,), is_already_mentioned=True)


def _sibling_property(sampler: SlotSampler, options: str) -> Slot:
    """Another property of the part that another slot has."""
    slot = sampler.slots[options]
    taken = sampler.used_properties(slot.part) | {each.name for each in slot.part.conditions}
    names = [name for name in sampler.names(slot.part.label_or_type) if name not in taken]
    return Slot(slot.part, sampler.choose(names), path=slot.path)


def _number(sampler: SlotSampler, _: str, *, numbers: Sequence[int] = TOP_K_CHOICES) -> Slot:
    """A number that the question gives."""
    return Slot(sampler.root, mention=sampler.grounder.mention(sampler.rng.choice(numbers), "count"))


def _root_property(sampler: SlotSampler, _: str, *, types: tuple[str, ...]) -> Slot:
    """A property of the root of some semantic types that no condition fixes."""
    return Slot(sampler.root, sampler.root_property(*types, without=sampler.fixed_properties()))


def _date_part(sampler: SlotSampler, _: str, *, suffix: str) -> Slot:
    """A part of a date of the root."""
    return Slot(sampler.root, sampler.root_property("date"), suffix=suffix)


# neighbours and relationships, which are added to the tree


def _neighbour_property(sampler: SlotSampler, options: str) -> Slot:
    """A property of a neighbour.

    `number`; `several`: a category of one of several neighbours; `groupable`; `conditioned`: the relationship has a
    condition.
    """
    hops = sampler.hops()
    kinds = {"number": {"number"}, "several": {"category"}}.get(options, set())
    if options == "conditioned":
        hops = [hop for hop in hops if sampler.context.schema.type_by_name[hop.triple.type].properties]
    if kinds:
        hops = [hop for hop in hops if sampler.names(hop.end_label, kinds)]
    if options == "several":
        hops = [hop for hop in hops if sampler.has_several(hop)]
    rel = sampler.extend(hops)
    label = rel.node.label
    name = sampler.choose(sampler.names(label, kinds)) if kinds else sampler.returned_property(label)
    slot = Slot(rel.node, name, path=(rel,))
    if options == "groupable":
        sampler.check_type(slot, UNGROUPABLE)
    if options == "conditioned":
        sampler.add_separate_condition(slot, rel)
    return slot


def _neighbour(sampler: SlotSampler, options: str) -> Slot:
    """A neighbour itself, to be counted; `two_hop`: a neighbour's neighbour."""
    if options.startswith("two_hop"):
        return _two_hop_property(sampler, options.replace("two_hop", "node"))
    hops = sampler.hops()
    rel = sampler.extend([hop for hop in hops if sampler.has_several(hop)] or hops)
    return Slot(rel.node, path=(rel,))


def _two_hop_property(sampler: SlotSampler, options: str) -> Slot:
    """A property of a neighbour's neighbour; `groupable`, `several`; `only`: over the only path between the labels."""
    first = sampler.extend(sampler.hops(grouped=False))
    used = sampler.used_types()
    labels = {sampler.root.label, first.node.label}
    onward = [
        hop
        for hop in sampler.grounder.hops(first.node)
        if not used & hop.type_names and hop.end_label not in labels
    ]
    if "only" in options:
        start = sampler.root.label
        onward = [hop for hop in onward if sampler.context.is_unique_path(start, hop.end_label)]
    second = sampler.grounder.follow(first.node, sampler.choose_hop(onward))
    second.is_unverbalised = True
    first.node.relationships.append(second)
    label = second.node.label
    if "several" in options:
        if not any(map(sampler.context.is_to_many, (first, second))):
            raise UnfitError("one value per root")
        name = sampler.choose(sampler.names(label, {"category"}))
    else:
        name = "" if "node" in options else sampler.returned_property(label)
    slot = Slot(second.node, name, path=(first, second))
    if "groupable" in options:
        sampler.check_type(slot, UNGROUPABLE)
    return slot


def _co_neighbour(sampler: SlotSampler, _: str) -> Slot:
    """The display property of another node of the root's label that shares a neighbour with it."""
    rel = sampler.extend(sampler.hops(grouped=False))
    sampler.grounder.add_identifying_condition(sampler.root)
    other = QueryNode(sampler.root.label)
    back = QueryRelationship(rel.triple, not rel.forward, other, is_unverbalised=True)
    rel.node.relationships.append(back)
    return Slot(other, sampler.key(), path=(rel, back))


def _named_neighbour(sampler: SlotSampler, _: str) -> Slot:
    """A neighbour that the question names, correctly or not."""
    rel = sampler.extend([hop for hop in sampler.hops() if sampler.naming_property(hop.end_label)])
    condition = sampler.name_far_end(rel)
    if sampler.rng.random() < sampler.template.false_rate:
        values = sampler.context.sample.values[rel.node.label, condition.name]
        condition.mentions = (sampler.grounder.mention(sampler.rng.choice(values), "string"),)
    return Slot(rel.node, condition.name, path=(rel,))


def _conditional_count(sampler: SlotSampler, options: str) -> Slot:
    """Counts of roots with a named neighbour: `one`, or `two` over the same hop."""
    hop = sampler.choose_hop(
        [hop for hop in sampler.hops(grouped=False) if sampler.naming_property(hop.end_label)]
    )
    name = sampler.naming_property(hop.end_label)
    path: list[QueryRelationship] = []
    for _ in range(2 if options == "two" else 1):
        rel = sampler.grounder.follow(sampler.root, hop)
        values = sampler.context.sample.values[hop.end_label, name]
        value = sampler.rng.choice(values) if path else sampler.grounder.properties(rel.node).get(name)
        if not isinstance(value, str) or any(
            value == each.node.conditions[0].mentions[0].value for each in path
        ):
            raise UnfitError("no two values")
        mention = sampler.grounder.mention(value, "string")
        rel.node.conditions.append(PropertyPredicate(name, "eq", (mention,)))
        path.append(rel)
    return Slot(path[0].node, path=tuple(path), is_conditional_count=True)


def _relationship_property(sampler: SlotSampler, options: str) -> Slot:
    """A property of a relationship: `[number|date] [of SLOT|present|between [forward|self]] [conditioned]`.

    `of`: of the relationship to another slot; `present`: of one that a condition mentions; `between`: to a named
    neighbour, of another label (`forward`) or of the root's own (`self`).
    """
    words = options.split(" ")
    rel = _relationship_of(sampler, words)
    if "between" in words:
        sampler.name_far_end(rel)
    slot = Slot(rel, path=(rel,), is_already_mentioned="present" in words)
    if "conditioned" in words:
        sampler.add_separate_condition(slot, rel)
    taken = {each.name for each in rel.conditions} | sampler.used_properties(rel)
    offered = sampler.names(rel.triple.type, set(words) & {"number", "date"})
    slot.name = sampler.choose([name for name in offered if name not in taken])
    return slot


def _relationship_of(sampler: SlotSampler, words: list[str]) -> QueryRelationship:
    if words[0] == "of":
        return sampler.slots[words[1]].path[0]
    if "present" in words:
        present = [
            rel
            for rel in sampler.root.relationships
            if not rel.is_negated
            and not rel.is_unverbalised
            and sampler.context.properties_of(rel.triple.type)
        ]
        if not present:
            raise UnfitError("no relationship with properties")
        return sampler.rng.choice(present)
    types = set(words) & {"number", "date"}
    hops = [hop for hop in sampler.hops(grouped=False) if sampler.names(hop.triple.type, types)]
    if "forward" in words:
        hops = [hop for hop in hops if hop.forward and hop.end_label != sampler.root.label]
    if "self" in words:
        hops = [hop for hop in hops if hop.end_label == sampler.root.label]
    return sampler.extend(hops)


def _group_key(sampler: SlotSampler, options: str) -> Slot:
    """A property to group by; `two`: restricted to two values that the question compares.

    `restricted`: a neighbour only if the root has conditions; without, the neighbour itself is counted.
    """
    is_free = not sampler.root.conditions and not sampler.root.relationships
    if options == "restricted" and is_free:
        own = sampler.names(sampler.root.label, GROUPABLE)
        return Slot(sampler.root, sampler.choose(own))
    offers = _group_offers(sampler, with_root=options != "two")
    if not offers:
        raise UnfitError("nothing to group by")
    slot = sampler.rng.choices([make for _, make in offers], [weight for weight, _ in offers])[0]()
    if options == "two":
        context = sampler.context
        if any(
            context.is_ambiguous(rel) and not context.relationship_entry(rel).is_default for rel in slot.path
        ):
            raise UnfitError("a value alone does not identify the relationship")
        sampler.check_type(slot, UNGROUPABLE)
        condition = sampler.grounder.compare(slot.part, slot.name, frozenset({"in"}))
        condition.mentions = condition.mentions[:2]
        slot.part.conditions.append(condition)
        slot.values = condition.mentions
    return slot


def _group_offers(sampler: SlotSampler, *, with_root: bool) -> list[tuple[float, Callable[[], Slot]]]:
    """List group keys with their weights; properties of the root only if `with_root`."""
    context, fixed = sampler.context, sampler.fixed_properties()
    offers: list[tuple[float, Callable[[], Slot]]] = [
        (1.2, partial(Slot, sampler.root, name))
        for name in sampler.names(sampler.root.label, GROUPABLE)
        if with_root and name not in fixed
    ]
    for hop in sampler.hops():
        if context.max_degree(hop.number, not hop.forward) < 2:
            continue  # each group would have one member
        key = context.lexicon.labels[hop.end_label].display_property
        is_rare = bool(key) and context.semantic_type(hop.end_label, key) in {"id", "date", "number"}
        offers.append((hop.weight * (0.15 if is_rare else 1.0), partial(_neighbour_group, sampler, hop)))
        if not hop.types and sampler.names(hop.triple.type, GROUPABLE):
            offers.append((0.4, partial(_relationship_group, sampler, hop)))
    return offers


def _neighbour_group(sampler: SlotSampler, hop: Hop) -> Slot:
    rel = sampler.extend([hop])
    slot = Slot(rel.node, sampler.returned_property(rel.node.label), path=(rel,))
    if slot.name != sampler.context.lexicon.labels[rel.node.label].display_property:
        sampler.check_type(slot, UNGROUPABLE)
    return slot


def _relationship_group(sampler: SlotSampler, hop: Hop) -> Slot:
    rel = sampler.extend([hop])
    return Slot(rel, sampler.choose(sampler.names(rel.triple.type, GROUPABLE)), path=(rel,))


SLOT_KINDS: dict[str, Callable[[SlotSampler, str], Slot]] = {
    "key": lambda sampler, _: Slot(sampler.root, sampler.key()),
    "any": lambda sampler, _: Slot(sampler.root, sampler.root_property()),
    "own": lambda sampler, _: Slot(
        sampler.root, sampler.root_property(without=sampler.fixed_properties() | {sampler.key()})
    ),
    "number": partial(_root_property, types=("number",)),
    "date": partial(_root_property, types=("date",)),
    "sortable": partial(_root_property, types=("number", "date")),
    "boolean": partial(_root_property, types=("boolean",)),
    "year": partial(_date_part, suffix=".year"),
    "month": partial(_date_part, suffix=".month"),
    "small": _number,
    "several": partial(_number, numbers=TOP_K_CHOICES[1:]),
    "constrained_property": _constrained_property,
    "constrained_neighbour_property": _constrained_neighbour_property,
    "sibling_property": _sibling_property,
    "neighbour_property": _neighbour_property,
    "two_hop_property": _two_hop_property,
    "relationship_property": _relationship_property,
    "group_key": _group_key,
    "neighbour": _neighbour,
    "named_neighbour": _named_neighbour,
    "conditional_count": _conditional_count,
    "co_neighbour": _co_neighbour,
    "neighbour_count": measures.neighbour_count,
    "subset": measures.subset,
    "threshold": measures.threshold,
    "year_number": measures.year_number,
    "only_year": measures.only_year,
    "closed_path": measures.closed_path,
    "measured": measures.measured,
    "place": measures.place,
}
"""Functions by kind of slot; the text is what stands behind the kind in a template."""
