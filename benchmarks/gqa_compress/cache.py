"""Time decoding at growing batch and context, and weigh the cache, for models of fewer and fewer key-value heads.

    python benchmarks/gqa_compress/cache.py [MODEL ...] [--batches 1,8] [--prompts 128,1024] [--new-tokens 16]

Without MODEL, random LLaMAs of 8, 4, 2 and 1 of 8 heads of 64 are made: speed and size do not depend on the
weights. All runs are by transformers on whatever device there is. Writes
results/cache.json, .md and .png beside this file.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tests.gqa_compress.tiny_models import save_tiny, tiny_model

from gqa_compress.checkpoint.inspection import inspect
from gqa_compress.evaluation.cache import bench
from graphling_io.outputs import write_json, write_text

RESULTS = Path(__file__).parent / "results"


def random_models(home: Path) -> list[Path]:
    shape = {
        "hidden_size": 512,
        "intermediate_size": 1376,
        "num_hidden_layers": 4,
        "max_position_embeddings": 8192,
    }
    return [
        save_tiny(tiny_model("llama", kv_heads=heads, **shape), home / f"{heads}-heads")
        for heads in (8, 4, 2, 1)
    ]


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        "Made by `python benchmarks/gqa_compress/cache.py`; transformers, greedy, median of three.\n",
        "| kv heads | batch | context | cache bytes a token | decoded tokens/s | prompt tokens/s | device |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['kv_heads']} | {row['batch_size']} | {row['prompt_length']} | {row['kv_cache_bytes_per_token']:,.0f} "
        f"| {row['decode_tokens_per_s']:,.0f} | {row['prefill_tokens_per_s']:,.0f} | {row['device']} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(7, 4))
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == model]
        axis.plot(
            [f"{row['batch_size']} × {row['prompt_length']}" for row in mine],
            [row["decode_tokens_per_s"] for row in mine],
            marker="o",
            label=f"{mine[0]['kv_heads']} kv heads",
        )
    axis.set(xlabel="batch × context", ylabel="decoded tokens a second")
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--prompts", default="128,1024")
    parser.add_argument("--new-tokens", type=int, default=16)
    given = parser.parse_args()
    sizes = [[int(part) for part in text.split(",")] for text in (given.batches, given.prompts)]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for model in given.models or random_models(Path(scratch)):
            for batch, prompt in itertools.product(*sizes):
                measured = bench(model, batch_size=batch, prompt_length=prompt, new_tokens=given.new_tokens)
                rows.append({"model": model.name, "kv_heads": inspect(model).kv_heads, **asdict(measured)})
    write_json(RESULTS / "cache.json", rows)
    write_text(RESULTS / "cache.md", markdown(rows))
    plot(rows, RESULTS / "cache.png")


if __name__ == "__main__":
    main()
