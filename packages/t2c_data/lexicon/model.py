"""The lexicon of a graph: nouns for labels and properties, phrases for relationship types in both directions.

A lexicon is a YAML file that `lexicon.draft` writes from a schema and a person edits.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from t2c_data.errors import LexiconError
from t2c_data.lexicon.draft import triple_key
from t2c_data.lexicon.morphology import plural_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema, Triple

Noun = tuple[str, str]
"""Singular and plural."""


def _parse_noun(text: Any) -> Any:
    if isinstance(text, (list, tuple)):
        return text
    singular, bar, plural = str(text).partition("|")
    return singular.strip(), plural.strip() if bar else plural_of(singular.strip())


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _parse_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_Text = Annotated[str, BeforeValidator(str)]
Nouns = Annotated[tuple[Annotated[Noun, BeforeValidator(_parse_noun)], ...], BeforeValidator(_one_or_more)]
"""Nouns written `singular|plural`, or the singular alone."""
Phrases = tuple[_Text, ...]
Adjectives = dict[
    Annotated[str, BeforeValidator(_parse_value)],
    Annotated[Phrases, BeforeValidator(_one_or_more)],
]
"""Adjectives for values of a property, by value; `true` and `false` for booleans."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    DEPRECATED: ClassVar[Mapping[Any, str]] = {}
    """Former field names and the present ones; YAML reads an unquoted `yes` or `no` as a boolean."""

    hidden: bool = False
    """Whether no question mentions it."""


class LabelEntry(_Entry):
    """Words for the nodes of a label."""

    DEPRECATED = {"people": "animate_nouns", "key": "display_property", "name": "naming_properties"}

    nouns: Nouns
    animate_nouns: Nouns = ()
    """Nouns that take "who" instead of "that"."""
    display_property: str = ""
    """Property that is returned when a question asks for the node itself."""
    event_participles: Phrases = ()
    """What people do to the things that an event joins them to: `ordered` for the label Order."""
    naming_properties: Phrases = ()
    """Properties whose value names a node by itself, without the property's noun; best first."""


class PropertyEntry(_Entry):
    """Words for a property; `{}` stands for the value."""

    DEPRECATED = {
        "phrases": "equals_phrases", "more": "greater_than", "less": "less_than", "when": "temporal_phrases",
        "most": "superlative_max", "least": "superlative_min", "yes": "true_phrases", "no": "false_phrases",
        True: "true_phrases", False: "false_phrases",
    }  # fmt: skip

    nouns: Nouns
    kind: str = ""
    """id, name, category, number, date, boolean, list or text; inferred from the schema when empty."""
    equals_phrases: Phrases = ()
    """Phrases for equality, placed behind the noun: `aged {}`; `pre:{}` stands before it."""
    greater_than: Phrases = ()
    """Comparative phrases: `older than {}`."""
    less_than: Phrases = ()
    """Comparative phrases: `younger than {}`."""
    temporal_phrases: Phrases = ()
    """For dates, phrases before "in 2021" or "before 2021-03-01": `reported {}`."""
    superlative_max: Phrases = ()
    """Superlatives for the maximum: `oldest`, `most expensive`."""
    superlative_min: Phrases = ()
    """Superlatives for the minimum: `youngest`, `cheapest`."""
    zero_phrases: Phrases = ()
    """For numbers, phrases behind the noun that mean 0: `out of stock`."""
    positive_phrases: Phrases = ()
    """For numbers, phrases behind the noun that mean more than 0: `in stock`."""
    unit: Phrases = ()
    """Words that may follow a number: `years`."""
    values: Adjectives = Field(default_factory=dict)
    true_phrases: Phrases = ()
    """For booleans, phrases behind the noun that mean true."""
    false_phrases: Phrases = ()
    """For booleans, phrases behind the noun that mean false."""


class RelationshipEntry(_Entry):
    """Words for a relationship; `{}` stands for the node at the other end, `{value}` for its name."""

    DEPRECATED = {
        "target": "target_role", "source": "source_role", "assumed": "is_default", "without": "negated_phrases",
    }  # fmt: skip

    forward: Phrases
    """Phrases behind the source's noun: `that resulted in {}`, `with the outcome {value}`."""
    backward: Phrases
    """Phrases behind the target's noun: `of {}`, `reported in {}`."""
    target_role: Nouns = ()
    """Nouns for the target as seen from the source: `primary suspect drug`."""
    source_role: Nouns = ()
    """Nouns for the source as seen from the target."""
    is_default: bool = False
    """Whether the relationship is meant where a question names both ends and no relationship."""
    negated_phrases: Phrases = ()
    """Phrases behind the source's noun for the absence of the relationship: `without {}`."""


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
    relationships: dict[str, RelationshipEntry]
    """By type, or by `Source-TYPE->Target` where a type joins several pairs of labels."""
    groups: tuple[Group, ...] = ()
    out_of_schema_nouns: tuple[str, ...] = ()
    """Things that people may ask for and the graph does not have; used in unanswerable questions."""

    def relationship(self, triple: Triple) -> RelationshipEntry:
        """Return the words of a triple."""
        return self.relationships.get(triple_key(triple)) or self.relationships[triple.type]

    @classmethod
    def load(cls, path: Path, schema: GraphSchema) -> Lexicon:
        """Read a lexicon and check it against a schema.

        Entries that the file leaves out are drafted from the schema, except groups.

        Raises:
            LexiconError: the file cannot be read or names what the schema does not have.
        """
        from t2c_data.lexicon.draft import draft_lexicon

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LexiconError(f"cannot read lexicon {path}: {error}") from error
        edited = _with_present_names(content, str(path))
        return from_content(merge(draft_lexicon(schema) | {"groups": []}, edited), schema, source=str(path))


