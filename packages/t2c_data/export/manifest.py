"""What all exports share: the names of the splits and the manifest, which is written last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from graphling_io.outputs import write_text

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "dev", "test")


def write_manifest(out: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of an export, and return it."""
    write_text(out / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return manifest
