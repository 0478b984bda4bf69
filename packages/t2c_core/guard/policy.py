"""What must never be seen: labels, relationship types and properties that a policy file hides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.errors import PolicyError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Names that neither snapshots nor prompts, pairs or answers may hold."""

    hidden: frozenset[str] = frozenset()
    """`Label`, `TYPE`, `Label.property` or `TYPE.property`."""

    def hides(self, owner: str, name: str | None = None) -> bool:
        """Tell whether a label or type, or a property of it, is hidden."""
        return owner in self.hidden or (name is not None and f"{owner}.{name}" in self.hidden)

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a policy from YAML: `hidden: [Patient.name, Note]`.

        Raises:
            PolicyError: the file is not there, or says something else.
        """
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise PolicyError(f"cannot read the policy {path}: {error}") from error
        if not isinstance(content, dict) or set(content) - {"hidden"}:
            raise PolicyError(
                f"{path}: want one key, `hidden`, a list of Label, TYPE, Label.property or TYPE.property"
            )
        hidden = content.get("hidden") or []
        if not isinstance(hidden, list) or not all(isinstance(each, str) for each in hidden):
            raise PolicyError(f"{path}: `hidden` must be a list of names, for instance [Patient.name, Note]")
        return cls(hidden=frozenset(hidden))
