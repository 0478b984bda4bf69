"""The format of general models: schema text, the linked values as parameters and the question, as chat messages.

The system message comes first and is the same for all questions of a graph, so that servers can cache it. Holds
no transport; the reply's Cypher is taken out of fences and prose.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.prompt.format import ParsedCompletion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.schema.model import GraphSchema, Property, Scalar
    from t2c_core.values.linker import LinkedMention, LinkedQuestion

REFUSAL: Final = "UNANSWERABLE"
MAX_EXAMPLES: Final = 3
_RULES = f"""You write Cypher queries that answer questions about one Neo4j graph.

Rules:
- Only read: MATCH, OPTIONAL MATCH, WHERE, WITH, RETURN, ORDER BY, LIMIT. Never write, never call procedures.
- Use only the labels, relationship types, directions and properties of the schema.
- Never write a value of the question into the query: use its parameter ($v1, $v2, ...) from the list.
- Return properties, counts or other plain values, no whole nodes.
- Reply with the query alone. If the graph cannot answer the question, reply with {REFUSAL}."""
_FENCE = re.compile(r"```(?:cypher|sql)?\s*\n?(.*?)```", re.DOTALL | re.IGNORECASE)
_START = re.compile(r"\b(?:MATCH|OPTIONAL\s+MATCH|WITH|UNWIND|RETURN|CALL)\b", re.IGNORECASE)
_PARAMETER = re.compile(r"\$(v\d+)\b")


class ChatFormat:
    """Prompts for general models over an OpenAI-compatible API.

    Args:
        schema: the graph that questions are about.
    """

    name = "chat-1"

    def __init__(self, schema: GraphSchema) -> None:
        self.schema = schema

    @cached_property
    def system(self) -> str:
        """The system message: rules and schema."""
        return f"{_RULES}\n\nSchema:\n{describe(self.schema)}"

    def render(self, linked: LinkedQuestion) -> str:
        """Write the user message: parameters and question."""
        lines = [_parameter(link) for link in linked.links]
        listed = "\n".join(lines) if lines else "none"
        return f"Parameters:\n{listed}\n\nQuestion: {linked.question.strip()}"

    def messages(
        self, linked: LinkedQuestion, examples: Sequence[tuple[LinkedQuestion, str]] = ()
    ) -> list[dict[str, str]]:
        """Write the messages of a chat.

        Args:
            linked: the question.
            examples: earlier questions with their queries, most fitting last.
        """
        messages = [{"role": "system", "content": self.system}]
        for question, cypher in examples:
            messages.append({"role": "user", "content": self.render(question)})
            messages.append({"role": "assistant", "content": cypher or REFUSAL})
        return [*messages, {"role": "user", "content": self.render(linked)}]

    def parse(self, completion: str, linked: LinkedQuestion) -> ParsedCompletion:
        """Take the query out of a reply; parameters have the values that the links found."""
        text = completion.strip()
        fenced = _FENCE.findall(text)
        body = (fenced[-1] if fenced else text).strip()
        start = _START.search(body)
        if start is None:
            return (
                ParsedCompletion(cypher="", unanswerable=True)
                if REFUSAL in text.upper()
                else ParsedCompletion(cypher=body)
            )
        cypher = body[start.start() :].strip().rstrip(";").strip()
        if not fenced:
            cypher = re.split(r"\n\s*\n", cypher, maxsplit=1)[0].rstrip(";").strip()
        values = linked.parameters()
        used = dict.fromkeys(_PARAMETER.findall(cypher))
        return ParsedCompletion(
            cypher=cypher, parameters={name: values[name] for name in used if name in values}
        )


def describe(schema: GraphSchema) -> str:
    """Write a schema as text for a prompt: labels and types with properties, then triples."""
    lines = ["Nodes:"]
    lines += [f"(:{format_identifier(label.name)}{_properties(label.properties)})" for label in schema.labels]
    lines.append("Relationships:")
    with_properties = {kind.name: _properties(kind.properties) for kind in schema.types}
    for each in schema.triples:
        shown = f"[:{format_identifier(each.type)}{with_properties.get(each.type, '')}]"
        lines.append(f"(:{format_identifier(each.source)})-{shown}->(:{format_identifier(each.target)})")
    return "\n".join(lines)


def _properties(properties: Sequence[Property]) -> str:
    if not properties:
        return ""
    return (
        " {"
        + ", ".join(f"{format_identifier(each.name)}: {each.type}{_examples(each)}" for each in properties)
        + "}"
    )


def _examples(each: Property) -> str:
    shown = [str(value) for value in each.examples[:MAX_EXAMPLES] if len(str(value)) <= 30]
    return f" e.g. {', '.join(shown)}" if shown and each.type == "STRING" else ""


def _parameter(link: LinkedMention) -> str:
    places = ", ".join(dict.fromkeys(f"{place.owner}.{place.property}" for place in link.occurrences))
    value: Scalar = link.occurrences[0].value if link.kind == "value" and link.occurrences else link.value
    where = f" (a value of {places})" if places else f" ({link.kind})"
    return f"${link.name} = {value!r}{where}"
