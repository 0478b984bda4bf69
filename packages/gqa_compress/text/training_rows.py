"""Rows of text into batches of tokens, in an order that depends on the seed and the epoch alone.

Holds reading, tokenising and batching. Rows of like length share a batch and are padded on the right, so
under causal attention no mask is needed and little is padded. Knows nothing of models or losses.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gqa_compress.errors import RowsError

IntArray = npt.NDArray[np.int64]

# Rows are sorted by length inside windows of this many batches: wide enough that padding nearly vanishes,
# narrow enough that the order of rows stays random.
WINDOW_BATCHES = 64


@dataclass(frozen=True)
class TokenizedDataset:
    """Tokenised rows, end to end.

    Attributes:
        tokens: (total,) token ids.
        starts: (rows + 1,) where each row begins.
        prompts: (rows,) tokens of each row that are prompt.
        dropped: rows left out because they were too long.
        digest: sha256 of the file they came from.
    """

    tokens: npt.NDArray[np.int32]
    offsets: IntArray
    prompt_lengths: IntArray
    dropped: int
    sha256: str

    def __len__(self) -> int:
        return len(self.prompt_lengths)

    @property
    def lengths(self) -> IntArray:
        """Tokens of each row, (rows,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Batch:
    """Rows padded on the right, and the places where the loss is taken.

    Attributes:
        input_ids: (B, T) token ids.
        positions: (n,) indices into the flattened (B·T) whose next token is predicted.
        targets: (n,) those next tokens.
        weights: (n,) their weights in the loss.
        answers: (n,) whether they belong to a completion.
        rows: (n,) the row in the batch each belongs to.
        tokens: tokens of the batch without padding.
    """

    input_ids: torch.Tensor
    loss_positions: torch.Tensor
    targets: torch.Tensor
    loss_weights: torch.Tensor
    is_completion: torch.Tensor
    rows: torch.Tensor
    tokens: int

    def to(self, device: torch.device) -> "Batch":
        """Move the tensors to a device.

        Args:
            device: where to.

        Returns:
            The same batch there.
        """
        return Batch(
            input_ids=self.input_ids.to(device),
            loss_positions=self.loss_positions.to(device),
            targets=self.targets.to(device),
            loss_weights=self.loss_weights.to(device),
            is_completion=self.is_completion.to(device),
            rows=self.rows.to(device),
            tokens=self.tokens,
        )


def read_rows(path: Path, tokenizer: Any, *, max_tokens: int) -> TokenizedDataset:
    """Read and tokenise training rows.

    Prompt and completion are tokenised apart, as they are when the model is asked, and the end-of-text token
    is appended.

    Args:
        path: JSONL of {"prompt", "completion"} or {"text"}.
        tokenizer: a transformers tokenizer with an end-of-text token.
        max_tokens: longer rows are left out and counted.

    Returns:
        The rows.

    Raises:
        RowsError: the file is missing or empty, or a line is no such row.
    """
    prompt_lengths, completions, sha256 = _read_pairs(path)
    if tokenizer.eos_token_id is None:
        raise RowsError("the tokenizer has no end-of-text token (eos_token); training needs one")
    heads = tokenizer(prompt_lengths, add_special_tokens=True)["input_ids"]
    tails = tokenizer(completions, add_special_tokens=False)["input_ids"]
    if heads[0][-1:] == [tokenizer.eos_token_id]:
        raise RowsError("the tokenizer ends every text with its end-of-text token; prompts must stay open")
    rows = [
        (len(head), head + tail + [tokenizer.eos_token_id]) for head, tail in zip(heads, tails, strict=True)
    ]
    kept = [(prompt, row) for prompt, row in rows if 2 <= len(row) <= max_tokens]
    if not kept:
        raise RowsError(f"{path} has no row of at most max_tokens={max_tokens} tokens")
    lengths = np.array([len(row) for _, row in kept], dtype=np.int64)
    return TokenizedDataset(
        tokens=np.concatenate([np.array(row, dtype=np.int32) for _, row in kept]),
        offsets=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
        prompt_lengths=np.array([prompt for prompt, _ in kept], dtype=np.int64),
        dropped=len(rows) - len(kept),
        sha256=sha256,
    )


def _read_pairs(path: Path) -> tuple[list[str], list[str], str]:
    prompt_lengths, completions = [], []
    sha256 = hashlib.sha256()
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                sha256.update(line)
                if not line.strip():
                    continue
                prompt, completion = _read_pair(line, f"{path}:{number}")
                prompt_lengths.append(prompt)
                completions.append(completion)
    except OSError as error:
        raise RowsError(f"the rows {path} cannot be read: {error.strerror}") from error
    if not prompt_lengths:
        raise RowsError(f"the rows {path} are empty")
    return prompt_lengths, completions, sha256.hexdigest()


def _read_pair(line: bytes, where: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RowsError(f"{where} is not JSON: {error}") from error
    if isinstance(row, dict) and isinstance(row.get("text"), str):
        return "", row["text"]
    if not (isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("prompt", "completion"))):
        raise RowsError(f'{where} has no texts "prompt" and "completion" (or "text")')
    return row["prompt"], row["completion"]


def plan_epoch(rows: TokenizedDataset, *, batch_tokens: int, seed: int, epoch: int) -> list[IntArray]:
    """Decide which rows form which batch, in which order.

    Args:
        rows: the rows.
        batch_tokens: most tokens in a batch, padding included; at least the longest row.
        seed: of the run.
        epoch: counted from 0.

    Returns:
        Row indices of each batch; every row occurs once.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    lengths = rows.lengths
    order = generator.permutation(len(rows))
    window = max(1, int(WINDOW_BATCHES * batch_tokens / lengths.mean()))
    batches: list[IntArray] = []
    for begin in range(0, len(order), window):
        part = order[begin : begin + window]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches.extend(_cut(part, lengths, batch_tokens))
    return [batches[index] for index in generator.permutation(len(batches))]


def _cut(part: IntArray, lengths: IntArray, batch_tokens: int) -> Iterator[IntArray]:
    """Cut rows of rising length into batches of at most `batch_tokens`."""
    begin = 0
    for end in range(1, len(part) + 1):
        if end == len(part) or (end + 1 - begin) * lengths[part[end]] > batch_tokens:
            yield part[begin:end]
            begin = end


def make_batch(rows: TokenizedDataset, chosen: IntArray, *, prompt_weight: float) -> Batch:
    """Put chosen rows into one batch.

    Args:
        rows: the rows.
        chosen: (B,) their indices.
        prompt_weight: weight of prompt tokens in the loss; places of weight 0 are left out.

    Returns:
        The batch.
    """
    lengths = rows.lengths[chosen]
    column = np.arange(lengths.max())  # (T,)
    inside = column < lengths[:, None]  # (B, T)
    where = np.minimum(rows.offsets[chosen][:, None] + column, len(rows.tokens) - 1)
    input_ids = np.where(inside, rows.tokens[where], 0).astype(np.int64)
    predicts = column < lengths[:, None] - 1
    completion = column >= rows.prompt_lengths[chosen][:, None] - 1
    loss_weights = np.where(completion, 1.0, prompt_weight) * predicts
    loss_positions = np.flatnonzero(loss_weights)
    return Batch(
        input_ids=torch.from_numpy(input_ids),
        loss_positions=torch.from_numpy(loss_positions),
        targets=torch.from_numpy(np.roll(input_ids, -1, axis=1).ravel()[loss_positions]),
        loss_weights=torch.from_numpy(loss_weights.ravel()[loss_positions].astype(np.float32)),
        is_completion=torch.from_numpy(completion.ravel()[loss_positions]),
        rows=torch.from_numpy(loss_positions // len(column)),
        tokens=int(lengths.sum()),
    )
