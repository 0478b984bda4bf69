"""The last stage of every build: ids, splits, `pairs.jsonl`, and `manifest.json` last."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from t2c_data.records import Pair, pair_id, write_lines
from t2c_data.split import assign_splits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema


def deliver(
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    schema: GraphSchema,
    *,
    seed: int,
    config: Mapping[str, Any],
    drops: Mapping[str, int],
) -> dict[str, Any]:
    """Write the pairs of a build and its manifest.

    Args:
        out: the folder.
        rows: what was kept, in order.
        schema: the graph's schema.
        seed: mixes the splits.
        config: what was asked for, for the manifest.
        drops: how many candidates were dropped, by reason.

    Returns:
        The manifest.
    """
    pairs = [Pair(**row, id=pair_id(row["question"], row["cypher"]), graph=schema.version) for row in rows]
    pairs, leaks = assign_splits(pairs, seed=seed)
    write_lines(out / "pairs.jsonl", (pair.to_json() for pair in pairs))
    manifest = {
        "pairs": len(pairs),
        "config": dict(config),
        "schema": schema.version,
        "by_split": _counts(pair.split for pair in pairs),
        "by_category": _counts(pair.category for pair in pairs),
        "by_template": _counts(pair.template for pair in pairs),
        "dropped": dict(sorted(drops.items())),
        "leaks": leaks,
        "sha256": hashlib.sha256((out / "pairs.jsonl").read_bytes()).hexdigest(),
    }
    write_lines(out / "manifest.json", [json.dumps(manifest, indent=1, sort_keys=True)])
    return manifest


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
