"""Read-only queries become their syntax trees; everything else is rejected with position and reason."""

import sys

import pytest

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.lexer import MAX_DEPTH
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import transform, walk
from t2c_core.errors import CypherSyntaxError

A, B, X, N = (t.Variable(name) for name in "abxn")
ONE, TWO = t.Integer(1), t.Integer(2)


def expression(text, version=5):
    query = parse(f"RETURN {text}", version=version)
    return query.parts[0].clauses[0].items[0].expression


def pattern(text):
    return parse(f"MATCH {text} RETURN 1").parts[0].clauses[0].patterns[0]


def clauses(text):
    return parse(text).parts[0].clauses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", t.Null()),
        ("TRUE", t.Boolean(True)),
        ("-5", t.Integer(-5)),
        ("- 5", t.Integer(-5)),
        ("0x1f", t.Integer(31)),
        ("0x_1F", t.Integer(31)),
        ("0o17", t.Integer(15)),
        ("1_000", t.Integer(1000)),
        ("-9223372036854775808", t.Integer(-(2**63))),
        ("1_0.5_0", t.Float(10.5)),
        (".5e-1", t.Float(0.05)),
        ("1.5d", t.Float(1.5)),
        ("0.1F", t.Float(0.1)),
        ("1e2D", t.Float(100.0)),
        ("Infinity", t.FloatConstant("INF")),
        ("'a\\tb\\'\\q\\\\'", t.String("a\tb'\\q\\")),
        ("'\\\\u0041'", t.String("\\u0041")),
        ('"it\'s"', t.String("it's")),
        ("$a", t.Parameter("a")),
        ("$ `a b`", t.Parameter("a b")),
        ("$1", t.Parameter("1")),
        ("`a``b`", t.Variable("a`b")),
        ("count", t.Variable("count")),
        ("[1, 2]", t.ListLiteral((ONE, TWO))),
        ("{a: 1, `b c`: 2}", t.MapLiteral((t.MapEntry("a", ONE), t.MapEntry("b c", TWO)))),
    ],
)
def test_literals_and_names(text, expected):
    assert expression(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a OR b AND NOT x", t.Logical("OR", (A, t.Logical("AND", (B, t.Not(X)))))),
        ("a XOR b XOR x", t.Logical("XOR", (A, B, X))),
        ("NOT NOT a = b", t.Not(t.Not(t.Comparison((A, B), ("=",))))),
        ("a < b <= x", t.Comparison((A, B, X), ("<", "<="))),
        ("a + b * x", t.Arithmetic((A, t.Arithmetic((B, X), ("*",))), ("+",))),
        ("a - b || x", t.Arithmetic((A, B, X), ("-", "||"))),
        ("-1 ^ 2 ^ a", t.Arithmetic((t.Integer(-1), TWO, A), ("^", "^"))),
        ("-a ^ 2", t.Arithmetic((t.UnaryOp("-", A), TWO), ("^",))),
        ("2 - -1", t.Arithmetic((TWO, t.Integer(-1)), ("-",))),
        ("(a - b)", t.Arithmetic((A, B), ("-",))),
        ("(a) - (b)", t.Arithmetic((A, B), ("-",))),
        ("(a) < -(b)", t.Comparison((A, t.UnaryOp("-", B)), ("<",))),
        ("(a + b) - -(x)", t.Arithmetic((t.Arithmetic((A, B), ("+",)), t.UnaryOp("-", X)), ("-",))),
        ("a.b[1].x", t.Property(t.ContainerIndex(t.Property(A, "b"), ONE), "x")),
        ("a[..1][1..][1..2]", t.ListSlice(t.ListSlice(t.ListSlice(A, None, ONE), ONE, None), ONE, TWO)),
        ("a IN b = x", t.Comparison((t.BinaryPredicate("IN", A, B), X), ("=",))),
        ("a.x STARTS WITH 'b' + x", t.BinaryPredicate("STARTS WITH", t.Property(A, "x"), t.Arithmetic((t.String("b"), X), ("+",)))),
        ("a ENDS WITH b", t.BinaryPredicate("ENDS WITH", A, B)),
        ("a =~ b", t.BinaryPredicate("=~", A, B)),
        ("a IS NULL", t.IsNull(A)),
        ("a IS NOT NULL", t.IsNull(A, negated=True)),
        ("a IS NFKD NORMALIZED", t.IsNormalized(A, "NFKD")),
        ("a IS NOT NORMALIZED", t.IsNormalized(A, negated=True)),
        ("a:B", t.LabelPredicate(A, t.Label("B"))),
        ("a:A|B", t.LabelPredicate(A, t.LabelOr((t.Label("A"), t.Label("B"))))),
        ("a IS A&!B", t.LabelPredicate(A, t.LabelAnd((t.Label("A"), t.LabelNot(t.Label("B")))))),
        ("a.x:B", t.LabelPredicate(t.Property(A, "x"), t.Label("B"))),
        ("a :: INT", t.IsTyped(A, "INTEGER")),
        ("a IS NOT TYPED list<varchar not null> | time with time zone", t.IsTyped(A, "LIST<STRING NOT NULL> | ZONED TIME", negated=True)),
        ("a IS :: ANY NODE LIST!", t.IsTyped(A, "LIST<NODE> NOT NULL")),
    ],
)  # fmt: skip
def test_operators_have_the_precedence_of_the_server(text, expected):
    assert expression(text) == expected


