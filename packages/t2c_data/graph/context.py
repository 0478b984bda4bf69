"""The graph as generation sees it: schema, lexicon and sample, and what follows from the three."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from t2c_data.errors import LexiconError, UnfitError
from t2c_data.lexicon.property_words import TEMPORAL_TYPES

if TYPE_CHECKING:
    from t2c_core.schema.model import GraphSchema, Property, Triple
    from t2c_data.graph.sample import Sample
    from t2c_data.lexicon.model import LabelEntry, Lexicon, Noun, PropertyEntry, RelationshipEntry
    from t2c_data.planning.query_tree import QueryNode, QueryRelationship

MAX_CATEGORIES = 60
"""A string property with at most as many distinct values is a category."""
LONG_TEXT = 60
"""A string property whose values have more characters on average is a text."""
NOUNS_PER_SCHEMA_NAME = 48
"""Nouns of a label for each set of nouns that spell its name as in the schema."""

_SEMANTIC_TYPES = {"BOOLEAN": "boolean", **dict.fromkeys(TEMPORAL_TYPES, "date")}
_IDENTIFIER = re.compile(r"(^|_|[a-z])id$|Id$|ID$")
_CODE = re.compile(r"(^|_|[a-z])id$|Id$|ID$|[Nn]umber$|isbn$|code$")


@dataclass(frozen=True, slots=True)
class Hop:
    """A step from a label over a triple, or over one of several alternative types."""

    number: int
    """Index of the triple in the schema."""
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
        """The relationship types that it may traverse."""
        return set(self.types or (self.triple.type,))


@dataclass(slots=True)
class GraphContext:
    """Schema, lexicon and sample of one graph."""

    schema: GraphSchema
    lexicon: Lexicon
    sample: Sample
    full_schema: GraphSchema | None = None
    """The schema with what no question is about, by which variables are named; `schema` if None."""
    hops: dict[str, list[Hop]] = field(default_factory=dict, init=False)
    """By start label."""
    labels: list[str] = field(default_factory=list, init=False)
    """Labels that questions may mention and the sample has nodes of."""
    _degrees: dict[tuple[int, bool], int] = field(default_factory=dict, init=False)
    _parallel: dict[int, bool] = field(default_factory=dict, init=False)
    _semantic_types: dict[tuple[str, str], str] = field(default_factory=dict, init=False)
    _unique_paths: dict[tuple[str, str], bool] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        entries = self.lexicon.labels
        labels = {each.name for each in self.schema.labels if each.name in self.sample.by_label}
        labels = {name for name in labels if not entries[name].hidden}
        if not labels:
            raise LexiconError("the graph has no node that a question could be about")
        self.labels = sorted(labels)
        for number, triple in enumerate(self.schema.triples):
            words = self.lexicon.relationship(triple)
            if triple.source in labels and triple.target in labels and not words.hidden:
                self._add_hops(number, triple, words)
        for group in self.lexicon.groups:
            self._add_group(group.types, group.words)
        self.lexicon = replace(
            self.lexicon, labels={name: _with_schema_name(name, each) for name, each in entries.items()}
        )

    def _add_hops(
        self,
        number: int,
        triple: Triple,
        words: RelationshipEntry,
        types: tuple[str, ...] = (),
        weight: float = 1.0,
    ) -> None:
        for start, forward in ((triple.source, True), (triple.target, False)):
            self.hops.setdefault(start, []).append(Hop(number, triple, forward, words, types, weight))

    def _add_group(self, types: tuple[str, ...], words: RelationshipEntry) -> None:
        members = [(number, each) for number, each in enumerate(self.schema.triples) if each.type in types]
        for ends in sorted({(each.source, each.target) for _, each in members}):
            parallel = [item for item in members if (item[1].source, item[1].target) == ends]
            names = tuple(sorted(each.type for _, each in parallel))
            if len(parallel) > 1:
                for number, triple in parallel:
                    self._add_hops(number, triple, words, names, 0.5 / len(parallel))

    def max_degree(self, number: int, forward: bool) -> int:
        """Return the maximum number of neighbours of a sampled node over a triple."""
        key = (number, forward)
        if key not in self._degrees:
            nodes = self.sample.nodes
            self._degrees[key] = max((len(node.relationships.get(key, ())) for node in nodes), default=0)
        return self._degrees[key]

    def is_to_many(self, rel: QueryRelationship) -> bool:
        """Return whether one node can have several such relationships."""
        return self.max_degree(self.schema.triples.index(rel.triple), rel.forward) > 1

    def is_many_to_one(self, rel: QueryRelationship) -> bool:
        """Return whether several nodes can have such a relationship to the same node."""
        return self.max_degree(self.schema.triples.index(rel.triple), not rel.forward) > 1

    def has_parallel_relationships(self, rel: QueryRelationship) -> bool:
        """Return whether several relationships of its type join the same two sampled nodes."""
        number = self.schema.triples.index(rel.triple)
        if number not in self._parallel:
            ends = (node.relationships.get((number, True), ()) for node in self.sample.nodes)
            self._parallel[number] = any(len({end for _, end in each}) < len(each) for each in ends)
        return self._parallel[number]

    def has_parallel_types(self, rel: QueryRelationship) -> bool:
        """Return whether other relationship types join the same labels."""
        ends = (rel.triple.source, rel.triple.target)
        return sum((each.source, each.target) == ends for each in self.schema.triples) > 1

    def is_ambiguous(self, rel: QueryRelationship) -> bool:
        """Return whether the far end's noun alone could mean what another relationship leads to."""
        start, end = rel.triple.source, rel.triple.target
        if not rel.forward:
            start, end = end, start
        return start == end or len({hop.triple.type for hop in self.hops[start] if hop.end_label == end}) > 1

    def is_unique_path(self, start: str, end_label: str) -> bool:
        """Return whether exactly one path of two steps, and no single step, joins two labels."""
        key = (start, end_label)
        if key not in self._unique_paths:
            steps = [hop for hop in self.hops.get(start, []) if not hop.types]
            paths = {
                (hop.number, hop.forward, onward.number, onward.forward)
                for hop in steps
                for onward in self.hops.get(hop.end_label, [])
                if onward.end_label == end_label and not onward.types and onward.number != hop.number
            }
            self._unique_paths[key] = len(paths) == 1 and all(hop.end_label != end_label for hop in steps)
        return self._unique_paths[key]

    def event_date(self, label: str) -> str:
        """Return the date on which an event that people take part in happened; empty if it is none or has several."""
        if not self.lexicon.labels[label].event_participles:
            return ""
        dates = [name for name in self.properties_of(label) if self.semantic_type(label, name) == "date"]
        own = [name for name in dates if name.lower().startswith(label.lower())] or dates
        return own[0] if len(own) == 1 else ""

    def event_agent(self, label: str) -> str:
        """Return the label of the people who do what an event is about: customers order, patients visit.

        The only people joined to the event, or the only ones from whom a relationship leads to it; else empty.
        """
        if not self.lexicon.labels[label].event_participles:
            return ""
        hops = [hop for hop in self.hops.get(label, []) if self.lexicon.labels[hop.end_label].animate_nouns]
        for joined in ({hop.end_label for hop in hops}, {hop.end_label for hop in hops if not hop.forward}):
            if len(joined) == 1:
                return joined.pop()
        return ""

    def words(self, label_or_type: str, name: str) -> PropertyEntry | None:
        """Return the words of a property; None if questions must not mention it."""
        words = self.lexicon.properties.get((label_or_type, name))
        return None if words is None or words.hidden else words

    def property(self, label_or_type: str, name: str) -> Property:
        """Return a property of the schema.

        Raises:
            UnfitError: the schema does not have it.
        """
        found = self.schema.property_of(label_or_type, name)
        if found is None:
            raise UnfitError(f"{label_or_type}.{name}")
        return found

    def properties_of(self, label_or_type: str) -> list[str]:
        """List the properties that questions may mention."""
        found = self.schema.label_by_name.get(label_or_type) or self.schema.type_by_name[label_or_type]
        return [each.name for each in found.properties if self.words(label_or_type, each.name) is not None]

    def semantic_type(self, label_or_type: str, name: str) -> str:
        """Return the semantic type of a property: id, name, text, category, number, date, boolean, list or other."""
        key = (label_or_type, name)
        if key not in self._semantic_types:
            self._semantic_types[key] = self._infer_semantic_type(label_or_type, name)
        return self._semantic_types[key]

    def _infer_semantic_type(self, label_or_type: str, name: str) -> str:
        words = self.lexicon.properties.get((label_or_type, name))
        found = self.property(label_or_type, name)
        if words is not None and words.kind:
            return words.kind
        if found.value_type in {"INTEGER", "FLOAT"}:
            return "id" if found.unique or _IDENTIFIER.search(name) else "number"
        if found.value_type != "STRING":
            return "list" if found.type.startswith("LIST") else _SEMANTIC_TYPES.get(found.value_type, "other")
        return self._string_semantic_type(label_or_type, found)

    def _string_semantic_type(self, label_or_type: str, found: Property) -> str:
        name = found.name
        values = self.sample.values.get((label_or_type, name), [])
        label = self.lexicon.labels.get(label_or_type)
        if label is not None and name in label.naming_properties:
            return "name"
        if values and sum(len(str(value)) for value in values) / len(values) > LONG_TEXT:
            return "text"
        if found.unique and _CODE.search(name):
            return "id"
        return "category" if len(values) <= MAX_CATEGORIES else "name"

    def is_identifying(self, label: str, name: str) -> bool:
        """Return whether no two sampled nodes of a label share a value of a property."""
        values, nodes = self.sample.values.get((label, name), ()), self.sample.by_label[label]
        return self.property(label, name).unique or len(values) == len(nodes)

    def is_uniquely_identified(self, node: QueryNode) -> bool:
        """Return whether an equality condition on an identifier singles out one node."""
        return not node.is_disjunction and any(
            each.operator == "eq"
            and (
                self.property(node.label, each.name).unique
                or self.semantic_type(node.label, each.name) == "id"
            )
            for each in node.conditions
        )

    def is_named(self, node: QueryNode) -> bool:
        """Return whether an equality condition on a naming or display property names the node."""
        words = self.lexicon.labels[node.label]
        names = {*words.naming_properties, words.display_property}
        return not node.is_disjunction and any(
            each.operator == "eq" and each.name in names for each in node.conditions
        )

    def relationship_entry(self, rel: QueryRelationship) -> RelationshipEntry:
        """Return the words of a relationship, of one type or of a group."""
        if rel.types:
            for hop in self.hops[rel.triple.source if rel.forward else rel.triple.target]:
                if hop.types == rel.types and hop.triple == rel.triple and hop.forward == rel.forward:
                    return hop.words
        return self.lexicon.relationship(rel.triple)


def _with_schema_name(name: str, words: LabelEntry) -> LabelEntry:
    """Add a label's name as the schema spells it as a rare noun."""
    spelt: tuple[Noun, ...] = ((name, name), (f"'{name}'", f"'{name}'"), (f"{name} node", f"{name} nodes"))
    if name.lower() in {noun[0].lower() for noun in words.nouns}:
        spelt = spelt[1:]
    repeated = words.nouns * (NOUNS_PER_SCHEMA_NAME // len(words.nouns) + 1)
    return words.model_copy(update={"nouns": repeated + spelt})
