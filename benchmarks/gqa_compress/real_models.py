"""What pretrained models lose when they keep fewer KV heads, by method, and how much distillation brings back.

    python benchmarks/gqa_compress/pretrained.py smollm2-135m --out models/pretrained/smollm2-135m
    python benchmarks/gqa_compress/real_models.py [--models smollm2-135m] [--steps 150] [--only STAGE]

Converts each model to one KV head by every method, measures perplexity on texts unlike the calibration text at a
length of 2,048 tokens (real_texts.py), and distils the best conversion end to end, with its perplexity by tokens. Each
stage is a process of its own and adds to results/real_models.json; a stopped run goes on where it was. Without a model
under models/pretrained it does nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from baselines import BASELINES
from pydantic import TypeAdapter
from real_models_report import write_report
from real_texts import calibration_rows, distillation_rows, test_texts
from transformers.utils.logging import disable_progress_bar

from gqa_compress.checkpoint.reader import load_tokenizer
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.heads.merging import METHODS
from gqa_compress.text.training_rows import make_batch, tokenize_rows
from gqa_compress.training.config import TrainingConfig
from gqa_compress.training.loop import train
from gqa_compress.training.losses import cross_entropy, logits_at_positions
from gqa_compress.training.setup import load_for_training
from graphling_io.outputs import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

RESULTS = Path(__file__).parent / "results"
MODELS_FOLDER = Path(os.environ.get("GRAPHLING_MODELS", Path(__file__).parents[2] / "models"))
PRETRAINED, WORK = MODELS_FOLDER / "pretrained", MODELS_FOLDER / "real_models"
MODELS = ("smollm2-135m", "qwen2.5-coder-0.5b")
LENGTH = 2048
TEST_ROWS = 2
CALIBRATION_TOKENS = 8192


@dataclass(frozen=True)
class Plan:
    """One conversion to measure."""

    name: str
    method: str = "weighted"
    refit: bool = False
    steps: int = 0
    tokens: int = CALIBRATION_TOKENS
    options: dict[str, Any] = field(default_factory=dict)
    """Other fields of the conversion."""


SMALL_BATCHES = {"max_tokens_per_batch": 512}
PLANS = (
    Plan("weighted + refits + 100 steps of 512 tokens", refit=True, steps=100, options=SMALL_BATCHES),
    Plan("aligned", "aligned"),
    Plan("weighted", "weighted"),
    Plan("mean", "mean"),
    Plan("rorope", "rorope"),
    Plan("two_norm", "two_norm"),
    Plan("low_rank", "low_rank"),
    Plan("weighted + refits", refit=True),
    Plan("weighted + refits + 25 steps of 2,048 tokens", refit=True, steps=25),
    Plan("aligned + refits", "aligned", refit=True),
    Plan("mean + refits", "mean", refit=True),
)
DISTILLED = "weighted + refits + 100 steps of 512 tokens"


def main() -> None:
    """Run all stages that have no result yet, each in its own process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--steps", type=int, default=150, help="steps of distillation, of 2,048 tokens")
    parser.add_argument("--only", help="run this stage here")
    parser.add_argument("--results", type=Path, default=RESULTS / "real_models.json")
    given = parser.parse_args()
    for model in given.models:
        if not (PRETRAINED / model / "config.json").exists():
            print(f"no model at {PRETRAINED / model}; see pretrained.py")
            continue
        for stage in stages():
            if stage in read(given.results).get(model, {}) or given.only not in {None, stage}:
                continue
            if given.only:
                run_stage(model, stage, given)
                continue
            command = [sys.executable, __file__, *sys.argv[1:], "--models", model, "--only", stage]
            if subprocess.run(command, check=False).returncode:
                print(f"{model}: stage {stage!r} failed", file=sys.stderr)
        if not given.only:
            write_report(read(given.results), RESULTS)


def stages() -> list[str]:
    """Name the stages of a model in their order."""
    return ["original", *(plan.name for plan in PLANS), "distilled"]


def run_stage(model: str, stage: str, given: argparse.Namespace) -> None:
    """Run one stage and add its result to the file."""
    disable_progress_bar()
    begun, source = time.monotonic(), PRETRAINED / model
    if stage == "distilled":
        found = distil(model, given.steps)
    elif stage == "original":
        found = {"texts": [{"name": t.name, "rows": len(t.rows), "sha256": t.sha256} for t in _texts(source)]}
        found["perplexity"] = measure(source, source)
    else:
        plan = next(plan for plan in PLANS if plan.name == stage)
        out = convert_by(model, plan)
        found = {"plan": asdict(plan), "perplexity": measure(out, source)}
        found["conversion_s"] = json.loads((out / "conversion.json").read_text())["seconds"]
        if stage != DISTILLED:
            shutil.rmtree(out)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found |= {
        "wall_s": round(time.monotonic() - begun),
        "cpu_s": round(usage.ru_utime + usage.ru_stime),
        "peak_gb": round(usage.ru_maxrss / 1e6, 2),
    }
    results = read(given.results)
    results.setdefault(model, {})[stage] = found
    write_json(given.results, results)
    print(model, stage, found, flush=True)


