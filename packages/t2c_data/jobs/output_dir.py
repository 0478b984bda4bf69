"""A folder that belongs to one build: its plan says which, so that only the same build goes on in it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from t2c_data.errors import DataInputError
from t2c_data.pairs import write_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLAN = "plan.json"


def prepare_output_dir(
    out: Path, plan: Mapping[str, Any], *, artifacts: tuple[str, ...], force: bool = False
) -> None:
    """Make the folder of a build, or find it left by an earlier call of the same build.

    Args:
        out: the folder.
        plan: all that the result depends on.
        makes: names of files and folders that the build makes; only these are thrown away.
        force: throw away what the folder holds of another build.

    Raises:
        DataInputError: the folder holds something else.
    """
    text = json.dumps(plan, indent=1, sort_keys=True)
    file = out / PLAN
    if file.is_file() and file.read_text(encoding="utf-8").strip() == text and not force:
        return
    if out.is_dir() and any(out.iterdir()):
        if not force:
            raise DataInputError(
                f"{out} is not empty and does not hold this very build; give --force to build it anew, or another --out"
            )
        for name in (*artifacts, PLAN):
            if (out / name).is_dir():
                shutil.rmtree(out / name)
            else:
                (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    write_lines(file, [text])
