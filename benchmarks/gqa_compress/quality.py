"""Compare every way of keeping fewer key-value heads on freshly trained byte-level models.

    python benchmarks/gqa_compress/quality.py [--home DIR] [--shapes mha,gqa,tied] [--seeds 3] [--parts chain,heal,rest]

Trains small models on the sources of Python's own standard library, which every machine has (`base`), converts each
to 4, 2 and 1 of 8 key-value heads by one method after the other without any end-to-end training (`chain`, `rest`), and
heals some of them by distillation (`heal`). Every model and figure is kept under --home as soon as it is there, so
that a stopped run goes on where it was. Perplexities are of bytes of modules that no model was trained or calibrated
on. Results are written by quality_report.py, after every part.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import sysconfig
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from tests.gqa_compress.tiny_models import byte_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.evaluation.perplexity import evaluate, evaluate_against_teacher
from gqa_compress.training.config import Optimizer, Pruning, Teacher, TrainingConfig
from gqa_compress.training.loop import train
from graphling_io.outputs import write_json, write_text

HOME = Path(__file__).parents[2] / "models" / "gqa_quality"
LENGTH = 256
ROW = LENGTH - 1  # bytes; the end-of-text token makes it LENGTH
BATCH = 8 * LENGTH
HELD_OUT_EVERY = 20
TRAIN_ROWS = 12_288
DEV_TOKENS = 32_768
DEV_ROWS = 64  # looked at while training, the same for teachers and healed models

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
    times: int = 1
    """How often the local steps and the calibration tokens of the others are spent."""


CELLS = (
    Cell("mean", "mean"),
    Cell("aligned", "aligned"),
    Cell("weighted", "weighted"),
    Cell("weighted + refits", "weighted", refit=True),
    Cell("weighted + refits + local", "weighted", refit=True, local=True),
    Cell("weighted + refits + local, twice", "weighted", refit=True, local=True, only=(1,), times=2),
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
OURS = CHAIN[-1].name
# Masks reach zero within the ramp of a short run only if they move fast.
MASK_LR = 3e-4


@dataclass(frozen=True)
class Healing:
    """One way to train a student of one key-value head end to end."""

    name: str
    start: str | None = None
    masks: str | None = None
    lr: float = 1e-3


HEALINGS = (
    Healing("ours", start=OURS),
    Healing("ours, a third of the rate", start=OURS, lr=3e-4),
    Healing("aligned", start="aligned"),
    Healing("paper, forced masks", masks="forced"),
    Healing("paper, learned masks", masks="learned"),
    Healing("mean", start="mean"),
    Healing("linear z(t)", masks="linear"),
)
HEALED_HEADS = 1


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


def make_base(setting: Setting, folder: Path, shape: str, seed: int) -> Path:
    """Train the model that is converted; resumed where it was stopped."""
    out, first = folder / "base", folder / "first"
    if not (first / "model.safetensors").exists():
        fields = {"max_position_embeddings": 512, "bos_token_id": None, "eos_token_id": 0}
        config = AutoConfig.for_model(**(SHAPES[shape] | fields | {"pad_token_id": None}))
        config.save_pretrained(first)
        byte_tokenizer(first)
        tokenizer = AutoTokenizer.from_pretrained(first)
        tokenizer.save_pretrained(first)
        config.vocab_size = len(tokenizer)  # 256 bytes, and what the type's tokenizer adds
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            AutoModelForCausalLM.from_config(config).save_pretrained(first)
    train(
        TrainingConfig(
            output_dir=out,
            train_file=setting.home / "train.jsonl",
            validation_file=setting.home / "dev.jsonl",
            init_checkpoint=first,
            max_steps=setting.steps,
            max_tokens_per_batch=BATCH,
            max_length=LENGTH,
            optimizer=Optimizer(learning_rate=1.5e-3, warmup_steps=50),
            eval_steps=100,
            max_eval_samples=DEV_ROWS,
            save_steps=100,
            seed=seed,
        ),
        resume=True,
    )
    return out


def measure(setting: Setting, model: Path, base: Path | None) -> dict[str, Any]:
    text = setting.home / "dev.jsonl"
    if base is None:
        return asdict(evaluate(model, text, tokens=DEV_TOKENS, max_length=LENGTH))
    return asdict(evaluate_against_teacher(model, base, text, tokens=DEV_TOKENS, max_length=LENGTH))


def run_cell(setting: Setting, folder: Path, base: Path, cell: Cell, kv_heads: int) -> None:
    plan = ConversionConfig(
        kv_heads=kv_heads,
        method=cell.method,
        grouping=cell.grouping,
        refit=cell.refit,
        distill_steps_per_layer=setting.local_steps * cell.times if cell.local else 0,
        tokens=setting.tokens * cell.times,
        max_length=LENGTH,
    )
    done = folder / "cells" / f"{cell.name} {kv_heads}.json"
    if done.exists() and json.loads(done.read_text(encoding="utf-8"))["plan"] == asdict(plan):
        return
    done.parent.mkdir(exist_ok=True)
    out = folder / "converted" / f"{cell.name} {kv_heads}"
    report = convert(base, setting.home / "train.jsonl", out, plan, force=True)
    row = {
        "cell": cell.name,
        "kv_heads": kv_heads,
        "plan": asdict(plan),
        "seconds": report.seconds,
        "calibration_tokens": report.calibration_tokens,
        "stream_errors": [layer.residual_relative_error for layer in report.layers],
        "steps_kept": [layer.best_distill_step for layer in report.layers],
        **measure(setting, out, base),
    }
    write_json(done, row)
    if kv_heads != HEALED_HEADS or cell.name not in {healing.start for healing in HEALINGS}:
        shutil.rmtree(out)
    say(f"{folder.name} {cell.name} {kv_heads}: perplexity {row['perplexity']:.4f} ({report.seconds:.0f} s)")


def heal(setting: Setting, folder: Path, base: Path, healing: Healing) -> None:
    """Distil a converted model, or one whose heads fade, and keep its held-out loss against tokens."""
    done = folder / "healed" / f"{healing.name}.json"
    if done.exists() and json.loads(done.read_text(encoding="utf-8"))["steps"] == setting.heal_steps:
        return
    done.parent.mkdir(exist_ok=True)
    out = folder / "healing" / healing.name
    pruning = (
        Pruning(kv_heads=HEALED_HEADS, mask_schedule=healing.masks, mask_learning_rate=MASK_LR)
        if healing.masks
        else None
    )
    converted = folder / "converted" / f"{healing.start} {HEALED_HEADS}"
    train(
        TrainingConfig(
            output_dir=out,
            train_file=setting.home / "train.jsonl",
            validation_file=setting.home / "dev.jsonl",
            init_checkpoint=base if healing.masks else converted,
            teacher=Teacher(checkpoint=base, kl_weight=1.0),
            pruning=pruning,
            max_steps=setting.heal_steps,
            max_tokens_per_batch=BATCH,
            max_length=LENGTH,
            optimizer=Optimizer(learning_rate=healing.lr, warmup_steps=10),
            eval_steps=max(1, setting.heal_steps // 20),
            max_eval_samples=DEV_ROWS,
            save_steps=50,
            seed=1,
        ),
        resume=True,
    )
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    curve = [
        {"tokens": line["tokens"], "dev_loss": line["eval_loss"]} for line in lines if "eval_loss" in line
    ]
    row = {"name": healing.name, "kv_heads": HEALED_HEADS, "steps": setting.heal_steps}
    row |= {"curve": curve, **measure(setting, out, base)}
    write_json(done, row)
    shutil.rmtree(out)
    say(f"{folder.name} healed, {healing.name}: perplexity {row['perplexity']:.4f}")


def run(setting: Setting, shape: str, seed: int, part: str) -> None:
    folder = setting.home / f"{shape}-{seed}"
    base = make_base(setting, folder, shape, seed)
    if not (folder / "base.json").exists():
        write_json(folder / "base.json", measure(setting, base, None))
        say(f"{folder.name}: base is trained")
    for cell in {"chain": CHAIN, "rest": CELLS}.get(part, ()):
        for kv_heads in cell.only:
            run_cell(setting, folder, base, cell, kv_heads)
    for healing in HEALINGS if part == "heal" else ():
        heal(setting, folder, base, healing)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=HOME)
    parser.add_argument("--shapes", default="mha,gqa,tied")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--heal-steps", type=int, default=500)
    parser.add_argument("--tokens", type=int, default=65_536)
    parser.add_argument(
        "--local-steps", type=int, default=ConversionConfig(kv_heads=1).distill_steps_per_layer
    )
    parser.add_argument("--parts", default="chain,heal,rest", help="in this order, each for every shape")
    given = parser.parse_args()
    disable_progress_bar()
    setting = Setting(given.home, given.steps, given.heal_steps, given.tokens, given.local_steps)
    write_rows(setting.home)
    from quality_report import write_report

    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for part in given.parts.split(","):
            for shape in given.shapes.split(","):
                run(setting, shape, seed, part)
                write_report(setting.home)


if __name__ == "__main__":
    main()
