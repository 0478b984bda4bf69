"""The words of a graph: nouns for labels and properties, phrases for relationships in both directions.

A lexicon is a YAML file that `draft` (see `drafting`) writes from a schema and a person edits. Holds the model of
that file and its checks; how words become questions is in `verbalise`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.errors import LexiconError

if TYPE_CHECKING:
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema, Triple

Noun = tuple[str, str]
"""Singular and plural."""


@dataclass(frozen=True, kw_only=True)
class LabelEntry:
    """How people speak of a label's nodes."""

    nouns: tuple[Noun, ...]
    people: tuple[Noun, ...] = ()
    """Nouns that take "who" instead of "that"."""
    key: str = ""
    """The property that is returned when a question asks for the thing itself."""
    name: tuple[str, ...] = ()
    """Properties by whose value people name one without saying which property, best first."""
    hidden: bool = False
    """Whether questions never speak of it."""


@dataclass(frozen=True, kw_only=True)
class PropertyEntry:
    """How people speak of a property; `{}` stands for the value."""

    nouns: tuple[Noun, ...]
    kind: str = ""
    """id, name, category, number, date, boolean, list or text; empty to have it found from the schema."""
    phrases: tuple[str, ...] = ()
    """Further ways to say that it equals a value, put behind the noun: `aged {}`."""
    more: tuple[str, ...] = ()
    """Further ways to say that it is greater: `older than {}`."""
    less: tuple[str, ...] = ()
    """Further ways to say that it is less: `younger than {}`."""
    when: tuple[str, ...] = ()
    """For dates, phrases before "in 2021", "before 2021-03-01": `reported {}`."""
    most: tuple[str, ...] = ()
    """Superlatives for the greatest: `oldest`, `most expensive`."""
    least: tuple[str, ...] = ()
    """Superlatives for the least: `youngest`, `cheapest`."""
    unit: tuple[str, ...] = ()
    """Words that may follow a number: `years`."""
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Adjectives that say a value: `F: [female]`; for booleans `true: [discontinued]`."""
    yes: tuple[str, ...] = ()
    """For booleans, phrases behind the noun that say true."""
    no: tuple[str, ...] = ()
    """For booleans, phrases behind the noun that say false."""
    hidden: bool = False
    """Whether questions never speak of it."""


@dataclass(frozen=True, kw_only=True)
class RelationshipEntry:
    """How people speak of a relationship; `{}` stands for the thing at the other end, `{value}` for its name."""

    forward: tuple[str, ...]
    """Phrases behind the source's noun: `that resulted in {}`, `with the outcome {value}`."""
    backward: tuple[str, ...]
    """Phrases behind the target's noun: `of {}`, `reported in {}`."""
    target: tuple[Noun, ...] = ()
    """What the target is called, seen from the source: `primary suspect drug`."""
    source: tuple[Noun, ...] = ()
    """What the source is called, seen from the target."""
    assumed: bool = False
    """Whether this relationship is meant where a question speaks of the two ends and names no relationship."""
    without: tuple[str, ...] = ()
    """Phrases behind the source's noun that say there is none: `without {}`."""
    hidden: bool = False
    """Whether questions never speak of it."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Several relationship types between the same labels that one phrase may mean together."""

    types: tuple[str, ...]
    words: RelationshipEntry


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """The words of one graph."""

    labels: dict[str, LabelEntry]
    properties: dict[tuple[str, str], PropertyEntry]
    """By label or type, and property."""
    links: dict[str, RelationshipEntry]
    """By type, or by `Source-TYPE->Target` where a type joins several pairs of labels."""
    groups: tuple[Group, ...] = ()
    absent: tuple[str, ...] = ()
    """Things that people may ask for and this graph does not have; for unanswerable questions."""

    def link(self, triple: Triple) -> RelationshipEntry:
        """Find the words of a triple."""
        return self.links.get(triple_key(triple)) or self.links[triple.type]

    @classmethod
    def load(cls, path: Path, schema: GraphSchema) -> Lexicon:
        """Read a lexicon and check it against a schema.

        What the file leaves out is drafted from the schema, but for groups: general words may be a type's own here.

        Raises:
            LexiconError: the file cannot be read or names what the schema does not have.
        """
        from t2c_data.lexicon.draft import draft_lexicon

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LexiconError(f"cannot read lexicon {path}: {error}") from error
        return from_content(merge(draft_lexicon(schema) | {"groups": []}, content), schema, source=str(path))


