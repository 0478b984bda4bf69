"""Exports pairs: for the tiny per-graph model (atoms), for general models (chat, completion), as Parquet.

Atoms links every question with the same linker that serving uses, some after noise, and keeps a pair only if its
query can still be written with the links found. Writes nothing but the export folder; the manifest last.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from t2c_core.prompt.chat import REFUSAL, ChatFormat
from t2c_core.prompt.compact_cypher import decode
from t2c_core.prompt.schema_tokens import UNANSWERABLE, SchemaTokenFormat
from t2c_core.prompt.tokenizer import save_tokenizer, train_tokenizer
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_data.errors import DataInputError
from t2c_data.export.augmentation import perturb
from t2c_data.export.query_relinking import relink_query
from t2c_data.pairs import write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema
    from t2c_data.pairs import Pair

CALIBRATION_ROWS = 6_000
"""Rows of the calibration text."""


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    prompt: str
    completion: str
    split: str


def export_atoms(
    pairs: Sequence[Pair],
    out: Path,
    *,
    schema: GraphSchema,
    snapshot: Path,
    seed: int = 0,
    noise: float = 0.45,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the tokenizer and training rows of a tiny per-graph model.

    Args:
        pairs: what `build` made.
        out: the folder.
        schema: the graph's schema.
        snapshot: folder with the value index.
        seed: mixes the noise.
        noise: share of questions that are disturbed before they are linked.
        progress: told how many are linked.

    Returns:
        The manifest.
    """
    out.mkdir(parents=True, exist_ok=True)
    index = ValueIndex(snapshot / "values.sqlite")
    linker = Linker(index, schema)
    prompts = SchemaTokenFormat(schema)
    rows: list[_Row] = []
    dropped: Counter[str] = Counter()
    for number, pair in enumerate(pairs):
        question, kind = _perturbed(pair, seed, noise)
        linked = linker.link(question)
        completion = relink_query(pair, linked, prompts) if pair.cypher else UNANSWERABLE
        if completion is None and kind != "plain":
            dropped[f"unlinked after {kind}"] += 1
            linked = linker.link(pair.question)
            completion = relink_query(pair, linked, prompts)
        if completion is None:
            dropped["unlinked"] += 1
            continue
        rows.append(_Row(pair.id, prompts.render(linked), completion, pair.split))
        if progress:
            progress(number + 1, len(pairs))
    index.close()
    rows, contradictions = _majority_completion(rows)
    dropped["contradiction"] += contradictions
    return _write(rows, dropped, out, schema)


def ensure_empty_dir(out: Path, *, force: bool) -> None:
    """Refuse a folder that holds something, unless forced.

    Raises:
        DataInputError: it is not empty.
    """
    if out.is_dir() and any(out.iterdir()) and not force:
        raise DataInputError(f"{out} is not empty; give --force to write into it, or another --out")
    out.mkdir(parents=True, exist_ok=True)


