"""Formats of training rows: for a small per-graph model (atoms), and Parquet; those for general models: `chat_rows`.

Values of each question are linked by the linker that serving uses, partly after perturbation, and a pair is kept only
if its query can be written with the values that are linked.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from graphling_io.outputs import write_text
from t2c_core.prompt.schema_tokens import SchemaTokenFormat
from t2c_core.prompt.tokenizer import save_tokenizer, train_tokenizer
from t2c_data.dataset.report import dataset_card
from t2c_data.export.atom_rows import AtomRow, link_pairs
from t2c_data.export.manifest import SPLITS, write_manifest
from t2c_data.pairs import write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema
    from t2c_data.pairs import Pair

CALIBRATION_ROWS = 6_000
"""Maximum number of rows of the calibration text."""


def export_atoms(
    pairs: Sequence[Pair],
    out: Path,
    *,
    schema: GraphSchema,
    snapshot: Path,
    seed: int = 0,
    noise: float = 0.45,
    dropped: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write tokenizer and training rows of a small per-graph model, and return the manifest.

    Args:
        pairs: the pairs.
        out: the folder.
        schema: schema of the graph.
        snapshot: folder with the value index.
        seed: seed of the perturbations.
        noise: ratio of training questions that are perturbed before linking.
        dropped: number of pairs that were left out before, by reason.
        progress: called with the number of linked pairs and of all pairs.
    """
    rows: list[AtomRow] = []
    drops = Counter(dropped or {})
    linked = link_pairs(pairs, schema=schema, snapshot=snapshot, seed=seed, noise=noise)
    for number, each in enumerate(linked, 1):
        drops.update(each.drops)
        if each.row is not None:
            rows.append(each.row)
        if progress:
            progress(number, len(pairs))
    rows, contradictions = _majority_completion(rows)
    drops["contradiction"] += contradictions
    return _write_atoms(rows, drops, out, schema)


def export_parquet(
    pairs: Sequence[Pair], out: Path, *, dropped: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Write pairs as one Parquet file per split with a dataset card, and return the manifest.

    `datasets.load_dataset` reads the folder.

    Args:
        pairs: the pairs.
        out: the folder.
        dropped: number of pairs that were left out before, by reason.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {}
    for name in SPLITS:
        content = [
            {**asdict(pair), "parameters": json.dumps(pair.parameters, ensure_ascii=False)}
            for pair in pairs
            if pair.split == name
        ]
        rows[name] = len(content)
        if content:
            pq.write_table(pa.Table.from_pylist(content), out / f"{name}.parquet")
    write_text(out / "README.md", dataset_card(pairs, rows))
    manifest = {"format": "parquet", "rows": rows, **({"dropped": dict(dropped)} if dropped else {})}
    return write_manifest(out, manifest)


def _majority_completion(rows: Sequence[AtomRow]) -> tuple[list[AtomRow], int]:
    """Keep the most frequent completion of each prompt, once per split; return the rows and the number of others."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row.prompt][row.completion] += 1
    best = {prompt: min(found, key=lambda text: (-found[text], text)) for prompt, found in counts.items()}
    agreeing = [row for row in rows if row.completion == best[row.prompt]]
    kept = {(row.prompt, row.split): row for row in reversed(agreeing)}
    return [row for row in agreeing if kept[row.prompt, row.split] is row], len(rows) - len(agreeing)


def _write_atoms(
    rows: Sequence[AtomRow], drops: Counter[str], out: Path, schema: GraphSchema
) -> dict[str, Any]:
    train = [row for row in rows if row.split == "train"]
    trained_prompts = {row.prompt for row in train}
    tokenizer = train_tokenizer(schema, (row.prompt for row in train), (row.completion for row in rows))
    save_tokenizer(tokenizer, out / "tokenizer")
    counts = {}
    for name in SPLITS:
        split = [
            row
            for row in rows
            if row.split == name and (name == "train" or row.prompt not in trained_prompts)
        ]
        counts[name] = len(split)
        contents = ({"prompt": row.prompt, "completion": row.completion, "id": row.id} for row in split)
        write_lines(out / f"{name}.jsonl", map(_line, contents))
    step = max(len(train) // CALIBRATION_ROWS, 1)
    texts: Iterable[dict[str, str]] = (
        {"text": row.prompt + row.completion} for row in train[::step][:CALIBRATION_ROWS]
    )
    write_lines(out / "calibration.jsonl", map(_line, texts))
    return write_manifest(
        out,
        {
            "format": SchemaTokenFormat.name,
            "rows": counts,
            "vocabulary": tokenizer.get_vocab_size(),
            "dropped": dict(sorted(drops.items())),
            "schema": schema.version,
            "sha256": {
                name: hashlib.sha256((out / f"{name}.jsonl").read_bytes()).hexdigest() for name in counts
            },
        },
    )


def _line(content: dict[str, str]) -> str:
    return json.dumps(content, ensure_ascii=False)
