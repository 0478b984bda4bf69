"""`t2c-service keys`: create, list and revoke API keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

keys = App(
    name="keys",
    help="Create, list and revoke API keys. They are stored in the `access.keys_file` of the settings, or in --file.",
)

DEPRECATED_FLAGS = {"--days": "--expires-in-days"}
MAX_DAYS = 36500


@keys.command(name="create")
def create_key(  # noqa: PLR0913  (one per option)
    name: str,
    *,
    config: Path | None = None,
    file: Path | None = None,
    scope: tuple[Literal["query", "cypher", "schema", "metrics"], ...] = ("query", "schema"),
    database: tuple[str, ...] = (),
    hide: tuple[str, ...] = (),
    allow_missing: Annotated[bool, Parameter(negative=())] = False,
    per_minute: int | None = None,
    concurrency: int | None = None,
    max_rows: int | None = None,
    timeout_s: float | None = None,
    expires_in_days: Annotated[int | None, Parameter(name=("--expires-in-days", "--days"))] = None,
) -> int:
    """Create a key and print it as JSON. It is shown only once: the file holds its hash.

    Parameters
    ----------
    name
        Name of the key's owner or purpose; appears in the audit log.
    config
        YAML file of settings, which names the file of keys.
    file
        File of keys, instead of the one in the settings.
    scope
        Scopes of the key; repeat the option for each.
    database
        Databases that the key gives access to; repeat the option for each. All if not given.
    hide
        Hidden names: Label, TYPE, Label.property or TYPE.property; repeat the option for each. They are checked
        against the snapshots of the settings.
    allow_missing
        Accept hidden names that the graph does not have yet.
    per_minute
        Maximum number of questions per minute.
    concurrency
        Maximum number of concurrent questions.
    max_rows
        Maximum number of rows per answer.
    timeout_s
        Maximum number of seconds that a query runs.
    expires_in_days
        Number of days until the key expires, 1 to 36500. It does not expire if not given.
    """
    from datetime import UTC, datetime, timedelta

    from pydantic import ValidationError

    from t2c_service.access.keys import KeyPermissions, KeyStore
    from t2c_service.errors import KeysError

    if expires_in_days is not None and not 1 <= expires_in_days <= MAX_DAYS:
        raise KeysError(f"invalid --expires-in-days {expires_in_days}: expected 1 to {MAX_DAYS}")
    try:
        grant = KeyPermissions(
            name=name,
            scopes=scope,
            databases=database or None,
            hidden=hide,
            allow_missing=allow_missing,
            per_minute=per_minute,
            concurrency=concurrency,
            max_rows=max_rows,
            timeout_s=timeout_s,
            expires=None if expires_in_days is None else datetime.now(UTC) + timedelta(days=expires_in_days),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise KeysError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if hide and not allow_missing:
        _check_hidden_names(config, frozenset(hide), database)
    key, record = KeyStore(_file(config, file)).create(grant)
    _print_json({"key": key, **record.model_dump(mode="json", exclude={"sha256"})})
    return 0


@keys.command(name="list")
def list_keys(*, config: Path | None = None, file: Path | None = None) -> int:
    """Print all keys as JSON lines, without their secrets and hashes.

    Parameters
    ----------
    config
        YAML file of settings, which names the file of keys.
    file
        File of keys, instead of the one in the settings.
    """
    from t2c_service.access.keys import KeyStore

    for record in KeyStore(_file(config, file)).records():
        _print_json(record.model_dump(mode="json", exclude={"sha256"}))
    return 0


@keys.command(name="revoke")
def revoke_key(key_id: str, *, config: Path | None = None, file: Path | None = None) -> int:
    """Revoke a key. This takes effect with the next request.

    Parameters
    ----------
    key_id
        Id of the key, as printed by `list`.
    config
        YAML file of settings, which names the file of keys.
    file
        File of keys, instead of the one in the settings.
    """
    from t2c_service.access.keys import KeyStore

    record = KeyStore(_file(config, file)).revoke(key_id)
    _print_json(record.model_dump(mode="json", exclude={"sha256"}))
    return 0


def _check_hidden_names(config: Path | None, hidden: frozenset[str], databases: tuple[str, ...]) -> None:
    """Check hidden names against the snapshots that the settings name."""
    from t2c_core.errors import SnapshotError
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.guard.policy.visibility import check_names
    from t2c_core.schema.model import GraphSchema
    from t2c_service.settings_loader import load_snapshots

    snapshots = load_snapshots(config)
    if not snapshots:
        print(
            "t2c-service: no settings name a snapshot, so the hidden names are checked when the key is used",
            file=sys.stderr,
        )
    for name, folder in snapshots.items():
        if databases and name not in databases:
            continue
        try:
            schema = GraphSchema.load(folder)
        except SnapshotError as error:
            print(f"t2c-service: the hidden names are not checked: {error}", file=sys.stderr)
            continue
        check_names(Policy(hidden=hidden), schema)


def _file(config: Path | None, file: Path | None) -> Path:
    if file is not None:
        return file
    from t2c_service.errors import SettingsError
    from t2c_service.settings_loader import load_access_settings

    found = load_access_settings(config).keys_file
    if found is None:
        raise SettingsError(
            "no file of API keys: set `access.keys_file` (T2C_ACCESS__KEYS_FILE), or give --file"
        )
    return found


def _print_json(content: dict[str, object]) -> None:
    import json

    print(json.dumps(content, ensure_ascii=False))
