"""Put what quality.py has measured so far into tables and curves.

    python benchmarks/gqa_compress/quality_report.py [--home DIR]

Writes results/quality.json, .md and .png beside this file, from whatever is finished, and says how much that is.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from quality import CELLS, CHAIN, HEALINGS, HOME, OURS, SHAPES

from graphling_io.outputs import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
RATIOS = (4, 2, 1)
AIM = 1.03
# Set for a 5.2M-parameter model with a perplexity of 3.144, as ratios to it.
AIMS = {
    "aim, closed form": (3.45 / 3.144, 3.9 / 3.144, 4.3 / 3.144),
    "aim, with local steps": (3.155 / 3.144, 3.17 / 3.144, 3.20 / 3.144),
}
CLOSE = math.log(1.01)
HEALING_COLUMNS = (
    "start",
    "tokens in all",
    "perplexity over the teacher's at the end",
    "KL",
    "tokens until within 1 %",
    "tokens until the best end of the paper's masks",
)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def gather(home: Path) -> dict[str, Any]:
    runs = []
    for path in sorted(home.glob("*-*/base.json")):
        shape, seed = path.parent.name.rsplit("-", 1)
        training = read(path.parent / "base" / "training.json")
        runs.append(
            {
                "shape": shape,
                "seed": int(seed),
                "base": read(path),
                "base_steps": training["steps"],
                "base_dev_loss": training.get("eval_loss", training.get("dev_loss")),
                "cells": [read(file) for file in sorted((path.parent / "cells").glob("*.json"))],
                "healed": [read(file) for file in sorted((path.parent / "healed").glob("*.json"))],
            }
        )
    return {"shapes": SHAPES, "runs": runs}


def ratio(run: dict[str, Any], cell: str, kv_heads: int) -> float | None:
    """Perplexity over the teacher's, None where it was not measured."""
    for row in run["cells"]:
        if (row["cell"], row["kv_heads"]) == (cell, kv_heads):
            return float(row["perplexity"] / run["base"]["perplexity"])
    return None


def orders(found: dict[str, Any]) -> Iterator[tuple[str, list[float]]]:
    """Yield the ratios along the chain wherever all of it was measured."""
    for run in found["runs"]:
        for kv_heads in RATIOS:
            ratios = [ratio(run, cell.name, kv_heads) for cell in CHAIN]
            if None not in ratios:
                yield f"{run['shape']}-{run['seed']} at {kv_heads} of 8", [r for r in ratios if r is not None]


def mean_of(values: list[float]) -> str:
    if not values:
        return "–"
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def claims(found: dict[str, Any]) -> list[str]:
    measured = list(orders(found))
    wrong = [
        f"{name} ({', '.join(f'{value:.4f}' for value in values)})"
        for name, values in measured
        if any(after >= before for before, after in itertools.pairwise(values))
    ]
    last = [(name, values[-1]) for name, values in measured if name.endswith(" 1 of 8")]
    far = [f"{name} ({value:.4f})" for name, value in last if value > AIM]
    chain = " > ".join(cell.name for cell in CHAIN)
    held = f"holds in {len(measured) - len(wrong)} of {len(measured)} cases (shape, seed, heads kept)"
    within = f"{len(last) - len(far)} of {len(last)} models"
    return [
        f"* **{chain}**: {'; not in '.join([held, '; '.join(wrong)] if wrong else [held])}.",
        f"* **The last within 3 % of the teacher's perplexity at 1 of 8**: {'; not '.join([within, *far])}.",
        "",
    ]


def table(found: dict[str, Any], shape: str) -> list[str]:
    runs = [run for run in found["runs"] if run["shape"] == shape]
    if not runs:
        return []
    bases = mean_of([run["base"]["perplexity"] for run in runs])
    seeds = ", ".join(str(run["seed"]) for run in runs)
    steps = " and ".join(sorted({f"{run['base_steps']:,}" for run in runs}))
    kind = SHAPES[shape]["model_type"]
    local = sorted(
        {
            row["plan"].get("distill_steps_per_layer", row["plan"].get("local_steps"))
            for run in runs
            for row in run["cells"]
            if row["cell"] == OURS
        }
    )
    steps_text = f"{' and '.join(map(str, local))} local steps" if local else "no local steps"
    lines = [
        f"## {shape}: {kind}, seeds {seeds}, {steps} steps, teacher's perplexity {bases}, {steps_text}",
        "",
    ]
    lines += ["| | 4 of 8 | 2 of 8 | 1 of 8 | seconds at 1 |", "|---|---|---|---|---|"]
    for cell in CELLS:
        columns = [
            [value for run in runs if (value := ratio(run, cell.name, kv_heads)) is not None]
            for kv_heads in RATIOS
        ]
        seconds = [
            row["seconds"]
            for run in runs
            for row in run["cells"]
            if (row["cell"], row["kv_heads"]) == (cell.name, 1)
        ]
        if any(columns):
            took = f"{statistics.median(seconds):.0f}" if seconds else "–"
            lines.append(f"| {cell.name} | {' | '.join(map(mean_of, columns))} | {took} |")
    lines += [f"| *{name}* | {' | '.join(f'{aim:.4f}' for aim in aims)} | |" for name, aims in AIMS.items()]
    return [*lines, ""]