def triple_key(triple: Triple) -> str:
    """Write a triple as the key that a lexicon may have: `Case-HAS_REACTION->Reaction`."""
    return f"{triple.source}-{triple.type}->{triple.target}"


def merge(base: dict[str, Any], edited: dict[str, Any]) -> dict[str, Any]:
    """Lay an edited lexicon over a drafted one, entry by entry and field by field."""
    if not isinstance(edited, dict):
        raise LexiconError(f"a lexicon is a mapping with labels, properties and types; found {edited!r:.80}")
    merged = dict(base)
    for key, value in edited.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


def from_content(content: dict[str, Any], schema: GraphSchema, *, source: str = "lexicon") -> Lexicon:
    """Make a lexicon from the content of its file.

    Raises:
        LexiconError: it names a label, type or property that the schema does not have, or a field is unknown.
    """
    unknown = set(content) - {"labels", "properties", "types", "groups", "absent"}
    if unknown:
        raise LexiconError(
            f"{source}: unknown part {min(unknown)!r}; known: labels, properties, types, groups, absent"
        )
    labels = {}
    for name, words in content.get("labels", {}).items():
        _known(name in schema.label_by_name, "label", name, source)
        labels[name] = _make(LabelEntry, words, f"{source}: labels.{name}", nouns=("nouns", "people"))
    properties = {}
    for owner, held in content.get("properties", {}).items():
        for name, words in held.items():
            _known(schema.property_of(owner, name) is not None, "property", f"{owner}.{name}", source)
            properties[owner, name] = _make(
                PropertyEntry, words, f"{source}: properties.{owner}.{name}", nouns=("nouns",)
            )
    keys = {triple_key(triple) for triple in schema.triples}
    links = {}
    for key, words in content.get("types", {}).items():
        _known(key in schema.type_by_name or key in keys, "type", key, source)
        links[key] = _make(RelationshipEntry, words, f"{source}: types.{key}", nouns=("target", "source"))
    groups = []
    for number, entry in enumerate(content.get("groups", [])):
        words = dict(entry)
        types = tuple(words.pop("types", ()))
        for kind in types:
            _known(kind in schema.type_by_name, "type", kind, source)
        made = _make(RelationshipEntry, words, f"{source}: groups[{number}]", nouns=("target", "source"))
        groups.append(Group(types=tuple(sorted(types)), words=made))
    return Lexicon(
        labels=labels,
        properties=properties,
        links=links,
        groups=tuple(groups),
        absent=tuple(content.get("absent", ())),
    )


def _known(found: bool, what: str, name: str, source: str) -> None:
    if not found:
        raise LexiconError(
            f"{source}: the schema has no {what} {name}; take it out or make the snapshot again"
        )


def _make(kind: type[Any], words: dict[str, Any], place: str, *, nouns: tuple[str, ...]) -> Any:
    fields: dict[str, Any] = {}
    known = kind.__dataclass_fields__
    for found, value in words.items():
        key = {"True": "yes", "False": "no"}.get(str(found), str(found))  # as YAML reads unquoted yes and no
        if key not in known:
            raise LexiconError(f"{place}: unknown field {key!r}; known: {', '.join(known)}")
        if key in nouns:
            fields[key] = tuple(_noun(str(each)) for each in _listed(value, f"{place}.{key}"))
        elif key == "values":
            fields[key] = {
                str(each).lower() if isinstance(each, bool) else str(each): tuple(
                    map(str, _listed(said, f"{place}.{key}"))
                )
                for each, said in value.items()
            }
        elif isinstance(value, list):
            fields[key] = tuple(map(str, value))
        else:
            fields[key] = value
    try:
        return kind(**fields)
    except TypeError as error:
        raise LexiconError(f"{place}: {error}") from error


def _listed(value: Any, place: str) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise LexiconError(f"{place}: a list is wanted, found {value!r:.60}")
    return value


def _noun(text: str) -> Noun:
    singular, bar, plural = text.partition("|")
    if bar:
        return singular.strip(), plural.strip()
    from t2c_data.lexicon.draft import plural_of

    return singular.strip(), plural_of(singular.strip())
