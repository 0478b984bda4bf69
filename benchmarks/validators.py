"""Measures the validators on pairs that people judged; writes benchmarks/results/validators.{json,md}.

    python benchmarks/validators.py --judged faers_judged.jsonl --uri bolt://... --snapshot DIR [--lexicon F]

The judged pairs are not part of this project. Without arguments it says so and does nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from t2c_data.jobs.validate import ValidateConfig, run_validation

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("judged", "uri", "snapshot", "lexicon"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--encoder", action="store_true")
    options = parser.parse_args()
    if not (options.judged and options.uri and options.snapshot):
        print("validators: give --judged FILE --uri U --snapshot DIR; nothing measured")
        return
    order = ValidateConfig(
        uri=options.uri,
        snapshot=Path(options.snapshot),
        lexicon=Path(options.lexicon) if options.lexicon else None,
        encoder=options.encoder,
    )
    started = time.perf_counter()
    report = run_validation(order, judged=Path(options.judged))
    report["seconds"] = round(time.perf_counter() - started, 1)
    report["lexicon"] = "edited" if options.lexicon else "drafted"
    report["encoder"] = options.encoder
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "validators.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "validators.md").write_text(table(report) + "\n", encoding="utf-8")
    print(table(report))


def table(report: dict[str, Any]) -> str:
    """Write the report as Markdown."""
    lines = [
        (
            f"{report['wrong']} pairs judged wrong, {report['right']} judged right; lexicon {report['lexicon']}, "
            f"sentence encoder {'on' if report['encoder'] else 'off'}, no model."
        ),
        "",
        "| | found of the wrong | alarms at right ones |",
        "|---|---:|---:|",
    ]
    rows = {
        "**all**": report["all"],
        **{f"**{name}**": each for name, each in report["by_validator"].items()},
    }
    for name, each in (rows | {f"`{code}`": each for code, each in report["by_code"].items()}).items():
        recall, false = each["recall"], each["false_alarms"]
        lines.append(
            f"| {name} | {each['found']} ({recall['percent']} %, {recall['low']} to {recall['high']}) "
            f"| {each['alarms']} ({false['percent']} %, {false['low']} to {false['high']}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
