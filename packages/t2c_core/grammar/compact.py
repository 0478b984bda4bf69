"""Grammar of compact Cypher for a schema.

Each property follows a variable of its label or type, each pattern is a triple of the graph in its direction, and each
comparison fits the type of the property. The grammar does not check that a pattern binds each variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.cypher.literals import write_string
from t2c_core.grammar.ebnf import (
    CALENDAR_PARTS,
    MAX_ITEMS,
    NUMBERS,
    TIMES,
    Rules,
    literal,
    literal_values,
    one_of,
    sequence,
)
from t2c_core.prompt.compact_cypher import MAX_PARAMETERS
from t2c_core.prompt.schema_tokens import UNANSWERABLE
from t2c_core.prompt.variable_names import ANY, SUFFIXES, VariableNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType

MAX_DEPTH: Final = 2
"""Maximum nesting depth of EXISTS and COUNT."""
_SUFFIX: Final = "suffix"
_SIGN: Final = "sign"
_PARAMETER: Final = "parameter"
_EQUALITY: Final = one_of((literal(" ="), literal(" <>")))


def atoms_grammar(schema: GraphSchema, *, parameters: int = MAX_PARAMETERS) -> str:
    """Return the grammar of completions of the `atoms` prompt format.

    Args:
        schema: schema of the graph, without hidden names.
        parameters: number of linked values of the question, `$v1` to `$vN`.

    Returns:
        EBNF whose rule `root` also accepts the token of an unanswerable question.
    """
    return _AtomsGrammar(schema, VariableNames(schema), parameters).text()


class _AtomsGrammar:
    def __init__(self, schema: GraphSchema, names: VariableNames, parameters: int) -> None:
        self._schema = schema
        self._names = names
        self._rules = Rules()
        self._rules.add(_SUFFIX, [literal(each) for each in SUFFIXES])
        self._rules.add(_SIGN, [literal(f" {each}") for each in ("=", "<>", "<", "<=", ">", ">=")])
        self._rules.add(_PARAMETER, [literal(f" $v{number}") for number in range(1, parameters + 1)])
        self._rules.add("dated", [literal(f" date($v{number})") for number in range(1, parameters + 1)])
        self._rules.add("number", [f"{literal(' ')} ({literal('0')} | [1-9] [0-9]{{0,3}})"])
        self._rules.add("limit", ["number", self._if_parameters(_PARAMETER)])

    def text(self) -> str:
        queries = []
        if self._patterns():
            self._properties()
            self._conditions()
            self._items()
            queries = [sequence(*self._query())]
        self._rules.add("root", [literal(UNANSWERABLE), *queries])
        return self._rules.text()

    def _if_parameters(self, name: str) -> str:
        return name if name in self._rules else ""

    def _patterns(self) -> str:
        """Add nodes, relationships and triples."""
        schema, names, rules = self._schema, self._names, self._rules
        node = {label.name: f"node_{number}" for number, label in enumerate(schema.labels)}
        link = {kind.name: f"link_{number}" for number, kind in enumerate(schema.types)}
        for label, name in node.items():
            opening = literal(f"({names.label_variables[label]}")
            rules.add(name, [f"{opening} {_SUFFIX} {literal(f':{format_identifier(label)})')}"])
        for kind, name in link.items():
            opening = literal(f"-[{names.type_variables[kind]}")
            rules.add(name, [f"{opening} {_SUFFIX} {literal(f':{format_identifier(kind)}]->')}"])
        after = self._steps(node, link)
        starts = [
            f"{name} ({one_of(after[label])})?" if after[label] else name for label, name in node.items()
        ]
        if not starts:
            return ""
        rules.add("pattern", [f"{literal(' ')} {one_of(starts)}"])
        return rules.add("patterns", [f"pattern ({literal(',')} pattern){{0,{MAX_ITEMS - 1}}}"])

    def _steps(self, node: dict[str, str], link: dict[str, str]) -> dict[str, list[str]]:
        """Return the continuations of a pattern by source label: relationship with one or several types, and target."""
        ends: dict[tuple[str, str], list[str]] = {}
        for each in self._schema.triples:
            if each.source in node and each.target in node and each.type in link:
                ends.setdefault((each.source, each.target), []).append(each.type)
        after: dict[str, list[str]] = {label: [] for label in node}
        for number, ((source, target), types) in enumerate(ends.items()):
            between = [link[each] for each in types]
            if len(types) > 1:
                kind = self._rules.add(f"type_{number}", [literal(format_identifier(each)) for each in types])
                more = f"({literal('|')} {kind}){{1,{len(types) - 1}}}"
                opening = f"{literal(f'-[{ANY}')} {_SUFFIX} {literal(':')}"
                between.append(f"{opening} {kind} {more} {literal(']->')}")
            after[source].append(f"{one_of(between)} {node[target]}")
        return after

    @property
    def _variables(self) -> list[tuple[str, NodeLabel | RelationshipType]]:
        """Labels and types with their variables."""
        names, schema = self._names, self._schema
        return [
            *((names.label_variables[each.name], each) for each in schema.labels),
            *((names.type_variables[each.name], each) for each in schema.types),
        ]

    def _accesses(self, fits: Callable[[Property], bool], before: str = " ") -> Iterator[str]:
        """Yield accesses of the properties that fit, by variable."""
        for variable, part in self._variables:
            if chosen := [
                literal(f".{format_identifier(each.name)}") for each in part.properties if fits(each)
            ]:
                yield f"{literal(before + variable)} {_SUFFIX} {one_of(chosen)}"
        shared = [
            literal(f".{format_identifier(each.name)}")
            for kind in self._schema.types
            for each in kind.properties
            if fits(each)
        ]
        if shared and self._has_shared_ends():
            yield f"{literal(before + ANY)} {_SUFFIX} {one_of(shared)}"

    def _has_shared_ends(self) -> bool:
        ends = [(each.source, each.target) for each in self._schema.triples]
        return len(ends) > len(set(ends))

    def _properties(self) -> None:
        """Add property accesses by type."""
        rules = self._rules
        kinds: dict[str, Callable[[Property], bool]] = {
            "texts": lambda each: each.value_type == "STRING",
            "numbers": lambda each: each.value_type in NUMBERS,
            "truths": lambda each: each.type == "BOOLEAN",
            "times": lambda each: each.value_type in TIMES,
            "lists": lambda each: each.type.startswith("LIST"),
            "others": lambda each: each.type in {"LOCAL TIME", "ZONED TIME", "DURATION", "POINT"},
        }
        for name, fits in kinds.items():
            rules.add(name, self._accesses(fits))
        if "times" in rules:
            rules.add("parts", [f"times {one_of(literal('.' + each) for each in CALENDAR_PARTS)}"])
        stamped = [
            f"{access} {literal(')')}"
            for access in self._accesses(lambda each: each.value_type in TIMES - {"DATE"}, " date(")
        ]
        rules.add("days", [*stamped, *(["times"] if "times" in rules else [])])
        rules.add("access", [each for each in (*kinds, "parts") if each in rules])
        rules.add("variable", [f"{literal(' ' + variable)} {_SUFFIX}" for variable, _ in self._variables])

    def _stored(self) -> Iterator[str]:
        """Yield comparisons of properties with few distinct values with these values."""
        for variable, part in self._variables:
            for each in part.properties:
                if values := literal_values(each):
                    alternatives = one_of(literal(" " + write_string(value)) for value in values)
                    access = (
                        f"{literal(' ' + variable)} {_SUFFIX} {literal('.' + format_identifier(each.name))}"
                    )
                    yield f"{access} {_EQUALITY} {alternatives}"

    def _conditions(self) -> None:
        rules = self._rules
        has = {
            name: name if name in rules else "" for name in ("texts", "numbers", "truths", "times", "lists")
        }
        value, dated = self._if_parameters(_PARAMETER), self._if_parameters("dated")
        listed = sequence(literal(" ["), value, f"({literal(',')} {value}){{0,15}}", literal("]"))
        within = sequence(literal(" IN"), listed) if value else ""
        word = one_of(literal(f" {each}") for each in ("CONTAINS", "STARTS WITH", "ENDS WITH"))
        known = rules.add(
            "compared",
            [
                sequence(has["texts"], _SIGN, value),
                sequence(has["texts"], word, value) if value else "",
                *self._stored(),
                sequence(has["texts"], within),
                sequence(has["texts"], _SIGN, has["texts"]),
                sequence(has["numbers"], _SIGN, value),
                sequence(has["numbers"], _SIGN, "number"),
                sequence(has["numbers"], within),
                sequence(has["numbers"], _SIGN, has["numbers"]),
                sequence(has["numbers"], _SIGN, literal(" n")),  # the mean of a first MATCH
                sequence(has["truths"], _EQUALITY, one_of((literal(" true"), literal(" false")))),
                sequence(has["times"] and "days", _SIGN, dated),
                sequence(has["times"] and "days", _SIGN, has["times"] and "days"),
                sequence(has["times"] and "parts", _SIGN, value),
                sequence(value, literal(" IN"), has["lists"]),
                sequence(literal(" size("), has["lists"], literal(")"), _SIGN, "limit"),
                sequence("access" if "access" in rules else "", literal(" IS NULL")),
                sequence("access" if "access" in rules else "", literal(" IS NOT NULL")),
            ],
        )
        rules.add("joined", [one_of((literal(" AND"), literal(" OR")))])
        self._nested(known)

    def _nested(self, known: str) -> None:
        """Add conditions with subqueries; a rule per depth bounds the nesting."""
        rules = self._rules
        deeper = ""
        for depth in range(MAX_DEPTH + 1):
            term = [known]
            if depth:
                inner = f"{literal(' MATCH')} patterns ({literal(' WHERE')} {deeper})?" if deeper else ""
                inner = rules.add(f"inner_{depth}", [inner or f"{literal(' MATCH')} patterns"])
                exists = rules.add(f"exists_{depth}", [f"{literal(' EXISTS {')} {inner} {literal(' }')}"])
                term += [
                    exists,
                    f"{literal(' NOT')} {exists}",
                    f"{literal(' COUNT {')} {inner} {literal(' }')} {_SIGN} limit",
                ]
            if deeper or known:
                term += [f"{literal(' (')} {deeper or known} {literal(')')}"]
            term_name = rules.add(f"term_{depth}", term)
            deeper = rules.add(
                f"condition_{depth}",
                [f"{term_name} (joined {term_name}){{0,11}}"] if term_name else [],
            )

    def _items(self) -> None:
        """Add return items and sort keys."""
        rules = self._rules
        access = "access" if "access" in rules else ""
        rules.add("whole", [literal(" count(*)")])
        rules.add("counted", [f"{literal(' COUNT {')} inner_{MAX_DEPTH} {literal(' }')}"])
        counted_case = (
            literal(" count("),
            literal(" CASE WHEN"),
            f"condition_{MAX_DEPTH}",
            literal(" THEN 1 END"),
        )
        rules.add("part", [sequence(*counted_case, literal(")"))])
        distinct = f"({literal(' DISTINCT')})?"
        rules.add(
            "aggregate",
            [
                "whole",
                sequence(literal(" count("), distinct, "variable", literal(")")),
                sequence(one_of((literal(" count("), literal(" collect("))), distinct, access, literal(")")),
                sequence(one_of((literal(" min("), literal(" max("))), access, literal(")")),
                sequence(
                    one_of((literal(" avg("), literal(" sum("))),
                    distinct,
                    "numbers" if "numbers" in rules else "",
                    literal(")"),
                ),
                f"{one_of(literal(f' {each}(') for each in ('avg', 'min', 'max', 'sum'))} counted {literal(')')}",
                "part",
            ],
        )
        total = one_of(("whole", f"{literal(' count(')} {literal(' DISTINCT')} variable {literal(')')}"))
        rules.add("share", [f"{literal(' 100.0')} {literal(' *')} part {literal(' /')} {total}"])
        rules.add("alias", [literal(" g"), literal(" n")])
        rules.add("item", [access, "aggregate", f"whole {_SIGN} limit", "counted", "share"])
        rules.add(
            "key",
            [
                f"{one_of(each for each in (access, 'aggregate', 'alias', 'counted') if each)} ("
                + one_of((literal(" DESC"), literal(" ASC")))
                + ")?"
            ],
        )
        rules.add("late", [access, "alias"])

    def _query(self) -> list[str]:
        where = f"({literal(' WHERE')} condition_{MAX_DEPTH})?"
        optional = f"({literal(' OPTIONAL MATCH')} patterns {where}){{0,2}}"
        keys = f"key ({literal(',')} key){{0,2}}"
        tail = f"({literal(' ORDER BY')} {keys})? ({literal(' LIMIT')} limit)?"
        self._rules.add("tail", [tail])
        listed = (
            f"{literal(' RETURN')} ({literal(' DISTINCT')})? item ({literal(',')} item){{0,{MAX_ITEMS - 1}}}"
        )
        self._rules.add("returned", [f"{listed} tail"])
        grouped = one_of(
            each
            for each in (
                "variable",
                f"access {literal(' AS')} {literal(' g')}" if "access" in self._rules else "",
            )
            if each
        )
        with_ = (
            f"{literal(' WITH')} {grouped} {literal(',')} aggregate {literal(' AS')} {literal(' n')}"
            f" ({literal(' WHERE')} {literal(' n')} {_SIGN} limit)?"
        )
        last = (
            f"{literal(' RETURN')} ({literal(' DISTINCT')})? {one_of(('late', literal(' count(*)')))}"
            f" ({literal(',')} late){{0,3}} tail"
        )
        self._rules.add("gathered", [f"{with_} {last}"])
        numbers = "numbers" if "numbers" in self._rules else ""
        averaged = f"{literal(' avg(')} {numbers} {literal(')')} {literal(' AS')} {literal(' n')}"
        mean = f"({literal(' MATCH')} pattern {literal(' WITH')} {averaged})?" if numbers else ""
        mean_first = [mean] if mean else []
        return [*mean_first, literal(" MATCH"), "patterns", where, optional, one_of(("returned", "gathered"))]
