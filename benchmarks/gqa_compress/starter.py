"""How much end-to-end distillation does a model of `make own` still need once it is converted, and do masks add to it?

    python benchmarks/gqa_compress/starter.py [--home models/starter] [--kv-heads 1] [--steps 780]

Takes the teacher of a finished run to fewer key-value heads by our conversion (the run's own), by the paper's alignment
alone, and by the paper's masks that fade while it is trained; then trains each for the same steps on the same batches
as `make own` does (recipes/starter/distil.yaml), and the teacher with all its heads too, so that what training adds is
separated from what fewer heads lose. The loss on held-out rows is kept as it falls; at the end perplexity and KL to the
teacher are measured on the test rows. Runs and figures are kept under HOME/healing, so that a stopped run goes on.
Writes results/starter.json, .md and .png beside this file after every student; without a finished run at HOME it
does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pydantic import TypeAdapter
from transformers.utils.logging import disable_progress_bar

from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.evaluation.perplexity import evaluate_against_teacher
from gqa_compress.training.config import TrainingConfig
from gqa_compress.training.loop import train
from graphling_io.outputs import write_json, write_text

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
DISTILLATION = ROOT / "recipes" / "starter" / "distil.yaml"
LENGTH = 256
DEV_ROWS = 512
# Masks reach zero within the ramp of a short run only if they move fast.
MASK_LR = 3e-4


@dataclass(frozen=True)
class Student:
    """One way from the teacher to fewer heads."""

    name: str
    start: str | None = None
    masks: str | None = None


STUDENTS = (
    Student("ours", start="ours"),
    Student("all heads", start="teacher"),
    Student("paper, forced masks", masks="forced"),
    Student("aligned", start="aligned"),
)


def starting_points(home: Path, kv_heads: int) -> dict[str, Path]:
    """Give the checkpoints that students begin as; the aligned one is made here."""
    aligned = home / "healing" / "aligned"
    if not (aligned / "conversion.json").exists():
        plan = ConversionConfig(kv_heads=kv_heads, method="aligned", refit=False, distill_steps_per_layer=0)
        convert(home / "teacher", home / "rows" / "calibration.jsonl", aligned, plan, force=True)
    return {"ours": home / "converted", "aligned": aligned, "teacher": home / "teacher"}


def heal(given: argparse.Namespace, student: Student, start: Path | None) -> dict[str, Any]:
    """Train one student; gives its curve, and how far it is from the teacher before and after."""
    home: Path = given.home
    kept = home / "healing" / f"{student.name}, {given.steps}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    teacher = home / "teacher"
    out = home / "healing" / f"{student.name}, {given.steps}"
    train(recipe(given, student, start or teacher, out), resume=True)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    row = {
        "name": student.name,
        "curve": [
            {"tokens": line["tokens"], "dev_loss": line["eval_loss"]} for line in lines if "eval_loss" in line
        ],
        "before": start and measure(home, start),
        "after": measure(home, out),
    }
    write_json(kept, row)
    return row


def recipe(given: argparse.Namespace, student: Student, checkpoint: Path, out: Path) -> TrainingConfig:
    """Give the recipe of `make own`, whatever it says, with this student's own fields."""
    rows = given.home / "rows"
    own = yaml.safe_load(DISTILLATION.read_text(encoding="utf-8"))
    own["teacher"]["checkpoint"] = given.home / "teacher"
    if student.masks:
        own["pruning"] = {
            "kv_heads": given.kv_heads,
            "mask_schedule": student.masks,
            "mask_learning_rate": MASK_LR,
        }
    return TypeAdapter(TrainingConfig).validate_python(
        own
        | {
            "output_dir": out,
            "train_file": rows / "train.jsonl",
            "validation_file": rows / "dev.jsonl",
            "init_checkpoint": checkpoint,
            "max_steps": given.steps,
            "eval_steps": max(1, given.steps // 20),
            "max_eval_samples": DEV_ROWS,
            "save_steps": 50,
            "seed": 1,
        }
    )


def measure(home: Path, model: Path) -> dict[str, Any]:
    return asdict(
        evaluate_against_teacher(model, home / "teacher", home / "rows" / "test.jsonl", max_length=LENGTH)
    )


def distance(measured: dict[str, Any] | None) -> list[str]:
    """Perplexity over the teacher's, and KL."""
    if measured is None:
        return ["–", "–"]
    return [f"{measured['perplexity'] / measured['teacher_perplexity']:.4f}", f"{measured['kl']:.4f}"]


def write(result: dict[str, Any]) -> None:
    write_json(RESULTS / "starter.json", result)
    lines = [
        f"# Distilling the model of `{result['home']}` at {result['kv_heads']} of {result['of']} key-value heads",
        "",
        "Perplexity over the teacher's and KL to it on the test rows, before and after the same steps of distillation",
        "end to end by `recipes/starter/distil.yaml`. Below 1: the student learns from the pairs too and goes on.",
        "",
        "|start|before|KL|after|KL|tokens|",
        "|---|---|---|---|---|---|",
    ]
    for row in result["students"]:
        before, after = row["before"], row["after"]
        cells = [*distance(before), *distance(after), f"{row['curve'][-1]['tokens']:,}"]
        lines.append("|" + "|".join([row["name"], *cells]) + "|")
    text = "\n".join([*lines, "", "![held-out loss against tokens](starter.png)"]) + "\n"
    write_text(RESULTS / "starter.md", text)
    print(text)
    figure = Figure(figsize=(6, 4))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for row in result["students"]:
        axes.plot(
            [point["tokens"] for point in row["curve"]],
            [point["dev_loss"] for point in row["curve"]],
            marker=".",
            label=row["name"],
        )
    axes.set(xlabel="tokens of distillation", ylabel="loss on held-out rows", yscale="log")
    axes.legend()
    figure.tight_layout()
    figure.savefig(RESULTS / "starter.png", dpi=120)


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--home", type=Path, default=ROOT / "models" / "starter")
    options.add_argument("--kv-heads", type=int, default=1)
    options.add_argument("--steps", type=int, default=780)
    given = options.parse_args()
    if not (given.home / "converted" / "conversion.json").exists():
        print(f"no finished run at {given.home}: `make starter` makes one", file=sys.stderr)
        return 0
    disable_progress_bar()
    starts = starting_points(given.home, given.kv_heads)
    teacher = json.loads((given.home / "teacher" / "config.json").read_text(encoding="utf-8"))
    rows = []
    for student in STUDENTS:
        rows.append(heal(given, student, starts[student.start] if student.start else None))
        write(
            {
                "home": given.home.name,
                "kv_heads": given.kv_heads,
                "of": teacher["num_key_value_heads"],
                "max_steps": given.steps,
                "students": rows,
            }
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
