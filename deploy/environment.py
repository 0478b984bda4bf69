"""Print .env.example: what compose.yaml reads, then every setting of the service with its meaning and default.

The settings are those of `t2c_service.settings`, so the file can't tell of another program than the one it
configures: python deploy/environment.py > deploy/.env.example
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from t2c_service.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent
PASSWORD = "T2C_GRAPH__PASSWORD"
HEAD = f"""\
# Copy to .env and set the password; everything else has a default. Written by deploy/environment.py.

# Password of Neo4j's one user, at least 8 characters; the loader sets it, the service uses it.
{PASSWORD}=

# ---- What compose.yaml puts where -----------------------------------------------------------------------------
# Address and port of this machine at which the service is reached; 0.0.0.0: from other machines too.
# BIND=127.0.0.1
# PORT=8080
# Your own graph: a folder of CSVs, the model folder and the questions that `make own` made.
# GRAPH_CSV=../demo/graph
# MODEL=../demo/starter
# EXAMPLES=../demo/questions.jsonl
# The model server: longest prompt and completion together, questions at once, number format, GPUs (compose.gpu.yaml).
# MODEL_CONTEXT=512
# MODEL_SEQUENCES=16
# MODEL_DTYPE=float32
# MODEL_GPUS=1
# GRAFANA_PORT=3000

# ---- Settings of the service; the values shown are the defaults ----------------------------------------------
"""


def fixed() -> frozenset[str]:
    """Name the settings that compose.yaml decides."""
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return frozenset(
        name for name in compose["services"]["service"]["environment"] if name.startswith(PREFIX)
    )


def settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, Any]]:
    """Give variable, meaning and default of every setting, those of parts included."""
    for key, field in model.model_fields.items():
        name = f"{prefix}{key.upper()}"
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from settings(part, f"{name}__")
        else:
            default = None if field.default is PydanticUndefined else field.default
            yield name, " ".join((field.description or "").split()), default


def written(value: Any) -> str:
    """Write a default as a variable's value."""
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, str | Path):
        return str(value)
    return json.dumps(value, default=str)


def example() -> str:
    """Write the whole file."""
    decided = fixed()
    lines, theirs = [], []
    for name, meaning, default in settings(Settings, PREFIX):
        if name in decided:
            theirs.append(name)
        else:
            lines += [f"# {meaning}"] if meaning else []
            lines.append(f"# {name}={written(default)}")
    decides = f"# compose.yaml decides: {', '.join(theirs)}"
    return HEAD + "\n".join([*lines, "", *textwrap.wrap(decides, 116, subsequent_indent="#   ")]) + "\n"


if __name__ == "__main__":
    print(example(), end="")
