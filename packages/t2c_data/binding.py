"""Chooses what a question asks: a root, conditions that some path of the graph meets, and what is returned.

Every value is read off a path of the sample, so that the answer is not empty. Holds no wording.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from t2c_data.errors import LexiconError
from t2c_data.lexicon import LabelWords, LinkWords, triple_key
from t2c_data.tree import Condition, Degree, Link, Mention, Node

if TYPE_CHECKING:
    from random import Random

    from t2c_core.schema.model import GraphSchema, Property, Scalar, Triple
    from t2c_data.lexicon import Lexicon, PropertyWords
    from t2c_data.sample import Sample
    from t2c_data.tree import Operator

CATEGORY_SIZE = 60
"""A string property with no more distinct values is a category."""
TIMES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})


class UnfitError(Exception):
    """A pattern, binding or wording that does not fit this choice; another is tried."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One way from a label over a triple, or over one of several alternated types."""

    number: int
    """Place of the triple in the schema."""
    triple: Triple
    forward: bool
    words: LinkWords
    types: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def end(self) -> str:
        """The label at the other end."""
        return self.triple.target if self.forward else self.triple.source


@dataclass(slots=True)
class World:
    """All that binding needs to know of a graph."""

    schema: GraphSchema
    lexicon: Lexicon
    sample: Sample
    hops: dict[str, list[Hop]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = {triple_key(triple): number for number, triple in enumerate(self.schema.triples)}
        labels = [each for each in self.schema.labels if each.name in self.sample.by_label]
        shown = {each.name for each in labels if not self.lexicon.labels[each.name].hidden}
        for triple in self.schema.triples:
            if triple.source not in shown or triple.target not in shown or self.lexicon.link(triple).hidden:
                continue
            number = numbers[triple_key(triple)]
            for forward in (True, False):
                start = triple.source if forward else triple.target
                self.hops.setdefault(start, []).append(
                    Hop(number, triple, forward, self.lexicon.link(triple))
                )
        for group in self.lexicon.groups:
            self._add_group(group.types, group.words, numbers)
        if not shown:
            raise LexiconError("the graph has no node that a question could be about")
        self.labels = sorted(shown)
        self.lexicon = replace(
            self.lexicon, labels={name: _with_raw(name, each) for name, each in self.lexicon.labels.items()}
        )

    labels: list[str] = field(default_factory=list, init=False)

    def _add_group(self, types: tuple[str, ...], words: LinkWords, numbers: dict[str, int]) -> None:
        ends = {(each.source, each.target) for each in self.schema.triples if each.type in types}
        for source, target in sorted(ends):
            held = [each for each in self.schema.triples if (each.source, each.target) == (source, target)]
            held = [each for each in held if each.type in types]
            if len(held) < 2:
                continue
            kinds = tuple(sorted(each.type for each in held))
            for triple in held:
                number = numbers[triple_key(triple)]
                for forward in (True, False):
                    start = source if forward else target
                    hop = Hop(number, triple, forward, words, kinds, 0.5 / len(held))
                    self.hops.setdefault(start, []).append(hop)

    def fan(self, number: int, forward: bool) -> int:
        """Find the most neighbours that one node of the sample has over a triple."""
        key = (number, forward)
        if key not in self._fans:
            self._fans[key] = max((len(node.links.get(key, ())) for node in self.sample.nodes), default=0)
        return self._fans[key]

    _fans: dict[tuple[int, bool], int] = field(default_factory=dict, init=False)

    def words(self, owner: str, name: str) -> PropertyWords | None:
        """Find the words of a property; None if questions never speak of it."""
        words = self.lexicon.properties.get((owner, name))
        return None if words is None or words.hidden else words

    def property(self, owner: str, name: str) -> Property:
        """Find a property of the schema."""
        found = self.schema.property_of(owner, name)
        if found is None:
            raise UnfitError(f"{owner}.{name}")
        return found

    def kind(self, owner: str, name: str) -> str:
        """Tell what kind of property it is: id, name, text, category, number, date, boolean or list."""
        key = (owner, name)
        if key not in self._kind_cache:
            self._kind_cache[key] = self._find_kind(owner, name)
        return self._kind_cache[key]

    _kind_cache: dict[tuple[str, str], str] = field(default_factory=dict, init=False)

    def _find_kind(self, owner: str, name: str) -> str:
        words = self.lexicon.properties.get((owner, name))
        if words is not None and words.kind:
            return words.kind
        found = self.property(owner, name)
        if found.type in TIMES:
            return "date"
        if found.type == "BOOLEAN":
            return "boolean"
        if found.type.startswith("LIST"):
            return "list"
        if found.type in {"INTEGER", "FLOAT"}:
            identifier = re.search(r"(^|_|[a-z])id$|Id$|ID$", name)
            return "id" if found.unique or identifier else "number"
        if found.type != "STRING":
            return "other"
        label = self.lexicon.labels.get(owner)
        if label is not None and name in label.name:
            return "name"
        values = self.sample.values.get((owner, name), [])
        if values and sum(len(str(value)) for value in values) / len(values) > 60:
            return "text"
        if found.unique and re.search(r"(^|_|[a-z])id$|Id$|ID$|[Nn]umber$|isbn$|code$", name):
            return "id"
        return "category" if len(values) <= CATEGORY_SIZE else "name"

    def properties_of(self, owner: str) -> list[str]:
        """List the properties of a label or type that questions may speak of."""
        holder = self.schema.label_by_name.get(owner) or self.schema.type_by_name[owner]
        return [each.name for each in holder.properties if self.words(owner, each.name) is not None]


def _with_raw(name: str, words: LabelWords) -> LabelWords:
    """Let a label be called by its name in the schema now and then, as people do who know it."""
    raw = ((name, name), (f"'{name}'", f"'{name}'"), (f"{name} node", f"{name} nodes"))
    if name.lower() in {noun[0].lower() for noun in words.nouns}:
        raw = raw[1:]
    return replace(words, nouns=words.nouns * (48 // len(words.nouns) + 1) + raw)


class Binder:
    """Makes trees whose conditions one path of the sample meets.

    Args:
        world: the graph.
        rng: every choice comes from it.
    """

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.made: dict[int, Mention] = {}
        """Every mention made so far, by number."""
        self.instances: dict[int, int] = {}
        """Position in the sample of each node of the tree, by identity of the node."""
        self.edges: dict[int, dict[str, Any]] = {}

    def mention(self, value: Scalar, kind: str) -> Mention:
        """Make a mention of a value."""
        made = Mention(len(self.made), value, kind)
        self.made[made.number] = made
        return made

    def root(self, label: str) -> Node:
        """Begin a tree at some node of a label."""
        node = Node(label)
        self.instances[id(node)] = self.rng.choice(self.world.sample.by_label[label])
        return node

    def properties(self, part: Node | Link) -> dict[str, Any]:
        """Read the properties of the node or relationship of the sample that stands for a part of the tree."""
        if isinstance(part, Node):
            return self.world.sample.nodes[self.instances[id(part)]].properties
        return self.edges[id(part)]

    def follow(self, node: Node, hop: Hop, *, avoid: frozenset[int] = frozenset()) -> Link:
        """Follow a hop from a node to some neighbour; the link is not yet part of the tree.

        Raises:
            UnfitError: there is no neighbour.
        """
        found = self.world.sample.nodes[self.instances[id(node)]].links.get((hop.number, hop.forward), [])
        choices = [each for each in found if each[1] not in avoid]
        if not choices:
            raise UnfitError("no neighbour")
        properties, position = self.rng.choice(choices)
        child = Node(hop.end)
        link = Link(hop.triple, hop.forward, child, types=hop.types)
        self.instances[id(child)] = position
        self.edges[id(link)] = properties
        return link

    def hops(self, node: Node) -> list[Hop]:
        """List the hops that the node's place in the sample can take."""
        links = self.world.sample.nodes[self.instances[id(node)]].links
        return [hop for hop in self.world.hops.get(node.label, []) if (hop.number, hop.forward) in links]

    def choose_hop(self, node: Node, used: set[str]) -> Hop:
        """Choose a hop whose triple the tree does not use yet.

        Raises:
            UnfitError: there is none.
        """
        free = [hop for hop in self.hops(node) if not used & set(hop.types or (hop.triple.type,))]
        if not free:
            raise UnfitError("no hop left")
        return self.rng.choices(free, [hop.weight for hop in free])[0]

    def condition(
        self, part: Node | Link, *, kinds: frozenset[str] | None = None, operators: frozenset[str] | None = None,
        skip: frozenset[str] = frozenset(),
    ) -> Condition:  # fmt: skip
        """Make a condition that the part's place in the sample meets.

        Args:
            part: node or link.
            kinds: kinds of property to choose from.
            operators: operators to choose from.
            skip: properties not to use.

        Raises:
            UnfitError: no property offers one.
        """
        owner = part.label if isinstance(part, Node) else part.triple.type
        taken = {each.name for each in part.conditions} | skip
        choices = [name for name in self.world.properties_of(owner) if name not in taken]
        weights = []
        for name in choices:
            kind = self.world.kind(owner, name)
            offered = _OPERATORS.get(kind, {})
            fits = (kinds is None or kind in kinds) and (operators is None or operators & set(offered))
            weights.append(_KIND_WEIGHTS.get(kind, 0.0) if fits else 0.0)
        if not any(weights):
            raise UnfitError("no property")
        name = self.rng.choices(choices, weights)[0]
        return self.compare(part, owner, name, operators)

    def compare(
        self, part: Node | Link, owner: str, name: str, operators: frozenset[str] | None = None
    ) -> Condition:
        """Make a condition on a given property.

        Raises:
            UnfitError: the place in the sample does not have it or no operator fits.
        """
        kind = self.world.kind(owner, name)
        value = self.properties(part).get(name)
        offered = {
            op: w for op, w in _OPERATORS.get(kind, {}).items() if operators is None or op in operators
        }
        absent = {"null"}
        if value is None or value == []:
            offered = {op: w for op, w in offered.items() if op in absent}
        else:
            offered = {op: w for op, w in offered.items() if op not in absent}
        if not offered:
            raise UnfitError("no operator")
        operator: Operator = self.rng.choices(list(offered), list(offered.values()))[0]  # type: ignore[assignment]
        condition = Condition(name, operator, type=self.world.property(owner, name).type)
        return self._fill(condition, owner, kind, value)

    def _fill(self, condition: Condition, owner: str, kind: str, value: Any) -> Condition:
        operator = condition.operator
        if operator in {"null", "known"}:
            if self.world.property(owner, condition.name).share > 0.995:
                raise UnfitError("always known")
            return condition
        if kind == "boolean":
            condition.operator = "true" if value else "false"
            return condition
        if kind == "date":
            return self._date(condition, str(value))
        if kind == "number":
            return self._number(condition, owner, value)
        if kind == "list":
            element = self.rng.choice(value)
            condition.mentions = (self.mention(element, "string" if isinstance(element, str) else "number"),)
            return condition
        form = "id" if isinstance(value, int) else "string"
        words = self.world.words(owner, condition.name)
        if words and operator in {"eq", "ne"} and str(value) in words.values and self.rng.random() < 0.4:
            others = [each for each in words.values if each != str(value)]
            if operator == "ne" and not others:
                raise UnfitError("one adjective only")
            said = str(value) if operator == "eq" else self.rng.choice(others)
            escaped = said.replace("\\", "\\\\").replace("'", "\\'")
            condition.literal = f"'{escaped}'"
            return condition
        if isinstance(value, str) and (len(value) > 80 or not value.strip()):
            raise UnfitError("too long a value")
        if operator == "in":
            others = [each for each in self.world.sample.values[owner, condition.name] if each != value]
            if not others:
                raise UnfitError("one value only")
            values = [value, *self.rng.sample(others, min(len(others), self.rng.choice((1, 1, 1, 2))))]
            self.rng.shuffle(values)
            condition.mentions = tuple(self.mention(each, form) for each in values)
        elif operator == "ne":
            others = [each for each in self.world.sample.values[owner, condition.name] if each != value]
            if not others:
                raise UnfitError("one value only")
            condition.mentions = (self.mention(self.rng.choice(others), form),)
        elif operator in {"contains", "starts", "ends"}:
            condition.mentions = (self.mention(self._part(str(value), operator), "part"),)
        else:
            condition.mentions = (self.mention(value, form),)
        return condition

    def _part(self, value: str, operator: str) -> str:
        words = re.findall(r"\w+", value)
        if not words:
            raise UnfitError("no word")
        if operator == "starts":
            part = self.rng.choice([value[0], value[0], value[:2], value[:3], words[0]])
        elif operator == "ends":
            part = self.rng.choice([value[-2:], value[-3:], words[-1], words[-1][-4:]])
        else:
            long = [word for word in words if len(word) > 2] or words
            word = self.rng.choice(long)
            part = word if self.rng.random() < 0.8 else word[: max(3, len(word) - 2)]
        if not part.strip() or part != part.strip():
            raise UnfitError("blank part")
        return part

    def _number(self, condition: Condition, owner: str, value: Any) -> Condition:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnfitError("no number")
        rng = self.rng
        values = [
            each for each in self.world.sample.values[owner, condition.name] if isinstance(each, int | float)
        ]
        spread = max((float(values[-1]) - float(values[0])) / 8, 1e-9)
        whole_only = self.world.property(owner, condition.name).type == "INTEGER"
        below = _rounded(value - rng.random() * spread, -1, whole=whole_only)
        above = _rounded(value + rng.random() * spread, 1, whole=whole_only)
        whole = _tidy(value)
        if condition.operator == "between":
            if below >= above:
                raise UnfitError("no interval")
            condition.mentions = (self.mention(below, "number"), self.mention(above, "number"))
        elif condition.operator in {"gt", "ge"}:
            limit = below if condition.operator == "gt" or rng.random() < 0.7 else whole
            if condition.operator == "gt" and limit >= value:
                raise UnfitError("no room below")
            condition.mentions = (self.mention(limit, "number"),)
        elif condition.operator in {"lt", "le"}:
            limit = above if condition.operator == "lt" or rng.random() < 0.7 else whole
            if condition.operator == "lt" and limit <= value:
                raise UnfitError("no room above")
            condition.mentions = (self.mention(limit, "number"),)
        elif condition.operator == "in":
            other = rng.choice(values)
            if other == value:
                raise UnfitError("one value only")
            condition.mentions = (self.mention(whole, "number"), self.mention(_tidy(other), "number"))
        elif condition.operator == "ne":
            other = rng.choice(values)
            if other == value:
                raise UnfitError("equal")
            condition.mentions = (self.mention(_tidy(other), "number"),)
        else:
            condition.mentions = (self.mention(whole, "number"),)
        return condition

    def _date(self, condition: Condition, value: str) -> Condition:
        match = re.match(r"(\d{4})-(\d{2})-(\d{2})", value)
        if match is None:
            raise UnfitError("no ISO date")
        year, month, day = (int(part) for part in match.groups())
        rng = self.rng
        iso = match[0]
        shift = rng.randint(0, 2)
        operator = condition.operator
        mentions: tuple[Mention, ...]
        if operator == "on":
            mentions = (self.mention(iso, "date"),)
        elif operator in {"before", "until"}:
            later = rng.choice(
                [
                    f"{year + 1}-01-01",
                    _moved(year, month, day, rng.randint(1, 200)),
                    f"{year + 1 + shift}-{rng.randint(1, 12):02d}-01",
                ]
            )
            mentions = (self.mention(later if operator == "before" or rng.random() < 0.6 else iso, "date"),)
        elif operator in {"after", "since"}:
            earlier = rng.choice(
                [
                    f"{year - 1}-12-31",
                    _moved(year, month, day, -rng.randint(1, 200)),
                    f"{year - shift - 1}-{rng.randint(1, 12):02d}-01",
                    f"{year}-01-01" if (month, day) != (1, 1) else f"{year - 1}-01-01",
                ]
            )
            mentions = (self.mention(earlier if operator == "after" or rng.random() < 0.6 else iso, "date"),)
        elif operator == "during":
            start, end = (
                _moved(year, month, day, -rng.randint(0, 120)),
                _moved(year, month, day, rng.randint(1, 120)),
            )
            if rng.random() < 0.3:
                start, end = f"{year}-01-01", f"{year}-12-31"
            mentions = (self.mention(start, "date"), self.mention(end, "date"))
        elif operator == "month":
            both = rng.random() < 0.8
            mentions = (self.mention(month, "month"), *([self.mention(year, "year")] if both else []))
        elif operator == "years":
            mentions = (
                self.mention(year - shift, "year"),
                self.mention(year + rng.randint(0, 2) + (shift == 0), "year"),
            )
        elif operator == "after_year":
            mentions = (self.mention(year - 1 - shift, "year"),)
        elif operator == "before_year":
            mentions = (self.mention(year + 1 + shift, "year"),)
        else:
            mentions = (self.mention(year, "year"),)
        condition.mentions = mentions
        return condition

    def spreads(self, node: Node) -> bool:
        """Tell whether conditions can be met in several ways by one node, so that rows repeat."""
        return any(self._spreads(link) for link in node.links if not link.silent and not link.absent)

    def _spreads(self, link: Link) -> bool:
        names = self.world.lexicon.labels[link.node.label]
        pins = {*names.name, names.key}
        pinned = any(each.operator == "eq" and each.name in pins for each in link.node.conditions)
        if link.types:
            return True
        if pinned:
            return False
        number = self.world.schema.triples.index(link.triple)
        return self.world.fan(number, link.forward) > 1 or self.spreads(link.node)

    def single_out(self, node: Node) -> None:
        """Put a condition on a node that only it meets, or nearly so.

        Raises:
            UnfitError: nothing tells it from others.
        """
        words = self.world.lexicon.labels[node.label]
        names = [
            name for name in self.world.properties_of(node.label) if self.world.kind(node.label, name) == "id"
        ]
        names += words.name[:1]
        if words.key and words.key not in names and self.world.words(node.label, words.key):
            names.append(words.key)
        names = [name for name in names if name not in {each.name for each in node.conditions}]
        if not names:
            raise UnfitError("nothing singles it out")
        node.conditions.append(
            self.compare(node, node.label, self.rng.choice(names), frozenset({"eq", "on"}))
        )

    def falsify(self, node: Node) -> None:
        """Exchange the value of one condition for another that occurs, so that the path may not meet it."""
        places = [(node.label, each) for each in node.conditions]
        places += [
            (link.node.label, each) for link in node.links if not link.absent for each in link.node.conditions
        ]
        places = [each for each in places if each[1].operator == "eq" and each[1].mentions]
        if not places:
            raise UnfitError("nothing to falsify")
        owner, condition = self.rng.choice(places)
        value = self.rng.choice(self.world.sample.values[owner, condition.name])
        condition.mentions = (self.mention(value, condition.mentions[0].kind),)

    def degree(self, node: Node, used: set[str]) -> Degree:
        """Make a condition on how many neighbours there are over a hop.

        Raises:
            UnfitError: there is no hop with several neighbours.
        """
        hop = self.choose_hop(node, used)
        links = self.world.sample.nodes[self.instances[id(node)]].links
        names = set(hop.types or (hop.triple.type,))
        total = sum(
            len(found)
            for (number, forward), found in links.items()
            if forward == hop.forward and self.world.schema.triples[number].type in names
            and {self.world.schema.triples[number].source, self.world.schema.triples[number].target}
            == {hop.triple.source, hop.triple.target}
        )  # fmt: skip
        link = self.follow(node, hop)
        operator = self.rng.choice(("gt", "gt", "gt", "ge", "ge", "ge", "lt", "eq", "le"))
        limit = {
            "gt": self.rng.randint(max(1, total // 2), total - 1) if total > 1 else 0,
            "ge": self.rng.randint(max(2, total // 2), total) if total > 1 else 0,
            "lt": total + self.rng.randint(1, 3), "le": total + self.rng.randint(0, 2), "eq": total,
        }[operator]  # fmt: skip
        if limit < 1:
            raise UnfitError("too few")
        return Degree(link, operator, self.mention(limit, "number"))  # type: ignore[arg-type]

    def absence(self, node: Node, used: set[str]) -> Link:
        """Make a link that the node's place in the sample does not have.

        Raises:
            UnfitError: it has all.
        """
        schema = self.world.schema
        held = {schema.triples[hop.number].type for hop in self.hops(node)}
        free = [
            hop
            for hop in self.world.hops.get(node.label, [])
            if hop.forward and not hop.types and hop.triple.type not in used
        ]
        if not free:
            raise UnfitError("no hop")
        hop = self.rng.choice(free)
        child = Node(hop.end)
        link = Link(hop.triple, hop.forward, child, absent=True)
        if hop.triple.type in held:
            found = self.world.sample.nodes[self.instances[id(node)]].links[hop.number, hop.forward]
            names = self.world.lexicon.labels[hop.end].name
            values = (
                [self.world.sample.nodes[position].properties.get(names[0]) for _, position in found]
                if names
                else []
            )
            if not names:
                raise UnfitError("has it")
            others = [each for each in self.world.sample.values[hop.end, names[0]] if each not in values]
            if not others:
                raise UnfitError("has all")
            child.conditions.append(
                Condition(names[0], "eq", (self.mention(self.rng.choice(others), "string"),))
            )
        elif self.world.lexicon.labels[hop.end].name and self.rng.random() < 0.6:
            name = self.world.lexicon.labels[hop.end].name[0]
            value = self.rng.choice(self.world.sample.values[hop.end, name])
            child.conditions.append(Condition(name, "eq", (self.mention(value, "string"),)))
        return link


_KIND_WEIGHTS = {
    "id": 1.0,
    "name": 1.2,
    "category": 1.2,
    "number": 1.2,
    "date": 1.3,
    "boolean": 1.0,
    "list": 0.8,
    "text": 0.4,
}
_OPERATORS: dict[str, dict[str, float]] = {
    "id": {"eq": 9, "in": 0.6, "known": 0.05},
    "name": {
        "eq": 7,
        "contains": 0.8,
        "starts": 0.8,
        "ends": 0.2,
        "in": 0.8,
        "ne": 0.6,
        "null": 0.2,
        "known": 0.1,
    },
    "category": {"eq": 7, "in": 1.0, "ne": 1.2, "contains": 0.3, "starts": 0.2, "null": 0.4, "known": 0.3},
    "number": {
        "eq": 2,
        "gt": 4,
        "ge": 1.2,
        "lt": 2.5,
        "le": 0.8,
        "between": 1.6,
        "in": 0.2,
        "ne": 0.2,
        "null": 0.4,
        "known": 0.3,
    },
    "date": {
        "on": 2,
        "before": 2,
        "after": 2.2,
        "since": 0.6,
        "until": 0.3,
        "during": 1,
        "year": 2,
        "month": 1,
        "after_year": 0.5,
        "before_year": 0.5,
        "years": 0.3,
        "null": 0.3,
        "known": 0.2,
    },
    "boolean": {"true": 1.0},
    "list": {"has": 1.0},
    "text": {"contains": 3, "starts": 1, "eq": 0.5},
}


def _tidy(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _rounded(value: float, direction: int, *, whole: bool) -> int | float:
    """Round to few digits away from where the value was, as people do."""
    import math

    if value == 0:
        return 0
    size = 10 ** max(math.floor(math.log10(abs(value))) - 1, -4)
    step = size * (5 if abs(value) > 20 * size else 1)
    if whole:
        step = max(step, 1)
        if 1500 <= value <= 2100:  # a year
            step = 1 if abs(value) % 10 < 5 else 5
    rounded = math.floor(value / step) * step if direction < 0 else math.ceil(value / step) * step
    return _tidy(round(rounded, 6))


def _moved(year: int, month: int, day: int, days: int) -> str:
    from datetime import date, timedelta

    return (date(year, month, day) + timedelta(days=days)).isoformat()
