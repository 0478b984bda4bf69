"""The report of a run and the card of its model, as Markdown: teacher and compressed model side by side."""

from __future__ import annotations

from typing import Any

ROWS = (
    ("execution accuracy", "ex", "{:.1%}"),
    ("executable", "executable", "{:.1%}"),
    ("F1 of rows", "f1", "{:.3f}"),
    ("answered", "answered", "{:.1%}"),
    ("questions", "n", "{:d}"),
)
ENOUGH_RIGHT = 0.8
"""Accuracy on held-out synthetic questions below which a model was trained for too short; people ask harder ones."""
EVALUATION_SETS = {"held_out": "held-out synthetic questions", "dev": "questions by others"}


def render_report(content: dict[str, Any]) -> str:
    """Render the report of a run.

    Args:
        content: content of report.json: `name`, `pairs`, `validation`, `training`, `conversion`, `distillation`,
            `models`, `evaluation` and, where known, `minutes` by step.
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
    if minutes := content.get("minutes"):
        lines += ["", "| step | minutes |", "|---|---|"]
        lines += [f"| {step} | {spent:.1f} |" for step, spent in minutes.items()]
        lines += [f"| together | {sum(minutes.values()):.1f} |"]
    return "\n".join([*lines, ""])


def usage(name: str) -> str:
    """Render how to serve the model of a run."""
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
    """Render the card of a published model: its metrics beside its teacher's, and how it was made."""
    conversion, distillation = content["conversion"], content["distillation"]
    without_minutes = {name: each for name, each in content.items() if name != "minutes"}
    return f"""{CARD}{render_report(without_minutes)}
A standard LLaMA checkpoint. The teacher was trained on the pairs; `gqa-compress convert` took it from
{conversion["kv_heads_before"]} to {conversion["kv_heads_after"]} KV heads with
{conversion["calibration_tokens"]:,} calibration tokens of the same pairs (`conversion.json`), and it was then distilled
towards its teacher for {distillation["tokens"]:,} tokens (`training.json`). It reads and writes the `atoms` format of
`t2c_core.prompt` for one graph, and does not work for another. `report.json` contains all metrics. Rebuilt by
`make starter`.
"""


SHAPE = (
    ("query heads", "heads"),
    ("KV heads", "kv_heads"),
    ("KV-cache bytes per token", "kv_cache_bytes_per_token"),
)


def _training(content: dict[str, Any]) -> str:
    """Render validation and training, with a warning if training was too short; older reports lack some of it."""
    text = f"Trained on {content['pairs']['pairs']:,} pairs built from the graph"
    if "validation" in content:
        text += f", of which {content['validation']['kept']:,} passed validation"
    text += ", and on no question by others"
    last = content.get("training")
    if last is None:
        return f"{text}."
    text += f": {last['step']:,} steps, {last['tokens']:,} tokens, {last['elapsed_s'] / 60:.0f} minutes."
    held_out = content["evaluation"]["model_held_out"]["ex"]
    if held_out < ENOUGH_RIGHT:
        text += (
            f"\n\n**Too short to be usable:** {held_out:.0%} of the held-out synthetic questions are right; with less "
            f"than {ENOUGH_RIGHT:.0%} people's questions fare badly. Call `make own` again with a "
            "larger MINUTES=, on an idle machine."
        )
    return text


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
