"""Words for things that many graphs have, read from `general_vocabulary.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_name("general_vocabulary.yaml")


@dataclass(frozen=True)
class Vocabulary:
    """The content of the file."""

    synonyms: dict[str, tuple[str, ...]]
    """By noun."""
    properties: list[dict[str, Any]]
    """Lexicon fields by names of properties, in order of preference."""
    units: dict[str, tuple[str, ...]]
    """Units of measurement by the last word of a property's name."""


@cache
def vocabulary() -> Vocabulary:
    """Read the file."""
    content = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return Vocabulary(
        {first: tuple(rest) for first, *rest in content["synonyms"]},
        content["properties"],
        {last: tuple(units) for last, units in content["units"].items()},
    )
