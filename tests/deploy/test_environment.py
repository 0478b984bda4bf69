"""`.env.example` lists every setting, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

from t2c_service.settings import PREFIX, Settings, variable_of, walk_settings
from t2c_service.settings_loader import load_settings

from .conftest import DEPLOY

EXAMPLE = DEPLOY / ".env.example"


def test_the_example_is_what_the_settings_are() -> None:
    program = DEPLOY / "render_env_example.py"
    written = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True).stdout
    assert EXAMPLE.read_text("utf-8") == written, "python deploy/render_env_example.py > deploy/.env.example"
    assert set(re.findall(rf"{PREFIX}[A-Z0-9_]+", written)) >= {
        variable_of(key) for key, _ in walk_settings(Settings)
    }


def test_the_defaults_it_shows_are_taken_by_the_service(monkeypatch: Any) -> None:
    shown = dict(re.findall(rf"^# ({PREFIX}[A-Z0-9_]+)=(.+)$", EXAMPLE.read_text("utf-8"), re.MULTILINE))
    monkeypatch.setenv("T2C_GRAPH__URI", "bolt://127.0.0.1:1")
    monkeypatch.setenv("T2C_SNAPSHOT", "s")
    monkeypatch.setenv("T2C_MODEL__PATH", "m")
    plain = load_settings()
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    assert len(shown) > 15
    assert load_settings() == plain


def test_compose_reads_no_variable_that_the_example_does_not_tell_of() -> None:
    shown = EXAMPLE.read_text("utf-8")
    deprecated = {"MODEL_CONTEXT", "MODEL_SEQUENCES"}
    for file in DEPLOY.glob("compose*.yaml"):
        for name in re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", file.read_text("utf-8")):
            assert name in deprecated or re.search(rf"^(# )?{name}=", shown, re.MULTILINE), (
                f"{file.name}: {name}"
            )