PATH = t.PathPattern((t.NodePattern(A), t.RelationshipPattern(), t.NodePattern(B)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size(a)", t.FunctionInvocation(("size",), (A,))),
        ("apoc.`x y`.z()", t.FunctionInvocation(("apoc", "x y", "z"))),
        ("a.b.c", t.Property(t.Property(A, "b"), "c")),
        ("count(DISTINCT a)", t.FunctionInvocation(("count",), (A,), distinct=True)),
        ("count(DISTINCT(a))", t.FunctionInvocation(("count",), (A,), distinct=True)),
        ("count(ALL a)", t.FunctionInvocation(("count",), (A,))),
        ("count( * )", t.CountStar()),
        ("count {.a, b: 1, x, .*}", t.MapProjection(t.Variable("count"), (t.PropertySelector("a"), t.MapEntry("b", ONE), X, t.AllPropertiesSelector()))),
        ("a {}", t.MapProjection(A, ())),
        ("[x IN a]", t.ListComprehension(X, A)),
        ("[x IN a WHERE x.b | 1]", t.ListComprehension(X, A, t.Property(X, "b"), ONE)),
        ("[x IN a, 1]", t.ListLiteral((t.BinaryPredicate("IN", X, A), ONE))),
        ("[(x IN a)]", t.ListLiteral((t.BinaryPredicate("IN", X, A),))),
        ("[x IN a WHERE n:A|b]", t.ListComprehension(X, A, t.LabelPredicate(N, t.Label("A")), B)),
        ("[x IN a | n:A|B]", t.ListComprehension(X, A, None, t.LabelPredicate(N, t.LabelOr((t.Label("A"), t.Label("B")))))),
        ("[(a)-->(b) | 1]", t.PatternComprehension(PATH, None, ONE)),
        ("[x = (a)-->(b) WHERE a:A|1]", t.PatternComprehension(t.PathPattern(PATH.parts, X), t.LabelPredicate(A, t.Label("A")), ONE)),
        ("[(a)-->(b)]", t.ListLiteral((t.PatternExpression(PATH),))),
        ("(a)-->(b)", t.PatternExpression(PATH)),
        ("NOT (a)-->(b) AND x", t.Logical("AND", (t.Not(t.PatternExpression(PATH)), X))),
        ("exists((a)-->(b))", t.FunctionInvocation(("exists",), (t.PatternExpression(PATH),))),
        ("shortestPath((a)-->(b))", t.PatternExpression(t.PathPattern(PATH.parts, shortest="shortestPath"))),
        ("any(x IN a)", t.IterablePredicate("ANY", X, A)),
        ("single(x IN a WHERE x = 1)", t.IterablePredicate("SINGLE", X, A, t.Comparison((X, ONE), ("=",)))),
        ("all", t.Variable("all")),
        ("reduce(x = 1, n IN a | x + n)", t.ReduceExpression(X, ONE, N, A, t.Arithmetic((X, N), ("+",)))),
        ("trim(a)", t.FunctionInvocation(("trim",), (A,))),
        ("trim(LEADING FROM a)", t.Trim("LEADING", None, A)),
        ("trim(a FROM b)", t.Trim("BOTH", A, B)),
        ("trim(TRAILING (a) FROM b)", t.Trim("TRAILING", A, B)),
        ("normalize(a, nfc)", t.Normalize(A, "NFC")),
        ("normalize(a)", t.FunctionInvocation(("normalize",), (A,))),
        ("CASE WHEN a THEN 1 END", t.CaseExpression(None, (t.CaseAlternative((A,), ONE),))),
        ("CASE a WHEN 1, 2 THEN b ELSE x END", t.CaseExpression(A, (t.CaseAlternative((ONE, TWO), B),), X)),
        (
            "CASE a WHEN < 1, IS NULL, STARTS WITH b THEN 1 WHEN :: INT THEN 2 END",
            t.CaseExpression(A, (
                t.CaseAlternative((t.Comparison((t.CaseOperand(), ONE), ("<",)), t.IsNull(t.CaseOperand()), t.BinaryPredicate("STARTS WITH", t.CaseOperand(), B)), ONE),
                t.CaseAlternative((t.IsTyped(t.CaseOperand(), "INTEGER"),), TWO),
            )),
        ),
        ("[x IN CASE a WHEN 1, 2 THEN b END | n]", t.ListComprehension(X, t.CaseExpression(A, (t.CaseAlternative((ONE, TWO), B),)), None, N)),
        ("CASE (a) WHEN 1 THEN b END", t.CaseExpression(A, (t.CaseAlternative((ONE,), B),))),
        ("case.x", t.Property(t.Variable("case"), "x")),
        ("EXISTS { (a)-->(b) }", t.SubqueryExpression("EXISTS", t.Query((t.SingleQuery((t.Match((PATH,)),)),)))),
        ("COUNT { MATCH (a)-->(b) }", t.SubqueryExpression("COUNT", t.Query((t.SingleQuery((t.Match((PATH,)),)),)))),
    ],
)  # fmt: skip
def test_calls_and_bracketed_forms(text, expected):
    assert expression(text) == expected


