"""Principals: authenticated identities with scopes, databases, a policy and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from t2c_core.guard.policy.policy import Policy
from t2c_service.errors import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from t2c_service.settings import Scope

ALL_SCOPES: frozenset[Scope] = frozenset({"query", "cypher", "schema", "metrics"})


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The identity behind a request, and what it is allowed to do."""

    name: str
    subject: str
    """Name under which its requests are counted."""
    key_id: str | None = None
    scopes: frozenset[Scope] = ALL_SCOPES
    databases: frozenset[str] | None = None
    """Names of the databases it has access to; all if None."""
    policy: Policy = field(default_factory=Policy)
    """Hidden names, in addition to those of the database's policy."""
    per_minute: int | None = None
    concurrency: int | None = None
    max_rows: int | None = None
    timeout_s: float | None = None

    def require(self, scope: Scope) -> None:
        """Check that the principal has a scope.

        Raises:
            UnauthenticatedError: The scope needs an API key and there is none.
            ForbiddenError: The API key lacks the scope.
        """
        if scope in self.scopes:
            return
        if self.key_id is None:
            raise UnauthenticatedError(
                f"an API key with scope {scope!r} is required; send it as `Authorization: Bearer …` or `X-API-Key`"
            )
        raise ForbiddenError(
            f"the API key {self.name!r} has scopes {', '.join(sorted(self.scopes))}, not {scope!r}"
        )


LOCAL_ADMIN = Principal(name="owner", subject="owner")
"""The user of the command line, who also owns the settings."""
