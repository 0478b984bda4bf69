"""The training loop: batches in, a stock checkpoint out, stoppable at any moment.

Holds one run from recipe to checkpoint. What a step minimises is in losses.py, what a run starts
from in start.py.
"""

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from gqa_compress.atomic import refuse_filled, write_json
from gqa_compress.checkpoint import load_tokenizer
from gqa_compress.console import CONSOLE
from gqa_compress.errors import InputError, TrainingError
from gqa_compress.machine import keep_memory, versions
from gqa_compress.training import state
from gqa_compress.training.data import Batch, Rows, make_batch, plan_epoch, read_rows
from gqa_compress.training.losses import cross_entropy, divergence
from gqa_compress.training.recipe import Recipe, as_json
from gqa_compress.training.schedule import learning_rate, share_done
from gqa_compress.training.start import (
    make_model,
    make_optimizer,
    pick_device,
    start_model,
    uses_bf16,
)


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What a finished run comes to; also written as `training.json`."""

    checkpoint: str
    steps: int
    tokens: int
    epochs: int
    elapsed_s: float
    tokens_per_s: float
    parameters: int
    train_loss: float
    dev_loss: float | None
    dev_exact: float | None
    rows: int
    rows_dropped: int
    precision: str
    device: str
    seed: int
    versions: dict[str, str]
    recipe: dict[str, object]


@dataclass
class Run:
    """Everything one run holds while it goes on."""

    recipe: Recipe
    model: Any
    teacher: Any
    optimizer: torch.optim.AdamW
    device: torch.device
    bf16: bool
    train: Rows
    dev: Rows | None
    progress: state.Progress = field(default_factory=state.Progress)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which matrix products take the run's precision."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def logits(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the logits at the batch's places, (n, V)."""
        with self.autocast():
            hidden = model.base_model(input_ids=batch.input_ids, use_cache=False).last_hidden_state
            chosen = hidden.flatten(0, 1).index_select(0, batch.positions)  # (n, C)
            logits: torch.Tensor = model.get_output_embeddings()(chosen)
        return logits

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the weighted sum of the batch's losses."""
        logits = self.logits(self.model, batch)
        loss = cross_entropy(logits, batch.targets)
        if self.recipe.teacher is not None:
            with torch.no_grad():
                taught = self.logits(self.teacher, batch)
            kl = divergence(logits, taught, temperature=self.recipe.teacher.temperature)
            loss = (1 - self.recipe.teacher.weight) * loss + self.recipe.teacher.weight * kl
        return (loss * batch.weights).sum()


