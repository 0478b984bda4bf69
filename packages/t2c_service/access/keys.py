"""API keys in a file: hashes, scopes, policies and limits. A key itself is shown once, when it is created.

A key is 256 random bits, so one fast hash is enough: there is nothing to guess that a slow one would protect.
Changes of the file are made under a lock file next to it and replace it atomically.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from graphling_io.outputs import OutputError, atomic_file
from t2c_core.guard.policy.policy import Policy
from t2c_service.access.principals import Principal
from t2c_service.access.rate_limits import RateLimiter
from t2c_service.errors import KeysError, RateLimitedError, UnauthenticatedError
from t2c_service.settings import Scope  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "gk"
FORMAT = 1
LOCK_TIMEOUT_S = 30
_ID = re.compile(rf"{PREFIX}_([0-9a-f]{{8}})_")


class KeyPermissions(BaseModel):
    """What an API key permits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80)
    scopes: tuple[Scope, ...] = ("query", "schema")
    databases: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    allow_missing: bool = False
    per_minute: int | None = Field(default=None, ge=1)
    concurrency: int | None = Field(default=None, ge=1)
    max_rows: int | None = Field(default=None, ge=1)
    timeout_s: float | None = Field(default=None, gt=0)
    expires: datetime | None = None

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise ValueError("expected printable characters")
        return name


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
            policy=Policy(hidden=frozenset(grant.hidden), allow_missing=grant.allow_missing),
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
        with self._exclusive():
            key_id = next(each for _ in range(100) if (each := secrets.token_hex(4)) not in self._records)
            record = KeyRecord(id=key_id, sha256=_hash(secret), created=datetime.now(UTC), grant=grant)
            self._write({**self._records, key_id: record})
        return f"{PREFIX}_{key_id}_{secret}", record

    def revoke(self, key_id: str) -> KeyRecord:
        """Revoke a key; its record stays in the file.

        Raises:
            KeysError: The file has no key of this id.
        """
        with self._exclusive():
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

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the file alone, among threads and processes, with its present content loaded."""
        if self._path.is_dir():
            raise KeysError(f"{self._path} is a folder; expected a file of API keys")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, FileLock(f"{self._path}.lock", timeout=LOCK_TIMEOUT_S, mode=0o600):
                self._load()
                yield
        except OSError as error:  # filelock's Timeout is one
            raise KeysError(f"cannot write the API keys {self._path}: {error}") from error

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
        try:
            with atomic_file(self._path) as temporary:
                temporary.touch(mode=0o600)
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        except OutputError as error:
            raise KeysError(f"cannot write the API keys {self._path}: {error}") from error
        self._signature, self._records = _signature(self._path), records


class Authenticator:
    """Authenticates requests.

    Args:
        keys: API keys; no key is required if None.
        anonymous: Scopes of requests without a key, where keys exist.
        invalid_keys_per_minute: Maximum number of invalid keys per minute and client address that are not throttled.
            Each replica counts its own.
    """

    def __init__(
        self, keys: KeyStore | None, anonymous: tuple[Scope, ...] = (), *, invalid_keys_per_minute: int = 10
    ) -> None:
        self._keys = keys
        nobody = Principal(name="anonymous", subject="anonymous")
        self._anonymous = nobody if keys is None else replace(nobody, scopes=frozenset(anonymous))
        self._invalid_keys = RateLimiter()
        self._invalid_keys_per_minute = invalid_keys_per_minute

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
            RateLimitedError: The address has sent too many invalid keys.
        """
        token = token_of(authorization, api_key)
        if self._keys is None or token is None:
            return replace(self._anonymous, subject=f"address:{address}" if address else "anonymous")
        try:
            return self._keys.authenticate(token)
        except UnauthenticatedError:
            wait_s = self._invalid_keys.count(address, self._invalid_keys_per_minute)
            if wait_s:
                raise RateLimitedError(
                    f"at most {self._invalid_keys_per_minute} invalid API keys per minute are answered",
                    retry_after_s=wait_s,
                ) from None
            raise


def token_of(authorization: str | None, api_key: str | None) -> str | None:
    """Return the API key of a request's headers, if there is one."""
    if api_key is not None or authorization is None:
        return api_key
    scheme, _, rest = authorization.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else None


def claimed_id(token: str) -> str | None:
    """Return the id that a key claims to have, whether it is valid or not."""
    match = _ID.match(token)
    return match[1] if match else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _signature(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
