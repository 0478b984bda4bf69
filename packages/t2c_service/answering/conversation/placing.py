"""Where an edit belongs in a query: the variable that has a property, or a relationship that leads to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import has_aggregate
from t2c_service.answering.conversation.vocabulary import PropertyOf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.cypher.ast_nodes import Expression
    from t2c_core.schema.model import Triple
    from t2c_service.answering.conversation.draft import Draft
    from t2c_service.answering.conversation.vocabulary import Vocabulary


class UnplacedError(ValueError):
    """An edit has no place in the query, or several."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A label one relationship away from a variable of the query."""

    variable: str
    triple: Triple
    direction: Literal["->", "<-"]

    @property
    def label(self) -> str:
        """Label at the other end."""
        return self.triple.target if self.direction == "->" else self.triple.source

    @property
    def is_single(self) -> bool:
        """Whether the variable has at most one such relationship."""
        return (self.triple.source_max if self.direction == "->" else self.triple.target_max) == 1


class Placing:
    """Finds the places of edits in a draft.

    Args:
        draft: the query.
        vocabulary: words of the graph.
        types: relationship types that the follow-up names.
        asked: label that the question before asked for or counted.
    """

    def __init__(self, draft: Draft, vocabulary: Vocabulary, types: set[str], asked: str | None) -> None:
        self._draft = draft
        self._words = vocabulary
        self._types = types
        self._pending: dict[str, Neighbour] = {}
        """New variables whose relationship is to be required by EXISTS."""
        self.subject = self._subject(asked)
        """Variable of the things that the query returns or counts."""

    @staticmethod
    def property_of(owner: str, key: str) -> PropertyOf:
        """Return a property."""
        return PropertyOf(owner, key)

    def condition(self, refs: Iterable[PropertyOf], *, is_negated: bool) -> tuple[str, PropertyOf]:
        """Return the variable that has a property to compare, which may be a new one, and the property.

        Raises:
            UnplacedError: none or several have it.
        """
        held = self._known(refs)
        if held is not None:
            if is_negated and held[0] != self.subject:
                raise UnplacedError("only the things themselves can be excluded")
            return held
        end, of = self._reach(refs)
        if is_negated:
            raise UnplacedError("only the things themselves can be excluded")
        return self._lead_to(end), of

    def column(self, refs: Iterable[PropertyOf]) -> tuple[str, PropertyOf]:
        """Return the variable that has a property to return, which may be a new one, and the property.

        Raises:
            UnplacedError: none or several have it.
        """
        held = self._known(refs)
        if held is not None:
            return held
        end, of = self._reach(refs)
        if not end.is_single and (self._draft.result.limit is not None or self._draft.measures):
            raise UnplacedError("there may be several of them")
        return self.extend(end), of

    def require(self, variable: str, term: Expression) -> None:
        """Require a condition on a variable that `condition` returned."""
        end = self._pending.pop(variable, None)
        if end is None:
            self._draft.require(term)
            return
        match = t.Match((self._path(end, variable),), term)
        self._draft.require(t.SubqueryExpression("EXISTS", t.Query((t.SingleQuery((match,)),))))

    def dates(self, kind: str) -> set[PropertyOf]:
        """Return the date property of the query that a bare `in 2024` means.

        Raises:
            UnplacedError: there is none, or several.
        """
        found: dict[PropertyOf, None] = {}
        for variable in self._draft.variables:
            owner = self._draft.owners.get(variable, "")
            held = self._words.schema.label_by_name.get(owner) or self._words.schema.type_by_name.get(owner)
            for each in held.properties if held else ():
                of = PropertyOf(owner, each.name)
                if self._words.is_date(of):
                    found[of] = None
        bare = [of for of in found if of in self._words.bare_dates]
        chosen = bare if len(bare) == 1 else list(found)
        if len(chosen) != 1:
            raise UnplacedError(f"the {kind} may be that of several things")
        return set(chosen)

    def neighbour(self, labels: set[str], types: set[str]) -> Neighbour | None:
        """Return the only label that one relationship of the subject leads to, by names of labels and types."""
        ends = [
            each
            for each in self._neighbours(self.subject)
            if (not labels or each.label in labels) and (not types or each.triple.type in types)
        ]
        if len(ends) != 1 and labels and types:
            ends = [each for each in self._neighbours(self.subject) if each.label in labels]
        return ends[0] if len(ends) == 1 else None

    def extend(self, end: Neighbour) -> str:
        """Add a MATCH that leads to a neighbour, and return its variable."""
        draft = self._draft
        variable = draft.new_variable(end.label)
        draft.add_pattern(self._path(end, variable))
        draft.owners[variable] = end.label
        if not end.is_single and not draft.measures:
            result = draft.result
            draft.result = t.Return(
                result.items,
                result.star,
                distinct=True,
                order=result.order,
                skip=result.skip,
                limit=result.limit,
            )
        return variable

    def _lead_to(self, end: Neighbour) -> str:
        aggregates = any(has_aggregate(item.expression) for item in self._draft.result.items)
        if end.is_single or not (aggregates or self._draft.stages):
            return self.extend(end)
        variable = self._draft.new_variable(end.label)
        self._draft.owners[variable] = end.label
        self._pending[variable] = end
        return variable

    def _path(self, end: Neighbour, variable: str) -> t.PathPattern:
        link = self._draft.new_variable(end.triple.type.lower())
        self._draft.owners[link] = end.triple.type
        return t.PathPattern(
            (
                t.NodePattern(t.Variable(end.variable), t.Label(self._draft.owners[end.variable])),
                t.RelationshipPattern(t.Variable(link), t.Label(end.triple.type), end.direction),
                t.NodePattern(t.Variable(variable), t.Label(end.label)),
            )
        )

    def _known(self, refs: Iterable[PropertyOf]) -> tuple[str, PropertyOf] | None:
        """Return the variable of the query that has a property, the things themselves first.

        Raises:
            UnplacedError: several others have it.
        """
        wanted = set(refs)
        held = [
            (variable, of)
            for variable in self._draft.variables
            for of in sorted(wanted, key=lambda each: (each.owner, each.key))
            if self._draft.owners.get(variable) == of.owner
        ]
        own = [each for each in held if each[0] == self.subject]
        near = {link for start, link, _, end in self._draft.edges() if self.subject in {start, end}}
        for chosen in (own, [each for each in held if each[0] in near], held):
            if len(chosen) == 1:
                return chosen[0]
            if chosen:
                raise UnplacedError("several things have such a property")
        return None

    def _reach(self, refs: Iterable[PropertyOf]) -> tuple[Neighbour, PropertyOf]:
        """Return the neighbour of a variable that has one of the properties.

        Raises:
            UnplacedError: none or several have it.
        """
        wanted = {of.owner: of for of in refs}
        if len(wanted) < len(set(refs)):
            raise UnplacedError("two properties may be meant")
        nodes = [
            name
            for name in self._draft.variables
            if self._draft.owners.get(name) in self._words.schema.label_by_name
        ]
        for variables in ([self.subject] if self.subject else [], nodes):
            ends = [
                each for variable in variables for each in self._neighbours(variable) if each.label in wanted
            ]
            named = [each for each in ends if each.triple.type in self._types]
            if len(chosen := named or ends) == 1:
                return chosen[0], wanted[chosen[0].label]
            if chosen:
                raise UnplacedError("several relationships lead there")
        raise UnplacedError("nothing in the query has such a property")

    def _neighbours(self, variable: str | None) -> list[Neighbour]:
        label = self._draft.owners.get(variable or "")
        if variable is None or label is None:
            return []
        triples = self._words.schema.triples
        outgoing = [Neighbour(variable, each, "->") for each in triples if each.source == label]
        return outgoing + [Neighbour(variable, each, "<-") for each in triples if each.target == label]

    def _subject(self, asked: str | None) -> str | None:
        draft = self._draft
        nodes = [
            name for name in draft.variables if draft.owners.get(name) in self._words.schema.label_by_name
        ]
        visible = [name for name in nodes if name in draft.visible]
        returned = [name for name, _ in draft.returned() if name in visible]
        if returned and not draft.measures:
            return returned[0]
        counted = [
            argument.name
            for item in draft.result.items
            if isinstance(item.expression, t.FunctionInvocation)
            for argument in (_owner_of(each) for each in item.expression.arguments)
            if argument is not None and argument.name in nodes
        ]
        if counted:
            return counted[0]
        named = [name for name in nodes if draft.owners[name] == asked]
        if len(named) == 1:
            return named[0]
        fixed = {each.variable for each in draft.conditions() if each.operator == "=" and not each.part}
        free = [name for name in nodes if name not in fixed and name not in returned] or nodes
        return free[0] if free else None


def property_access(variable: str, key: str) -> t.Property:
    """Return `variable.key`."""
    return t.Property(t.Variable(variable), key)


def _owner_of(expression: Expression) -> t.Variable | None:
    if isinstance(expression, t.Variable):
        return expression
    if isinstance(expression, t.Property) and isinstance(expression.subject, t.Variable):
        return expression.subject
    return None