def test_cypher_25_allows_more_predicates_after_when():
    expected = t.CaseExpression(A, (t.CaseAlternative((t.BinaryPredicate("IN", t.CaseOperand(), B),), ONE),))
    assert expression("CASE a WHEN IN b THEN 1 END", version=25) == expected
    with pytest.raises(CypherSyntaxError):
        expression("CASE a WHEN IN b THEN 1 END", version=5)


@pytest.mark.parametrize("text", ["REPEATABLE ELEMENTS", "DIFFERENT RELATIONSHIP BINDINGS"])
def test_cypher_25_has_match_modes(text):
    mode = {"R": "REPEATABLE ELEMENTS", "D": "DIFFERENT RELATIONSHIPS"}[text[0]]
    query = parse(f"MATCH {text} (a)-->(b) RETURN 1", version=25)
    assert query.parts[0].clauses[0] == t.Match((PATH,), mode=mode)
    assert parse(render(query), version=25) == query
    with pytest.raises(CypherSyntaxError):
        parse(f"MATCH {text} (a)-->(b) RETURN 1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("()", (t.NodePattern(),)),
        ("(:A:B)", (t.NodePattern(None, t.LabelAnd((t.Label("A"), t.Label("B")))),)),
        ("(a:A|(B&%))", (t.NodePattern(A, t.LabelOr((t.Label("A"), t.LabelAnd((t.Label("B"), t.AnyLabel()))))),)),
        ("(a:$(x)|$any(x))", (t.NodePattern(A, t.LabelOr((t.DynamicLabel(X), t.DynamicLabel(X, "ANY")))),)),
        ("(a IS A)", (t.NodePattern(A, t.Label("A")),)),
        ("(IS A)", (t.NodePattern(None, t.Label("A")),)),
        ("(is:A)", (t.NodePattern(t.Variable("is"), t.Label("A")),)),
        ("(a {x: 1} WHERE b)", (t.NodePattern(A, None, t.MapLiteral((t.MapEntry("x", ONE),)), B),)),
        ("(a $x)", (t.NodePattern(A, None, t.Parameter("x")),)),
        ("(WHERE b)", (t.NodePattern(None, None, None, B),)),
        ("(where)", (t.NodePattern(t.Variable("where")),)),
        ("()-->()", (t.NodePattern(), t.RelationshipPattern(), t.NodePattern())),
        ("()<--()", (t.NodePattern(), t.RelationshipPattern(direction="<-"), t.NodePattern())),
        ("()<-->()", (t.NodePattern(), t.RelationshipPattern(direction="-"), t.NodePattern())),
        ("()-[]-()", (t.NodePattern(), t.RelationshipPattern(direction="-"), t.NodePattern())),
        ("()⟨—[:A]–()", (t.NodePattern(), t.RelationshipPattern(None, t.Label("A"), "<-"), t.NodePattern())),
        ("()-[a:A|:B*]->()", (t.NodePattern(), t.RelationshipPattern(A, t.LabelOr((t.Label("A"), t.Label("B"))), length=t.PathLength()), t.NodePattern())),
        ("()-[*2]->()", (t.NodePattern(), t.RelationshipPattern(length=t.PathLength(2, 2)), t.NodePattern())),
        ("()-[*..3 {x: 1}]->()", (t.NodePattern(), t.RelationshipPattern(length=t.PathLength(None, 3), properties=t.MapLiteral((t.MapEntry("x", ONE),))), t.NodePattern())),
        ("()-[*1..]->()", (t.NodePattern(), t.RelationshipPattern(length=t.PathLength(1, None)), t.NodePattern())),
        ("()-[a WHERE b]->{2}()", (t.NodePattern(), t.RelationshipPattern(A, where=B, quantifier=t.Quantifier(2, 2)), t.NodePattern())),
        ("()-->+()", (t.NodePattern(), t.RelationshipPattern(quantifier=t.Quantifier(1, None)), t.NodePattern())),
        ("(a) ((x)-->() WHERE b){,3} (b)", (t.NodePattern(A), t.ParenthesizedPath(t.PathPattern((t.NodePattern(X), t.RelationshipPattern(), t.NodePattern())), B, t.Quantifier(0, 3)), t.NodePattern(B))),
        ("((a)-->(b))*", (t.ParenthesizedPath(PATH, None, t.Quantifier(0, None)),)),
    ],
)  # fmt: skip
def test_patterns(text, expected):
    assert pattern(text).parts == expected


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("ANY", t.PathSelector("ANY")),
        ("ANY 3 PATHS", t.PathSelector("ANY", 3)),
        ("ALL", t.PathSelector("ALL")),
        ("ANY SHORTEST PATH", t.PathSelector("ANY SHORTEST")),
        ("ALL SHORTEST", t.PathSelector("ALL SHORTEST")),
        ("SHORTEST 2", t.PathSelector("SHORTEST", 2)),
        ("SHORTEST GROUP", t.PathSelector("SHORTEST GROUPS")),
        ("SHORTEST 2 PATH GROUPS", t.PathSelector("SHORTEST GROUPS", 2)),
    ],
)
def test_selectors(text, selector):
    assert pattern(f"x = {text} (a)-->(b)") == t.PathPattern(PATH.parts, X, selector)


