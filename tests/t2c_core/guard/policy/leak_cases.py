"""Strategies that draw small graphs, policies and queries, and the values that a policy hides in a graph.

Every property value is unique, so that a value found in a result, an error message or a file proves where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from random import Random

LABELS = ("Patient", "Staff", "Drug", "Note", "Odd.Label")
TYPES = ("WROTE", "TAKES", "KNOWS")
KEYS = ("name", "age", "salary", "title", "text")


@dataclass(frozen=True)
class Node:
    """A node of a drawn graph."""

    labels: tuple[str, ...]
    properties: dict[str, Any]


@dataclass(frozen=True)
class Relationship:
    """A relationship of a drawn graph, between two nodes by number."""

    type: str
    start: int
    end: int
    properties: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A drawn graph."""

    nodes: tuple[Node, ...]
    relationships: tuple[Relationship, ...]

    def hidden_values(self, hidden: frozenset[str]) -> set[str]:
        """Return the texts of all values that a policy hides, by the definition in docs/guard.md."""
        found: set[str] = set()
        for node in self.nodes:
            found |= _hidden_texts(node.properties, node.labels, hidden, everything=_is_hidden(node, hidden))
        for each in self.relationships:
            everything = each.type in hidden or any(
                _is_hidden(self.nodes[end], hidden) for end in (each.start, each.end)
            )
            found |= _hidden_texts(each.properties, (each.type,), hidden, everything=everything)
        return found


def _is_hidden(node: Node, hidden: frozenset[str]) -> bool:
    return any(label in hidden for label in node.labels)


def _hidden_texts(
    properties: dict[str, Any], names: tuple[str, ...], hidden: frozenset[str], *, everything: bool
) -> set[str]:
    return {
        text
        for key, value in properties.items()
        if everything or any(f"{name}.{key}" in hidden for name in names)
        for text in texts(value)
    }


