"""Chooses what a pattern returns: properties of the root, of neighbours, of links; groups; things to count.

A slot that needs more of the graph adds silent links to the tree. Holds no wording (see `naming`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from t2c_data.errors import TemplateError, UnfitError
from t2c_data.tree import Condition, Link, Mention, Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_data.binding import Binder
    from t2c_data.patterns import Pattern
    from t2c_data.tree import Operator
    from t2c_data.world import Hop

GROUPS = frozenset({"category", "boolean"})
"""Kinds of property that people group by."""
SHARE_OF_KEYS = 0.75
"""How often a neighbour is shown by its key rather than by another property."""
SMALL_NUMBERS = (1, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7, 8, 10, 10, 15, 20)

_NO_GROUPS = frozenset({"id", "list", "number", "date", "text"})
_UNSTATED: frozenset[Operator] = frozenset({"null", "true", "false"})
_FIXING: frozenset[Operator] = frozenset({"eq", "true", "false", "null", "on"})


@dataclass(slots=True)
class Slot:
    """Something that a question asks for."""

    part: Node | Link
    name: str = ""
    """Property; empty for the thing itself."""
    path: tuple[Link, ...] = ()
    """Links from the root to it."""
    present: bool = False
    """Whether a condition speaks of the part already."""
    suffix: str = ""
    """`.year` or `.month`."""
    stated: Condition | None = None
    """A condition on the link that the wording speaks of apart."""
    values: tuple[Mention, ...] = ()
    """Values that are compared."""
    mention: Mention | None = None
    """A number that the question gives."""
    counted: bool = False
    """Whether it is counted apart, by an EXISTS."""


class SlotFiller:
    """Fills the slots of one pattern.

    Args:
        pattern: its slots.
        binder: chooses what the place in the sample offers.
        root: the tree; links for what is returned are added to it.
    """

    def __init__(self, pattern: Pattern, binder: Binder, root: Node) -> None:
        self._pattern = pattern
        self._binder = binder
        self._root = root
        self._world = binder.world
        self._rng = binder.rng
        self.slots: dict[str, Slot] = {}

    def fill(self) -> dict[str, Slot]:
        """Fill all slots.

        Raises:
            UnfitError: the place in the sample does not offer one.
            TemplateError: the pattern asks for a slot that there is not.
        """
        for name, kinds in self._pattern.slots.items():
            kind, _, rest = self._rng.choice(kinds.split("|")).partition(" ")
            make = _MAKERS.get(kind)
            if make is None:
                raise TemplateError(f"{self._pattern.id}: no slot {kind!r}; known: {', '.join(_MAKERS)}")
            self.slots[name] = make(self, rest)
            if f"DISTINCT {{{name}}}" in self._pattern.cypher:
                self._refuse(self.slots[name], {"list"})
        return self.slots

    # the root

    def key(self, rest: str = "") -> Slot:  # noqa: ARG002
        """The property that stands for the root."""
        return Slot(self._root, self._key())

    def any(self, rest: str) -> Slot:  # noqa: ARG002
        """Any property of the root."""
        return Slot(self._root, self._own(set()))

    def own(self, rest: str) -> Slot:  # noqa: ARG002
        """A property of the root other than its key and than what conditions fix."""
        return Slot(self._root, self._own(self._settled() | {self._key()}))

    def number(self, rest: str) -> Slot:  # noqa: ARG002
        """A number of the root."""
        return Slot(self._root, self._own(self._settled(), {"number"}))

    def date(self, rest: str) -> Slot:  # noqa: ARG002
        """A date of the root."""
        return Slot(self._root, self._own(self._settled(), {"date"}))

    def sortable(self, rest: str) -> Slot:  # noqa: ARG002
        """A number or date of the root."""
        return Slot(self._root, self._own(self._settled(), {"number", "date"}))

    def boolean(self, rest: str) -> Slot:  # noqa: ARG002
        """A boolean of the root."""
        return Slot(self._root, self._own(self._settled(), {"boolean"}))

    def year(self, rest: str) -> Slot:  # noqa: ARG002
        """The year of a date of the root."""
        return Slot(self._root, self._own(set(), {"date"}), suffix=".year")

    def month(self, rest: str) -> Slot:  # noqa: ARG002
        """The month of a date of the root."""
        return Slot(self._root, self._own(set(), {"date"}), suffix=".month")

    def stated(self, rest: str) -> Slot:
        """A property of the root that a condition speaks of: `stated`, or `stated open`, which it does not fix."""
        key = self._key()
        without = _UNSTATED | _FIXING if rest == "open" else _UNSTATED
        names = [each.name for each in self._root.conditions if each.operator not in without]
        names = [name for name in names if name not in self._taken(self._root)]
        names = [name for name in names if name != key or self._rng.random() < 0.3]
        return Slot(self._root, self._choose(names))

    def small(self, rest: str) -> Slot:  # noqa: ARG002
        """A small number that the question gives."""
        return Slot(self._root, mention=self._binder.mention(self._rng.choice(SMALL_NUMBERS), "count"))

    # what conditions speak of

    def several(self, rest: str) -> Slot:  # noqa: ARG002
        """A small number above one that the question gives."""
        return Slot(self._root, mention=self._binder.mention(self._rng.choice(SMALL_NUMBERS[1:]), "count"))

    def present(self, rest: str) -> Slot:
        """A property of a neighbour, or of the link to it, that a condition speaks of; `open`: does not fix."""
        choices: list[tuple[Node | Link, str, Link]] = []
        for link in self._root.links:
            if link.absent or link.silent:
                continue
            for part in (link.node, link):
                owner = self._world.owner(part)
                fixed = _FIXING if rest == "open" else frozenset()
                named = {each.name for each in part.conditions if each.operator not in fixed}
                if part is link.node and rest != "open":
                    named.add(self._world.lexicon.labels[link.node.label].key)
                fitting = named & set(self._world.properties_of(owner)) - self._taken(part)
                choices += [(part, name, link) for name in sorted(fitting)]
        if not choices:
            raise UnfitError("nothing else in the tree")
        part, name, link = self._rng.choice(choices)
        return Slot(part, name, path=(link,), present=True)

    def same(self, rest: str) -> Slot:
        """Another property of what another slot has."""
        slot = self.slots[rest]
        taken = self._taken(slot.part) | {each.name for each in slot.part.conditions}
        names = [
            name for name in self._world.properties_of(self._world.owner(slot.part)) if name not in taken
        ]
        return Slot(slot.part, self._choose(names), path=slot.path)

    # neighbours

    def linked(self, rest: str) -> Slot:
        """A property of a neighbour.

        `linked`; `linked number`; `linked group` for what is no identifier; `linked edge` with a condition on the link.
        """
        hops = self._free_hops()
        if rest == "edge":
            hops = [hop for hop in hops if self._world.schema.type_by_name[hop.triple.type].properties]
        if rest == "number":
            hops = [hop for hop in hops if self._names(hop.end, {"number"})]
        link = self._extend(hops)
        label = link.node.label
        name = self._choose(self._names(label, {"number"})) if rest == "number" else self._shown(label)
        slot = Slot(link.node, name, path=(link,))
        if rest == "group":
            self._refuse(slot, _NO_GROUPS)
        if rest == "edge":
            slot.stated = self._binder.condition(link, operators=frozenset({"eq"}))
            link.conditions.append(slot.stated)
        return slot

    def entity(self, rest: str) -> Slot:
        """A neighbour itself, to be counted: `entity`, `entity far`."""
        if rest == "far":
            return self.far("entity")
        hops = self._free_hops()
        several = [hop for hop in hops if self._world.fan(hop.number, hop.forward) > 1]
        link = self._extend(several or hops)
        return Slot(link.node, path=(link,))

    def far(self, rest: str) -> Slot:
        """A property of a neighbour's neighbour: `far`, `far group` for what is no identifier."""
        first = self._extend([hop for hop in self._free_hops() if not hop.types])
        used = _types(self._root)
        onward = [
            hop
            for hop in self._binder.hops(first.node)
            if not used & hop.kinds and hop.end not in {self._root.label, first.node.label}
        ]
        second = self._binder.follow(first.node, self._weighted(onward))
        second.silent = True
        first.node.links.append(second)
        name = "" if rest == "entity" else self._shown(second.node.label)
        slot = Slot(second.node, name, path=(first, second))
        if rest == "group":
            self._refuse(slot, _NO_GROUPS)
        return slot

    def other(self, rest: str) -> Slot:  # noqa: ARG002
        """The key of another node of the root's label that shares a neighbour with it."""
        link = self._extend([hop for hop in self._free_hops() if not hop.types])
        self._binder.single_out(self._root)
        twin = Node(self._root.label)
        back = Link(link.triple, not link.forward, twin, silent=True)
        link.node.links.append(back)
        return Slot(twin, self._key(), path=(link, back))

    def named(self, rest: str) -> Slot:  # noqa: ARG002
        """A neighbour that the question names, rightly or not."""
        link, condition = self._named_neighbour(self._free_hops())
        if self._rng.random() < self._pattern.untrue:
            values = self._world.sample.values[link.node.label, condition.name]
            condition.mentions = (self._binder.mention(self._rng.choice(values), "string"),)
        return Slot(link.node, condition.name, path=(link,))

    def counted(self, rest: str) -> Slot:
        """Named neighbours counted apart: `counted one`, `counted two`."""
        hops = [
            hop for hop in self._free_hops() if self._world.lexicon.labels[hop.end].name and not hop.types
        ]
        hop = self._weighted(hops)
        name = self._world.lexicon.labels[hop.end].name[0]
        links: list[Link] = []
        for _ in range(2 if rest == "two" else 1):
            link = self._binder.follow(self._root, hop)
            values = self._world.sample.values[hop.end, name]
            value = self._rng.choice(values) if links else self._binder.properties(link.node).get(name)
            if not isinstance(value, str) or any(
                value == each.node.conditions[0].mentions[0].value for each in links
            ):
                raise UnfitError("no two values")
            link.node.conditions.append(Condition(name, "eq", (self._binder.mention(value, "string"),)))
            links.append(link)
        return Slot(links[0].node, path=tuple(links), counted=True)

    # links and groups

    def edge(self, rest: str) -> Slot:
        """A property of a link: `edge [number]`, `edge of a`, `edge present`, `edge between`.

        `between forward`: from the root to something else; `between self`: to another of its kind; `stated`: with a
        condition on the link that the wording speaks of apart.
        """
        words = rest.split(" ")
        link = self._edge_link(words)
        if "between" in words:
            names = self._world.lexicon.labels[link.node.label].name
            if not names:
                raise UnfitError("the far end has no name")
            link.node.conditions.append(self._binder.compare(link.node, names[0], frozenset({"eq"})))
        slot = Slot(link, path=(link,), present="present" in words)
        if "stated" in words:
            slot.stated = self._binder.condition(link, operators=frozenset({"eq"}))
            link.conditions.append(slot.stated)
        taken = {each.name for each in link.conditions} | self._taken(link)
        offered = self._names(link.triple.type, set(words) & {"number", "date"} or None)
        slot.name = self._choose([name for name in offered if name not in taken])
        return slot

    def _edge_link(self, words: list[str]) -> Link:
        if words[0] == "of":
            return self.slots[words[1]].path[0]
        if "present" in words:
            links = [link for link in self._root.links if not link.absent and not link.silent]
            links = [link for link in links if self._world.properties_of(link.triple.type)]
            if not links:
                raise UnfitError("no link with properties")
            return self._rng.choice(links)
        kinds = set(words) & {"number", "date"} or None
        hops = [hop for hop in self._free_hops() if not hop.types and self._names(hop.triple.type, kinds)]
        other = [hop for hop in hops if hop.end != self._root.label]
        kept = {
            "forward": [hop for hop in other if hop.forward],
            "self": [hop for hop in hops if hop not in other],
        }
        return self._extend(kept.get(words[1] if len(words) > 1 else "", hops))

    def dim(self, rest: str) -> Slot:
        """Something to group by: `dim`, or `dim two` values of it that are compared."""
        offers: list[tuple[float, Callable[[], Slot]]] = []
        settled = self._settled()
        own = [
            name for name in self._names(self._root.label, GROUPS) if name not in settled and rest != "two"
        ]
        offers += [(1.2, partial(Slot, self._root, name)) for name in own]
        for hop in self._free_hops():
            if self._world.fan(hop.number, not hop.forward) < 2:
                continue  # each group would be of one
            key = self._world.lexicon.labels[hop.end].key
            rare = bool(key) and self._world.kind(hop.end, key) in {"id", "date", "number"}
            offers.append((hop.weight * (0.15 if rare else 1.0), partial(self._neighbour, hop)))
            if not hop.types and self._names(hop.triple.type, GROUPS):
                offers.append((0.4, partial(self._link_group, hop)))
        if not offers:
            raise UnfitError("nothing to group by")
        slot = self._rng.choices([make for _, make in offers], [weight for weight, _ in offers])[0]()
        if rest == "two":
            if any(
                self._world.confused(link) and not self._world.link_words(link).assumed for link in slot.path
            ):
                raise UnfitError("a value alone does not say which link")
            self._refuse(slot, _NO_GROUPS)
            condition = self._binder.compare(slot.part, slot.name, frozenset({"in"}))
            condition.mentions = condition.mentions[:2]
            slot.part.conditions.append(condition)
            slot.values = condition.mentions
        return slot

    def _neighbour(self, hop: Hop) -> Slot:
        link = self._extend([hop])
        slot = Slot(link.node, self._shown(link.node.label), path=(link,))
        if slot.name != self._world.lexicon.labels[link.node.label].key:
            self._refuse(slot, _NO_GROUPS)
        return slot

    def _link_group(self, hop: Hop) -> Slot:
        link = self._extend([hop])
        return Slot(link, self._choose(self._names(link.triple.type, GROUPS)), path=(link,))

    # choosing

    def _key(self) -> str:
        key = self._world.lexicon.labels[self._root.label].key
        if not key or self._world.words(self._root.label, key) is None:
            raise UnfitError("no key")
        return key

    def _names(self, owner: str, kinds: frozenset[str] | set[str] | None) -> list[str]:
        names = self._world.properties_of(owner)
        return [name for name in names if kinds is None or self._world.kind(owner, name) in kinds]

    def _taken(self, part: Node | Link) -> set[str]:
        return {slot.name for slot in self.slots.values() if slot.part is part}

    def _settled(self) -> set[str]:
        """Properties of the root that conditions fix or other slots have."""
        fixed = {each.name for each in self._root.conditions if each.operator in _FIXING}
        return fixed | self._taken(self._root)

    def _own(self, exclude: set[str], kinds: set[str] | None = None) -> str:
        taken = exclude | self._taken(self._root)
        return self._choose([name for name in self._names(self._root.label, kinds) if name not in taken])

    def _choose(self, names: list[str]) -> str:
        if not names:
            raise UnfitError("no such property")
        return self._rng.choice(names)

    def _refuse(self, slot: Slot, kinds: frozenset[str] | set[str]) -> None:
        if slot.name and self._world.kind(self._world.owner(slot.part), slot.name) in kinds:
            raise UnfitError("nobody groups by it")

    def _shown(self, label: str) -> str:
        names = self._world.properties_of(label)
        key = self._world.lexicon.labels[label].key
        return key if key in names and self._rng.random() < SHARE_OF_KEYS else self._choose(names)

    def _free_hops(self) -> list[Hop]:
        used = _types(self._root)
        return [hop for hop in self._binder.hops(self._root) if not used & hop.kinds]

    def _weighted(self, hops: list[Hop]) -> Hop:
        if not hops:
            raise UnfitError("no link to return")
        return self._rng.choices(hops, [hop.weight for hop in hops])[0]

    def _extend(self, hops: list[Hop]) -> Link:
        link = self._binder.follow(self._root, self._weighted(hops))
        link.silent = True
        self._root.links.append(link)
        return link

    def _named_neighbour(self, hops: list[Hop]) -> tuple[Link, Condition]:
        link = self._extend([hop for hop in hops if self._world.lexicon.labels[hop.end].name])
        name = self._world.lexicon.labels[link.node.label].name[0]
        condition = self._binder.compare(link.node, name, frozenset({"eq"}))
        link.node.conditions.append(condition)
        return link, condition


_MAKERS: dict[str, Callable[[SlotFiller, str], Slot]] = {
    name: getattr(SlotFiller, name)
    for name in (
        "key", "any", "own", "number", "date", "sortable", "boolean", "year", "month", "stated", "small", "several",
        "present",
        "same", "linked", "entity", "far", "other", "named", "counted", "edge", "dim",
    )
}  # fmt: skip


def _types(node: Node) -> set[str]:
    return {kind for link in node.links for kind in link.types or (link.triple.type,)}


def slot_kinds() -> tuple[str, ...]:
    """List the kinds of slots that patterns may have."""
    return tuple(_MAKERS)


def parse_hole(hole: str) -> tuple[str, str, bool]:
    """Split a hole of a wording into slot, mode and number: `a.role+` gives `a`, `.role`, plural."""
    match = re.fullmatch(r"([a-z]+)(.*?)(\+?)", hole)
    if match is None:
        raise TemplateError(f"no hole {{{hole}}}")
    return match[1], match[2], bool(match[3])
