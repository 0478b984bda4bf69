"""The statistics report of a file of pairs as Markdown with bar charts, and the dataset card of an export.

Reads: what `stats.describe` returns. Writes: `stats.json`, `*.png`, and `README.md` last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from graphling_io.outputs import atomic_file, write_text
from t2c_data.dataset.stats import DEPRECATED, describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from t2c_data.pairs import Pair

MAX_BARS = 40
MAX_NAME = 40
"""Maximum number of characters of a bar's name."""
_COLOUR, _EMPTY = "#2f6f8f", "#c0504d"
_LEAKS = {"query skeletons": "skeleton", "questions": "question", "near-duplicates": "near"}
_TABLES = (("Split", "by_split"), ("Category", "by_category"), ("Difficulty", "by_difficulty"))


def write_report(statistics: Mapping[str, Any], lengths: Mapping[int, int], out: Path) -> None:
    """Write the statistics report.

    Args:
        statistics: what `stats.describe` returns.
        lengths: number of questions by number of words.
        out: the folder; created if missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    charts = {
        "category": ("Pairs by category", statistics["by_category"]),
        "difficulty": ("Pairs by difficulty", statistics["by_difficulty"]),
        "lengths": ("Questions by number of words", {str(key): lengths[key] for key in sorted(lengths)}),
        "distinct": ("Ratio of distinct n-grams, and self-BLEU", statistics["lexical_diversity"]),
    }
    if statistics.get("dropped"):
        charts["dropped"] = ("Candidates dropped, by reason", statistics["dropped"])
    if "coverage" in statistics:
        coverage = statistics["coverage"]
        charts["coverage_labels"] = ("Pairs that cover each label", coverage["labels"])
        charts["coverage_types"] = ("Pairs that cover each relationship type", coverage["types"])
        charts["coverage_properties"] = ("Pairs that cover each property", coverage["properties"])
    for name, (title, values) in charts.items():
        draw_bars(title, values, out / f"{name}.png")
    shown = {name: value for name, value in statistics.items() if name not in DEPRECATED.values()}
    write_text(out / "stats.json", json.dumps(shown, indent=1, ensure_ascii=False) + "\n")
    titles = {name: title for name, (title, _) in charts.items()}
    write_text(out / "README.md", "\n".join(_page(statistics, titles)) + "\n")


def draw_bars(title: str, values: Mapping[str, float], path: Path) -> None:
    """Draw a bar chart as PNG: the largest `MAX_BARS` bars, names without a value in red."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = dict(values)
    if len(shown) > MAX_BARS:
        shown = dict(sorted(shown.items(), key=lambda each: -each[1])[:MAX_BARS])
        title = f"{title} (the {MAX_BARS} largest of {len(values)})"
    names = [_drawable(name) for name in shown]
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
    axes.set_title(_drawable(title, 90), fontsize=10, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def dataset_card(pairs: Sequence[Pair], rows: Mapping[str, int]) -> str:
    """Return the dataset card of a Parquet export as Markdown with the metadata that the Hugging Face hub reads.

    Args:
        pairs: the exported pairs.
        rows: number of rows by split.
    """
    files = [{"split": name, "path": f"{name}.parquet"} for name, count in rows.items() if count]
    metadata = yaml.safe_dump(
        {
            "license": "other",
            "license_name": "fill in: the licence of the graph's data",
            "task_categories": ["text-generation"],
            "tags": ["text-to-cypher", "neo4j", "synthetic"],
            "configs": [{"config_name": "default", "data_files": files}],
        },
        sort_keys=False,
    )
    statistics = describe(pairs)
    origin = (
        "Generated over one graph by `t2c-data build`; every query was executed on that graph. "
        "Values are in `parameters` (JSON)."
    )
    lines = [f"---\n{metadata}---", "# Question-Cypher pairs", "", origin]
    for title, key in _TABLES:
        lines += ["", f"| {title} | pairs |", "|---|---:|"]
        lines += [f"| {name} | {count} |" for name, count in statistics.get(key, {}).items()]
    lines += ["", f"In train and in another split: {_leaks(statistics.get('leaks', {}))}."]
    return "\n".join(lines) + "\n"


def _drawable(name: str, max_length: int = MAX_NAME) -> str:
    """Shorten a name and replace what fonts cannot draw."""
    text = "".join(each if each.isprintable() and ord(each) < 0x2000 else "?" for each in name)
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def _leaks(leaks: Mapping[str, int]) -> str:
    return ", ".join(f"{leaks.get(key, 0)} {title}" for title, key in _LEAKS.items())


def _page(statistics: Mapping[str, Any], charts: Mapping[str, str]) -> list[str]:
    length, diversity = statistics["question_length"], statistics["lexical_diversity"]
    distinct = ", ".join(f"{diversity[f'distinct_{size}']:.3f}" for size in range(1, 5))
    counts = (
        f"{statistics['pairs']} pairs, {statistics['questions']} questions, "
        f"{statistics['questions_without_values']} without their values, "
        f"{statistics['query_skeletons']} query skeletons."
    )
    lines = [
        "# Statistics of the pairs",
        "",
        counts,
        f"Words per question: {length['mean']} on average, {length['shortest']} to {length['longest']}.",
        f"Distinct 1- to 4-grams: {distinct}; self-BLEU {diversity['self_bleu']:.3f}.",
        f"In train and in another split: {_leaks(statistics['leaks'])}.",
    ]
    if "coverage" in statistics:
        lines += ["", "## Covered by no pair", ""]
        for kind, names in statistics["coverage"]["uncovered"].items():
            shown = ", ".join(f"`{name.replace('`', '')}`" for name in names) or "none"
            lines.append(f"- {kind}: {shown}")
    for name, title in charts.items():
        lines += ["", f"## {title}", "", f"![{title}]({name}.png)"]
    return lines