def merge(base: dict[str, Any], edited: dict[str, Any]) -> dict[str, Any]:
    """Merge an edited lexicon into a drafted one, entry by entry and field by field."""
    merged = dict(base)
    for key, value in edited.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


_SECTIONS = ("labels", "properties", "types", "groups", "out_of_schema_nouns")


def from_content(content: dict[str, Any], schema: GraphSchema, *, source: str = "lexicon") -> Lexicon:
    """Build a lexicon from the content of its file.

    Raises:
        LexiconError: a label, type or property is not in the schema, or a field is unknown or has a wrong value.
    """
    content = _with_present_names(content, source)
    unknown = set(content) - set(_SECTIONS)
    if unknown:
        raise LexiconError(
            f"{source}: unknown section {min(map(str, unknown))!r}; expected one of {', '.join(_SECTIONS)}"
        )
    labels, properties, relationships, groups = {}, {}, {}, []
    for name, words in content.get("labels", {}).items():
        _check_in_schema(name in schema.label_by_name, "label", name, source)
        labels[name] = _entry(LabelEntry, words, f"{source}: labels.{name}")
    for owner, entries in content.get("properties", {}).items():
        for name, words in entries.items():
            _check_in_schema(
                schema.property_of(owner, name) is not None, "property", f"{owner}.{name}", source
            )
            properties[owner, name] = _entry(PropertyEntry, words, f"{source}: properties.{owner}.{name}")
    keys = {triple_key(triple) for triple in schema.triples} | set(schema.type_by_name)
    for key, words in content.get("types", {}).items():
        _check_in_schema(key in keys, "type", key, source)
        relationships[key] = _entry(RelationshipEntry, words, f"{source}: types.{key}")
    for number, group in enumerate(content.get("groups", [])):
        types = tuple(sorted(group.get("types", ())))
        for name in types:
            _check_in_schema(name in schema.type_by_name, "type", name, source)
        fields = {key: value for key, value in group.items() if key != "types"}
        groups.append(
            Group(types=types, words=_entry(RelationshipEntry, fields, f"{source}: groups[{number}]"))
        )
    return Lexicon(
        labels=labels,
        properties=properties,
        relationships=relationships,
        groups=tuple(groups),
        out_of_schema_nouns=tuple(content.get("out_of_schema_nouns", ())),
    )


def _check_in_schema(is_known: bool, what: str, name: str, source: str) -> None:
    if not is_known:
        raise LexiconError(f"{source}: the schema has no {what} {name}; remove it or take the snapshot again")


_AnyEntry = TypeVar("_AnyEntry", bound=_Entry)


def _entry(kind: type[_AnyEntry], fields: Any, path: str) -> _AnyEntry:
    """Check the fields of an entry.

    Raises:
        LexiconError: with the path of the first field that is unknown, absent or of a wrong type.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        found_errors = error.errors(include_url=False)
        first = min(found_errors, key=lambda each: each["type"] == "missing")
        place = ".".join([path, *map(str, first["loc"])])
        if first["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields)
            raise LexiconError(
                f"{place}: unknown field {first['loc'][0]!r}; expected one of {known}"
            ) from error
        if first["type"] == "tuple_type":
            found = f"{first['input']!r:.60}"
            raise LexiconError(f"{place}: expected a list, found {found}; write [{found}]") from error
        raise LexiconError(f"{place}: {first['msg']}, found {first['input']!r:.60}") from error


def _with_present_names(content: Any, source: str) -> dict[str, Any]:
    """Replace deprecated field names, with one warning.

    Raises:
        LexiconError: the content or one of its sections is not a mapping.
    """
    renamed: dict[str, str] = {}
    result: dict[str, Any] = _rename(
        _mapping(content, f"{source}: a lexicon is a mapping"), {"absent": "out_of_schema_nouns"}, renamed
    )
    for name, kind in (("labels", LabelEntry), ("types", RelationshipEntry)):
        if name in result:
            entries = _mapping(result[name], f"{source}: {name}")
            result[name] = {key: _rename(fields, kind.DEPRECATED, renamed) for key, fields in entries.items()}
    if "properties" in result:
        owners = _mapping(result["properties"], f"{source}: properties")
        result["properties"] = {
            owner: {
                key: _rename(fields, PropertyEntry.DEPRECATED, renamed)
                for key, fields in _mapping(entries, f"{source}: properties.{owner}").items()
            }
            for owner, entries in owners.items()
        }
    if "groups" in result:
        groups = result["groups"] or ()
        result["groups"] = [_rename(group, RelationshipEntry.DEPRECATED, renamed) for group in groups]
    if renamed:
        names = ", ".join(f"{old} (use {new})" for old, new in renamed.items())
        warnings.warn(f"{source}: deprecated field names: {names}", FutureWarning, stacklevel=3)
    return result


def _mapping(value: Any, place: str) -> dict[Any, Any]:
    if value is not None and not isinstance(value, dict):
        raise LexiconError(f"{place}: expected a mapping, found {value!r:.60}")
    return value or {}


def _rename(fields: Any, names: Mapping[Any, str], renamed: dict[str, str]) -> Any:
    if not isinstance(fields, dict):
        return fields
    renamed.update({key: names[key] for key in fields if key in names and not isinstance(key, bool)})
    return {names.get(key, key): value for key, value in fields.items()}