def texts(value: Any) -> list[str]:
    """Return the texts by which a value can be recognised."""
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def _value(kind: str, number: int) -> Any:
    match kind:
        case "integer":
            return 910_000_000 + number
        case "float":
            return 810_000_000.5 + number
        case "date":
            return date(2100, 1, 1) + timedelta(days=number)
        case "list":
            return [f"secret{number}a", f"secret{number}b"]
        case _:
            return f"secret{number}x"


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of nodes with one to three labels, parallel relationships and self-loops."""
    numbers = iter(range(1000))

    def properties() -> dict[str, Any]:
        keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
        kinds = st.sampled_from(("text", "text", "integer", "float", "date", "list"))
        return {key: _value(draw(kinds), next(numbers)) for key in keys}

    further = st.lists(st.sampled_from(LABELS), max_size=2)
    first = [*LABELS, *(draw(st.sampled_from(LABELS)) for _ in range(draw(st.integers(0, 3))))]
    nodes = tuple(Node(tuple(dict.fromkeys([each, *draw(further)])), properties()) for each in first)
    places = st.integers(0, len(nodes) - 1)
    types = [*TYPES, *(draw(st.sampled_from(TYPES)) for _ in range(draw(st.integers(1, 6))))]
    relationships = tuple(Relationship(each, draw(places), draw(places), properties()) for each in types)
    return Graph(nodes, relationships)


def policies() -> st.SearchStrategy[frozenset[str]]:
    """Draw the names that a policy hides: mostly properties, some labels and types."""
    properties = st.builds(
        lambda name, key: f"{name}.{key}", st.sampled_from((*LABELS, *LABELS, *TYPES)), st.sampled_from(KEYS)
    )
    names = st.lists(properties, min_size=1, max_size=4)
    labels = st.lists(st.sampled_from((*LABELS, *TYPES)), max_size=2)
    return st.builds(
        lambda first, second: frozenset([*first, *second]), names, st.one_of(st.just([]), labels)
    )


def _label(random: Random) -> str:
    first, second = (f"`{random.choice(LABELS)}`" for _ in range(2))
    forms = (
        "",
        "",
        f":{first}",
        f":{first}",
        f":{first}",
        f":{first}|{second}",
        f":{first}&{second}",
        f":!{first}",
    )
    return random.choice(forms)


def _type(random: Random) -> str:
    first, second = (random.choice(TYPES) for _ in range(2))
    return random.choice(("", f":{first}", f":{first}|{second}", f":!{first}"))


_MATCHES = (
    ("MATCH (a{l1})", "a"),
    ("MATCH (a{l1})-[r{t}]->(b{l2})", "abr"),
    ("MATCH (a{l1})<-[r{t}]-(b)", "abr"),
    ("MATCH (a)-[r{t}]-(b{l2})", "abr"),
    ("MATCH p = (a{l1})-[r{t}]->(b)", "abrp"),
    ("MATCH p = (a{l1})-[rs{t}*1..2]-(b)", "abp"),
    ("MATCH p = shortestPath((a{l1})-[*..3]-(b{l2})) WHERE a <> b", "abp"),
    ("MATCH p = ANY SHORTEST (a{l1})-[rs{t}]->{{1,3}}(b)", "abp"),
    ("MATCH (a{l1}) ((x)-[rs{t}]->(y)){{1,2}} (b{l2})", "ab"),
    ("MATCH p = (a{l1}) ((x)-[rs{t}]->(y{l2})){{1,2}} (b)", "abp"),
    ("MATCH (a{l1}) OPTIONAL MATCH (a{l2})-[r{t}]->(b)", "abr"),
    ("MATCH (a{l1}), (b{l2})", "ab"),
    ("MATCH (a{l1}) MATCH (a{l2})-[r{t}]-(b)", "abr"),
    ("MATCH (a{l1})-[r{t}]->(b), (a)-[]-(c{l2})", "abr"),
    ("MATCH (a:$($label))-[r]-(b{l2})", "abr"),
)
_CONDITIONS = (
    "{e}.{k} IS NOT NULL",
    "{e}{l}",
    "NOT {e}{l}",
    "{e}.{k} STARTS WITH 'secret1'",
    "{e}.{k} > 5",
    "EXISTS {{ MATCH ({e}{l})--(z) WHERE z.{k} IS NOT NULL }}",
    "COUNT {{ ({e})--({l}) }} > 1",
    "any(key IN keys({e}) WHERE key = '{k}')",
    "any(x IN [{e}] WHERE x.{k} IS NOT NULL)",
    "({e})--({l})",
    "{e} {{.*}}.{k} IS NOT NULL",
)
_ENTITIES = (
    "a", "a", "a", "head(collect(a))", "[a][0]", "{{x: a}}.x", "{{x: [a]}}.x[0]", "[a, 1][0]", "coalesce(null, a)",
    "CASE WHEN true THEN a END", "CASE WHEN a{l} THEN a ELSE null END", "head([x IN [a] | x])", "head([(a)--(z{l}) | z])",
    "head([(a)-[q{t}]-() | q])", "head(COLLECT {{ MATCH (z{l}) RETURN z }})", "reduce(acc = null, x IN [a] | x)",
    "head(reduce(acc = [], x IN [1, 2] | acc + [(a)--(z{l}) | z]))", "max(a)", "$given",
)  # fmt: skip
_ENTITIES_WITH = {
    "b": (
        "b",
        "b",
        "[a, b][1]",
        "coalesce(b, a)",
        "CASE WHEN a{l} THEN a ELSE b END",
        "reduce(acc = a, x IN [b] | x)",
    ),
    "r": ("r", "r", "startNode(r)", "endNode(r)", "[r, a][0]", "CASE WHEN a{l} THEN r ELSE a END"),
    "p": (
        "nodes(p)[0]",
        "last(nodes(p))",
        "relationships(p)[0]",
        "head([x IN nodes(p) WHERE x{l} | x])",
        "p",
    ),
}
_OUTPUTS = (
    "e", "e", "e", "e.{k}", "e.{k}", "e['{k}']", "properties(e)", "properties(e).{k}", "keys(e)", "labels(e)", "e {{.*}}",
    "e {{.{k}, .*}}", "e {{.{k}}}", "e {{.*, x: 1}}.{k}", "collect(e)", "collect(DISTINCT e)[0]", "[e, [e]]", "{{m: e}}", "{{m: e}}.m",
    "size(keys(e))", "toString(e.{k})", "toString(e)", "count(e)", "max(e.{k})", "max(e)", "[x IN collect(e) | x.{k}]",
    "[x IN collect(e) | x {{.*}}]", "reduce(s = '', x IN collect(e) | s + x.{k})", "e[$key]", "e.{k} + '!'", "e {{.*}}['{k}']",
    "CASE WHEN e{l} THEN e ELSE e.{k} END", "CASE WHEN e{l} THEN null ELSE e.{k} END", "CASE e.{k} WHEN null THEN 1 ELSE e END",
    "any(x IN [e] WHERE x.{k} CONTAINS '1')", "date(e.{k})", "toInteger(e.{k})", "-e", "e + 'x'", "e = e", "[e][0..1]", "e IN [e]",
    "[x IN [e] | properties(x)]", "properties(properties(e))", "keys(properties(e))", "[k IN keys(e) | e[k]]", "trim(e)",
    "COLLECT {{ MATCH (z{l}) RETURN z }}", "COLLECT {{ MATCH (z{l}) RETURN z.{k} }}", "COUNT {{ MATCH (z{l}) WHERE z.{k} IS NOT NULL }}",
    "[(z{l})--(y) | y]", "[(z{l})-[q{t}]-(y) | q.{k}]", "EXISTS {{ MATCH (z{l} {{{k}: 'probe'}}) }}", "head([(z{l})--(y) | y {{.*}}])",
)  # fmt: skip
_STEPS = (
    "WITH {e} AS e",
    "WITH {e} AS e",
    "WITH {e} AS e",
    "WITH DISTINCT {e} AS e",
    "WITH collect({e}) AS es UNWIND es AS e",
    "UNWIND [{e}] AS e",
    "WITH {{x: {e}}} AS m WITH m.x AS e",
    "WITH [{e}] AS es WITH es[0] AS e",
    "WITH {e} AS e ORDER BY e.{k} LIMIT 3",
    "WITH {e} AS f CALL {{ WITH f RETURN f AS e }}",
    "WITH {e} AS f CALL {{ WITH f RETURN f AS e UNION MATCH (e{l}) RETURN e }}",
    "WITH {e} AS f CALL (f) {{ RETURN f AS e }}",
    "WITH {e} AS f CALL (*) {{ MATCH (e{l}) RETURN e }}",
    "WITH {e} AS e WHERE e{l}",
    "WITH {{e: {e}}} AS e",
    "WITH CASE WHEN true THEN {{{k}: {e}}} ELSE {e} END AS f WITH f {{.*}} AS e",
)
_PATH_OUTPUTS = ("p", "nodes(p)", "relationships(p)", "*", "[x IN nodes(p) | x]")
_ENDINGS = ("", "", "", "", " ORDER BY e.{k}", " ORDER BY x", " LIMIT 5", " SKIP 1 LIMIT 2")


def query(random: Random) -> str:
    """Make a query that reads, returns or tests nodes, relationships and paths in one of many ways."""

    def fill(template: str) -> str:
        return template.format(
            k=random.choice(KEYS), l=_label(random) or ":Patient", t=_type(random), e=entity
        )

    match, variables = random.choice(_MATCHES)
    text = match.format(l1=_label(random), l2=_label(random), t=_type(random))
    entity = random.choice([each for each in variables if each != "p"])
    if random.random() < 0.5:
        text += (" AND " if "WHERE" in text else " WHERE ") + fill(random.choice(_CONDITIONS))
    extra = [form for each in variables[1:] for form in _ENTITIES_WITH[each]]
    entity = fill(random.choice([*_ENTITIES, *extra, *extra]))
    if "p" in variables and random.random() < 0.2:
        return f"{text} RETURN {random.choice(_PATH_OUTPUTS)}"
    if random.random() < 0.1:
        return f"{text} RETURN *"
    step, output = fill(random.choice(_STEPS)), fill(random.choice(_OUTPUTS))
    distinct = random.choice(("", "", "DISTINCT "))
    text += f" {step} RETURN {distinct}{output} AS x{fill(random.choice(_ENDINGS))}"
    if random.random() < 0.1:
        text += f" UNION ALL MATCH (a{_label(random)}) RETURN a AS x"
    return text
