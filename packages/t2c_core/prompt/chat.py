"""Prompt format for general models: schema, linked values as parameters, and the question, as chat messages.

The system message comes first and is the same for all questions of a graph, so that servers can cache it.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.prompt.chat_replies import REFUSAL, read_reply
from t2c_core.prompt.format import ParsedCompletion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.schema.model import GraphSchema, Property, Scalar
    from t2c_core.values.linker import LinkedMention, LinkedQuestion

MAX_EXAMPLES: Final = 3
MAX_SCHEMA_CHARS: Final = 12_000
"""Default maximum number of characters of the system message; a longer schema is pruned (`schema_pruning`)."""
_RULES = f"""You write Cypher queries that answer questions about one Neo4j graph.

Rules:
- Only read: MATCH, OPTIONAL MATCH, WHERE, WITH, RETURN, ORDER BY, LIMIT. Never write, never call procedures.
- Use only the labels, relationship types, directions and properties of the schema.
- Never write a value of the question into the query: use its parameter ($v1, $v2, ...) from the list.
- Return properties, counts or other plain values, no whole nodes.
- Reply with the query alone. If the graph cannot answer the question, reply with {REFUSAL}."""
_PARAMETER = re.compile(r"\$(v\d+)\b")


class ChatFormat:
    """Prompts for general models over an OpenAI-compatible API.

    Args:
        schema: schema of the graph.
    """

    name = "chat-1"

    def __init__(self, schema: GraphSchema) -> None:
        self.schema = schema

    @cached_property
    def system(self) -> str:
        """System message with the rules and the schema."""
        return f"{_RULES}\n\nSchema:\n{describe(self.schema)}"

    def render(self, linked: LinkedQuestion) -> str:
        """Return the user message with the parameters and the question."""
        lines = [_parameter(link) for link in linked.links]
        listed = "\n".join(lines) if lines else "none"
        return f"Parameters:\n{listed}\n\nQuestion: {linked.question.strip()}"

    def messages(
        self, linked: LinkedQuestion, examples: Sequence[tuple[LinkedQuestion, str]] = ()
    ) -> list[dict[str, str]]:
        """Return the messages of a chat.

        Args:
            linked: the question.
            examples: other questions with their queries, most similar last.
        """
        messages = [{"role": "system", "content": self.system}]
        for question, cypher in examples:
            messages.append({"role": "user", "content": self.render(question)})
            messages.append({"role": "assistant", "content": cypher or REFUSAL})
        return [*messages, {"role": "user", "content": self.render(linked)}]

    def parse(self, completion: str, linked: LinkedQuestion) -> ParsedCompletion:
        """Extract the query from a reply; each parameter has the value of its link."""
        reply = read_reply(completion)
        values = linked.parameters()
        used = dict.fromkeys(_PARAMETER.findall(reply.cypher))
        return ParsedCompletion(
            cypher=reply.cypher,
            parameters={name: values[name] for name in used if name in values},
            unanswerable=reply.is_refusal,
        )


def describe(schema: GraphSchema) -> str:
    """Render a schema as text: labels with properties, then triples with the properties of their types."""
    lines = ["Nodes:"]
    lines += [f"(:{format_identifier(label.name)}{_properties(label.properties)})" for label in schema.labels]
    lines.append("Relationships:")
    with_properties = {kind.name: _properties(kind.properties) for kind in schema.types}
    for each in schema.triples:
        shown = f"[:{format_identifier(each.type)}{with_properties.get(each.type, '')}]"
        lines.append(f"(:{format_identifier(each.source)})-{shown}->(:{format_identifier(each.target)})")
    return "\n".join(lines)


def _properties(properties: Sequence[Property]) -> str:
    listed = (
        f"{format_identifier(each.name)}: {each.type}{_held(each)}{_examples(each)}" for each in properties
    )
    return f" {{{', '.join(listed)}}}" if properties else ""


def _held(each: Property) -> str:
    return f" holding {each.text_format}" if each.text_format else ""


def _examples(each: Property) -> str:
    shown = [str(value) for value in each.examples[:MAX_EXAMPLES] if len(str(value)) <= 30]
    return f" e.g. {', '.join(shown)}" if shown and each.type == "STRING" else ""


def _parameter(link: LinkedMention) -> str:
    names = ", ".join(dict.fromkeys(f"{each.label_or_type}.{each.property}" for each in link.occurrences))
    value: Scalar = link.occurrences[0].value if link.kind == "value" and link.occurrences else link.value
    where = f" (a value of {names})" if names else f" ({link.kind})"
    return f"${link.name} = {value!r}{where}"
