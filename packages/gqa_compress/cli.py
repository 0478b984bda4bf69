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

from gqa_compress.conversion.config import ConversionConfig

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
        recipe: YAML file; its fields are those of `gqa_compress.training.config.Recipe`.
        resume: Go on where the same recipe was stopped, or start if it never began.
        force: Throw away what the output folder holds.
    """
    _before_torch()
    from dataclasses import asdict

    from gqa_compress.training.config import read_recipe
    from gqa_compress.training.loop import train as run_training

    _print(asdict(run_training(read_recipe(recipe), resume=resume, force=force)))


@app.command
def inspect(model: Path) -> None:
    """Say what a checkpoint's attention looks like and whether it can be converted.

    Args:
        model: Checkpoint folder.
    """
    _before_torch()
    from dataclasses import asdict

    from gqa_compress.checkpoint.inspection import inspect as look

    _print(asdict(look(model)))


@app.command
def calibrate(
    model: Path,
    *,
    text: Path,
    out: Path,
    tokens: int | None = None,
    length: int = 512,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write the second moments of every layer's input, for `convert --grams`; also under torchrun.

    Args:
        model: Checkpoint folder.
        text: Text, .txt or .jsonl with `text`.
        out: File to write.
        tokens: About how many tokens to use, evenly from the whole text; all when absent.
        length: Most tokens in a sequence.
        force: Replace OUT.
    """
    _before_torch()
    from gqa_compress.conversion.gram_pass import write_grams as collect

    count = collect(model, text, out, tokens=tokens, length=length, force=force)
    _print({"grams": out, "tokens": count})


@app.command
def convert(
    model: Path,
    *,
    calibration: Path,
    out: Path,
    plan: Annotated[ConversionConfig, Parameter(name="*")],
    grams: Path | None = None,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Turn a checkpoint into a stock checkpoint with fewer key-value heads, by calibration alone.

    Args:
        model: Checkpoint folder.
        calibration: Text to calibrate on: .txt, .jsonl with `text`, or datasets:NAME[:CONFIG[:SPLIT]].
        out: Folder to write.
        plan: How to convert.
        grams: File of `calibrate`, to merge by more text than the refits use.
        force: Replace what OUT holds.
    """
    _before_torch()
    from dataclasses import asdict

    from gqa_compress.conversion.convert import convert as run_conversion

    _print(asdict(run_conversion(model, calibration, out, plan, grams=grams, force=force)))


@app.command
def evaluate(
    model: Path, *, text: Path, against: Path | None = None, tokens: int | None = None, length: int = 512
) -> None:
    """Measure a model's loss on a text, and its distance from a teacher.

    Args:
        model: Checkpoint folder.
        text: Text to measure on, .txt or .jsonl with `text`.
        against: Checkpoint folder of a teacher; adds KL(teacher ‖ model).
        tokens: About how many tokens to use, evenly from the whole text; all when absent.
        length: Most tokens in a sequence.
    """
    _before_torch()
    from dataclasses import asdict

    from gqa_compress.evaluation.perplexity import evaluate as measure
    from gqa_compress.evaluation.perplexity import evaluate_against_teacher

    if against is None:
        _print(asdict(measure(model, text, tokens=tokens, length=length)))
    else:
        _print(asdict(evaluate_against_teacher(model, against, text, tokens=tokens, length=length)))


@app.command
def bench(model: Path, *, batch: int = 1, prompt: int = 128, new_tokens: int = 64, repeats: int = 3) -> None:
    """Weigh a model's key-value cache and time its decoding.

    Args:
        model: Checkpoint folder.
        batch: Sequences decoded at once.
        prompt: Tokens of each prompt.
        new_tokens: Tokens to decode for each.
        repeats: Timed runs.
    """
    _before_torch()
    from dataclasses import asdict

    from gqa_compress.evaluation.cache import bench as measure

    _print(asdict(measure(model, batch=batch, prompt=prompt, new_tokens=new_tokens, repeats=repeats)))


@app.command
def report(
    teacher: Path,
    *models: Path,
    text: Path,
    out: Path | None = None,
    plots: Path | None = None,
    tokens: int | None = None,
    length: int = 512,
) -> None:
    """Compare converted models with their teacher on a text; Markdown on standard output.

    Args:
        teacher: Checkpoint folder of the original.
        models: Checkpoint folders to compare with it.
        text: Text to measure on, .txt or .jsonl with `text`.
        out: Also write the figures as JSON to this file.
        plots: Also draw errors by layer, spectra and likeness of heads into this folder.
        tokens: About how many tokens to use, evenly from the whole text; all when absent.
        length: Most tokens in a sequence.
    """
    _before_torch()
    from dataclasses import asdict

    from gqa_compress.evaluation.report import compare_all, draw, markdown
    from graphling_io.outputs import write_json

    rows = compare_all(teacher, list(models), text, tokens=tokens, length=length)
    if out is not None:
        write_json(out, [asdict(row) for row in rows])
    drawn = draw(teacher, list(models), text, plots, tokens=tokens, length=length) if plots else []
    print("\n".join([markdown(rows), *(f"\n![{path.stem}]({path})" for path in drawn)]))


def main() -> None:
    """Run the command line and exit with its code."""
    from gqa_compress.errors import CompressError, InputError
    from graphling_io.outputs import OutputError

    try:
        app(sys.argv[1:])
    except (InputError, OutputError) as error:
        _fail(str(error), 2)
    except CompressError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)


def _before_torch() -> None:
    """Let idle threads sleep rather than spin, and libraries be silent; must run before torch is first imported.

    With a busy neighbour on the same cores, spinning costs most of the speed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()  # type: ignore[no-untyped-call]
    set_verbosity_error()  # type: ignore[no-untyped-call]


def _print(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def _fail(message: str, code: int) -> None:
    print(f"gqa-compress: {message}", file=sys.stderr)
    sys.exit(code)
