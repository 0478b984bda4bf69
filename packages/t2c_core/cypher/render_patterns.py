"""How patterns and label expressions are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.ast_nodes import (
    AnyLabel,
    DynamicLabel,
    Label,
    LabelAnd,
    LabelNot,
    LabelOr,
    NodePattern,
    ParenthesizedPath,
    PathLength,
    PathPattern,
    PathSelector,
    Quantifier,
    RelationshipPattern,
)
from t2c_core.cypher.identifiers import format_identifier
from t2c_core.cypher.render_registry import render_node, renders

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression, LabelExpression

_ARROWS = {"->": ("-", "->"), "<-": ("<-", "-"), "-": ("-", "-")}


@renders(Label)
def _label(node: Label) -> str:
    return format_identifier(node.name)


@renders(AnyLabel)
def _any_label(_node: AnyLabel) -> str:
    return "%"


@renders(DynamicLabel)
def _dynamic_label(node: DynamicLabel) -> str:
    return f"${'any' if node.quantity == 'ANY' else ''}({render_node(node.expression)})"


@renders(LabelNot)
def _label_not(node: LabelNot) -> str:
    return "!" + _bracketed(node.operand, LabelAnd, LabelOr)


@renders(LabelAnd)
def _label_and(node: LabelAnd) -> str:
    return "&".join([_bracketed(each, LabelAnd, LabelOr) for each in node.operands])


@renders(LabelOr)
def _label_or(node: LabelOr) -> str:
    return "|".join([_bracketed(each, LabelOr) for each in node.operands])


def _bracketed(node: LabelExpression, *kinds: type[LabelAnd | LabelOr]) -> str:
    return f"({render_node(node)})" if isinstance(node, kinds) else render_node(node)


@renders(NodePattern)
def _node(node: NodePattern) -> str:
    return f"({_inside(node, node.labels, '')})"


@renders(RelationshipPattern)
def _relationship(node: RelationshipPattern) -> str:
    before, after = _ARROWS[node.direction]
    inside = _inside(node, node.types, render_node(node.length) if node.length else "")
    quantifier = render_node(node.quantifier) if node.quantifier else ""
    return f"{before}[{inside}]{after}{quantifier}" if inside else f"{before}{after}{quantifier}"


def _inside(node: NodePattern | RelationshipPattern, labels: LabelExpression | None, length: str) -> str:
    name = render_node(node.variable) if node.variable else ""
    parts = [name + (f":{render_node(labels)}" if labels else "") + length]
    if node.properties:
        parts.append(render_node(node.properties))
    if node.where:
        parts.append(_where(node.where))
    return " ".join([part for part in parts if part])


def _where(condition: Expression) -> str:
    """Write WHERE so that the word cannot be taken for a variable with properties."""
    text = render_node(condition)
    return f"WHERE ({text})" if text[0] in "{$" else f"WHERE {text}"


@renders(PathLength)
def _length(node: PathLength) -> str:
    least, most = ("" if each is None else str(each) for each in (node.least, node.most))
    return f"*{least}" if least == most else f"*{least}..{most}"


@renders(Quantifier)
def _quantifier(node: Quantifier) -> str:
    if node.most is None and node.least < 2:
        return "*+"[node.least]
    if node.least == node.most:
        return f"{{{node.least}}}"
    return f"{{{node.least},{'' if node.most is None else node.most}}}"


@renders(ParenthesizedPath)
def _group(node: ParenthesizedPath) -> str:
    where = f" {_where(node.where)}" if node.where else ""
    return f"({render_node(node.pattern)}{where}){render_node(node.quantifier) if node.quantifier else ''}"


@renders(PathSelector)
def _selector(node: PathSelector) -> str:
    if node.count is None:
        return node.kind
    if node.kind == "SHORTEST GROUPS":
        return f"SHORTEST {node.count} GROUPS"
    return f"{node.kind} {node.count}"


@renders(PathPattern)
def _path(node: PathPattern) -> str:
    text = "".join([render_node(part) for part in node.parts])
    if node.shortest:
        text = f"{node.shortest}({text})"
    if node.selector:
        text = f"{render_node(node.selector)} {text}"
    return f"{render_node(node.variable)} = {text}" if node.variable else text
