"""What a pattern returns: dimensions chosen for its slots, how they are written in the query and said in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_data.binding import TIMES, UnfitError
from t2c_data.tree import Condition, Link, Mention, Node
from t2c_data.verbalise import inflect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.binding import Binder, Hop
    from t2c_data.lexicon import Noun
    from t2c_data.patterns import Pattern
    from t2c_data.tree import Rendering
    from t2c_data.verbalise import Speaker

_HOLE = re.compile(r"\{([^{}]+)\}")
_SORTABLE = frozenset({"number", "date"})
_GROUPS = frozenset({"category", "boolean"})


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
    mention: Mention | None = None
    target: Node | None = None
    """The far node, where the part is a link."""
    counted: bool = False
    """Whether it is counted apart, by an EXISTS."""


class Slots:
    """The slots of one filled pattern.

    Args:
        pattern: its slots are filled at once.
        binder: chooses what the place in the sample offers.
        speaker: says it.
        root: the tree; links for what is returned are added to it.
    """

    def __init__(self, pattern: Pattern, binder: Binder, speaker: Speaker, root: Node) -> None:
        self.pattern = pattern
        self.binder = binder
        self.speaker = speaker
        self.root = root
        self.world = binder.world
        self.rng = speaker.rng
        self.singular = False
        self.people = False
        self.nouns: Sequence[Noun] = ()
        self.slots: dict[str, Slot] = {}
        for name, kind in pattern.slots.items():
            choice = self.rng.choice(kind.split("|"))
            self.slots[name] = self._fill(choice)

    # choosing

    def _fill(self, kind: str) -> Slot:
        root = self.root
        world = self.world
        words = kind.split(" ")
        if kind == "key":
            return Slot(root, self._key(root.label))
        if kind == "any":
            return Slot(root, self._own(exclude=set()))
        if kind == "own":
            return Slot(root, self._own(exclude=self._settled(root) | {self._key(root.label)}))
        if kind in {"number", "date"}:
            return Slot(root, self._own(kinds=frozenset({kind}), exclude=self._settled(root)))
        if kind == "sortable":
            return Slot(root, self._own(kinds=_SORTABLE, exclude=self._settled(root)))
        if kind in {"year of", "month of"}:
            return Slot(root, self._own(kinds=frozenset({"date"}), exclude=set()), suffix="." + words[0])
        if kind == "stated":
            names = [each.name for each in root.conditions if each.operator not in {"null", "true", "false"}]
            names = [
                name for name in names if name != self._key(root.label) and name not in self._taken(root)
            ]
            if not names:
                raise UnfitError("no condition on a property")
            return Slot(root, self.rng.choice(names))
        if kind == "k":
            return Slot(
                root,
                mention=self.binder.mention(
                    self.rng.choice((1, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7, 8, 10, 10, 15, 20)), "count"
                ),
            )
        if kind == "none":
            return Slot(root)
        if words[0] == "present":
            return self._present(only_stated="stated" in words)
        if kind == "dim":
            return self._dimension()
        if kind == "dim two":
            return self._two()
        if kind == "entity":
            return self._linked(entity=True)
        if kind == "far":
            return self._far()
        if kind == "far entity":
            return self._far(entity=True)
        if words[0] == "same":
            return self._same(self.slots[words[1]])
        if kind == "linked":
            return self._linked()
        if kind == "linked number":
            return self._linked(kinds=frozenset({"number"}))
        if kind == "linked with edge":
            slot = self._linked(edged=True)
            slot.stated = self.binder.condition(slot.path[0], operators=frozenset({"eq"}))
            slot.path[0].conditions.append(slot.stated)
            return slot
        if words[0] == "edge":
            return self._edge(kind)
        if kind == "link named":
            return self._named()
        if kind in {"one of", "versus"}:
            return self._counted(two=kind == "versus")
        if kind == "other":
            return self._other()
        raise UnfitError(f"no slot {kind}")

    def _key(self, label: str) -> str:
        key = self.world.lexicon.labels[label].key
        if not key or self.world.words(label, key) is None:
            raise UnfitError("no key")
        return key

    def _taken(self, part: Node | Link) -> set[str]:
        return {slot.name for slot in self.slots.values() if slot.part is part}

    def _settled(self, node: Node) -> set[str]:
        """Properties that conditions fix or other slots have."""
        fixed = {
            each.name for each in node.conditions if each.operator in {"eq", "true", "false", "null", "on"}
        }
        return fixed | self._taken(node)

    def _own(self, *, exclude: set[str], kinds: frozenset[str] | None = None) -> str:
        label = self.root.label
        names = [
            name for name in self.world.properties_of(label) if name not in exclude | self._taken(self.root)
        ]
        names = [name for name in names if kinds is None or self.world.kind(label, name) in kinds]
        if not names:
            raise UnfitError("no such property")
        return self.rng.choice(names)

    def _free_hops(self) -> list[Hop]:
        used = {kind for link in self.root.links for kind in link.types or (link.triple.type,)}
        return [hop for hop in self.binder.hops(self.root) if not used & set(hop.types or (hop.triple.type,))]

    def _extend(self, hop: Hop) -> Link:
        link = self.binder.follow(self.root, hop)
        link.silent = True
        self.root.links.append(link)
        return link

    def _choose(self, hops: list[Hop]) -> Hop:
        if not hops:
            raise UnfitError("no link to return")
        return self.rng.choices(hops, [hop.weight for hop in hops])[0]

    def _linked(
        self, *, kinds: frozenset[str] | None = None, entity: bool = False, edged: bool = False
    ) -> Slot:
        hops = self._free_hops()
        if edged:
            hops = [hop for hop in hops if self.world.schema.type_by_name[hop.triple.type].properties]
        if kinds is not None:
            hops = [
                hop
                for hop in hops
                if any(self.world.kind(hop.end, name) in kinds for name in self.world.properties_of(hop.end))
            ]
        link = self._extend(self._choose(hops))
        label = link.node.label
        if entity:
            return Slot(link.node, path=(link,))
        if kinds is not None:
            names = [
                name for name in self.world.properties_of(label) if self.world.kind(label, name) in kinds
            ]
            return Slot(link.node, self.rng.choice(names), path=(link,))
        return Slot(link.node, self._shown(label), path=(link,))

    def _shown(self, label: str) -> str:
        names = self.world.properties_of(label)
        key = self.world.lexicon.labels[label].key
        if key in names and self.rng.random() < 0.75:
            return key
        if not names:
            raise UnfitError("nothing to show")
        return self.rng.choice(names)

    def _same(self, slot: Slot) -> Slot:
        part = slot.part
        owner = part.label if isinstance(part, Node) else part.triple.type
        names = [
            name
            for name in self.world.properties_of(owner)
            if name not in self._taken(part) | {each.name for each in part.conditions}
        ]
        if not names:
            raise UnfitError("no second property")
        return Slot(part, self.rng.choice(names), path=slot.path, target=slot.target)

    def _present(self, *, only_stated: bool = False) -> Slot:
        choices: list[tuple[Node | Link, str, tuple[Link, ...]]] = []
        for link in self.root.links:
            if link.absent:
                continue
            for part, owner in ((link.node, link.node.label), (link, link.triple.type)):
                stated = {each.name for each in part.conditions}
                key = self.world.lexicon.labels[link.node.label].key if part is link.node else ""
                for name in self.world.properties_of(owner):
                    weight = 3 if name in stated or (name == key and not only_stated) else 0
                    if link.silent or name in self._taken(part):
                        weight = 0
                    choices += [(part, name, (link,))] * weight
        if not choices:
            raise UnfitError("nothing else in the tree")
        part, name, path = self.rng.choice(choices)
        target = path[0].node if isinstance(part, Link) else None
        return Slot(part, name, path=path, present=True, target=target)

    def _dimension(self) -> Slot:
        root = self.root
        offers: list[tuple[str, float, object]] = []
        for name in self.world.properties_of(root.label):
            if self.world.kind(root.label, name) in _GROUPS and name not in self._settled(root):
                offers.append(("own", 1.2, name))
        for hop in self._free_hops():
            singular = (
                self.world.kind(hop.end, self.world.lexicon.labels[hop.end].key or "") == "id"
                if self.world.lexicon.labels[hop.end].key
                else False
            )
            offers.append(("linked", hop.weight * (0.15 if singular else 1.0), hop))
            if not hop.types:
                kinds = {
                    self.world.kind(hop.triple.type, name)
                    for name in self.world.properties_of(hop.triple.type)
                }
                if kinds & _GROUPS:
                    offers.append(("edge", 0.4, hop))
        if not offers:
            raise UnfitError("nothing to group by")
        kind, _, choice = self.rng.choices(offers, [weight for _, weight, _ in offers])[0]
        if kind == "own":
            return Slot(root, str(choice))
        link = self._extend(choice)  # type: ignore[arg-type]
        if kind == "linked":
            return Slot(link.node, self._shown(link.node.label), path=(link,))
        names = [
            n
            for n in self.world.properties_of(link.triple.type)
            if self.world.kind(link.triple.type, n) in _GROUPS
        ]
        return Slot(link, self.rng.choice(names), path=(link,), target=link.node)

    def _two(self) -> Slot:
        slot = self._dimension()
        part = slot.part
        owner = part.label if isinstance(part, Node) else part.triple.type
        condition = self.binder.compare(part, owner, slot.name, frozenset({"in"}))
        condition.mentions = condition.mentions[:2]
        part.conditions.append(condition)
        if part is self.root:
            raise UnfitError("own dimensions would be said twice")
        slot.values = condition.mentions
        return slot

    def _far(self, *, entity: bool = False) -> Slot:
        hops = [hop for hop in self._free_hops() if not hop.types]
        first = self._extend(self._choose(hops))
        used = {kind for link in self.root.links for kind in link.types or (link.triple.type,)}
        onward = [
            hop
            for hop in self.binder.hops(first.node)
            if not used & set(hop.types or (hop.triple.type,)) and hop.end != self.root.label
        ]
        second = self.binder.follow(first.node, self._choose(onward))
        second.silent = True
        first.node.links.append(second)
        label = second.node.label
        name = "" if entity else self._shown(label)
        return Slot(second.node, name, path=(first, second))

    def _edge(self, kind: str) -> Slot:
        words = kind.split(" ")
        if words[-2:-1] == ["of"] and words[-1] in self.slots:
            link = self.slots[words[-1]].path[0]
        elif "present" in words:
            links = [link for link in self.root.links if not link.absent and not link.silent]
            links = [link for link in links if self.world.properties_of(link.triple.type)]
            if not links:
                raise UnfitError("no link with properties")
            link = self.rng.choice(links)
        else:
            hops = [
                hop
                for hop in self._free_hops()
                if not hop.types and self.world.properties_of(hop.triple.type)
            ]
            link = self._extend(self._choose(hops))
        owner = link.triple.type
        names = self.world.properties_of(owner)
        if "number" in words:
            names = [name for name in names if self.world.kind(owner, name) == "number"]
        slot = Slot(link, path=(link,), target=link.node, present="present" in words)
        if "between" in words:
            labels = self.world.lexicon.labels[link.node.label].name
            if not labels:
                raise UnfitError("the far end has no name")
            link.node.conditions.append(
                self.binder.compare(link.node, link.node.label, labels[0], frozenset({"eq"}))
            )
        if "stated" in words:
            slot.stated = self.binder.condition(link, operators=frozenset({"eq"}))
            link.conditions.append(slot.stated)
        names = [
            name for name in names if name not in {each.name for each in link.conditions} | self._taken(link)
        ]
        if not names:
            raise UnfitError("no property of a link")
        slot.name = self.rng.choice(names)
        return slot

    def _named(self) -> Slot:
        hops = [hop for hop in self._free_hops() if self.world.lexicon.labels[hop.end].name]
        link = self._extend(self._choose(hops))
        name = self.world.lexicon.labels[link.node.label].name[0]
        condition = self.binder.compare(link.node, link.node.label, name, frozenset({"eq"}))
        link.node.conditions.append(condition)
        if self.rng.random() < self.pattern.untrue:
            values = self.world.sample.values[link.node.label, name]
            condition.mentions = (self.binder.mention(self.rng.choice(values), "string"),)
        return Slot(link.node, name, path=(link,))

    def _other(self) -> Slot:
        """Another node of the root's label that shares a neighbour with the root."""
        hops = [hop for hop in self._free_hops() if not hop.types]
        link = self._extend(self._choose(hops))
        self.binder.single_out(self.root)
        twin = Node(self.root.label)
        back = Link(link.triple, not link.forward, twin, silent=True)
        link.node.links.append(back)
        return Slot(twin, self._key(self.root.label), path=(link, back))

    def _counted(self, *, two: bool) -> Slot:
        """A link that is counted apart: how many have it, or how many have one value and how many another."""
        hops = [hop for hop in self._free_hops() if self.world.lexicon.labels[hop.end].name and not hop.types]
        hop = self._choose(hops)
        name = self.world.lexicon.labels[hop.end].name[0]
        values = self.world.sample.values[hop.end, name]
        links = []
        for _ in range(2 if two else 1):
            link = self.binder.follow(self.root, hop)
            value = self.rng.choice(values) if links else self.binder.properties(link.node).get(name)
            if not isinstance(value, str) or any(
                value == each.node.conditions[0].mentions[0].value for each in links
            ):
                raise UnfitError("no two values")
            link.node.conditions.append(Condition(name, "eq", (self.binder.mention(value, "string"),)))
            links.append(link)
        return Slot(links[0].node, path=tuple(links), counted=True)

    # the query

    def query(self, rendering: Rendering) -> str:
        """Write the query of the pattern."""
        known = []
        for name in self.pattern.known:
            slot = self.slots[name]
            owner = slot.part.label if isinstance(slot.part, Node) else slot.part.triple.type
            if self.world.property(owner, slot.name).share < 1:
                known.append(f"{rendering.access(slot.part, slot.name)} IS NOT NULL")
        root = rendering.variable(self.root)
        spread = self.binder.spreads(self.root)
        whole = any(
            slot.part is self.root and self._identifies(slot.name)
            for slot in self.slots.values()
            if slot.name
        )
        fixed = {
            "match": rendering.match(tuple(known)),
            "root": root,
            "count": f"count(DISTINCT {root})" if spread else "count(*)",
            "rows": "count(*)",
            "distinct": f"count(DISTINCT {root})",
            "unique": "DISTINCT " if spread and whole and self._of_root() else "",
            "entities": self._entities(rendering),
            "many": "" if self.speaker.unique(self.root) else "DISTINCT ",
        }

        def hole(found: re.Match[str]) -> str:
            name = found[1]
            if name in fixed:
                return fixed[name]
            slot = self.slots[name.split(".")[0]]
            if slot.mention is not None:
                return slot.mention.parameter
            if slot.counted:
                link = slot.path[name.endswith(".second")]
                return f"count(CASE WHEN {rendering.exists(link, self.root)} THEN 1 END)"
            if name.endswith(".var"):
                return rendering.variable(slot.part)
            return rendering.access(slot.part, slot.name) + slot.suffix

        text = _HOLE.sub(hole, self.pattern.cypher)
        if len(set(re.findall(r"RETURN (.*)", text)[0].split(", "))) < len(
            re.findall(r"RETURN (.*)", text)[0].split(", ")
        ):
            raise UnfitError("the same column twice")
        return text

    def _of_root(self) -> bool:
        """Tell whether all that is returned belongs to the root, so that rows repeat for nothing."""
        return all(slot.part is self.root for slot in self.slots.values() if slot.name)

    def _entities(self, rendering: Rendering) -> str:
        """Count neighbours: rows of a single root, else each neighbour once if several roots can have it."""
        slot = next(
            (each for each in self.slots.values() if each.path and not each.name and not each.counted), None
        )
        if slot is None or self.speaker.unique(self.root):
            return "count(*)"
        numbers = {triple: number for number, triple in enumerate(self.world.schema.triples)}
        shared = any(
            self.world.fan(numbers[link.triple], not link.forward) > 1 or link.types for link in slot.path
        )
        return f"count(DISTINCT {rendering.variable(slot.part)})" if shared else "count(*)"

    def _identifies(self, name: str) -> bool:
        return (
            name == self.world.lexicon.labels[self.root.label].key
            or self.world.property(self.root.label, name).unique
        )

    # words

    def begin(self) -> None:
        """Begin a wording: choose number and noun anew."""
        speaker = self.speaker
        self.singular = speaker.unique(self.root) or (
            bool(self.root.conditions or self.root.links) and self.rng.random() < 0.18
        )
        words = self.world.lexicon.labels[self.root.label]
        noun = self.rng.choice(words.nouns)
        self.people = bool(words.people) and self.rng.random() < 0.2
        self.nouns = (noun,) if not self.people else ()

    def noun(self, *, plural: bool) -> str:
        """Say the root's noun."""
        words = self.world.lexicon.labels[self.root.label]
        return (self.nouns[0] if self.nouns else self.rng.choice(words.people))[plural]

    def the(self, node: Node) -> str:
        """Say the root with its article: `the case with primary ID 5`, `all cases that ...`."""
        text = self.speaker.phrase(
            node, plural=not self.singular, nouns=self.nouns, people=self.people or None
        )
        if self.singular:
            return "the " + text if self.rng.random() < 0.95 else text
        return self.rng.choice(("", "", "the ", "all ", "all the ")) + text

    def theirs(self, node: Node) -> str:
        """Say the root as what the group has done: `cases they registered that resulted in death`."""
        link = self.slots["g"].path[0] if self.slots["g"].path else None
        if link is None or link.forward or len(self.slots["g"].path) > 1:
            raise UnfitError("not theirs")
        verbs = [
            each.removeprefix("that ").removesuffix(" {}")
            for each in self.speaker._link_words(link).forward
            if re.fullmatch(r"that (have )?\w+ed \{\}", each)
        ]  # noqa: SLF001
        verb = self.speaker.pick(verbs)
        noun = self.rng.choice(self.world.lexicon.labels[self.root.label].nouns)
        return self.speaker.phrase(
            node, plural=True, nouns=((noun[0] + " they " + verb, noun[1] + " they " + verb),)
        )

    def degree(self) -> str:
        """Say the amount of the first condition that counts links."""
        said = self.speaker._degree(self.root.degrees[0])  # noqa: SLF001
        return next(each.removeprefix("having ") for each in said if each.startswith("having "))

    def say(self, hole: str, node: Node) -> str:
        """Say a slot: `{a}` one, `{a+}` many, `{a!}` the property alone, `{a@}` joined to the root, `{a.role}` ..."""
        name, mode = re.fullmatch(r"([a-z]+)(.*)", hole).groups()  # type: ignore[union-attr]
        slot = self.slots[name]
        if slot.mention is not None:
            return slot.mention.mark
        plural = mode.endswith("+")
        mode = mode.rstrip("+")
        if mode in {"", ".or"}:
            return "one" if mode and self.rng.random() < 0.15 else self._noun(slot, plural=plural)
        if mode == "!":
            return self._property(slot, plural=plural)
        if mode in {"@", "@these", "@them"}:
            head = self._noun(slot, plural=plural, head=True)
            return self._joined(slot, head, node, plural=plural, these=mode.removeprefix("@"))
        if mode == ".role":
            return self._role(slot, plural=plural)
        if mode in {".role@", ".role@these"}:
            return self._joined(
                slot,
                self._role(slot, plural=plural),
                node,
                plural=plural,
                these="these" if mode.endswith("these") else "",
            )
        if mode == ".of":
            return self._joined(slot, "", node, plural=plural, these="").strip()
        if mode == ".thing" and self._rivals(slot.path[0]):
            mode = ".thing.as"
        if mode == ".thing":
            return self.speaker._thing(slot.path[0])  # noqa: SLF001
        if mode == ".value":
            return self._value(slot)
        if mode == ".thing.as":
            return f"{self.speaker._thing(slot.path[0])} as {self._a(self._role(slot, plural=False))}"  # noqa: SLF001
        if mode == ".role.a":
            return self.rng.choice(("a ", "the ")) + self._role(slot, plural=False)
        if mode == ".noun":
            return self.rng.choice(self.world.lexicon.labels[slot.path[0].node.label].nouns)[plural]
        if mode == ".each":
            return self._each(slot, node)
        if mode == ".with" and slot.counted:
            return self._plainly(slot.path[0], finite=True)
        if mode in {".where", ".with"}:
            return self._stated(slot, mode)
        if mode in {".most", ".least"}:
            return self._superlative(slot, mode)
        if mode in {".one", ".two"}:
            return slot.values[mode == ".two"].mark
        if mode == ".either.and":
            return f"{slot.values[0].mark} and {slot.values[1].mark}"
        if mode == ".back":
            return self._back(slot)
        if mode in {".plain1", ".plain2"}:
            return self._plainly(slot.path[mode == ".plain2"])
        if mode == ".with2":
            return slot.path[1].node.conditions[0].mentions[0].mark
        if mode in {".share", ".shared"}:
            return self._shared(slot, mode)
        raise UnfitError(f"cannot say {hole}")

    def _a(self, text: str) -> str:
        return ("an " if text[:1] in "aeiou" else "a ") + text

    def _owner(self, slot: Slot) -> str:
        return slot.part.label if isinstance(slot.part, Node) else slot.part.triple.type

    def _property(self, slot: Slot, *, plural: bool) -> str:
        return self.speaker.property_noun(self._owner(slot), slot.name, plural=plural)

    def _role(self, slot: Slot, *, plural: bool) -> str:
        if slot.part is self.root:
            return self.noun(plural=plural)
        link = slot.path[-1]
        if len(slot.path) > 1 and self.rng.random() < 0.4:
            middle = self.rng.choice(self.world.lexicon.labels[slot.path[0].node.label].nouns)[1]
            return f"{self.rng.choice(self.world.lexicon.labels[link.node.label].nouns)[plural]} {self._backward(link, middle, plural=plural)}"
        return self.speaker.role(link, plural=plural, certain=slot.present)

    def _noun(self, slot: Slot, *, plural: bool, head: bool = False) -> str:
        """Name what a slot returns so that it can be told from everything else."""
        if slot.part is self.root or not slot.path:
            return self._property(slot, plural=plural)
        rng = self.rng
        role = self._role(slot, plural=False)
        if isinstance(slot.part, Link):
            noun = self._property(slot, plural=plural)
            if rng.random() < 0.05:
                kind = slot.part.triple.type
                return f"{noun} {rng.choice(('used ', '', 'values '))}in the {rng.choice((kind, f'{chr(39)}{kind}{chr(39)}'))} {rng.choice(('relationship', 'relationships'))}"
            alone = slot.present or not slot.path[0].forward or (rng.random() < 0.6 and self._alone(slot))
            if alone:
                return noun
            joint = rng.choice(("of", "for", "of"))
            return f"{noun} {joint} the {self._role(slot, plural=rng.random() < 0.5)}"
        label = slot.part.label
        noun = self._property(slot, plural=plural)
        words = self.world.lexicon.labels[label]
        naming = slot.name == words.key or slot.name in words.name[:1]
        roles = self._role(slot, plural=True)
        if noun.lower() == role.lower() or role.endswith(noun) or noun.startswith(role):
            return self._role(slot, plural=plural) if naming else noun
        if naming and rng.random() < 0.5:
            return self._role(slot, plural=plural)
        if head or rng.random() < 0.5:
            return f"{noun} of the {roles if plural else role}"
        if slot.present and rng.random() < 0.4:
            return f"{role}'s {noun}"
        return (
            f"{role} {noun}"
            if " that " not in role and " listed " not in role
            else f"{noun} of the {roles if plural else role}"
        )

    def _alone(self, slot: Slot) -> bool:
        """Tell whether a link's property can be named without saying which link."""
        link = slot.path[0]
        if self.world.lexicon.link(link.triple).assumed:
            return True
        owners = {owner for (owner, name) in self.world.lexicon.properties if name == slot.name}
        return len(owners) == 1

    def _backward(self, link: Link, thing: str, *, plural: bool) -> str:
        words = self.speaker._link_words(link)  # noqa: SLF001
        phrases = [
            each
            for each in (words.backward if link.forward else words.forward)
            if "{value}" not in each and not each.startswith(("where ", "in which ", "who "))
        ]
        return inflect(self.speaker.pick(phrases).replace("{}", thing), plural=plural)

    def _joined(self, slot: Slot, head: str, node: Node, *, plural: bool, these: str) -> str:
        """Join what a slot returns to the root: `reactions reported in the case with primary ID 5`."""
        rng = self.rng
        if these == "them":
            thing = "them"
        elif these:
            thing = rng.choice(("these ", "those ", "the ", "such ")) + self.noun(plural=True)
        else:
            thing = self.the(node)
        if not slot.path:
            return f"{head} of {thing}"
        if isinstance(slot.part, Link):
            return f"{head} {rng.choice(('in', 'for', 'of'))} {thing}"
        if len(slot.path) > 1:
            first, second = slot.path[0], slot.path[-1]
            if rng.random() < 0.5:
                return f"{head} {rng.choice(('for', 'of', 'in'))} {thing}"
            middle = rng.choice(self.world.lexicon.labels[first.node.label].nouns)
            if rng.random() < 0.5:
                text = self._backward(
                    second, rng.choice((middle[1], "the " + middle[1], self._a(middle[0]))), plural=plural
                )
                return f"{head} {text} {self._backward(first, thing, plural=True)}"
            return f"{head} {self._backward(second, middle[0], plural=plural)} {rng.choice(('for', 'of', 'in'))} {thing}"
        return f"{head} {self._backward(slot.path[0], thing, plural=plural)}"

    def _rivals(self, link: Link) -> bool:
        """Tell whether another relationship would be meant if this one were not named."""
        ends = (link.triple.source, link.triple.target)
        several = sum((each.source, each.target) == ends for each in self.world.schema.triples) > 1
        return several and not self.world.lexicon.link(link.triple).assumed

    def _value(self, slot: Slot) -> str:
        """Say again the value that names the far end of a link."""
        node = slot.path[0].node
        if (
            len(node.conditions) != 1
            or node.conditions[0].operator != "eq"
            or not node.conditions[0].mentions
        ):
            raise UnfitError("no value to say again")
        return node.conditions[0].mentions[0].mark

    def _stated(self, slot: Slot, mode: str) -> str:
        if slot.stated is None:
            raise UnfitError("no condition of its own")
        said = self.speaker._said(slot.path[0].triple.type, slot.stated, node=None)  # noqa: SLF001
        if mode == ".where":
            return (
                self.speaker.pick([each for each in said if each.startswith("where ")])
                .removeprefix("where the ")
                .removeprefix("where ")
            )
        return inflect(
            self.speaker.pick(
                [
                    each
                    for each in said
                    if not each.startswith(("where ", "whose ", "that ", "in which ", "pre:"))
                ]
            ),
            plural=False,
        )

    def _plainly(self, link: Link, *, finite: bool = False) -> str:
        said = self.speaker.linked(link)
        fitting = [
            each for each in said if not each.startswith(("where ", "who ", "in which ", "whose ", "pre:"))
        ]
        if not finite:
            fitting = [each for each in fitting if not each.startswith("that ")]
        return inflect(self.speaker.finished(self.speaker.pick(fitting), link), plural=True)

    def _each(self, slot: Slot, node: Node) -> str:
        """Say the root with its group in its place: `cases registered by each manufacturer that ...`."""
        noun = self.rng.choice(self.world.lexicon.labels[self.root.label].nouns)
        if (
            len(slot.path) != 1
            or isinstance(slot.part, Link)
            or slot.name != self.world.lexicon.labels[slot.part.label].key
        ):
            raise UnfitError("not a neighbour that has a name")
        link = slot.path[0]
        words = self.speaker._link_words(link)  # noqa: SLF001
        phrases = [
            each
            for each in (words.forward if link.forward else words.backward)
            if each.endswith(" {}") and not each.startswith(("where ", "who ", "in which ", "whose "))
        ]
        group = self.rng.choice(self.world.lexicon.labels[link.node.label].nouns)[0]
        said = inflect(self.speaker.pick(phrases), plural=True).replace(
            "{}", self.rng.choice(("each ", "each ", "every ")) + group
        )
        return self.speaker.phrase(node, plural=True, nouns=((f"{noun[0]} {said}", f"{noun[1]} {said}"),))

    def _superlative(self, slot: Slot, mode: str) -> str:
        words = self.world.words(self._owner(slot), slot.name)
        said = (words.most if mode == ".most" else words.least) if words else ()
        dated = self.world.kind(self._owner(slot), slot.name) == "date"
        if not said and dated:
            raise UnfitError("no superlative")
        return self.speaker.pick(said)

    def _back(self, slot: Slot) -> str:
        link = slot.path[0]
        words = self.speaker._link_words(link)  # noqa: SLF001
        phrases = [
            each
            for each in (words.backward if link.forward else words.forward)
            if "{value}" not in each and each.startswith("that [is|are]")
        ]
        text = self.speaker.pick(phrases)
        return inflect(text, plural=False).removeprefix("that is ").replace(" {}", "").replace("{} ", "")

    def _shared(self, slot: Slot, mode: str) -> str:
        link = slot.path[0]
        noun = self.rng.choice(self.world.lexicon.labels[link.node.label].nouns)[0]
        role = self.speaker.role(link, plural=False)
        if mode == ".shared":
            return self.rng.choice((noun, role)) if role == noun else role
        words = self.speaker._link_words(link)  # noqa: SLF001
        phrases = [
            each
            for each in (words.forward if link.forward else words.backward)
            if "{value}" not in each and each.startswith("that ")
        ]
        text = inflect(self.speaker.pick(phrases), plural=True).removeprefix("that ")
        return text.replace("{}", f"the same {noun}")


__all__ = ["TIMES", "Slot", "Slots"]
