"""Lexical choice for read-backs: nouns of labels and properties, phrases of relationships.

The words come from a lexicon where there is one (the YAML file that `t2c-data lexicon` drafts), and from the names in
the schema otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_WORD = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+|[^\W\d_]+")
_AGREEMENT = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


def split_identifier(name: str) -> str:
    """Return the words of an identifier in lower case, abbreviations kept: `hasURL` → "has URL"."""
    words = _WORD.findall(name) or [name]
    is_screaming = name.upper() == name
    return " ".join(
        word.lower() if is_screaming or not word.isupper() or len(word) == 1 else word for word in words
    )


_IRREGULAR = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "datum": "data", "criterion": "criteria",
    "analysis": "analyses", "diagnosis": "diagnoses", "series": "series", "species": "species",
}  # fmt: skip
_SIBILANT = re.compile(r"(?:s|x|z|ch|sh)$", re.IGNORECASE)
_CONSONANT_Y = re.compile(r"(?<=[^aeiou\W])y$", re.IGNORECASE)
_VOWEL_SOUND = re.compile(r"(?!(?:uni|use|usu|eu|one\b|once))[aeiou]|hour|honest|heir", re.IGNORECASE)
_SPELT_WITH_VOWEL = re.compile(r"[AEFHILMNORSX](?:[A-Z0-9]|\b)")


def pluralize(noun: str) -> str:
    """Return the plural of an English noun phrase: its head, the last word before "of", is inflected."""
    head, separator, rest = noun.partition(" of ")
    start, space, word = head.rpartition(" ")
    if word.lower() in _IRREGULAR:
        plural = _IRREGULAR[word.lower()]
    elif _CONSONANT_Y.search(word):
        plural = f"{word[:-1]}ies"
    else:
        plural = f"{word}es" if _SIBILANT.search(word) else f"{word}s"
    return f"{start}{space}{plural}{separator}{rest}"


def with_article(noun: str) -> str:
    """Return a noun phrase with its indefinite article."""
    has_vowel = _SPELT_WITH_VOWEL.match(noun) if noun[:2].isupper() else _VOWEL_SOUND.match(noun)
    return f"{'an' if has_vowel else 'a'} {noun}"


def agree(phrase: str, *, plural: bool) -> str:
    """Choose between the singular and plural forms of a phrase: `that [is|are] here`."""
    return _AGREEMENT.sub(r"\2" if plural else r"\1", phrase)


class Words:
    """The words with which a graph is spoken of.

    Args:
        lexicon: content of a lexicon file; what it leaves out is made of the names in the schema.
    """

    def __init__(self, lexicon: Mapping[str, Any] | None = None) -> None:
        self.content: Mapping[str, Any] = lexicon or {}
        """Content of the lexicon file."""
        content = self.content
        self._labels: Mapping[str, Any] = content.get("labels") or {}
        self._properties: Mapping[str, Any] = content.get("properties") or {}
        self._types: Mapping[str, Any] = content.get("types") or {}

    @classmethod
    def load(cls, path: Path) -> Words:
        """Read the words of a lexicon file.

        Raises:
            ValueError: the file is no YAML mapping.
            OSError: the file cannot be read.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise ValueError(f"cannot read lexicon {path}: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"invalid lexicon {path}: expected a mapping with labels, properties and types")  # noqa: TRY004
        return cls(content)

    def noun(self, label: str, *, plural: bool) -> str:
        """Return what a node with the label is called."""
        return self._first_noun(_entry(self._labels, label), label, plural=plural)

    def is_animate(self, label: str) -> bool:
        """Return whether nodes with the label are persons, who take "who" rather than "that"."""
        entry = _entry(self._labels, label)
        return bool(entry.get("animate_nouns") or entry.get("people"))

    def naming_properties(self, label: str) -> tuple[str, ...]:
        """Return the properties by whose value a node is named, the best first."""
        entry = _entry(self._labels, label)
        named = entry.get("naming_properties", entry.get("name"))
        if isinstance(named, list):
            return tuple(str(each) for each in named)
        return ("name", "title", f"{label[:1].lower()}{label[1:]}Name")

    def property_noun(self, label_or_type: str, key: str, *, plural: bool = False) -> str:
        """Return what a property is called."""
        return self._first_noun(self._property(label_or_type, key), key, plural=plural)

    def property_phrase(self, label_or_type: str, key: str, *fields: str) -> str | None:
        """Return the first phrase that the lexicon has for a property in one of the fields."""
        entry = self._property(label_or_type, key)
        for field in fields:
            for phrase in entry.get(field) or ():
                return str(phrase)
        return None

    def relationship_phrase(self, type_name: str, source: str, target: str, *, forward: bool) -> str | None:
        """Return a phrase behind the noun of one end, with `{}` for the other end; None if the lexicon has none.

        Args:
            type_name: the relationship type.
            source: label of the start node.
            target: label of the end node.
            forward: whether the noun is that of the start node.
        """
        entry = _entry(self._types, f"{source}-{type_name}->{target}") or _entry(self._types, type_name)
        phrases = [
            str(each) for each in entry.get("forward" if forward else "backward") or () if "{}" in str(each)
        ]
        return next((each for each in phrases if each.endswith("{}")), phrases[0] if phrases else None)

    def absence_phrase(self, type_name: str, source: str, target: str) -> str | None:
        """Return a phrase behind the noun of the start node that says there is no such relationship."""
        entry = _entry(self._types, f"{source}-{type_name}->{target}") or _entry(self._types, type_name)
        phrases = entry.get("negated_phrases") or entry.get("without") or ()
        return next((str(each) for each in phrases if "{}" in str(each)), None)

    def _property(self, label_or_type: str, key: str) -> Mapping[str, Any]:
        return _entry(_entry(self._properties, label_or_type), key)

    def _first_noun(self, entry: Mapping[str, Any], name: str, *, plural: bool) -> str:
        nouns = entry.get("nouns") or ()
        first = str(nouns if isinstance(nouns, str) else nouns[0]) if nouns else split_identifier(name)
        singular, _, several = first.partition("|")
        return (several.strip() or pluralize(singular.strip())) if plural else singular.strip()


def _entry(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}