def test_shortest_path_functions_in_match():
    assert pattern("x = allShortestPaths((a)-->(b))") == t.PathPattern(
        PATH.parts, X, shortest="allShortestPaths"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OPTIONAL MATCH (a)-->(b) WHERE x RETURN 1", t.Match((PATH,), X, optional=True)),
        ("UNWIND a AS x RETURN 1", t.Unwind(A, X)),
        ("WITH DISTINCT *, a AS b ORDER BY a DESC, b ASC SKIP 1 LIMIT 2 WHERE x RETURN 1",
            t.With((t.ProjectionItem(A, B),), True, True, (t.SortItem(A, descending=True), t.SortItem(B)), ONE, TWO, X)),
        ("RETURN a OFFSET 1", t.Return((t.ProjectionItem(A),), skip=ONE)),
        ("ORDER BY a LIMIT 1 RETURN 1", t.OrderBySkipLimit((t.SortItem(A),), None, ONE)),
        ("FINISH", t.Finish()),
        ("CALL { RETURN 1 } RETURN 1", t.CallSubquery(t.Query((t.SingleQuery((t.Return((t.ProjectionItem(ONE),)),)),)))),
        ("OPTIONAL CALL (a, b) { FINISH } RETURN 1", t.CallSubquery(t.Query((t.SingleQuery((t.Finish(),)),)), (A, B), optional=True)),
        ("CALL (*) { FINISH }", t.CallSubquery(t.Query((t.SingleQuery((t.Finish(),)),)), (), star=True)),
        ("CALL () { FINISH }", t.CallSubquery(t.Query((t.SingleQuery((t.Finish(),)),)), ())),
        ("CALL db.labels", t.CallProcedure(("db", "labels"))),
        ("CALL db.labels() YIELD label AS x, y WHERE a RETURN 1",
            t.CallProcedure(("db", "labels"), (), (t.YieldItem("label", X), t.YieldItem("y")), where=A)),
        ("CALL x(1) YIELD *", t.CallProcedure(("x",), (ONE,), (), star=True)),
    ],
)  # fmt: skip
def test_clauses(text, expected):
    assert clauses(text)[0] == expected


