"""Where the demo, the recipes and the results lie: in a clone, or in an installed package and folders of the user.

A wheel carries `demo/` and `recipes/starter/` as `graphling/files/`.
"""

from __future__ import annotations

from pathlib import Path

from t2c_core.graph.java_runtime import cache_root

_PACKAGE = Path(__file__).resolve().parent
_CLONE = _PACKAGE.parents[1]
IS_CLONE = (_CLONE / "pyproject.toml").is_file()

FILES = _CLONE if IS_CLONE else _PACKAGE / "files"
"""Folder of `demo` and `recipes`."""
ROOT = _CLONE if IS_CLONE else Path.cwd()
"""Folder in which `models` is made: the clone, or else the current folder."""
DEMO = FILES / "demo"
RECIPES = FILES / "recipes" / "starter"


def demo_home() -> Path:
    """Return the folder of the demo's store and snapshot: `models/demo` of the clone, or else in the user's cache."""
    return (_CLONE / "models" if IS_CLONE else cache_root()) / "demo"
