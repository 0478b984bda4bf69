"""Slots for what the tree does not hold yet: neighbours, links to them, groups, things to count.

Adds silent links to the root. What the tree holds is in `properties`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship
from t2c_data.planning.slots.sampler import NO_GROUPS, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_data.graph.context import Hop
    from t2c_data.planning.slots.sampler import SlotSampler

GROUPS = frozenset({"category", "boolean"})
"""Kinds of property that people group by."""


def linked(choice: SlotSampler, rest: str) -> Slot:
    """A property of a neighbour.

    `linked`; `linked number`; `linked group` for what is no identifier; `linked edge` with a condition on the link.
    """
    hops = choice.hops()
    if rest == "edge":
        hops = [hop for hop in hops if choice.world.schema.type_by_name[hop.triple.type].properties]
    if rest == "number":
        hops = [hop for hop in hops if choice.names(hop.end_label, {"number"})]
    link = choice.extend(hops)
    label = link.node.label
    name = (
        choice.choose(choice.names(label, {"number"})) if rest == "number" else choice.display_property(label)
    )
    slot = Slot(link.node, name, path=(link,))
    if rest == "group":
        choice.refuse(slot, NO_GROUPS)
    if rest == "edge":
        choice.add_stated_condition(slot, link)
    return slot


def entity(choice: SlotSampler, rest: str) -> Slot:
    """A neighbour itself, to be counted: `entity`, `entity far`."""
    if rest == "far":
        return far(choice, "entity")
    hops = choice.hops()
    several = [hop for hop in hops if choice.world.max_degree(hop.number, hop.forward) > 1]
    link = choice.extend(several or hops)
    return Slot(link.node, path=(link,))


def far(choice: SlotSampler, rest: str) -> Slot:
    """A property of a neighbour's neighbour: `far`, `far group` for what is no identifier."""
    first = choice.extend(_of_one_type(choice))
    used = choice.used()
    onward = [
        hop
        for hop in choice.binder.hops(first.node)
        if not used & hop.type_names and hop.end_label not in {choice.root.label, first.node.label}
    ]
    second = choice.binder.follow(first.node, choice.hop(onward))
    second.is_unverbalised = True
    first.node.links.append(second)
    name = "" if rest == "entity" else choice.display_property(second.node.label)
    slot = Slot(second.node, name, path=(first, second))
    if rest == "group":
        choice.refuse(slot, NO_GROUPS)
    return slot


def other(choice: SlotSampler, rest: str) -> Slot:  # noqa: ARG001
    """The key of another node of the root's label that shares a neighbour with it."""
    link = choice.extend(_of_one_type(choice))
    choice.binder.add_identifying_condition(choice.root)
    twin = QueryNode(choice.root.label)
    back = QueryRelationship(link.triple, not link.forward, twin, is_unverbalised=True)
    link.node.links.append(back)
    return Slot(twin, choice.key(), path=(link, back))


def named(choice: SlotSampler, rest: str) -> Slot:  # noqa: ARG001
    """A neighbour that the question names, rightly or not."""
    link = choice.extend([hop for hop in choice.hops() if choice.world.lexicon.labels[hop.end_label].name])
    condition = _name(choice, link)
    if choice.rng.random() < choice.pattern.untrue:
        values = choice.world.sample.values[link.node.label, condition.name]
        condition.mentions = (choice.binder.mention(choice.rng.choice(values), "string"),)
    return Slot(link.node, condition.name, path=(link,))


def counted(choice: SlotSampler, rest: str) -> Slot:
    """Named neighbours counted apart: `counted one`, `counted two`."""
    labels = choice.world.lexicon.labels
    hop = choice.hop([hop for hop in _of_one_type(choice) if labels[hop.end_label].name])
    name = labels[hop.end_label].name[0]
    links: list[QueryRelationship] = []
    for _ in range(2 if rest == "two" else 1):
        link = choice.binder.follow(choice.root, hop)
        values = choice.world.sample.values[hop.end_label, name]
        value = choice.rng.choice(values) if links else choice.binder.properties(link.node).get(name)
        if not isinstance(value, str) or any(
            value == each.node.conditions[0].mentions[0].value for each in links
        ):
            raise UnfitError("no two values")
        link.node.conditions.append(PropertyPredicate(name, "eq", (choice.binder.mention(value, "string"),)))
        links.append(link)
    return Slot(links[0].node, path=tuple(links), is_conditional_count=True)


