"""`t2c-service keys`: make, list and revoke API keys. A part of `t2c_service.cli`; what a key is stands in `keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cyclopts import App

keys = App(name="keys", help="Make, list and revoke API keys. The file is that of the settings, or --file.")


@keys.command(name="create")
def create_key(  # noqa: PLR0913  (one for each option)
    name: str,
    *,
    config: Path | None = None,
    file: Path | None = None,
    scope: tuple[Literal["query", "cypher", "schema", "metrics"], ...] = ("query", "schema"),
    database: tuple[str, ...] = (),
    hide: tuple[str, ...] = (),
    per_minute: int | None = None,
    concurrency: int | None = None,
    max_rows: int | None = None,
    timeout_s: float | None = None,
    days: int | None = None,
) -> int:
    """Make a key and print it as JSON, once: only its hash is kept.

    Parameters
    ----------
    name
        For whom or what it is; shown in the audit log.
    config
        YAML file of settings, which names the file of keys.
    file
        The file of keys, instead of the settings'.
    scope
        What it may do; give the option once for each.
    database
        The graph that it may ask, once for each; all without it.
    hide
        What it may not see: Label, TYPE, Label.property or TYPE.property, once for each.
    per_minute
        Most questions a minute.
    concurrency
        Most questions at once.
    max_rows
        Most rows of an answer.
    timeout_s
        Longest run of a query, in seconds.
    days
        How long it is good; for ever without it.
    """
    from datetime import UTC, datetime, timedelta

    from pydantic import ValidationError

    from t2c_service.access.keys import KeyPermissions, KeyStore
    from t2c_service.errors import KeysError

    try:
        grant = KeyPermissions(
            name=name,
            scopes=scope,
            databases=database or None,
            hidden=hide,
            per_minute=per_minute,
            concurrency=concurrency,
            max_rows=max_rows,
            timeout_s=timeout_s,
            expires=None if days is None else datetime.now(UTC) + timedelta(days=days),
        )
    except ValidationError as error:
        flaw = error.errors()[0]
        raise KeysError(f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}") from None
    key, record = KeyStore(_file(config, file)).create(grant)
    _print_json({"key": key, **record.model_dump(mode="json", exclude={"sha256"})})
    return 0


@keys.command(name="list")
def list_keys(*, config: Path | None = None, file: Path | None = None) -> int:
    """Print all keys as JSON lines, without what would let anybody use them.

    Parameters
    ----------
    config
        YAML file of settings, which names the file of keys.
    file
        The file of keys, instead of the settings'.
    """
    from t2c_service.access.keys import KeyStore

    for record in KeyStore(_file(config, file)).records():
        _print_json(record.model_dump(mode="json", exclude={"sha256"}))
    return 0


@keys.command(name="revoke")
def revoke_key(key_id: str, *, config: Path | None = None, file: Path | None = None) -> int:
    """Make a key worthless, from the next request on.

    Parameters
    ----------
    key_id
        As `list` shows it.
    config
        YAML file of settings, which names the file of keys.
    file
        The file of keys, instead of the settings'.
    """
    from t2c_service.access.keys import KeyStore

    record = KeyStore(_file(config, file)).revoke(key_id)
    _print_json(record.model_dump(mode="json", exclude={"sha256"}))
    return 0


def _file(config: Path | None, file: Path | None) -> Path:
    if file is not None:
        return file
    from t2c_service.errors import SettingsError
    from t2c_service.settings_loader import load_access_settings

    found = load_access_settings(config).keys
    if found is None:
        raise SettingsError("no file of keys is named: set `access.keys` (T2C_ACCESS__KEYS), or give --file")
    return found


def _print_json(content: dict[str, object]) -> None:
    import json

    print(json.dumps(content, ensure_ascii=False))
