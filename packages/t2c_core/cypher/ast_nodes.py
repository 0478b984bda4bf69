"""The syntax tree of a reading query: immutable, typed, with the position of every node.

Holds no parsing, printing or meaning. Two trees are equal if they say the same; positions take no part, and forms that
mean the same are one (`:A:B` and `:A&B`, `SKIP` and `OFFSET`, `0x10` and `16`, brackets that change nothing).

    Query                       parts: SingleQuery ... joined by UNION
      SingleQuery               clauses in their order
        Match Unwind With Return Page Finish CallSubquery CallProcedure         Clause
          PathPattern           [p =] [selector] parts
            NodePattern RelationshipPattern GroupedPath                         PathPart
              Label DynamicLabel AnyLabel LabelNot LabelAnd LabelOr             LabelExpression
          Expression
            Null Boolean Integer Float FloatConstant String Parameter Variable ListLiteral MapLiteral
            Property Index Slice Sign Not Logical Comparison Arithmetic Test NullTest TypeTest NormalizedTest LabelTest
            Case CaseSubject Function CountStar Trim Normalize MapProjection ListComprehension PatternComprehension
            PatternExpression Reduce ListPredicate Subquery
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Node:
    """Anything in the tree."""

    position: int = field(default=-1, compare=False, repr=False, kw_only=True)
    """Where its first character stands in the text, from 0; of `a.key`, `key`. -1 in a tree that was made by hand."""


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
    """A whole number with its sign, of 64 bits."""

    value: int


@dataclass(frozen=True, slots=True)
class Float(Node):
    """A finite decimal number with its sign."""

    value: float


@dataclass(frozen=True, slots=True)
class FloatConstant(Node):
    """`INF` or `NaN`."""

    name: Literal["INF", "NaN"]


@dataclass(frozen=True, slots=True)
class String(Node):
    """Text, its escapes decoded."""

    value: str


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """`$name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """A name that stands for a value, where it is used and where it is made."""

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
    """`subject[index]`: an item of a list, or a key of a map, node or relationship that is worked out."""

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
    """`-operand` or `+operand`; a number has its own sign."""

    operator: Literal["+", "-"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`NOT operand`."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Logical(Node):
    """Two operands or more, all joined by the same word."""

    operator: Literal["AND", "OR", "XOR"]
    operands: tuple[Expression, ...]


ComparisonOperator: TypeAlias = Literal["=", "<>", "<", ">", "<=", ">="]
ArithmeticOperator: TypeAlias = Literal["+", "-", "||", "*", "/", "%", "^"]
BinaryPredicateOperator: TypeAlias = Literal["=~", "STARTS WITH", "ENDS WITH", "CONTAINS", "IN"]


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`a < b <= c`: each operator stands between two neighbours."""

    operands: tuple[Expression, ...]
    operators: tuple[ComparisonOperator, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`a + b - c`, from the left; all operators bind equally strongly (`+ - ||`, `* / %` or `^`)."""

    operands: tuple[Expression, ...]
    operators: tuple[ArithmeticOperator, ...]


@dataclass(frozen=True, slots=True)
class BinaryPredicate(Node):
    """`left IN right`, `left STARTS WITH right` and their like."""

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
    """In capitals, one blank between words."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNormalized(Node):
    """`operand IS [NOT] [NFC] NORMALIZED`."""

    operand: Expression
    form: Literal["NFC", "NFD", "NFKC", "NFKD"] = "NFC"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class LabelPredicate(Node):
    """`operand:Label`: whether a node has labels, or a relationship a type."""

    operand: Expression
    labels: LabelExpression


# Larger expressions


@dataclass(frozen=True, slots=True)
class CaseOperand(Node):
    """The value after CASE as the left side of a condition: `WHEN < 5` is a Comparison of this with 5."""


@dataclass(frozen=True, slots=True)
class CaseAlternative(Node):
    """`WHEN condition[, condition …] THEN result`.

    With a subject, a condition is a value that it may equal, or a test whose innermost left side is `CaseSubject`.
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
    """`name([DISTINCT] arguments)`; a name has several parts when it has a namespace."""

    name: tuple[str, ...]
    arguments: tuple[Expression, ...] = ()
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class CountStar(Node):
    """`count(*)`."""


@dataclass(frozen=True, slots=True)
class Trim(Node):
    """`trim([BOTH|LEADING|TRAILING] [characters] FROM source)`; plain `trim(source)` is a Function."""

    mode: Literal["BOTH", "LEADING", "TRAILING"]
    characters: Expression | None
    source: Expression


@dataclass(frozen=True, slots=True)
class Normalize(Node):
    """`normalize(source, NFD)`; plain `normalize(source)` is a Function."""

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
    """`variable {.key, .*, other, key: value}`; a Variable among the items stands for itself under its own name."""

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
    """A pattern where a value is wanted: whether it occurs, or `shortestPath(…)`."""

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
    """`EXISTS { query }`, `COUNT { query }` or `COLLECT { query }`; a bare pattern inside is a query of one MATCH."""

    kind: Literal["EXISTS", "COUNT", "COLLECT"]
    query: Query


# Patterns


@dataclass(frozen=True, slots=True)
class Label(Node):
    """The name of a label or relationship type."""

    name: str


@dataclass(frozen=True, slots=True)
class DynamicLabel(Node):
    """`$(expression)`, `$any(expression)`: labels or types that are worked out."""

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
    """`A&B`, two operands or more."""

    operands: tuple[LabelExpression, ...]


@dataclass(frozen=True, slots=True)
class LabelOr(Node):
    """`A|B`, two operands or more."""

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
    """`*least..most` of a variable-length relationship; None where it says nothing (1, and without end)."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Quantifier(Node):
    """`{least,most}`, `+` or `*` after a relationship or group; None is without end."""

    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class RelationshipPattern(Node):
    """`-[variable:TYPES*length {properties} WHERE where]->{quantifier}`; `-` is a pattern for both directions."""

    variable: Variable | None = None
    types: LabelExpression | None = None
    direction: Literal["->", "<-", "-"] = "->"
    length: PathLength | None = None
    properties: MapLiteral | Parameter | None = None
    where: Expression | None = None
    quantifier: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class ParenthesizedPath(Node):
    """`(pattern WHERE where){quantifier}`: a path in brackets, repeated if it has a quantifier."""

    pattern: PathPattern
    where: Expression | None = None
    quantifier: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class PathSelector(Node):
    """Which of the matching paths are kept: `ALL SHORTEST`, `ANY 3`, `SHORTEST 2 GROUPS`."""

    kind: Literal["ANY", "ALL", "ANY SHORTEST", "ALL SHORTEST", "SHORTEST", "SHORTEST GROUPS"]
    count: int | None = None
    """With `ANY` and `SHORTEST GROUPS` perhaps, with `SHORTEST` always."""


@dataclass(frozen=True, slots=True)
class PathPattern(Node):
    """`[variable =] [selector] parts`, or `[variable =] shortestPath(parts)`."""

    parts: tuple[PathPart, ...]
    """Relationships stand between nodes; groups and nodes may stand side by side."""
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
    """What WITH and RETURN have in common."""

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
    """`ORDER BY`, `SKIP` or `LIMIT` as a clause of its own, after others than WITH and RETURN."""

    order: tuple[SortItem, ...] = ()
    skip: Expression | None = None
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class Finish(Node):
    """`FINISH`: the query returns no rows."""


@dataclass(frozen=True, slots=True)
class CallSubquery(Node):
    """`[OPTIONAL] CALL [(imports)] { query }`."""

    query: Query
    imports: tuple[Variable, ...] | None = None
    """None: no brackets, so that WITH imports; empty with `star` for `(*)`."""
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
    """Clauses without UNION."""

    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Query(Node):
    """One part or more, joined by UNION, or by UNION ALL if `all`."""

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
