"""Coverage of the read-back: how many queries of files of pairs have words, and why the others have none.

    python benchmarks/t2c_core/readback.py --snapshot DIR [--lexicon FILE] pairs.jsonl [more.jsonl ...]

Writes results/readback.json. Unparseable queries count as not read back.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from graphling_io.outputs import write_json
from t2c_core.cypher.parser import parse
from t2c_core.errors import CypherSyntaxError
from t2c_core.interpretation.readback import read_back
from t2c_core.interpretation.words import Words
from t2c_core.schema import GraphSchema

RESULT = Path(__file__).parent / "results" / "readback.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshot", type=Path, required=True)
    parser.add_argument("--lexicon", type=Path)
    parser.add_argument("pairs", type=Path, nargs="+")
    options = parser.parse_args()
    schema = GraphSchema.load(options.snapshot / "schema.json")
    words = Words.load(options.lexicon) if options.lexicon else Words()
    results = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for path in options.pairs:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        queries = [(row["cypher"], row.get("parameters")) for row in rows if row.get("cypher")]
        told = 0
        for cypher, parameters in queries:
            try:
                query = parse(cypher)
            except CypherSyntaxError:
                continue
            told += read_back(query, schema=schema, words=words, parameters=parameters) is not None
        results[f"{path.parent.name}/{path.name}"] = {"queries": len(queries), "read_back": told}
        print(f"{path}: {told} of {len(queries)}")
    write_json(RESULT, results)


if __name__ == "__main__":
    main()
