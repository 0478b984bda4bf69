"""Measure the guard: accepted attacks, refused good queries, time per query, large inputs.

    python benchmarks/t2c_core/guard.py --snapshot SNAPSHOT [--pairs FOLDER]

Uses the corpora of tests/corpora. FOLDER has JSON Lines files of read queries (`cypher`) and optionally schemas.json,
which describes their graphs; the queries are checked with and without these schemas. Writes results/guard.json and
results/guard.md beside this file. Times are CPU times, the minimum of five, so that other load does not change them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema import GraphSchema, NodeLabel, Property, RelationshipType
from t2c_core.schema.model import Triple

RESULTS = Path(__file__).parent / "results"
CORPORA = Path(__file__).parents[2] / "tests" / "corpora"
HIDDEN = frozenset({"Patient.name", "Insurer", "ALLERGIC_TO", "TAKES.dose"})
REPEATS = 5
LARGE = {
    "a text of 1 MB": "RETURN '" + "x" * 1_000_000 + "'",
    "1 MB of clauses": "MATCH (n) RETURN n " * 52_000,
    "1 MB of escapes": "\\u0041" * 170_000,
    "1 MB of comments": "/**/" * 250_000,
    "10,000 brackets": "RETURN " + "(" * 10_000 + "1" + ")" * 10_000,
    "10,000 lists": "RETURN " + "[" * 10_000 + "]" * 10_000,
    "10,000 subqueries, not closed": "CALL { " * 4_000,
    "7,000 NOT": "RETURN " + "NOT " * 7_000 + "true",
    "9,900 characters of lists": "RETURN [" + ",".join(["1"] * 4_940) + "]",
    "9,900 characters of sums": "RETURN 1" + " + 1" * 2_470,
}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def milliseconds(guard: Guard, query: str, parameters: Any = None) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        guard.check(query, parameters)
        best = min(best, time.process_time() - started)
    return best * 1000


def spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "n": len(ordered),
        "p50_ms": round(statistics.median(ordered), 3),
        "p99_ms": round(ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)], 3),
        "max_ms": round(ordered[-1], 3),
    }


def check_all(guard: Guard, queries: list[dict[str, Any]]) -> dict[str, Any]:
    refused = []
    repaired: Counter[str] = Counter()
    for row in queries:
        verdict = guard.check(row["cypher"], row.get("params"))
        if verdict.allowed:
            repaired.update({repair.code for repair in verdict.repairs})
        else:
            refused.append({"code": verdict.codes[0], "why": verdict.message, "id": row.get("id")})
    return {
        "n": len(queries),
        "refused": len(refused),
        "share": round(len(refused) / max(len(queries), 1), 5),
        "codes": dict(Counter(each["code"] for each in refused).most_common()),
        "repaired": dict(repaired.most_common()),
        "reasons": dict(Counter(f"{each['code']}: {each['why']}" for each in refused).most_common(25)),
    }


def read_schema(content: dict[str, Any]) -> GraphSchema:
    """Return the schema of one graph of schemas.json."""

    def properties(found: list[dict[str, str]]) -> tuple[Property, ...]:
        return tuple(
            Property(name=name, type="STRING") for name in sorted({each["property"] for each in found})
        )

    patterns = content["relationships"]
    labels = {*content["node_props"]} | {each[end] for each in patterns for end in ("start", "end")}
    types = {*content["rel_props"]} | {each["type"] for each in patterns}
    return GraphSchema(
        labels=tuple(
            NodeLabel(name=name, count=1000, properties=properties(content["node_props"].get(name, [])))
            for name in sorted(labels)
        ),
        types=tuple(
            RelationshipType(name=name, count=1000, properties=properties(content["rel_props"].get(name, [])))
            for name in sorted(types)
        ),
        triples=tuple(
            Triple(source=source, type=kind, target=target, count=1000)
            for source, kind, target in sorted(
                {(each["start"], each["type"], each["end"]) for each in patterns}
            )
        ),
    )


def on_pairs(folder: Path) -> dict[str, Any]:
    file = folder / "schemas.json"
    schemas = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.jsonl")):
        pairs = rows(path)
        found[path.stem] = {"without schema": check_all(Guard(), pairs)}
        name = next((each for each in (pairs[0].get("graph"), path.stem) if each in schemas), None)
        if name is not None:
            found[path.stem]["with schema"] = check_all(Guard(read_schema(schemas[name])), pairs)
    return found


def table(result: dict[str, Any]) -> str:
    lines = [
        "# The guard", "", "    python benchmarks/t2c_core/guard.py --snapshot SNAPSHOT --pairs FOLDER", "",
        "| corpus | queries | accepted attacks | good ones refused |", "|---|---|---|---|",
    ]  # fmt: skip
    attacks = result["attacks"]
    lines.append(f"| attacks | {attacks['n']} | {attacks['accepted']} | |")
    lines += [
        f"| good, {name} | {each['n']} | | {each['refused']} |" for name, each in result["good"].items()
    ]
    for name, each in result["pairs"].items():
        for how, found in each.items():
            lines.append(
                f"| pairs {name}, {how} | {found['n']} | | {found['refused']} ({found['share']:.2%}) |"
            )
    lines += ["", "| guard | queries | p50 ms | p99 ms | max ms |", "|---|---|---|---|---|"]
    for name, each in result["times"].items():
        lines.append(f"| {name} | {each['n']} | {each['p50_ms']} | {each['p99_ms']} | {each['max_ms']} |")
    lines += ["", "| large input | ms | code |", "|---|---|---|"]
    lines += [f"| {name} | {each['ms']} | `{each['code']}` |" for name, each in result["large"].items()]
    lines += ["", "Why queries of the pairs are refused, most frequent first:", ""]
    for name, each in result["pairs"].items():
        for how, found in each.items():
            lines += [
                f"* {name}, {how}: {count} × {why}" for why, count in list(found["reasons"].items())[:8]
            ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--snapshot", type=Path, required=True)
    parser.add_argument("--pairs", type=Path)
    arguments = parser.parse_args()
    schema = GraphSchema.load(arguments.snapshot)
    policy = Policy(hidden=HIDDEN)
    guards = {"no schema": Guard(), "schema": Guard(schema), "schema and policy": Guard(schema, policy)}
    good, attacks = rows(CORPORA / "good.jsonl"), rows(CORPORA / "attacks.jsonl")
    attacks = [row for row in attacks if row["code"] != "mask"]
    policy_guards = {
        True: (guards["schema and policy"], Guard(policy=policy)),
        False: (guards["no schema"], guards["schema"]),
    }
    accepted = [
        row["id"]
        for row in attacks
        for guard in policy_guards[bool(row.get("policy"))]
        if guard.check(row["cypher"]).allowed
    ]
    large = {}
    for name, text in LARGE.items():
        codes = guards["schema"].check(text).codes
        large[name] = {
            "ms": round(milliseconds(guards["schema"], text), 2),
            "code": codes[0] if codes else "",
        }
    result = {
        "attacks": {"n": len(attacks), "accepted": len(accepted), "which": accepted},
        "good": {name: check_all(guards[name], good) for name in ("no schema", "schema")},
        "pairs": on_pairs(arguments.pairs) if arguments.pairs else {},
        "times": {
            name: spread([milliseconds(guard, row["cypher"], row.get("params")) for row in good])
            for name, guard in guards.items()
        },
        "large": large,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "guard.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (RESULTS / "guard.md").write_text(table(result), encoding="utf-8")
    print(table(result))
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())
