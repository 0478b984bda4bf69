"""From a graph to a served, compressed, evaluated model of its own: what `make own` and `make starter` run.

Chains the console scripts and holds no method of its own. A step runs when its result is missing or older
than what it reads, so a second call goes on where the first was stopped.

    graph ─ snapshot ─ lexicon ─ pairs ─ training rows ─ teacher ─ converted ─ model ─ evaluation ─ report
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from graphling.model_report import card, render_report, usage
from graphling.step_runner import (
    StepError,
    embedded_graph,
    jsonl,
    log,
    read_rows,
    run_console_script,
    run_if_outdated,
    write_if_changed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "recipes" / "starter"
TEACHER_SHARE, DISTILLATION_SHARE = 0.5, 0.25
"""Shares of the minutes that are trained for; building, converting and evaluating take the rest."""
HELD_OUT_QUESTIONS = 500
"""Held-out synthetic questions that teacher and model are asked."""
VARIANTS = {"teacher": "teacher.yaml", "model": "graphling.yaml"}
"""What is served, by which settings."""
MAX_ACCURACY_DROP = 0.02
"""Share of the held-out questions that may lose a right answer so that doubtful ones are refused."""
EXAMPLES = 12
"""Questions that the page offers."""
WELL_FORMED_QUESTION = re.compile(r"[A-Z].{20,70}\?")
"""Training questions are noisy on purpose; these are worded as one would show them."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was asked for, and where it goes."""

    home: Path
    """Folder of everything that the run makes."""
    uri: str | None
    csv: Path | None
    lexicon: Path | None
    pairs_dev: Path | None
    minutes: float
    pairs: int
    kv_heads: int
    seed: int

    @property
    def words(self) -> Path:
        """The lexicon that pairs are worded with."""
        return self.lexicon or self.home / "lexicon.yaml"


def build(run: Run) -> None:
    """Make everything under `run.home`, in order."""
    run.home.mkdir(parents=True, exist_ok=True)
    with graph(run) as uri:
        prepare(run, uri)
    train(run)
    convert(run)
    distil(run)
    settings(run)
    evaluate(run)
    tune_min_confidence(run)
    if run.pairs_dev:
        ask(run, "dev", run.pairs_dev)
    report(run)


@contextmanager
def graph(run: Run) -> Iterator[str]:
    """Give the address of the graph; a folder of CSVs is imported into an embedded one first."""
    if run.uri:
        yield run.uri
        return
    with embedded_graph(run.home / "graph") as uri:
        summary = run.home / "graph.json"
        run_if_outdated("import", summary, [], lambda: write_if_changed(summary, run_console_script(
            "t2c-graph", "import", run.csv, "--uri", uri, "--force")))  # fmt: skip
        yield uri


def prepare(run: Run, uri: str) -> None:
    """Snapshot the graph, draft its lexicon, build pairs and the rows that a model is trained on."""
    home = run.home
    run_if_outdated("snapshot", home / "snapshot", [home / "graph.json"], lambda: run_console_script(
        "t2c-graph", "snapshot", "--uri", uri, "--out", home / "snapshot"))  # fmt: skip
    if run.lexicon is None:
        run_if_outdated("lexicon", home / "lexicon.yaml", [], lambda: run_console_script(
            "t2c-data", "lexicon", "--snapshot", home / "snapshot", "--out", run.words))  # fmt: skip
    run_if_outdated("pairs", home / "pairs", [home / "snapshot", run.words], lambda: run_console_script(
        "t2c-data", "build", "--uri", uri, "--snapshot", home / "snapshot", "--out", home / "pairs",
        "--lexicon", run.words, "--pairs", run.pairs, "--seed", run.seed), resumes=True)  # fmt: skip
    run_if_outdated("training rows", home / "rows", [home / "pairs"], lambda: run_console_script(
        "t2c-data", "export", "--pairs", home / "pairs" / "pairs.jsonl", "--snapshot", home / "snapshot",
        "--format", "atoms", "--out", home / "rows"))  # fmt: skip


def train(run: Run) -> None:
    """Train the teacher, a stock LLaMA, from scratch."""
    content = {"tokenizer": "rows/tokenizer", "minutes": run.minutes * TEACHER_SHARE}
    run_training(run, "teacher", RECIPES / "train.yaml", content, [])


def convert(run: Run) -> None:
    """Take the teacher to fewer key-value heads by calibration alone."""
    home = run.home
    run_if_outdated("converted", home / "converted", [home / "teacher"], lambda: run_console_script(
        "gqa-compress", "convert", home / "teacher", "--kv-heads", run.kv_heads,
        "--calibration", home / "rows" / "calibration.jsonl", "--out", home / "converted"))  # fmt: skip


