"""Draft a lexicon from a schema: identifiers are split into words and inflected, common phrases are added.

Uses names, types and counts of the schema, its example values for codes such as F and M, and the general vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.lexicon.general_vocabulary import vocabulary
from t2c_data.lexicon.identifiers import split_identifier
from t2c_data.lexicon.morphology import singular_of
from t2c_data.lexicon.property_words import (
    ANIMATE_NOUNS,
    draft_property,
    is_identifier,
    synonyms_of,
    with_plurals,
)
from t2c_data.lexicon.relationship_names import lexicalise_type, lexicalise_type_group

if TYPE_CHECKING:
    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, Triple

_HEADER = """# Words of the graph, drafted from its schema. Edit them: the better they are, the better the questions.
# nouns: singular|plural, the most usual first (a noun may be repeated to make it more frequent)
# display_property: the property that is returned when a question asks for the node itself
# naming_properties: properties whose value names a node ("the drug 'ASPIRIN'"), best first; [] if there is none
# equals_phrases, greater_than, less_than, temporal_phrases, superlative_max, superlative_min, positive_phrases,
#   zero_phrases, unit: see docs/dataset.md
# forward, backward: phrases behind the noun of the source and of the target; {} is the node at the other end with
#   its noun, {value} only its name, [is|are] inflects with the noun in front
# hidden: true keeps a label, property or type out of all questions"""
_NAMING_WORDS = (
    "name",
    "title",
    "label",
    "fullname",
    "full name",
    "description",
    "term",
    "caption",
    "heading",
)


def draft_lexicon(schema: GraphSchema) -> dict[str, Any]:
    """Draft the content of a lexicon file."""
    content: dict[str, Any] = {"labels": {}, "properties": {}, "types": {}}
    for label in schema.labels:
        content["labels"][label.name] = _label(label)
        content["properties"][label.name] = {
            each.name: draft_property(
                label.name,
                each,
                label.properties,
                naming=content["labels"][label.name]["naming_properties"],
                of_label=True,
            )
            for each in label.properties
        }
    several = _types_of_several_triples(schema)
    for triple in schema.triples:
        key = triple_key(triple) if triple.type in several else triple.type
        rivals = [
            each for each in schema.triples if (each.source, each.target) == (triple.source, triple.target)
        ]
        content["types"][key] = lexicalise_type(
            split_identifier(triple.type),
            split_identifier(triple.source),
            split_identifier(triple.target),
            alone=len(rivals) == 1,
        )
    for kind in schema.types:
        if kind.properties:
            content["properties"][kind.name] = {
                each.name: draft_property(kind.name, each, kind.properties) for each in kind.properties
            }
    content["properties"] = {owner: held for owner, held in content["properties"].items() if held}
    content["groups"] = _groups(schema)
    return content


def _groups(schema: GraphSchema) -> list[dict[str, Any]]:
    """Draft groups: general phrases for all types between two labels that have several."""
    types: dict[tuple[str, str], list[str]] = {}
    for triple in schema.triples:
        types.setdefault((triple.source, triple.target), []).append(triple.type)
    return [
        {"types": kinds, **lexicalise_type_group(split_identifier(source), split_identifier(target))}
        for (source, target), kinds in types.items()
        if len(kinds) > 1
    ]


def draft_text(schema: GraphSchema) -> str:
    """Render a drafted lexicon as the YAML file that a person edits."""
    body = yaml.dump(
        draft_lexicon(schema),
        Dumper=_NoAliasDumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None,
    )
    return f"{_HEADER}\n{body}"


class _NoAliasDumper(yaml.SafeDumper):
    """Write equal values in full instead of YAML aliases, so that each can be edited."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _label(label: NodeLabel) -> dict[str, Any]:
    noun = split_identifier(label.name)
    noun = singular_of(noun) if noun.endswith("s") and not noun.endswith("ss") else noun
    key = choose_display_property(label)
    words: dict[str, Any] = {"nouns": with_plurals(synonyms_of(noun)), "display_property": key}
    named = [
        each.name
        for each in label.properties
        if each.name == key and each.type == "STRING" and not is_identifier(each)
    ]
    words["naming_properties"] = named
    if noun.split(" ")[-1] in ANIMATE_NOUNS:
        words["animate_nouns"] = list(words["nouns"])
    if participles := vocabulary().events.get(noun.split(" ")[-1]):
        words["event_participles"] = list(participles)
    return words


def choose_display_property(label: NodeLabel) -> str:
    """Choose the property that identifies a node to people: a name, else an identifier, else the most distinct one."""
    scored = sorted(label.properties, key=lambda each: (-_naming_score(each, label), each.name))
    return scored[0].name if scored else ""


def _naming_score(each: Property, label: NodeLabel) -> float:
    words = split_identifier(each.name)
    label_words = split_identifier(label.name)
    if each.type not in {"STRING", "INTEGER"}:
        return -2.0 if each.type.startswith("LIST") else -1.0
    score = each.share + (each.distinct / max(label.count, 1)) + (1.0 if each.unique else 0.0)
    tail = words.split(" ")[-1]
    if each.type == "STRING":
        if words in {"name", "title", "full name", label_words, f"{label_words} name"}:
            score += 4
        elif tail in _NAMING_WORDS:
            score += 2.5
        elif tail in label_words.split(" "):
            score += 2
    if is_identifier(each):
        score += 1.5
    return score


def _types_of_several_triples(schema: GraphSchema) -> set[str]:
    seen: dict[str, int] = {}
    for triple in schema.triples:
        seen[triple.type] = seen.get(triple.type, 0) + 1
    return {kind for kind, count in seen.items() if count > 1}


def triple_key(triple: Triple) -> str:
    """Return the lexicon key of a triple: `Case-HAS_REACTION->Reaction`."""
    return f"{triple.source}-{triple.type}->{triple.target}"
