"""Unseen graphs, from CSV to 3,000 validated pairs; writes results/graphs.{json,md}.

    python benchmarks/t2c_data/graphs.py [odd] [hostile] [--csv NAME=FOLDER_OR_ZIP ...] [--hetionet FOLDER] [--pairs N]

Only commands are run: t2c-graph import, t2c-graph snapshot, t2c-data build, t2c-data validate; no lexicon is edited.
`odd`: names with spaces, quotes, Unicode and reserved words, nodes with several labels, lists, dates, nulls,
self-loops, a label without text. `hostile`: Cypher, HTML and prompt injections as values, texts of 1 MB, 10,000 labels.
`--hetionet`: nodes.tsv.gz and edges-5k.sif.gz are written as CSVs first.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.t2c_data.csv_graphs import write_hostile_graph, write_odd_graph

from t2c_core.graph.embedded import EmbeddedGraph, ServerLimits

RESULTS = Path(__file__).parent / "results"
HOSTILE = {"labels": 10_000, "long": 1_000_000}
EDGES = {
    "AdG": "DOWNREGULATES", "AeG": "EXPRESSES", "AuG": "UPREGULATES", "CbG": "BINDS", "CcSE": "CAUSES",
    "CdG": "DOWNREGULATES", "CpD": "PALLIATES", "CrC": "RESEMBLES", "CtD": "TREATS", "CuG": "UPREGULATES",
    "DaG": "ASSOCIATES", "DdG": "DOWNREGULATES", "DlA": "LOCALIZES", "DpS": "PRESENTS", "DrD": "RESEMBLES",
    "DuG": "UPREGULATES", "GcG": "COVARIES", "GiG": "INTERACTS", "GpBP": "PARTICIPATES", "GpCC": "PARTICIPATES",
    "GpMF": "PARTICIPATES", "GpPW": "PARTICIPATES", "Gr>G": "REGULATES", "PCiC": "INCLUDES",
}  # fmt: skip
"""Names of the relationship types of Hetionet; the abbreviation follows, as in its own database: BINDS_CbG."""


def write_hetionet(source: Path, folder: Path) -> None:
    """Write Hetionet as CSVs with typed headers, without isolated nodes."""
    with gzip.open(source / "edges-5k.sif.gz", "rt", encoding="utf-8", newline="") as file:
        edges = list(csv.reader(file, delimiter="\t"))[1:]
    touched = {node for start, _, end in edges for node in (start, end)}
    with gzip.open(source / "nodes.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        nodes = [row for row in list(csv.reader(file, delimiter="\t"))[1:] if row[0] in touched]
    folder.mkdir(parents=True)
    with (folder / "nodes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key:ID", "identifier:string", "name:string", ":LABEL"])
        writer.writerows([key, key.partition("::")[2], name, kind] for key, name, kind in nodes)
    with (folder / "edges.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([":START_ID", ":END_ID", ":TYPE"])
        writer.writerows([start, end, f"{EDGES[kind]}_{kind}"] for start, kind, end in edges)


def command(program: str, *words: str) -> dict[str, Any]:
    """Run a command of the project; return its JSON and seconds."""
    module = {"t2c-graph": "t2c_core", "t2c-data": "t2c_data"}[program]
    start = [sys.executable, "-c", f"import sys; from {module}.cli import main; main()"]
    started = time.perf_counter()
    done = subprocess.run([*start, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} {' '.join(words)}: exit {done.returncode}\n{done.stderr[-3000:]}")
    return {**json.loads(done.stdout), "seconds": round(time.perf_counter() - started, 1)}


def measure(source: Path, folder: Path, pairs: int) -> dict[str, Any]:
    """Go from CSVs to validated pairs and return the metrics."""
    with EmbeddedGraph(folder / "store", limits=ServerLimits(heap_mb=2048)) as server:
        imported = command("t2c-graph", "import", str(source), "--uri", server.uri)
        snapshot = ["--uri", server.uri, "--snapshot", str(folder / "snapshot")]
        seen = command("t2c-graph", "snapshot", "--uri", server.uri, "--out", str(folder / "snapshot"))
        built = command("t2c-data", "build", *snapshot, "--out", str(folder / "pairs"), "--pairs", str(pairs))
        given = str(folder / "pairs" / "pairs.jsonl")
        checked = command(
            "t2c-data", "validate", *snapshot, "--pairs", given, "--out", str(folder / "checked.jsonl")
        )
    return {
        "nodes": imported.get("nodes"), "relationships": imported.get("relationships"), "pairs": built["pairs"],
        "validated": checked["kept"], "failed": checked["failed"], "reasons": checked["reasons"],
        "dropped": built["dropped"], "leaks": built["leaks"],
        "seconds": {
            "import": imported["seconds"], "snapshot": seen["seconds"], "build": built["seconds"],
            "validate": checked["seconds"],
        },
    }  # fmt: skip


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the metrics as Markdown."""
    lines = [
        "| graph | nodes | edges | pairs | pass all validators | seconds: import, snapshot, build, check | dropped |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    for name, each in found.items():
        seconds = ", ".join(str(value) for value in each["seconds"].values())
        drops = ", ".join(f"{reason} {count}" for reason, count in each["dropped"].items())
        lines.append(
            f"| {name} | {each['nodes']} | {each['relationships']} | {each['pairs']} | {each['validated']} "
            f"({100 * each['validated'] / each['pairs']:.1f} %) | {seconds} | {drops} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure graphs and write the results; those of other graphs are kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("graphs", nargs="*", help="odd, hostile")
    parser.add_argument("--csv", action="append", default=[], help="NAME=FOLDER_OR_ZIP")
    parser.add_argument("--hetionet", type=Path)
    parser.add_argument("--pairs", type=int, default=3000)
    options = parser.parse_args()
    file = RESULTS / "graphs.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    wanted = [*options.graphs, *(["hetionet"] if options.hetionet else []), *options.csv]
    for each in wanted:
        name, _, path = each.partition("=")
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            source = Path(path) if path else folder / "csv"
            if name == "odd":
                write_odd_graph(source)
            elif name == "hostile":
                write_hostile_graph(source, **HOSTILE)
            elif name == "hetionet":
                write_hetionet(options.hetionet, source)
            found[name] = measure(source, folder, options.pairs)
        print(name, json.dumps(found[name]), file=sys.stderr)
        RESULTS.mkdir(exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "graphs.md").write_text(table(found) + "\n", encoding="utf-8")
    print(table(found) if wanted else "graphs: name some; nothing measured")


if __name__ == "__main__":
    main()
