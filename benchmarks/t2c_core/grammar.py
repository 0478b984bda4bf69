"""Measure grammars: their size, the time to write and compile them and to mask a step, on small and large schemas.

    python benchmarks/t2c_core/grammar.py --tokenizer demo/starter [--tokenizer OTHER ...]

Writes results/grammar.json and results/grammar.md beside this file. Schemas are synthetic: labels, types and
properties in the numbers given, each type between two labels. A step is what decoding pays for each token: the mask of
the next token along a query of the grammar. Times are those of the processor, in one thread.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from pathlib import Path

from transformers import AutoTokenizer
from xgrammar import GrammarCompiler, GrammarMatcher, TokenizerInfo, allocate_token_bitmask

from t2c_core.grammar import atoms_grammar, cypher_grammar
from t2c_core.prompt.variable_names import VariableNames
from t2c_core.schema import GraphSchema, NodeLabel, Property, RelationshipType, Triple

RESULTS = Path(__file__).parent / "results"
SIZES = ((8, 11, 40), (100, 200, 500), (300, 600, 2000))
TYPES = ("STRING", "STRING", "INTEGER", "FLOAT", "DATE", "BOOLEAN", "LIST<STRING>")


def schema_of(labels: int, types: int, properties: int) -> GraphSchema:
    rng = random.Random(0)
    names = [f"Label{number}" for number in range(labels)]
    held = [
        Property(name=f"property{number}", type=TYPES[number % len(TYPES)], distinct=100)
        for number in range(properties)
    ]
    return GraphSchema(
        labels=tuple(
            NodeLabel(name=name, count=1, properties=tuple(held[number::labels]))
            for number, name in enumerate(names)
        ),
        types=tuple(RelationshipType(name=f"TYPE_{number}", count=1) for number in range(types)),
        triples=tuple(
            Triple(source=rng.choice(names), type=f"TYPE_{number}", target=rng.choice(names), count=1)
            for number in range(types)
        ),
    )


def query_of(schema: GraphSchema, *, compact: bool) -> str:
    triple = schema.triples[0]
    held = schema.label_by_name[triple.source].properties[0].name
    if not compact:
        return (
            f"MATCH (a:{triple.source})-[:{triple.type}]->(b:{triple.target}) WHERE a.{held} IS NOT NULL "
            f"RETURN a.{held}, count(*) AS n ORDER BY n DESC LIMIT 5"
        )
    names = VariableNames(schema)
    access = f"{names.label_variables[triple.source]}.{held}"
    target = int(triple.source == triple.target)
    return (
        f" MATCH {names.triple(triple, target=target)} WHERE {access} IS NOT NULL RETURN {access}, count(*)"
    )


def measure(name: str, size: tuple[int, int, int], info: TokenizerInfo, encode: object) -> dict[str, object]:
    schema = schema_of(*size)
    compact = name == "atoms"
    started = time.thread_time()
    text = atoms_grammar(schema) if compact else cypher_grammar(schema)
    written = time.thread_time()
    compiled = GrammarCompiler(info, max_threads=1, cache_enabled=False).compile_grammar(text)
    done = time.thread_time()
    matcher = GrammarMatcher(compiled)
    mask = allocate_token_bitmask(1, info.vocab_size)
    steps = []
    for token in encode(query_of(schema, compact=compact)):  # type: ignore[operator]
        before = time.thread_time()
        matcher.fill_next_token_bitmask(mask)
        steps.append((time.thread_time() - before) * 1000)
        if not matcher.accept_token(token):
            raise SystemExit(f"{name} {size}: the grammar does not take the query")
    return {
        "grammar": name,
        "labels": size[0],
        "types": size[1],
        "properties": size[2],
        "characters": len(text),
        "write_cpu_ms": (written - started) * 1000,
        "compile_cpu_ms": (done - written) * 1000,
        "compiled_bytes": compiled.memory_size_bytes,
        "mask_p50_cpu_ms": statistics.median(steps),
        "mask_max_cpu_ms": max(steps),
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--tokenizer", type=Path, action="append", required=True)
    rows = []
    for folder in options.parse_args().tokenizer:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        info = TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer))
        for name in ("atoms", "general"):
            for size in SIZES:
                row = measure(name, size, info, tokenizer.encode)
                rows.append({"vocabulary": len(tokenizer), **row})
                print(rows[-1], flush=True)
    (RESULTS / "grammar.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    columns = list(rows[0])
    lines = ["# Grammars", "", "|" + "|".join(columns) + "|", "|---" * len(columns) + "|"]
    lines += [
        "|"
        + "|".join(f"{each:,.3g}" if isinstance(each, float) else f"{each}" for each in row.values())
        + "|"
        for row in rows
    ]
    (RESULTS / "grammar.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
