"""Compare every way of keeping fewer key-value heads on freshly trained byte-level models.

    python benchmarks/gqa_quality.py [--home DIR] [--shapes mha,gqa,tied] [--seeds 3] [--steps 500] [--heal-steps 150]
        [--only base,cells,heal] [--report]

Trains small models on the sources of Python's own standard library, which every machine has, converts each to
4, 2 and 1 of 8 key-value heads by every method without any end-to-end training, and then heals some of them by
distillation. Finished cells are kept under --home, so that a stopped run goes on where it was. Writes
results/gqa_quality.json, .md and .png beside this file. Perplexities are of bytes of modules that no model was
trained or calibrated on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import sysconfig
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from gqa_compress.atomic import write_json, write_text
from gqa_compress.convert import convert
from gqa_compress.evaluation.perplexity import compare, evaluate
from gqa_compress.plan import ConversionPlan
from gqa_compress.testing import byte_tokenizer
from gqa_compress.training.loop import train
from gqa_compress.training.recipe import Optimizer, Pruning, Recipe, Teacher

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
HOME = Path(__file__).parents[1] / "models" / "gqa_quality"
LENGTH = 256
ROW = LENGTH - 1  # bytes; the end-of-text token makes it LENGTH
HELD_OUT_EVERY = 20
TRAIN_ROWS = 12_288
DEV_TOKENS = 32_768

SHAPES: dict[str, dict[str, Any]] = {
    # Multi-head attention, 8 heads of 16: 0.8M parameters.
    "mha": {
        "model_type": "llama",
        "hidden_size": 128,
        "intermediate_size": 344,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "tie_word_embeddings": True,
    },
    # A grouped source with biases on q, k and v: 16 query heads of 16 share 8 key-value heads; 1.0M parameters.
    "gqa": {
        "model_type": "qwen2",
        "hidden_size": 128,
        "intermediate_size": 344,
        "num_hidden_layers": 4,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 16,
        "tie_word_embeddings": False,
    },
    # A head size that is not hidden / heads, tied embeddings; 1.1M parameters.
    "tied": {
        "model_type": "gemma",
        "hidden_size": 128,
        "intermediate_size": 344,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "head_dim": 32,
        "tie_word_embeddings": True,
    },
}


@dataclass(frozen=True)
class Cell:
    """One way to convert."""

    name: str
    method: str
    refit: bool = False
    local: bool = False
    grouping: str = "adjacent"
    only: tuple[int, ...] = (1, 2, 4)


CELLS = (
    Cell("mean", "mean"),
    Cell("aligned", "aligned"),
    Cell("weighted", "weighted"),
    Cell("weighted + refits", "weighted", refit=True),
    Cell("weighted + refits + local", "weighted", refit=True, local=True),
    Cell("aligned + search", "aligned", grouping="search", only=(2, 4)),
    Cell("weighted + search", "weighted", grouping="search", only=(2, 4)),
    Cell("mean + refits", "mean", refit=True),
    Cell("aligned + refits", "aligned", refit=True),
    Cell("weighted + search + refits", "weighted", refit=True, grouping="search", only=(2, 4)),
    Cell("mean + refits + local", "mean", refit=True, local=True, only=(1,)),
    Cell("aligned + refits + local", "aligned", refit=True, local=True, only=(1,)),
    Cell("weighted + local", "weighted", local=True, only=(1,)),
)
CHAIN = CELLS[:5]
HEALED = ("mean", "aligned", "weighted + refits + local")
# Masks reach zero within the ramp of a short run only if they move fast.
FADED, MASK_LR = "fading, masks ", 3e-4


@dataclass(frozen=True)
class Setting:
    """What all runs share."""

    home: Path
    steps: int
    heal_steps: int
    tokens: int
    local_steps: int


def say(message: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def write_rows(home: Path) -> None:
    """Cut the standard library's ASCII modules into rows; every twentieth module is held out."""
    if (home / "dev.jsonl").exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    root = Path(sysconfig.get_paths()["stdlib"])
    left_out = {"site-packages", "test", "tests", "__pycache__", "lib2to3"}
    modules = [
        path for path in sorted(root.rglob("*.py")) if not left_out & set(path.relative_to(root).parts)
    ]
    kept: dict[str, list[str]] = {"train": [], "dev": []}
    for number, path in enumerate(modules):
        content = path.read_bytes()
        if content.isascii():
            text = content.decode()
            part = kept["dev" if number % HELD_OUT_EVERY == 0 else "train"]
            part += [text[at : at + ROW] for at in range(0, len(text) - ROW + 1, ROW)]
    kept["train"] = kept["train"][:: len(kept["train"]) // TRAIN_ROWS][:TRAIN_ROWS]
    for name in ("train", "dev"):
        lines = (json.dumps({"text": row}) + "\n" for row in kept[name])
        write_text(home / f"{name}.jsonl", "".join(lines))
    say(f"{len(kept['train'])} rows to train on, {len(kept['dev'])} held out, from {len(modules)} modules")


def optimizer(lr: float, warmup_steps: int) -> Optimizer:
    return Optimizer(lr=lr, warmup_steps=warmup_steps)


def make_base(setting: Setting, folder: Path, shape: str, seed: int) -> Path:
    """Train the model that is converted; resumed where it was stopped."""
    out, first = folder / "base", folder / "first"
    if not (first / "config.json").exists():
        byte_tokenizer(first)
        fields = {"vocab_size": 257, "max_position_embeddings": 512, "bos_token_id": None, "eos_token_id": 0}
        config = AutoConfig.for_model(**(SHAPES[shape] | fields | {"pad_token_id": None}))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            AutoModelForCausalLM.from_config(config).save_pretrained(first)
        AutoTokenizer.from_pretrained(first).save_pretrained(first)
    train(
        Recipe(
            out=out,
            train=setting.home / "train.jsonl",
            dev=setting.home / "dev.jsonl",
            checkpoint=first,
            steps=setting.steps,
            batch_tokens=16 * LENGTH,
            max_tokens=LENGTH,
            optimizer=optimizer(1.5e-3, 50),
            dev_every=100,
            dev_rows=256,
            checkpoint_every=100,
            seed=seed,
        ),
        resume=True,
    )
    return out


def measure(setting: Setting, model: Path, base: Path | None) -> dict[str, Any]:
    text = setting.home / "dev.jsonl"
    if base is None:
        return asdict(evaluate(model, text, tokens=DEV_TOKENS, length=LENGTH))
    return asdict(compare(model, base, text, tokens=DEV_TOKENS, length=LENGTH))


def run_cell(setting: Setting, folder: Path, base: Path, cell: Cell, kv_heads: int) -> None:
    done = folder / "cells" / f"{cell.name} {kv_heads}.json"
    if done.exists():
        return
    done.parent.mkdir(exist_ok=True)
    out = folder / "converted" / f"{cell.name} {kv_heads}"
    plan = ConversionPlan(
        kv_heads=kv_heads,
        method=cell.method,
        grouping=cell.grouping,
        refit=cell.refit,
        local_steps=setting.local_steps if cell.local else 0,
        tokens=setting.tokens,
        length=LENGTH,
    )
    report = convert(base, setting.home / "train.jsonl", out, plan, force=True)
    row = {
        "cell": cell.name,
        "kv_heads": kv_heads,
        "seconds": report.seconds,
        "calibration_tokens": report.calibration_tokens,
        "stream_errors": [layer.stream_error for layer in report.layers],
        "steps_kept": [layer.local_steps_kept for layer in report.layers],
        **measure(setting, out, base),
    }
    write_json(done, row)
    if cell.name not in HEALED:
        shutil.rmtree(out)
    say(f"{folder.name} {cell.name} {kv_heads}: perplexity {row['perplexity']:.4f} ({report.seconds:.0f} s)")


def heal(setting: Setting, folder: Path, base: Path, name: str, kv_heads: int) -> None:
    """Distil a converted model, or one whose heads fade, and keep its held-out loss against tokens."""
    done = folder / "healed" / f"{name} {kv_heads} {setting.heal_steps}.json"
    faded = name.startswith(FADED)
    start = base if faded else folder / "converted" / f"{name} {kv_heads}"
    if done.exists() or not start.exists():
        return
    done.parent.mkdir(exist_ok=True)
    out = folder / "healing" / f"{name} {kv_heads} {setting.heal_steps}"
    train(
        Recipe(
            out=out,
            train=setting.home / "train.jsonl",
            dev=setting.home / "dev.jsonl",
            checkpoint=start,
            teacher=Teacher(checkpoint=base, weight=1.0),
            pruning=Pruning(kv_heads=kv_heads, masks=name.removeprefix(FADED), mask_lr=MASK_LR)
            if faded
            else None,
            steps=setting.heal_steps,
            batch_tokens=16 * LENGTH,
            max_tokens=LENGTH,
            optimizer=optimizer(1e-3, 10),
            dev_every=10,
            dev_rows=128,
            checkpoint_every=50,
            seed=1,
        ),
        resume=True,
    )
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    curve = [{"tokens": line["tokens"], "dev_loss": line["dev_loss"]} for line in lines if "dev_loss" in line]
    row = {"cell": name, "kv_heads": kv_heads, "steps": setting.heal_steps, "tokens": lines[-1]["tokens"]}
    row |= {"curve": curve, "first_loss": lines[0]["loss"], **measure(setting, out, base)}
    write_json(done, row)
    shutil.rmtree(out)
    say(f"{folder.name} healed {name} {kv_heads}: perplexity {row['perplexity']:.4f}")


def run(setting: Setting, shape: str, seed: int, only: set[str]) -> None:
    folder = setting.home / f"{shape}-{seed}"
    base = make_base(setting, folder, shape, seed)
    if not (folder / "base.json").exists():
        write_json(folder / "base.json", measure(setting, base, None))
    for cells in (CHAIN, CELLS) if "cells" in only else ():
        for cell in cells:
            for kv_heads in cell.only:
                run_cell(setting, folder, base, cell, kv_heads)
        if "heal" in only:
            for name in (*HEALED, *(FADED + masks for masks in ("forced", "linear", "learned"))):
                heal(setting, folder, base, name, 1)


def folders(home: Path) -> Iterator[tuple[str, int, Path]]:
    for path in sorted(home.glob("*-*/base.json")):
        shape, seed = path.parent.name.rsplit("-", 1)
        yield shape, int(seed), path.parent


def gather(setting: Setting) -> dict[str, Any]:
    runs = []
    for shape, seed, folder in folders(setting.home):
        parts = {
            part: [
                json.loads(path.read_text(encoding="utf-8"))
                for path in sorted((folder / part).glob("*.json"))
            ]
            for part in ("cells", "healed")
        }
        base = json.loads((folder / "base.json").read_text(encoding="utf-8"))
        runs.append({"shape": shape, "seed": seed, "base": base, **parts})
    return {"shapes": SHAPES, "steps": setting.steps, "local_steps": setting.local_steps, "runs": runs}


def mean_of(values: list[float]) -> str:
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def markdown(found: dict[str, Any]) -> str:
    lines = [
        "Made by `python benchmarks/gqa_quality.py`. Perplexity of held-out bytes over the teacher's, mean and "
    ]
    lines[0] += "standard deviation over seeds; no end-to-end training.\n"
    for shape in SHAPES:
        runs = [run for run in found["runs"] if run["shape"] == shape]
        if not runs:
            continue
        bases = mean_of([run["base"]["perplexity"] for run in runs])
        lines += [
            f"## {shape}: {SHAPES[shape]['model_type']}, {len(runs)} seeds, teacher's perplexity {bases}\n"
        ]
        lines += ["| | 4 of 8 | 2 of 8 | 1 of 8 | seconds at 1 |", "|---|---|---|---|---|"]
        for cell in CELLS:
            columns = [
                [
                    (row["perplexity"] / run["base"]["perplexity"], row["seconds"])
                    for run in runs
                    for row in run["cells"]
                    if (row["cell"], row["kv_heads"]) == (cell.name, kv_heads)
                ]
                for kv_heads in (4, 2, 1)
            ]
            if any(columns):
                ratios = " | ".join(mean_of([ratio for ratio, _ in column]) for column in columns)
                seconds = statistics.median([second for _, second in columns[2]]) if columns[2] else None
                lines.append(f"| {cell.name} | {ratios} | {'–' if seconds is None else f'{seconds:.0f}'} |")
        healed = [(run, row) for run in runs for row in run["healed"]]
        if healed:
            lines += ["", "| healed end to end | kv heads | tokens | ratio | KL |", "|---|---|---|---|---|"]
            lines += [
                f"| {row['cell']} | {row['kv_heads']} | {row['tokens']:,} "
                f"| {row['perplexity'] / run['base']['perplexity']:.4f} | {row['kl']:.4f} |"
                for run, row in healed
            ]
        lines.append("")
    return "\n".join(lines)


def plot(found: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    shapes = [shape for shape in SHAPES if any(run["shape"] == shape for run in found["runs"])]
    figure, axes = pyplot.subplots(1, len(shapes) + 1, figsize=(5 * (len(shapes) + 1), 4), squeeze=False)
    for axis, shape in zip(axes[0], shapes, strict=False):
        for cell in CHAIN:
            points = [
                (row["kv_heads"], row["perplexity"] / run["base"]["perplexity"])
                for run in found["runs"]
                if run["shape"] == shape
                for row in run["cells"]
                if row["cell"] == cell.name
            ]
            heads = sorted({kv_heads for kv_heads, _ in points})
            middle = [statistics.mean(ratio for kv, ratio in points if kv == kv_heads) for kv_heads in heads]
            axis.plot(heads, middle, marker="o", label=cell.name)
        axis.set(title=shape, xlabel="key-value heads kept of 8", xscale="log", yscale="log")
        axis.set_xticks([1, 2, 4], ["1", "2", "4"])
        axis.set_ylabel("perplexity / teacher's")
        axis.legend(fontsize=7)
    last = axes[0][-1]
    for run in found["runs"][:1]:
        for row in run["healed"]:
            points = [(point["tokens"], point["dev_loss"]) for point in row["curve"]]
            last.plot(
                *zip(*points, strict=True), label=f"{row['cell']} → {row['kv_heads']}, {row['steps']} steps"
            )
    last.set(title="healing, first run", xlabel="tokens", ylabel="held-out loss, nats")
    if last.get_legend_handles_labels()[0]:
        last.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def report(setting: Setting) -> None:
    found = gather(setting)
    if not found["runs"]:
        return
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / "gqa_quality.json", found)
    write_text(RESULTS / "gqa_quality.md", markdown(found))
    plot(found, RESULTS / "gqa_quality.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=HOME)
    parser.add_argument("--shapes", default="mha,gqa,tied")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--heal-steps", type=int, default=150)
    parser.add_argument("--tokens", type=int, default=65_536)
    parser.add_argument("--local-steps", type=int, default=200)
    parser.add_argument("--only", default="base,cells,heal")
    parser.add_argument(
        "--report", action="store_true", help="write the results of what is finished, run nothing"
    )
    given = parser.parse_args()
    disable_progress_bar()
    setting = Setting(given.home, given.steps, given.heal_steps, given.tokens, given.local_steps)
    if not given.report:
        write_rows(setting.home)
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            for shape in given.shapes.split(","):
                run(setting, shape, seed, set(given.only.split(",")))
                report(setting)
    report(setting)


if __name__ == "__main__":
    main()