def distil(run: Run) -> None:
    """Give the converted model back what it lost, by training it towards its teacher."""
    home = run.home
    content = {"checkpoint": "converted", "minutes": run.minutes * DISTILLATION_SHARE}
    run_training(run, "model", RECIPES / "distil.yaml", content, [home / "converted"])


def run_training(run: Run, out: str, template: Path, content: dict[str, Any], reads: Sequence[Path]) -> None:
    """Run `gqa-compress train` by a recipe of the repository and what this run adds to it."""
    home = run.home
    # Relative, so that a recipe says the same after its folder was moved, and nothing is trained anew.
    rows = {"out": out, "train": "rows/train.jsonl", "dev": "rows/dev.jsonl", "seed": run.seed}
    content = yaml.safe_load(template.read_text(encoding="utf-8")) | rows | content
    recipe = home / template.name
    if not recipe.exists() or yaml.safe_load(recipe.read_text(encoding="utf-8")) != content:
        write_if_changed(recipe, yaml.safe_dump(content, sort_keys=False))
    resume = ["--resume"] if (home / out).exists() else []
    run_if_outdated(out, home / out, [home / "rows", recipe, *reads], lambda: run_console_script(
        "gqa-compress", "train", recipe, *resume, cwd=home), resumes=True)  # fmt: skip


def settings(run: Run) -> None:
    """Write the settings that serve teacher and model, and the questions that the page offers."""
    home = run.home
    content = {
        "graph": {"uri": run.uri} if run.uri else {"home": "graph"},
        "snapshot": "snapshot",
        "prompt": "atoms",
        "examples": "examples.jsonl",
        "title": home.name,
    }
    for part, name in VARIANTS.items():
        served = content | {"model": {"kind": "local", "path": part}}
        write_if_changed(home / name, yaml.safe_dump(served, sort_keys=False))
    write_if_changed(home / "examples.jsonl", jsonl(examples(run)))


def examples(run: Run) -> list[dict[str, Any]]:
    """Choose held-out questions for the page to offer: well-worded ones of each category and template."""
    held_out = [
        pair
        for pair in read_rows(run.home / "pairs" / "pairs.jsonl")
        if pair["split"] == "test" and pair["result_rows"]
    ]
    held_out.sort(key=_is_rough)
    by_category: dict[str, dict[str, Any]] = {}
    by_template: dict[str, dict[str, Any]] = {}
    for pair in held_out:
        by_category.setdefault(pair["category"], pair)
        by_template.setdefault(pair["template"], pair)
    chosen: dict[str, str] = {}
    for pair in sorted([*by_category.values(), *by_template.values()], key=_is_rough):
        chosen.setdefault(pair["template"], pair["question"])
    return [{"question": question, "featured": True} for question in list(chosen.values())[:EXAMPLES]]


def _is_rough(pair: dict[str, Any]) -> bool:
    return WELL_FORMED_QUESTION.fullmatch(pair["question"]) is None


def evaluate(run: Run) -> None:
    """Ask teacher and model the held-out questions."""
    home = run.home
    held_out = home / "held_out.jsonl"
    pairs = read_rows(home / "pairs" / "pairs.jsonl")
    write_if_changed(
        held_out, jsonl([pair for pair in pairs if pair["split"] == "test"][:HELD_OUT_QUESTIONS])
    )
    for part in VARIANTS:
        measure(home, f"{part}_text", [home / part], (
            "gqa-compress", "evaluate", home / part, "--text", home / "rows" / "test.jsonl"))  # fmt: skip
    ask(run, "held_out", held_out)


def ask(run: Run, name: str, pairs: Path) -> None:
    """Ask teacher and model the questions of a file."""
    home = run.home
    for part, config in VARIANTS.items():
        measure(home, f"{part}_{name}", [home / part, pairs], (
            "t2c-service", "evaluate", "--pairs", pairs, "--config", home / config, "--no-psjs",
            "--out", home / "evaluation" / f"{part}_{name}.jsonl"))  # fmt: skip


def tune_min_confidence(run: Run) -> None:
    """Have answers refused that the model finds too unlikely.

    The least confidence is the largest that takes a right answer from no more than `MOST_LOST` of the held-out
    questions; what the graph cannot answer comes mostly with less.
    """
    for part, config in VARIANTS.items():
        report = json.loads((run.home / "evaluation" / f"{part}_held_out.json").read_text(encoding="utf-8"))
        least = max(
            row["min_confidence"]
            for row in report["by_confidence"]
            if row["ex"] >= report["by_confidence"][0]["ex"] - MAX_ACCURACY_DROP
        )
        content = yaml.safe_load((run.home / config).read_text(encoding="utf-8"))
        content["limits"] = {"min_confidence": least}
        write_if_changed(run.home / config, yaml.safe_dump(content, sort_keys=False))


