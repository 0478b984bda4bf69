"""Reading settings from a YAML file (`--config`) and `T2C_*` variables, with error messages for people.

Variables win over the file. Nested keys are joined by two underscores: `T2C_GRAPH__URI`, `T2C_MODEL__PATH`. Relative
paths in a file are relative to that file, those in variables to the working directory.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from rapidfuzz import process

from t2c_service.errors import SettingsError
from t2c_service.settings import (
    PREFIX,
    RENAMED,
    SHORT,
    AccessSettings,
    GraphSettings,
    Settings,
    SettingsPart,
    is_mapping,
    part_of,
    read_environment,
    variable_of,
    walk_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

log = logging.getLogger(__name__)

_AnyPart = TypeVar("_AnyPart", bound=SettingsPart)


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read all settings.

    Args:
        config: YAML file; only variables are read if None.
        environment: Variables whose names are checked; those of the process if None.

    Raises:
        SettingsError: The file cannot be read, a key is unknown, or a value is missing or invalid.
    """
    content = _read(config)
    where = str(config or "settings")
    _check_keys(content, Settings, where)
    _check_variables(os.environ if environment is None else environment)
    try:
        return Settings(**content)
    except ValidationError as error:
        raise SettingsError(_explain(error, where)) from error


def load_graph_settings(config: Path | None = None) -> GraphSettings | None:
    """Read the settings of the graph alone; None if they name no graph.

    Raises:
        SettingsError: The settings of the graph are invalid.
    """
    content = _part_content("graph", GraphSettings, config)
    return _build(content, GraphSettings, config) if content.keys() & {"uri", "home"} else None


def load_access_settings(config: Path | None = None) -> AccessSettings:
    """Read the settings of access alone.

    Raises:
        SettingsError: The settings of access are invalid.
    """
    return _build(_part_content("access", AccessSettings, config), AccessSettings, config)


def load_snapshots(config: Path | None = None) -> dict[str, Path]:
    """Read the snapshot folders by database alone; empty if the settings name none.

    Raises:
        SettingsError: The file cannot be read.
    """
    content = _read(config)
    content |= {
        key: value
        for key in ("snapshot", "database")
        if (value := read_environment(os.environ).get(variable_of(key))) is not None
    }
    found = {str(content.get("database", "default")): content.get("snapshot")}
    found |= {name: dict(each).get("snapshot") for name, each in (content.get("databases") or {}).items()}
    return {name: Path(folder) for name, folder in found.items() if folder}


def _part_content(key: str, part: type[SettingsPart], config: Path | None) -> dict[str, Any]:
    variables = read_environment(os.environ)
    content = dict(_read(config).get(key) or {})
    for each, field in part.model_fields.items():
        if (value := variables.get(variable_of(f"{key}.{each}"))) is not None:
            content[each] = json.loads(value) if get_origin(field.annotation) is tuple else value
    return content


def _build(content: dict[str, Any], part: type[_AnyPart], config: Path | None) -> _AnyPart:
    try:
        return part(**content)
    except ValidationError as error:
        raise SettingsError(_explain(error, str(config or "settings"))) from error


def _read(config: Path | None) -> dict[str, Any]:
    """Read a file; keys get their present names, and relative paths become absolute."""
    if config is None:
        return {}
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the settings {config}: {error}") from error
    except yaml.YAMLError as error:  # its message may quote a secret
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise SettingsError(
            f"{config}{line}: invalid YAML: {getattr(error, 'problem', 'unreadable')}"
        ) from None
    content = {} if content is None else content
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"{config}: expected a mapping with keys such as `graph:` and `model:`")
    _rename_deprecated(content, str(config))
    return _resolve(content, Settings, config.resolve().parent)


def _rename_deprecated(content: dict[str, Any], where: str) -> None:
    for old, new in RENAMED.items():
        group, _, name = old.rpartition(".")
        part = content.get(group) if group else content
        if not isinstance(part, dict) or name not in part:
            continue
        present = new.rpartition(".")[2]
        if present in part:
            raise SettingsError(f"{where}: `{old}` is the deprecated name of `{new}`; remove it")
        log.warning("%s: `%s` is deprecated; use `%s`", where, old, new)
        part[present] = part.pop(name)


def _check_keys(content: Mapping[str, Any], model: type[BaseModel], where: str, above: str = "") -> None:
    for key, value in content.items():
        field = model.model_fields.get(key)
        if field is None:
            raise SettingsError(f"{where}: unknown key `{above}{key}`{_hint(key, model.model_fields, above)}")
        part = part_of(field)
        if part is None or not isinstance(value, dict):
            continue
        if not is_mapping(field):
            _check_keys(value, part, where, f"{above}{key}.")
            continue
        for name, one in value.items():
            if isinstance(one, dict):
                _check_keys(one, part, where, f"{above}{key}.{name}.")


def _check_variables(environment: Mapping[str, str]) -> None:
    known = {variable_of(key) for key, _ in walk_settings(Settings)}
    known |= {variable_of(key) for key in Settings.model_fields}
    renamed = {variable_of(old): variable_of(new) for old, new in RENAMED.items()}
    for name in map(str.upper, environment):
        if name in renamed:
            log.warning("%s is deprecated; use %s", name, renamed[name])
        elif name.startswith(PREFIX) and name not in known and not name.startswith(f"{PREFIX}DATABASES__"):
            raise SettingsError(f"unknown variable {name}{_hint(name, known)}")


def _hint(key: str, known: Iterable[str], above: str = "") -> str:
    names = sorted(known)
    match = process.extractOne(key, names, score_cutoff=60)
    if match:
        return f"; did you mean `{above}{match[0]}`?"
    return f"; known are {', '.join(f'`{above}{name}`' for name in names)}"


def _resolve(content: dict[str, Any], model: type[BaseModel], folder: Path) -> dict[str, Any]:
    resolved = dict(content)
    for key, value in content.items():
        field = model.model_fields.get(key)
        if field is None:
            continue
        part = part_of(field)
        if part and isinstance(value, dict) and is_mapping(field):
            resolved[key] = {
                name: _resolve(one, part, folder) if isinstance(one, dict) else one
                for name, one in value.items()
            }
        elif part and isinstance(value, dict):
            resolved[key] = _resolve(value, part, folder)
        elif isinstance(value, str) and Path in (field.annotation, *get_args(field.annotation)):
            resolved[key] = folder / Path(value).expanduser()
    return resolved


def _explain(error: ValidationError, where: str) -> str:
    lines = []
    for each in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "missing":
            message = f"is missing (in the file, or as {variable_of(SHORT.get(key, key))})"
        lines.append(f"{where}: {f'`{key}` ' if key else ''}{message}")
    return "\n".join(lines)
