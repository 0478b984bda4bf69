"""Fills a pattern: a tree bound to the graph, its query, and several wordings of it.

The result is a draft whose mentions are written out and numbered by `surface`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_data.answer import QueryWriter
from t2c_data.asked import Asked
from t2c_data.binding import Binder
from t2c_data.errors import UnfitError
from t2c_data.inflection import article, inflect
from t2c_data.naming import Namer
from t2c_data.patterns import choose
from t2c_data.slots.filling import fill_slots
from t2c_data.subject import Subject
from t2c_data.tree import MARK_CLOSE, MARK_OPEN, Condition, Link, Node, Rendering
from t2c_data.verbalise import Speaker

if TYPE_CHECKING:
    from random import Random

    from t2c_core.prompt.names import Names
    from t2c_data.lexicon import Noun
    from t2c_data.patterns import Pattern
    from t2c_data.slots.choice import Slot
    from t2c_data.tree import Mention
    from t2c_data.world import Hop, World

NUMBERS_OF_CONDITIONS = (1, 1, 1, 2, 2, 2, 3)
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
_SECOND = frozenset({"eq", "gt", "lt", "on", "true", "false"})


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

    def compose(
        self,
        pattern: Pattern,
        rng: Random,
        *,
        wordings: int = 3,
        label: str = "",
        stranger: Noun | None = None,
    ) -> Draft:
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
        binder = Binder(self.world, rng)
        root = binder.root(label or rng.choices(self._labels, self._weights)[0])
        apart = _Narrower(self.world, binder).narrow(root, pattern)
        slots = fill_slots(pattern, binder, root)
        self._refuse_idle(pattern, root, slots, binder)
        cypher = QueryWriter(pattern, slots, root, binder).write(Rendering(root, self.names))
        speaker = Speaker(self.world, rng)
        several = pattern.category in _OVER_SEVERAL or "{count}" in pattern.cypher
        subject = Subject(speaker, root, apart, several_only=several)
        namer = Namer(Asked(speaker, slots, subject, stranger))
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
        return Draft(pattern, cypher, tuple(texts), binder.mentions)

    def _refuse_idle(self, pattern: Pattern, root: Node, slots: dict[str, Slot], binder: Binder) -> None:
        """Refuse figures over one thing, and sums over rows that repeat.

        Raises:
            UnfitError: it is such a question.
        """
        neighbours = [slot for name, slot in slots.items() if f"({{{name}}})" in pattern.cypher and slot.path]
        counted = re.search(r"\{(count|distinct)\}", pattern.cypher)
        if (counted or pattern.category in _OVER_SEVERAL) and self.world.unique(root) and not neighbours:
            raise UnfitError("a figure over one thing")
        shown = [slot for slot in slots.values() if slot.name]
        told = {each.name for each in root.conditions if each.operator == "eq" and not root.either}
        if (
            shown
            and "DISTINCT" in pattern.cypher
            and all(each.part is root and each.name in told for each in shown)
        ):
            raise UnfitError("the question gives its answer")
        if "count(DISTINCT {a})" in pattern.cypher and self.world.pinned(root):
            raise UnfitError("one thing has one value")
        if _ROWS.search(pattern.cypher) and binder.spreads(root):
            raise UnfitError("rows repeat in a count")
        if not _SUMMED.search(pattern.cypher):
            return
        shared = [
            slot for slot in neighbours if isinstance(slot.part, Node) and self.world.shared(slot.path[0])
        ]
        years = [slot for slot in slots.values() if slot.name.lower().endswith("year")]
        if years and "sum(" in pattern.cypher:
            raise UnfitError("nobody adds up years")
        if binder.spreads(root, grouped=False) or (shared and not self.world.pinned(root)):
            raise UnfitError("rows repeat in a sum")


def _word(pattern: Pattern, namer: Namer, rng: Random) -> str:
    frame = choose(rng.choice(pattern.say), rng)
    namer.subject.begin()
    if any(namer.asked.is_plural(name) for name in _SINGLE.findall(frame)):
        raise UnfitError("no singular")
    text = _HOLE.sub(lambda match: namer.say(match[1]), frame)
    if not namer.subject.told:
        raise UnfitError("something that the query asks is not said")
    return smooth(inflect(text, plural=not namer.subject.singular))


def smooth(text: str) -> str:
    """Mend what holes give side by side: `ward ward names`, `their names of the drugs`, `name the name`."""
    text = _DOUBLED.sub("", _REPEATED.sub("", text))
    text = _TWICE.sub(r"\2 \1", text)
    text = re.sub(r"\b[Aa]n? (?=([a-z]+))", lambda found: article(found[1]).removesuffix(found[1]), text)
    text = re.sub(r",\s*(?=[.,?]|$)", "", _THEIRS.sub("the", text))
    return re.sub(r"^name (?=(?:the |all |)(?:[\w']+ )?names? )", "list ", text)


class _Narrower:
    """Puts conditions on a root as a pattern wants them."""

    def __init__(self, world: World, binder: Binder) -> None:
        self._world = world
        self._binder = binder
        self._rng = binder.rng
        self._used: set[str] = set()

    def narrow(self, root: Node, pattern: Pattern) -> list[Node]:
        """Put conditions on the root; gives two views of it if some are to be said apart."""
        rng, binder = self._rng, self._binder
        low, high = pattern.conditions
        offered = (
            range(low, high + 1)
            if high < 3
            else [each for each in NUMBERS_OF_CONDITIONS if low <= each <= high]
        )
        count = rng.choice(offered)
        if pattern.named or (count and rng.random() < pattern.unique):
            binder.single_out(root)
            count = count - 1 if pattern.split or rng.random() < 0.15 else 0
        for _ in range(count):
            self._condition(root, 0)
        if pattern.twin:
            self._pair(root)
        root.degrees += [binder.degree(root, self._used) for _ in range(pattern.degree)]
        root.links += [binder.absence(root, self._used) for _ in range(pattern.absent)]
        if pattern.untrue and not pattern.named and rng.random() < pattern.untrue:
            binder.falsify(root)
        if pattern.split:
            return self._split(root)
        alone = len(root.conditions) == 2 and not root.links and not root.degrees
        root.either = alone and rng.random() < 0.06
        return []

    def _split(self, root: Node) -> list[Node]:
        parts: list[Condition | Link] = [*root.conditions, *(link for link in root.links if not link.silent)]
        if len(parts) < 2:
            raise UnfitError("nothing to split")
        if self._rng.random() < 0.7:
            self._rng.shuffle(parts)
        views = []
        for chunk in (parts[:-1], parts[-1:]):
            conditions = [each for each in chunk if isinstance(each, Condition)]
            views.append(Node(root.label, conditions, [each for each in chunk if isinstance(each, Link)]))
        return views

    def _condition(self, node: Node, depth: int) -> None:
        """Put one condition on a node: on a property of its own or on something it is joined to."""
        hops = self._binder.hops(node)
        own = len(self._world.properties_of(node.label))
        types = {hop.triple.type for hop in hops}
        if not hops or self._rng.random() < own / (own + 1.3 * len(types)):
            try:
                node.conditions.append(self._binder.condition(node))
            except UnfitError:
                if not hops:
                    raise
            else:
                return
        hop = self._binder.choose_hop(node, self._used)
        link = self._binder.follow(node, hop)
        self._used |= hop.kinds
        self._describe(link, depth)
        node.links.append(link)
        if self._rng.random() < 0.09 and not link.types:
            self._twin(node, link, hop)

    def _describe(self, link: Link, depth: int) -> None:
        """Say of a neighbour what it is called, what the link is like, or what it is joined to itself."""
        child, rng, binder = link.node, self._rng, self._binder
        names = self._world.lexicon.labels[child.label].name
        edge = bool(self._world.properties_of(link.triple.type))
        roll = rng.random()
        if names and roll < 0.66:
            name = names[0] if len(names) == 1 or rng.random() < 0.75 else rng.choice(names[1:])
            operators = {"eq"} if rng.random() < 0.9 else {"in", "starts", "contains", "ne"}
            child.conditions.append(binder.compare(child, name, frozenset(operators)))
            if edge and rng.random() < 0.24:
                link.conditions.append(binder.condition(link))
            if rng.random() < 0.06 and len(self._world.properties_of(child.label)) > 1:
                child.conditions.append(binder.condition(child, operators=_SECOND))
        elif edge and roll < 0.78:
            link.conditions += [binder.condition(link)]
            if rng.random() < 0.12:
                link.conditions += [binder.condition(link)]
        elif (
            depth == 0
            and len(binder.hops(child)) > 1
            and (roll < 0.9 or not self._world.properties_of(child.label))
        ):
            self._deeper(link, depth)
        elif roll < 0.94:
            child.conditions.append(binder.condition(child))

    def _deeper(self, link: Link, depth: int) -> None:
        others = [hop for hop in self._binder.hops(link.node) if not self._used & hop.kinds]
        if not others:
            raise UnfitError("no second hop")
        hop = self._rng.choices(others, [hop.weight for hop in others])[0]
        second = self._binder.follow(link.node, hop, avoid=frozenset(self._binder.instances.values()))
        self._used |= hop.kinds
        self._describe(second, depth + 1)
        link.node.links.append(second)

    def _pair(self, root: Node) -> None:
        """Name two neighbours of the same kind: `that COPD and asthma have in common`."""
        hop = self._binder.choose_hop(root, self._used)
        names = self._world.lexicon.labels[hop.end].name
        if not names or hop.types:
            raise UnfitError("no names")
        link = self._binder.follow(root, hop)
        link.node.conditions.append(self._binder.compare(link.node, names[0], frozenset({"eq"})))
        root.links.append(link)
        self._twin(root, link, hop)
        if link.node.conditions[0].also is None:
            raise UnfitError("no second neighbour")
        self._used |= hop.kinds

    def _twin(self, node: Node, link: Link, hop: Hop) -> None:
        """Ask for a second neighbour of the same kind if there is one: `with both nausea and headache`."""
        conditions = link.node.conditions
        names = self._world.lexicon.labels[link.node.label].name[:1]
        if link.conditions or link.node.links or len(conditions) != 1:
            return
        first = conditions[0]
        if first.operator != "eq" or first.name not in names or not first.mentions:
            return
        try:
            twin = self._binder.follow(node, hop, avoid=frozenset({self._binder.instances[id(link.node)]}))
        except UnfitError:
            return
        value = self._binder.properties(twin.node).get(first.name)
        if not isinstance(value, str) or value == first.mentions[0].value:
            return
        first.also = self._binder.mention(value, "string")
        twin.node.conditions.append(Condition(first.name, "eq", (first.also,)))
        twin.silent = True
        node.links.append(twin)
