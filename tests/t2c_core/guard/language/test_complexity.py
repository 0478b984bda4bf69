"""Queries that would hang or stop the server are refused; ordinary queries pass."""

import pytest

GOOD = [
    "MATCH (d:Drug)-[:TREATS]->(x:Disease {name: $v1}) RETURN d.name ORDER BY d.name LIMIT 10",
    "match (n) return n",
    "// what\nMATCH (n) /* all (((((( */ RETURN n.`odd ( name` AS `)`",
    "RETURN '((((((((((' + \"it's\" AS x",
    "MATCH (a)-->(b)<--(c)-[:X|Y*1..3]-(d) WHERE NOT a.x = -1 AND b.y IN [1, 2] RETURN count(*)",
    "UNWIND range(1, 12) AS month RETURN month",
    "UNWIND range(0, 3) AS i UNWIND range(0, i) AS j RETURN i, j",
    "WITH 0 AS a, [1, 2, 500] AS ends UNWIND ends AS e RETURN range(a, e, 3)",
    "RETURN [i IN range(1, 3) | [j IN range(0, i) | j]]",
    "MATCH p = (a)-[*..4]-(b) RETURN [i IN range(0, size(nodes(p)) - 1) | nodes(p)[i].name]",
    "MATCH p = (a)-->(b) RETURN reduce(total = 0.0, r IN relationships(p) | total + r.weight)",
    "RETURN reduce(m = 0, x IN [1, 2] | CASE WHEN x > m THEN x ELSE m END)",
    "MATCH (n) WHERE any(x IN n.xs WHERE all(y IN n.ys WHERE x = y)) RETURN n",
    "MATCH (n) WHERE EXISTS { MATCH (n)-->(:X) WHERE COUNT { (n)--() } > 1 } RETURN n",
    "CALL { MATCH (n) RETURN n UNION MATCH (m) RETURN m AS n } RETURN n",
    "RETURN 1.5e3 + 0.25, $a.b.c[0].d[1..2]",
    "MATCH (a:A)-->(b) WITH a, b MATCH (b)-->(c), (c)-->(d) OPTIONAL MATCH (d)-->(e) RETURN e",
]


@pytest.mark.parametrize("query", GOOD)
def test_ordinary_query_passes(query, bare):
    verdict = bare.check(query)
    assert verdict.allowed, verdict.message


@pytest.mark.parametrize(
    ("code", "query"),
    [
        ("depth", "RETURN " + "[" * 51 + "1" + "]" * 51),
        ("depth", "RETURN $a" + ".b" * 21),
        ("depth", "RETURN $a" + "[0]" * 21),
        ("depth", "RETURN $a" + ".b[0]" * 11),
        ("depth", "MATCH (a) WHERE " + "EXISTS { MATCH (a) WHERE " * 4 + "true" + "}" * 4 + " RETURN a"),
        ("depth", "RETURN " + "NOT " * 51 + "true"),
        ("clauses", "MATCH (a) " + "OPTIONAL MATCH (a)-->(b) " * 11 + "RETURN a"),
        ("clauses", " UNION ".join(["RETURN 1"] * 12)),
        ("clauses", "WITH 1 AS a " + "WITH a " * 30 + "RETURN a"),
        ("operators", "RETURN 1" + " + 1" * 501),
        ("operators", "RETURN 1" + "^1" * 21),
        ("patterns", "MATCH (a)" + "-->()" * 16 + " RETURN a"),
        ("patterns", "MATCH (a)" + "<-[:X]-()" * 16 + " RETURN a"),
        ("patterns", "MATCH " + ", ".join(f"(a{i}:X)" for i in range(17)) + " RETURN a1"),
        ("range", "RETURN range(1, 1000000000)"),
        ("range", "RETURN range(1, $n)"),
        ("range", "RETURN range(0, 10 * 1000000)"),
        ("range", "RETURN `range`(1, 1000000)"),
        ("range", "RETURN RANGE /* hi */ (1, 99999)"),
        ("range", "WITH 6000 AS a WITH a + a AS b RETURN range(0, b)"),
        ("range", "WITH 1 AS a WITH a + a AS a RETURN range(0, a)"),
        ("range", "WITH size([1, 2]) AS a WITH a + a AS b RETURN range(0, b)"),
        ("range", "MATCH (n) WITH n.age AS a RETURN range(0, a)"),
        ("range", "WITH 1 AS n MATCH (n) RETURN range(0, n)"),
        ("range", "UNWIND range(0, 1000) AS i UNWIND range(0, i) AS j RETURN i, j"),
        ("range", "UNWIND [1, 99999] AS i RETURN range(0, i)"),
        ("range", "WITH 5 AS i RETURN range(0, i) UNION WITH toInteger('99999') AS i RETURN range(0, i)"),
        ("range", "UNWIND range(1, 2000) AS x UNWIND range(1, 2000) AS y RETURN x"),
        ("loops", "RETURN [a IN xs | [b IN xs | [c IN xs | 1]]]"),
        ("loops", "RETURN any(a IN x WHERE all(b IN x WHERE none(c IN x WHERE a = b)))"),
        ("loops", "RETURN reduce(s = 'a', x IN range(1, 40) | s + s)"),
        ("loops", "RETURN reduce(s = [1], x IN range(1, 40) | [s, s])"),
        ("loops", "RETURN reduce(s = 'a', x IN range(1, 40) | replace(s, 'a', 'aa'))"),
        ("loops", "RETURN reduce(s = 'a', x IN range(1, 40) | CASE WHEN true THEN s + s ELSE s END)"),
        ("regex", "MATCH (n) WHERE n.name =~ '(a+)+' RETURN n"),
    ],
)
def test_harmful_text_is_refused_with_its_code(code, query, bare):
    assert bare.check(query).codes == (f"limits.{code}",)


@pytest.mark.parametrize(
    "text", ["\\", "'\\", "`", "}", ")" * 9000, "\x00", "RETURN ]]]]((", "MATCH (n) RETURN n \ud800"]
)
def test_any_text_gets_a_verdict(text, bare):
    for query in (text, f"RETURN {text}", f"RETURN range({text}", f"RETURN reduce({text}"):
        assert not bare.check(query).allowed


def test_range_accepts_a_parameter_with_a_known_value(bare):
    assert bare.check("UNWIND range(1, $n) AS x RETURN x", {"n": 12}).allowed
    assert bare.check("UNWIND range(1, $n) AS x RETURN x", {"n": 10**9}).codes == ("limits.range",)
    assert bare.check("UNWIND range(1, $n) AS x RETURN x").codes == ("limits.range",)


def test_regular_expression_in_a_parameter_is_checked(bare):
    query = "MATCH (n:Drug) WHERE n.name =~ $pattern RETURN n.name"
    assert bare.check(query, {"pattern": "(?i)am.*"}).allowed
    assert bare.check(query, {"pattern": "(a+)+"}).codes == ("limits.regex",)


@pytest.mark.parametrize(
    "query",
    [
        "WITH ['a'] AS xs WITH xs + 'b' AS xs WITH xs + 'c' AS xs RETURN xs",
        "MATCH (d:Drug) WITH d.name + ' ' + d.name AS twice WITH twice + '!' AS said RETURN said",
        "MATCH (d:Drug) RETURN replace(replace(d.name, ' ', '_'), '-', '_')",
    ],
)
def test_bounded_concatenation_is_allowed(query, bare):
    assert bare.check(query).allowed
