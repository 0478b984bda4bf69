"""`graphling demo` of an installed wheel, without a clone: the demo's graph and model travel in the wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from t2c_core.graph.java_runtime import cache_folder, ensure_jars

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("graphling-*.whl")
    return found


def test_the_wheel_has_the_demo_and_the_recipes_and_nothing_of_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("demo/graph", "demo/starter", "recipes/starter"):
        for file in (ROOT / folder).iterdir():
            assert f"graphling/files/{folder}/{file.name}" in names
    settings = yaml.safe_load((ROOT / "demo" / "graphling.yaml").read_text(encoding="utf-8"))
    named = {each for each in settings.values() if isinstance(each, str) and (ROOT / "demo" / each).is_file()}
    assert {"questions.jsonl", "lexicon.yaml"} <= named
    assert {f"graphling/files/demo/{each}" for each in ("graphling.yaml", *named)} <= names
    assert "graphling/files/demo/build_graph.py" not in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        each.name for each in (ROOT / "packages").iterdir() if (each / "__init__.py").exists()
    }


@pytest.mark.graph
def test_the_demo_of_an_installed_wheel_answers_its_first_question(wheel: Path, tmp_path: Path) -> None:
    ensure_jars()
    cache, home = tmp_path / "cache", tmp_path / "environment"
    cache.mkdir()
    (cache / cache_folder().name).symlink_to(cache_folder())
    # What the wheel requires comes from this environment; its own packages from the wheel alone.
    venv.create(home, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--ignore-installed", wheel], check=True)
    environment = {
        key: each for key, each in os.environ.items() if not key.startswith(("T2C_", "PYTHONPATH"))
    }
    done = subprocess.run(
        [home / "bin" / "graphling", "demo", "--once"],
        env={**environment, "GRAPHLING_CACHE": str(cache)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["rows"][0][0]) == ("answered", 40.0)
    assert (cache / "demo" / "snapshot" / "manifest.json").is_file()
    assert {each.name for each in tmp_path.iterdir()} == {"cache", "environment"}, "nothing beside"