def test_union_joins_parts_of_one_kind():
    assert parse("RETURN 1 UNION DISTINCT RETURN 2") == parse("RETURN 1 UNION RETURN 2;")
    assert parse("RETURN 1 UNION ALL RETURN 2").all
    with pytest.raises(CypherSyntaxError, match="mixed"):
        parse("RETURN 1 UNION ALL RETURN 2 UNION RETURN 3")


def test_every_node_has_its_position():
    text = "MATCH (n:Person {name: $p})-[r]->() WHERE n.age > 1 AND NOT n:`A-b` RETURN count(*) AS c, [x IN r | x] LIMIT 3"
    for node in walk(parse(text)):
        assert 0 <= node.position < len(text), node
        name = getattr(node, "name", None) or getattr(node, "key", None)
        if isinstance(name, str):
            assert text[node.position :].lstrip("$`").startswith(name), node
    assert parse(text) == parse(text.replace(" ", "  "))


def test_transform_changes_only_the_given_nodes():
    query = parse("MATCH (n:Persn)-->(m:Film) WHERE n:Persn RETURN n")
    renamed = transform(query, lambda node: t.Label("Person") if node == t.Label("Persn") else node)
    assert renamed == parse("MATCH (n:Person)-->(m:Film) WHERE n:Person RETURN n")
    assert transform(query, lambda node: node) is query


