"""Exports pairs as training rows.

Reads: a file of pairs; for formats with linked values a snapshot. Writes: the folder of the export.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphling_io.outputs import atomic_directory
from t2c_core.schema.model import GraphSchema
from t2c_data.export.chat_rows import export_chat
from t2c_data.export.formats import export_atoms, export_parquet
from t2c_data.pairs import read_pairs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from t2c_data.jobs.config import ExportConfig

CONTENTS = ("tokenizer", "*.jsonl", "*.parquet", "README.md")


def run_export(
    config: ExportConfig, out: Path, *, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Export pairs and return the manifest, which counts what was left out.

    Raises:
        PairsError: the pairs cannot be read.
        OutputError: the folder is not empty, or overlaps what is read.
    """
    found = read_pairs(config.pairs, include_rejected=config.include_rejected)
    rejected = len(read_pairs(config.pairs)) - len(found)
    dropped = {"rejected": rejected} if rejected else {}
    inputs = [config.pairs, *([config.snapshot] if config.snapshot else [])]
    with atomic_directory(
        out, markers=("manifest.json",), contents=CONTENTS, inputs=inputs, force=config.force
    ) as folder:
        if config.format == "parquet" or config.snapshot is None:
            return export_parquet(found, folder, dropped=dropped)
        schema = GraphSchema.load(config.snapshot)
        if config.format == "atoms":
            return export_atoms(
                found, folder, schema=schema, snapshot=config.snapshot, seed=config.seed, noise=config.noise,
                dropped=dropped, progress=progress,
            )  # fmt: skip
        return export_chat(
            found, folder, schema=schema, snapshot=config.snapshot, messages=config.format == "chat",
            turns=config.turns, dropped=dropped, progress=progress,
        )  # fmt: skip
