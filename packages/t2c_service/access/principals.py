"""Who asks: a caller with scopes, databases, a policy and limits. Holds no keys (see `keys`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from t2c_core.guard.policy.policy import Policy
from t2c_service.errors import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_service.settings import Scope

ALL_SCOPES: frozenset[Scope] = frozenset({"query", "cypher", "schema", "metrics"})


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Someone who may do some things."""

    name: str
    subject: str
    """What their questions are counted under."""
    key_id: str | None = None
    scopes: frozenset[Scope] = ALL_SCOPES
    databases: frozenset[str] | None = None
    """None: all."""
    policy: Policy = field(default_factory=Policy)
    """What they may not see, besides what nobody may."""
    per_minute: int | None = None
    concurrency: int | None = None
    max_rows: int | None = None
    timeout_s: float | None = None

    def require(self, scope: Scope) -> None:
        """Make sure that they may do something.

        Raises:
            UnauthenticatedError: not without a key.
            ForbiddenError: their key is not for that.
        """
        if scope in self.scopes:
            return
        if self.key_id is None:
            raise UnauthenticatedError(
                f"a key with scope {scope!r} is needed; send it as `Authorization: Bearer …` or `X-API-Key`"
            )
        raise ForbiddenError(f"the key {self.name!r} has scopes {_listed(self.scopes)}, not {scope!r}")


LOCAL_ADMIN = Principal(name="owner", subject="owner")
"""Whoever runs the command line: the settings are theirs."""


def unknown_database(database: str, known: Iterable[str]) -> str:
    """Say that a database is not there."""
    return f"there is no database {database[:80]!r}; there is {_listed(known) or 'none'}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
