"""Commands that are killed at random moments lose nothing, and run again they give the same bytes.

    python benchmarks/graphling_io/kills.py [--kills 35] [--seed 0] [--only keys,snapshot,build,import,convert,train]

The real command lines: keys; snapshot, build and import on the demo graph in an embedded Neo4j; convert and train on a
tiny checkpoint. A run gets SIGKILL at a random moment, one to three times in a row, and is then run to its
end. Every other time, snapshot, import and convert replace a finished output. Counted are
what was kept before a kill and is not after it (lost), outputs that are not those of an undisturbed run (differ), runs
that fail after a kill (failed), and names that an undisturbed run does not leave (left over). Writes results/kills.json
after each run to the end, and adds to what that counts; exit status 1 after any fault.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import itertools
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from graphling_io.outputs import write_json
from t2c_core.graph.embedded import EmbeddedGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "kills.json"
FAULTS = ("lost", "differ", "failed", "left over")
COUNTS = ("kills", "kills with output", "runs", *FAULTS)
MOST_IN_A_ROW = 3
GRAPH_FILES = ("schema.json", "values.sqlite", "manifest.json")
MODEL_FILES = ("*.safetensors", "config.json", "generation_config.json", "tokenizer*.json")
CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = {
    "keys": "t2c_service.access.commands",
    "snapshot": "t2c_core.schema.snapshot",
    "build": "t2c_data.jobs.build",
    "import": "t2c_core.graph.importer",
    "convert": "gqa_compress.conversion.convert",
    "train": "gqa_compress.training.loop",
}
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TRANSFORMERS_OFFLINE": "1"}
RECIPE = """
output_dir: {place}/out
train_file: {rows}
validation_file: {rows}
init_checkpoint: {checkpoint}
max_steps: 120
save_steps: 10
eval_steps: 40
max_tokens_per_batch: 512
max_length: 64
precision: fp32
threads: 1
"""


def command(package: str, *words: object) -> list[str]:
    """Return the command line of a package, its name first."""
    return [package, *map(str, words)]


def shell(words: list[str]) -> list[str]:
    """Return a command line as the operating system takes it."""
    return [sys.executable, "-c", f"from {words[0]}.cli import main; main()", *words[1:]]


def run(words: list[str]) -> None:
    """Run a command to its end in a new interpreter.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    subprocess.run(shell(words), check=True, capture_output=True, text=True)


def execute(words: list[str]) -> None:
    """Do what a command does in this process, without its output."""
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    sys.argv = words
    importlib.import_module(f"{words[0]}.cli").main()


def attempt(words: list[str], after_s: float | None) -> int | None:
    """Run a command, and kill it after some time if one is given; return its exit status, None if it was killed.

    It is forked from a process that has imported what takes longest.
    """
    process = CONTEXT.Process(target=execute, args=(words,))
    process.start()
    process.join(after_s)
    if process.exitcode is not None:
        return process.exitcode
    process.kill()
    process.join()
    return None


