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
from t2c_core.errors import CypherSyntaxError, RefusedError
from t2c_core.guard.language.allowlist import check_allowed
from t2c_core.guard.identifier_repair import Backticks, Mended
from t2c_core.guard.cost import add_limit, check_cost
from t2c_core.guard.rewrites import Edits
from t2c_core.guard.dataflow.analyzer import follow
from t2c_core.guard.policy.hidden_names import Hidden
from t2c_core.guard.policy.enforcement import hide
from t2c_core.guard.language.complexity import check_limits
from t2c_core.guard.policy.policy import Policy
from t2c_core.guard.repair import modernise, parametrise
from t2c_core.guard.schema.index import Shape
from t2c_core.guard.language.depth_traversal import tour
from t2c_core.guard.schema.check import check_bound, check_validity, infer
from t2c_core.guard.verdict import Refused, Repair, Verdict

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
        self._hidden = Hidden(names, schema)
        self._schema = self._hidden.visible(schema) if schema is not None else None
        gone = self._hidden.labels | self._hidden.types
        self._shape = Shape(self._schema, gone) if self._schema is not None else None
        self._backticks = Backticks(self._schema) if self._schema is not None else None

    def check(self, cypher: str, parameters: Mapping[str, object] | None = None) -> Verdict:
        """Judge a query. Whatever the text, the answer is a verdict.

        Args:
            cypher: the query.
            parameters: values by name, without the dollar sign, as far as they are known.
        """
        mended: Mended | None = None
        try:
            try:
                tree = parse(cypher)
            except CypherSyntaxError as error:
                tree, mended = self._read_mended(cypher, error)
                return mended.placed(self._passed(mended.cypher, tree, parameters or {}))
            return self._passed(cypher, tree, parameters or {})
        except CypherSyntaxError as error:
            code, message, position = f"parse.{error.reason}", str(error), error.position
        except Refused as error:
            code, message, position = error.codes[0], str(error), max(error.position or 0, 0)
            position = mended.origin(position) if mended else position
        return Verdict(verdict="refuse", cypher=cypher, codes=(code,), message=message, position=position)

    def require(self, cypher: str, parameters: Mapping[str, object] | None = None) -> Verdict:
        """Judge a query and give the verdict if it may run.

        Raises:
            RefusedError: it may not; with its reason codes.
        """
        verdict = self.check(cypher, parameters)
        if not verdict.allowed:
            raise RefusedError(verdict.message, codes=verdict.codes)
        return verdict

    def _read_mended(self, cypher: str, error: CypherSyntaxError) -> tuple[Query, Mended]:
        """Read a text with the back-ticks that it lacks, or say what was wrong with it as it was."""
        mended = self._backticks.mend(cypher) if self._backticks and error.reason == "syntax" else None
        if mended is None:
            raise error
        try:
            return parse(mended.cypher), mended
        except CypherSyntaxError:
            raise error from None

    def _passed(self, cypher: str, tree: Query, parameters: Mapping[str, object]) -> Verdict:
        stops = list(tour(tree))
        edits = Edits()
        modernise(stops, edits)
        if edits.repairs:
            tree = edits.apply(tree)
            stops = list(tour(tree))
        check_allowed(stops, self._policy)
        check_limits(tree, stops, parameters)
        told = edits.repairs
        edits = Edits()
        self._judge(tree, edits)
        parametrise(stops, parameters, edits)
        add_limit(tree, self._policy.max_rows, edits)
        return _written(cypher, tree, edits, told)

    def _judge(self, tree: Query, edits: Edits) -> None:
        facts = follow(tree)
        check_bound(facts)
        if self._shape is not None:
            infer(facts, self._shape)
        hide(tree, facts, self._hidden, self._schema, edits)
        if self._shape is not None:
            check_validity(facts, self._shape, edits)
        check_cost(facts, self._shape, edits)


def _written(cypher: str, tree: Query, edits: Edits, told: list[Repair]) -> Verdict:
    """Write what may run: the text as it was, unless it was mended or could be read otherwise."""
    mended = edits.apply(tree)
    repairs = [*told, *edits.repairs]
    if any(sign in cypher for sign in _DOUBTFUL):
        repairs.append(Repair("repair.text", "written out anew"))
    if not repairs and cypher.isascii():
        return Verdict(verdict="allow", cypher=cypher)
    written = render(mended)
    if parse(written) != mended:  # never seen; but what runs must be what was judged
        raise Refused("parse.syntax", "the mended query could not be written so that it is read again")
    return Verdict(verdict="allow", cypher=written, repairs=tuple(repairs))


__all__ = ["Guard"]
