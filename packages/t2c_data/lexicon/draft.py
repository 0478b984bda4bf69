"""The lexicon that a schema alone suggests: names split into words and inflected.

A person reads it and makes it better (see `lexicon`). Uses names, types, counts and `vocabulary`, what people say
of things that many graphs have. No model; of values only whether codes such as F and M occur.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import inflect
import yaml

from t2c_data.lexicon.general_vocabulary import vocabulary
from t2c_data.lexicon.model import triple_key
from t2c_data.lexicon.relationship_names import is_adjective, lexicalise_type, lexicalise_type_group
from t2c_data.planning.query_tree import TIMES
from t2c_data.realisation.morphology import article

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property

_HEADER = """# Words of the graph, drafted from its schema. Edit them: the better they are, the better the questions.
# nouns: singular|plural, the most usual first (a noun may be repeated to make it more frequent)
# key: the property that is returned when a question asks for the thing itself
# name: properties by whose value people name one ("the drug 'ASPIRIN'"), best first; [] if there is none
# phrases, more, less, when, most, least, unit: see docs/dataset.md
# forward, backward: phrases behind the noun of the source and of the target; {} is the thing at the other end with
#   its noun, {value} only its name, [is|are] inflects with the noun in front
# hidden: true keeps a label, property or type out of all questions"""
_ENGINE = inflect.engine()
_ABBREVIATIONS = {
    "qty": "quantity", "num": "number", "nr": "number", "no": "number", "amt": "amount", "desc": "description",
    "dob": "date of birth", "addr": "address", "tel": "telephone", "pct": "percentage", "avg": "average",
    "org": "organisation",
}  # fmt: skip
_NAME_WORDS = ("name", "title", "label", "fullname", "full name", "description", "term", "caption", "heading")
_OWNED = frozenset(
    "age amount cost date gender number occupation price size status time title type unit year".split()
)
_NO_OWNERS = frozenset(
    "birth first last full total primary main unit max min average start end due new old".split()
)
"""Second words of a noun that may be said first: `report date`, `date of the report`."""
_PEOPLE = frozenset(
    """person people user customer patient employee author actor director member student teacher doctor reviewer
    reporter player coach owner manager supplier reader writer borrower librarian artist scientist researcher""".split()
)


def draft_lexicon(schema: GraphSchema) -> dict[str, Any]:
    """Draft the content of a lexicon file from a schema."""
    content: dict[str, Any] = {"labels": {}, "properties": {}, "types": {}}
    for label in schema.labels:
        content["labels"][label.name] = _label(label)
        content["properties"][label.name] = {
            each.name: _property(
                label.name, each, naming=content["labels"][label.name]["name"], of_label=True
            )
            for each in label.properties
        }
    several = _types_of_several(schema)
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
    """Let general words mean all the types between two labels, where there are several."""
    types: dict[tuple[str, str], list[str]] = {}
    for triple in schema.triples:
        types.setdefault((triple.source, triple.target), []).append(triple.type)
    return [
        {"types": kinds, **lexicalise_type_group(split_identifier(source), split_identifier(target))}
        for (source, target), kinds in types.items()
        if len(kinds) > 1
    ]


def draft_text(schema: GraphSchema) -> str:
    """Write a drafted lexicon as the YAML file that a person edits."""
    body = yaml.dump(
        draft_lexicon(schema),
        Dumper=_Plain,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None,
    )
    return f"{_HEADER}\n{body}"


class _Plain(yaml.SafeDumper):
    """Writes what is the same twice, so that each can be edited by itself."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


@cache
def split_identifier(name: str) -> str:
    """Split a name into lower-case words: `reportDate`, `REPORT_DATE` and `report-date` give `report date`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    parts = [part for part in re.split(r"[^0-9A-Za-z\u00c0-\uffff]+", spaced) if part]
    words = [_ABBREVIATIONS.get(part.lower(), part.lower()) for part in parts]
    return " ".join("ID" if word == "id" else word for word in words) or name


@cache
def plural_of(noun: str) -> str:
    """Inflect the head of a noun phrase: `date of birth` gives `dates of birth`."""
    head, preposition, rest = noun, "", ""
    match = re.search(r" (of|by|in|for|on|at|to|with|from) ", noun)
    if match:
        head, preposition, rest = noun[: match.start()], match[0], noun[match.end() :]
    words = head.split(" ")
    last = words[-1]
    if last in {"ID", "IDs"}:
        words[-1] = "IDs"
    elif last.isalpha() and (last.endswith(("is", "ss", "us")) or not _ENGINE.singular_noun(last)):
        words[-1] = str(_ENGINE.plural_noun(last))
    return " ".join(words) + preposition + rest


def singular_of(noun: str) -> str:
    """Give the singular of a noun; the noun itself if it is one."""
    return str(_ENGINE.singular_noun(noun) or noun)


def _label(label: NodeLabel) -> dict[str, Any]:
    noun = split_identifier(label.name)
    noun = (
        str(_ENGINE.singular_noun(noun) or noun) if noun.endswith("s") and not noun.endswith("ss") else noun
    )
    key = choose_display_property(label)
    words: dict[str, Any] = {"nouns": _with_plurals(_called(noun)), "key": key}
    named = [
        each.name
        for each in label.properties
        if each.name == key and each.type == "STRING" and not _is_id(each)
    ]
    words["name"] = named
    if noun.split(" ")[-1] in _PEOPLE:
        words["people"] = list(words["nouns"])
    return words


