"""The Ray driver gives the bytes of the local one. It runs in a process of its own: Ray leaves threads behind."""

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (graphling[distributed])"
)


def test_two_ray_workers_give_the_same_bytes_as_one_process(
    build_command: Callable[[Path], list[str]], built: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pairs"
    done = subprocess.run(
        [*build_command(out), "--ray-workers", "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("pairs.jsonl", "manifest.json"):
        assert (out / name).read_bytes() == (built / name).read_bytes(), name