def convert_by(model: str, plan: Plan) -> Path:
    """Convert a model by a plan; return the folder."""
    METHODS.update(BASELINES)  # type: ignore[attr-defined]
    text = WORK / "calibration.jsonl"
    _write_rows(text, calibration_rows(1_000_000))
    config = ConversionConfig(
        kv_heads=1,
        method=plan.method,  # type: ignore[arg-type]
        refit=plan.refit,
        distill_steps_per_layer=plan.steps,
        tokens=plan.tokens,
        **plan.options,
    )
    out = _folder(model, plan.name)
    convert(PRETRAINED / model, text, out, config, force=True)
    return out


@torch.no_grad()
def measure(folder: Path, source: Path) -> dict[str, float]:
    """Measure a model's perplexity on each test text, and on both English ones.

    Args:
        folder: the model.
        source: the model before conversion, whose tokenizer decides where rows end.

    Returns:
        Perplexity by text.
    """
    model, tokenizer = load_for_training(folder, LENGTH), load_tokenizer(source)
    losses: dict[str, tuple[float, int]] = {}
    for text in _texts(source):
        path = WORK / f"{source.name}-{text.name}.jsonl"
        _write_rows(path, [{"text": row} for row in text.rows])
        rows = tokenize_rows(path, tokenizer, max_length=LENGTH)
        loss = count = 0.0
        for chosen in _single(len(rows)):
            batch = make_batch(rows, chosen, prompt_loss_weight=0.0)
            found = cross_entropy(logits_at_positions(model, batch), batch.targets)
            loss, count = loss + float(found.double().sum()), count + len(found)
        losses[text.name] = (loss, int(count))
    english = [losses[name] for name in ("manuals", "documents") if name in losses]
    losses["english"] = (sum(loss for loss, _ in english), sum(count for _, count in english))
    return {name: math.exp(min(700.0, loss / count)) for name, (loss, count) in losses.items() if count}


def distil(model: str, steps: int) -> dict[str, Any]:
    """Distil the kept conversion on docstrings of installed packages; give its curve on the English test rows."""
    source, start, out = (
        PRETRAINED / model,
        WORK / model / DISTILLED.replace(" ", "-"),
        WORK / model / "distilled",
    )
    rows, held_out = WORK / f"{model}-train.jsonl", WORK / f"{model}-english.jsonl"
    if not start.exists():
        convert_by(model, next(plan for plan in PLANS if plan.name == DISTILLED))
    tokenizer = load_tokenizer(source)
    _write_rows(rows, distillation_rows(tokenizer, 510, 4_000_000))
    english = [text for text in _texts(source) if text.name in {"manuals", "documents"}]
    _write_rows(held_out, [{"text": row} for text in english for row in text.rows])
    recipe = TypeAdapter(TrainingConfig).validate_python(
        {
            "output_dir": out,
            "train_file": rows,
            "validation_file": held_out,
            "init_checkpoint": start,
            "teacher": {"checkpoint": source, "kl_weight": 1.0},
            "max_steps": steps,
            "max_length": LENGTH,
            "max_tokens_per_batch": LENGTH,
            "eval_steps": 10,
            "save_steps": 10,
            "optimizer": {
                "learning_rate": 2e-4,
                "warmup_steps": 10,
                "weight_decay": 0.0,
                "min_lr_ratio": 0.1,
            },
        }
    )
    report = train(recipe, resume=True)
    return {
        "start": DISTILLED,
        "curve": read_curve(out),
        "tokens": report.tokens,
        "elapsed_s": report.elapsed_s,
        "perplexity": measure(out, source),
    }


def read_curve(out: Path) -> list[dict[str, float]]:
    """Read tokens, seconds and perplexity at each evaluation of a run, finished or not."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [
        {"tokens": line["tokens"], "elapsed_s": line["elapsed_s"], "perplexity": math.exp(line["eval_loss"])}
        for line in lines
        if "eval_loss" in line
    ]


def read(path: Path) -> dict[str, Any]:
    """Read the results so far."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _folder(model: str, plan: str) -> Path:
    return WORK / model / "-".join(word for word in plan.replace(",", "").split() if word != "+")


def _texts(source: Path) -> list[Any]:
    return test_texts(load_tokenizer(source), LENGTH - 1, TEST_ROWS)


def _single(count: int) -> Iterator[np.ndarray[Any, Any]]:
    import numpy as np

    yield from (np.array([index], dtype=np.int64) for index in range(count))


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
