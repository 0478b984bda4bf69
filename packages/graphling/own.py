"""From a graph to a served, compressed, evaluated model of its own.

graph ─ snapshot ─ lexicon ─ pairs ─ validated pairs ─ training rows
─ base ─ teacher ─ converted ─ model ─ evaluation ─ report
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  (the command line reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from cyclopts import Parameter
from cyclopts.validators import Number

from graphling.locations import DEMO, RECIPES, ROOT
from graphling.model_report import card, render_report, usage
from graphling.step_runner import (
    StepRunner,
    embedded_graph,
    fingerprint,
    read_rows,
    run_console_script,
    to_jsonl,
    write_if_changed,
)
from graphling_io.console import print_status
from graphling_io.outputs import atomic_directory, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STARTER = DEMO / "starter"
"""The model from which others start: it knows the language of questions and of queries."""
TEACHER_KV_HEADS, KV_HEADS = 8, 2
"""Numbers of KV heads of the teacher and, unless it is given, of the compressed model."""
LAYER_DISTILL_STEPS = 0
"""Conversion by its closed form alone; the distillation that follows gains more in the same time."""
TEACHER_SHARE, DISTILLATION_SHARE = 0.5, 0.25
"""Fractions of the minutes for training; building, converting and evaluating take the rest."""
DISTILLATION_RATE = 1.5e-4
"""Learning rate of a distillation of one minute; it grows with the root of the minutes up to that of the recipe."""
VARIANTS = {"teacher": "teacher.yaml", "model": "graphling.yaml"}
"""Settings file of each model that is served."""
MAX_ACCURACY_DROP = 0.02
"""Maximum drop of execution accuracy on held-out questions that the minimum confidence may cause."""
FEEDBACK_COPIES = 20
"""Rows of each pair of feedback, perturbed in different ways; they outvote synthetic pairs of the same question."""
EXAMPLES = 12
"""Number of example questions for the page."""
WELL_FORMED_QUESTION = re.compile(r"[A-Z].{20,70}\?")
"""Training questions are perturbed on purpose; these can be shown to people."""
PUBLISHED = (
    "*.json",
    "*.safetensors",
    "*.jinja",
    "*.model",
    "*.txt",
    "README.md",
    "LICENSE",
    ".gitattributes",
)
"""Names that a folder of a published model may contain."""


@dataclass(frozen=True, kw_only=True)
class OwnConfig:
    """Options of `graphling own`."""

    name: str
    """Name of the folder under models/."""
    uri: str | None = None
    """Bolt address of a running Neo4j."""
    csv: Path | None = None
    """Folder or zip of CSVs, with typed headers or plain."""
    mapping: Path | None = None
    """YAML that says which labels and relationships plain CSVs hold; proposed as mapping.yaml if omitted."""
    lexicon: Path | None = None
    """Lexicon of the schema; drafted if omitted."""
    pairs_dev: Path | None = None
    """JSONL of questions by others to evaluate on."""
    feedback: Path | None = None
    """JSONL of pairs that `t2c-service feedback export` wrote; those that pass validation are trained on."""
    minutes: float = 25.0
    """Minutes for everything: half of them train the teacher, a quarter distils."""
    distil_minutes: float | None = None
    """Minutes of distillation, instead of a quarter of the minutes; the student is trained further in them."""
    pairs: int = 60_000
    """Number of pairs to build."""
    kv_heads: int | None = None
    """Number of KV heads of the compressed model; 2 if omitted, with a base at most half of its own."""
    base: Path | None = None
    """Checkpoint folder of an instruction-tuned model to tune and compress, instead of the starter model."""
    heal: Literal["full", "lora"] = "full"
    """What is trained after the compression of a base: all weights (16 bytes each), or LoRA."""
    questions: Annotated[int, Parameter(validator=Number(gte=1))] = 500
    """Maximum number of held-out synthetic questions in the evaluation."""
    from_scratch: Annotated[bool, Parameter(negative=())] = False
    """Start from random weights instead of the starter model."""
    seed: int = 0
    """Seed of pairs and training."""

    def __post_init__(self) -> None:
        """Check the options."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(
                f"invalid NAME={self.name!r}: expected a folder name under models/: letters, digits, . _ -"
            )
        if self.name == "demo":
            raise ValueError("NAME=demo is the folder of `make demo`; choose another name")
        if bool(self.uri) == bool(self.csv):
            raise ValueError("give either URI=bolt://... (a running Neo4j) or CSV=folder-or-zip")
        for key in ("csv", "mapping", "lexicon", "pairs_dev", "feedback"):
            path = getattr(self, key)
            if path and not path.exists():
                raise ValueError(f"{key.upper()}={path}: no such file or folder")
        for key in ("minutes", "distil_minutes"):
            if (value := getattr(self, key)) is not None and value <= 0:
                raise ValueError(f"invalid {key.upper()}={value}: expected more than 0")
        if self.base and not (self.base / "config.json").is_file():
            raise ValueError(
                f"BASE={self.base}: expected the folder of a Hugging Face checkpoint, with config.json"
            )
        if self.base and self.from_scratch:
            raise ValueError("BASE= and SCRATCH= exclude each other")

    @property
    def home(self) -> Path:
        """Return the folder of the run."""
        return ROOT / "models" / self.name

    @property
    def words(self) -> Path:
        """Return the lexicon that the pairs are built with."""
        return self.lexicon.resolve() if self.lexicon else self.home / "lexicon.yaml"