def digest(folder: Path, patterns: Iterable[str]) -> dict[str, str]:
    """Return the hashes of the files of a folder whose names match."""
    files = sorted(each for pattern in patterns for each in folder.glob(pattern))
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def names(place: Path) -> set[str]:
    """Return the paths of all files and folders under a place."""
    return {each.relative_to(place).as_posix() for each in place.rglob("*")}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A kind of command: how it is run, what it gives, and what a kill must not take away."""

    words: Callable[[Path], list[str]]
    """Command line for an output at a place."""
    outcome: Callable[[Path], object]
    """What a finished run gave at a place."""
    kept: Callable[[Path], int]
    """Amount of what a kill must not take away from a place."""
    rounds: int = 1
    """Runs to the end at one place; after the first, an output is replaced."""

    def measure(self, folder: Path, counts: Counter[str], seed: int) -> Iterator[Counter[str]]:
        """Run once undisturbed, then with kills, each row of them followed by a run to the end.

        Args:
            folder: folder for all outputs.
            counts: counts of former rounds, to which those of each round are added.
            seed: seed of the moments.

        Yields:
            The counts, after each round.
        """
        plain = folder / "plain"
        plain.mkdir(parents=True)
        run(self.words(plain))
        expected, expected_names = self.outcome(plain), names(plain)
        whole_s = 0.0
        for number in itertools.count():
            rng = Random(f"{folder.name} {seed} {counts['runs']}")
            place = folder / str(number // self.rounds)
            place.mkdir(exist_ok=True)
            # Moments up to the time of the last run, which changes with what else the machine does.
            for after_s in [*(rng.uniform(0.0, whole_s) for _ in range(rng.randint(1, MOST_IN_A_ROW))), None]:
                before, started = self._kept(place), time.perf_counter()
                status = attempt(self.words(place), after_s if whole_s else None)
                if status is not None:
                    whole_s = time.perf_counter() - started
                    break
                counts["kills"] += 1
                counts["kills with output"] += bool(names(place))
                counts["lost"] += self._kept(place) < before
            counts["runs"] += 1
            counts["failed"] += status != 0
            if status == 0:
                counts["differ"] += self.outcome(place) != expected
                counts["left over"] += bool(names(place) - expected_names)
            yield counts

    def _kept(self, place: Path) -> int:
        """Return the amount kept; less than any amount if it cannot be read."""
        try:
            return self.kept(place)
        except (OSError, ValueError, sqlite3.Error) as error:
            print(place, repr(error), file=sys.stderr)
            return -1


def count_keys(place: Path) -> int:
    """Return the number of API keys."""
    file = place / "keys.json"
    return len(json.loads(file.read_text(encoding="utf-8"))["keys"]) if file.is_file() else 0


def count_candidates(place: Path) -> int:
    """Return the number of rows of a build's store."""
    store = place / "out" / "candidates.sqlite"
    if not store.is_file():
        return 0
    with closing(sqlite3.connect(store)) as base:
        tables = base.execute("SELECT count(*) FROM sqlite_master WHERE name = 'candidate'").fetchone()[0]
        return int(base.execute("SELECT count(*) FROM candidate").fetchone()[0]) if tables else 0


def count_steps(place: Path) -> int:
    """Return the step of the newest checkpoint of a training run, or a large number if it is finished."""
    if (place / "out" / "config.json").is_file():
        return 10**6
    found = (place / "out" / "checkpoints").glob("step-*/progress.json")
    return max((int(each.parent.name.removeprefix("step-")) for each in found), default=0)


def is_whole(place: Path, files: Iterable[str]) -> int:
    """Return 1 if there is an output with all its files, 0 if there is none.

    Raises:
        ValueError: a part of it is there.
    """
    out = place / "out"
    if not out.exists():
        return 0
    missing = [name for name in files if not (out / name).is_file()]
    if missing:
        raise ValueError(f"{out} lacks {missing}")
    return 1


def graph_cases(folder: Path, server: EmbeddedGraph) -> dict[str, Case]:
    """Return the commands that read or write a graph; imports it and writes its snapshot."""
    snapshot = folder / "snapshot"
    run(command("t2c_core", "import", ROOT / "demo" / "graph", "--uri", server.uri))
    run(command("t2c_core", "snapshot", "--uri", server.uri, "--out", snapshot))
    lexicon = ROOT / "demo" / "lexicon.yaml"
    graph = ("--uri", server.uri)

    def write_snapshot(place: Path) -> list[str]:
        return command("t2c_core", "snapshot", *graph, "--out", place / "out", "--force")

    def imported(place: Path) -> dict[str, str]:
        with tempfile.TemporaryDirectory(dir=place.parent) as name:
            attempt(write_snapshot(Path(name)), None)
            return digest(Path(name) / "out", GRAPH_FILES)

    return {
        "snapshot": Case(
            words=write_snapshot,
            outcome=lambda place: digest(place / "out", GRAPH_FILES),
            kept=lambda place: is_whole(place, GRAPH_FILES),
            rounds=2,
        ),
        "build": Case(
            words=lambda place: command(
                "t2c_data", "build", *graph, "--snapshot", snapshot, "--lexicon", lexicon, "--pairs", 600,
                "--out", place / "out"),
            outcome=lambda place: digest(place / "out", ("*.json", "*.jsonl")),
            kept=count_candidates,
        ),
        "import": Case(
            words=lambda _: command("t2c_core", "import", ROOT / "demo" / "graph", *graph, "--force"),
            outcome=imported,
            kept=lambda _: 0,
        ),
    }  # fmt: skip


