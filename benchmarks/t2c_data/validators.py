"""Accuracy of the validators on pairs that people labelled; writes results/validators.{json,md}.

    python benchmarks/t2c_data/validators.py --labels faers_labels.jsonl --uri bolt://... --snapshot DIR [--lexicon F]

The labelled pairs are not part of this project. Without arguments nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from t2c_core.graph.credentials import GraphConnection
from t2c_data.jobs.config import ValidateConfig
from t2c_data.jobs.validate import run_evaluation

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("labels", "uri", "snapshot", "lexicon"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--encoder", action="store_true")
    options = parser.parse_args()
    if not (options.labels and options.uri and options.snapshot):
        print("validators: give --labels FILE --uri U --snapshot DIR; nothing measured")
        return
    config = ValidateConfig(
        graph=GraphConnection(uri=options.uri),
        snapshot=Path(options.snapshot),
        lexicon=Path(options.lexicon) if options.lexicon else None,
        encoder=options.encoder,
    )
    started = time.perf_counter()
    report = run_evaluation(config, Path(options.labels))
    report["seconds"] = round(time.perf_counter() - started, 1)
    report["lexicon"] = "edited" if options.lexicon else "drafted"
    report["encoder"] = options.encoder
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "validators.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "validators.md").write_text(table(report) + "\n", encoding="utf-8")
    print(table(report))


def table(report: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = [
        (
            f"{report['wrong']} incorrect pairs, {report['right']} correct ones; lexicon {report['lexicon']}, "
            f"sentence encoder {'on' if report['encoder'] else 'off'}, no model."
        ),
        "",
        "| | true positives | false positives |",
        "|---|---:|---:|",
    ]
    rows = {
        "**all**": report["all"],
        **{f"**{name}**": each for name, each in report["by_validator"].items()},
    }
    for name, each in (rows | {f"`{code}`": each for code, each in report["by_code"].items()}).items():
        recall, false = each["recall"], each["false_positive_rate"]
        lines.append(
            f"| {name} | {each['true_positives']} ({recall['percent']} %, {recall['low']} to {recall['high']}) "
            f"| {each['false_positives']} ({false['percent']} %, {false['low']} to {false['high']}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
