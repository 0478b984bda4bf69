"""All that binding and wording need to know of a graph: schema, lexicon, sample, and what follows from them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from t2c_data.errors import LexiconError, UnfitError
from t2c_data.lexicon.model import LabelEntry, RelationshipEntry, triple_key
from t2c_data.planning.query_tree import TIMES, QueryNode

if TYPE_CHECKING:
    from t2c_core.schema.model import GraphSchema, Property, Triple
    from t2c_data.graph.sample import Sample
    from t2c_data.lexicon.model import Lexicon, Noun, PropertyEntry
    from t2c_data.planning.query_tree import QueryRelationship

CATEGORY_SIZE = 60
"""A string property with no more distinct values is a category."""
LONG_TEXT = 60
"""A string property whose values have more characters on average is a text."""
RAW_SHARE = 48
"""Of how many nouns of a label a few are its name as the schema spells it."""

_KINDS = {"BOOLEAN": "boolean", **dict.fromkeys(TIMES, "date")}
_IDENTIFIER = re.compile(r"(^|_|[a-z])id$|Id$|ID$")
_CODE = re.compile(r"(^|_|[a-z])id$|Id$|ID$|[Nn]umber$|isbn$|code$")


@dataclass(frozen=True, slots=True)
class Hop:
    """One way from a label over a triple, or over one of several alternated types."""

    number: int
    """Place of the triple in the schema."""
    triple: Triple
    forward: bool
    words: RelationshipEntry
    types: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def end_label(self) -> str:
        """The label at the other end."""
        return self.triple.target if self.forward else self.triple.source

    @property
    def type_names(self) -> set[str]:
        """The types it may go over."""
        return set(self.types or (self.triple.type,))


@dataclass(slots=True)
class GraphContext:
    """All that binding needs to know of a graph."""

    schema: GraphSchema
    lexicon: Lexicon
    sample: Sample
    hops: dict[str, list[Hop]] = field(default_factory=dict, init=False)
    labels: list[str] = field(default_factory=list, init=False)
    _fans: dict[tuple[int, bool], int] = field(default_factory=dict, init=False)
    _kind_cache: dict[tuple[str, str], str] = field(default_factory=dict, init=False)
    _ways: dict[tuple[str, str], bool] = field(default_factory=dict, init=False)

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

    def _add_group(self, types: tuple[str, ...], words: RelationshipEntry, numbers: dict[str, int]) -> None:
        ends = {(each.source, each.target) for each in self.schema.triples if each.type in types}
        for source, target in sorted(ends):
            held = [each for each in self.schema.triples if (each.source, each.target) == (source, target)]
            held = [each for each in held if each.type in types]
            if len(held) < 2:
                continue
            type_names = tuple(sorted(each.type for each in held))
            for triple in held:
                number = numbers[triple_key(triple)]
                for forward in (True, False):
                    start = source if forward else target
                    hop = Hop(number, triple, forward, words, type_names, 0.5 / len(held))
                    self.hops.setdefault(start, []).append(hop)

    def max_degree(self, number: int, forward: bool) -> int:
        """Find the most neighbours that one node of the sample has over a triple."""
        key = (number, forward)
        if key not in self._fans:
            self._fans[key] = max((len(node.links.get(key, ())) for node in self.sample.nodes), default=0)
        return self._fans[key]

    def is_to_many(self, link: QueryRelationship) -> bool:
        """Tell whether a node can have several of a link."""
        return self.max_degree(self.schema.triples.index(link.triple), link.forward) > 1

    def is_many_to_one(self, link: QueryRelationship) -> bool:
        """Tell whether several nodes can have a link to the same node."""
        return self.max_degree(self.schema.triples.index(link.triple), not link.forward) > 1

    def has_parallel_types(self, link: QueryRelationship) -> bool:
        """Tell whether there are other relationships between the same labels."""
        ends = (link.triple.source, link.triple.target)
        return sum((each.source, each.target) == ends for each in self.schema.triples) > 1

    def is_ambiguous(self, link: QueryRelationship) -> bool:
        """Tell whether other relationships lead to the same label too, so that its noun alone could mean those."""
        start, end_label = link.triple.source, link.triple.target
        if not link.forward:
            start, end_label = end_label, start
        return (
            start == end_label
            or len({hop.triple.type for hop in self.hops[start] if hop.end_label == end_label}) > 1
        )

    def is_unique_path(self, start: str, end_label: str) -> bool:
        """Tell whether two labels are joined over exactly one node between and in no other way so short."""
        key = (start, end_label)
        if key not in self._ways:
            steps = [hop for hop in self.hops.get(start, []) if not hop.types]
            ways = {
                (hop.number, hop.forward, onward.number, onward.forward)
                for hop in steps
                for onward in self.hops.get(hop.end_label, [])
                if onward.end_label == end_label and not onward.types and onward.number != hop.number
            }
            self._ways[key] = len(ways) == 1 and all(hop.end_label != end_label for hop in steps)
        return self._ways[key]

    def words(self, owner: str, name: str) -> PropertyEntry | None:
        """Find the words of a property; None if questions never speak of it."""
        words = self.lexicon.properties.get((owner, name))
        return None if words is None or words.hidden else words

    def property(self, owner: str, name: str) -> Property:
        """Find a property of the schema."""
        found = self.schema.property_of(owner, name)
        if found is None:
            raise UnfitError(f"{owner}.{name}")
        return found

    def semantic_type(self, owner: str, name: str) -> str:
        """Tell what kind of property it is: id, name, text, category, number, date, boolean or list."""
        key = (owner, name)
        if key not in self._kind_cache:
            self._kind_cache[key] = self._find_kind(owner, name)
        return self._kind_cache[key]

    def _find_kind(self, owner: str, name: str) -> str:
        words = self.lexicon.properties.get((owner, name))
        found = self.property(owner, name)
        if words is not None and words.kind:
            return words.kind
        if found.type in {"INTEGER", "FLOAT"}:
            return "id" if found.unique or _IDENTIFIER.search(name) else "number"
        if found.type != "STRING":
            return "list" if found.type.startswith("LIST") else _KINDS.get(found.type, "other")
        return self._string_kind(owner, found)

    def _string_kind(self, owner: str, found: Property) -> str:
        label = self.lexicon.labels.get(owner)
        values = self.sample.values.get((owner, found.name), [])
        if label is not None and found.name in label.name:
            return "name"
        if values and sum(len(str(value)) for value in values) / len(values) > LONG_TEXT:
            return "text"
        if found.unique and _CODE.search(found.name):
            return "id"
        return "category" if len(values) <= CATEGORY_SIZE else "name"

    def owner(self, part: QueryNode | QueryRelationship) -> str:
        """Name the label or type whose properties a part of a tree has."""
        return part.label if isinstance(part, QueryNode) else part.triple.type

    def is_uniquely_identified(self, node: QueryNode) -> bool:
        """Tell whether conditions single out one node."""
        return any(
            each.operator == "eq"
            and (
                self.property(node.label, each.name).unique
                or self.semantic_type(node.label, each.name) == "id"
            )
            for each in node.conditions
        )

    def is_named(self, node: QueryNode) -> bool:
        """Tell whether a node is named by what it is known by."""
        words = self.lexicon.labels[node.label]
        pins = {*words.name, words.key}
        return any(each.operator == "eq" and each.name in pins for each in node.conditions)

    def link_words(self, link: QueryRelationship) -> RelationshipEntry:
        """Find the words of a link, be it of one type or of several."""
        if link.types:
            for hop in self.hops[link.triple.source if link.forward else link.triple.target]:
                if hop.types == link.types and hop.triple == link.triple and hop.forward == link.forward:
                    return hop.words
        return self.lexicon.link(link.triple)

    def properties_of(self, owner: str) -> list[str]:
        """List the properties of a label or type that questions may speak of."""
        holder = self.schema.label_by_name.get(owner) or self.schema.type_by_name[owner]
        return [each.name for each in holder.properties if self.words(owner, each.name) is not None]


def _with_raw(name: str, words: LabelEntry) -> LabelEntry:
    """Let a label be called by its name in the schema now and then, as people do who know it."""
    raw: tuple[Noun, ...] = ((name, name), (f"'{name}'", f"'{name}'"), (f"{name} node", f"{name} nodes"))
    if name.lower() in {noun[0].lower() for noun in words.nouns}:
        raw = raw[1:]
    return replace(words, nouns=words.nouns * (RAW_SHARE // len(words.nouns) + 1) + raw)
