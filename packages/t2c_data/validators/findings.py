"""What validators say: findings with stable reason codes, and the verdict on a pair. Holds no check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Validator = Literal["grammar", "schema", "entity", "semantic", "coherence"]
VALIDATORS: tuple[Validator, ...] = ("grammar", "schema", "entity", "semantic", "coherence")

INCONCLUSIVE = frozenset({"entity.absent", "coherence.empty", "coherence.null", "coherence.zero"})
"""Codes that do not say that the query is wrong, only that this graph does not show that it is right."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that speaks against a pair."""

    code: str
    """`validator.reason`."""
    detail: str
    """What exactly, for a person."""

    @property
    def validator(self) -> str:
        """The validator that found it."""
        return self.code.partition(".")[0]

    @property
    def is_error(self) -> bool:
        """Whether it says that question and query do not belong together, rather than that nothing proves it."""
        return self.code not in INCONCLUSIVE


@dataclass(frozen=True)
class ValidationResult:
    """What all validators say of one pair."""

    findings: tuple[Finding, ...]

    @property
    def is_error(self) -> bool:
        """Whether any finding says that the pair is wrong."""
        return any(finding.is_error for finding in self.findings)

    def to_row(self, *, unproven: bool) -> dict[str, Any]:
        """Give the fields that a validated row has beside those of the pair.

        Args:
            unproven: whether to keep pairs that this graph does not prove, such as those with an empty answer.
        """
        reasons = list(dict.fromkeys(finding.code for finding in self.findings))
        return {
            "keep": not (self.is_error if unproven else self.findings),
            "reasons": reasons,
            "checks": {
                name: not any(finding.validator == name for finding in self.findings) for name in VALIDATORS
            },
            "details": [finding.detail for finding in self.findings],
        }
