"""The report of a run: teacher and compressed model side by side, as Markdown."""

from __future__ import annotations

from typing import Any

ROWS = (
    ("execution accuracy", "ex", "{:.1%}"),
    ("executable", "executable", "{:.1%}"),
    ("F1 of rows", "f1", "{:.3f}"),
    ("answered", "answered", "{:.1%}"),
    ("questions", "n", "{:d}"),
)
ENOUGH_TOKENS = 2_000_000
"""Tokens of training below which models of the demo graph and of FAERS were of no use; 3.5 million made good ones."""
EVALUATION_SETS = {"held_out": "held-out synthetic questions", "dev": "questions by others"}


def render_report(content: dict[str, Any]) -> str:
    """Write the report of one run.

    Args:
        content: what report.json holds: `name`, `pairs`, `training`, `conversion`, `distillation`, `models` and
            `evaluation`.
    """
    teacher, model = content["models"]["teacher"], content["models"]["model"]
    lines = [
        f"# {content['name']}: a model for one graph",
        "",
        _training(content),
        "",
        "| | teacher | compressed model |",
        "|---|---|---|",
        *_model_rows(teacher, model),
        _row("perplexity of held-out answers", content["evaluation"], "text", "perplexity", "{:.3f}"),
    ]
    for name, title in EVALUATION_SETS.items():
        if f"model_{name}" in content["evaluation"]:
            lines += [
                _row(f"{title}: {label}", content["evaluation"], name, key, form) for label, key, form in ROWS
            ]
    return "\n".join([*lines, ""])


def usage(name: str) -> str:
    """Say how the model of a run is served."""
    return f"""
Ask it:

    .venv/bin/t2c-service serve --config models/{name}/graphling.yaml
"""


CARD = """---
library_name: transformers
license: apache-2.0
tags: [text-to-cypher, gqa, kv-cache]
---

"""


def card(content: dict[str, Any]) -> str:
    """Write the card of a published model: its figures beside its teacher's, and how it came about."""
    conversion, distillation = content["conversion"], content["distillation"]
    return f"""{CARD}{render_report(content)}
A stock LLaMA checkpoint. The teacher was trained from scratch on the pairs; `gqa-compress convert` took it from
{conversion["kv_heads_before"]} to {conversion["kv_heads_after"]} key-value heads with
{conversion["calibration_tokens"]:,} calibration tokens of the same pairs (`conversion.json`), and it was then distilled
towards its teacher for {distillation["tokens"]:,} tokens (`training.json`). It reads and writes the `atoms` format of
`t2c_core.prompt` for one graph, and is of no use for another. `report.json` holds every figure. Rebuilt by
`make starter`.
"""


SHAPE = (
    ("query heads", "heads"),
    ("key-value heads", "kv_heads"),
    ("cache bytes a token", "cache_bytes_a_token"),
)


def _training(content: dict[str, Any]) -> str:
    """Say how long was trained, and whether that was long enough; models made before this was kept do not say."""
    told = f"Trained on {content['pairs']['pairs']:,} pairs built from the graph, on no question by others"
    last = content.get("training")
    if last is None:
        return f"{told}."
    told += f": {last['step']:,} steps, {last['tokens']:,} tokens, {last['elapsed_s'] / 60:.0f} minutes."
    if last["tokens"] < ENOUGH_TOKENS:
        told += (
            f"\n\n**Too short to be of use:** at least {ENOUGH_TOKENS:,} tokens are needed. Call `make own` again with "
            "a larger MINUTES=, on a machine that does nothing else, after removing the folder `teacher`."
        )
    return told


def _model_rows(teacher: dict[str, Any], model: dict[str, Any]) -> list[str]:
    return [f"| {label} | {teacher[key]:,} | {model[key]:,} |" for label, key in SHAPE]


def _row(label: str, figures: dict[str, Any], name: str, key: str, form: str) -> str:
    cells = []
    for part in ("teacher", "model"):
        found = figures[f"{part}_{name}"]
        cell = form.format(found[key])
        if key == "ex":
            low, high = found["ex_interval"]
            cell += f" ({low:.1%} to {high:.1%})"
        cells.append(cell)
    return f"| {label} | {' | '.join(cells)} |"