def build(config: OwnConfig) -> None:
    """Run all steps.

    Raises:
        ValueError: the folder of that name belongs to another graph.
        StepError: a step failed.
    """
    config.home.mkdir(parents=True, exist_ok=True)
    check_source(config)
    steps = StepRunner(config.home)
    with open_graph(config, steps) as uri:
        prepare(config, steps, uri)
    train(config, steps)
    convert(config, steps)
    distil(config, steps)
    write_settings(config)
    evaluate(config, steps)
    tune_min_confidence(config)
    if config.pairs_dev:
        ask(config, steps, "dev", config.pairs_dev)
    write_report(config, steps.minutes())


def check_source(config: OwnConfig) -> None:
    """Record which graph a run is about, and refuse to mix two graphs in one folder.

    Raises:
        ValueError: the folder of that name belongs to another graph.
    """
    file = config.home / "run.json"
    source: dict[str, str | None] = {"uri": config.uri}
    if config.csv:
        source = {"csv": str(config.csv.resolve()), "content": fingerprint([config.csv], [])}
    earlier: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    is_other = not any(earlier.get(key) == value for key, value in source.items())
    if earlier and is_other and (config.home / "snapshot").exists():
        graph = f"CSV={earlier['csv']}" if "csv" in earlier else f"URI={earlier['uri']}"
        raise ValueError(
            f"NAME={config.name}: {config.home} belongs to another graph, {graph}; choose another NAME, or delete that "
            "folder to start anew"
        )
    if earlier.get("content") not in {None, source.get("content")}:
        print_status(f"{config.csv} has changed; everything is made anew from the import")
    write_json(file, source)


@contextmanager
def open_graph(config: OwnConfig, steps: StepRunner) -> Iterator[str]:
    """Yield the address of the graph; CSVs are imported into an embedded one first."""
    if config.uri:
        yield config.uri
        return
    with embedded_graph(config.home / "graph", is_long=True) as uri:
        summary, source = config.home / "graph.json", [config.csv] if config.csv else []
        mapping = config.mapping or config.home / "mapping.yaml"
        command = ("import", *source, "--uri", uri, "--mapping", mapping)
        if config.mapping is None:  # written once, so that a person can edit it
            steps.run("mapping.yaml", lambda: run_console_script("t2c-graph", *command, "--dry-run"))
        steps.run("graph.json", lambda: write_if_changed(summary, run_console_script("t2c-graph", *command, "--force")),
            reads=[*source, mapping])  # fmt: skip
        yield uri


def prepare(config: OwnConfig, steps: StepRunner, uri: str) -> None:
    """Write snapshot, lexicon, pairs and training rows; pairs that fail validation are not exported."""
    home, snapshot, training = config.home, config.home / "snapshot", prepare_pairs(config, steps, uri)
    steps.run("rows", lambda: run_console_script(
        "t2c-data", "export", "--pairs", training, "--snapshot", snapshot, "--format", "atoms",
        "--out", home / "rows"), reads=[training, snapshot])  # fmt: skip


