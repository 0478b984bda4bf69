"""Token sequences of a text, in batches to fit on and batches that are held out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gqa_compress.checkpoint.chat_template import chat_tokens, require_chat_template
from gqa_compress.errors import RowsError
from gqa_compress.text.rows import Row, read_source

MIN_TOKENS = 256
HELD_OUT_EVERY = 8


@dataclass(frozen=True)
class TokenBatch:
    """Sequences padded on the right.

    Attributes:
        input_ids: (B, T).
        mask: (B, T), False at padding.
    """

    input_ids: torch.Tensor
    mask: torch.Tensor

    @property
    def tokens(self) -> int:
        """Number of tokens without padding."""
        return int(self.mask.sum())

    def to(self, device: torch.device) -> "TokenBatch":
        """Return the batch on a device."""
        return TokenBatch(self.input_ids.to(device), self.mask.to(device))


@dataclass(frozen=True)
class CalibrationText:
    """Batches to fit on and held-out batches."""

    fit: list[TokenBatch]
    held_out: list[TokenBatch]


def read_calibration_text(
    path: Path, tokenizer: Any, *, tokens: int, max_length: int, max_tokens_per_batch: int = 2048
) -> CalibrationText:
    """Read calibration text.

    Args:
        path: .txt, .jsonl with `text`, or datasets:NAME[:CONFIG[:SPLIT]].
        tokenizer: a transformers tokenizer.
        tokens: approximate number of tokens, evenly from the whole text; all if it has fewer.
        max_length: maximum number of tokens in a sequence.
        max_tokens_per_batch: maximum number of tokens in a batch.

    Returns:
        The batches; every eighth sequence is held out.

    Raises:
        RowsError: the text cannot be read or is too short.
    """
    sequences = read_sequences(path, tokenizer, tokens=tokens, max_length=max_length)
    total = sum(map(len, sequences))
    if total < MIN_TOKENS or len(sequences) < 2:
        raise RowsError(
            f"{path} has {total} tokens in {len(sequences)} sequences; calibration needs at least {MIN_TOKENS} "
            "in two, and does better with some ten thousand"
        )
    every = min(HELD_OUT_EVERY, len(sequences))
    fit = [sequence for index, sequence in enumerate(sequences) if (index + 1) % every]
    return CalibrationText(
        fit=list(batched(fit, max_tokens_per_batch)),
        held_out=list(batched(sequences[every - 1 :: every], max_tokens_per_batch)),
    )


def read_sequences(path: Path, tokenizer: Any, *, tokens: int | None, max_length: int) -> list[list[int]]:
    """Read text as token sequences.

    Args:
        path: .txt, .jsonl with `text` (or `prompt` and `completion`, or `messages`), or
            datasets:NAME[:CONFIG[:SPLIT]].
        tokenizer: a transformers tokenizer.
        tokens: approximate number of tokens, evenly from the whole text; all if None.
        max_length: maximum number of tokens in a sequence.

    Returns:
        Sequences of at least two tokens, with the tokenizer's BOS token.

    Raises:
        RowsError: the text cannot be read.
    """
    if max_length < 2:
        raise RowsError(f"sequences of max_length={max_length} tokens predict nothing; use at least 2")
    rows = read_source(path)
    are_chats = bool(rows and rows[0].messages)
    if are_chats:
        require_chat_template(tokenizer)
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(rows))
    # A chat template writes its own special tokens.
    bos = [] if are_chats else _bos_tokens(tokenizer)
    room = max_length - len(bos)
    pieces: list[list[int]] = []
    count = 0
    for begin in range(0, len(order), 256):
        for ids in _token_ids([rows[index] for index in order[begin : begin + 256]], tokenizer):
            cut = (bos + ids[start : start + room] for start in range(0, len(ids), room))
            pieces.extend(piece for piece in cut if len(piece) >= 2)
        count = sum(map(len, pieces))
        if tokens is not None and len(rows) > 1 and count >= tokens:
            break
    if tokens is None or count <= tokens:
        return pieces
    return _subsample(pieces, tokens)


def batched(sequences: list[list[int]], max_tokens: int) -> Iterable[TokenBatch]:
    """Batch sequences of similar length.

    Args:
        sequences: token ids.
        max_tokens: maximum number of tokens per batch, padding included; a longer sequence is a batch of its own.

    Yields:
        The batches, shortest sequences first.
    """
    batch: list[list[int]] = []
    for sequence in sorted(sequences, key=len):
        if batch and (len(batch) + 1) * len(sequence) > max_tokens:
            yield _pad(batch)
            batch = []
        batch.append(sequence)
    if batch:
        yield _pad(batch)


def _token_ids(rows: list[Row], tokenizer: Any) -> list[list[int]]:
    """Tokenize rows: texts without special tokens, chats as training does."""
    if rows[0].messages:
        return [[token for ids, _ in chat_tokens(tokenizer, row.messages) for token in ids] for row in rows]
    ids: list[list[int]] = tokenizer([row.prompt + row.completion for row in rows], add_special_tokens=False)[
        "input_ids"
    ]
    return ids


def _pad(sequences: list[list[int]]) -> TokenBatch:
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    input_ids = torch.zeros(mask.shape, dtype=torch.long)
    input_ids[mask] = torch.tensor([token for sequence in sequences for token in sequence])
    return TokenBatch(input_ids, mask)


def _bos_tokens(tokenizer: Any) -> list[int]:
    """Return the special tokens that the tokenizer puts before a text."""
    special = tokenizer("", add_special_tokens=True)["input_ids"]
    eos, bos = tokenizer.eos_token_id, tokenizer.bos_token_id
    return [token for token in special if token != eos or token == bos][:1]


def _subsample(pieces: list[list[int]], tokens: int) -> list[list[int]]:
    """Return evenly spaced pieces with about `tokens` tokens in all."""
    ratio = tokens / sum(map(len, pieces))
    count = max(2, round(ratio * len(pieces)))
    return [pieces[index] for index in np.linspace(0, len(pieces) - 1, min(count, len(pieces))).astype(int)]
