"""The command line `gqa-compress`.

Holds argument parsing, printing and exit codes: 0 done, 1 failed, 2 wrong input. All work is done elsewhere,
and imported only when a command needs it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

app = App(
    name="gqa-compress",
    help="Turn a LLaMA-family checkpoint into a stock checkpoint with fewer key-value heads.",
    version_flags=["--version"],
    result_action="return_value",
)


@app.command
def train(
    recipe: Path,
    *,
    resume: Annotated[bool, Parameter(negative=())] = False,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Train a model from scratch or from a checkpoint, as a YAML recipe says.

    Args:
        recipe: YAML file; its fields are those of `gqa_compress.training.recipe.Recipe`.
        resume: Go on where the same recipe was stopped, or start if it never began.
        force: Throw away what the output folder holds.
    """
    _wait_politely()
    from dataclasses import asdict

    from transformers.utils.logging import disable_progress_bar

    from gqa_compress.training.loop import train as run_training
    from gqa_compress.training.recipe import read_recipe

    disable_progress_bar()  # type: ignore[no-untyped-call]
    _print(asdict(run_training(read_recipe(recipe), resume=resume, force=force)))


def main() -> None:
    """Run the command line and exit with its code."""
    from gqa_compress.errors import CompressError, InputError

    try:
        app()
    except InputError as error:
        _fail(str(error), 2)
    except CompressError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)


def _wait_politely() -> None:
    """Let idle threads sleep rather than spin; must run before torch is first imported.

    With a busy neighbour on the same cores, spinning costs most of the speed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def _print(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def _fail(message: str, code: int) -> None:
    print(f"gqa-compress: {message}", file=sys.stderr)
    sys.exit(code)
