"""Fills a pattern: a tree bound to the graph, its query, and several wordings of it.

The result is a draft whose mentions are written out and numbered by `surface`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_data.binding import Binder, UnfitError
from t2c_data.patterns import choose
from t2c_data.slots import Slots
from t2c_data.tree import MARK_CLOSE, MARK_OPEN, Condition, Link, Mention, Node, Rendering
from t2c_data.verbalise import Speaker, inflect

if TYPE_CHECKING:
    from random import Random

    from t2c_core.prompt.names import Names
    from t2c_data.binding import Hop, World
    from t2c_data.patterns import Pattern

_HOLE = re.compile(r"\{([^{}]+)\}")
_MARK = re.compile(f"{MARK_OPEN}(\\d+){MARK_CLOSE}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A bound pattern: its query and wordings with marks where mentions go."""

    pattern: Pattern
    cypher: str
    texts: tuple[str, ...]
    mentions: dict[int, Mention]


class Composer:
    """Fills patterns from one graph.

    Args:
        world: the graph and its lexicon.
        names: variables of the schema.
    """

    def __init__(self, world: World, names: Names) -> None:
        self.world = world
        self.names = names
        weights = {}
        for label in world.labels:
            types = {hop.triple.type for hop in world.hops.get(label, [])}
            weights[label] = (1.0 + len(types) + 0.7 * len(world.properties_of(label))) ** 1.3
        self._labels = list(weights)
        self._weights = list(weights.values())

    def compose(self, pattern: Pattern, rng: Random, *, wordings: int = 3, label: str = "") -> Draft:
        """Fill a pattern once.

        Args:
            pattern: what to ask.
            rng: every choice comes from it.
            wordings: how many texts to try for.
            label: the root's label; chosen when empty.

        Raises:
            UnfitError: the choices made do not fit; try again.
        """
        binder = Binder(self.world, rng)
        root = binder.root(label or rng.choices(self._labels, self._weights)[0])
        said_apart = self._bind(pattern, binder, root, rng)
        slots = Slots(pattern, binder, Speaker(self.world, rng), root)
        rendering = Rendering(root, self.names)
        cypher = slots.query(rendering)
        wanted = set(map(int, _MARK.findall(cypher)))
        texts = []
        for _ in range(wordings * 4):
            if len(texts) >= wordings:
                break
            try:
                text = self._say(pattern, slots, root, said_apart, rng)
            except UnfitError:
                continue
            found = list(map(int, _MARK.findall(text)))
            if set(found) == wanted and text not in texts:
                texts.append(text)
        if not texts:
            raise UnfitError("no wording")
        return Draft(pattern, cypher, tuple(texts), binder.made)

    def _bind(self, pattern: Pattern, binder: Binder, root: Node, rng: Random) -> list[Node]:
        low, high = pattern.conditions
        count = (
            rng.randint(low, high)
            if high < 3
            else rng.choice([n for n in (1, 1, 1, 2, 2, 2, 3) if low <= n <= high])
        )
        used: set[str] = set()
        if pattern.named or (count and rng.random() < pattern.unique):
            binder.single_out(root)
            count = max(count - 1, 0) if rng.random() < 0.9 or pattern.named else count - 1
            if not pattern.split and rng.random() < 0.85:
                count = 0
        for _ in range(max(count, 0)):
            self._condition(binder, root, used, rng)
        for _ in range(pattern.degree):
            root.degrees.append(binder.degree(root, used))
        for _ in range(pattern.absent):
            root.links.append(binder.absence(root, used))
        if pattern.untrue and rng.random() < pattern.untrue:
            binder.falsify(root)
        if not pattern.split:
            if len(root.conditions) == 2 and not root.links and not root.degrees and rng.random() < 0.06:
                root.either = True
            return []
        return self._split(root, rng)

    def _split(self, root: Node, rng: Random) -> list[Node]:
        parts: list[tuple[str, object]] = [("c", each) for each in root.conditions] + [
            ("l", each) for each in root.links
        ]
        if len(parts) < 2:
            raise UnfitError("nothing to split")
        if rng.random() < 0.7:
            rng.shuffle(parts)
        cut = len(parts) - 1
        views = []
        for chunk in (parts[:cut], parts[cut:]):
            view = Node(root.label)
            view.conditions = [each for kind, each in chunk if kind == "c"]  # type: ignore[misc]
            view.links = [each for kind, each in chunk if kind == "l"]  # type: ignore[misc]
            views.append(view)
        return views

    def _condition(self, binder: Binder, node: Node, used: set[str], rng: Random, depth: int = 0) -> None:
        """Put one condition on a node: on a property of its own or on something it is joined to."""
        hops = binder.hops(node)
        own = len(self.world.properties_of(node.label))
        if not hops or (
            own and rng.random() < own / (own + 1.3 * len({hop.triple.type for hop in hops}) + 0.01)
        ):
            try:
                node.conditions.append(binder.condition(node))
            except UnfitError:
                if not hops:
                    raise
            else:
                return
        hop = binder.choose_hop(node, used)
        link = binder.follow(node, hop)
        used.update(hop.types or (hop.triple.type,))
        self._narrow(binder, link, rng, used, depth)
        node.links.append(link)
        if rng.random() < 0.06 and not link.types:
            self._twin(binder, node, link, hop)

    def _twin(self, binder: Binder, node: Node, link: Link, hop: Hop) -> None:
        """Ask for a second neighbour of the same kind: `with both nausea and headache`."""
        conditions = link.node.conditions
        if (
            len(conditions) != 1
            or conditions[0].operator != "eq"
            or conditions[0].literal
            or link.conditions
            or link.node.links
        ):
            return
        name = conditions[0].name
        if (
            name != self.world.lexicon.labels[link.node.label].name[:1][0]
            if self.world.lexicon.labels[link.node.label].name
            else True
        ):
            return
        try:
            twin = binder.follow(node, hop, avoid=frozenset({binder.instances[id(link.node)]}))
        except UnfitError:
            return
        value = binder.properties(twin.node).get(name)
        if not isinstance(value, str) or value == conditions[0].mentions[0].value:
            return
        mention = binder.mention(value, "string")
        twin.node.conditions.append(Condition(name, "eq", (mention,)))
        twin.silent = True
        conditions[0].also = mention
        node.links.append(twin)

    def _narrow(self, binder: Binder, link: Link, rng: Random, used: set[str], depth: int) -> None:
        child = link.node
        names = self.world.lexicon.labels[child.label].name
        edge = (
            self.world.properties_of(link.triple.type)
            if self.world.schema.type_by_name[link.triple.type].properties
            else []
        )
        roll = rng.random()
        deeper = depth == 0 and len(binder.hops(child)) > 1
        if names and roll < 0.66:
            name = names[0] if len(names) == 1 or rng.random() < 0.75 else rng.choice(names[1:])
            operators = {"eq"} if rng.random() < 0.9 else {"in", "starts", "contains", "ne"}
            child.conditions.append(binder.compare(child, child.label, name, frozenset(operators)))
            if edge and rng.random() < 0.18:
                link.conditions.append(binder.condition(link))
            if rng.random() < 0.06 and len(self.world.properties_of(child.label)) > 1:
                child.conditions.append(
                    binder.condition(child, operators=frozenset({"eq", "gt", "lt", "on", "true", "false"}))
                )
        elif edge and roll < 0.78:
            link.conditions.append(binder.condition(link))
            if rng.random() < 0.12:
                link.conditions.append(binder.condition(link))
        elif deeper and (roll < 0.9 or not self.world.properties_of(child.label)):
            inner = set(used)
            others = [hop for hop in binder.hops(child) if not inner & set(hop.types or (hop.triple.type,))]
            if not others:
                raise UnfitError("no second hop")
            second = binder.follow(
                child,
                rng.choices(others, [hop.weight for hop in others])[0],
                avoid=frozenset(binder.instances.values()),
            )
            used.update(second.types or (second.triple.type,))
            self._narrow(binder, second, rng, used, depth + 1)
            child.links.append(second)
        elif roll < 0.94:
            child.conditions.append(binder.condition(child))

    def _say(self, pattern: Pattern, slots: Slots, root: Node, apart: list[Node], rng: Random) -> str:
        frame = choose(rng.choice(pattern.say), rng)
        slots.begin()
        first = apart[0] if apart else root
        text = _HOLE.sub(lambda match: self._hole(match[1], slots, first, apart, rng), frame)
        return inflect(text, plural=not slots.singular)

    def _hole(self, hole: str, slots: Slots, node: Node, apart: list[Node], rng: Random) -> str:
        speaker = slots.speaker
        if hole == "np":
            return speaker.phrase(node, plural=True, nouns=slots.nouns)
        if hole == "np1":
            return speaker.phrase(node, plural=False, nouns=slots.nouns)
        if hole == "np they":
            return slots.theirs(node)
        if hole == "the np":
            return slots.the(node)
        if hole in {"noun", "nouns"}:
            return slots.noun(plural=hole == "nouns")
        if hole == "clause":
            return speaker.clause(node, plural=True, people=slots.people)
        if hole == "where":
            return speaker.where(node)
        if hole == "rest.where":
            return speaker.where(apart[1])
        if hole in {"rest", "rest.that"}:
            body = speaker.clause(apart[1], plural=not slots.singular, people=slots.people)
            return ("that " if hole == "rest.that" else "") + body
        if hole == "degree":
            return slots.degree()
        if hole == "does":
            return "does" if slots.singular else "do"
        return slots.say(hole, node)
