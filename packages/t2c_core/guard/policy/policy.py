"""What a policy file says: what must never be seen, what may be called besides, how many rows are given out.

How that is enforced on a query stands in `hiding`, `allow` and `cost`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.errors import PolicyError

if TYPE_CHECKING:
    from pathlib import Path

_LISTS = ("hidden", "functions", "procedures")
_KEYS = frozenset({*_LISTS, "max_rows"})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is hidden and allowed."""

    hidden: frozenset[str] = frozenset()
    """`Label`, `TYPE`, `Label.property` or `TYPE.property`: in no snapshot, prompt, pair or answer."""
    functions: frozenset[str] = frozenset()
    """Functions allowed besides Cypher's own, in small letters, for instance `apoc.text.join`."""
    procedures: frozenset[str] = frozenset()
    """Procedures allowed, in small letters; none by default. What they give out is not looked into."""
    max_rows: int = 1000
    """Rows of a result; a query without LIMIT gets one that is higher by one, so that a cut shows."""

    def hides(self, owner: str, name: str | None = None) -> bool:
        """Tell whether a label or type, or a property of it, is hidden."""
        return owner in self.hidden or (name is not None and f"{owner}.{name}" in self.hidden)

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a policy from YAML: `hidden: [Patient.name, Note]`, and perhaps `functions`, `procedures`, `max_rows`.

        Raises:
            PolicyError: the file is not there, or says something else.
        """
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise PolicyError(f"cannot read the policy {path}: {error}") from error
        if not isinstance(content, dict) or set(content) - _KEYS:
            raise PolicyError(
                f"{path}: want `hidden`, a list of Label, TYPE, Label.property or TYPE.property, and perhaps "
                "`functions`, `procedures` and `max_rows`"
            )
        found: dict[str, frozenset[str]] = {}
        for key in _LISTS:
            names = content.get(key) or []
            if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
                raise PolicyError(f"{path}: the policy's `{key}` must be a list of names")
            found[key] = frozenset(names if key == "hidden" else map(str.lower, names))
        rows = content.get("max_rows", cls.max_rows)
        if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
            raise PolicyError(f"{path}: the policy's `max_rows` must be a whole number from 1, not {rows!r}")
        return cls(**found, max_rows=rows)