def prepare_pairs(config: OwnConfig, steps: StepRunner, uri: str) -> Path:
    """Write snapshot, lexicon and validated pairs; return the file of those to train on."""
    home, snapshot, words = config.home, config.home / "snapshot", config.words
    pairs, validated = home / "pairs" / "pairs.jsonl", home / "validated.jsonl"
    graph = ("--uri", uri, "--snapshot", snapshot, "--lexicon", words)
    steps.run("snapshot", lambda: run_console_script(
        "t2c-graph", "snapshot", "--uri", uri, "--out", snapshot), reads=[home / "graph.json"])  # fmt: skip
    if config.lexicon is None:
        steps.run("lexicon.yaml", lambda: run_console_script(
            "t2c-data", "lexicon", "--snapshot", snapshot, "--out", words))  # fmt: skip
    steps.run("pairs", lambda: run_console_script(
        "t2c-data", "build", *graph, "--out", home / "pairs", "--pairs", config.pairs, "--seed", config.seed),
        reads=[snapshot, words], parameters=[config.pairs, config.seed], resumes=True)  # fmt: skip
    steps.run("validated.jsonl", lambda: run_console_script(
        "t2c-data", "validate", *graph, "--pairs", pairs, "--out", validated, "--keep-inconclusive", "--no-run"),
        reads=[pairs, snapshot, words])  # fmt: skip
    return add_feedback(config, steps, graph) if config.feedback else validated


def add_feedback(config: OwnConfig, steps: StepRunner, graph: tuple[object, ...]) -> Path:
    """Validate the pairs of feedback on the graph, and return a file of all pairs to train on.

    Args:
        config: the run.
        steps: runner of steps.
        graph: options that name graph, snapshot and lexicon.
    """
    home = config.home
    validated, checked, training = (
        home / name for name in ("validated.jsonl", "validated_feedback.jsonl", "training_pairs.jsonl")
    )
    reads = [each for each in (config.feedback, home / "snapshot", config.words) if each]
    steps.run("validated_feedback.jsonl", lambda: run_console_script(
        "t2c-data", "validate", *graph, "--pairs", str(config.feedback), "--out", checked, "--keep-inconclusive"),
        reads=reads)  # fmt: skip
    copies = [
        row | {"id": f"{row['id']}-{number}", "split": "train"}
        for row in read_rows(checked)
        if row.get("keep", True)
        for number in range(FEEDBACK_COPIES)
    ]
    print_status(f"{len(copies) // FEEDBACK_COPIES} pairs of feedback passed validation")
    write_if_changed(training, to_jsonl([*read_rows(validated), *copies]))
    return training


def train(config: OwnConfig, steps: StepRunner) -> None:
    """Train the teacher, a standard LLaMA, from the starter model with the vocabulary of this graph."""
    minutes = config.minutes * TEACHER_SHARE
    if config.from_scratch:
        recipe = {"tokenizer": "rows/tokenizer", "max_minutes": minutes}
        run_training(config, steps, "teacher", RECIPES / "train.yaml", recipe, [])
        return
    base, tokenizer = config.home / "base", config.home / "rows" / "tokenizer"
    steps.run("base", lambda: run_console_script(
        "gqa-compress", "transfer", STARTER, "--tokenizer", tokenizer, "--kv-heads", TEACHER_KV_HEADS,
        "--out", base, "--force"), reads=[STARTER, tokenizer], parameters=[TEACHER_KV_HEADS])  # fmt: skip
    recipe = {"init_checkpoint": "base", "max_minutes": minutes}
    run_training(config, steps, "teacher", RECIPES / "adapt.yaml", recipe, [base])


def convert(config: OwnConfig, steps: StepRunner) -> None:
    """Convert the teacher to fewer KV heads by calibration."""
    home, calibration = config.home, config.home / "rows" / "calibration.jsonl"
    kv_heads = config.kv_heads or KV_HEADS
    steps.run("converted", lambda: run_console_script(
        "gqa-compress", "convert", home / "teacher", "--kv-heads", kv_heads,
        "--layer-distill-steps", LAYER_DISTILL_STEPS, "--calibration", calibration, "--out", home / "converted"),
        reads=[home / "teacher", calibration], parameters=[kv_heads, LAYER_DISTILL_STEPS])  # fmt: skip


