"""The data card of an export: what is in it, how it was made, what to fill in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from t2c_data.dataset.stats import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.pairs import Pair

_LEAKS = {"query shapes": "skeleton", "questions": "question", "near-duplicates": "near"}


def card(pairs: Sequence[Pair], rows: dict[str, int]) -> str:
    """Write the card as Markdown with the header that the Hugging Face hub reads."""
    files = [{"split": name, "path": f"{name}.parquet"} for name, count in rows.items() if count]
    header = yaml.safe_dump(
        {
            "license": "other",
            "license_name": "fill in: the licence of the graph's data",
            "task_categories": ["text-generation"],
            "tags": ["text-to-cypher", "neo4j", "synthetic"],
            "configs": [{"config_name": "default", "data_files": files}],
        },
        sort_keys=False,
    )
    figures = describe(pairs)
    lines = [f"---\n{header}---", "# Question-Cypher pairs", ""]
    lines.append(
        "Made from templates over one graph by `t2c-data build`; every query was run on that graph. "
        "Values stand in `parameters` (JSON)."
    )
    for title, key in (("Split", "by_split"), ("Category", "by_category"), ("Difficulty", "by_difficulty")):
        lines += ["", f"| {title} | pairs |", "|---|---:|"]
        lines += [f"| {name} | {count} |" for name, count in figures.get(key, {}).items()]
    leaks = figures.get("leaks", {})
    held = ", ".join(f"{what} {leaks.get(key, 0)}" for what, key in _LEAKS.items())
    lines += ["", f"On both sides of the split: {held}."]
    return "\n".join(lines) + "\n"
