"""Exports pairs: for the tiny per-graph model (atoms), for general models (chat, completion), as Parquet.

Atoms links every question with the same linker that serving uses, some after noise, and keeps a pair only if its
query can still be written with the links found. Writes nothing but the export folder; the manifest last.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from t2c_core.prompt.atoms import UNANSWERABLE, AtomsFormat, parameter_uses
from t2c_core.prompt.compact import MAX_PARAMETERS, split
from t2c_core.prompt.tokenizer import save_tokenizer, train_tokenizer
from t2c_core.values.index import ValueIndex
from t2c_core.values.link import Link, LinkedQuestion, Linker
from t2c_data.noise import disturb
from t2c_data.records import write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_data.records import Pair

CALIBRATION = 6_000
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
    prompts = AtomsFormat(schema)
    rows: list[_Row] = []
    dropped: Counter[str] = Counter()
    for number, pair in enumerate(pairs):
        rng = Random(int(hashlib.sha256(f"{seed}:{pair.id}".encode()).hexdigest()[:12], 16))  # noqa: S311
        question, kind = pair.question, "plain"
        if pair.split == "train" and rng.random() < noise:
            question, kind = disturb(pair, rng)
        linked = linker.link(question)
        completion = rewrite(pair, linked, prompts) if pair.cypher else UNANSWERABLE
        if completion is None and kind != "plain":
            dropped[f"unlinked after {kind}"] += 1
            linked = linker.link(pair.question)
            completion = rewrite(pair, linked, prompts)
        if completion is None:
            dropped["unlinked"] += 1
            continue
        rows.append(_Row(pair.id, prompts.render(linked), completion, pair.split))
        if progress:
            progress(number + 1, len(pairs))
    index.close()
    rows, contradictions = _agreed(rows)
    dropped["contradiction"] += contradictions
    return _write(rows, dropped, out, schema)


def rewrite(pair: Pair, linked: LinkedQuestion, prompts: AtomsFormat) -> str | None:
    """Write a pair's query with the links that were found; None if a value was not linked where it must be."""
    atoms = split(pair.cypher)
    renamed: dict[str, str] = {}
    taken: set[str] = set()
    for use in parameter_uses(atoms, prompts.names):
        if use.name in renamed:
            continue
        wanted = pair.parameters[use.name]
        fits = [
            link
            for link in linked.links[:MAX_PARAMETERS]
            if link.name not in taken and _means(link, wanted, use.owners, use.property)
        ]
        if not fits:
            return None
        renamed[use.name] = fits[0].name
        taken.add(fits[0].name)
    cypher = re.sub(r"\$(v\d+)", lambda match: f"$\ue000{renamed[match[1]]}", pair.cypher).replace(
        "\ue000", ""
    )
    completion = prompts.complete(_reordered(cypher))
    generated = prompts.parse(completion, linked)
    right = {renamed[name]: value for name, value in pair.parameters.items() if name in renamed}
    if any(not _equal(generated.parameters.get(name), value) for name, value in right.items()):
        return None
    return completion


def _means(link: Link, wanted: Scalar, owners: tuple[str, ...], name: str) -> bool:
    if owners and any(
        place.property == name and place.owner in owners and _equal(place.value, wanted)
        for place in link.places
    ):
        return True
    return _equal(link.value, wanted) or (isinstance(wanted, str) and _equal(link.text.strip("'\""), wanted))


def _equal(left: Scalar | None, right: Scalar) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return float(left) == float(right)
    return left == right


def _reordered(cypher: str) -> str:
    """Put the conditions of the outer WHERE into the order of their parameters again."""
    match = re.match(r"(MATCH .*? WHERE )(.*?)( RETURN .*| WITH .*)$", cypher)
    if match is None or "EXISTS {" in cypher or "COUNT {" in cypher or " OR " in cypher:
        return cypher
    parts = match[2].split(" AND ")
    groups: list[str] = []
    for part in parts:  # the two halves of an interval or a month stay together
        access = part.split(" ")[0].rsplit(".year", 1)[0].rsplit(".month", 1)[0]
        if groups and groups[-1].split(" ")[0].rsplit(".year", 1)[0].rsplit(".month", 1)[0] == access:
            groups[-1] += " AND " + part
        else:
            groups.append(part)
    groups.sort(key=lambda part: min((int(each) for each in re.findall(r"\$v(\d+)", part)), default=99))
    return match[1] + " AND ".join(groups) + match[3]


def _agreed(rows: list[_Row]) -> tuple[list[_Row], int]:
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
    step = max(len(train) // CALIBRATION, 1)
    write_lines(
        out / "calibration.jsonl",
        (
            json.dumps({"text": row.prompt + row.completion}, ensure_ascii=False)
            for row in train[::step][:CALIBRATION]
        ),
    )
    manifest = {
        "format": AtomsFormat.name, "rows": counts, "vocabulary": tokenizer.get_vocab_size(), "dropped": dict(sorted(dropped.items())),
        "schema": schema.version, "sha256": {name: hashlib.sha256((out / f"{name}.jsonl").read_bytes()).hexdigest() for name in counts},
    }  # fmt: skip
    write_lines(out / "manifest.json", [json.dumps(manifest, indent=1, sort_keys=True)])
    return manifest