def edge(choice: SlotSampler, rest: str) -> Slot:
    """A property of a link: `edge [number]`, `edge of a`, `edge present`, `edge between`.

    `between forward`: from the root to something else; `between self`: to another of its kind; `stated`: with a
    condition on the link that the wording speaks of apart.
    """
    words = rest.split(" ")
    link = _edge_link(choice, words)
    if "between" in words:
        if not choice.world.lexicon.labels[link.node.label].name:
            raise UnfitError("the far end has no name")
        _name(choice, link)
    slot = Slot(link, path=(link,), is_already_mentioned="present" in words)
    if "stated" in words:
        choice.add_stated_condition(slot, link)
    taken = {each.name for each in link.conditions} | choice.used_properties(link)
    offered = choice.names(link.triple.type, set(words) & {"number", "date"})
    slot.name = choice.choose([name for name in offered if name not in taken])
    return slot


def _edge_link(choice: SlotSampler, words: list[str]) -> QueryRelationship:
    if words[0] == "of":
        return choice.slots[words[1]].path[0]
    if "present" in words:
        links = [link for link in choice.root.links if not link.is_negated and not link.is_unverbalised]
        links = [link for link in links if choice.world.properties_of(link.triple.type)]
        if not links:
            raise UnfitError("no link with properties")
        return choice.rng.choice(links)
    kinds = set(words) & {"number", "date"}
    hops = [hop for hop in _of_one_type(choice) if choice.names(hop.triple.type, kinds)]
    others = [hop for hop in hops if hop.end_label != choice.root.label]
    kept = {
        "forward": [hop for hop in others if hop.forward],
        "self": [hop for hop in hops if hop not in others],
    }
    return choice.extend(kept.get(words[1] if len(words) > 1 else "", hops))


def dim(choice: SlotSampler, rest: str) -> Slot:
    """Something to group by: `dim`, or `dim two` values of it that are compared."""
    offers = _dimensions(choice, own=rest != "two")
    if not offers:
        raise UnfitError("nothing to group by")
    slot = choice.rng.choices([make for _, make in offers], [weight for weight, _ in offers])[0]()
    if rest == "two":
        if any(
            choice.world.is_ambiguous(link) and not choice.world.link_words(link).assumed
            for link in slot.path
        ):
            raise UnfitError("a value alone does not say which link")
        choice.refuse(slot, NO_GROUPS)
        condition = choice.binder.compare(slot.part, slot.name, frozenset({"in"}))
        condition.mentions = condition.mentions[:2]
        slot.part.conditions.append(condition)
        slot.values = condition.mentions
    return slot


def _dimensions(choice: SlotSampler, *, own: bool) -> list[tuple[float, Callable[[], Slot]]]:
    """List what can be grouped by, each with its weight; the root's properties only if `own`."""
    world, settled = choice.world, choice.fixed_properties()
    names = [name for name in choice.names(choice.root.label, GROUPS) if own and name not in settled]
    offers: list[tuple[float, Callable[[], Slot]]] = [
        (1.2, partial(Slot, choice.root, name)) for name in names
    ]
    for hop in choice.hops():
        if world.max_degree(hop.number, not hop.forward) < 2:
            continue  # each group would be of one
        key = world.lexicon.labels[hop.end_label].key
        rare = bool(key) and world.semantic_type(hop.end_label, key) in {"id", "date", "number"}
        offers.append((hop.weight * (0.15 if rare else 1.0), partial(_neighbour, choice, hop)))
        if not hop.types and choice.names(hop.triple.type, GROUPS):
            offers.append((0.4, partial(_link_group, choice, hop)))
    return offers


def _neighbour(choice: SlotSampler, hop: Hop) -> Slot:
    link = choice.extend([hop])
    slot = Slot(link.node, choice.display_property(link.node.label), path=(link,))
    if slot.name != choice.world.lexicon.labels[link.node.label].key:
        choice.refuse(slot, NO_GROUPS)
    return slot


def _link_group(choice: SlotSampler, hop: Hop) -> Slot:
    link = choice.extend([hop])
    return Slot(link, choice.choose(choice.names(link.triple.type, GROUPS)), path=(link,))


def _of_one_type(choice: SlotSampler) -> list[Hop]:
    return [hop for hop in choice.hops() if not hop.types]


def _name(choice: SlotSampler, link: QueryRelationship) -> PropertyPredicate:
    """Have the question name the far end of a link."""
    name = choice.world.lexicon.labels[link.node.label].name[0]
    condition = choice.binder.compare(link.node, name, frozenset({"eq"}))
    link.node.conditions.append(condition)
    return condition


NEIGHBOUR_SLOTS: dict[str, Callable[[SlotSampler, str], Slot]] = {
    "linked": linked,
    "entity": entity,
    "far": far,
    "other": other,
    "named": named,
    "counted": counted,
    "edge": edge,
    "dim": dim,
}
"""Kinds of slots and what fills them; the text is what stands behind the kind in a pattern."""