def export_chat(
    pairs: Sequence[Pair],
    out: Path,
    *,
    schema: GraphSchema,
    snapshot: Path,
    messages: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write rows for general models: `{"messages": [...]}`, or `{"prompt", "completion"}`.

    Args:
        pairs: what `build` made.
        out: the folder.
        schema: the graph's schema.
        snapshot: folder with the value index.
        messages: chat messages rather than prompt and completion.
        progress: told how many are linked.

    Returns:
        The manifest.
    """
    index = ValueIndex(snapshot / "values.sqlite")
    linker, chat, atoms = Linker(index, schema), ChatFormat(schema), SchemaTokenFormat(schema)
    rows: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    dropped = 0
    for number, pair in enumerate(pairs):
        linked = linker.link(pair.question)
        completion = relink_query(pair, linked, atoms) if pair.cypher else REFUSAL
        if completion is None:
            dropped += 1
            continue
        cypher = decode(completion) if pair.cypher else REFUSAL
        asked = chat.messages(linked)
        content: dict[str, Any] = {"messages": [*asked, {"role": "assistant", "content": cypher}]}
        if not messages:
            content = {"prompt": "\n\n".join(each["content"] for each in asked) + "\n", "completion": cypher}
        rows[pair.split].append(json.dumps({**content, "id": pair.id}, ensure_ascii=False))
        if progress:
            progress(number + 1, len(pairs))
    index.close()
    for name, lines in rows.items():
        write_lines(out / f"{name}.jsonl", lines)
    manifest = {
        "format": ChatFormat.name,
        "rows": {name: len(lines) for name, lines in rows.items()},
        "dropped": {"unlinked": dropped},
        "schema": schema.version,
    }
    write_lines(out / "manifest.json", [json.dumps(manifest, indent=1, sort_keys=True)])
    return manifest


def export_parquet(pairs: Sequence[Pair], out: Path) -> dict[str, Any]:
    """Write the pairs as Parquet, a file a split, in a folder that `datasets.load_dataset` reads, with a card.

    Returns:
        The manifest.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from t2c_data.dataset.dataset_card import card

    rows = {}
    for name in ("train", "dev", "test"):
        held = [pair for pair in pairs if pair.split == name]
        rows[name] = len(held)
        content = [
            {**asdict(pair), "parameters": json.dumps(pair.parameters, ensure_ascii=False)} for pair in held
        ]
        if content:
            fresh = out / f"{name}.parquet.tmp"
            pq.write_table(pa.Table.from_pylist(content), fresh)
            fresh.replace(out / f"{name}.parquet")
    write_lines(out / "README.md", card(pairs, rows).splitlines())
    manifest = {"format": "parquet", "rows": rows}
    write_lines(out / "manifest.json", [json.dumps(manifest, indent=1, sort_keys=True)])
    return manifest


def _perturbed(pair: Pair, seed: int, noise: float) -> tuple[str, str]:
    """Give a question, perhaps with noise, and the kind of noise; `plain` without."""
    rng = Random(int(hashlib.sha256(f"{seed}:{pair.id}".encode()).hexdigest()[:12], 16))  # noqa: S311
    if pair.split == "train" and rng.random() < noise:
        return perturb(pair, rng)
    return pair.question, "plain"


def _majority_completion(rows: list[_Row]) -> tuple[list[_Row], int]:
    """Keep one meaning of each prompt, the most frequent, and each row of it once."""
    meanings: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        meanings[row.prompt][row.completion] += 1
    best = {prompt: min(found, key=lambda text: (-found[text], text)) for prompt, found in meanings.items()}
    kept: list[_Row] = []
    seen: set[tuple[str, str]] = set()
    wrong = 0
    for row in rows:
        if row.completion != best[row.prompt]:
            wrong += 1
        elif (row.prompt, row.split) not in seen:
            seen.add((row.prompt, row.split))
            kept.append(row)
    return kept, wrong


def _write(rows: list[_Row], dropped: Counter[str], out: Path, schema: GraphSchema) -> dict[str, Any]:
    train = [row for row in rows if row.split == "train"]
    known = {row.prompt for row in train}
    tokenizer = train_tokenizer(schema, (row.prompt for row in train), (row.completion for row in rows))
    save_tokenizer(tokenizer, out / "tokenizer")
    counts = {}
    for name in ("train", "dev", "test"):
        held = [row for row in rows if row.split == name and (name == "train" or row.prompt not in known)]
        counts[name] = len(held)
        write_lines(
            out / f"{name}.jsonl",
            (
                json.dumps(
                    {"prompt": row.prompt, "completion": row.completion, "id": row.id}, ensure_ascii=False
                )
                for row in held
            ),
        )
    step = max(len(train) // CALIBRATION_ROWS, 1)
    write_lines(
        out / "calibration.jsonl",
        (
            json.dumps({"text": row.prompt + row.completion}, ensure_ascii=False)
            for row in train[::step][:CALIBRATION_ROWS]
        ),
    )
    manifest = {
        "format": SchemaTokenFormat.name,
        "rows": counts,
        "vocabulary": tokenizer.get_vocab_size(),
        "dropped": dict(sorted(dropped.items())),
        "schema": schema.version,
        "sha256": {name: _sha256(out / f"{name}.jsonl") for name in counts},
    }
    write_lines(out / "manifest.json", [json.dumps(manifest, indent=1, sort_keys=True)])
    return manifest


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
