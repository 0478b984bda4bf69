"""API keys in a file: hashes, scopes, policies and limits. A key itself is shown once, when it is created.

A key is 256 random bits, so one fast hash is enough: there is nothing to guess that a slow one would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2c_core.guard.policy.policy import Policy
from t2c_service.access.principals import Principal
from t2c_service.errors import KeysError, UnauthenticatedError
from t2c_service.settings import Scope  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "gk"
FORMAT = 1


class KeyPermissions(BaseModel):
    """What an API key permits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80)
    scopes: tuple[Scope, ...] = ("query", "schema")
    databases: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    per_minute: int | None = Field(default=None, ge=1)
    concurrency: int | None = Field(default=None, ge=1)
    max_rows: int | None = Field(default=None, ge=1)
    timeout_s: float | None = Field(default=None, gt=0)
    expires: datetime | None = None


class KeyRecord(BaseModel):
    """The file's entry for one API key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created: datetime
    revoked: datetime | None = None
    grant: KeyPermissions

    def is_active(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked is None and (self.grant.expires is None or now < self.grant.expires)

    def principal(self) -> Principal:
        """Return the principal that the key authenticates."""
        grant = self.grant
        return Principal(
            name=grant.name,
            subject=f"key:{self.id}",
            key_id=self.id,
            scopes=frozenset(grant.scopes),
            databases=None if grant.databases is None else frozenset(grant.databases),
            policy=Policy(hidden=frozenset(grant.hidden)),
            per_minute=grant.per_minute,
            concurrency=grant.concurrency,
            max_rows=grant.max_rows,
            timeout_s=grant.timeout_s,
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    keys: tuple[KeyRecord, ...] = ()


class KeyStore:
    """The API keys of a file; a change of the file takes effect with the next request.

    Args:
        file: JSON file; it need not exist yet.

    Raises:
        KeysError: The file is not a valid file of API keys.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._lock = threading.Lock()
        self._signature: tuple[int, int] | None = None
        self._records: dict[str, KeyRecord] = {}
        self._refresh()

    def authenticate(self, token: str) -> Principal:
        """Return the principal of an API key.

        Raises:
            UnauthenticatedError: The key is unknown, revoked or expired; the message does not say which.
        """
        self._refresh()
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        record = self._records.get(key_id)
        expected = record.sha256 if record else "0" * 64
        matches = hmac.compare_digest(_hash(secret), expected)
        if prefix != PREFIX or record is None or not matches or not record.is_active(datetime.now(UTC)):
            raise UnauthenticatedError(
                "invalid API key: unknown, revoked or expired; create one with `t2c-service keys create`"
            )
        return record.principal()

    def create(self, grant: KeyPermissions) -> tuple[str, KeyRecord]:
        """Create a key.

        Returns:
            The key, which is stored nowhere, and its record.
        """
        secret = secrets.token_urlsafe(32)
        with self._lock:
            self._load()
            key_id = next(each for _ in range(100) if (each := secrets.token_hex(4)) not in self._records)
            record = KeyRecord(id=key_id, sha256=_hash(secret), created=datetime.now(UTC), grant=grant)
            self._write({**self._records, key_id: record})
        return f"{PREFIX}_{key_id}_{secret}", record

    def revoke(self, key_id: str) -> KeyRecord:
        """Revoke a key; its record stays in the file.

        Raises:
            KeysError: The file has no key of this id.
        """
        with self._lock:
            self._load()
            record = self._records.get(key_id)
            if record is None:
                raise KeysError(f"{self._path} has no key {key_id!r}; see `t2c-service keys list`")
            revoked = record.model_copy(update={"revoked": record.revoked or datetime.now(UTC)})
            self._write({**self._records, key_id: revoked})
        return revoked

    def records(self) -> tuple[KeyRecord, ...]:
        """Return all records, oldest first."""
        self._refresh()
        return tuple(self._records.values())

    def _refresh(self) -> None:
        if _signature(self._path) != self._signature:
            with self._lock:
                self._load()

    def _load(self) -> None:
        signature = _signature(self._path)
        if signature is None:
            self._signature, self._records = None, {}
            return
        try:
            content = _File.model_validate_json(self._path.read_bytes())
        except OSError as error:
            raise KeysError(f"cannot read the API keys {self._path}: {error}") from error
        except ValidationError as error:
            places = "; ".join(".".join(map(str, each["loc"])) or each["type"] for each in error.errors()[:3])
            raise KeysError(
                f"{self._path}: invalid file of API keys ({places}); `t2c-service keys` writes a valid one"
            ) from None
        if content.format != FORMAT:
            raise KeysError(f"{self._path}: unsupported format {content.format}; expected {FORMAT}")
        self._signature, self._records = signature, {each.id: each for each in content.keys}

    def _write(self, records: dict[str, KeyRecord]) -> None:
        content = _File(keys=tuple(records.values())).model_dump(mode="json")
        temporary = self._path.with_name(self._path.name + ".tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(content, indent=1) + "\n")
            temporary.replace(self._path)
        except OSError as error:
            raise KeysError(f"cannot write the API keys {self._path}: {error}") from error
        self._signature, self._records = _signature(self._path), records


class Authenticator:
    """Authenticates requests.

    Args:
        keys: API keys; no key is required if None.
        anonymous: Scopes of requests without a key, where keys exist.
    """

    def __init__(self, keys: KeyStore | None, anonymous: tuple[Scope, ...] = ()) -> None:
        self._keys = keys
        nobody = Principal(name="anonymous", subject="anonymous")
        self._anonymous = nobody if keys is None else replace(nobody, scopes=frozenset(anonymous))

    def authenticate(
        self, authorization: str | None = None, api_key: str | None = None, address: str = ""
    ) -> Principal:
        """Return the principal of a request.

        Args:
            authorization: Value of the header `Authorization`.
            api_key: Value of the header `X-API-Key`.
            address: Address of the client.

        Raises:
            UnauthenticatedError: The request has an invalid key.
        """
        token = api_key
        if token is None and authorization is not None:
            scheme, _, rest = authorization.strip().partition(" ")
            token = rest.strip() if scheme.lower() == "bearer" else None
        if self._keys is None or token is None:
            return replace(self._anonymous, subject=f"address:{address}" if address else "anonymous")
        return self._keys.authenticate(token)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _signature(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
