"""Calibration text into batches of tokens, some of them held out.

Holds reading, choosing, cutting and batching. Knows nothing of models.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gqa_compress.errors import RowsError

MIN_TOKENS = 256
HELD_OUT_EVERY = 8
# Of a longer text this many characters are read, in evenly spaced slices.
MAX_CHARACTERS = 16 * 2**20
SLICES = 64
# A text that begins so is the name of a data set of the `datasets` library: datasets:NAME[:CONFIG[:SPLIT]].
DATASET = "datasets:"


@dataclass(frozen=True)
class TokenBatch:
    """Sequences padded on the right.

    Attributes:
        input_ids: (B, T).
        mask: (B, T), False where padded.
    """

    input_ids: torch.Tensor
    mask: torch.Tensor

    @property
    def tokens(self) -> int:
        """Tokens that are no padding."""
        return int(self.mask.sum())

    def to(self, device: torch.device) -> "TokenBatch":
        """Move the batch to a device.

        Args:
            device: where to.

        Returns:
            The same batch there.
        """
        return TokenBatch(self.input_ids.to(device), self.mask.to(device))


@dataclass(frozen=True)
class CalibrationText:
    """Token batches to fit on and others to judge by."""

    fit: list[TokenBatch]
    held_out: list[TokenBatch]

    @property
    def tokens(self) -> int:
        """Tokens to fit on."""
        return sum(batch.tokens for batch in self.fit)


def read_text(
    path: Path, tokenizer: Any, *, tokens: int, length: int, batch_tokens: int = 2048
) -> CalibrationText:
    """Read calibration text.

    Args:
        path: a .txt file, .jsonl whose rows have `text`, or datasets:NAME[:CONFIG[:SPLIT]].
        tokenizer: a transformers tokenizer.
        tokens: about how many tokens to take, evenly from the whole file; all when it has fewer.
        length: most tokens in a sequence.
        batch_tokens: most tokens in a batch, padding included.

    Returns:
        The batches; every eighth sequence is held out.

    Raises:
        RowsError: the file cannot be read or has too little text.
    """
    sequences = read_sequences(path, tokenizer, tokens=tokens, length=length)
    total = sum(map(len, sequences))
    if total < MIN_TOKENS or len(sequences) < 2:
        raise RowsError(
            f"{path} has {total} tokens in {len(sequences)} sequences; calibration needs at least {MIN_TOKENS} "
            "in two, and does better with some ten thousand"
        )
    every = min(HELD_OUT_EVERY, len(sequences))
    fit = [sequence for index, sequence in enumerate(sequences) if (index + 1) % every]
    return CalibrationText(
        fit=list(batched(fit, batch_tokens)),
        held_out=list(batched(sequences[every - 1 :: every], batch_tokens)),
    )


def read_sequences(path: Path, tokenizer: Any, *, tokens: int | None, length: int) -> list[list[int]]:
    """Read text as token sequences.

    Args:
        path: a .txt file, or .jsonl whose rows have `text` (or `prompt` and `completion`).
        tokenizer: a transformers tokenizer.
        tokens: about how many tokens to take, evenly from the whole file; all when None.
        length: most tokens in a sequence.

    Returns:
        Sequences of at least two tokens, as the model would be given them.

    Raises:
        RowsError: the file cannot be read.
    """
    if length < 2:
        raise RowsError(f"sequences of length={length} tokens predict nothing; use at least 2")
    try:
        texts = _texts(path)
    except (OSError, UnicodeDecodeError) as error:
        raise RowsError(f"the text {path} cannot be read: {error}") from error
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(texts))
    opening = _bos_tokens(tokenizer)
    room = length - len(opening)
    pieces: list[list[int]] = []
    taken = 0
    for begin in range(0, len(order), 256):
        chosen = [texts[index] for index in order[begin : begin + 256]]
        for ids in tokenizer(chosen, add_special_tokens=False)["input_ids"]:
            cut = (opening + ids[start : start + room] for start in range(0, len(ids), room))
            pieces.extend(piece for piece in cut if len(piece) >= 2)
        taken = sum(map(len, pieces))
        if tokens is not None and len(texts) > 1 and taken >= tokens:
            break
    if tokens is None or taken <= tokens:
        return pieces
    return _subsample(pieces, tokens)


def batched(sequences: list[list[int]], batch_tokens: int) -> Iterable[TokenBatch]:
    """Put sequences of like length into batches.

    Args:
        sequences: of tokens.
        batch_tokens: most tokens in a batch, padding included; a longer sequence is a batch of its own.

    Yields:
        The batches, shortest sequences first.
    """
    held: list[list[int]] = []
    for sequence in sorted(sequences, key=len):
        if held and (len(held) + 1) * len(sequence) > batch_tokens:
            yield _pad(held)
            held = []
        held.append(sequence)
    if held:
        yield _pad(held)


def _pad(sequences: list[list[int]]) -> TokenBatch:
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    input_ids = torch.zeros(mask.shape, dtype=torch.long)
    input_ids[mask] = torch.tensor([token for sequence in sequences for token in sequence])
    return TokenBatch(input_ids, mask)


def _bos_tokens(tokenizer: Any) -> list[int]:
    """Return the special tokens that the tokenizer begins every text with."""
    around = tokenizer("", add_special_tokens=True)["input_ids"]
    return [token for token in around if token != tokenizer.eos_token_id or token == tokenizer.bos_token_id][
        :1
    ]


def _subsample(pieces: list[list[int]], tokens: int) -> list[list[int]]:
    """Take evenly spaced pieces of about `tokens` tokens in all."""
    share = tokens / sum(map(len, pieces))
    count = max(2, round(share * len(pieces)))
    return [pieces[index] for index in np.linspace(0, len(pieces) - 1, min(count, len(pieces))).astype(int)]


def _texts(path: Path) -> list[str]:
    if str(path).startswith(DATASET):
        return _dataset(str(path).removeprefix(DATASET))
    return _rows(path) if path.suffix in {".jsonl", ".json"} else [_evenly(path)]


def _dataset(name: str) -> list[str]:
    """Read the first rows of a data set by name, as many as make up `MOST_CHARACTERS`."""
    from datasets import load_dataset

    place, config, split = (*name.split(":"), "", "")[:3]
    texts: list[str] = []
    taken = 0
    try:
        for row in load_dataset(place, config or None, split=split or "train", streaming=True):
            texts.append(row["text"])
            taken += len(row["text"])
            if taken >= MAX_CHARACTERS:
                break
    except (OSError, ValueError, KeyError) as error:
        raise RowsError(f"the data set {name} cannot be read: {error}") from error
    return texts


def _rows(path: Path) -> list[str]:
    texts = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise RowsError(f"{path}:{number} is not JSON: {error}") from error
            parts = [row.get("text")] if "text" in row else [row.get("prompt"), row.get("completion")]
            if not all(isinstance(part, str) for part in parts):
                raise RowsError(f'{path}:{number} has no "text"')
            texts.append("".join(parts))
    if not texts:
        raise RowsError(f"{path} has no rows")
    return texts


def _evenly(path: Path) -> str:
    size = path.stat().st_size
    if size <= MAX_CHARACTERS:
        return path.read_text(encoding="utf-8")
    with path.open("rb") as file:
        parts = []
        for start in np.linspace(0, size - MAX_CHARACTERS // SLICES, SLICES).astype(int):
            file.seek(int(start))
            parts.append(file.read(MAX_CHARACTERS // SLICES).decode("utf-8", errors="ignore"))
    return "".join(parts)