def choose_display_property(label: NodeLabel) -> str:
    """Choose the property that says which node it is: a name, else an identifier, else the most distinct one."""
    scored = sorted(label.properties, key=lambda each: (-_naming(each, label), each.name))
    return scored[0].name if scored else ""


def _naming(each: Property, label: NodeLabel) -> float:
    words = split_identifier(each.name)
    label_words = split_identifier(label.name)
    if each.type not in {"STRING", "INTEGER"}:
        return -2.0 if each.type.startswith("LIST") else -1.0
    score = each.share + (each.distinct / max(label.count, 1)) + (1.0 if each.unique else 0.0)
    tail = words.split(" ")[-1]
    if each.type == "STRING":
        if words in {"name", "title", "full name", label_words, f"{label_words} name"}:
            score += 4
        elif tail in _NAME_WORDS:
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
    nouns = _called(noun)
    if noun.startswith(owner_words + " ") and len(noun) > len(owner_words) + 1:
        nouns += _called(noun.removeprefix(owner_words + " "))
    if each.name in naming:
        nouns += [one for one in ("name", f"{owner_words} name") if one not in nouns]
    nouns += [one for one in _with_owner(owner_words, noun, each, of_label=of_label) if one not in nouns]
    if each.name not in nouns and each.name.lower() != noun:
        nouns.append(each.name)
    words: dict[str, Any] = {"nouns": _with_plurals(nouns)}
    if unit:
        words["unit"] = list(unit)
    if each.type in TIMES:
        bare = re.sub(r" (date|time|at|on)$", "", noun)
        if bare.endswith("ed"):
            words["when"] = [f"{bare} {{}}", f"that [was|were] {bare} {{}}"]
    known = _known_words(noun, each)
    if each.name in naming:
        known["phrases"] = list(dict.fromkeys(["named {}", "called {}", *known.get("phrases", ())]))
    return words | known


def _with_owner(owner: str, noun: str, each: Property, *, of_label: bool) -> list[str]:
    """Say whose property it is: `outcome code`; of an identifier that it is one: `case ID`."""
    if not of_label:
        return []
    if _is_id(each) and noun.endswith("ID"):
        return [f"{owner} ID", "ID"]
    return [f"{owner} {noun}"] if " " not in noun and noun not in owner.split(" ") else []


def _known_words(noun: str, each: Property) -> dict[str, Any]:
    """Find what people say of such a property in any graph."""
    kind = "number" if each.type in {"INTEGER", "FLOAT"} else "date" if each.type in TIMES else "text"
    for entry in vocabulary().properties:
        if entry["of"] in {kind, "any"} and noun in entry["names"] and _fits(entry, each):
            words = dict(entry["words"])
            values = {code: said for code, said in entry.get("values", {}).items() if code in each.examples}
            return words | ({"values": values} if values else {})
    return {}


def _fits(entry: dict[str, Any], each: Property) -> bool:
    wanted = entry.get("values_among")
    return not wanted or any(str(value).lower() in wanted for value in each.examples)


def _measured(noun: str, each: Property) -> tuple[str, tuple[str, ...]]:
    """Split off what a number is measured in: `height cm` is the height, in cm."""
    head, _, last = noun.rpartition(" ")
    unit = vocabulary().units.get(last, ()) if head and each.type in {"INTEGER", "FLOAT"} else ()
    return (head, unit) if unit else (noun, ())


def _called(noun: str) -> list[str]:
    """List what is called so too: the noun itself most often, then its synonyms, then `date of the report`."""
    found = list(vocabulary().synonyms.get(noun, ()))
    first, _, last = noun.partition(" ")
    if last in _OWNED and first.isalpha() and first not in _NO_OWNERS:
        found.append(f"{last} of the {first}")
        if first in _PEOPLE:
            found.append(f"{first}'s {last}")
    return [noun, noun, *found] if found else [noun]


def _with_plurals(nouns: list[str]) -> list[str]:
    return [f"{noun}|{plural_of(noun)}" for noun in nouns]


def _flag(noun: str) -> dict[str, Any]:
    """Say a boolean: `chronic` is an adjective, `smoker` a noun, `has insurance` a possession."""
    bare = re.sub(r"^(is|has|was) ", "", noun)
    nouns = _with_plurals([f"{bare} status", f"{bare} flag"])
    if noun.startswith("has "):
        yes, no = [f"that [has|have] {bare}", f"with {bare}"], [f"without {bare}", f"with no {bare}"]
        return {"nouns": nouns, "yes": yes, "no": no}
    if " " not in bare and not is_adjective(bare):
        one, many = article(bare), plural_of(bare)
        said = f"[is {one}|are {many}]", f"[is not {one}|are not {many}]"
        return {"nouns": nouns, "yes": [f"that {said[0]}"], "no": [f"that {said[1]}"]}
    values = {"true": [bare], "false": [f"non-{bare}"]} if " " not in bare else {}
    return {
        "nouns": nouns, "yes": [f"that [is|are] {bare}"], "no": [f"that [is|are] not {bare}"],
        **({"values": values} if values else {}),
    }  # fmt: skip


def _types_of_several(schema: GraphSchema) -> set[str]:
    seen: dict[str, int] = {}
    for triple in schema.triples:
        seen[triple.type] = seen.get(triple.type, 0) + 1
    return {kind for kind, count in seen.items() if count > 1}


__all__ = ["choose_display_property", "draft_lexicon", "plural_of", "split_identifier"]
