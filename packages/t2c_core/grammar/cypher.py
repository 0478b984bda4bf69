"""Grammar of Cypher for general models: free variables, and the names of a graph.

Labels, types, properties, functions and parameters are limited to existing ones. A relationship has a direction of the
graph if the label at one end is given. The guard checks what variables stand for.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.grammar.ebnf import (
    MAX_ITEMS,
    Rules,
    literal,
    one_of,
    properties_of,
    stored_texts,
)
from t2c_core.prompt.chat_replies import REFUSAL
from t2c_core.prompt.compact_cypher import MAX_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.schema.model import GraphSchema

FUNCTIONS: Final = tuple(
    """
    count sum avg min max collect percentileCont percentileDisc stDev size length labels type keys coalesce head last
    toLower toUpper trim left right substring replace split reverse toString toInteger toFloat toBoolean abs ceil
    floor round sign sqrt date datetime localdatetime time duration duration.between duration.inDays startNode endNode
    nodes relationships range point.distance
    """.split()
)
"""Functions that a query may call."""
MAX_CLAUSES: Final = 8
MAX_OPERATORS: Final = 12
_GAP: Final = "gap"
_SPACE: Final = "blank"


def cypher_grammar(schema: GraphSchema, *, parameters: int = MAX_PARAMETERS) -> str:
    """Return the grammar of read-only queries on a graph.

    Args:
        schema: schema of the graph, without hidden names.
        parameters: number of linked values of the question, `$v1` to `$vN`.

    Returns:
        EBNF whose rule `root` also accepts the word for an unanswerable question.
    """
    rules = Rules()
    rules.add(_GAP, ["[ \\n]{1,8}"])
    rules.add(_SPACE, ["[ \\n]{0,4}"])
    rules.add("name", ["[a-z_] [A-Za-z0-9_]{0,30}"])
    rules.add("digits", [literal("0"), "[1-9] [0-9]{0,5}"])
    rules.add("parameter", [literal(f"$v{number}") for number in range(1, parameters + 1)])
    rules.add("property", [literal(format_identifier(each.name)) for each in properties_of(schema)])
    rules.add("label", [literal(format_identifier(each.name)) for each in schema.labels])
    rules.add("text", [literal(each) for each in stored_texts(schema)])
    _patterns(schema, rules)
    _expressions(rules)
    _clauses(rules)
    rules.add("root", [literal(REFUSAL), "query"])
    return rules.text()


def _patterns(schema: GraphSchema, rules: Rules) -> None:
    """Add paths: from a node with a label along triples of the label, from another node along any triple."""
    rules.add("entry", [f'property ":" {_SPACE} expression'] if "property" in rules else [])
    properties = (
        f'(" "? "{{" {_SPACE} entry ("," {_SPACE} entry){{0,5}} {_SPACE} "}}")?' if "entry" in rules else ""
    )
    rules.add("map", [properties or '""'])
    node = {label.name: f"node_{number}" for number, label in enumerate(schema.labels)}
    after = {label: f"after_{number}" for number, label in enumerate(node)}
    for label, name in node.items():
        rules.add(name, [f'"(" name? {literal(":" + format_identifier(label))} map ")" {after[label]}?'])
    rules.add("bare", ['"(" name? map ")" after_any?'])
    rules.add("hops", ['"*" ([1-5] (".." [1-9])? | ".." [1-9])?'])
    ways: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for each in schema.triples:
        if each.source in node and each.target in node:
            ways[each.source][f">{each.type}"].add(each.target)
            ways[each.target][f"<{each.type}"].add(each.source)
            ways[""][f">{each.type}"].add(each.target)
            ways[""][f"<{each.type}"].add(each.source)
    for label, name in (*after.items(), ("", "after_any")):
        rules.add(name, _steps(ways[label], node) if ways[label] else ['"-->" bare'])
    rules.add("path", [f'(name {_SPACE} "=" {_SPACE})? {one_of(("bare", *node.values()))}'])


def _steps(ways: dict[str, set[str]], node: dict[str, str]) -> list[str]:
    """Return the continuations of a path: one type to its ends, or several types to the ends of all of them."""
    found = []
    for direction, opening, closing in ((">", '"-["', '"]->"'), ("<", '"<-["', '"]-"')):
        kinds = {way[1:]: ends for way, ends in ways.items() if way[0] == direction}
        if not kinds:
            continue
        all_ends = _ends(set().union(*kinds.values()), node)
        for single, ends in sorted(kinds.items()):
            found.append(
                f"{opening} name? {literal(':' + format_identifier(single))} hops? map {closing} {_ends(ends, node)}"
            )
        kind = one_of(literal(format_identifier(each)) for each in sorted(kinds))
        found.append(f'{opening} name? ":" {kind} ("|" {kind}){{1,7}} hops? map {closing} {all_ends}')
        found.append(f"{opening} name? hops? {closing} {all_ends}")
    either = one_of(literal(format_identifier(each)) for each in sorted({way[1:] for way in ways}))
    anywhere = _ends(set().union(*ways.values()), node)
    found.append(f'"-[" name? ":" {either} ("|" {either}){{0,7}} hops? map "]-" {anywhere}')
    return found


def _ends(labels: Iterable[str], node: dict[str, str]) -> str:
    return one_of((*(node[label] for label in sorted(labels)), "bare"))


def _expressions(rules: Rules) -> None:
    value = [each for each in ("parameter", "text") if each in rules]
    access = ['name "." property ("." [a-z] [A-Za-z]{2,20})?'] if "property" in rules else []
    subquery = f'{_SPACE} "{{" {_SPACE} (("MATCH" {_GAP})? paths filter? | query) {_SPACE} "}}"'
    rules.add("listed", [f'expression ("," {_SPACE} expression){{0,15}}'])
    rules.add(
        "case",
        [
            (
                f'"CASE" ({_GAP} expression)? ({_GAP} "WHEN" {_GAP} expression {_GAP} "THEN" {_GAP} expression){{1,4}}'
                f' ({_GAP} "ELSE" {_GAP} expression)? {_GAP} "END"'
            )
        ],
    )
    rules.add(
        "operand",
        [
            *access,
            *value,
            "name",
            'digits ("." [0-9]{1,6})?',
            *map(literal, ("true", "false", "null")),
            literal("count(*)"),
            f'{one_of(map(literal, FUNCTIONS))} "(" ("DISTINCT" {_GAP})? listed? ")"',
            '"(" expression ")"',
            '"[" listed? "]"',
            f'"[" name {_GAP} "IN" {_GAP} expression ({_GAP} "WHERE" {_GAP} expression)? (" | " expression)? "]"',
            (
                f'("any" | "all" | "none" | "single") "(" name {_GAP} "IN" {_GAP} expression {_GAP} "WHERE" {_GAP}'
                ' expression ")"'
            ),
            f'("EXISTS" | "COUNT") {subquery}',
            f'"COLLECT" {_SPACE} "{{" {_SPACE} query {_SPACE} "}}"',
            "bare",
            "case",
            *(['name ":" label'] if "label" in rules else []),
        ],
    )
    signs = " | ".join(map(literal, ("=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%")))
    words = " | ".join(map(literal, ("AND", "OR", "XOR", "IN", "CONTAINS", "STARTS WITH", "ENDS WITH")))
    rules.add("operator", [f"{_SPACE} ({signs}) {_SPACE}", f"{_GAP} ({words}) {_GAP}"])
    rules.add("term", [f'("NOT" {_GAP} | "-")? operand ({_GAP} ("IS NULL" | "IS NOT NULL"))?'])
    rules.add("expression", [f"term (operator term){{0,{MAX_OPERATORS}}}"])


def _clauses(rules: Rules) -> None:
    rules.add("paths", [f'path ("," {_SPACE} path){{0,{MAX_ITEMS - 1}}}'])
    rules.add("filter", [f'{_GAP} "WHERE" {_GAP} expression'])
    rules.add("match", [f'("OPTIONAL" {_GAP})? "MATCH" {_GAP} paths filter?'])
    rules.add("unwind", [f'"UNWIND" {_GAP} expression {_GAP} "AS" {_GAP} name'])
    rules.add("item", [f'expression ({_GAP} "AS" {_GAP} name)?'])
    rules.add("items", [f'("DISTINCT" {_GAP})? item ("," {_SPACE} item){{0,{2 * MAX_ITEMS - 1}}}'])
    rules.add("key", [f'expression ({_GAP} ("DESC" | "ASC"))?'])
    rules.add(
        "tail",
        [
            (
                f'({_GAP} "ORDER BY" {_GAP} key ("," {_SPACE} key){{0,3}})? ({_GAP} "SKIP" {_GAP} count)?'
                f' ({_GAP} "LIMIT" {_GAP} count)?'
            )
        ],
    )
    rules.add("count", ["digits", "parameter" if "parameter" in rules else ""])
    rules.add("with", [f'"WITH" {_GAP} items tail filter?'])
    rules.add(
        "call",
        [
            f'"CALL" {_GAP} "(" (name ("," {_SPACE} name){{0,5}})? ")" {_SPACE} "{{" {_SPACE} query {_SPACE} "}}"'
        ],
    )
    clause = one_of(("match", "with", "unwind", "call"))
    rules.add("single", [f'({clause} {_GAP}){{0,{MAX_CLAUSES}}} "RETURN" {_GAP} items tail'])
    rules.add("query", [f'single ({_GAP} "UNION" ({_GAP} "ALL")? {_GAP} single){{0,3}}'])
