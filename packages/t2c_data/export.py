"""Exports pairs: for the tiny per-graph model (atoms), for general models (chat, completion), as Parquet.

Atoms links every question with the same linker that serving uses, some after noise, and keeps a pair only if its
query can still be written with the links found. Writes nothing but the export folder; the manifest last.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.names import read_name
from t2c_core.prompt.atoms import UNANSWERABLE, AtomsFormat
from t2c_core.prompt.chat import REFUSAL, ChatFormat
from t2c_core.prompt.compact import MAX_PARAMETERS, decode, split
from t2c_core.prompt.tokenizer import save_tokenizer, train_tokenizer
from t2c_core.prompt.uses import parameter_uses
from t2c_core.values.index import ValueIndex
from t2c_core.values.link import Link, LinkedQuestion, Linker
from t2c_data.errors import DataInputError
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


def fresh_folder(out: Path, *, force: bool) -> None:
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
    linker, chat, atoms = Linker(index, schema), ChatFormat(schema), AtomsFormat(schema)
    rows: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    dropped = 0
    for number, pair in enumerate(pairs):
        linked = linker.link(pair.question)
        completion = rewrite(pair, linked, atoms) if pair.cypher else REFUSAL
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

    from t2c_data.card import card

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
    cypher = _without_literals(pair.cypher, linked, prompts, taken)
    cypher = re.sub(r"\$(v\d+)", lambda match: f"$\ue000{renamed[match[1]]}", cypher).replace("\ue000", "")
    completion = prompts.complete(_reordered(cypher))
    generated = prompts.parse(completion, linked)
    right = {renamed[name]: value for name, value in pair.parameters.items() if name in renamed}
    if generated.repairs or any(
        not _equal(generated.parameters.get(name), value) for name, value in right.items()
    ):
        return None
    return completion


def _without_literals(cypher: str, linked: LinkedQuestion, prompts: AtomsFormat, taken: set[str]) -> str:
    """Write adjectives that the linker knows as a value ("female") with their link, as serving will."""

    def exchange(found: re.Match[str]) -> str:
        holder = prompts.names.holders.get(found[1])
        value = found[4].replace("\\'", "'").replace("\\\\", "\\")
        for link in linked.links[:MAX_PARAMETERS]:
            held = {(place.owner, place.property, place.value) for place in link.places}
            meant = holder is not None and (holder.name, read_name(found[2]), value) in held
            if meant and link.name not in taken:
                taken.add(link.name)
                return f"{found[1]}.{found[2]} {found[3]} $\ue000{link.name}"
        return found[0]

    return re.sub(r"([\w]+)\.(`[^`]*`|\w+) (=|<>) '((?:[^'\\]|\\.)*)'", exchange, cypher)


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
        "format": AtomsFormat.name,
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
