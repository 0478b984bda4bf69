"""Verdict of the guard on a query, with all reason codes and repair codes. The codes are stable."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from t2c_core.errors import QueryRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

CODES: Mapping[str, str] = MappingProxyType(
    {
        "parse.syntax": "not in the read-only subset of Cypher 5 or 25",
        "parse.token": "invalid string, comment, name or escape",
        "parse.length": "query text too long",
        "parse.depth": "nesting too deep to parse",
        "parse.write": "a clause that writes data or schema",
        "parse.load": "LOAD CSV, which reads files and URLs and can send values out",
        "parse.command": "an administrative command: SHOW, TERMINATE, ALTER, DROP, …",
        "parse.use": "USE: another graph",
        "parse.option": "EXPLAIN, PROFILE or CYPHER before the query",
        "parse.statements": "more than one statement",
        "parse.transactions": "CALL … IN TRANSACTIONS",
        "allow.node": "an AST node type that is not on the allowlist",
        "allow.procedure": "a procedure that the policy does not allow",
        "allow.function": "a function that is neither on the allowlist nor allowed by the policy",
        "limits.depth": "nesting too deep: the server's parser would hang",
        "limits.operators": "too many operators: the server's planner would hang",
        "limits.clauses": "too many clauses of one kind",
        "limits.patterns": "too many relationships and nodes matched at once",
        "limits.range": "range() over too many numbers, or over a number that is not a literal",
        "limits.loops": "nested iteration too deep, or reduce() multiplies its accumulator",
        "limits.list": "a list or map literal with too many items",
        "limits.grow": "string or list amplification",
        "limits.regex": "a regular expression that is not a literal or may backtrack without bound",
        "scope.variable": "variable not defined",
        "policy.label": "names a hidden label",
        "policy.type": "names a hidden relationship type",
        "policy.property": "reads, compares or sorts by a hidden property, or may do so",
        "policy.dynamic": "a dynamic property, label or type name, while some are hidden",
        "policy.whole": "returns a whole path or another value that may contain something hidden",
        "policy.path": "a variable-length pattern that may pass hidden nodes or relationships",
        "schema.label": "unknown label",
        "schema.type": "unknown relationship type",
        "schema.property": "unknown property",
        "schema.owner": "the property exists, but on other labels or types",
        "schema.value": "a date or time compared with another type, which is never true",
        "schema.pattern": "no such relationship between such nodes, in either direction",
        "cost.product": "Cartesian product too large",
        "cost.hops": "unbounded or too long variable-length pattern",
        "plan.query_type": "the server says that the query does more than read",
        "plan.operator": "the execution plan has an operator that is not on the list of read-only operators",
    }
)
"""Meaning of each reason code, in the order of the layers."""

REPAIRS: Mapping[str, str] = MappingProxyType(
    {
        "repair.backticks": "name escaped with backticks",
        "repair.direction": "relationship direction reversed to match the schema",
        "repair.label": "label or relationship type spelled as in the schema",
        "repair.property": "property spelled as in the schema",
        "repair.value": "value given the type of the property that it is compared with",
        "repair.parameter": "literal replaced by the linked parameter with that value",
        "repair.column": "duplicate column removed",
        "repair.deprecated": "deprecated form replaced by its current one",
        "repair.hint": "hint to the planner removed",
        "repair.language": "clause of Cypher 25 replaced by its form in Cypher 5",
        "repair.hidden": "hidden labels, types or properties excluded",
        "repair.hops": "upper bound added to a variable-length pattern",
        "repair.limit": "LIMIT added",
        "repair.text": "query rendered again without escapes and comments",
    }
)
"""Meaning of each repair code."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A fix applied to a query."""

    code: str
    """One of `REPAIRS`."""
    message: str
    """What was changed, for people."""
    position: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardVerdict:
    """Verdict on one query."""

    verdict: Literal["allow", "refuse"]
    cypher: str
    """The query to run if allowed, repaired where necessary."""
    codes: tuple[str, ...] = ()
    """Reason codes of a refusal, most important first."""
    message: str = ""
    position: int | None = None
    """Position of the reason in the query, in characters."""
    repairs: tuple[Repair, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the query may run."""
        return self.verdict == "allow"


class GuardRejectionError(QueryRejectedError):
    """A layer of the guard refuses a query.

    Args:
        code: One of `CODES`.
        message: Reason, for people.
        position: Position in the query, in characters.
    """

    def __init__(self, code: str, message: str, position: int | None = None) -> None:
        super().__init__(message, codes=(code,))
        self.position = position