def key_cases() -> dict[str, Case]:
    """Return the command that creates an API key."""
    return {
        "keys": Case(
            words=lambda place: command(
                "t2c_service", "keys", "create", f"key{count_keys(place)}", "--file", place / "keys.json"
            ),
            outcome=lambda place: count_keys(place) > 0,
            kept=count_keys,
            rounds=10**6,
        )
    }


def model_cases(folder: Path) -> dict[str, Case]:
    """Return the commands that write models; writes a tiny checkpoint and texts."""
    checkpoint = folder / "checkpoint"
    make = f"from tests.gqa_compress.tiny_models import *; save_tiny(tiny_model(), Path({str(checkpoint)!r}))"
    subprocess.run([sys.executable, "-c", make], check=True, capture_output=True, cwd=ROOT)
    text = (ROOT / "demo" / "lexicon.yaml").read_text(encoding="utf-8")
    (folder / "text.txt").write_text(text, encoding="utf-8")
    rows = folder / "rows.jsonl"
    lines = [json.dumps({"text": line}) for line in text.splitlines()[:200] if len(line) > 10]
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def train(place: Path) -> list[str]:
        recipe = folder / f"train_{place.name}.yaml"
        recipe.write_text(RECIPE.format(place=place, rows=rows, checkpoint=checkpoint), encoding="utf-8")
        return command("gqa_compress", "train", recipe, "--resume")

    return {
        "convert": Case(
            words=lambda place: command(
                "gqa_compress", "convert", checkpoint, "--kv-heads", 2, "--calibration", folder / "text.txt",
                "--tokens", 8192, "--layer-distill-steps", 20, "--out", place / "out", "--force"),
            outcome=lambda place: digest(place / "out", MODEL_FILES),
            kept=lambda place: is_whole(place, ("config.json", "model.safetensors", "conversion.json")),
            rounds=2,
        ),
        "train": Case(
            words=train, outcome=lambda place: digest(place / "out", MODEL_FILES), kept=count_steps
        ),
    }  # fmt: skip


def main() -> int:
    """Measure, write the result and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=35, help="per kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="keys,snapshot,build,import,convert,train")
    options = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    found: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    kinds = [each for each in options.only.split(",") if found.get(each, {}).get("kills", 0) < options.kills]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cases = key_cases()
        if {"convert", "train"} & set(kinds):
            cases |= model_cases(folder)
        if {"snapshot", "build", "import"} & set(kinds):
            cases |= graph_cases(folder, stack.enter_context(EmbeddedGraph(folder / "store")))
        CONTEXT.set_forkserver_preload([PRELOADED[kind] for kind in kinds])
        for kind in kinds:
            former = Counter({**dict.fromkeys(COUNTS, 0), **found.get(kind, {})})
            for counts in cases[kind].measure(folder / kind, former, options.seed):
                found[kind] = dict(counts)
                write_json(RESULT, found)
                print(kind, found[kind], file=sys.stderr, flush=True)
                if counts["kills"] >= options.kills:
                    break
    total = {name: sum(each[name] for each in found.values()) for name in COUNTS}
    print(json.dumps(total))
    return 1 if any(total[name] for name in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
