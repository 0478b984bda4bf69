"""Findings of the validators, with stable reason codes, and the validation result of a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Validator = Literal["grammar", "schema", "entity", "semantic", "coherence"]
VALIDATORS: tuple[Validator, ...] = ("grammar", "schema", "entity", "semantic", "coherence")

INCONCLUSIVE = frozenset({"entity.absent", "coherence.empty", "coherence.null", "coherence.zero"})
"""Codes of findings that do not show an error, only that this graph cannot show that the query is correct."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason to reject a pair."""

    code: str
    """`validator.reason`."""
    detail: str
    """Description for people."""

    @property
    def validator(self) -> str:
        """Name of the validator."""
        return self.code.partition(".")[0]

    @property
    def is_error(self) -> bool:
        """Whether question and query do not match, rather than that nothing shows that they do."""
        return self.code not in INCONCLUSIVE


@dataclass(frozen=True)
class ValidationResult:
    """Findings of all validators on one pair."""

    findings: tuple[Finding, ...]

    @property
    def is_error(self) -> bool:
        """Whether any finding shows an error."""
        return any(finding.is_error for finding in self.findings)

    def to_row(self, *, keep_inconclusive: bool) -> dict[str, Any]:
        """Return the fields that a validated row has in addition to those of the pair.

        Args:
            keep_inconclusive: whether to keep pairs without an error that this graph cannot show to be correct.
        """
        reasons = list(dict.fromkeys(finding.code for finding in self.findings))
        return {
            "keep": not (self.is_error if keep_inconclusive else self.findings),
            "reasons": reasons,
            "checks": {
                name: not any(finding.validator == name for finding in self.findings) for name in VALIDATORS
            },
            "details": [finding.detail for finding in self.findings],
        }
