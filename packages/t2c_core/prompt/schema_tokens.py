"""The format of tiny per-graph models: values leave the question, every element of the schema is one token.

Prompt: the question in lower case; each linked mention stands as `<v1>` and the places where such a value occurs.
Completion: compact Cypher (see `compact`) in which values are `$v1`. The tokens are made in `tokenizer`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from t2c_core.prompt.compact_cypher import MAX_PARAMETERS, CompactSyntaxError, detokenize, encode, tokenize
from t2c_core.prompt.format import ParsedCompletion
from t2c_core.prompt.parameter_usage import parameter_usages
from t2c_core.prompt.repair import repair
from t2c_core.prompt.variable_names import VariableNames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.prompt.parameter_usage import ParameterUsage
    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.linker import LinkedMention, LinkedQuestion

QUESTION: Final = "<question>"
ANSWER: Final = "<answer>"
UNANSWERABLE: Final = "<unanswerable>"
KINDS: Final = ("value", "number", "date", "year", "month", "text")
MAX_PLACES: Final = 8


class SchemaTokenFormat:
    """Prompts and completions in atoms.

    Args:
        schema: the graph that questions are about.
        is_mended: whether what a completion surely means is put right (see `repair`).
    """

    name = "atoms-1"

    def __init__(self, schema: GraphSchema, *, should_repair: bool = True) -> None:
        self.schema = schema
        self._is_mended = should_repair
        self.names = VariableNames(schema)
        self._marks = property_tokens(schema)

    def render(self, linked: LinkedQuestion) -> str:
        """Write the prompt of a question, between the question and the answer marker."""
        pieces = [QUESTION]
        position = 0
        for link in linked.links[:MAX_PARAMETERS]:
            pieces += [_plain(linked.question[position : link.start]), render_mention(link, self._marks)]
            position = link.end
        pieces.append(_plain(linked.question[position:]).rstrip(" ?.!;"))
        return " ".join(" ".join(pieces).split()) + " " + ANSWER

    def encode_completion(self, cypher: str) -> str:
        """Write Cypher as the completion that a model should give.

        Raises:
            CompactSyntaxError: the Cypher has something that the compact form does not.
        """
        return encode(cypher)

    def parse(self, completion: str, linked: LinkedQuestion) -> ParsedCompletion:
        """Read a completion; `$v1` takes the value of the place that it is compared with.

        A completion that is no compact Cypher is handed on as it is: the guard decides about it.
        """
        text = completion.strip()
        if UNANSWERABLE in text:
            return ParsedCompletion(cypher="", unanswerable=True)
        try:
            atoms = tokenize(text)
            repairs: tuple[str, ...] = ()
            if self._is_mended:
                atoms, repairs = repair(atoms, self.schema, self.names, linked)
        except CompactSyntaxError:
            return ParsedCompletion(cypher=text)
        by_name = {link.name: link for link in linked.links}
        parameters: dict[str, Scalar] = {}
        for use in parameter_usages(atoms, self.names):
            link = by_name.get(use.name)
            if link is not None and use.name not in parameters:
                parameters[use.name] = self._value(link, use)
        return ParsedCompletion(cypher=detokenize(atoms), parameters=parameters, repairs=repairs)

    def _value(self, link: LinkedMention, use: ParameterUsage) -> Scalar:
        if use.numeric:
            return _whole(link)
        if use.text:
            return _as_text(link)
        for place in link.occurrences:
            if place.property == use.property and place.owner in use.owners:
                return place.value
        kind = next(
            (found.type for owner in use.owners if (found := self.schema.property_of(owner, use.property))),
            None,
        )
        return _coerce(link, str(kind or "").removeprefix("LIST<").removesuffix(">"))


def render_mention(link: LinkedMention, marks: Mapping[tuple[str, str], str]) -> str:
    """Write a linked mention: its marker, what kind it is, and the marks of the places of the value."""
    shown = [f"<{link.name}>"]
    numeric = isinstance(link.value, int | float) and not isinstance(link.value, bool)
    if link.kind != "value":
        shown.append(f"<{link.kind}>")
    elif numeric:
        shown.append("<number>")
    found = [marks.get((place.owner, place.property), "") for place in link.occurrences]
    places = [mark for mark in dict.fromkeys(found) if mark]
    shown += sorted(places)[:MAX_PLACES] if numeric else places[:MAX_PLACES]
    return " ".join(shown)


def property_tokens(schema: GraphSchema) -> dict[tuple[str, str], str]:
    """Write the mark of every property: `<Drug.name>`; `<*.route>` if several relationship types have a route."""
    marks = {
        (label.name, each.name): f"<{label.name}.{each.name}>"
        for label in schema.labels
        for each in label.properties
    }
    shared = Counter(each.name for kind in schema.types for each in kind.properties)
    for kind in schema.types:
        for each in kind.properties:
            marks[kind.name, each.name] = f"<{'*' if shared[each.name] > 1 else kind.name}.{each.name}>"
    return marks


def _plain(text: str) -> str:
    return re.sub(r"<(?=[\w*])", "< ", text.lower())


def _bare(text: str) -> str:
    return text.strip().strip("'\"“”‘’`«»").strip()


def _as_text(link: LinkedMention) -> str:
    return str(link.value) if link.kind == "text" else _bare(link.text)


def _whole(link: LinkedMention) -> Scalar:
    if isinstance(link.value, bool):
        return link.value
    if isinstance(link.value, int | float):
        return int(link.value)
    match = re.search(r"-?\d+", str(link.value)) or re.search(r"-?\d+", link.text)
    return int(match[0]) if match else link.value


def _coerce(link: LinkedMention, kind: str) -> Scalar:
    if kind == "STRING":
        return _bare(link.text) if isinstance(link.value, int | float) else str(link.value)
    if kind in {"INTEGER", "FLOAT"} and isinstance(link.value, str):
        try:
            number = float(link.value.replace(",", ""))
        except ValueError:
            return link.value
        return int(number) if number.is_integer() else number
    return link.value
