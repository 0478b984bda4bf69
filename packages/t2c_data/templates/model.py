"""Patterns of questions as data: what is asked, the query with holes, and ways to say it.

Reads the YAML files under `templates/`. Holds no graph; `composition` fills patterns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.errors import TemplateError

if TYPE_CHECKING:
    from random import Random

TEMPLATES = Path(__file__).parent
_CHOICE = re.compile(r"\(([^()]*)\)")
_MACRO = re.compile(r"\$([a-z]+)")


@dataclass(frozen=True, kw_only=True)
class QuestionTemplate:
    """One kind of question."""

    id: str
    category: str
    difficulty: int
    cypher: str
    """The query with holes: `{match}`, `{root}`, `{count}` and the slots."""
    say: tuple[str, ...]
    """Wordings: `(a|b)` chooses, `{...}` are holes, macros are already replaced."""
    weight: float = 1.0
    conditions: tuple[int, int] = (0, 0)
    """Fewest and most conditions on the root."""
    slots: dict[str, str] = field(default_factory=dict)
    """What is returned, by name."""
    where: str = ""
    """A further condition, with holes."""
    known: tuple[str, ...] = ()
    """Slots that must not be null."""
    unique: float = 0.0
    """How often the root is one single node."""
    absent: int = 0
    """How many links the root must lack."""
    degree: int = 0
    """How many conditions count links."""
    twin: bool = False
    """Whether the root has two named neighbours of the same kind."""
    split: bool = False
    """Whether one condition is said apart from the others."""
    named: bool = False
    """Whether the root is named by its key."""
    untrue: float = 0.0
    """How often a value is exchanged, so that the answer may be no."""


def load_templates(folder: Path = TEMPLATES) -> tuple[QuestionTemplate, ...]:
    """Read all patterns of a folder.

    Raises:
        TemplateError: a file is no such YAML, or two patterns share an id.
    """
    found: dict[str, QuestionTemplate] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            macros = content.get("macros", {})
            for entry in content["patterns"]:
                pattern = _pattern(entry, macros)
                if pattern.id in found:
                    raise TemplateError(f"{path.name}: two patterns have the id {pattern.id}; rename one")
                found[pattern.id] = pattern
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise TemplateError(f"{path.name}: not a file of patterns ({error!r})") from error
    if not found:
        raise TemplateError(f"no patterns in {folder}")
    return tuple(found.values())


def _pattern(entry: dict[str, Any], macros: dict[str, str]) -> QuestionTemplate:
    fields = dict(entry)
    low, _, high = str(fields.pop("conditions", "0")).partition("-")
    fields["conditions"] = (int(low), int(high or low))
    fields["say"] = tuple(_MACRO.sub(lambda match: macros[match[1]], each) for each in fields["say"])
    fields["known"] = tuple(fields.get("known", ()))
    return QuestionTemplate(**fields)


def expand_alternatives(text: str, rng: Random) -> str:
    """Choose in every `(a|b)`, innermost first."""
    while match := _CHOICE.search(text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    return text


def parse_placeholder(hole: str) -> tuple[str, str, bool]:
    """Split a hole of a wording into slot, mode and number: `a.role+` gives `a`, `.role`, plural.

    Raises:
        TemplateError: it is no hole.
    """
    match = re.fullmatch(r"([a-z]+)(.*?)(\+?)", hole)
    if match is None:
        raise TemplateError(f"no hole {{{hole}}}")
    return match[1], match[2], bool(match[3])


@cache
def count_variants(text: str) -> int:
    """Count the texts that the choices of a wording allow."""
    total = 1
    while match := _CHOICE.search(text):
        total *= match[1].count("|") + 1
        text = text[: match.start()] + text[match.end() :]
    return total
