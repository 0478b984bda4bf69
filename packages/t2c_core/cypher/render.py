"""From a tree back to the text of a query: reading that text gives an equal tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher import render_expressions, render_patterns
from t2c_core.cypher.ast_nodes import (
    CallProcedure,
    CallSubquery,
    Finish,
    Match,
    OrderBySkipLimit,
    Projection,
    ProjectionItem,
    Query,
    Return,
    SingleQuery,
    SortItem,
    Unwind,
    With,
    YieldItem,
)
from t2c_core.cypher.identifiers import format_identifier
from t2c_core.cypher.render_registry import render_list, render_node, renders

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression, Node

__all__ = ["render", "render_expressions", "render_patterns"]


def render(node: Node) -> str:
    """Write a query or any part of one, in one line."""
    return render_node(node)


@renders(Query)
def _query(node: Query) -> str:
    return (" UNION ALL " if node.all else " UNION ").join([render_node(part) for part in node.parts])


@renders(SingleQuery)
def _single(node: SingleQuery) -> str:
    return " ".join([render_node(clause) for clause in node.clauses])


def _where(condition: Expression | None) -> str:
    return f" WHERE {render_node(condition)}" if condition else ""


def _optional(*, optional: bool) -> str:
    return "OPTIONAL " if optional else ""


@renders(Match)
def _match(node: Match) -> str:
    mode = f" {node.mode}" if node.mode else ""
    return f"{_optional(optional=node.optional)}MATCH{mode} {render_list(node.patterns)}{_where(node.where)}"


@renders(Unwind)
def _unwind(node: Unwind) -> str:
    return f"UNWIND {render_node(node.expression)} AS {render_node(node.variable)}"


@renders(ProjectionItem)
def _item(node: ProjectionItem) -> str:
    return render_node(node.expression) + (f" AS {render_node(node.alias)}" if node.alias else "")


@renders(SortItem)
def _sort_item(node: SortItem) -> str:
    return render_node(node.expression) + (" DESC" if node.descending else "")


@renders(Return)
def _return(node: Return) -> str:
    return f"RETURN {_body(node)}"


@renders(With)
def _with(node: With) -> str:
    return f"WITH {_body(node)}{_where(node.where)}"


@renders(OrderBySkipLimit)
def _page(node: OrderBySkipLimit) -> str:
    return _paging(node)


def _body(node: Projection) -> str:
    items = ", ".join([*(["*"] if node.star else []), *map(render_node, node.items)])
    paging = _paging(node)
    return ("DISTINCT " if node.distinct else "") + items + (f" {paging}" if paging else "")


def _paging(node: Projection | OrderBySkipLimit) -> str:
    parts = []
    if node.order:
        parts.append(f"ORDER BY {render_list(node.order)}")
    if node.skip:
        parts.append(f"SKIP {render_node(node.skip)}")
    if node.limit:
        parts.append(f"LIMIT {render_node(node.limit)}")
    return " ".join(parts)


@renders(Finish)
def _finish(_node: Finish) -> str:
    return "FINISH"


@renders(CallSubquery)
def _call_subquery(node: CallSubquery) -> str:
    scope = "(*) " if node.star else "" if node.imports is None else f"({render_list(node.imports)}) "
    return f"{_optional(optional=node.optional)}CALL {scope}{{ {render_node(node.query)} }}"


@renders(YieldItem)
def _yield_item(node: YieldItem) -> str:
    return format_identifier(node.name) + (f" AS {render_node(node.alias)}" if node.alias else "")


@renders(CallProcedure)
def _call_procedure(node: CallProcedure) -> str:
    name = ".".join([format_identifier(part) for part in node.name])
    arguments = "" if node.arguments is None else f"({render_list(node.arguments)})"
    yields = "" if node.yields is None else f" YIELD {'*' if node.star else render_list(node.yields)}"
    return f"{_optional(optional=node.optional)}CALL {name}{arguments}{yields}{_where(node.where)}"
