"""Print .env.example: the variables of compose.yaml, then every setting of the service with its meaning and default.

python deploy/render_env_example.py > deploy/.env.example
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from t2c_service.settings import PREFIX, Settings, variable_of, walk_settings

FOLDER = Path(__file__).parent
PASSWORD = "T2C_GRAPH__PASSWORD"
HEAD = f"""\
# Copy to .env and set the password; everything else has a default. Written by deploy/render_env_example.py.

# Password of the only Neo4j user, at least 8 characters; the loader sets it and the service uses it.
{PASSWORD}=

# ---- Variables of compose.yaml --------------------------------------------------------------------------------
# Address and port of this machine on which the service is published; 0.0.0.0: reachable from other machines, which
# needs API keys (T2C_ACCESS__KEYS_FILE) or T2C_ACCESS__ALLOW_ANONYMOUS=true.
# BIND=127.0.0.1
# PORT=8080
# Your own graph: a folder of CSVs; the model folder and the folder of settings (graphling.yaml) that `make own` wrote,
# models/NAME/model and models/NAME.
# GRAPH_CSV=../demo/graph
# MODEL=../demo/starter
# SETTINGS=../demo
# The model server: maximum length of prompt and completion, concurrent sequences, dtype, GPUs (compose.gpu.yaml).
# MODEL_MAX_LEN=512
# MODEL_MAX_NUM_SEQS=16
# MODEL_DTYPE=float32
# MODEL_GPUS=1
# GRAFANA_PORT=3000
# Limit of the processors of each container; 0: none.
# CPUS=0
# For `docker compose build`: certificates of a proxy that signs for other hosts, a configuration of pip with an index
# of your own; and where the images of others are, if not at Docker Hub.
# CA_BUNDLE=
# PIP_CONFIG_FILE=
# PYTHON_IMAGE=python:3.11-slim-bookworm
# NEO4J_IMAGE=neo4j:2026.08.1-community

# ---- Settings of the service; the values shown are the defaults ----------------------------------------------
"""


def compose_settings() -> frozenset[str]:
    """Return the names of the settings that compose.yaml sets."""
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    environment = compose["services"]["service"]["environment"]
    return frozenset(name for name in environment if name.startswith(PREFIX))


def render_value(value: Any) -> str:
    """Return a default as the value of a variable."""
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return str(value) if isinstance(value, str | Path) else json.dumps(value, default=str)


def render() -> str:
    """Return the whole file."""
    in_compose = compose_settings()
    lines = []
    for key, field in walk_settings(Settings):
        name = variable_of(key)
        if name not in in_compose:
            meaning = " ".join((field.description or "").split())
            default = None if field.default is PydanticUndefined else field.default
            lines += [f"# {meaning}"] * bool(meaning) + [f"# {name}={render_value(default)}"]
    fixed = [variable_of(key) for key, _ in walk_settings(Settings) if variable_of(key) in in_compose]
    tail = textwrap.wrap(f"# compose.yaml sets: {', '.join(fixed)}", 116, subsequent_indent="#   ")
    return HEAD + "\n".join([*lines, "", *tail]) + "\n"


if __name__ == "__main__":
    print(render(), end="")
