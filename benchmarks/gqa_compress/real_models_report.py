"""Table and figure of the benchmark of pretrained models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from graphling_io.outputs import write_text

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ("english", "manuals", "documents", "languages")


def write_report(results: dict[str, Any], folder: Path) -> None:
    """Write real_models.md and real_models.png.

    Args:
        results: by model and stage.
        folder: where they go.
    """
    lines = [
        "# Pretrained models with one KV head",
        "",
        "Perplexity at a length of 2,048 tokens, and its ratio to the original's, on texts unlike the calibration text",
        "(docstrings of Python's standard library). Written by `benchmarks/gqa_compress/real_models.py`.",
    ]
    for model, stages in results.items():
        lines += ["", f"## {model}", "", *_table(stages)]
        lines += _distillation(stages)
    write_text(folder / "real_models.md", "\n".join(lines) + "\n")
    _plot(results, folder / "real_models.png")


def _table(stages: dict[str, Any]) -> list[str]:
    original = stages["original"]["perplexity"]
    texts = [text for text in TEXTS if text in original]
    lines = ["| | " + " | ".join(texts) + " | CPU s | GB |", "|---" * (len(texts) + 3) + "|"]
    for name, found in stages.items():
        values = found.get("perplexity")
        if values is None:
            continue
        cells = [f"{values[t]:,.1f} ({values[t] / original[t]:,.2f})" for t in texts]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {found['cpu_s']:,} | {found['peak_gb']} |")
    return lines


def _distillation(stages: dict[str, Any]) -> list[str]:
    curve = stages.get("distilled", {}).get("curve")
    if not curve:
        return []
    original = stages["original"]["perplexity"]["english"]
    lines = [
        "",
        "Distillation, perplexity of the English texts:",
        "",
        "| within | tokens | minutes |",
        "|---|---|---|",
    ]
    for share in (0.5, 0.2, 0.1, 0.03, 0.01):
        reached = next((point for point in curve if point["perplexity"] <= (1 + share) * original), None)
        cells = f"{reached['tokens']:,} | {reached['elapsed_s'] / 60:.0f}" if reached else "not reached | "
        lines.append(f"| {share:.0%} | {cells} |")
    last = curve[-1]
    lines += ["", f"After {last['tokens']:,} tokens: {last['perplexity'] / original:.3f} of the original's."]
    return lines


def _plot(results: dict[str, Any], path: Path) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    bars, curves = figure.subplots(1, 2)
    for number, (model, stages) in enumerate(results.items()):
        original = stages["original"]["perplexity"]["english"]
        known = {name: found for name, found in stages.items() if "plan" in found}
        ratios = [found["perplexity"]["english"] / original for found in known.values()]
        places = [index + 0.4 * number for index in range(len(known))]
        bars.barh(places, ratios, height=0.4, label=model)
        bars.set_yticks(places, list(known), fontsize=7)
        if curve := stages.get("distilled", {}).get("curve"):
            curves.plot(
                [point["tokens"] for point in curve],
                [point["perplexity"] / original for point in curve],
                label=model,
            )
    bars.set_xscale("log")
    bars.set_xlabel("perplexity, ratio to the original")
    bars.invert_yaxis()
    bars.legend(fontsize=7)
    for share in (1.1, 1.03, 1.01):
        curves.axhline(share, color="grey", linewidth=0.6)
    curves.set_xlabel("tokens of distillation")
    curves.set_ylabel("ratio to the original")
    figure.savefig(path, dpi=130)
