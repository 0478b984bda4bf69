"""Rendered text is parsed back as the same tree, and has brackets only where needed."""

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render

NAMES = [
    "a",
    "b",
    "n",
    "where",
    "IS",
    "all",
    "x y",
    "it`s",
    "a\\u0041",
    "é",
    "count",
    "NOT",
    "end",
    "x'\n",
    "$a",
    "_1",
]
VALUES = ["", "it's", '"', "\\", "\\u0041", "a\nb\t\r\f\b", "\\'", "😀", "// no", "/* no", "\\\\u", "\x00"]

names = st.sampled_from(NAMES)
variables = st.builds(t.Variable, names)
literals = st.one_of(
    st.just(t.Null()),
    st.builds(t.Boolean, st.booleans()),
    st.builds(t.Integer, st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)])),
    st.builds(t.Float, st.sampled_from([0.5, -1.5, 1e300, 1e-300, 1e16, -1e22])),
    st.builds(t.FloatConstant, st.sampled_from(["INF", "NaN"])),
    st.builds(t.String, st.sampled_from(VALUES)),
    st.builds(t.Parameter, st.sampled_from([*NAMES, "1"])),
    variables,
    st.just(t.CountStar()),
)


def optional(strategy):
    return st.one_of(st.none(), strategy)


def tuples(strategy, least=0, most=2):
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


@cache
def choices(depth):
    return st.one_of(literals, operations(depth - 1), forms(depth - 1)) if depth else literals


@st.composite
def expressions(draw, depth):
    """Expressions of at most the given height."""
    return draw(choices(depth))


labels = st.recursive(
    st.one_of(st.builds(t.Label, names), st.just(t.AnyLabel()), st.builds(t.DynamicLabel, literals, st.sampled_from(["ALL", "ANY"]))),
    lambda inner: st.one_of(
        st.builds(t.LabelNot, inner),
        st.builds(t.LabelAnd, tuples(inner, 2, 3)),
        st.builds(t.LabelOr, tuples(inner, 2, 3)),
    ),
    max_leaves=4,
)  # fmt: skip
CHAINS = [
    (t.Comparison, ("=", "<>", "<", ">", "<=", ">=")),
    (t.Arithmetic, ("+", "-", "||")),
    (t.Arithmetic, ("*", "/", "%")),
    (t.Arithmetic, ("^",)),
]


@st.composite
def chains(draw, depth):
    kind, operators = draw(st.sampled_from(CHAINS))
    operands = draw(tuples(expressions(depth), 2, 3))
    return kind(operands, tuple(draw(st.sampled_from(operators)) for _ in operands[1:]))


@cache
def operations(depth):
    inner = expressions(depth)
    return st.one_of(
        st.builds(t.Property, inner, names),
        st.builds(t.ContainerIndex, inner, inner),
        st.builds(t.ListSlice, inner, inner, optional(inner)),
        st.builds(t.ListSlice, inner, st.none(), inner),
        st.builds(t.UnaryOp, st.sampled_from("+-"), inner),
        st.builds(t.Not, inner),
        st.builds(t.Logical, st.sampled_from(["AND", "OR", "XOR"]), tuples(inner, 2, 3)),
        chains(depth),
        st.builds(
            t.BinaryPredicate,
            st.sampled_from(["=~", "STARTS WITH", "ENDS WITH", "CONTAINS", "IN"]),
            inner,
            inner,
        ),
        st.builds(t.IsNull, inner, st.booleans()),
        st.builds(
            t.IsTyped, inner, st.sampled_from(["INTEGER", "STRING | LIST<ANY NOT NULL>"]), st.booleans()
        ),
        st.builds(t.IsNormalized, inner, st.sampled_from(["NFC", "NFKD"]), st.booleans()),
        st.builds(t.LabelPredicate, inner, labels),
    )


@cache
def maps(depth):
    return st.builds(t.MapLiteral, tuples(st.builds(t.MapEntry, names, expressions(depth))))


