"""What each variable of a query can be, followed through its clauses and subqueries.

Knows no schema: labels and types are those that the query itself names. Is lenient where the server has finer rules of
scoping, so what it calls undefined is undefined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from t2c_core.cypher.bindings import UNKNOWN, VALUE, Binding, join, names_of
from t2c_core.cypher.tree import (
    CallProcedure,
    CallSubquery,
    Case,
    CaseSubject,
    Function,
    GroupedPath,
    Index,
    LabelTest,
    ListComprehension,
    ListLiteral,
    ListPredicate,
    Logical,
    MapLiteral,
    MapProjection,
    Match,
    NodePattern,
    Page,
    Parameter,
    PathPattern,
    PatternComprehension,
    PatternExpression,
    Projection,
    Property,
    Reduce,
    RelationshipPattern,
    Return,
    SingleQuery,
    Slice,
    Subquery,
    Unwind,
    Variable,
    With,
)
from t2c_core.cypher.walk import children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from t2c_core.cypher.tree import Clause, Expression, Node, PathPart, Query

Variables = dict[str, Binding]

_SAME = frozenset({"head", "last"})
"""Functions that give an item of the list they get."""
_LIKE_ARGUMENT = frozenset({"max", "min", "anyvalue", "reverse", "tail"})
_VALUES = frozenset(
    """
    abs avg ceil char_length character_length count date datetime distance duration elementid exists floor id isempty
    keys labels left length localdatetime localtime ltrim point rand range replace right round rtrim sign size split
    sqrt stdev stdevp substring sum time toboolean tofloat tointeger tolower tostring toupper trim type valuetype upper
    lower
    """.split()
)
"""Functions that give nothing of the graph itself."""


class Scope:
    """What the variables and expressions of one query can be.

    Args:
        query: the tree; what is asked for must be nodes of it, not equals.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.undefined: list[Variable] = []
        """Variables that are used but not made anywhere, in the order found."""
        self._found: dict[int, Binding] = {}
        self.columns = self._query(query, {}, constants={})
        """What the query returns."""

    def of(self, node: Expression) -> Binding:
        """Tell what a variable or expression of the query can be."""
        return self._found.get(id(node), UNKNOWN)

    # Clauses

    def _query(self, query: Query, outer: Variables, *, constants: Variables) -> Variables:
        """Go through a query.

        Args:
            query: the query.
            outer: what an importing WITH at its beginning sees.
            constants: what is seen all the way through.
        """
        parts = [self._single(part, outer, constants) for part in query.parts]
        return {name: join(part.get(name, UNKNOWN) for part in parts) for name in parts[0]}

    def _single(self, query: SingleQuery, outer: Variables, constants: Variables) -> Variables:
        imports = isinstance(query.clauses[0], With)
        variables = {**outer, **constants} if imports else dict(constants)
        for clause in query.clauses:
            variables = self._clause(clause, variables, constants)
        return variables if isinstance(query.clauses[-1], Return | CallProcedure) else {}

    def _clause(self, clause: Clause, variables: Variables, constants: Variables) -> Variables:
        if isinstance(clause, Match):
            return self._patterns(clause.patterns, clause.where, variables)
        if isinstance(clause, Projection):
            return self._projection(clause, variables, constants)
        if isinstance(clause, Unwind):
            found = self._value(clause.expression, variables).item()
            return {**variables, clause.variable.name: self._note(clause.variable, found)}
        if isinstance(clause, CallSubquery):
            return self._call(clause, variables, constants)
        if isinstance(clause, CallProcedure):
            self._all(clause.arguments or (), variables)
            made = dict(variables)
            for each in clause.yields or ():
                name = each.alias.name if each.alias else each.name
                made[name] = UNKNOWN if each.alias is None else self._note(each.alias, UNKNOWN)
            self._all([clause.where] if clause.where else [], made)
            return made
        if isinstance(clause, Page):
            self._all(children(clause), variables)
        return variables

    def _projection(self, clause: Projection, variables: Variables, constants: Variables) -> Variables:
        made = dict(variables if clause.star else constants if isinstance(clause, With) else {})
        for item in clause.items:
            found = self._value(item.expression, variables)
            if item.alias is not None:
                made[item.alias.name] = self._note(item.alias, found)
            elif isinstance(item.expression, Variable):
                made[item.expression.name] = found
        both = {**variables, **made}
        self._all(clause.order, both)
        self._all([each for each in (clause.skip, clause.limit) if each], both)
        if isinstance(clause, With) and clause.where:
            self._value(clause.where, self._narrowed(clause.where, both))
            return {name: self._narrowed(clause.where, made)[name] for name in made}
        return made

    def _call(self, clause: CallSubquery, variables: Variables, constants: Variables) -> Variables:
        if clause.star:
            imported = variables
        else:
            imported = {each.name: self._value(each, variables) for each in clause.imports or ()}
        outer = variables if clause.imports is None else {}
        return {**variables, **self._query(clause.query, outer, constants={**constants, **imported})}

    # Patterns

    def _patterns(
        self, patterns: Iterable[PathPattern], where: Expression | None, variables: Variables
    ) -> Variables:
        made = dict(variables)
        patterns = tuple(patterns)
        for pattern in patterns:
            self._bind_path(pattern, made)
        if where is not None:
            made = self._narrowed(where, made)
        for pattern in patterns:
            self._visit_path(pattern, made)
        if where is not None:
            self._value(where, made)
        return made

    def _bind_path(self, pattern: PathPattern, made: Variables) -> None:
        if pattern.variable:
            made[pattern.variable.name] = Binding("path")
        for part in pattern.parts:
            if isinstance(part, GroupedPath):
                inner: Variables = {}
                self._bind_path(part.pattern, inner)
                for name, found in inner.items():
                    made[name] = found.listed() if part.quantifier else found
            elif part.variable:
                name = part.variable.name
                made[name] = self._element(part, made.get(name))

    def _element(self, part: NodePattern | RelationshipPattern, known: Binding | None) -> Binding:
        """Tell what a variable in a pattern is, where it may have been something before."""
        if isinstance(part, NodePattern):
            found = Binding("node", names_of(part.labels))
        else:
            repeated = part.length is not None or part.quantifier is not None
            found = Binding("relationship", names_of(part.types), lists=int(repeated))
        if known is not None and (known.kind, known.lists) == (found.kind, found.lists):
            found = known.narrowed(found.names)
        if part.where is not None and part.variable is not None:
            found = self._narrowed(part.where, {part.variable.name: found})[part.variable.name]
        return found

    def _visit_path(self, pattern: PathPattern, variables: Variables) -> None:
        """Take note of the variables of a pattern and go through the expressions in it."""
        if pattern.variable:
            self._note(pattern.variable, variables[pattern.variable.name])
        for part in pattern.parts:
            if isinstance(part, GroupedPath):
                inner = dict(variables)
                self._bind_path(part.pattern, inner)
                if part.where:
                    inner = self._narrowed(part.where, inner)
                    self._value(part.where, inner)
                self._visit_path(part.pattern, inner)
            else:
                self._visit_part(part, variables)

    def _visit_part(self, part: PathPart, variables: Variables) -> None:
        for child in children(part):
            if isinstance(child, Variable):
                self._note(child, variables[child.name])
            else:
                self._value(child, self._single_relationship(part, variables))

    def _single_relationship(self, part: PathPart, variables: Variables) -> Variables:
        """Within a repeated relationship, its variable is one of them."""
        if not isinstance(part, RelationshipPattern) or part.variable is None:
            return variables
        found = variables[part.variable.name]
        return {**variables, part.variable.name: found.item()} if found.lists else variables

    # Expressions

    def _note(self, node: Node, found: Binding) -> Binding:
        self._found[id(node)] = found
        return found

    def _all(self, nodes: Iterable[Node], variables: Variables) -> list[Binding]:
        return [self._value(node, variables) for node in nodes]

    def _value(self, node: Node, variables: Variables) -> Binding:
        """Go through an expression and tell what it can be."""
        special = _SPECIAL.get(type(node))
        if special is not None:
            return self._note(node, special(self, node, variables))
        self._all(children(node), variables)
        return self._note(node, VALUE)

    def _variable(self, node: Variable, variables: Variables) -> Binding:
        if node.name not in variables:
            self.undefined.append(node)
        return variables.get(node.name, UNKNOWN)

    def _parameter(self, _node: Parameter, _variables: Variables) -> Binding:
        return UNKNOWN

    def _property(self, node: Property, variables: Variables) -> Binding:
        subject = self._value(node.subject, variables)
        return UNKNOWN if subject.kind == "unknown" else VALUE

    def _index(self, node: Index, variables: Variables) -> Binding:
        subject = self._value(node.subject, variables)
        self._value(node.index, variables)
        if subject.lists:
            return subject.item()
        return VALUE if subject.kind in ("node", "relationship") else UNKNOWN

    def _slice(self, node: Slice, variables: Variables) -> Binding:
        return self._all(children(node), variables)[0]

    def _list(self, node: ListLiteral, variables: Variables) -> Binding:
        return join(self._all(node.items, variables)).listed() if node.items else UNKNOWN

    def _unknown(self, node: Node, variables: Variables) -> Binding:
        self._all(children(node), variables)
        return UNKNOWN

    def _function(self, node: Function, variables: Variables) -> Binding:
        found = self._all(node.arguments, variables)
        name = ".".join(node.name).lower()
        first = found[0] if found else UNKNOWN
        if name == "collect":
            return first.listed()
        if name in _SAME:
            return first.item()
        if name in _LIKE_ARGUMENT:
            return first
        if name == "coalesce":
            return join(found)
        if name in ("nodes", "relationships", "startnode", "endnode"):
            kind = "relationship" if name == "relationships" else "node"
            return Binding(kind, lists=int(name in ("nodes", "relationships")))  # type: ignore[arg-type]
        return VALUE if name in _VALUES or name.partition(".")[0] in _VALUES else UNKNOWN

    def _case(self, node: Case, variables: Variables) -> Binding:
        results = []
        if node.subject:
            self._value(node.subject, variables)
        for branch in node.branches:
            self._all(branch.conditions, variables)
            results.append(self._value(branch.result, variables))
        if node.default:
            results.append(self._value(node.default, variables))
        return join(results)

    def _list_comprehension(self, node: ListComprehension | ListPredicate, variables: Variables) -> Binding:
        item = self._value(node.source, variables).item()
        inner = {**variables, node.variable.name: item}
        if node.where:
            inner = self._narrowed(node.where, inner)
            self._value(node.where, inner)
        item = self._note(node.variable, inner[node.variable.name])
        if isinstance(node, ListPredicate):
            return VALUE
        return (self._value(node.result, inner) if node.result else item).listed()

    def _reduce(self, node: Reduce, variables: Variables) -> Binding:
        start = self._note(node.accumulator, self._value(node.initial, variables))
        item = self._note(node.variable, self._value(node.source, variables).item())
        inner = {**variables, node.accumulator.name: start, node.variable.name: item}
        return self._value(node.step, inner).joined(start)

    def _pattern_comprehension(self, node: PatternComprehension, variables: Variables) -> Binding:
        inner = self._patterns([node.pattern], node.where, variables)
        return self._value(node.result, inner).listed()

    def _pattern_expression(self, node: PatternExpression, variables: Variables) -> Binding:
        self._patterns([node.pattern], None, variables)
        if node.pattern.shortest is None:
            return VALUE
        return Binding("path", lists=int(node.pattern.shortest == "allShortestPaths"))

    def _subquery(self, node: Subquery, variables: Variables) -> Binding:
        columns = self._query(node.query, {}, constants=variables)
        if node.kind != "COLLECT":
            return VALUE
        last = node.query.parts[0].clauses[-1]
        if isinstance(last, Return) and len(last.items) == 1:
            return self.of(last.items[0].expression).listed()
        return join(columns.values()).listed()

    def _narrowed(self, where: Expression, variables: Variables) -> Variables:
        """Give what the variables are where a condition holds that asks for labels."""
        conditions = where.operands if isinstance(where, Logical) and where.operator == "AND" else (where,)
        found = dict(variables)
        for each in conditions:
            if (
                isinstance(each, LabelTest)
                and isinstance(each.operand, Variable)
                and each.operand.name in found
            ):
                found[each.operand.name] = found[each.operand.name].narrowed(names_of(each.labels))
        return found


_SPECIAL: dict[type[Node], Callable[[Scope, Any, Variables], Binding]] = {
    Variable: Scope._variable,
    Parameter: Scope._parameter,
    CaseSubject: Scope._parameter,
    Property: Scope._property,
    Index: Scope._index,
    Slice: Scope._slice,
    ListLiteral: Scope._list,
    MapLiteral: Scope._unknown,
    MapProjection: Scope._unknown,
    Function: Scope._function,
    Case: Scope._case,
    ListComprehension: Scope._list_comprehension,
    ListPredicate: Scope._list_comprehension,
    Reduce: Scope._reduce,
    PatternComprehension: Scope._pattern_comprehension,
    PatternExpression: Scope._pattern_expression,
    Subquery: Scope._subquery,
}