def distil(config: OwnConfig, steps: StepRunner) -> None:
    """Train the converted model towards its teacher."""
    minutes = config.distil_minutes or config.minutes * DISTILLATION_SHARE
    optimizer = yaml.safe_load((RECIPES / "distil.yaml").read_text(encoding="utf-8"))["optimizer"]
    # A high rate shakes a good model at first, and a short run has no time to mend that.
    rate = min(optimizer["learning_rate"], round(DISTILLATION_RATE * math.sqrt(minutes), 6))
    recipe = {
        "init_checkpoint": "converted",
        "max_minutes": minutes,
        "optimizer": optimizer | {"learning_rate": rate},
    }
    reads = [config.home / "converted", config.home / "teacher"]
    run_training(config, steps, "model", RECIPES / "distil.yaml", recipe, reads)


def run_training(
    config: OwnConfig,
    steps: StepRunner,
    out: str,
    template: Path,
    recipe: dict[str, Any],
    reads: Sequence[Path],
    *parameters: object,
    rows: str = "rows",
) -> None:
    """Run `gqa-compress train` with a recipe of the repository and the fields of this run.

    Args:
        config: the run.
        steps: runs the step.
        out: folder of the trained model in that of the run.
        template: recipe of the repository.
        recipe: fields of this run.
        reads: inputs beside the rows.
        parameters: what else the step depends on.
        rows: folder of the training rows in that of the run.
    """
    home = config.home
    # Relative paths, so that the recipe stays the same when the folder is moved.
    paths = {
        "output_dir": out,
        "train_file": f"{rows}/train.jsonl",
        "validation_file": f"{rows}/dev.jsonl",
        "seed": config.seed,
    }
    content = yaml.safe_load(template.read_text(encoding="utf-8")) | paths | recipe
    file = home / template.name
    write_if_changed(file, yaml.safe_dump(content))
    steps.run(out, lambda: run_console_script(
        "gqa-compress", "train", file, *(["--resume"] if (home / out).exists() else []), cwd=home),
        reads=[home / rows, *reads], parameters=[content, *parameters], resumes=True)  # fmt: skip


def write_settings(config: OwnConfig) -> None:
    """Write the settings that serve teacher and model, and the example questions of the page.

    Keys that a person has added to the settings are kept.
    """
    home = config.home
    content = graph_settings(config)
    for part, name in VARIANTS.items():
        # The minimum confidence is tuned on answers that are given without one.
        model = {"kind": "local", "path": part}
        update_settings(home / name, content | {"prompt": "atoms", "model": model}, None)


def graph_settings(config: OwnConfig) -> dict[str, Any]:
    """Write the example questions of the page, and return the settings that do not depend on the model."""
    examples = config.home / "examples.jsonl"
    write_if_changed(examples, to_jsonl(choose_examples(kept_pairs(config))))
    return {
        "graph": {"uri": config.uri} if config.uri else {"home": "graph"},
        "snapshot": "snapshot",
        "lexicon": str(config.words) if config.lexicon else "lexicon.yaml",
        "examples": examples.name,
        "title": config.home.name,
    }


def update_settings(file: Path, content: dict[str, Any], min_confidence: float | None) -> None:
    """Write settings, and keep what a person has added to them; the minimum confidence is replaced."""
    known: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    limits = {key: value for key, value in known.pop("limits", {}).items() if key != "min_confidence"}
    if min_confidence is not None:
        limits["min_confidence"] = min_confidence
    for key in ("graph", "model"):
        if isinstance(known.get(key), dict) and key in content:
            content = content | {key: known[key] | content[key]}
    written = known | content | ({"limits": limits} if limits else {})
    write_if_changed(file, yaml.safe_dump(written, sort_keys=False))


def kept_pairs(config: OwnConfig) -> list[dict[str, Any]]:
    """Return the held-out pairs that passed validation."""
    rows = read_rows(config.home / "validated.jsonl")
    return [row for row in rows if row["split"] == "test" and row.get("keep", True)]


