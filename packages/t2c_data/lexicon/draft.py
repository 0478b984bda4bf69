"""Draft a lexicon from a schema: identifiers are split into words and inflected, common phrases are added.

Uses names, types and counts of the schema, its example values for codes such as F and M, and the general vocabulary.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.lexicon.general_vocabulary import vocabulary
from t2c_data.lexicon.morphology import article, plural_of, singular_of
from t2c_data.lexicon.relationship_names import is_adjective, lexicalise_type, lexicalise_type_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, Triple

_HEADER = """# Words of the graph, drafted from its schema. Edit them: the better they are, the better the questions.
# nouns: singular|plural, the most usual first (a noun may be repeated to make it more frequent)
# display_property: the property that is returned when a question asks for the node itself
# naming_properties: properties whose value names a node ("the drug 'ASPIRIN'"), best first; [] if there is none
# equals_phrases, greater_than, less_than, temporal_phrases, superlative_max, superlative_min, unit: see docs/dataset.md
# forward, backward: phrases behind the noun of the source and of the target; {} is the node at the other end with
#   its noun, {value} only its name, [is|are] inflects with the noun in front
# hidden: true keeps a label, property or type out of all questions"""
TEMPORAL_TYPES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})
"""Property types of which questions ask dates, months and years."""
_ABBREVIATIONS = {
    "qty": "quantity", "num": "number", "nr": "number", "no": "number", "amt": "amount", "desc": "description",
    "dob": "date of birth", "addr": "address", "tel": "telephone", "pct": "percentage", "avg": "average",
    "org": "organisation",
}  # fmt: skip
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
_ATTRIBUTE_NOUNS = frozenset(
    "age amount cost date gender number occupation price size status time title type unit year".split()
)
_NON_POSSESSORS = frozenset(
    "birth first last full total primary main unit max min average start end due new old".split()
)
"""First words that cannot possess the second, unlike `report date`: `date of the report`."""
_ANIMATE_NOUNS = frozenset(
    """person people user customer patient employee author actor director member student teacher doctor reviewer
    reporter player coach owner manager supplier reader writer borrower librarian artist scientist researcher""".split()
)