@cache
def nodes(depth):
    properties = optional(st.one_of(maps(depth), st.builds(t.Parameter, names)))
    return st.builds(
        t.NodePattern, optional(variables), optional(labels), properties, optional(expressions(depth))
    )


lengths = st.builds(t.PathLength, optional(st.integers(0, 9)), optional(st.integers(0, 9)))
quantifiers = st.builds(t.Quantifier, st.integers(0, 3), optional(st.integers(0, 3)))


@cache
def relationships(depth, quantified):
    return st.builds(
        t.RelationshipPattern,
        optional(variables),
        optional(labels),
        st.sampled_from(["->", "<-", "-"]),
        optional(lengths),
        optional(st.one_of(maps(depth), st.builds(t.Parameter, names))),
        optional(expressions(depth)),
        optional(quantifiers) if quantified else st.none(),
    )


SELECTORS = [
    None,
    t.PathSelector("ANY"),
    t.PathSelector("ALL SHORTEST"),
    t.PathSelector("SHORTEST GROUPS", 2),
]


@st.composite
def paths(draw, depth, in_clause=True, variable=True):
    parts = [draw(nodes(depth))]
    for _ in range(draw(st.integers(0 if in_clause else 1, 2))):
        parts += [draw(relationships(depth, in_clause)), draw(nodes(depth))]
    if in_clause and draw(st.booleans()):
        inner = t.PathPattern((draw(nodes(depth)), draw(relationships(depth, True)), draw(nodes(depth))))
        parts.append(
            t.ParenthesizedPath(inner, draw(optional(expressions(depth))), draw(optional(quantifiers)))
        )
    selector = draw(st.sampled_from(SELECTORS)) if in_clause else None
    shortest = draw(st.sampled_from([None, "shortestPath", "allShortestPaths"])) if in_clause else None
    return t.PathPattern(tuple(parts), draw(optional(variables)) if variable else None, selector, shortest)


@cache
def clauses(depth):
    inner = expressions(depth)
    item = st.just((t.ProjectionItem(t.Integer(1), t.Variable("one")),))
    order = st.just((t.SortItem(t.Integer(1), True),))
    return st.one_of(
        st.builds(t.Match, tuples(paths(depth), 1), optional(inner), st.booleans()),
        st.builds(t.Unwind, inner, variables),
        st.builds(t.With, item, st.booleans(), st.booleans(), order, optional(inner), optional(inner), optional(inner)),
        st.builds(
            t.CallProcedure,
            st.just(("db", "x y")),
            optional(tuples(inner)),
            optional(st.just((t.YieldItem("a", t.Variable("all")),))),
        ),
    )  # fmt: skip


@st.composite
def queries(draw, depth):
    items = draw(tuples(st.builds(t.ProjectionItem, expressions(depth), optional(variables)), 1))
    last = t.Return(items, draw(st.booleans()), draw(st.booleans()))
    return t.Query((t.SingleQuery((*draw(tuples(clauses(depth))), last)),))


@st.composite
def cases(draw, depth):
    inner = expressions(depth)
    subject = draw(optional(inner))
    left = t.CaseOperand()
    tests = st.one_of(
        st.builds(t.Comparison, inner.map(lambda right: (left, right)), st.sampled_from([("=",), ("<",)])),
        st.builds(t.BinaryPredicate, st.sampled_from(["=~", "STARTS WITH"]), st.just(left), inner),
        st.just(t.IsNull(left, True)),
        st.just(t.IsTyped(left, "STRING | MAP")),
    )
    conditions = tuples(st.one_of(inner, tests), 1) if subject else tuples(inner, 1, 1)
    branches = draw(tuples(st.builds(t.CaseAlternative, conditions, inner), 1))
    return t.CaseExpression(subject, branches, draw(optional(inner)))


FUNCTIONS = [("f",), ("any",), ("a b", "c"), ("count",), ("exists",), ("reduce",), ("case",), ("trim",)]