def choose_examples(held_out: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose example questions for the page: well-formed ones of each category and template."""
    answered = sorted((pair for pair in held_out if pair["result_rows"]), key=_is_rough)
    by_category: dict[str, dict[str, Any]] = {}
    by_template: dict[str, dict[str, Any]] = {}
    for pair in answered:
        by_category.setdefault(pair["category"], pair)
        by_template.setdefault(pair["template"], pair)
    chosen: dict[str, str] = {}
    for pair in sorted([*by_category.values(), *by_template.values()], key=_is_rough):
        chosen.setdefault(pair["template"], pair["question"])
    return [{"question": question, "featured": True} for question in list(chosen.values())[:EXAMPLES]]


def _is_rough(pair: dict[str, Any]) -> bool:
    return WELL_FORMED_QUESTION.fullmatch(pair["question"]) is None


def evaluate(config: OwnConfig, steps: StepRunner) -> None:
    """Evaluate teacher and model on the held-out questions."""
    home, held_out = config.home, config.home / "held_out.jsonl"
    write_if_changed(held_out, to_jsonl(kept_pairs(config)[: config.questions]))
    text = home / "rows" / "test.jsonl"
    for part in VARIANTS:
        measure(config, steps, f"{part}_text", [home / part, text], (
            "gqa-compress", "evaluate", home / part, "--text", text))  # fmt: skip
    ask(config, steps, "held_out", held_out)


def ask(config: OwnConfig, steps: StepRunner, name: str, pairs: Path) -> None:
    """Evaluate the answers of teacher and model to the questions of a file."""
    home = config.home
    for part, settings in VARIANTS.items():
        measure(config, steps, f"{part}_{name}", [home / part, home / "snapshot", config.words, pairs], (
            "t2c-service", "evaluate", "--pairs", pairs, "--config", home / settings, "--no-psjs",
            "--out", home / "evaluation" / f"{part}_{name}.jsonl"))  # fmt: skip


def measure(
    config: OwnConfig, steps: StepRunner, name: str, reads: Sequence[Path], command: tuple[object, ...]
) -> None:
    """Write the output of an evaluating command to evaluation/`name`.json."""
    result = config.home / "evaluation" / f"{name}.json"
    steps.run(
        f"evaluation/{name}.json",
        lambda: write_if_changed(result, run_console_script(str(command[0]), *command[1:])),
        reads=reads,
    )


def tune_min_confidence(config: OwnConfig) -> None:
    """Set the minimum confidence below which answers are refused.

    It is the largest at which execution accuracy on held-out questions drops by at most `MAX_ACCURACY_DROP`;
    answers to questions that the graph cannot answer mostly have less confidence.
    """
    for part, settings in VARIANTS.items():
        file = config.home / "evaluation" / f"{part}_held_out.json"
        rows = json.loads(file.read_text(encoding="utf-8"))["coverage_by_confidence"]
        minimum = max(row["min_confidence"] for row in rows if row["ex"] >= rows[0]["ex"] - MAX_ACCURACY_DROP)
        update_settings(config.home / settings, {}, minimum)


def write_report(config: OwnConfig, minutes: dict[str, float]) -> None:
    """Write report.json and report.md.

    Args:
        config: the run.
        minutes: how long each step took.
    """
    home = config.home
    validated = list(read_rows(home / "validated.jsonl"))
    rejected = Counter(reason for row in validated if not row.get("keep", True) for reason in row["reasons"])
    content = {
        "name": home.name,
        "pairs": json.loads((home / "pairs" / "manifest.json").read_text(encoding="utf-8")),
        "validation": {
            "pairs": len(validated),
            "kept": sum(row.get("keep", True) for row in validated),
            "rejected": dict(rejected.most_common()),
        },
        "training": list(read_rows(home / "teacher" / "metrics.jsonl"))[-1],
        "conversion": json.loads((home / "converted" / "conversion.json").read_text(encoding="utf-8")),
        "distillation": list(read_rows(home / "model" / "metrics.jsonl"))[-1],
        "models": {
            part: json.loads(run_console_script("gqa-compress", "inspect", home / part)) for part in VARIANTS
        },
        "evaluation": {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((home / "evaluation").glob("*.json"))
        },
        "minutes": minutes,
    }
    write_if_changed(home / "report.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_if_changed(home / "report.md", render_report(content) + usage(home.name))


def publish_model(config: OwnConfig, folder: Path) -> None:
    """Write the model and its card to a folder that is kept under version control.

    Raises:
        OutputError: the folder contains something else than a published model.
    """
    home = config.home
    markers = ("report.json",)
    with atomic_directory(folder, markers=markers, contents=PUBLISHED, inputs=[home], force=True) as new:
        for source in (
            *(home / "model").iterdir(),
            home / "converted" / "conversion.json",
            home / "report.json",
        ):
            if source.is_file() and source.name != "metrics.jsonl":
                shutil.copyfile(source, new / source.name)
        report = json.loads((new / "report.json").read_text(encoding="utf-8"))
        write_if_changed(new / "README.md", card(report))
