"""How often right queries differ from their questions: false alarms of the comparison before answering.

    python benchmarks/t2c_core/question_match.py --snapshot SNAPSHOT --lexicon LEXICON --pairs GOLDS [--out FILE]

GOLDS are questions with queries that people or other programs hold right; every difference of them is a false alarm, or
a column that the gold returns though nobody asked for it (`unasked`).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import fields
from pathlib import Path

import yaml

from t2c_core.consistency.question_match import QuestionMatch, QuestionMatcher
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker


def main() -> None:
    """Count the pairs with each kind of difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("snapshot", "lexicon", "pairs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    schema = GraphSchema.load(given.snapshot)
    matcher = QuestionMatcher(schema, yaml.safe_load(given.lexicon.read_text(encoding="utf-8")))
    linker = Linker(ValueIndex(given.snapshot / "values.sqlite"), schema)
    rows = [json.loads(line) for line in given.pairs.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row.get("cypher")]
    found: Counter[str] = Counter()
    for row in rows:
        match = matcher.match(linker.link(row["question"]), row["cypher"], row.get("parameters") or {})
        found.update(each.name for each in fields(QuestionMatch) if getattr(match, each.name))
        found["any"] += bool(match)
        found["any but unasked"] += len(match) > len(match.unasked)
    result = {"pairs": len(rows), "file": given.pairs.name, "with": dict(found.most_common())}
    print(json.dumps(result))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
