"""How patterns and label expressions are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import write_name
from t2c_core.cypher.ast_nodes import (
    AnyLabel,
    DynamicLabel,
    GroupedPath,
    Label,
    LabelAnd,
    LabelNot,
    LabelOr,
    Length,
    NodePattern,
    PathPattern,
    Quantifier,
    RelationshipPattern,
    Selector,
)
from t2c_core.cypher.render_registry import write, writes

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression, LabelExpression

_ARROWS = {"->": ("-", "->"), "<-": ("<-", "-"), "-": ("-", "-")}


@writes(Label)
def _label(node: Label) -> str:
    return write_name(node.name)


@writes(AnyLabel)
def _any_label(_node: AnyLabel) -> str:
    return "%"


@writes(DynamicLabel)
def _dynamic_label(node: DynamicLabel) -> str:
    return f"${'any' if node.quantity == 'ANY' else ''}({write(node.expression)})"


@writes(LabelNot)
def _label_not(node: LabelNot) -> str:
    return "!" + _bracketed(node.operand, LabelAnd, LabelOr)


@writes(LabelAnd)
def _label_and(node: LabelAnd) -> str:
    return "&".join([_bracketed(each, LabelAnd, LabelOr) for each in node.operands])


@writes(LabelOr)
def _label_or(node: LabelOr) -> str:
    return "|".join([_bracketed(each, LabelOr) for each in node.operands])


def _bracketed(node: LabelExpression, *kinds: type[LabelAnd | LabelOr]) -> str:
    return f"({write(node)})" if isinstance(node, kinds) else write(node)


@writes(NodePattern)
def _node(node: NodePattern) -> str:
    return f"({_inside(node, node.labels, '')})"


@writes(RelationshipPattern)
def _relationship(node: RelationshipPattern) -> str:
    before, after = _ARROWS[node.direction]
    inside = _inside(node, node.types, write(node.length) if node.length else "")
    quantifier = write(node.quantifier) if node.quantifier else ""
    return f"{before}[{inside}]{after}{quantifier}" if inside else f"{before}{after}{quantifier}"


def _inside(node: NodePattern | RelationshipPattern, labels: LabelExpression | None, length: str) -> str:
    name = write(node.variable) if node.variable else ""
    parts = [name + (f":{write(labels)}" if labels else "") + length]
    if node.properties:
        parts.append(write(node.properties))
    if node.where:
        parts.append(_where(node.where))
    return " ".join([part for part in parts if part])


def _where(condition: Expression) -> str:
    """Write WHERE so that the word cannot be taken for a variable with properties."""
    text = write(condition)
    return f"WHERE ({text})" if text[0] in "{$" else f"WHERE {text}"


@writes(Length)
def _length(node: Length) -> str:
    least, most = ("" if each is None else str(each) for each in (node.least, node.most))
    return f"*{least}" if least == most else f"*{least}..{most}"


@writes(Quantifier)
def _quantifier(node: Quantifier) -> str:
    if node.most is None and node.least < 2:
        return "*+"[node.least]
    if node.least == node.most:
        return f"{{{node.least}}}"
    return f"{{{node.least},{'' if node.most is None else node.most}}}"


@writes(GroupedPath)
def _group(node: GroupedPath) -> str:
    where = f" {_where(node.where)}" if node.where else ""
    return f"({write(node.pattern)}{where}){write(node.quantifier) if node.quantifier else ''}"


@writes(Selector)
def _selector(node: Selector) -> str:
    if node.count is None:
        return node.kind
    if node.kind == "SHORTEST GROUPS":
        return f"SHORTEST {node.count} GROUPS"
    return f"{node.kind} {node.count}"


@writes(PathPattern)
def _path(node: PathPattern) -> str:
    text = "".join([write(part) for part in node.parts])
    if node.shortest:
        text = f"{node.shortest}({text})"
    if node.selector:
        text = f"{write(node.selector)} {text}"
    return f"{write(node.variable)} = {text}" if node.variable else text
