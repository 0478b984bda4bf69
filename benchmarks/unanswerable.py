"""Are questions that a graph cannot answer told from those it can? Mixes both and asks; writes results/unanswerable.*.

    python benchmarks/unanswerable.py --config models/faers/graphling.yaml --answerable faers_dev.jsonl
        --foreign wwc.jsonl osm.jsonl ... [--own models/faers/pairs/pairs.jsonl] [--share 0.3]

`foreign` files hold questions about other graphs, which this one cannot answer; `own` is a build of this graph, of
which the held-out questions that were made to have no answer are asked. Foreign ones are drawn, with a fixed seed and
the same number of each file, so that they are `share` of the mix. Recognised: the service says that the graph cannot
answer. False alarm: it says so of a question with a gold that counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from t2c_service.configuration import load_settings
from t2c_service.evaluation.run import evaluate

RESULTS = Path(__file__).parent / "results"
AIM = {"recognised": 0.9, "false_alarms": 0.03}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def strangers(given: argparse.Namespace, answerable: int) -> list[dict[str, Any]]:
    """Draw the questions without an answer, each with where it comes from as its category."""
    each = int(answerable * given.share / (1 - given.share) / max(1, len(given.foreign)))
    drawn = []
    for path in given.foreign:
        questions = sorted({row["question"] for row in rows_of(path)})
        chosen = Random(0).sample(questions, min(each, len(questions)))
        drawn += [{"question": question, "category": path.stem} for question in chosen]
    if given.own:
        drawn += [
            {"question": row["question"], "category": "made here, held out"}
            for row in rows_of(given.own)
            if row["split"] == "test" and not row["cypher"]
        ]
    return [row | {"id": f"strange-{number}", "answerable": False} for number, row in enumerate(drawn)]


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    answerable = rows_of(given.answerable)
    with tempfile.TemporaryDirectory() as folder:
        mixed, outcomes = Path(folder) / "mixed.jsonl", Path(folder) / "outcomes.jsonl"
        rows = [*answerable, *strangers(given, len(answerable))]
        mixed.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        report = await evaluate(mixed, settings=load_settings(given.config), out=outcomes)
        asked = rows_of(outcomes)
    strange: dict[str, list[bool]] = {}
    for row in asked:
        if not row["answerable"]:
            found = row["status"] == "unanswerable"
            strange.setdefault(row["category"], []).append(found)
            if not found:  # shown and not kept: other people's questions
                print(
                    row["category"], row["status"], row["question"], row["cypher"], sep=" | ", file=sys.stderr
                )
    together = [found for group in strange.values() for found in group]
    return {
        "config": given.config.parent.name,
        "answerable": report["n"],
        "unanswerable": len(together),
        "recognised": sum(together) / len(together),
        "by_source": {
            name: {"n": len(group), "recognised": sum(group) / len(group)} for name, group in strange.items()
        },
        "false_alarms": report["unanswerable"],
        "ex": report["ex"],
    }


def write(result: dict[str, Any]) -> None:
    (RESULTS / "unanswerable.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    lines = [
        "# Questions without an answer",
        "",
        f"{result['answerable']} questions that the graph answers, {result['unanswerable']} that it does not.",
        f"Recognised {result['recognised']:.1%} (aim {AIM['recognised']:.0%}),",
        f"false alarms {result['false_alarms']:.1%} (aim {AIM['false_alarms']:.0%});",
        f"execution accuracy on the first kind {result['ex']:.1%}.",
        "",
        "|from|n|recognised|",
        "|---|---|---|",
        *(f"|{name}|{row['n']}|{row['recognised']:.1%}|" for name, row in result["by_source"].items()),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "unanswerable.md").write_text(text, encoding="utf-8")
    print(text)


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--config", type=Path)
    options.add_argument("--answerable", type=Path)
    options.add_argument("--foreign", type=Path, nargs="*", default=[])
    options.add_argument("--own", type=Path)
    options.add_argument("--share", type=float, default=0.3)
    given = options.parse_args()
    if not (given.config and given.answerable and (given.foreign or given.own)):
        print("nothing to ask: give --config, --answerable, and --foreign or --own", file=sys.stderr)
        return 0
    write(asyncio.run(measure(given)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