def draft_lexicon(schema: GraphSchema) -> dict[str, Any]:
    """Draft the content of a lexicon file."""
    content: dict[str, Any] = {"labels": {}, "properties": {}, "types": {}}
    for label in schema.labels:
        content["labels"][label.name] = _label(label)
        content["properties"][label.name] = {
            each.name: _property(
                label.name, each, naming=content["labels"][label.name]["naming_properties"], of_label=True
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
            split_identifier(triple.type).lower(),
            split_identifier(triple.source),
            split_identifier(triple.target),
            alone=len(rivals) == 1,
        )
    for kind in schema.types:
        if kind.properties:
            content["properties"][kind.name] = {
                each.name: _property(kind.name, each) for each in kind.properties
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


@cache
def split_identifier(name: str) -> str:
    """Split an identifier into lower-case words: `reportDate`, `REPORT_DATE` and `report-date` give `report date`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    parts = [part for part in re.split(r"[^0-9A-Za-z\u00c0-\uffff]+", spaced) if part]
    words = [_ABBREVIATIONS.get(part.lower(), part.lower()) for part in parts]
    return " ".join("ID" if word == "id" else word for word in words) or name


def _label(label: NodeLabel) -> dict[str, Any]:
    noun = split_identifier(label.name)
    noun = singular_of(noun) if noun.endswith("s") and not noun.endswith("ss") else noun
    key = choose_display_property(label)
    words: dict[str, Any] = {"nouns": _with_plurals(_synonyms(noun)), "display_property": key}
    named = [
        each.name
        for each in label.properties
        if each.name == key and each.type == "STRING" and not _is_id(each)
    ]
    words["naming_properties"] = named
    if noun.split(" ")[-1] in _ANIMATE_NOUNS:
        words["animate_nouns"] = list(words["nouns"])
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
    if _is_id(each):
        score += 1.5
    return score


def _is_id(each: Property) -> bool:
    return bool(re.search(r"(^|[ _])(ID|id|key|code|number|uuid|isbn)$", split_identifier(each.name))) or (
        each.type == "INTEGER" and each.unique and each.name.lower().endswith("id")
    )


def _property(
    owner: str, each: Property, *, naming: Sequence[str] = (), of_label: bool = False
) -> dict[str, Any]:
    if each.type == "BOOLEAN":
        return _flag(split_identifier(each.name))
    noun, unit = _measured(split_identifier(each.name), each)
    if noun.lower().endswith("id") and " " not in noun and len(noun) > 3:
        noun = noun[:-2] + " ID"
    owner_words = split_identifier(owner)
    nouns = _synonyms(noun)
    if noun.startswith(owner_words + " ") and len(noun) > len(owner_words) + 1:
        nouns += _synonyms(noun.removeprefix(owner_words + " "))
    if each.name in naming:
        nouns += [one for one in ("name", f"{owner_words} name") if one not in nouns]
    nouns += [one for one in _with_owner(owner_words, noun, each, of_label=of_label) if one not in nouns]
    if each.name not in nouns and each.name.lower() != noun:
        nouns.append(each.name)
    words: dict[str, Any] = {"nouns": _with_plurals(nouns)}
    if unit:
        words["unit"] = list(unit)
    if each.type in TEMPORAL_TYPES:
        bare = re.sub(r" (date|time|at|on)$", "", noun)
        if bare.endswith("ed"):
            words["temporal_phrases"] = [f"{bare} {{}}", f"that [was|were] {bare} {{}}"]
    known = _known_words(noun, each)
    if each.name in naming:
        known["equals_phrases"] = list(
            dict.fromkeys(["named {}", "called {}", *known.get("equals_phrases", ())])
        )
    return words | known


def _with_owner(owner: str, noun: str, each: Property, *, of_label: bool) -> list[str]:
    """List nouns with the owner in front: `outcome code`; for an identifier `case ID`."""
    if not of_label:
        return []
    if _is_id(each) and noun.endswith("ID"):
        return [f"{owner} ID", "ID"]
    return [f"{owner} {noun}"] if " " not in noun and noun not in owner.split(" ") else []


def _known_words(noun: str, each: Property) -> dict[str, Any]:
    """Look up a property in the general vocabulary."""
    kind = (
        "number" if each.type in {"INTEGER", "FLOAT"} else "date" if each.type in TEMPORAL_TYPES else "text"
    )
    for entry in vocabulary().properties:
        if entry["of"] in {kind, "any"} and noun in entry["names"] and _fits(entry, each):
            words = dict(entry["words"])
            adjectives = entry.get("values", {}).items()
            values = {code: forms for code, forms in adjectives if code in each.examples}
            return words | ({"values": values} if values else {})
    return {}


def _fits(entry: dict[str, Any], each: Property) -> bool:
    wanted = entry.get("values_among")
    return not wanted or any(str(value).lower() in wanted for value in each.examples)


def _measured(noun: str, each: Property) -> tuple[str, tuple[str, ...]]:
    """Split a unit of measurement off a noun: `height cm` is the height, in cm."""
    head, _, last = noun.rpartition(" ")
    unit = vocabulary().units.get(last, ()) if head and each.type in {"INTEGER", "FLOAT"} else ()
    return (head, unit) if unit else (noun, ())


def _synonyms(noun: str) -> list[str]:
    """List a noun (twice, as the most usual one), its synonyms and forms such as `date of the report`."""
    found = list(vocabulary().synonyms.get(noun, ()))
    first, _, last = noun.partition(" ")
    if last in _ATTRIBUTE_NOUNS and first.isalpha() and first not in _NON_POSSESSORS:
        found.append(f"{last} of the {first}")
        if first in _ANIMATE_NOUNS:
            found.append(f"{first}'s {last}")
    return [noun, noun, *found] if found else [noun]


def _with_plurals(nouns: list[str]) -> list[str]:
    return [f"{noun}|{plural_of(noun)}" for noun in nouns]


def _flag(noun: str) -> dict[str, Any]:
    """Draft a boolean: `chronic` is an adjective, `smoker` a noun, `has insurance` a possession."""
    bare = re.sub(r"^(is|has|was) ", "", noun)
    nouns = _with_plurals([f"{bare} status", f"{bare} flag"])
    if noun.startswith("has "):
        yes, no = [f"that [has|have] {bare}", f"with {bare}"], [f"without {bare}", f"with no {bare}"]
        return {"nouns": nouns, "true_phrases": yes, "false_phrases": no}
    if " " not in bare and not is_adjective(bare):
        one, many = article(bare), plural_of(bare)
        return {
            "nouns": nouns,
            "true_phrases": [f"that [is {one}|are {many}]"],
            "false_phrases": [f"that [is not {one}|are not {many}]"],
        }
    values = {"true": [bare], "false": [f"non-{bare}"]} if " " not in bare else {}
    return {
        "nouns": nouns, "true_phrases": [f"that [is|are] {bare}"],
        "false_phrases": [f"that [is|are] not {bare}"],
        **({"values": values} if values else {}),
    }  # fmt: skip


def _types_of_several_triples(schema: GraphSchema) -> set[str]:
    seen: dict[str, int] = {}
    for triple in schema.triples:
        seen[triple.type] = seen.get(triple.type, 0) + 1
    return {kind for kind, count in seen.items() if count > 1}


def triple_key(triple: Triple) -> str:
    """Return the lexicon key of a triple: `Case-HAS_REACTION->Reaction`."""
    return f"{triple.source}-{triple.type}->{triple.target}"
