"""Question templates: the YAML files of this folder as data."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from t2c_data.errors import TemplateError

if TYPE_CHECKING:
    from random import Random

TEMPLATES = Path(__file__).parent
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_MACRO = re.compile(r"\$([a-z]+)")
_DEPRECATED = {
    "say": "questions", "known": "not_null", "absent": "negated_relationships", "degree": "count_conditions",
    "twin": "coordinated_neighbours", "split": "separate_condition", "named": "root_named", "untrue": "false_rate",
    "unique": "single_root_rate",
}  # fmt: skip
"""Former names of fields and the present ones."""


@dataclass(frozen=True, kw_only=True)
class QuestionTemplate:
    """One kind of question."""

    id: str
    category: str
    difficulty: int
    cypher: str
    """The query with placeholders: `{match}`, `{root}`, `{count}` and the slots."""
    questions: tuple[str, ...]
    """Wordings: `(a|b)` are alternatives, `{...}` placeholders; macros are expanded."""
    weight: float = 1.0
    conditions: tuple[int, int] = (0, 0)
    """Minimum and maximum number of conditions on the root."""
    slots: dict[str, str] = field(default_factory=dict)
    """Kinds of slots, by name."""
    where: str = ""
    """A further condition, with placeholders."""
    not_null: tuple[str, ...] = ()
    """Slots that must not be null."""
    single_root_rate: float = 0.0
    """How often the root is one identified node."""
    negated_relationships: int = 0
    """Number of relationships that the root must not have."""
    count_conditions: int = 0
    """Number of conditions that count neighbours."""
    coordinated_neighbours: bool = False
    """Whether the root has two named neighbours over the same hop."""
    separate_condition: bool = False
    """Whether one condition is verbalised separately."""
    root_named: bool = False
    """Whether the root is named."""
    false_rate: float = 0.0
    """How often a value is replaced, so that the answer may be no."""


def load_templates(folder: Path = TEMPLATES) -> tuple[QuestionTemplate, ...]:
    """Read all templates of a folder.

    Raises:
        TemplateError: a file is not valid, or two templates share an id.
    """
    found: dict[str, QuestionTemplate] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            if "patterns" in content:
                _warn(path, "patterns", "templates")
            for entry in content["patterns" if "patterns" in content else "templates"]:
                template = _template(entry, content.get("macros", {}), path)
                if template.id in found:
                    raise TemplateError(f"{path.name}: duplicate template id {template.id}; rename one")
                found[template.id] = template
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise TemplateError(f"{path.name}: invalid template file ({error!r})") from error
    if not found:
        raise TemplateError(f"no templates in {folder}")
    return tuple(found.values())


def _template(entry: dict[str, Any], macros: dict[str, str], path: Path) -> QuestionTemplate:
    fields = {}
    for key, value in entry.items():
        if key in _DEPRECATED:
            _warn(path, key, _DEPRECATED[key])
        fields[_DEPRECATED.get(key, key)] = value
    low, _, high = str(fields.pop("conditions", "0")).partition("-")
    fields["conditions"] = (int(low), int(high or low))
    fields["questions"] = tuple(
        _MACRO.sub(lambda match: macros[match[1]], each) for each in fields["questions"]
    )
    fields["not_null"] = tuple(fields.get("not_null", ()))
    return QuestionTemplate(**fields)


def _warn(path: Path, old: str, new: str) -> None:
    message = f"{path}: template field {old!r} is deprecated, use {new!r}"
    warnings.warn(message, FutureWarning, stacklevel=4)


def expand_alternatives(text: str, rng: Random) -> str:
    """Choose one of each `(a|b)`, innermost first."""
    while match := _ALTERNATIVES.search(text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    return text


def parse_placeholder(placeholder: str) -> tuple[str, str, bool]:
    """Split a placeholder into slot, format and number: `a.role+` gives `a`, `.role`, plural.

    Raises:
        TemplateError: the text is not a placeholder.
    """
    match = re.fullmatch(r"([a-z]+)(.*?)(\+?)", placeholder)
    if match is None:
        raise TemplateError(f"invalid placeholder {{{placeholder}}}")
    return match[1], match[2], bool(match[3])


@cache
def count_variants(text: str) -> int:
    """Return the number of texts that the alternatives of a wording allow."""
    total = 1
    while match := _ALTERNATIVES.search(text):
        total *= match[1].count("|") + 1
        text = text[: match.start()] + text[match.end() :]
    return total
