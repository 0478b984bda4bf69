"""Syntax tree of a read-only query: immutable typed nodes with source positions.

Two trees are equal if they have the same meaning; positions are not compared, and equivalent notations give equal trees
(`:A:B` and `:A&B`, `SKIP` and `OFFSET`, `0x10` and `16`, redundant brackets).

    Query                       parts: SingleQuery ... joined by UNION
      SingleQuery               clauses in order
        Match Unwind With Return OrderBySkipLimit Finish CallSubquery CallProcedure         Clause
          PathPattern           [variable =] [selector] parts
            NodePattern RelationshipPattern ParenthesizedPath                               PathPart
              Label DynamicLabel AnyLabel LabelNot LabelAnd LabelOr                         LabelExpression
          Expression
            Null Boolean Integer Float FloatConstant String Parameter Variable ListLiteral MapLiteral
            Property ContainerIndex ListSlice UnaryOp Not Logical Comparison Arithmetic BinaryPredicate
            IsNull IsTyped IsNormalized LabelPredicate CaseExpression CaseOperand FunctionInvocation CountStar
            Trim Normalize MapProjection ListComprehension PatternComprehension PatternExpression
            ReduceExpression IterablePredicate SubqueryExpression
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the syntax tree."""

    position: int = field(default=-1, compare=False, repr=False, kw_only=True)
    """Offset of the first character in the text; for `a.key` that of `key`. -1 in a tree not made by the parser."""


# Values


@dataclass(frozen=True, slots=True)
class Null(Node):
    """`null`."""


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Integer(Node):
    """A signed 64-bit integer."""

    value: int


@dataclass(frozen=True, slots=True)
class Float(Node):
    """A finite signed floating-point number."""

    value: float


@dataclass(frozen=True, slots=True)
class FloatConstant(Node):
    """`INF` or `NaN`."""

    name: Literal["INF", "NaN"]


