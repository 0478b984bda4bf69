"""The guard checks a query in layers; the first layer that objects refuses it.

    text ── parse ── allowlist ── limits ── policy ── schema ── cost ── query to run
              │          │                    │         │        │
          backticks  deprecated             masks    names,   bounds         each repair is recorded
                                                   directions

Needs no database. Afterwards the server's plan is checked (`guard.plan`), and the run has limits of its own
(`t2c_core.graph.client`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from t2c_core.cypher.parser import parse, parse_with_rewrites
from t2c_core.cypher.render import render
from t2c_core.errors import CypherSyntaxError, QueryRejectedError
from t2c_core.guard.cost import add_limit, check_cost
from t2c_core.guard.dataflow.analyzer import analyze
from t2c_core.guard.identifier_repair import BacktickRepairer
from t2c_core.guard.language.allowlist import check_allowed
from t2c_core.guard.language.complexity import check_limits, walk_with_depth
from t2c_core.guard.policy.enforcement import enforce_policy
from t2c_core.guard.policy.policy import Policy
from t2c_core.guard.policy.visibility import Visibility
from t2c_core.guard.repair import PendingRewrites, parameterize_literals, replace_deprecated
from t2c_core.guard.schema.check import check_schema, check_variables_defined, infer_labels
from t2c_core.guard.schema.index import SchemaIndex
from t2c_core.guard.schema.value_types import check_value_types
from t2c_core.guard.verdict import GuardRejectionError, GuardVerdict, Repair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.cypher.ast_nodes import Query
    from t2c_core.schema.model import GraphSchema

_AMBIGUOUS = ("\\u", "/*", "//")
"""Escapes and comments, which another lexer could read differently; a query with one is rendered again."""
_UNQUOTED = frozenset(
    {
        "parse.syntax", "allow.function", "scope.variable", "schema.label", "schema.type", "schema.property",
        "schema.owner",
    }
)  # fmt: skip
"""Reasons for which a query is refused whose names lack backticks."""


class Guard:
    """Checks queries on one graph. Thread-safe.

    Args:
        schema: Schema of the graph. Without it names and directions are not checked, and fewer queries can be
            repaired. What it lists as hidden is hidden.
        policy: What is hidden and allowed, and the row limit.
    """

    def __init__(self, schema: GraphSchema | None = None, policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        names = self._policy.hidden | frozenset(schema.hidden if schema is not None else ())
        self._visibility = Visibility(names, schema)
        self._schema = self._visibility.filter_schema(schema) if schema is not None else None
        self._index = self._backticks = None
        if self._schema is not None:
            self._index = SchemaIndex(self._schema, self._visibility.labels | self._visibility.types)
            self._backticks = BacktickRepairer(self._schema)

    def check(self, cypher: str, parameters: Mapping[str, object] | None = None) -> GuardVerdict:
        """Return the verdict on a query; any text gets one.

        Args:
            cypher: Query.
            parameters: Values by parameter name without the dollar sign, as far as they are known.
        """
        verdict = self._check_text(cypher, parameters or {})
        if verdict.allowed or self._backticks is None or verdict.codes[0] not in _UNQUOTED:
            return verdict
        repaired = self._backticks.repair(cypher)
        if repaired is None:
            return verdict
        second = self._check_text(repaired.cypher, parameters or {})
        if second.allowed:
            return repaired.with_repairs(second)
        if verdict.codes[0] == "parse.syntax" and not second.codes[0].startswith("parse."):
            position = repaired.original_position(second.position or 0)
            return replace(second, cypher=cypher, position=position)
        return verdict

    def require(self, cypher: str, parameters: Mapping[str, object] | None = None) -> GuardVerdict:
        """Return the verdict on a query if it is allowed.

        Raises:
            QueryRejectedError: The query is refused; with its reason codes.
        """
        verdict = self.check(cypher, parameters)
        if not verdict.allowed:
            raise QueryRejectedError(verdict.message, codes=verdict.codes)
        return verdict

    def shows(self, cypher: str, parameters: Mapping[str, object] | None = None) -> bool:
        """Return whether a query, for example one in a prompt, names and reads only what is visible."""
        return not any(
            code.startswith(("policy.", "schema.")) for code in self.check(cypher, parameters).codes
        )

    def _check_text(self, cypher: str, parameters: Mapping[str, object]) -> GuardVerdict:
        """Return the verdict on a text as it is written."""
        try:
            tree, rewritten = parse_with_rewrites(cypher)
            repairs = [Repair(f"repair.{each.kind}", each.message, each.position) for each in rewritten]
            return self._check_tree(cypher, tree, parameters, repairs)
        except CypherSyntaxError as error:
            code, message, position = f"parse.{error.reason}", str(error), error.position
        except GuardRejectionError as error:
            code, message, position = error.codes[0], str(error), max(error.position or 0, 0)
        return GuardVerdict(
            verdict="refuse", cypher=cypher, codes=(code,), message=message, position=position
        )

    def _check_tree(
        self, cypher: str, tree: Query, parameters: Mapping[str, object], repairs: list[Repair]
    ) -> GuardVerdict:
        """Return the verdict on a tree.

        Args:
            cypher: Text of the tree.
            tree: Syntax tree.
            parameters: Values by parameter name, as far as they are known.
            repairs: What the parser changed.

        Raises:
            GuardRejectionError: The query is refused.
        """
        visited = list(walk_with_depth(tree))
        deprecated = PendingRewrites()
        replace_deprecated(visited, deprecated)
        if deprecated.repairs:
            tree = deprecated.apply(tree)
            visited = list(walk_with_depth(tree))
        check_allowed(visited, self._policy)
        check_limits(tree, visited, parameters)
        rewrites = PendingRewrites()
        analysis = analyze(tree)
        check_variables_defined(analysis)
        if self._index is not None:
            infer_labels(analysis, self._index)
        enforce_policy(tree, analysis, self._visibility, self._schema, rewrites)
        if self._index is not None:
            check_schema(analysis, self._index, rewrites)
            check_value_types(visited, analysis, self._index, parameters, rewrites)
        check_cost(analysis, self._index, rewrites)
        parameterize_literals(visited, parameters, rewrites)
        add_limit(tree, self._policy.max_rows, rewrites)
        return _allow(cypher, rewrites.apply(tree), [*repairs, *deprecated.repairs, *rewrites.repairs])


def _allow(cypher: str, tree: Query, repairs: list[Repair]) -> GuardVerdict:
    """Return the verdict on an allowed query: its text, rendered again if repaired or ambiguous."""
    if any(sign in cypher for sign in _AMBIGUOUS):
        repairs.append(Repair("repair.text", "query rendered again"))
    if not repairs and cypher.isascii():
        return GuardVerdict(verdict="allow", cypher=cypher)
    rendered = render(tree)
    if parse(rendered) != tree:  # never seen; what runs must be what was checked
        raise GuardRejectionError("parse.syntax", "the repaired query cannot be rendered unambiguously")
    return GuardVerdict(verdict="allow", cypher=rendered, repairs=tuple(repairs))
