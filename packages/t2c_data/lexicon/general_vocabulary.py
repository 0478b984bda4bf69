"""What people say of things that many graphs have: `vocabulary.yaml`, read once. Drafts nothing (see `drafting`)."""

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
    """What else is said for a noun."""
    properties: list[dict[str, Any]]
    """Words for what a property is called, in order of preference."""
    units: dict[str, tuple[str, ...]]
    """What the last word of a name says that a number is measured in."""


@cache
def vocabulary() -> Vocabulary:
    """Read the file."""
    content = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return Vocabulary(
        {first: tuple(rest) for first, *rest in content["synonyms"]},
        content["properties"],
        {last: tuple(said) for last, said in content["units"].items()},
    )
