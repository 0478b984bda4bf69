"""`.env.example` tells of every setting, and of nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

from t2c_service.settings import PREFIX, Settings
from t2c_service.settings_loader import load_settings

from .conftest import DEPLOY

EXAMPLE = DEPLOY / ".env.example"


def variables(model: Any, prefix: str) -> set[str]:
    found: set[str] = set()
    for key, field in model.model_fields.items():
        name = f"{prefix}{key.upper()}"
        part = field.annotation
        found |= variables(part, f"{name}__") if hasattr(part, "model_fields") else {name}
    return found


def test_the_example_is_what_the_settings_are() -> None:
    program = DEPLOY / "environment.py"
    written = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True).stdout
    assert EXAMPLE.read_text("utf-8") == written, "python deploy/environment.py > deploy/.env.example"
    assert set(re.findall(rf"{PREFIX}[A-Z0-9_]+", written)) >= variables(Settings, PREFIX)


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
    told = EXAMPLE.read_text("utf-8")
    for file in DEPLOY.glob("compose*.yaml"):
        for name in re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", file.read_text("utf-8")):
            assert re.search(rf"^(# )?{name}=", told, re.MULTILINE), f"{file.name}: {name}"
