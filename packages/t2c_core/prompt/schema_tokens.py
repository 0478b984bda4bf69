"""Prompt format `atoms-1` of small per-graph models: each schema element is one token, and values are parameters.

The prompt is the question in lower case, with each linked mention as `<v1>` and the tokens of the properties in which
the value occurs. The completion is compact Cypher in which values are `$v1`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from t2c_core.prompt.compact_cypher import (
    MAX_PARAMETERS,
    CompactSyntaxError,
    detokenize,
    encode,
    parameter_usages,
    tokenize,
)
from t2c_core.prompt.format import ParsedCompletion
from t2c_core.prompt.repair import element_type, repair
from t2c_core.prompt.text_casts import add_casts
from t2c_core.prompt.variable_names import VariableNames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.prompt.compact_cypher import ParameterUsage
    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.linker import LinkedMention, LinkedQuestion

QUESTION: Final = "<question>"
ANSWER: Final = "<answer>"
UNANSWERABLE: Final = "<unanswerable>"
KINDS: Final = ("value", "number", "date", "year", "month", "text")
MAX_OCCURRENCES: Final = 8


class SchemaTokenFormat:
    """Prompt format of small per-graph models.

    Args:
        schema: schema of the graph.
        should_repair: whether unambiguous mistakes of completions are repaired.
    """

    name = "atoms-1"

    def __init__(self, schema: GraphSchema, *, should_repair: bool = True) -> None:
        self.schema = schema
        self._should_repair = should_repair
        self.names = VariableNames(schema)
        self._property_tokens = property_tokens(schema)

    def render(self, linked: LinkedQuestion) -> str:
        """Return the prompt of a question, between the question token and the answer token."""
        pieces = [QUESTION]
        position = 0
        for link in linked.links[:MAX_PARAMETERS]:
            pieces += [
                _plain(linked.question[position : link.start]),
                render_mention(link, self._property_tokens),
            ]
            position = link.end
        pieces.append(_plain(linked.question[position:]).rstrip(" ?.!;"))
        return " ".join(" ".join(pieces).split()) + " " + ANSWER

    def encode_completion(self, cypher: str) -> str:
        """Return the completion that stands for a query.

        Raises:
            CompactSyntaxError: the query is not compact Cypher.
        """
        return encode(cypher)

    def parse(self, completion: str, linked: LinkedQuestion) -> ParsedCompletion:
        """Parse a completion; a parameter has the value of the property that it is compared with.

        A completion that is not compact Cypher is returned unchanged, for the guard to check.
        """
        text = completion.strip()
        if UNANSWERABLE in text:
            return ParsedCompletion(cypher="", unanswerable=True)
        try:
            atoms = tokenize(text)
            repairs: tuple[str, ...] = ()
            if self._should_repair:
                atoms, repairs = repair(atoms, self.schema, self.names, linked)
        except CompactSyntaxError:
            return ParsedCompletion(cypher=text)
        by_name = {link.name: link for link in linked.links}
        parameters: dict[str, Scalar] = {}
        for use in parameter_usages(atoms, self.names):
            link = by_name.get(use.name)
            if link is not None and use.name not in parameters:
                parameters[use.name] = self._value(link, use)
        cypher = detokenize(add_casts(atoms, self.schema, self.names))
        return ParsedCompletion(cypher=cypher, parameters=parameters, repairs=repairs)

    def _value(self, link: LinkedMention, use: ParameterUsage) -> Scalar:
        if use.numeric:
            return _as_integer(link)
        if use.text:
            return _as_text(link)
        held = element_type(self.schema, use)
        for each in link.occurrences:
            if each.property == use.property and each.label_or_type in use.labels_or_types:
                return _as_number(each.value) if held in {"INTEGER", "FLOAT"} else each.value
        return _coerce(link, held)


def render_mention(link: LinkedMention, tokens: Mapping[tuple[str, str], str]) -> str:
    """Render a linked mention: tokens of its name, its kind and the properties in which the value occurs."""
    shown = [f"<{link.name}>"]
    numeric = isinstance(link.value, int | float) and not isinstance(link.value, bool)
    if link.kind != "value":
        shown.append(f"<{link.kind}>")
    elif numeric:
        shown.append("<number>")
    found = [tokens.get((each.label_or_type, each.property), "") for each in link.occurrences]
    properties = [token for token in dict.fromkeys(found) if token]
    shown += sorted(properties)[:MAX_OCCURRENCES] if numeric else properties[:MAX_OCCURRENCES]
    return " ".join(shown)


def property_tokens(schema: GraphSchema) -> dict[tuple[str, str], str]:
    """Return the token of each property: `<Drug.name>`, or `<*.route>` if several relationship types have a route."""
    tokens = {
        (label.name, each.name): f"<{label.name}.{each.name}>"
        for label in schema.labels
        for each in label.properties
    }
    shared = Counter(each.name for kind in schema.types for each in kind.properties)
    for kind in schema.types:
        for each in kind.properties:
            tokens[kind.name, each.name] = f"<{'*' if shared[each.name] > 1 else kind.name}.{each.name}>"
    return tokens


def _plain(text: str) -> str:
    return re.sub(r"<(?=[\w*])", "< ", text.lower())


def _bare(text: str) -> str:
    return text.strip().strip("'\"“”‘’`«»").strip()


def _as_text(link: LinkedMention) -> str:
    return str(link.value) if link.kind == "text" else _bare(link.text)


def _as_integer(link: LinkedMention) -> Scalar:
    if isinstance(link.value, bool):
        return link.value
    if isinstance(link.value, int | float):
        return int(link.value)
    match = re.search(r"-?\d+", str(link.value)) or re.search(r"-?\d+", link.text)
    return int(match[0]) if match else link.value


def _coerce(link: LinkedMention, kind: str) -> Scalar:
    if kind == "STRING":
        return _bare(link.text) if isinstance(link.value, int | float) else str(link.value)
    return _as_number(link.value) if kind in {"INTEGER", "FLOAT"} else link.value


def _as_number(value: Scalar) -> Scalar:
    if not isinstance(value, str):
        return value
    try:
        number = float(value.replace(",", ""))
    except ValueError:
        return value
    return int(number) if number.is_integer() else number