@pytest.mark.parametrize(
    ("text", "reason", "position"),
    [
        ("", "syntax", 0),
        ("MATCH (n)", "syntax", 9),
        ("MATCH (n) RETURN", "syntax", 16),
        ("MATCH (n) RETURN n n", "syntax", 19),
        ("MATCH n RETURN n", "syntax", 6),
        ("MATCH (n)-->() -->[r] RETURN n", "syntax", 18),
        ("MATCH (n)-(m) RETURN n", "syntax", 10),
        ("RETURN 1 RETURN 2", "syntax", 9),
        ("RETURN 1, ", "syntax", 10),
        ("RETURN a.1", "syntax", 8),
        ("RETURN 1 != 2", "syntax", 9),
        ("RETURN a IN b IN c", "syntax", 14),
        ("RETURN a = NOT b", "syntax", 15),
        ("RETURN {a: 1,}", "syntax", 13),
        ("RETURN [1,]", "syntax", 10),
        ("RETURN ``", "syntax", 7),
        ("RETURN 017", "token", 7),
        ("RETURN 0X1F", "token", 7),
        ("RETURN 1abc", "token", 7),
        ("RETURN 1.5g", "token", 7),
        ("RETURN 1.5fd", "token", 7),
        ("RETURN 1e400", "syntax", 7),
        ("RETURN 9223372036854775808", "syntax", 7),
        ("RETURN 0xFFFFFFFFFFFFFFFF", "syntax", 7),
        ("RETURN a IS :: THING", "syntax", 15),
        ("MATCH SHORTEST (a)-->(b) RETURN 1", "syntax", 15),
        ("MATCH (n) USING PERIODIC COMMIT RETURN n", "command", 10),
        ("MATCH (n) USING INDEX n RETURN n", "syntax", 24),
        ("MATCH (n) USING JOIN n RETURN n", "syntax", 21),
        ("MATCH (n) RETURN n USING SCAN n:A", "command", 19),
        ("MATCH (n) LET c = count(n) RETURN c", "syntax", 25),
        ("FILTER n.a RETURN n", "syntax", 7),
        ("RETURN n.a NEXT RETURN 1", "syntax", 11),
        ("RETURN 1 AS x NEXT RETURN x UNION RETURN 2 AS x", "syntax", 47),
        ("WHEN true THEN RETURN 1", "syntax", 0),
        ("MATCH (n) SEARCH n IN (VECTOR INDEX e FOR [1] LIMIT 1) RETURN n", "syntax", 10),
        ("{ RETURN 1 AS x } NEXT RETURN x", "syntax", 0),
        ("MATCH (n) SET n.x = 1", "write", 10),
        ("MATCH (n) \\u0053ET n.x = 1", "write", 10),
        ("MATCH (n) DETACH DELETE n", "write", 10),
        ("CREATE (n) RETURN n", "write", 0),
        ("INSERT (n)", "write", 0),
        ("merge (n) RETURN n", "write", 0),
        ("MATCH (n) REMOVE n.x RETURN n", "write", 10),
        ("FOREACH (x IN [1] | CREATE (n))", "write", 0),
        ("WITH 'http://x' AS u CREATE (n)", "write", 21),
        ("RETURN 1 AS x /* */ UNION //\nCREATE (n) RETURN n AS x", "write", 29),
        ("MATCH (n) CALL { CREATE (m) } RETURN n", "write", 17),
        ("RETURN EXISTS { CREATE (m) }", "write", 16),
        ("RETURN COLLECT { LOAD CSV FROM 'x' AS r RETURN r }", "load", 17),
        ("LOAD CSV FROM 'x' AS r RETURN r", "load", 0),
        ("SHOW SETTINGS", "command", 0),
        ("TERMINATE TRANSACTIONS 'x'", "command", 0),
        ("DROP INDEX x", "command", 0),
        ("USE neo4j RETURN 1", "use", 0),
        ("MATCH (n) CALL { USE x RETURN 1 AS y } RETURN y", "use", 17),
        ("EXPLAIN RETURN 1", "option", 0),
        ("CYPHER 25 RETURN 1", "option", 0),
        ("RETURN 1; RETURN 2", "statements", 10),
        ("RETURN 1;;", "statements", 9),
        ("; RETURN 1", "statements", 0),
        ("CALL { RETURN 1 AS x } IN TRANSACTIONS RETURN x", "transactions", 23),
    ],
)
def test_everything_else_is_rejected_where_it_begins(text, reason, position):
    with pytest.raises(CypherSyntaxError) as rejected:
        parse(text)
    assert (rejected.value.reason, rejected.value.position) == (reason, position)


def test_keywords_may_be_names():
    parse(
        "MATCH (create:Set {delete: 1})-[merge:REMOVE]->(load) WHERE create.drop = load.call RETURN merge AS match"
    )