@dataclass(frozen=True, slots=True)
class String(Node):
    """A string, its escapes decoded."""

    value: str


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """`$name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """A variable, where it is used and where it is defined."""

    name: str


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    """`[items]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapEntry(Node):
    """`key: value`."""

    key: str
    value: Expression


@dataclass(frozen=True, slots=True)
class MapLiteral(Node):
    """`{entries}`."""

    entries: tuple[MapEntry, ...]


# Operators


@dataclass(frozen=True, slots=True)
class Property(Node):
    """`subject.key`."""

    subject: Expression
    key: str


@dataclass(frozen=True, slots=True)
class ContainerIndex(Node):
    """`subject[index]`: a list element, or a computed key of a map, node or relationship."""

    subject: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class ListSlice(Node):
    """`subject[start..end]`."""

    subject: Expression
    start: Expression | None
    end: Expression | None


@dataclass(frozen=True, slots=True)
class UnaryOp(Node):
    """`-operand` or `+operand`; number literals have their own sign."""

    operator: Literal["+", "-"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`NOT operand`."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Logical(Node):
    """Two or more operands joined by the same operator."""

    operator: Literal["AND", "OR", "XOR"]
    operands: tuple[Expression, ...]


ComparisonOperator: TypeAlias = Literal["=", "<>", "<", ">", "<=", ">="]
ArithmeticOperator: TypeAlias = Literal["+", "-", "||", "*", "/", "%", "^"]
BinaryPredicateOperator: TypeAlias = Literal["=~", "STARTS WITH", "ENDS WITH", "CONTAINS", "IN"]


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`a < b <= c`; each operator compares two neighbouring operands."""

    operands: tuple[Expression, ...]
    operators: tuple[ComparisonOperator, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`a + b - c`, left-associative; the operators have equal precedence (`+ - ||`, `* / %` or `^`)."""

    operands: tuple[Expression, ...]
    operators: tuple[ArithmeticOperator, ...]


@dataclass(frozen=True, slots=True)
class BinaryPredicate(Node):
    """`left IN right`, `left STARTS WITH right` and similar predicates."""

    __test__ = False

    operator: BinaryPredicateOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """`operand IS [NOT] NULL`."""

    operand: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsTyped(Node):
    """`operand IS [NOT] :: TYPE`."""

    operand: Expression
    type: str
    """In upper case, words separated by one space."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNormalized(Node):
    """`operand IS [NOT] [NFC] NORMALIZED`."""

    operand: Expression
    form: Literal["NFC", "NFD", "NFKC", "NFKD"] = "NFC"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class LabelPredicate(Node):
    """`operand:Label`: whether a node has the labels, or a relationship the type."""

    operand: Expression
    labels: LabelExpression


# Larger expressions


@dataclass(frozen=True, slots=True)
class CaseOperand(Node):
    """The value after CASE as left operand of a condition: `WHEN < 5` is a Comparison of this node with 5."""


@dataclass(frozen=True, slots=True)
class CaseAlternative(Node):
    """`WHEN condition[, condition …] THEN result`.

    With a subject, a condition is a value which it may equal, or a predicate whose innermost left operand is
    `CaseOperand`.
    """

    conditions: tuple[Expression, ...]
    result: Expression


@dataclass(frozen=True, slots=True)
class CaseExpression(Node):
    """`CASE [subject] branches [ELSE default] END`."""

    subject: Expression | None
    branches: tuple[CaseAlternative, ...]
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class FunctionInvocation(Node):
    """`name([DISTINCT] arguments)`; the name has several parts if it has a namespace."""

    name: tuple[str, ...]
    arguments: tuple[Expression, ...] = ()
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class CountStar(Node):
    """`count(*)`."""


@dataclass(frozen=True, slots=True)
class Trim(Node):
    """`trim([BOTH|LEADING|TRAILING] [characters] FROM source)`; `trim(source)` is a FunctionInvocation."""

    mode: Literal["BOTH", "LEADING", "TRAILING"]
    characters: Expression | None
    source: Expression


@dataclass(frozen=True, slots=True)
class Normalize(Node):
    """`normalize(source, NFD)`; `normalize(source)` is a FunctionInvocation."""

    source: Expression
    form: Literal["NFC", "NFD", "NFKC", "NFKD"]


@dataclass(frozen=True, slots=True)
class AllPropertiesSelector(Node):
    """`.*` in a map projection."""


@dataclass(frozen=True, slots=True)
class PropertySelector(Node):
    """`.key` in a map projection."""

    key: str


@dataclass(frozen=True, slots=True)
class MapProjection(Node):
    """`variable {.key, .*, other, key: value}`; a Variable among the items is included under its own name."""

    variable: Variable
    items: tuple[AllPropertiesSelector | PropertySelector | Variable | MapEntry, ...]


@dataclass(frozen=True, slots=True)
class ListComprehension(Node):
    """`[variable IN source [WHERE where] [| result]]`."""

    variable: Variable
    source: Expression
    where: Expression | None = None
    result: Expression | None = None


@dataclass(frozen=True, slots=True)
class PatternComprehension(Node):
    """`[pattern [WHERE where] | result]`."""

    pattern: PathPattern
    where: Expression | None
    result: Expression


@dataclass(frozen=True, slots=True)
class PatternExpression(Node):
    """A pattern as an expression: whether it matches, or `shortestPath(…)`."""

    pattern: PathPattern


@dataclass(frozen=True, slots=True)
class ReduceExpression(Node):
    """`reduce(accumulator = initial, variable IN source | step)`."""

    accumulator: Variable
    initial: Expression
    variable: Variable
    source: Expression
    step: Expression


@dataclass(frozen=True, slots=True)
class IterablePredicate(Node):
    """`any(variable IN source [WHERE where])`."""

    kind: Literal["ALL", "ANY", "NONE", "SINGLE"]
    variable: Variable
    source: Expression
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class SubqueryExpression(Node):
    """`EXISTS { query }`, `COUNT { query }` or `COLLECT { query }`; a bare pattern inside is a query with one MATCH."""

    kind: Literal["EXISTS", "COUNT", "COLLECT"]
    query: Query


# Patterns


@dataclass(frozen=True, slots=True)
class Label(Node):
    """The name of a label or relationship type."""

    name: str


@dataclass(frozen=True, slots=True)
class DynamicLabel(Node):
    """`$(expression)`, `$any(expression)`: computed labels or types."""

    expression: Expression
    quantity: Literal["ALL", "ANY"] = "ALL"


@dataclass(frozen=True, slots=True)
class AnyLabel(Node):
    """`%`."""


@dataclass(frozen=True, slots=True)
class LabelNot(Node):
    """`!operand`."""

    operand: LabelExpression


@dataclass(frozen=True, slots=True)
class LabelAnd(Node):
    """`A&B`, two or more operands."""

    operands: tuple[LabelExpression, ...]


@dataclass(frozen=True, slots=True)
class LabelOr(Node):
    """`A|B`, two or more operands."""

    operands: tuple[LabelExpression, ...]


@dataclass(frozen=True, slots=True)
class NodePattern(Node):
    """`(variable:Labels {properties} WHERE where)`."""

    variable: Variable | None = None
    labels: LabelExpression | None = None
    properties: MapLiteral | Parameter | None = None
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class PathLength(Node):
    """`*least..most` of a variable-length relationship; None where omitted (1, and unbounded)."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Quantifier(Node):
    """`{least,most}`, `+` or `*` after a relationship or parenthesized path; None is unbounded."""

    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class RelationshipPattern(Node):
    """`-[variable:TYPES*length {properties} WHERE where]->{quantifier}`; `-` is undirected."""

    variable: Variable | None = None
    types: LabelExpression | None = None
    direction: Literal["->", "<-", "-"] = "->"
    length: PathLength | None = None
    properties: MapLiteral | Parameter | None = None
    where: Expression | None = None
    quantifier: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class ParenthesizedPath(Node):
    """`(pattern WHERE where){quantifier}`: a path in brackets, a quantified path pattern if it has a quantifier."""

    pattern: PathPattern
    where: Expression | None = None
    quantifier: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class PathSelector(Node):
    """Path selector: `ALL SHORTEST`, `ANY 3`, `SHORTEST 2 GROUPS`."""

    kind: Literal["ANY", "ALL", "ANY SHORTEST", "ALL SHORTEST", "SHORTEST", "SHORTEST GROUPS"]
    count: int | None = None
    """Optional for `ANY` and `SHORTEST GROUPS`, required for `SHORTEST`."""


@dataclass(frozen=True, slots=True)
class PathPattern(Node):
    """`[variable =] [selector] parts`, or `[variable =] shortestPath(parts)`."""

    parts: tuple[PathPart, ...]
    """Relationships alternate with nodes; parenthesized paths and nodes may be adjacent."""
    variable: Variable | None = None
    selector: PathSelector | None = None
    shortest: Literal["shortestPath", "allShortestPaths"] | None = None


# Clauses


@dataclass(frozen=True, slots=True)
class Match(Node):
    """`[OPTIONAL] MATCH [mode] patterns [WHERE where]`."""

    patterns: tuple[PathPattern, ...]
    where: Expression | None = None
    optional: bool = False
    mode: Literal["DIFFERENT RELATIONSHIPS", "REPEATABLE ELEMENTS"] | None = None


@dataclass(frozen=True, slots=True)
class Unwind(Node):
    """`UNWIND expression AS variable`."""

    expression: Expression
    variable: Variable


@dataclass(frozen=True, slots=True)
class ProjectionItem(Node):
    """`expression [AS alias]` of RETURN or WITH."""

    expression: Expression
    alias: Variable | None = None


@dataclass(frozen=True, slots=True)
class SortItem(Node):
    """`expression [DESC]` of ORDER BY."""

    expression: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Projection(Node):
    """Fields common to WITH and RETURN."""

    items: tuple[ProjectionItem, ...] = ()
    star: bool = False
    """Whether the items begin with `*`."""
    distinct: bool = False
    order: tuple[SortItem, ...] = ()
    skip: Expression | None = None
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class With(Projection):
    """`WITH [DISTINCT] items [ORDER BY] [SKIP] [LIMIT] [WHERE]`."""

    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Return(Projection):
    """`RETURN [DISTINCT] items [ORDER BY] [SKIP] [LIMIT]`."""


@dataclass(frozen=True, slots=True)
class OrderBySkipLimit(Node):
    """`ORDER BY`, `SKIP` or `LIMIT` as a clause, not part of WITH or RETURN."""

    order: tuple[SortItem, ...] = ()
    skip: Expression | None = None
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class Finish(Node):
    """`FINISH`: the query returns no result."""


@dataclass(frozen=True, slots=True)
class CallSubquery(Node):
    """`[OPTIONAL] CALL [(imports)] { query }`."""

    query: Query
    imports: tuple[Variable, ...] | None = None
    """None: no brackets, so that a leading WITH imports; empty with `star` for `(*)`."""
    star: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class YieldItem(Node):
    """`name [AS alias]` of YIELD."""

    name: str
    alias: Variable | None = None


@dataclass(frozen=True, slots=True)
class CallProcedure(Node):
    """`[OPTIONAL] CALL name[(arguments)] [YIELD yields [WHERE where]]`."""

    name: tuple[str, ...]
    arguments: tuple[Expression, ...] | None = None
    yields: tuple[YieldItem, ...] | None = None
    """None: no YIELD; empty with `star` for `YIELD *`."""
    star: bool = False
    where: Expression | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class SingleQuery(Node):
    """A query without UNION."""

    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Query(Node):
    """One or more parts joined by UNION, or by UNION ALL if `all`."""

    parts: tuple[SingleQuery, ...]
    all: bool = False


Literals: TypeAlias = Null | Boolean | Integer | Float | FloatConstant | String
Expression: TypeAlias = (
    Literals
    | Parameter
    | Variable
    | ListLiteral
    | MapLiteral
    | Property
    | ContainerIndex
    | ListSlice
    | UnaryOp
    | Not
    | Logical
    | Comparison
    | Arithmetic
    | BinaryPredicate
    | IsNull
    | IsTyped
    | IsNormalized
    | LabelPredicate
    | CaseExpression
    | CaseOperand
    | FunctionInvocation
    | CountStar
    | Trim
    | Normalize
    | MapProjection
    | ListComprehension
    | PatternComprehension
    | PatternExpression
    | ReduceExpression
    | IterablePredicate
    | SubqueryExpression
)
LabelExpression: TypeAlias = Label | DynamicLabel | AnyLabel | LabelNot | LabelAnd | LabelOr
PathPart: TypeAlias = NodePattern | RelationshipPattern | ParenthesizedPath
Clause: TypeAlias = Match | Unwind | With | Return | OrderBySkipLimit | Finish | CallSubquery | CallProcedure