def measure(home: Path, name: str, reads: Sequence[Path], command: tuple[object, ...]) -> None:
    """Keep what an evaluating command prints in evaluation/`name`.json."""
    (home / "evaluation").mkdir(exist_ok=True)
    result = home / "evaluation" / f"{name}.json"
    run_if_outdated(
        f"evaluation {name}",
        result,
        reads,
        lambda: write_if_changed(result, run_console_script(str(command[0]), *command[1:])),
    )


def report(run: Run) -> None:
    """Put the figures side by side in report.json and report.md."""
    home = run.home
    content = {
        "name": home.name,
        "pairs": json.loads((home / "pairs" / "manifest.json").read_text(encoding="utf-8")),
        "training": list(read_rows(home / "teacher" / "metrics.jsonl"))[-1],
        "conversion": json.loads((home / "converted" / "conversion.json").read_text(encoding="utf-8")),
        "distillation": list(read_rows(home / "model" / "metrics.jsonl"))[-1],
        "models": {
            part: json.loads(run_console_script("gqa-compress", "inspect", home / part))
            for part in ("teacher", "model")
        },
        "evaluation": {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((home / "evaluation").glob("*.json"))
        },
    }
    write_if_changed(home / "report.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_if_changed(home / "report.md", render_report(content) + usage(home.name))


def publish(run: Run, folder: Path) -> None:
    """Put the model with its card into a folder that is kept under version control."""
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    every_step = shutil.ignore_patterns("metrics.jsonl")
    shutil.copytree(run.home / "model", half, ignore=every_step, copy_function=shutil.copyfile)
    for kept in (run.home / "converted" / "conversion.json", run.home / "report.json"):
        shutil.copyfile(kept, half / kept.name)
    write_if_changed(half / "README.md", card(json.loads((half / "report.json").read_text(encoding="utf-8"))))
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)


def parse_run(options: argparse.Namespace) -> Run:
    """Turn the options into a run.

    Raises:
        ValueError: an option is missing or cannot be.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", options.name):
        raise ValueError(
            f"NAME={options.name!r}: a name for the folder under models/ is needed: letters, digits, . _ -"
        )
    if bool(options.uri) == bool(options.csv):
        raise ValueError("give either URI=bolt://... (a running Neo4j) or CSV=folder-or-zip")
    for key in ("csv", "lexicon", "pairs_dev"):
        path = getattr(options, key)
        if path and not path.exists():
            raise ValueError(f"{key.upper()}={path}: there is no such file or folder")
    if options.minutes <= 0:
        raise ValueError(f"MINUTES={options.minutes}: more than 0 is needed")
    return Run(
        home=ROOT / "models" / options.name,
        uri=options.uri,
        csv=options.csv and options.csv.resolve(),
        lexicon=options.lexicon and options.lexicon.resolve(),
        pairs_dev=options.pairs_dev and options.pairs_dev.resolve(),
        minutes=options.minutes,
        pairs=options.pairs,
        kv_heads=options.kv_heads,
        seed=options.seed,
    )


def parser() -> argparse.ArgumentParser:
    """Say what can be asked for."""
    made = argparse.ArgumentParser(prog="make own", description=__doc__, allow_abbrev=False)
    made.add_argument("--name", required=True, help="folder under models/")
    made.add_argument("--uri", help="Bolt address of a running Neo4j")
    made.add_argument("--csv", type=Path, help="folder or zip of typed-header CSVs")
    made.add_argument("--lexicon", type=Path, help="wording of the schema; drafted when absent")
    made.add_argument("--pairs-dev", type=Path, help="JSONL of questions by others to be evaluated on")
    made.add_argument(
        "--minutes",
        type=float,
        default=25.0,
        help="minutes for all; half of them train the teacher, a quarter distils",
    )
    made.add_argument("--pairs", type=int, default=60_000, help="pairs to build")
    made.add_argument("--kv-heads", type=int, default=2, help="key-value heads of the compressed model")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--publish", type=Path, help="also put model and card into this folder")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all steps; print where the report lies."""
    options = parser().parse_args(arguments)
    try:
        run = parse_run(options)
        build(run)
        if options.publish:
            publish(run, options.publish)
    except ValueError as error:
        log(str(error))
        return 2
    except StepError as error:
        log(str(error))
        return 1
    except KeyboardInterrupt:
        log("stopped; the same command goes on from here")
        return 130
    print(run.home / "report.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
