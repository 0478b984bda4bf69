"""Settings read from `--config` YAML and `T2C_*` variables, and what a person is told when something is wrong.

Variables win over the file. Nested keys take two underscores: `T2C_GRAPH__URI`, `T2C_MODEL__PATH`. Relative paths of a
file are relative to that file, those of variables to the working folder. What can be set stands in `settings`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from rapidfuzz import process

from t2c_service.errors import SettingsError
from t2c_service.settings import PREFIX, AccessSettings, GraphSettings, Settings, SettingsPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings and say plainly what is wrong with them.

    Args:
        config: YAML file; without one, variables alone.
        environment: variables to check for misspelt names; those of the process unless given.

    Raises:
        SettingsError: a file that cannot be read, an unknown key, a missing or impossible value.
    """
    content = _read(config) if config else {}
    where = str(config) if config else "settings"
    _refuse_unknown(content, Settings, where)
    _refuse_unknown_variables(os.environ if environment is None else environment)
    if config:
        content = _resolve(content, Settings, config.resolve().parent)
    try:
        return Settings(**content)
    except ValidationError as error:
        raise SettingsError(_explain(error, where)) from error


def load_graph_settings(config: Path | None = None) -> GraphSettings | None:
    """Read which graph is meant, if that is said at all; the other settings need not be there.

    Raises:
        SettingsError: it is said, and wrong.
    """
    named = _named_part("graph", GraphSettings, config)
    return _part_of(named, GraphSettings, config) if named.keys() & {"uri", "home"} else None


def load_access_settings(config: Path | None = None) -> AccessSettings:
    """Read who may do what; the other settings need not be there.

    Raises:
        SettingsError: it is said, and wrong.
    """
    return _part_of(_named_part("access", AccessSettings, config), AccessSettings, config)


_AnyPart = TypeVar("_AnyPart", bound=SettingsPart)


def _named_part(key: str, part: type[SettingsPart], config: Path | None) -> dict[str, Any]:
    content = _resolve(_read(config), Settings, config.resolve().parent) if config else {}
    named = dict(content.get(key) or {})
    return named | {
        each: os.environ[name]
        for each in part.model_fields
        if (name := f"{PREFIX}{key.upper()}__{each.upper()}") in os.environ
    }


def _part_of(content: dict[str, Any], part: type[_AnyPart], config: Path | None) -> _AnyPart:
    try:
        return part(**content)
    except ValidationError as error:
        raise SettingsError(_explain(error, str(config or "settings"))) from error


def _read(config: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the settings {config}: {error}") from error
    except yaml.YAMLError as error:  # its words may quote a secret
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise SettingsError(
            f"{config}{where} is not YAML: {getattr(error, 'problem', 'unreadable')}"
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"{config}: a mapping of keys such as `graph:` and `model:` is needed")
    return content


def _part(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Give the part that a key holds, itself or by name."""
    annotation = model.model_fields[key].annotation
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def _is_named(model: type[BaseModel], key: str) -> bool:
    return get_origin(model.model_fields[key].annotation) is dict


def _refuse_unknown(content: Mapping[str, Any], model: type[BaseModel], where: str, above: str = "") -> None:
    for key, value in content.items():
        if key not in model.model_fields:
            raise SettingsError(
                f"{where}: unknown key `{above}{key}`{_hint(str(key), model.model_fields, above)}"
            )
        part = _part(model, key)
        if part is None or not isinstance(value, dict):
            continue
        if not _is_named(model, key):
            _refuse_unknown(value, part, where, f"{above}{key}.")
            continue
        for name, one in value.items():
            if isinstance(one, dict):
                _refuse_unknown(one, part, where, f"{above}{key}.{name}.")


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = set(_variables(Settings, PREFIX))
    for name in environment:
        if name.upper().startswith(f"{PREFIX}DATABASES__"):
            continue  # the names in it are free; pydantic looks at the rest
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise SettingsError(f"unknown variable {name}{_hint(name.upper(), known)}")


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for key in model.model_fields:
        name = f"{prefix}{key.upper()}"
        yield name
        part = _part(model, key)
        if part and not _is_named(model, key):
            yield from _variables(part, f"{name}__")


def _hint(key: str, known: Any, above: str = "") -> str:
    names = sorted(known)
    match = process.extractOne(key, names, score_cutoff=60)
    if match:
        return f"; did you mean `{above}{match[0]}`?"
    return f"; known are {', '.join(f'`{above}{name}`' for name in names)}"


def _resolve(content: dict[str, Any], model: type[BaseModel], folder: Path) -> dict[str, Any]:
    resolved = dict(content)
    for key, value in content.items():
        part = _part(model, key)
        if part and isinstance(value, dict) and _is_named(model, key):
            resolved[key] = {
                name: _resolve(one, part, folder) if isinstance(one, dict) else one
                for name, one in value.items()
            }
        elif part and isinstance(value, dict):
            resolved[key] = _resolve(value, part, folder)
        elif isinstance(value, str) and Path in (
            model.model_fields[key].annotation,
            *get_args(model.model_fields[key].annotation),
        ):
            resolved[key] = folder / Path(value).expanduser()
    return resolved


def _explain(error: ValidationError, where: str) -> str:
    lines = []
    for each in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "missing":
            message = f"is missing (in the file, or as {PREFIX}{key.upper().replace('.', '__')})"
        lines.append(f"{where}: {f'`{key}` ' if key else ''}{message}")
    return "\n".join(lines)
