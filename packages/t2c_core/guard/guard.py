"""The guard: a query passes all layers, is perhaps mended on the way, or is refused by the first that objects.

    text ── parse ── allow ── limits ── hiding ── validity ── cost ── what may run
              │         │                  │          │         │
         backticks   repair (deprecated) repair    repair    repair      each told; all but the first on the tree

Needs no database: that the server agrees is checked afterwards (see `plan`), and the run itself has limits of its own
(see `t2c_core.graph.client`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.errors import CypherSyntaxError, QueryRejectedError
from t2c_core.guard.cost import add_limit, check_cost
from t2c_core.guard.dataflow.analyzer import analyze
from t2c_core.guard.identifier_repair import BacktickRepairer, RepairedText
from t2c_core.guard.language.allowlist import check_allowed
from t2c_core.guard.language.complexity import check_limits
from t2c_core.guard.language.depth_traversal import walk_with_depth
from t2c_core.guard.policy.enforcement import enforce_policy
from t2c_core.guard.policy.hidden_names import HiddenNames
from t2c_core.guard.policy.policy import Policy
from t2c_core.guard.repair import parameterize_literals, replace_deprecated
from t2c_core.guard.rewrites import PendingRewrites
from t2c_core.guard.schema.check import check_validity, check_variables_defined, infer_labels
from t2c_core.guard.schema.index import SchemaIndex
from t2c_core.guard.verdict import GuardVerdict, Refused, Repair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.cypher.ast_nodes import Query
    from t2c_core.schema.model import GraphSchema

_DOUBTFUL = ("\\u", "/*", "//")
"""What is written out anew, so that nothing is left that another lexer could read otherwise."""


class Guard:
    """Judges queries on one graph; safe to share between threads.

    Args:
        schema: of the graph; without it names and directions are not compared, and less can be put right.
        policy: what is hidden, allowed and given out; what the schema lists as hidden is hidden too.
    """

    def __init__(self, schema: GraphSchema | None = None, policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        names = self._policy.hidden | frozenset(schema.hidden if schema is not None else ())
        self._hidden = HiddenNames(names, schema)
        self._schema = self._hidden.visible(schema) if schema is not None else None
        gone = self._hidden.labels | self._hidden.types
        self._shape = SchemaIndex(self._schema, gone) if self._schema is not None else None
        self._backticks = BacktickRepairer(self._schema) if self._schema is not None else None

    def check(self, cypher: str, parameters: Mapping[str, object] | None = None) -> GuardVerdict:
        """Judge a query. Whatever the text, the answer is a verdict.

        Args:
            cypher: the query.
            parameters: values by name, without the dollar sign, as far as they are known.
        """
        mended: RepairedText | None = None
        try:
            try:
                tree = parse(cypher)
            except CypherSyntaxError as error:
                tree, mended = self._read_mended(cypher, error)
                return mended.with_repairs(self._passed(mended.cypher, tree, parameters or {}))
            return self._passed(cypher, tree, parameters or {})
        except CypherSyntaxError as error:
            code, message, position = f"parse.{error.reason}", str(error), error.position
        except Refused as error:
            code, message, position = error.codes[0], str(error), max(error.position or 0, 0)
            position = mended.original_position(position) if mended else position
        return GuardVerdict(
            verdict="refuse", cypher=cypher, codes=(code,), message=message, position=position
        )

    def require(self, cypher: str, parameters: Mapping[str, object] | None = None) -> GuardVerdict:
        """Judge a query and give the verdict if it may run.

        Raises:
            RefusedError: it may not; with its reason codes.
        """
        verdict = self.check(cypher, parameters)
        if not verdict.allowed:
            raise QueryRejectedError(verdict.message, codes=verdict.codes)
        return verdict

    def _read_mended(self, cypher: str, error: CypherSyntaxError) -> tuple[Query, RepairedText]:
        """Read a text with the back-ticks that it lacks, or say what was wrong with it as it was."""
        mended = self._backticks.repair(cypher) if self._backticks and error.reason == "syntax" else None
        if mended is None:
            raise error
        try:
            return parse(mended.cypher), mended
        except CypherSyntaxError:
            raise error from None

    def _passed(self, cypher: str, tree: Query, parameters: Mapping[str, object]) -> GuardVerdict:
        stops = list(walk_with_depth(tree))
        edits = PendingRewrites()
        replace_deprecated(stops, edits)
        if edits.repairs:
            tree = edits.apply(tree)
            stops = list(walk_with_depth(tree))
        check_allowed(stops, self._policy)
        check_limits(tree, stops, parameters)
        told = edits.repairs
        edits = PendingRewrites()
        self._judge(tree, edits)
        parameterize_literals(stops, parameters, edits)
        add_limit(tree, self._policy.max_rows, edits)
        return _written(cypher, tree, edits, told)

    def _judge(self, tree: Query, edits: PendingRewrites) -> None:
        facts = analyze(tree)
        check_variables_defined(facts)
        if self._shape is not None:
            infer_labels(facts, self._shape)
        enforce_policy(tree, facts, self._hidden, self._schema, edits)
        if self._shape is not None:
            check_validity(facts, self._shape, edits)
        check_cost(facts, self._shape, edits)


def _written(cypher: str, tree: Query, edits: PendingRewrites, told: list[Repair]) -> GuardVerdict:
    """Write what may run: the text as it was, unless it was mended or could be read otherwise."""
    mended = edits.apply(tree)
    repairs = [*told, *edits.repairs]
    if any(sign in cypher for sign in _DOUBTFUL):
        repairs.append(Repair("repair.text", "written out anew"))
    if not repairs and cypher.isascii():
        return GuardVerdict(verdict="allow", cypher=cypher)
    written = render(mended)
    if parse(written) != mended:  # never seen; but what runs must be what was judged
        raise Refused("parse.syntax", "the mended query could not be written so that it is read again")
    return GuardVerdict(verdict="allow", cypher=written, repairs=tuple(repairs))


__all__ = ["Guard"]
