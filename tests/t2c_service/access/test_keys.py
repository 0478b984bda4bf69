"""API keys: what is kept of them, who they stand for, and when they stop being good."""

from __future__ import annotations

import contextlib
import errno
import json
import secrets
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from t2c_service.access.keys import Authenticator, KeyPermissions, KeyStore
from t2c_service.access.principals import ALL_SCOPES
from t2c_service.errors import (
    ForbiddenError,
    KeysError,
    UnauthenticatedError,
)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.json")


def test_a_key_stands_for_its_grant(store: KeyStore) -> None:
    grant = KeyPermissions(
        name="ward", scopes=("query",), databases=("two",), hidden=("Patient.name",), per_minute=5
    )
    key, record = store.create(grant)
    caller = store.authenticate(key)
    assert (caller.name, caller.key_id, caller.scopes) == ("ward", record.id, frozenset({"query"}))
    assert caller.policy.hidden == {"Patient.name"}
    assert (caller.per_minute, caller.databases) == (5, frozenset({"two"}))
    caller.require("query")
    with pytest.raises(ForbiddenError, match="has scopes query, not 'cypher'"):
        caller.require("cypher")


def test_only_a_hash_is_kept_and_the_file_is_the_owners(store: KeyStore, tmp_path: Path) -> None:
    key, _ = store.create(KeyPermissions(name="ward"))
    file = tmp_path / "keys.json"
    secret = key.split("_", 2)[2]
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1],
        lambda key: key + "x",
        lambda key: key.replace("gk_", "sk_"),
        lambda key: "gk_00000000_" + key.split("_", 2)[2],
        lambda _: "",
        lambda _: "gk__",
        lambda _: "\ud800",
    ],
)
def test_what_is_nearly_a_key_is_none(store: KeyStore, change: object) -> None:
    key, _ = store.create(KeyPermissions(name="ward"))
    with pytest.raises(UnauthenticatedError):
        store.authenticate(change(key))  # type: ignore[operator]


def test_revoked_and_expired_keys_are_not_good(store: KeyStore, tmp_path: Path) -> None:
    key, record = store.create(KeyPermissions(name="ward"))
    old, _ = store.create(KeyPermissions(name="old", expires=datetime.now(UTC) - timedelta(seconds=1)))
    KeyStore(tmp_path / "keys.json").revoke(record.id)  # another process
    for each in (key, old):
        with pytest.raises(UnauthenticatedError):
            store.authenticate(each)
    assert [each.grant.name for each in store.records()] == ["ward", "old"]


def test_an_unknown_key_cannot_be_revoked(store: KeyStore) -> None:
    with pytest.raises(KeysError, match="has no key 'abc'"):
        store.revoke("abc")


@pytest.mark.parametrize("content", ["", "[]", '{"keys": [{"id": "x"}]}', '{"format": 9, "keys": []}', "\0"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(KeysError, match=r"keys\.json"):
        KeyStore(file)


def test_without_keys_everybody_may_do_everything() -> None:
    caller = Authenticator(None).authenticate("Bearer whatever", address="10.0.0.1")
    assert (caller.scopes, caller.subject) == (ALL_SCOPES, "address:10.0.0.1")


def test_with_keys_nobody_may_do_anything_without_one(store: KeyStore) -> None:
    authenticator = Authenticator(store)
    with pytest.raises(UnauthenticatedError, match="scope 'query' is required"):
        authenticator.authenticate(address="10.0.0.1").require("query")
    Authenticator(store, ("query",)).authenticate().require("query")


def test_a_key_is_taken_from_either_header(store: KeyStore) -> None:
    key, _ = store.create(KeyPermissions(name="ward"))
    authenticator = Authenticator(store)
    assert authenticator.authenticate(f"Bearer {key}").name == "ward"
    assert authenticator.authenticate(f"bearer  {key}").name == "ward"
    assert authenticator.authenticate(api_key=key).name == "ward"
    assert authenticator.authenticate(f"Basic {key}").name == "anonymous"


def test_the_file_can_be_read_by_other_programs(store: KeyStore, tmp_path: Path) -> None:
    store.create(KeyPermissions(name="ward"))
    content = json.loads((tmp_path / "keys.json").read_text())
    assert content["format"] == 1
    assert content["keys"][0]["grant"]["scopes"] == ["query", "schema"]


def test_a_create_beside_a_revoke_brings_no_key_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process revokes a key between the read and the write of a create."""
    file = tmp_path / "keys.json"
    store = KeyStore(file)
    old, record = store.create(KeyPermissions(name="old"))
    command = [Path(sys.executable).with_name("t2c-service"), "keys", "revoke", record.id, "--file", file]
    other: list[subprocess.Popen[bytes]] = []
    token_hex = secrets.token_hex

    def interrupted(size: int) -> str:
        other.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        with contextlib.suppress(subprocess.TimeoutExpired):
            other[-1].wait(5)
        return token_hex(size)

    monkeypatch.setattr("t2c_service.access.keys.secrets.token_hex", interrupted)
    store.create(KeyPermissions(name="new"))
    assert [each.wait(30) for each in other] == [0]
    with pytest.raises(UnauthenticatedError):
        store.authenticate(old)
    assert {each.grant.name for each in KeyStore(file).records()} == {"old", "new"}


def test_many_creates_at_once_lose_no_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda number: KeyStore(file).create(KeyPermissions(name=f"k{number}")), range(24))
        )
    assert {each.id for each in KeyStore(file).records()} == {record.id for _, record in made}


def test_a_torn_file_is_one_clear_error_and_nothing_is_overwritten(store: KeyStore, tmp_path: Path) -> None:
    key, _ = store.create(KeyPermissions(name="ward"))
    file = tmp_path / "keys.json"
    torn = file.read_text()[:-40]
    file.write_text(torn)
    for action in (
        lambda: KeyStore(file),
        lambda: store.create(KeyPermissions(name="x")),
        lambda: store.authenticate(key),
    ):
        with pytest.raises(KeysError, match=r"keys\.json.*invalid file of API keys"):
            action()
    assert file.read_text() == torn


def test_a_failed_write_leaves_the_file_as_it_was(
    store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(KeyPermissions(name="ward"))
    before = (tmp_path / "keys.json").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(KeysError, match="No space left"):
        store.create(KeyPermissions(name="x"))
    assert (tmp_path / "keys.json").read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} <= {"keys.json", "keys.json.lock"}


@pytest.mark.parametrize("name", ["\x00", "a\nb", "x" * 81, "  "])
def test_names_that_would_break_a_log_line_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        KeyPermissions(name=name)
