"""From a tree back to the text of a query: reading that text gives an equal tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher import render_expressions, render_patterns
from t2c_core.cypher.identifiers import write_name
from t2c_core.cypher.ast_nodes import (
    CallProcedure,
    CallSubquery,
    Finish,
    Item,
    Match,
    Page,
    Projection,
    Query,
    Return,
    SingleQuery,
    SortItem,
    Unwind,
    With,
    YieldItem,
)
from t2c_core.cypher.render_registry import write, write_all, writes

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression, Node

__all__ = ["render", "render_expressions", "render_patterns"]


def render(node: Node) -> str:
    """Write a query or any part of one, in one line."""
    return write(node)


@writes(Query)
def _query(node: Query) -> str:
    return (" UNION ALL " if node.all else " UNION ").join([write(part) for part in node.parts])


@writes(SingleQuery)
def _single(node: SingleQuery) -> str:
    return " ".join([write(clause) for clause in node.clauses])


def _where(condition: Expression | None) -> str:
    return f" WHERE {write(condition)}" if condition else ""


def _optional(*, optional: bool) -> str:
    return "OPTIONAL " if optional else ""


@writes(Match)
def _match(node: Match) -> str:
    mode = f" {node.mode}" if node.mode else ""
    return f"{_optional(optional=node.optional)}MATCH{mode} {write_all(node.patterns)}{_where(node.where)}"


@writes(Unwind)
def _unwind(node: Unwind) -> str:
    return f"UNWIND {write(node.expression)} AS {write(node.variable)}"


@writes(Item)
def _item(node: Item) -> str:
    return write(node.expression) + (f" AS {write(node.alias)}" if node.alias else "")


@writes(SortItem)
def _sort_item(node: SortItem) -> str:
    return write(node.expression) + (" DESC" if node.descending else "")


@writes(Return)
def _return(node: Return) -> str:
    return f"RETURN {_body(node)}"


@writes(With)
def _with(node: With) -> str:
    return f"WITH {_body(node)}{_where(node.where)}"


@writes(Page)
def _page(node: Page) -> str:
    return _paging(node)


def _body(node: Projection) -> str:
    items = ", ".join([*(["*"] if node.star else []), *map(write, node.items)])
    paging = _paging(node)
    return ("DISTINCT " if node.distinct else "") + items + (f" {paging}" if paging else "")


def _paging(node: Projection | Page) -> str:
    parts = []
    if node.order:
        parts.append(f"ORDER BY {write_all(node.order)}")
    if node.skip:
        parts.append(f"SKIP {write(node.skip)}")
    if node.limit:
        parts.append(f"LIMIT {write(node.limit)}")
    return " ".join(parts)


@writes(Finish)
def _finish(_node: Finish) -> str:
    return "FINISH"


@writes(CallSubquery)
def _call_subquery(node: CallSubquery) -> str:
    scope = "(*) " if node.star else "" if node.imports is None else f"({write_all(node.imports)}) "
    return f"{_optional(optional=node.optional)}CALL {scope}{{ {write(node.query)} }}"


@writes(YieldItem)
def _yield_item(node: YieldItem) -> str:
    return write_name(node.name) + (f" AS {write(node.alias)}" if node.alias else "")


@writes(CallProcedure)
def _call_procedure(node: CallProcedure) -> str:
    name = ".".join([write_name(part) for part in node.name])
    arguments = "" if node.arguments is None else f"({write_all(node.arguments)})"
    yields = "" if node.yields is None else f" YIELD {'*' if node.star else write_all(node.yields)}"
    return f"{_optional(optional=node.optional)}CALL {name}{arguments}{yields}{_where(node.where)}"