@cache
def forms(depth):
    inner = expressions(depth)
    maybe = optional(inner)
    projected = st.one_of(
        st.just(t.AllPropertiesSelector()),
        st.builds(t.PropertySelector, names),
        variables,
        st.builds(t.MapEntry, names, inner),
    )
    return st.one_of(
        st.builds(t.ListLiteral, tuples(inner)),
        maps(depth),
        st.builds(t.FunctionInvocation, st.sampled_from(FUNCTIONS), tuples(inner, 1), st.booleans()).filter(
            lambda call: call.name != ("trim",) or not call.distinct
        ),
        st.builds(t.Trim, st.sampled_from(["BOTH", "LEADING"]), maybe, inner),
        st.builds(t.Normalize, inner, st.just("NFD")),
        st.builds(t.MapProjection, variables, tuples(projected, 0, 3)),
        st.builds(t.ListComprehension, variables, inner, maybe, maybe),
        st.builds(t.IterablePredicate, st.sampled_from(["ANY", "NONE"]), variables, inner, maybe),
        st.builds(t.ReduceExpression, variables, inner, variables, inner, inner),
        st.builds(t.PatternExpression, paths(depth, in_clause=False, variable=False)),
        st.builds(t.PatternComprehension, paths(depth, in_clause=False), maybe, inner),
        cases(depth),
        st.builds(t.SubqueryExpression, st.sampled_from(["EXISTS", "COUNT", "COLLECT"]), queries(depth)),
    )


@settings(suppress_health_check=list(HealthCheck))
@given(queries(3))
def test_rendered_trees_are_parsed_back_as_themselves(query):
    text = render(query)
    assert parse(text) == query, text


@pytest.mark.parametrize(
    "text",
    [
        "MATCH (n:Person {name: $p})-[r:KNOWS|LIKES*1..3]->(m) WHERE NOT n.age > 1 + 2 RETURN count(*) AS c ORDER BY c DESC LIMIT 3",
        "MATCH p = ANY SHORTEST (a)-->+(b) OPTIONAL MATCH (a)((x)-[:A]->(y) WHERE x.z < y.z){2,}(b) RETURN p",
        "MATCH (n) WHERE EXISTS { MATCH (n)-->(:A) } AND (n)--() RETURN n {.*, x: 1}, [x IN n.xs WHERE x > 1 | x * 2]",
        "CALL (n) { MATCH (n)-->(m) RETURN m UNION ALL RETURN 1 AS m } RETURN DISTINCT *, m SKIP 1",
        "WITH *, 1 AS `all` WHERE a IS NOT NULL RETURN CASE a WHEN < 1 THEN 2 ELSE 3 END, trim(BOTH 'x' FROM a)",
        "RETURN (a OR b) AND c, a - (b - c), (a + b) * c, -(5), -5, (a = b) IN c, (-a) ^ 2, -a.b",
        "CALL db.labels() YIELD label AS l WHERE l <> 'x' RETURN l UNION RETURN 1 AS l",
    ],
)
def test_canonical_text_is_rendered_unchanged(text):
    assert render(parse(text)) == text.replace("(-a) ^ 2", "-a ^ 2")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("match (`n`:`A`) return ((n)) as x;", "MATCH (n:A) RETURN n AS x"),
        ("MATCH (a)-[]-(b)<-[]->(c) RETURN a OFFSET 0x10", "MATCH (a)--(b)--(c) RETURN a SKIP 16"),
        ('RETURN "it\'s"', "RETURN 'it\\'s'"),
        ("RETURN EXISTS { (a)-->() }", "RETURN EXISTS { MATCH (a)-->() }"),
        ("MATCH (n IS A:B)-[:X|:Y*2..2]->() RETURN 1 UNION DISTINCT RETURN 2", "MATCH (n:A&B)-[:X|Y*2]->() RETURN 1 UNION RETURN 2"),
        ("RETURN [(x IN xs)], [x IN xs WHERE (x:A|B)]", "RETURN [(x IN xs)], [x IN xs WHERE (x:(A|B))]"),
        ("RETURN (n:A) - (-(b))", "RETURN (n:A) - (-b)"),
    ],
)  # fmt: skip
def test_equivalent_notations_are_rendered_alike(text, written):
    assert render(parse(text)) == written