def train(recipe: Recipe, *, resume: bool = False, force: bool = False) -> TrainingReport:
    """Train as a recipe says and write a stock checkpoint.

    Args:
        recipe: the run.
        resume: go on where the same recipe was stopped; start when it never began.
        force: throw away what the output folder holds.

    Returns:
        What the run came to.

    Raises:
        InputError: the recipe asks for something that is not there or does not fit.
        TrainingError: the loss is no longer finite.

    Writes:
        OUT/metrics.jsonl, OUT/checkpoints/, the checkpoint's own files in OUT, and OUT/training.json last.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    if not resume:
        refuse_filled(recipe.out, force=force)
    finished = recipe.out / "training.json"
    if resume and finished.exists():
        content = json.loads(finished.read_text(encoding="utf-8"))
        if content["recipe"] != json.loads(json.dumps(as_json(recipe), default=str)):
            raise InputError(
                f"{recipe.out} holds a finished run of another recipe; name another folder or give --force"
            )
        return TrainingReport(**content)
    run, tokenizer = _prepare(recipe)
    if not resume and recipe.out.is_dir():
        shutil.rmtree(recipe.out)
    checkpoints = recipe.out / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    identity = _identity(run)
    found = state.load(checkpoints, run.model, run.optimizer, identity) if resume else None
    run.progress = found or run.progress
    _cut_metrics(recipe.out / "metrics.jsonl", run.progress.step)
    last = _optimise(run, identity)
    report = _report(run, last)
    _write_checkpoint(run, tokenizer, report)
    shutil.rmtree(checkpoints)
    return report


def _prepare(recipe: Recipe) -> tuple[Run, Any]:
    device = pick_device(recipe)
    if device.type == "cpu":
        keep_memory()
    folder = recipe.tokenizer or recipe.checkpoint
    assert folder is not None  # noqa: S101  the recipe has checked it
    tokenizer = load_tokenizer(folder)
    train_rows = read_rows(recipe.train, tokenizer, max_tokens=recipe.max_tokens)
    dev_rows = read_rows(recipe.dev, tokenizer, max_tokens=recipe.max_tokens) if recipe.dev else None
    if train_rows.dropped:
        CONSOLE.print(f"{train_rows.dropped} rows of more than {recipe.max_tokens} tokens are left out")
    if recipe.checkpoint is not None:
        model = start_model(recipe.checkpoint)
    else:
        assert recipe.model is not None  # noqa: S101  the recipe has checked it
        model = make_model(recipe.model, tokenizer, recipe.seed)
    teacher = start_model(recipe.teacher.checkpoint) if recipe.teacher else None
    for holder in filter(None, (model, teacher)):
        if holder.config.vocab_size < len(tokenizer):
            raise InputError(
                f"the tokenizer has {len(tokenizer)} tokens and the model only {holder.config.vocab_size}"
            )
    model.to(device).train()
    if teacher is not None:
        teacher.to(device).eval().requires_grad_(requires_grad=False)
    run = Run(
        recipe=recipe,
        model=model,
        teacher=teacher,
        optimizer=make_optimizer(recipe, model),
        device=device,
        bf16=uses_bf16(recipe, device),
        train=train_rows,
        dev=dev_rows,
    )
    return run, tokenizer


def _identity(run: Run) -> dict[str, Any]:
    """Return what must be equal for a resume to be exact; the output folder may move."""
    plain = as_json(run.recipe)
    plain.pop("out")
    weights = hashlib.sha256(run.train.tokens.tobytes()).hexdigest()
    return {**plain, "train": run.train.digest, "tokens": weights, "dev": run.dev.digest if run.dev else None}


def _batches(run: Run) -> Iterator[Batch]:
    """Yield batches from where the run is, moving its place forward."""
    recipe, progress = run.recipe, run.progress
    while True:
        plan = plan_epoch(run.train, batch_tokens=recipe.batch_tokens, seed=recipe.seed, epoch=progress.epoch)
        while progress.batch < len(plan):
            chosen = plan[progress.batch]
            progress.batch += 1
            batch = make_batch(run.train, chosen, prompt_weight=recipe.prompt_weight)
            if len(batch.positions):
                yield batch.to(run.device)
        progress.epoch, progress.batch = progress.epoch + 1, 0


def _optimise(run: Run, identity: dict[str, Any]) -> dict[str, float]:
    """Make every step that is left; return the last measurements."""
    recipe, progress = run.recipe, run.progress
    batches = _batches(run)
    last: dict[str, float] = {}
    resumed_s = progress.elapsed_s
    begun = time.monotonic()
    with (recipe.out / "metrics.jsonl").open("a", encoding="utf-8") as metrics, _bar() as bar:
        task = bar.add_task("training", total=1.0, note="")
        while share_done(recipe, progress) < 1:
            measured = _step(run, batches)
            progress.elapsed_s = resumed_s + time.monotonic() - begun
            if progress.step % recipe.dev_every == 0 and run.dev is not None:
                last |= _look(run, run.dev)
                measured |= last
            metrics.write(json.dumps({"step": progress.step, **measured, **_pace(progress)}) + "\n")
            metrics.flush()
            pace = _pace(progress)["tokens_per_s"]
            note = f"step {progress.step}  loss {measured['loss']:.4f}  {pace:,.0f} tokens/s"
            bar.update(task, completed=min(1.0, share_done(recipe, progress)), note=note)
            if progress.step % recipe.checkpoint_every == 0:
                state.save(recipe.out / "checkpoints", progress, run.model, run.optimizer, identity)
            progress.elapsed_s = resumed_s + time.monotonic() - begun
    state.save(recipe.out / "checkpoints", progress, run.model, run.optimizer, identity)
    final = _look(run, run.dev) if run.dev is not None else {}
    return last | final


def _step(run: Run, batches: Iterator[Batch]) -> dict[str, float]:
    """Make one optimiser step."""
    recipe, progress = run.recipe, run.progress
    rate = learning_rate(recipe, progress)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    gathered = [next(batches) for _ in range(recipe.accumulate)]
    weight = sum(float(batch.weights.sum()) for batch in gathered)
    total = 0.0
    for batch in gathered:
        loss = run.loss(batch) / weight
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    norm = float(torch.nn.utils.clip_grad_norm_(run.model.parameters(), recipe.optimizer.clip))
    if not np.isfinite(total) or not np.isfinite(norm):
        raise TrainingError(
            f"the loss at step {progress.step + 1} is {total}; lower optimizer.lr (now {rate:.2g})"
        )
    run.optimizer.step()
    run.optimizer.zero_grad()
    progress.step += 1
    progress.tokens += sum(batch.tokens for batch in gathered)
    return {"loss": total, "lr": rate, "grad_norm": norm}


@torch.no_grad()
def _look(run: Run, rows: Rows) -> dict[str, float]:
    """Measure held-out completions: loss a token, share of rows that greedy decoding gets right."""
    run.model.eval()
    count = min(run.recipe.dev_rows, len(rows))
    chosen = np.linspace(0, len(rows) - 1, count).astype(np.int64)
    chosen = chosen[np.argsort(rows.lengths[chosen], kind="stable")]
    loss, places, right = 0.0, 0, 0
    size = max(1, run.recipe.batch_tokens // int(rows.lengths[chosen].max()))
    for begin in range(0, count, size):
        batch = make_batch(rows, chosen[begin : begin + size], prompt_weight=0.0).to(run.device)
        logits = run.logits(run.model, batch)
        loss += float(cross_entropy(logits, batch.targets).sum())
        places += len(batch.targets)
        wrong = torch.unique(batch.rows[logits.argmax(-1) != batch.targets])
        right += len(batch.input_ids) - len(wrong)
    run.model.train()
    return {"dev_loss": loss / max(1, places), "dev_exact": right / count}


def _pace(progress: state.Progress) -> dict[str, float]:
    return {
        "tokens": progress.tokens,
        "elapsed_s": round(progress.elapsed_s, 3),
        "tokens_per_s": round(progress.tokens / max(progress.elapsed_s, 1e-9), 1),
    }


def _bar() -> Bar:
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Bar(*columns, console=CONSOLE)


def _cut_metrics(path: Path, step: int) -> None:
    """Drop lines written after the checkpoint that the run goes on from."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
    path.write_text("".join(kept), encoding="utf-8")


