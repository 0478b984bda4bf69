"""A query in plain English, made from the query alone: what it returns, of what, under which conditions.

Forms without words here have no read-back; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import children, transform, walk
from t2c_core.interpretation.conditions import join
from t2c_core.interpretation.noun_phrases import NounPhrases
from t2c_core.interpretation.pattern import NotVerbalisedError, variables_of
from t2c_core.interpretation.words import pluralize, split_identifier, with_article

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.interpretation.words import Words
    from t2c_core.schema import GraphSchema

AGGREGATES = {
    "avg": "the average {}", "sum": "the total {}", "min": "the lowest {}", "max": "the highest {}",
    "stdev": "the standard deviation of the {}", "percentilecont": "a percentile of the {}",
    "collect": "a list of the {}",
}  # fmt: skip
TEMPORAL_EXTREMES = {"min": "the earliest {}", "max": "the latest {}"}


def read_back(
    query: t.Query, *, schema: GraphSchema, words: Words, parameters: Mapping[str, Any] | None = None
) -> str | None:
    """Return what a query asks for, in one English phrase, or None if it has a form without words here.

    Args:
        query: a parsed query.
        schema: names and types of the graph.
        words: lexical choices.
        parameters: values of the query's parameters, which are quoted.
    """
    try:
        parts = [_Reader(schema, words, parameters or {}).single(part) for part in query.parts]
    except NotVerbalisedError:
        return None
    text = ", together with ".join(parts)
    return text[:1].upper() + text[1:]


_CASTS = frozenset({"tointeger", "tofloat", "date", "left", "nullif", "replace", "substring"})


def _held_by_text(call: t.FunctionInvocation) -> t.Property | None:
    """Return the property of a string that a call reads as a number, a date or absent; its cast needs no words."""
    if call.name[-1] == "nullif" and isinstance(call.arguments[0], t.Property):
        return call.arguments[0]
    if call.name[-1] not in {"tointeger", "tofloat", "date"}:
        return None
    inner = [node for argument in call.arguments for node in walk(argument)]
    calls = {each.name[-1].lower() for each in inner if isinstance(each, t.FunctionInvocation)}
    accesses = [each for each in inner if isinstance(each, t.Property)]
    is_cast = calls <= _CASTS and accesses and all(each == accesses[0] for each in accesses)
    is_number = call.name[-1] != "date" and len(inner) == len(list(walk(accesses[0]))) if accesses else False
    return accesses[0] if is_cast and (is_number or calls) else None


@dataclass
class _Stage:
    """What is known after a WITH: the groups and the measures of each group."""

    values: dict[str, str] = field(default_factory=dict)
    """Alias of a measure or value → its words."""
    suffixes: list[str] = field(default_factory=list)
    is_grouped: bool = False
    groups: Sequence[t.ProjectionItem] = ()
    """What a WITH grouped by."""


class _Reader:
    def __init__(self, schema: GraphSchema, words: Words, parameters: Mapping[str, Any]) -> None:
        self.schema = schema
        self.words = words
        self.parameters = parameters
        self.stage = _Stage()
        self.aliases: dict[str, t.Expression] = {}
        self.nodes = NounPhrases(schema, words, parameters, self.value)
        self.conditions = self.nodes.conditions

    # Clauses

    def single(self, query: t.SingleQuery) -> str:
        for written in query.clauses:
            clause = transform(written, self._plain)
            if isinstance(clause, t.Match):
                if self.stage.is_grouped:
                    raise NotVerbalisedError("a MATCH after a grouping")
                self.nodes.pattern.add(clause)
            elif isinstance(clause, t.With):
                self._with(clause)
            elif isinstance(clause, t.Return):
                return self._return(clause)
            else:
                raise NotVerbalisedError(f"a {type(clause).__name__} clause")
        raise NotVerbalisedError("a query without RETURN")

    def _plain(self, node: t.Node) -> t.Node:
        """Return a node in the form that the matching below expects: aliases resolved, function names in lower case."""
        if isinstance(node, t.Variable):
            return self.aliases.get(node.name, node)
        if isinstance(node, t.FunctionInvocation):
            node = replace(node, name=tuple(each.lower() for each in node.name))
            return _held_by_text(node) or node
        return node

    def _with(self, clause: t.With) -> None:
        if clause.star or clause.skip is not None:
            raise NotVerbalisedError("WITH * or SKIP")
        if any(has_aggregate(item.expression) for item in clause.items):
            self._group(clause)
            if not self.stage.is_grouped:
                return
        for item in clause.items:
            if isinstance(item.alias, t.Variable) and item.alias.name not in self.stage.values:
                self.aliases[item.alias.name] = item.expression
        self._order(clause)
        if clause.where is not None:
            if self.stage.is_grouped:
                self.stage.suffixes.append(f"only where {self.conditions.clause(clause.where)}")
            else:
                self.nodes.pattern.require(clause.where)

    def _group(self, clause: t.With) -> None:
        """Take up the groups and measures of a WITH; figures of everything are followed by other nodes."""
        if self.stage.is_grouped:
            raise NotVerbalisedError("two groupings")
        keys = [item for item in clause.items if not has_aggregate(item.expression)]
        self.nodes.keys = [owner for item in keys if (owner := self._owner(item.expression)) is not None]
        self.stage.groups = keys
        for item in clause.items:
            if isinstance(item.alias, t.Variable) and has_aggregate(item.expression):
                self.stage.values[item.alias.name] = self.value(item.expression)
        self.stage.is_grouped = bool(keys) or clause.where is not None or clause.limit is not None
        if not self.stage.is_grouped:
            self.nodes = NounPhrases(self.schema, self.words, self.parameters, self.value)
            self.conditions = self.nodes.conditions

    def _return(self, clause: t.Return) -> str:
        if clause.star:
            raise NotVerbalisedError("RETURN *")
        measures = [item for item in clause.items if has_aggregate(item.expression)]
        keys = [item for item in clause.items if not has_aggregate(item.expression)]
        if not self.nodes.pattern.nodes and not measures:
            text = self._facts(clause)
        elif measures or self.stage.is_grouped:
            text = self._grouped(keys, measures)
        else:
            text = self._listing(keys, distinct=clause.distinct)
        self._order(clause)
        loose = [self.conditions.clause(each) for each in self.nodes.pattern.loose]
        if loose:
            text += f", where {join(loose)}"
        if unsaid := [
            name
            for name, facts in self.nodes.pattern.nodes.items()
            if facts.conditions and name not in self.nodes.described
        ]:
            raise NotVerbalisedError(f"conditions on {join(unsaid)}, which nothing leads to")
        return ", ".join([text, *self.stage.suffixes])

    def _facts(self, clause: t.Return) -> str:
        return join([self.value(item.expression) for item in clause.items])

    def _listing(self, items: Sequence[t.ProjectionItem], *, distinct: bool) -> str:
        """Say a list of things or of their properties."""
        by_owner: dict[str, list[str]] = {}
        computed: list[t.Expression] = []
        for item in items:
            owner = self._owner(item.expression)
            if owner is None:
                computed.append(item.expression)
            else:
                by_owner.setdefault(owner, []).append(self._column(owner, item.expression))
        if not by_owner:
            values = join([self.value(each) for each in computed])
            return f"{'the different ' if distinct else ''}{values}{self.nodes.remainder()}"
        root = next(iter(by_owner))
        node = self.nodes.node_of(root)
        things = self.nodes.noun_phrase(node, "plural")
        if distinct:
            things = f"different {things}"
        columns = [each for each in by_owner[root] if each]
        text = f"the {join(columns)} of {things}" if columns else things
        for owner, others in list(by_owner.items())[1:]:
            named = [each for each in others if each]
            of = (
                f" of the {self.nodes.bare_noun(owner)}" if self.nodes.pattern.node(owner) is not None else ""
            )
            text += f", with the {join(named)}{of}" if named else f", with{of.removeprefix(' of')}"
        if computed:
            text += f", with {join([self.value(each) for each in computed])}"
        return text + self.nodes.remainder()

    def _grouped(self, keys: Sequence[t.ProjectionItem], measures: Sequence[t.ProjectionItem]) -> str:
        """Say measures, of everything or for each group."""
        if self.stage.is_grouped and measures:
            if keys:
                raise NotVerbalisedError("a grouping of groups")
            groups = join([self._plural_key(item) for item in self.stage.groups])
            return f"{join([self.value(item.expression) for item in measures])}, over {groups}"
        if not self.stage.is_grouped:
            if any(self._is_value(item.expression) for item in keys):
                raise NotVerbalisedError("a group by a figure of other things")
            self.nodes.keys = [owner for item in keys if (owner := self._owner(item.expression)) is not None]
        measured = [self.value(item.expression) for item in measures]
        named: list[str] = []
        seen: dict[str, list[str]] = {}
        for item in keys:
            owner = self._owner(item.expression)
            if owner is None:
                (measured if self.stage.is_grouped else named).append(self.value(item.expression))
            else:
                seen.setdefault(owner, []).append(self._column(owner, item.expression))
        if not measured and not named:
            plurals = [self._plural_group(owner, columns) for owner, columns in seen.items()]
            return join(plurals) + self.nodes.remainder()
        for owner, columns in seen.items():
            node = self.nodes.node_of(owner)
            group = self.nodes.noun_phrase(node, "singular")
            wanted = [each for each in columns if each]
            named.append(
                f"{join(wanted)} of {with_article(group)}"
                if wanted and not self._is_measured(node)
                else join(wanted) or group
            )
        if not measured:
            return f"{join(named)}{self.nodes.remainder()}"
        prefix = f"for each {join(named)}: " if named else ""
        return f"{prefix}{'; '.join(measured)}{self.nodes.remainder()}"

    def _plural_group(self, owner: str, columns: Sequence[str]) -> str:
        things = self.nodes.noun_phrase(self.nodes.node_of(owner), "plural")
        wanted = [each for each in columns if each]
        return f"the {join(wanted)} of {things}" if wanted else things

    def _plural_key(self, item: t.ProjectionItem) -> str:
        owner = self._owner(item.expression)
        if owner is None:
            raise NotVerbalisedError("a group by a computed value")
        column = self._column(owner, item.expression)
        if not column:
            return self.nodes.noun_phrase(self.nodes.node_of(owner), "plural")
        return pluralize(column)

    def _is_measured(self, variable: str) -> bool:
        return variable in self.nodes.measured

    def _order(self, clause: t.With | t.Return) -> None:
        if clause.order:
            measures = [
                item
                for item in clause.items
                if has_aggregate(item.expression) or self._is_value(item.expression)
            ]
            by = join(
                [
                    f"{self._sort_key(each.expression, measures)} ({self._direction(each)})"
                    for each in clause.order
                ]
            )
            self.stage.suffixes.append(f"ordered by {by}")
        if clause.limit is not None:
            limit = self.conditions.literal(clause.limit)
            self.stage.suffixes.append("only the first one" if limit == "1" else f"only the first {limit}")
        if clause.skip is not None:
            self.stage.suffixes.append(f"without the first {self.conditions.literal(clause.skip)}")

    def _is_value(self, expression: t.Expression) -> bool:
        return isinstance(expression, t.Variable) and expression.name in self.stage.values

    def _sort_key(self, expression: t.Expression, measures: Sequence[t.ProjectionItem]) -> str:
        is_only = len(measures) == 1 and (
            expression in {measures[0].expression, measures[0].alias} and expression is not None
        )
        return "that value" if is_only else self.value(expression)

    def _direction(self, item: t.SortItem) -> str:
        found = None
        if isinstance(item.expression, t.Property) and isinstance(item.expression.subject, t.Variable):
            name = item.expression.subject.name
            edge = self.nodes.pattern.edge(name)
            owner = edge.types[0] if edge is not None and edge.types else self.nodes.label_of(name)
            found = self.schema.property_of(owner, item.expression.key)
        if found is not None and ("DATE" in found.type or "TIME" in found.type):
            return "latest first" if item.descending else "earliest first"
        if found is not None and found.type == "STRING":
            return "Z to A" if item.descending else "A to Z"
        return "highest first" if item.descending else "lowest first"

    # Values

    def value(self, expression: t.Expression) -> str:  # noqa: C901, PLR0911, PLR0912  one case a form
        """Return the words of a value, with its article."""
        match expression:
            case t.Variable(name):
                if name in self.stage.values:
                    return self.stage.values[name]
                return f"the {self.nodes.bare_noun(self.nodes.node_of(name))}"
            case t.Property():
                return self._property(expression)
            case t.CountStar() | t.FunctionInvocation(("count",)):
                return self._count(expression)
            case t.FunctionInvocation((name,), arguments) if name in AGGREGATES and arguments:
                return self._aggregate(name, expression)
            case t.SubqueryExpression("COUNT", query):
                return f"the number of {self.nodes.subquery(query, 'plural')}"
            case t.SubqueryExpression("EXISTS", query):
                return f"whether there is {self.nodes.subquery(query, 'a')}"
            case t.FunctionInvocation(("size",), (inner,)):
                return f"the number of {self._plural(inner)}"
            case t.FunctionInvocation(("round",), (inner, *_)) | t.FunctionInvocation(
                ("date" | "tofloat" | "tointeger" | "tostring",), (inner,)
            ):
                return self.value(inner)
            case t.Comparison((t.CountStar(), t.Integer(0)), (">",)):
                return f"whether there are any {self.nodes.matches('plural')}"
            case t.Arithmetic((t.Integer(100) | t.Float(100.0), part, whole), ("*", "/")) if (
                counted := _conditional_count(part)
            ) is not None and has_aggregate(whole):
                owner = self._only_owner(counted)
                return f"the percentage of {self._restricted(owner, counted)}"
            case t.Arithmetic(operands, operators):
                words = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
                if any(each not in words for each in operators):
                    raise NotVerbalisedError("an arithmetic expression")
                text = self.value(operands[0])
                for operator, operand in zip(operators, operands[1:], strict=True):
                    text += f" {words[operator]} {self.value(operand)}"
                return text
            case t.Integer() | t.Float() | t.String() | t.Boolean() | t.Parameter():
                return self.conditions.literal(expression)
            case t.Comparison() | t.BinaryPredicate() | t.IsNull() | t.Not() | t.Logical():
                return f"whether {self.conditions.clause(expression)}"
        raise NotVerbalisedError(type(expression).__name__)

    def _count(self, expression: t.CountStar | t.FunctionInvocation) -> str:
        if isinstance(expression, t.CountStar):
            return f"the number of {self.nodes.matches('plural')}"
        argument = expression.arguments[0]
        distinct = "different " if expression.distinct else ""
        match argument:
            case t.Variable(name) if self.nodes.pattern.node(name) is not None:
                return f"the number of {distinct}{self.nodes.counted(name)}"
            case t.Variable(name) if (edge := self.nodes.pattern.edge(name)) is not None:
                return f"the number of {self.nodes.counted(self.nodes.far_end(edge))}"
            case t.Property(t.Variable(name), key) if self.nodes.pattern.node(name) is not None:
                if key in self.words.naming_properties(self.nodes.label_of(name)):
                    return f"the number of {distinct}{self.nodes.counted(name)}"
                noun = self.words.property_noun(self.nodes.label_of(name), key, plural=True)
                return f"the number of {distinct}{noun} of {self.nodes.counted(name)}"
            case t.CaseExpression(None, (t.CaseAlternative((condition,), _),), None):
                owner = self._only_owner(condition)
                return f"the number of {self._restricted(owner, condition)}"
        raise NotVerbalisedError("a count of a computed value")

    def _aggregate(self, name: str, expression: t.FunctionInvocation) -> str:
        argument = expression.arguments[0]
        distinct = "different " if expression.distinct else ""
        match argument:
            case t.CaseExpression(
                None, (t.CaseAlternative((condition,), result),), t.Integer(0) | t.Float(0.0)
            ):
                if isinstance(result, t.Integer | t.Float) and result.value == 1:
                    owner = self._only_owner(condition)
                    what = "the number" if name == "sum" else "the fraction"
                    if name not in {"sum", "avg"}:
                        raise NotVerbalisedError("an extreme of a condition")
                    return f"{what} of {self._restricted(owner, condition)}"
            case t.Property(t.Variable(owner), key) if self.nodes.pattern.node(owner) is not None:
                noun = self.words.property_noun(self.nodes.label_of(owner), key, plural=name == "collect")
                form = AGGREGATES[name]
                found = self.schema.property_of(self.nodes.label_of(owner), key)
                if found is not None and ("DATE" in found.type or "TIME" in found.type):
                    form = TEMPORAL_EXTREMES.get(name, form)
                return f"{form.format(f'{distinct}{noun}')} of {self.nodes.counted(owner)}"
            case t.Property(t.Variable(owner), key) if (edge := self.nodes.pattern.edge(owner)) is not None:
                noun = self.words.property_noun(
                    edge.types[0] if edge.types else "", key, plural=name == "collect"
                )
                things = self.nodes.counted(self.nodes.far_end(edge))
                return f"{AGGREGATES[name].format(f'{distinct}{noun}')} of {things}"
            case t.Variable(owner) if (
                owner not in self.stage.values and self.nodes.pattern.node(owner) is not None
            ):
                return f"{AGGREGATES[name].format(f'{distinct}{self.nodes.counted(owner)}')}"
        inner = AGGREGATES[name].format(f"{distinct}{self.value(argument).removeprefix('the ')}")
        outer = [each for each in dict.fromkeys(variables_of(argument)) if each in self.nodes.pattern.nodes]
        if (
            len(outer) == 1
            and outer[0] not in self.nodes.keys
            and any(isinstance(each, t.SubqueryExpression) for each in walk(argument))
        ):
            return f"{inner}, over {self.nodes.counted(outer[0])}"
        return inner

    def _restricted(self, owner: str, condition: t.Expression) -> str:
        """Return the counted things with a condition that is counted by."""
        things = self.nodes.counted(owner)
        return (
            f"{things} {self.conditions.modifier(owner, self.nodes.label_of(owner), condition, plural=True)}"
        )

    def _property(self, access: t.Property) -> str:
        match access:
            case t.Property(t.Property() as inner, key):
                return f"the {split_identifier(key)} of {self._property(inner)}"
            case t.Property(t.Variable(name), key):
                if (edge := self.nodes.pattern.edge(name)) is not None:
                    return f"the {self.words.property_noun(edge.types[0] if edge.types else '', key)}"
                node = self.nodes.node_of(name)
                label = self.nodes.label_of(node)
                noun = self.words.property_noun(label, key)
                if key in self.words.naming_properties(label):
                    return f"the {self.nodes.bare_noun(node)}"
                return f"the {noun} of the {self.nodes.bare_noun(node)}"
        raise NotVerbalisedError("a property of a computed value")

    def _plural(self, expression: t.Expression) -> str:
        match expression:
            case t.Property(t.Variable(name), key):
                node = self.nodes.node_of(name)
                return self.words.property_noun(self.nodes.label_of(node), key, plural=True)
        raise NotVerbalisedError("the size of a computed value")

    def _column(self, owner: str, expression: t.Expression) -> str:
        """Return what a column tells of its owner; empty for the owner itself or its name."""
        match expression:
            case t.Variable():
                return ""
            case t.Property(t.Variable(name), key) if name == owner:
                if (edge := self.nodes.pattern.edge(owner)) is not None:
                    return self.words.property_noun(edge.types[0] if edge.types else "", key)
                label = self.nodes.label_of(owner)
                is_name = key in self.words.naming_properties(label)[:1]
                return "" if is_name else self.words.property_noun(label, key)
            case t.Property(t.Property() as inner, key):
                return f"{split_identifier(key)} of the {self._column(owner, inner)}"
            case t.FunctionInvocation((_,), (inner, *_)):
                return self._column(owner, inner)
        return self.value(expression).removeprefix("the ")

    def _owner(self, expression: t.Expression) -> str | None:
        names = set(variables_of(expression)) if not isinstance(expression, t.SubqueryExpression) else set()
        known = [
            name
            for name in names
            if self.nodes.pattern.node(name) is not None or self.nodes.pattern.edge(name) is not None
        ]
        return known[0] if len(names) == 1 and known else None

    def _only_owner(self, condition: t.Expression) -> str:
        names = [
            name
            for name in dict.fromkeys(variables_of(condition))
            if self.nodes.pattern.node(name) is not None
        ]
        if not names:
            raise NotVerbalisedError("a condition on no node")
        return names[0]


def has_aggregate(expression: t.Expression) -> bool:
    """Return whether an expression aggregates rows of its own query."""
    if isinstance(expression, t.SubqueryExpression):
        return False
    if isinstance(expression, t.CountStar):
        return True
    if isinstance(expression, t.FunctionInvocation) and expression.name[-1].lower() in {"count", *AGGREGATES}:
        return True
    return any(has_aggregate(each) for each in children(expression))  # type: ignore[arg-type]


def _conditional_count(expression: t.Expression) -> t.Expression | None:
    """Return the condition of `sum(CASE WHEN condition THEN 1 …)` or `count(CASE WHEN condition THEN 1 END)`."""
    match expression:
        case t.FunctionInvocation(
            ("sum" | "count",), (t.CaseExpression(None, (t.CaseAlternative((condition,), result),)),)
        ):
            return condition if isinstance(result, t.Integer | t.Float) and result.value == 1 else None
    return None