DEEP = [
    lambda n: "RETURN " + "(" * n + "1" + ")" * n,
    lambda n: "RETURN " + "[" * n + "1" + "]" * n,
    lambda n: "RETURN " + "{a: " * n + "1" + "}" * n,
    lambda n: "RETURN " + "f(" * n + "1" + ")" * n,
    lambda n: "RETURN " + "NOT (" * n + "true" + ")" * n,
    lambda n: "RETURN " + "x[" * n + "1" + "]" * n,
    lambda n: "RETURN " + "[x IN " * n + "y" + "]" * n,
    lambda n: "RETURN " + "trim(" * n + "y" + ")" * n,
    lambda n: "RETURN " + "-(" * n + "1" + ")" * n,
    lambda n: "MATCH " + "(" * n + "(a)-->(b)" + ")" * n + " RETURN 1",
    lambda n: "MATCH (n:" + "(" * n + "A" + ")" * n + ") RETURN 1",
    lambda n: (
        "MATCH (n) WHERE " + "EXISTS { MATCH (n WHERE " * (n // 2) + "true" + ") }" * (n // 2) + " RETURN n"
    ),
    lambda n: "RETURN 1 AS x " + "CALL { RETURN 1 AS x " * n + "}" * n,
    lambda n: "RETURN " + "CASE WHEN " * n + "true" + " THEN 1 END" * n,
    lambda n: "RETURN " + "NOT " * n + "true",
    lambda n: "MATCH (n:" + "!" * n + "A) RETURN 1",
    lambda n: "RETURN x" + ".a" * n,
    lambda n: "RETURN x" + "[0]" * n,
]


TALL = (DEEP[2], DEEP[9], DEEP[11], DEEP[12])
"""Forms of which each bracket adds several levels to the tree."""


@pytest.mark.parametrize("deep", DEEP)
@pytest.mark.parametrize("depth", [250, 10_000])
def test_queries_that_nest_too_deep_are_rejected(deep, depth):
    with pytest.raises(CypherSyntaxError) as rejected:
        parse(deep(depth))
    assert rejected.value.reason in {"depth", "length", "syntax"}


@pytest.mark.parametrize("deep", DEEP[:12])
def test_the_deepest_allowed_query_needs_few_stack_frames(deep):
    depth = 0
    frame = sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 700)
    try:
        for nesting in (MAX_DEPTH - 2, MAX_DEPTH // 3):
            if nesting == MAX_DEPTH - 2 and deep in TALL:
                with pytest.raises(CypherSyntaxError, match="nests deeper"):
                    parse(deep(nesting))
                continue
            query = parse(deep(nesting))
            assert query == parse(render(query))
            assert hash(query) == hash(parse(deep(nesting)))
            assert transform(query, lambda node: node) is query
    finally:
        sys.setrecursionlimit(limit)


def calls_of(text):
    """Return the number of function calls of parsing, successful or not."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        parse(text)
    except CypherSyntaxError:
        pass
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    ("head", "unit", "tail"),
    [
        ("RETURN 1", " + 1", ""),
        ("RETURN x", " AND n:A|B", ""),
        ("RETURN 1", ", a.b.c.d(1)", ""),
        ("RETURN 1", ", (a) - (b)", ""),
        ("RETURN 1", ", (a)-[:X]->(b)", ""),
        ("RETURN 1", ", [x IN y WHERE z | w]", ""),
        ("MATCH (a)", "-[:X]->(b)", " RETURN 1"),
        ("MATCH (a)", ", ((a)-->(b))+", " RETURN 1"),
        ("MATCH (a) ", "MATCH (b) WHERE b.x = 'y' ", " RETURN 1"),
        ("RETURN 1", " /* ' */ + '/*' // \"\n", ""),
        ("RETURN [", "(a {x: ({y: 1})}), ", "1]"),
        ("RETURN CASE", " WHEN 1 THEN trim(trim(a))", " END"),
        ("RETURN (", "(a)-[", ""),
        ("RETURN ", "\\u0061", ""),
        ("RETURN '", "\\\\", "'"),
    ],
)
def test_work_is_linear_in_the_length_of_the_text(head, unit, tail):
    few, many = calls_of(head + unit * 100 + tail), calls_of(head + unit * 400 + tail)
    assert many <= 4.2 * few