def _recent_loss(path: Path) -> float:
    lines = path.read_text(encoding="utf-8").splitlines()[-50:]
    return float(np.mean([json.loads(line)["loss"] for line in lines]))


def _report(run: Run, last: dict[str, float]) -> TrainingReport:
    progress = run.progress
    return TrainingReport(
        checkpoint=str(run.recipe.out),
        steps=progress.step,
        tokens=progress.tokens,
        epochs=progress.epoch,
        elapsed_s=round(progress.elapsed_s, 2),
        tokens_per_s=_pace(progress)["tokens_per_s"],
        parameters=sum(p.numel() for p in run.model.parameters()),
        train_loss=_recent_loss(run.recipe.out / "metrics.jsonl"),
        dev_loss=last.get("dev_loss"),
        dev_exact=last.get("dev_exact"),
        rows=len(run.train),
        rows_dropped=run.train.dropped,
        precision="bf16" if run.bf16 else "fp32",
        device=run.device.type,
        seed=run.recipe.seed,
        versions=versions(),
        recipe=as_json(run.recipe),
    )


def _write_checkpoint(run: Run, tokenizer: Any, report: TrainingReport) -> None:
    """Write the stock checkpoint; config.json comes last of its files, so a torn one cannot be loaded."""
    out = run.recipe.out
    partial = out / ".final.partial"
    shutil.rmtree(partial, ignore_errors=True)
    run.model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    for path in sorted(partial.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(out / path.name)
    partial.rmdir()
    write_json(out / "training.json", asdict(report))
