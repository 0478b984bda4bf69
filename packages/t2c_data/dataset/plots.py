"""The results page of a set of pairs: figures as JSON, bars as PNG, and one Markdown page that shows both.

Reads what `stats` counted. Writes: `stats.json`, `*.png`, `README.md` last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from t2c_data.pairs import write_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BARS = 40
_COLOUR = "#2f6f8f"
_EMPTY = "#c0504d"


def write_results(figures: Mapping[str, Any], lengths: Mapping[int, int], out: Path) -> None:
    """Write the results page.

    Args:
        figures: what `stats.describe` gives.
        lengths: how many questions have so many words.
        out: the folder; made when absent.
    """
    out.mkdir(parents=True, exist_ok=True)
    charts = {
        "category": ("Pairs by category", figures["by_category"]),
        "difficulty": ("Pairs by difficulty", figures["by_difficulty"]),
        "lengths": ("Questions by number of words", {str(key): lengths[key] for key in sorted(lengths)}),
        "distinct": (
            "Share of distinct runs of words, and self-BLEU",
            figures["variety"],
        ),
    }
    if figures.get("dropped"):
        charts["dropped"] = ("Candidates dropped, by reason", figures["dropped"])
    if "coverage" in figures:
        held = figures["coverage"]
        charts["coverage_labels"] = ("Pairs that touch each label", held["labels"])
        charts["coverage_types"] = ("Pairs that touch each relationship type", held["types"])
        charts["coverage_properties"] = ("Pairs that touch each property", held["properties"])
    for name, (title, values) in charts.items():
        draw_bars(title, values, out / f"{name}.png")
    write_lines(out / "stats.json", [json.dumps(figures, indent=1, ensure_ascii=False)])
    write_lines(out / "README.md", _page(figures, {name: title for name, (title, _) in charts.items()}))


def draw_bars(title: str, values: Mapping[str, float], path: Path) -> None:
    """Draw one bar a name, the largest first where there are many; bars of nothing are marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = dict(values)
    if len(shown) > MAX_BARS:
        shown = dict(sorted(shown.items(), key=lambda each: -each[1])[:MAX_BARS])
        title = f"{title} (the {MAX_BARS} largest of {len(values)})"
    names = [_plain(name) for name in shown]
    figure = Figure(figsize=(9, 1.2 + 0.26 * max(len(names), 3)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    amounts = list(shown.values())
    bars = axes.barh(range(len(names)), amounts, color=_COLOUR)
    axes.bar_label(bars, [f"{each:g}" for each in amounts], padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    for label, amount in zip(axes.get_yticklabels(), amounts, strict=True):
        label.set_color(_EMPTY if not amount else "black")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(_plain(title, 90), fontsize=10, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    fresh = path.with_name(path.name + ".tmp")
    figure.savefig(fresh, format="png", dpi=110, metadata={"Software": None})
    fresh.replace(path)


def _plain(name: str, most: int = 40) -> str:
    """Shorten a name and leave out what fonts cannot draw."""
    text = "".join(each if each.isprintable() and ord(each) < 0x2000 else "?" for each in name)
    return text if len(text) <= most else text[: most - 1] + "…"


def _page(figures: Mapping[str, Any], charts: Mapping[str, str]) -> list[str]:
    words, various, leaks = figures["question_words"], figures["variety"], figures["leaks"]
    runs = ", ".join(f"{various[f'distinct_{size}']:.3f}" for size in range(1, 5))
    lines = [
        "# Pairs in figures",
        "",
        (
            f"{figures['pairs']} pairs, {figures['questions']} questions, "
            f"{figures['questions_without_values']} without their values, {figures['query_shapes']} shapes.\n"
            f"Words of a question: {words['mean']} on average, {words['shortest']} to {words['longest']}.\n"
            f"Distinct runs of one to four words: {runs}; self-BLEU {various['self_bleu']:.3f}.\n"
            f"On both sides of the split: {leaks['skeleton']} shapes, {leaks['question']} questions, "
            f"{leaks['near']} near-duplicates."
        ),
    ]
    if "coverage" in figures:
        lines += ["", "## Touched by no pair", ""]
        for what, names in figures["coverage"]["untouched"].items():
            shown = ", ".join(f"`{name.replace('`', '')}`" for name in names) or "none"
            lines.append(f"- {what}: {shown}")
    for name, title in charts.items():
        lines += ["", f"## {title}", "", f"![{title}]({name}.png)"]
    return lines
