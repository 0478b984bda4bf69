"""Other names of values: synonyms, abbreviations and the values of a second naming property.

values:                       # by Label.property: the value as stored, and what people call it
Drug.name:
Acetylsalicylic acid: [aspirin, ASA]
properties:                   # properties whose values name the same node or relationship
Drug.name: [brandNames]
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from t2c_core.errors import InputError
from t2c_core.values.normalization import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from t2c_core.schema.model import Scalar

Owner = tuple[str, str]
"""Label or relationship type, and property."""
MAX_NAME_CHARS = 200


@dataclass
class Aliases:
    """Other names by property and value."""

    names: dict[Owner, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    """Names by the value as text."""
    properties: dict[Owner, tuple[str, ...]] = field(default_factory=dict)
    """Other properties of the same nodes or relationships whose values are names."""

    @classmethod
    def load(cls, path: Path) -> Aliases:
        """Read a file of aliases.

        Raises:
            InputError: the file is missing or has another form; the message says where.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"cannot read aliases {path}: {error}") from error
        if not isinstance(content, dict) or set(content) - {"values", "properties"}:
            raise InputError(f"invalid aliases {path}: expected a mapping with `values` and `properties`")
        found = cls()
        for key, entries in _entries(content.get("values"), path, "values"):
            if not isinstance(entries, dict):
                raise InputError(f"invalid aliases {path}: values.{'.'.join(key)} must map values to names")
            for value, names in entries.items():
                found.add(key, value, _names(names, path, f"values.{'.'.join(key)}.{value}"))
        for key, properties in _entries(content.get("properties"), path, "properties"):
            found.properties[key] = tuple(_names(properties, path, f"properties.{'.'.join(key)}"))
        return found

    def add(self, owner: Owner, value: Scalar, names: Iterable[str]) -> None:
        """Add names of a value."""
        held = self.names[owner].setdefault(str(value), [])
        held += [each for each in names if fold(each) and each not in held]

    def forms(self, owner: Owner, value: Scalar) -> list[str]:
        """Return the normalized names of a value, without its own form."""
        held = self.names[owner].get(str(value), ()) if owner in self.names else ()
        own = fold(str(value))
        return [form for form in dict.fromkeys(map(fold, held)) if form and form != own]

    def unused(self, known: Mapping[Owner, set[str]]) -> list[str]:
        """Return the values with names that a graph does not have, as `Label.property: value`."""
        return [
            f"{'.'.join(owner)}: {value}"
            for owner, values in self.names.items()
            for value in values
            if value not in known.get(owner, ())
        ]


def _entries(content: Any, path: Path, section: str) -> Iterator[tuple[Owner, Any]]:
    if content is None:
        return
    if not isinstance(content, dict):
        raise InputError(f"invalid aliases {path}: `{section}` must be a mapping by Label.property")
    for key, entry in content.items():
        owner, point, name = str(key).rpartition(".")
        if not point or not owner or not name:
            raise InputError(f"invalid aliases {path}: {section}.{key} is no Label.property")
        yield (owner, name), entry


def _names(content: Any, path: Path, where: str) -> list[str]:
    names = [content] if isinstance(content, str) else content
    if not isinstance(names, list) or not all(isinstance(each, str | int | float) for each in names):
        raise InputError(f"invalid aliases {path}: {where} must be a name or a list of names")
    too_long = next((each for each in names if len(str(each)) > MAX_NAME_CHARS), None)
    if too_long is not None:
        raise InputError(
            f"invalid aliases {path}: {where} has a name of more than {MAX_NAME_CHARS} characters"
        )
    return [str(each) for each in names]
