"""The files under deploy/ as data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


class _ComposeLoader(yaml.SafeLoader):
    """YAML with Compose's own tags, which say how files are merged."""


RESET = object()


def _override(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    is_list = isinstance(node, yaml.SequenceNode)
    return (
        loader.construct_sequence(node, deep=True) if is_list else loader.construct_mapping(node, deep=True)
    )


_ComposeLoader.add_constructor("!override", _override)
_ComposeLoader.add_constructor("!reset", lambda *_: RESET)


def read_compose(name: str) -> dict[str, Any]:
    """Read a file as Compose merges it: what is reset is not there."""
    content = dict(yaml.load((DEPLOY / name).read_text(encoding="utf-8"), _ComposeLoader))
    for each in content["services"].values():
        for key in [key for key, value in each.items() if value is RESET]:
            del each[key]
    return content


def with_defaults(text: str) -> str:
    """Replace variables by their defaults, as Compose does without a .env file."""
    while "${" in text:
        text = re.sub(r"\$\{\w+:-([^${}]*)\}", r"\1", text)
    return text


@pytest.fixture
def compose() -> dict[str, Any]:
    return read_compose("compose.yaml")
