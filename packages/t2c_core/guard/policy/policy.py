"""Policy file: hidden names, additional functions and procedures, row limit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.errors import PolicyError

if TYPE_CHECKING:
    from pathlib import Path

_ALIASES = {"functions": "allowed_functions", "procedures": "allowed_procedures"}
"""Deprecated keys of a policy file with their current names."""
_LISTS = ("hidden", "allowed_functions", "allowed_procedures")
_KEYS = (*_LISTS, "max_rows", "allow_missing")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a policy hides and allows."""

    hidden: frozenset[str] = frozenset()
    """`Label`, `TYPE`, `Label.property` or `TYPE.property`: not in any snapshot, prompt, pair or answer."""
    allowed_functions: frozenset[str] = frozenset()
    """Functions allowed in addition to the allowlist, in lower case, for example `apoc.text.join`."""
    allowed_procedures: frozenset[str] = frozenset()
    """Procedures allowed, in lower case; none by default. Their results are not checked."""
    max_rows: int = 1000
    """Maximum number of rows to return. A query without LIMIT gets this limit plus one, which shows a truncation."""
    allow_missing: bool = False
    """Whether `hidden` may list names that the graph does not have (yet)."""

    def hides(self, label_or_type: str, key: str | None = None) -> bool:
        """Return whether a label or type, or one of its properties, is listed as hidden."""
        return label_or_type in self.hidden or (key is not None and f"{label_or_type}.{key}" in self.hidden)

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a policy from a YAML file.

        Raises:
            PolicyError: The file is missing or is not a policy.
        """
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise PolicyError(f"cannot read policy {path}: {error}") from error
        if not isinstance(content, dict):
            raise PolicyError(f"invalid policy {path}: expected a mapping with the keys {', '.join(_KEYS)}")
        for old, new in _ALIASES.items():
            if old in content:
                message = f"{path}: the policy key `{old}` is deprecated; use `{new}`"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                content[new] = [*(content.get(new) or ()), *(content.pop(old) or ())]
        return cls(**_checked(content, path))


def _checked(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Check the values of a policy file."""
    unknown = [str(key) for key in content if key not in _KEYS]
    if unknown:
        raise PolicyError(
            f"invalid policy {path}: unknown key {', '.join(unknown)}; expected {', '.join(_KEYS)}"
        )
    for key in _LISTS:
        names = content.get(key) or []
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise PolicyError(f"invalid policy {path}: `{key}` is {names!r}; expected a list of names")
        content[key] = frozenset(names if key == "hidden" else map(str.lower, names))
    rows = content.get("max_rows", Policy.max_rows)
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
        raise PolicyError(f"invalid policy {path}: `max_rows` is {rows!r}; expected an integer of at least 1")
    if not isinstance(content.get("allow_missing", False), bool):
        raise PolicyError(f"invalid policy {path}: `allow_missing` must be true or false")
    return content
