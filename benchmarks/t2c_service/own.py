"""Accuracy of models of `make own` on questions by others. Writes results/own.*.

    python benchmarks/t2c_service/own.py faers_1 faers_2 faers_3 \
        --questions faers_dev.jsonl --foreign wwc.jsonl osm.jsonl ...

Each name is a folder under models/; each model is asked, in one evaluation, the questions as they were written, the
same without quotes and in lower case, and unanswerable ones: `foreign` questions about other graphs, drawn with a fixed
seed so that they are the fraction `share` of a mix with the first, the same number from each file; and the held-out
unanswerable pairs of its own build.

Distinct: the mean over questions that differ in more than their values. Refusal recall: fraction of unanswerable
questions with status `unanswerable`. False positives: the same fraction of questions with a counted gold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import yaml

from t2c_service.evaluation.runner import evaluate
from t2c_service.settings_loader import load_settings

HERE = Path(__file__).parent
RESULTS = HERE / "results"
QUOTED = re.compile(r"""(?<!\w)(['"‘“])(.+?)(['"’”])(?!\w)""")
NUMBER = re.compile(r"\d[\d.,:/-]*")
ROWS = {
    "ex": "as written",
    "distinct": "as written, over distinct questions",
    "plain": "no quotes, lower case",
    "complex": "as written, complex retrieval",
    "executable": "ran",
    "recognised": "unanswerable: refusal recall",
    "false_alarms": "answerable: false positives",
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def plain(question: str) -> str:
    """Return the question without quotes, in lower case."""
    return QUOTED.sub(r"\2", question).lower()


def delexicalised(question: str) -> str:
    """Return the question without its values."""
    return NUMBER.sub("0", QUOTED.sub("''", question)).lower()


def unanswerable_rows(given: argparse.Namespace, home: Path, answerable: int) -> list[dict[str, Any]]:
    """Draw the unanswerable questions, with their source as category."""
    each = int(answerable * given.share / (1 - given.share) / max(1, len(given.foreign)))
    drawn = []
    for path in given.foreign:
        questions = sorted({row["question"] for row in rows_of(path)})
        chosen = Random(0).sample(questions, min(each, len(questions)))
        drawn += [{"question": question, "category": path.stem} for question in chosen]
    drawn += [
        {"question": row["question"], "category": "made here, held out"}
        for row in rows_of(home / "pairs" / "pairs.jsonl")
        if row["split"] == "test" and not row["cypher"]
    ]
    return [row | {"id": f"unanswerable-{number}", "answerable": False} for number, row in enumerate(drawn)]


async def measure(given: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Evaluate one model."""
    rows = rows_of(given.questions)
    mixed = unanswerable_rows(given, home, len(rows))
    for number, row in enumerate(rows):  # both forms after each other: the server still knows the gold's plan
        mixed.append(row | {"id": f"written-{number}"})
        mixed.append(row | {"id": f"plain-{number}", "question": plain(row["question"])})
    with tempfile.TemporaryDirectory() as folder:
        file, outcomes = Path(folder) / "questions.jsonl", Path(folder) / "outcomes.jsonl"
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in mixed))
        await evaluate(file, settings=load_settings(home / "graphling.yaml"), out=outcomes, psjs=False)
        asked = rows_of(outcomes)
    if given.out:  # other people's questions: for reading, not to be kept beside the results
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / f"{home.name}.jsonl").write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in asked)
        )
    return figures(home, asked)


def figures(home: Path, asked: list[dict[str, Any]]) -> dict[str, Any]:
    """Compute the metrics of one model from its outcomes."""
    counted = [row for row in asked if row["answerable"] and not row["excluded"]]
    first = [row for row in counted if row["id"].startswith("written-")]
    second = [row for row in counted if row["id"].startswith("plain-")]
    unanswerable = grouped([row for row in asked if not row["answerable"]], "category")
    distinct: dict[str, list[bool]] = {}
    for row in first:
        distinct.setdefault(delexicalised(row["question"]), []).append(row["equal"])
    categories = {name: share(rows) for name, rows in sorted(grouped(first, "category").items())}
    recognised = [row["status"] == "unanswerable" for rows in unanswerable.values() for row in rows]
    return {
        "name": home.name,
        "min_confidence": yaml.safe_load((home / "graphling.yaml").read_text())
        .get("limits", {})
        .get("min_confidence", 0.0),
        "kv_heads": json.loads((home / "model" / "config.json").read_text())["num_key_value_heads"],
        "training_tokens": rows_of(home / "teacher" / "metrics.jsonl")[-1].get("tokens"),
        "n": len(first),
        "ex": share(first),
        "distinct": statistics.fmean(statistics.fmean(each) for each in distinct.values()),
        "distinct_n": len(distinct),
        "plain": share(second),
        "complex": categories.get("Complex_Retrieval"),
        "by_category": categories,
        "executable": statistics.fmean(row["status"] in {"answered", "empty"} for row in first),
        "unanswerable_n": len(recognised),
        "recognised": statistics.fmean(recognised),
        "recognised_by_source": {
            name: {"n": len(rows), "share": statistics.fmean(row["status"] == "unanswerable" for row in rows)}
            for name, rows in unanswerable.items()
        },
        "false_alarms": statistics.fmean(row["status"] == "unanswerable" for row in first),
    }


def grouped(rows: list[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def share(rows: list[dict[str, Any]]) -> float:
    return statistics.fmean(row["equal"] for row in rows)


def write(results: list[dict[str, Any]]) -> None:
    """Write the models side by side; models of earlier calls stay."""
    (RESULTS / "own.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    names = [each["name"] for each in results]
    lines = [
        "# Models of `make own` on questions by others",
        "",
        "Made by `python benchmarks/t2c_service/own.py`; per cent of the questions.",
        "",
        f"||{'|'.join(names)}|",
        f"|---|{'---|' * len(names)}",
        *(
            f"|{title}|{'|'.join('–' if each[key] is None else f'{each[key]:.1%}' for each in results)}|"
            for key, title in ROWS.items()
        ),
        *(
            f"|{title}|{'|'.join(str(each[key]) for each in results)}|"
            for key, title in {
                "n": "counted questions",
                "distinct_n": "distinct among them",
                "unanswerable_n": "unanswerable questions",
                "min_confidence": "minimum confidence, tuned on its own held-out pairs",
                "kv_heads": "KV heads of 8",
                "training_tokens": "training tokens",
            }.items()
        ),
        "",
        "Refusal recall by source of the question:",
        "",
        f"||{'|'.join(names)}|",
        f"|---|{'---|' * len(names)}",
        *(
            f"|{source}|{'|'.join(found(each, source) for each in results)}|"
            for source in dict.fromkeys(source for each in results for source in each["recognised_by_source"])
        ),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "own.md").write_text(text, encoding="utf-8")
    print(text)


def found(result: dict[str, Any], source: str) -> str:
    group = result["recognised_by_source"].get(source)
    return f"{group['share']:.1%} of {group['n']}" if group else "–"


def earlier_results() -> list[dict[str, Any]]:
    """Read the results of earlier calls."""
    kept = RESULTS / "own.json"
    return json.loads(kept.read_text()) if kept.exists() else []


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("names", nargs="*", help="folders under models/")
    options.add_argument("--questions", type=Path, help="JSONL of question and cypher")
    options.add_argument("--foreign", type=Path, nargs="*", default=[])
    options.add_argument("--share", type=float, default=0.3)
    options.add_argument("--out", type=Path, help="folder for each question's outcome")
    given = options.parse_args()
    if not (given.names and given.questions):
        print("nothing to ask: give names of models and --questions", file=sys.stderr)
        return 0
    for name in given.names:
        found = asyncio.run(measure(given, HERE.parents[1] / "models" / name))
        others = [each for each in earlier_results() if each["name"] != name]
        write(sorted([*others, found], key=lambda each: each["name"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
