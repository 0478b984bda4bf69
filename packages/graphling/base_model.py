"""From a graph and a general instruction-tuned model to a tuned, compressed, healed and evaluated model.

graph ─ snapshot ─ lexicon ─ pairs ─ validated pairs ─ chats
─ tuned (LoRA, merged) ─ converted (fewer KV heads) ─ model (healed) ─ evaluation ─ report

The steps up to the validated pairs are those of `own`. All checkpoints are standard ones.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from graphling.locations import RECIPES
from graphling.own import (
    DISTILLATION_SHARE,
    TEACHER_SHARE,
    OwnConfig,
    check_source,
    graph_settings,
    kept_pairs,
    measure,
    open_graph,
    prepare_pairs,
    run_training,
    update_settings,
)
from graphling.step_runner import (
    StepRunner,
    fingerprint,
    read_rows,
    run_console_script,
    to_jsonl,
    write_if_changed,
)
from graphling_io.console import print_status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROWS = "chat_rows"
TURNS = 8
"""Questions of a training row; the schema before them is most of its tokens."""
CALIBRATION_TOKENS, CALIBRATION_LENGTH = 16_384, 2048
LORA_RATE = 4e-4
"""Learning rate of LoRA; the recipe has that of all weights."""
VARIANTS = {
    "zero_shot": "zero_shot.yaml",
    "tuned": "tuned.yaml",
    "converted": "converted.yaml",
    "model": "graphling.yaml",
}
"""Settings file of each model that is evaluated; `zero_shot` is the base itself."""
TITLES = {"zero_shot": "zero-shot", "tuned": "tuned", "converted": "compressed", "model": "healed"}
# A general model on a CPU reads a schema for seconds, and an evaluation asks several questions at once.
PATIENCE = {"model": {"timeout_s": 600.0}, "limits": {"request_timeout_s": 3600.0}}
VLLM_PORT = 8000
MAX_VLLM_LENGTH = 8192


def build_from_base(config: OwnConfig) -> None:
    """Run all steps.

    Raises:
        ValueError: the base cannot be used, or the folder of that name belongs to another graph.
        StepError: a step failed.
    """
    kv_heads = check_base(config)
    config.home.mkdir(parents=True, exist_ok=True)
    check_source(config)
    steps = StepRunner(config.home)
    with open_graph(config, steps) as uri:
        training = prepare_pairs(config, steps, uri)
    snapshot = config.home / "snapshot"
    steps.run(ROWS, lambda: run_console_script(
        "t2c-data", "export", "--pairs", training, "--snapshot", snapshot, "--format", "chat", "--turns", TURNS,
        "--out", config.home / ROWS), reads=[training, snapshot], parameters=[TURNS])  # fmt: skip
    tune(config, steps)
    compress(config, steps, kv_heads)
    heal(config, steps)
    write_settings(config)
    evaluate(config, steps)
    write_report(config, steps.minutes())


def check_base(config: OwnConfig) -> int:
    """Check that a base can be tuned and compressed, before anything is made; return the number of KV heads to keep.

    Raises:
        ValueError: it cannot, for instance because it is an encoder, is quantised, or has no chat template.
    """
    base = _base(config)
    found = json.loads(run_console_script("gqa-compress", "inspect", base))
    if not found["supported"]:
        raise ValueError(f"BASE={base}: {found['reason']}")
    if not found["chat_supported"]:
        raise ValueError(f"BASE={base}: {found['chat_reason']}")
    fewer = [heads for heads in found["valid_kv_heads"] if heads < found["kv_heads"]]
    if not fewer:
        raise ValueError(f"BASE={base} has one KV head, so there is nothing to compress")
    if config.kv_heads is None:
        return int(max(heads for heads in fewer if heads == 1 or 2 * heads <= found["kv_heads"]))
    if config.kv_heads not in fewer:
        raise ValueError(
            f"KV_HEADS={config.kv_heads}: BASE={base} has {found['kv_heads']} KV heads; choose one of "
            f"{', '.join(map(str, fewer))}"
        )
    return config.kv_heads


def tune(config: OwnConfig, steps: StepRunner) -> None:
    """Train LoRA of the base on the chats, and merge it."""
    base = _base(config)
    recipe = {"init_checkpoint": str(base.resolve()), "max_minutes": config.minutes * TEACHER_SHARE}
    identity = fingerprint([base], [])
    _train(config, steps, "tuned", RECIPES / "base_tune.yaml", recipe, [], identity)


def compress(config: OwnConfig, steps: StepRunner, kv_heads: int) -> None:
    """Convert the tuned model to fewer KV heads by its closed form, calibrated on the chats."""
    home, rows = config.home, config.home / ROWS / "train.jsonl"
    sizes = ("--tokens", CALIBRATION_TOKENS, "--max-length", CALIBRATION_LENGTH)
    steps.run("converted", lambda: run_console_script(
        "gqa-compress", "convert", home / "tuned", "--kv-heads", kv_heads, "--layer-distill-steps", 0, *sizes,
        "--calibration", rows, "--out", home / "converted"),
        reads=[home / "tuned", rows], parameters=[kv_heads, *sizes])  # fmt: skip


def heal(config: OwnConfig, steps: StepRunner) -> None:
    """Distil the compressed model towards the tuned one on the chats."""
    recipe: dict[str, Any] = {
        "init_checkpoint": "converted",
        "max_minutes": config.distil_minutes or config.minutes * DISTILLATION_SHARE,
    }
    template = RECIPES / "base_heal.yaml"
    if config.heal == "lora":
        optimizer = yaml.safe_load(template.read_text(encoding="utf-8"))["optimizer"]
        recipe |= {"trainable": "lora", "optimizer": optimizer | {"learning_rate": LORA_RATE}}
    reads = [config.home / "converted", config.home / "tuned"]
    _train(config, steps, "model", template, recipe, reads)


def _train(
    config: OwnConfig,
    steps: StepRunner,
    out: str,
    template: Path,
    recipe: dict[str, Any],
    reads: Sequence[Path],
    *parameters: object,
) -> None:
    length = row_tokens(config.home / ROWS / "train.jsonl")
    sizes = {"max_length": length, "max_tokens_per_batch": length}
    run_training(config, steps, out, template, recipe | sizes, reads, *parameters, rows=ROWS)


def row_tokens(file: Path) -> int:
    """Return a length in tokens that fits the longest chat of a file: a token has more than two characters."""
    longest = max(sum(len(each["content"]) for each in row["messages"]) for row in read_rows(file))
    return 1024 * -(-longest // 2048)


def write_settings(config: OwnConfig) -> None:
    """Write the settings that serve each model, and those and the command line with which vLLM serves the last one."""
    home = config.home
    shared = graph_settings(config) | {"prompt": "chat", "limits": PATIENCE["limits"]}
    for part, name in VARIANTS.items():
        model = {"kind": "local", "path": _path(config, part), **PATIENCE["model"]}
        update_settings(home / name, shared | {"model": model}, None)
    server = {"kind": "openai", "url": f"http://127.0.0.1:{VLLM_PORT}/v1", "name": home.name, "grammar": "on"}
    update_settings(home / "vllm.yaml", graph_settings(config) | {"prompt": "chat", "model": server}, None)
    write_if_changed(home / "vllm.sh", _vllm_script(config))


def _vllm_script(config: OwnConfig) -> str:
    home = config.home
    context = json.loads((home / "model" / "config.json").read_text(encoding="utf-8"))[
        "max_position_embeddings"
    ]
    return (
        "#!/bin/sh\n"
        "# Serves the model with vLLM, for: t2c-service serve --config vllm.yaml\n"
        f'exec vllm serve "$(dirname "$0")/model" --served-model-name {home.name} --port {VLLM_PORT} '
        f'--max-model-len {min(context, MAX_VLLM_LENGTH)} "$@"\n'
    )


def evaluate(config: OwnConfig, steps: StepRunner) -> None:
    """Ask each model the held-out questions and those by others, and measure its speed and cache."""
    home, held_out = config.home, config.home / "held_out.jsonl"
    write_if_changed(held_out, to_jsonl(kept_pairs(config)[: config.questions]))
    sets = {"held_out": held_out, **({"dev": config.pairs_dev} if config.pairs_dev else {})}
    for part, settings in VARIANTS.items():
        model = home / _path(config, part)
        measure(config, steps, f"{part}_bench", [model], ("gqa-compress", "bench", model))
        for name, pairs in sets.items():
            measure(config, steps, f"{part}_{name}", [model, home / "snapshot", pairs], (
                "t2c-service", "evaluate", "--pairs", pairs, "--config", home / settings, "--no-psjs",
                "--out", home / "evaluation" / f"{part}_{name}.jsonl"))  # fmt: skip


def write_report(config: OwnConfig, minutes: dict[str, float]) -> None:
    """Write report.json and report.md.

    Args:
        config: the run.
        minutes: how long each step took.
    """
    home = config.home
    content = {
        "name": home.name,
        "base": str(_base(config)),
        "pairs": json.loads((home / "pairs" / "manifest.json").read_text(encoding="utf-8")),
        "rows": json.loads((home / ROWS / "manifest.json").read_text(encoding="utf-8")),
        "training": list(read_rows(home / "tuned" / "metrics.jsonl"))[-1],
        "conversion": json.loads((home / "converted" / "conversion.json").read_text(encoding="utf-8")),
        "healing": list(read_rows(home / "model" / "metrics.jsonl"))[-1] | {"trained": config.heal},
        "models": {
            part: json.loads(run_console_script("gqa-compress", "inspect", home / _path(config, part)))
            for part in VARIANTS
        },
        "evaluation": {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((home / "evaluation").glob("*.json"))
        },
        "minutes": minutes,
    }
    write_if_changed(home / "report.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_if_changed(home / "report.md", render_report(content))
    print_status(
        f"serve the model: t2c-service serve --config {home / 'graphling.yaml'}, or {home / 'vllm.sh'}"
    )


SETS = {"held_out": "held-out synthetic questions", "dev": "questions by others"}
METRICS = (
    ("execution accuracy", "ex", "{:.1%}"),
    ("executable", "executable", "{:.1%}"),
    ("answered", "answered", "{:.1%}"),
    ("questions", "n", "{:d}"),
)
SPEED = (
    ("KV-cache bytes per token, counted in the cache", "kv_cache_bytes_per_token", "{:,.0f}"),
    ("tokens a second, decoding, one sequence", "decode_tokens_per_s", "{:,.1f}"),
    ("tokens a second, reading a prompt", "prefill_tokens_per_s", "{:,.1f}"),
)
USAGE = """Serve it: `t2c-service serve --config {folder}/graphling.yaml`; with vLLM: `sh {folder}/vllm.sh`, then
`t2c-service serve --config {folder}/vllm.yaml`."""


def render_report(content: dict[str, Any]) -> str:
    """Render the report of a run: the four models side by side.

    Args:
        content: content of report.json.
    """
    lines = [
        f"# {content['name']}: a general model for one graph",
        "",
        _making(content),
        "",
        f"| | {' | '.join(TITLES.values())} |",
        f"|---|{'---|' * len(TITLES)}",
        _line("KV heads", [f"{content['models'][part]['kv_heads']}" for part in TITLES]),
    ]
    evaluation = content["evaluation"]
    lines += [
        _line(label, [form.format(evaluation[f"{part}_bench"][key]) for part in TITLES])
        for label, key, form in SPEED
    ]
    for name, title in SETS.items():
        if f"model_{name}" in evaluation:
            found = [evaluation[f"{part}_{name}"] for part in TITLES]
            lines += [
                _line(f"{title}: {label}", [_cell(each, key, form) for each in found])
                for label, key, form in METRICS
            ]
    lines += ["", "| step | minutes |", "|---|---|"]
    lines += [f"| {step} | {spent:.1f} |" for step, spent in content["minutes"].items()]
    return "\n".join([*lines, "", USAGE.format(folder=f"models/{content['name']}"), ""])


def _making(content: dict[str, Any]) -> str:
    training, healing = content["training"], content["healing"]
    return (
        f"Base: `{content['base']}`. Tuned on {content['rows']['questions']['train']:,} questions of the graph, "
        f"several to a row, and on no question by others: {_effort(training)}. Compressed with "
        f"{content['conversion']['calibration_tokens']:,} calibration tokens of the same rows. Healed by distillation "
        f"towards the tuned model ({healing['trained']}): {_effort(healing)}."
    )


def _effort(last: dict[str, Any]) -> str:
    return f"{last['step']:,} steps, {last['tokens']:,} tokens, {last['elapsed_s'] / 60:.0f} minutes"


def _cell(found: dict[str, Any], key: str, form: str) -> str:
    cell = form.format(found[key])
    if key == "ex":
        low, high = found["ex_interval"]
        cell += f" ({low:.1%} to {high:.1%})"
    return cell


def _line(label: str, cells: Sequence[str]) -> str:
    return f"| {label} | {' | '.join(cells)} |"


def _base(config: OwnConfig) -> Path:
    if config.base is None:
        raise ValueError("no BASE= is given")
    return config.base


def _path(config: OwnConfig, part: str) -> str:
    """Return the folder of a model, relative to the folder of the run if it lies there."""
    return str(_base(config).resolve()) if part == "zero_shot" else part
