"""What the guard says of a query, and all the reasons that it has. The codes are stable: others script against them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from t2c_core.errors import QueryRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

CODES: Mapping[str, str] = MappingProxyType(
    {
        "parse.syntax": "not the reading language of Cypher 5 or 25",
        "parse.token": "a string, comment, name or escape that the server would not read either",
        "parse.length": "more characters than any question needs",
        "parse.depth": "nested too deeply to be read",
        "parse.write": "a clause that writes, data or schema",
        "parse.load": "LOAD CSV: reads files and addresses, and can carry values out",
        "parse.command": "an administrative command: SHOW, TERMINATE, ALTER, DROP, …",
        "parse.use": "USE: another graph",
        "parse.option": "EXPLAIN, PROFILE or CYPHER before the query",
        "parse.statements": "more than one statement",
        "parse.transactions": "CALL … IN TRANSACTIONS",
        "allow.node": "a part of the language that the guard does not know",
        "allow.procedure": "a procedure that the policy does not allow",
        "allow.function": "a function that is not on the list, nor allowed by the policy",
        "limits.depth": "nested too deeply: the server's parser would hang",
        "limits.operators": "too many operators: the server's planner would hang",
        "limits.clauses": "too many clauses of one kind",
        "limits.patterns": "too many relationships and nodes matched at once",
        "limits.range": "range() over too many numbers, or over a number that is not written down",
        "limits.loops": "loops over lists nest too deeply, or reduce() gathers too much",
        "limits.list": "a list or map with too many items",
        "limits.grow": "a text or list that is put together from itself again and again",
        "limits.regex": "a regular expression that may backtrack without end, or is not written down",
        "scope.variable": "a variable that nothing before it has named",
        "policy.label": "names a hidden label",
        "policy.type": "names a hidden relationship type",
        "policy.property": "reads, tests or sorts by a hidden property, or may do so",
        "policy.dynamic": "names a property, label or type by an expression, while some are hidden",
        "policy.whole": "gives out a whole path or the like, which may hold what is hidden",
        "policy.path": "a path of variable length may lead over what is hidden",
        "schema.label": "there is no such label",
        "schema.type": "there is no such relationship type",
        "schema.property": "there is no such property",
        "schema.owner": "the property exists, but not there",
        "schema.pattern": "no such relationship is between such nodes, in either direction",
        "cost.product": "patterns that are not connected multiply to too many rows",
        "cost.hops": "a path of variable length without end, or too long",
        "plan.query_type": "the server says that the query does more than read",
        "plan.operator": "the server's plan has an operator that is not known to only read",
    }
)
"""Every reason code, in the order of the layers, with its meaning."""

REPAIRS: Mapping[str, str] = MappingProxyType(
    {
        "repair.backticks": "a name with blanks or signs was put into back-ticks",
        "repair.direction": "a relationship was turned round, as the schema has it",
        "repair.label": "a label or type was written as the schema writes it",
        "repair.property": "a property was written as the schema writes it",
        "repair.parameter": "a literal was exchanged for the linked parameter of that value",
        "repair.column": "a column that was named twice was left out once",
        "repair.deprecated": "a form that the server no longer takes was exchanged for today's",
        "repair.hidden": "what the policy hides was left out",
        "repair.hops": "a path of variable length was given an end",
        "repair.limit": "a LIMIT was added",
        "repair.text": "escapes and comments were written out, so that nothing is left to read differently",
    }
)
"""Every kind of repair."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that was mended."""

    code: str
    """One of `REPAIRS`."""
    told: str
    """What was done, for a person."""
    position: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardVerdict:
    """What is to become of a query."""

    verdict: Literal["allow", "refuse"]
    cypher: str
    """What to run if allowed: the query as it was, or as it was mended."""
    codes: tuple[str, ...] = ()
    """Why it is refused, most important first."""
    message: str = ""
    position: int | None = None
    """Where the reason stands in the text."""
    repairs: tuple[Repair, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it may run."""
        return self.verdict == "allow"


class Refused(QueryRejectedError):  # noqa: N818 - a step out of the layers, told to the caller as a Verdict or RefusedError
    """A layer refuses the query.

    Args:
        code: one of `CODES`.
        message: why, for a person.
        position: where in the text.
    """

    def __init__(self, code: str, message: str, position: int | None = None) -> None:
        super().__init__(message, codes=(code,))
        self.position = position
