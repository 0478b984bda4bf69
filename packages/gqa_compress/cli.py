"""The command line `gqa-compress`: parse, call one public function, print JSON.

Exit codes: 0 done, 1 failed, 2 wrong input, 130 interrupted. Commands import what they need when they run.
"""

import json
import os
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from gqa_compress.conversion.config import ConversionConfig

app = App(
    name="gqa-compress",
    help="Convert a LLaMA-family checkpoint into a standard checkpoint with fewer KV heads, and train it.",
    version=lambda: version("graphling"),
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

Flag = Annotated[bool, Parameter(negative=())]
MaxLength = Annotated[int, Parameter(name=("--max-length", "--length"))]


@app.command
def train(
    recipe: Path,
    *,
    overrides: Annotated[list[str] | None, Parameter(name="--set")] = None,
    resume: Flag = False,
    force: Flag = False,
    plan: Flag = False,
) -> None:
    """Train a model from scratch or from a checkpoint, by a YAML recipe.

    Args:
        recipe: YAML file, with the fields below.
        overrides: FIELD=VALUE instead of the recipe's, for instance teacher.kl_weight=1.0; may be repeated.
        resume: Continue the same run where it was stopped, or start it.
        force: Delete what the output folder holds, if it holds a run.
        plan: Train nothing; print the bytes that each of 1, 2, 4 and 8 devices needs, by part. Reads no weights.
    """
    _before_torch()
    from gqa_compress.training.config import read_recipe

    config = read_recipe(recipe, overrides or ())
    if plan:
        from gqa_compress.training.memory_plan import plan_memory

        _print(asdict(plan_memory(config)))
        return
    from gqa_compress.training.loop import train as run

    report = run(config, resume=resume, force=force)
    if os.environ.get("RANK", "0") == "0":  # several processes train one model
        _print(asdict(report))


@app.command
def teach(
    recipe: Path,
    *,
    overrides: Annotated[list[str] | None, Parameter(name="--set")] = None,
    force: Flag = False,
) -> None:
    """Write the highest logits of a recipe's teacher to the folder `teacher.cache`, so that `train` need not run it.

    Args:
        recipe: YAML file of the training.
        overrides: FIELD=VALUE instead of the recipe's; may be repeated.
        force: Replace the folder if it holds such logits.
    """
    _before_torch()
    from gqa_compress.training.config import read_recipe
    from gqa_compress.training.teacher import write_cache

    _print(asdict(write_cache(read_recipe(recipe, overrides or ()), force=force)))


@app.command
def inspect(model: Path) -> None:
    """Show a checkpoint's attention configuration and whether it can be converted.

    Args:
        model: Checkpoint folder.
    """
    _before_torch()
    from gqa_compress.checkpoint.inspection import inspect as run

    _print(asdict(run(model)))


@app.command
def calibrate(
    model: Path,
    *,
    text: Path,
    out: Path,
    tokens: int | None = None,
    max_length: MaxLength = 512,
    force: Flag = False,
) -> None:
    """Write the Gram matrix of every layer's input, for `convert --grams`; also under torchrun.

    Args:
        model: Checkpoint folder.
        text: Text, .txt or .jsonl with `text`.
        out: File to write.
        tokens: Approximate number of tokens, evenly from the whole text; all if absent.
        max_length: Maximum number of tokens in a sequence.
        force: Replace OUT.
    """
    _before_torch()
    from gqa_compress.conversion.gram_pass import write_grams

    count = write_grams(model, text, out, tokens=tokens, max_length=max_length, force=force)
    _print({"grams": out, "tokens": count})


@app.command
def convert(
    model: Path,
    *,
    calibration: Path,
    out: Path,
    plan: Annotated[ConversionConfig, Parameter(name="*")],
    grams: Path | None = None,
    force: Flag = False,
) -> None:
    """Convert a checkpoint into a standard checkpoint with fewer KV heads, by calibration alone.

    Args:
        model: Checkpoint folder.
        calibration: Calibration text: .txt, .jsonl with `text`, or datasets:NAME[:CONFIG[:SPLIT]].
        out: Folder to write.
        plan: How to convert.
        grams: File of `calibrate`, to merge by more text than the other steps use.
        force: Replace OUT if it holds a conversion.
    """
    _before_torch()
    from gqa_compress.conversion.convert import convert as run

    _print(asdict(run(model, calibration, out, plan, grams=grams, force=force)))


@app.command
def transfer(
    model: Path,
    *,
    tokenizer: Path,
    out: Path,
    kv_heads: int | None = None,
    seed: int = 0,
    force: Flag = False,
) -> None:
    """Write a LLaMA checkpoint for another tokenizer, as the start of a training run.

    Args:
        model: Checkpoint folder.
        tokenizer: Folder of the new tokenizer; tokens that both have keep their embeddings.
        out: Folder to write.
        kv_heads: KV heads of the new checkpoint, a multiple of the present number, which is the default.
        seed: Seed of the noise on new embeddings.
        force: Replace OUT if it holds a transferred checkpoint.
    """
    _before_torch()
    from gqa_compress.checkpoint.vocabulary_transfer import transfer as run

    _print(asdict(run(model, tokenizer, out, kv_heads=kv_heads, seed=seed, force=force)))


@app.command
def evaluate(
    model: Path,
    *,
    text: Path,
    teacher: Annotated[Path | None, Parameter(name=("--teacher", "--against"))] = None,
    tokens: int | None = None,
    max_length: MaxLength = 512,
) -> None:
    """Measure a model's perplexity on a text, and its divergence from a teacher.

    Args:
        model: Checkpoint folder.
        text: Text to measure on, .txt or .jsonl with `text`.
        teacher: Checkpoint folder of a teacher; adds KL(teacher ‖ model).
        tokens: Approximate number of tokens, evenly from the whole text; all if absent.
        max_length: Maximum number of tokens in a sequence.
    """
    _before_torch()
    from gqa_compress.evaluation.perplexity import evaluate as run
    from gqa_compress.evaluation.perplexity import evaluate_against_teacher

    if teacher is None:
        _print(asdict(run(model, text, tokens=tokens, max_length=max_length)))
    else:
        _print(asdict(evaluate_against_teacher(model, teacher, text, tokens=tokens, max_length=max_length)))


@app.command
def bench(
    model: Path,
    *,
    batch_size: Annotated[int, Parameter(name=("--batch-size", "--batch"))] = 1,
    prompt_length: Annotated[int, Parameter(name=("--prompt-length", "--prompt"))] = 128,
    new_tokens: int = 64,
    repeats: int = 3,
) -> None:
    """Measure KV-cache size and decoding throughput.

    Args:
        model: Checkpoint folder.
        batch_size: Sequences per batch.
        prompt_length: Tokens per prompt.
        new_tokens: Tokens to decode per prompt.
        repeats: Timed runs.
    """
    _before_torch()
    from gqa_compress.evaluation.cache import bench as run

    result = run(
        model, batch_size=batch_size, prompt_length=prompt_length, new_tokens=new_tokens, repeats=repeats
    )
    _print(asdict(result))


@app.command
def export(
    model: Path,
    *,
    gguf: Path,
    dtype: Literal["f32", "f16", "bf16"] = "f16",
    split: str | None = None,
    force: Flag = False,
) -> None:
    """Write a checkpoint as a GGUF file for llama.cpp, and an Ollama Modelfile beside it.

    Args:
        model: Checkpoint folder of a llama, mistral or qwen2.
        gguf: File to write.
        dtype: Data type of matrices.
        split: llama.cpp's name of the pre-tokenizer, if it is not known.
        force: Replace the file.
    """
    _before_torch()
    from gqa_compress.export.gguf import export_gguf

    _print(export_gguf(model, gguf, dtype=dtype, split=split, force=force))


@app.command
def report(
    teacher: Path,
    *models: Path,
    text: Path,
    out: Path | None = None,
    plots: Path | None = None,
    tokens: int | None = None,
    max_length: MaxLength = 512,
) -> None:
    """Compare converted models with their teacher on a text; Markdown on standard output.

    Args:
        teacher: Checkpoint folder of the source model.
        models: Checkpoint folders to compare with it.
        text: Text to measure on, .txt or .jsonl with `text`.
        out: Also write the metrics to this JSON file.
        plots: Also plot errors by layer, spectra and head similarity into this folder.
        tokens: Approximate number of tokens, evenly from the whole text; all if absent.
        max_length: Maximum number of tokens in a sequence.
    """
    _before_torch()
    from gqa_compress.deprecated import with_old_names
    from gqa_compress.evaluation.report import compare_all, draw, markdown
    from graphling_io.outputs import check_no_overlap, write_json

    if out is not None:
        check_no_overlap(out, [teacher, *models, text])
    rows = compare_all(teacher, list(models), text, tokens=tokens, max_length=max_length)
    if out is not None:
        write_json(out, [with_old_names(asdict(row)) for row in rows])
    drawn = draw(teacher, list(models), text, plots, tokens=tokens, max_length=max_length) if plots else []
    print("\n".join([markdown(rows), *(f"\n![{path.stem}]({path})" for path in drawn)]))


def main() -> None:
    """Run the command line and exit with its code."""
    from gqa_compress.deprecated import FLAGS
    from gqa_compress.errors import CompressError, InputError
    from graphling_io.console import print_status
    from graphling_io.outputs import OutputError

    for flag in sys.argv[1:]:
        if new := FLAGS.get(flag.split("=")[0]):
            print_status(f"gqa-compress: {flag.split('=')[0]} is deprecated; use {new}")
    if sys.argv[1:2] == ["train"] and {"--help", "-h"} & set(sys.argv):
        from gqa_compress.training.recipe_help import recipe_help

        app["train"].help_format = "plaintext"
        app["train"].help_epilogue = recipe_help()
    try:
        app(sys.argv[1:])
    except (InputError, OutputError) as error:
        _fail(str(error), 2)
    except CompressError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt as interrupt:
        _fail(str(interrupt) or "interrupted", 130)


def _before_torch() -> None:
    """Let idle threads sleep rather than spin, and libraries be silent; must run before torch is first imported.

    With other work on the same cores, spinning costs most of the speed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()  # type: ignore[no-untyped-call]
    set_verbosity_error()  # type: ignore[no-untyped-call]


def _print(content: dict[str, Any]) -> None:
    from gqa_compress.deprecated import with_old_names

    print(json.dumps(with_old_names(content), indent=2, ensure_ascii=False, default=str))


def _fail(message: str, code: int) -> None:
    print(f"gqa-compress: {message}", file=sys.stderr)
    sys.exit(code)
