"""Noun phrases of a query's nodes: the noun, its conditions, and the relationships that lead on from it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from t2c_core.cypher import ast_nodes as t
from t2c_core.interpretation.conditions import Conditions, join
from t2c_core.interpretation.pattern import EdgeFacts, GraphPattern, NotVerbalisedError
from t2c_core.interpretation.words import agree, split_identifier, with_article

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from t2c_core.interpretation.words import Words
    from t2c_core.schema import GraphSchema


class NounPhrases:
    """Noun phrases over the pattern of one query; each relationship is verbalised once.

    Args:
        schema: names and types of the graph.
        words: lexical choices.
        parameters: values of the query's parameters.
        value: returns the words of an expression.
    """

    def __init__(
        self,
        schema: GraphSchema,
        words: Words,
        parameters: Mapping[str, Any],
        value: Callable[[t.Expression], str],
    ) -> None:
        self.schema = schema
        self.words = words
        self.value = value
        self.pattern = GraphPattern()
        self.keys: list[str] = []
        """Node variables that the rows are grouped by: the others refer to them as "that …"."""
        self.verbalised: set[EdgeFacts] = set()
        self.described: set[str] = set()
        self.measured: frozenset[str] = frozenset()
        """Node variables that a measure counts or aggregates over."""
        self.conditions = Conditions(self, parameters)

    def noun_phrase(self, variable: str, number: str) -> str:
        """Return a node with everything that the pattern says of it and beyond it.

        Args:
            variable: the node.
            number: `plural`, `singular` (bare), `a`, `any`, or words of a quantity such as `more than 4`.
        """
        facts = self.pattern.node(variable)
        if facts is None:
            raise NotVerbalisedError("an unknown variable")
        self.described.add(variable)
        label = self.label_of(variable)
        name = self.conditions.name_of(variable, label, facts.conditions)
        plural = name is None and number not in {"singular", "a", "any"}
        noun = self.words.noun(label, plural=plural)
        modifiers = self.conditions.modifiers(variable, label, facts.conditions, plural=plural)
        modifiers += self._relationships(variable, plural=plural)
        described = _join_modifiers(modifiers)
        if name is not None:
            return f"the {self.words.noun(label, plural=False)} {name}{described}"
        if number in {"plural", "singular"}:
            return f"{noun}{described}"
        if number == "a":
            return f"{with_article(noun)}{described}"
        return f"{number} {noun}{described}"

    def bare_noun(self, variable: str) -> str:
        """Return what a node is called, without conditions."""
        return self.words.noun(self.label_of(variable), plural=False)

    def subquery(self, query: t.Query, number: str) -> str:
        """Return what a subquery is about: its first own node that is next to one of the outer query's."""
        with self._inside(query) as outer:
            own = [name for name in self.pattern.nodes if outer.node(name) is None]
            if not own:
                return self._connection(self.pattern.edges, number)
            near = [
                name
                for name in own
                if any(
                    outer.node(edge.source) is not None or outer.node(edge.target) is not None
                    for edge in self.pattern.edges_at(name)
                )
            ]
            return self.noun_phrase((near or own)[0], number) + self._rest_of_subquery()

    def seen_from(self, variable: str, query: t.Query, number: str, *, plural: bool) -> str | None:
        """Return a subquery as a phrase behind the noun of an outer node; None unless one relationship leads there."""
        with self._inside(query) as outer:
            edges = list(self.pattern.edges_at(variable))
            if len(edges) != 1 or edges[0].source == edges[0].target:
                return None
            other = edges[0].target if edges[0].source == variable else edges[0].source
            if outer.node(other) is not None:
                return None
            self.verbalised.add(edges[0])
            return self._edge_phrase(edges[0], variable, number, plural=plural) + self._rest_of_subquery()

    @contextmanager
    def _inside(self, query: t.Query) -> Iterator[GraphPattern]:
        """Read the patterns of a subquery; yields the pattern around it."""
        if len(query.parts) != 1:
            raise NotVerbalisedError("a UNION in a subquery")
        outer, verbalised, described = self.pattern, self.verbalised, set(self.described)
        self.pattern, self.verbalised = GraphPattern(outer), set()
        try:
            for clause in query.parts[0].clauses:
                if isinstance(clause, t.Match):
                    self.pattern.add(clause)
                elif not isinstance(clause, t.Return):
                    raise NotVerbalisedError("a clause in a subquery")
            yield outer
        finally:
            self.pattern, self.verbalised, self.described = outer, verbalised, described

    def _rest_of_subquery(self) -> str:
        loose = [self.conditions.clause(each) for each in self.pattern.loose]
        return (f" where {join(loose)}" if loose else "") + self.remainder()

    def _connection(self, edges: Sequence[EdgeFacts], number: str) -> str:
        if len(edges) != 1:
            raise NotVerbalisedError("a subquery over several relationships of outer nodes")
        edge = edges[0]
        kind = " or ".join(split_identifier(each) for each in edge.types) or "any"
        ends = (self.bare_noun(edge.source), self.bare_noun(edge.target))
        details = self.conditions.details(edge)
        noun = "a relationship" if number in {"a", "any", "singular"} else "relationships"
        return f"{noun} “{kind}” from that {ends[0]} to that {ends[1]}{details}"

    def _relationships(self, variable: str, *, plural: bool) -> list[str]:
        found = []
        for edge in self.pattern.edges_at(variable):
            if edge in self.verbalised:
                continue
            self.verbalised.add(edge)
            found.append(self._edge_phrase(edge, variable, "a", plural=plural))
        return found

    def _edge_phrase(self, edge: EdgeFacts, variable: str, number: str, *, plural: bool) -> str:
        is_forward = edge.source == variable
        other = edge.target if is_forward else edge.source
        source, target = self.label_of(edge.source), self.label_of(edge.target)
        phrase = None
        if len(edge.types) == 1:
            phrase = self.words.relationship_phrase(edge.types[0], source, target, forward=is_forward)
        if phrase is None:
            names = " or ".join(split_identifier(each) for each in edge.types) or "any relationship"
            phrase = f"linked by “{names}” to {{}}" if is_forward else f"linked by “{names}” from {{}}"
        if edge.hops is not None:
            least, most = edge.hops
            steps = f"{1 if least is None else least} to {most}" if most is not None else "any number of"
            phrase += f" (in {steps} steps)"
        details = self.conditions.details(edge)
        text = agree(phrase, plural=plural).replace("{}", self._reference(other, number)) + details
        return f"if any, {text}" if edge.is_optional else text

    def _reference(self, variable: str, number: str) -> str:
        if variable in self.keys or (self.pattern.outer is not None and self.pattern.outer.node(variable)):
            return f"that {self.bare_noun(variable)}"
        if variable in self.described:
            return f"the same {self.bare_noun(variable)}"
        return self.noun_phrase(variable, number)

    def remainder(self) -> str:
        """Say the parts of the pattern that nothing has led to."""
        rest = []
        for edge in self.pattern.edges:
            if edge not in self.verbalised:
                self.verbalised.add(edge)
                start = self.noun_phrase(edge.source, "a")
                rest.append(f"{start} {self._edge_phrase(edge, edge.source, 'a', plural=False)}")
        return f", given {join(rest)}" if rest else ""

    def counted(self, variable: str) -> str:
        """Return the nodes that a measure counts, described the first time and referred to after that."""
        self.measured = self.measured | {variable}
        if variable in self.described:
            return f"these {self.words.noun(self.label_of(variable), plural=True)}"
        keys = self.keys
        self.keys = [key for key in keys if key != variable]
        try:
            return self.noun_phrase(variable, "plural")
        finally:
            self.keys = keys

    def matches(self, number: str) -> str:
        """Return what is counted by count(*): the node that the others single out."""
        keys = set(self.keys)
        nodes = [name for name in self.pattern.nodes if name not in keys] or list(self.pattern.nodes)
        if not nodes:
            raise NotVerbalisedError("a count of nothing")
        free = [name for name in nodes if not self._is_named(name)]
        return (
            self.counted((free or nodes)[0])
            if number == "plural"
            else self.noun_phrase((free or nodes)[0], number)
        )

    def _is_named(self, variable: str) -> bool:
        facts = self.pattern.nodes[variable]
        return self.conditions.name_of(variable, self.label_of(variable), facts.conditions) is not None

    def far_end(self, edge: EdgeFacts) -> str:
        """Return the end of a relationship that rows are not grouped by."""
        return edge.target if edge.source in self.keys else edge.source

    def label_of(self, variable: str) -> str:
        """Return the label by which a node is called: its first, or what its relationships imply."""
        facts = self.pattern.node(variable)
        if facts is not None and facts.labels:
            return facts.labels[0]
        for edge in self.pattern.edges_at(variable):
            for triple in self.schema.triples:
                if triple.type in edge.types:
                    return triple.source if edge.source == variable else triple.target
        return "thing"

    def node_of(self, variable: str) -> str:
        """Return the node that a variable stands for; for a relationship, its start node."""
        if self.pattern.node(variable) is not None:
            return variable
        edge = self.pattern.edge(variable)
        if edge is None:
            raise NotVerbalisedError("a computed variable")
        return edge.source


def _join_modifiers(modifiers: Sequence[str]) -> str:
    if not modifiers:
        return ""
    if len(modifiers) == 1:
        return f" {modifiers[0]}"
    return " " + ", and ".join([", ".join(modifiers[:-1]), modifiers[-1]])