def tokens_until(curve: list[dict[str, float]], loss: float) -> str:
    """Tokens at the first look with no more than this loss."""
    for point in curve:
        if point["dev_loss"] <= loss:
            return f"{point['tokens']:,.0f}"
    return "not reached"


def healing(found: dict[str, Any]) -> list[str]:
    lines = []
    for run in found["runs"]:
        rows = {row["name"]: row for row in run["healed"]}
        if not rows:
            continue
        paper = [row["curve"][-1]["dev_loss"] for name, row in rows.items() if name.startswith("paper")]
        same = min(paper) if paper else None
        lines += [
            f"## Healing {run['shape']}-{run['seed']} at 1 of 8, distillation end to end",
            "",
            f"| {' | '.join(HEALING_COLUMNS)} |",
            "|---|---|---|---|---|---|",
        ]
        for healed in HEALINGS:
            if (row := rows.get(healed.name)) is not None:
                # While heads fade a model is still partly its teacher, so only its end counts.
                curve = row["curve"] if healed.start else row["curve"][-1:]
                close = tokens_until(curve, run["base_dev_loss"] + CLOSE)
                reached = "–" if same is None else tokens_until(curve, same)
                lines.append(
                    f"| {healed.name} | {curve[-1]['tokens']:,} | {row['perplexity'] / run['base']['perplexity']:.4f} "
                    f"| {row['kl']:.4f} | {close} | {reached} |"
                )
        lines.append("")
    return lines


def markdown(found: dict[str, Any]) -> str:
    lines = [
        "Made by `python benchmarks/gqa_compress/quality.py`. Perplexity of held-out bytes over the teacher's,",
        "mean and standard deviation over the seeds that are finished; end-to-end training only where it says healing.",
        "",
        *claims(found),
    ]
    for shape in SHAPES:
        lines += table(found, shape)
    return "\n".join(lines + healing(found))


def draw(found: dict[str, Any], path: Path) -> None:
    shapes = [s for s in SHAPES if any(run["shape"] == s and run["cells"] for run in found["runs"])]
    healed = [run for run in found["runs"] if run["healed"]]
    if not shapes:
        return
    figure = Figure(figsize=(5 * (len(shapes) + bool(healed)), 4))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(shapes) + bool(healed), squeeze=False)[0]
    for axis, shape in zip(axes, shapes, strict=False):
        for cell in CHAIN:
            runs = [run for run in found["runs"] if run["shape"] == shape]
            points = {
                kv_heads: [value for run in runs if (value := ratio(run, cell.name, kv_heads)) is not None]
                for kv_heads in sorted(RATIOS)
            }
            means = {kv_heads: statistics.mean(values) - 1 for kv_heads, values in points.items() if values}
            axis.plot(list(means), list(means.values()), marker="o", label=cell.name)
        axis.set(title=shape, xlabel="key-value heads kept of 8", xscale="log", yscale="log")
        axis.set_xticks([1, 2, 4], ["1", "2", "4"])
        axis.xaxis.minorticks_off()
        axis.set_ylim(top=300)  # room for the legend
        axis.set_ylabel("perplexity above the teacher's, share of it")
        axis.legend(fontsize=7, loc="upper right")
    for run in healed[:1]:
        for row in run["healed"]:
            above = [(point["tokens"], point["dev_loss"] - run["base_dev_loss"]) for point in row["curve"]]
            points = [(tokens, loss) for tokens, loss in above if loss > 0]
            axes[-1].plot(*zip(*points, strict=True), label=row["name"])
        axes[-1].axhline(CLOSE, color="grey", linewidth=0.8, linestyle="--")
        axes[-1].set(
            title=f"healing {run['shape']}-{run['seed']}, 1 of 8", xlabel="tokens end to end", yscale="log"
        )
        axes[-1].set_ylabel("held-out loss above the teacher's, nats")
        axes[-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def write_report(home: Path) -> None:
    found = gather(home)
    if found["runs"]:
        RESULTS.mkdir(exist_ok=True)
        write_json(RESULTS / "quality.json", found)
        write_text(RESULTS / "quality.md", markdown(found))
        draw(found, RESULTS / "quality.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=HOME)
    write_report(parser.parse_args().home)


if __name__ == "__main__":
    main()
