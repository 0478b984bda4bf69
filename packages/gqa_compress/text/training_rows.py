"""Tokenized training rows and their batches, in an order that depends on the seed and the epoch alone.

Rows of similar length share a batch and are padded on the right, so causal attention needs no mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gqa_compress.checkpoint.chat_template import chat_tokens, require_chat_template
from gqa_compress.errors import RowsError
from gqa_compress.text.rows import Row, read_rows

IntArray = npt.NDArray[np.int64]

# Rows are sorted by length within windows of this many batches: wide enough that there is little padding, narrow enough
# that the order of rows stays random.
WINDOW_BATCHES = 64


@dataclass(frozen=True)
class TokenizedDataset:
    """Tokenized rows, concatenated.

    Attributes:
        tokens: (total,) token ids.
        offsets: (rows + 1,) start of each row.
        is_completion: (total,) whether a token belongs to a completion.
        dropped: number of rows left out because they are too long.
    """

    tokens: npt.NDArray[np.int32]
    offsets: IntArray
    is_completion: npt.NDArray[np.bool_]
    dropped: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        """Number of tokens of each row, (rows,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Batch:
    """Rows padded on the right, and the positions at which the loss is computed.

    Attributes:
        input_ids: (B, T) token ids.
        loss_positions: (n,) indices into the flattened (B·T) whose next token is predicted.
        targets: (n,) those next tokens.
        loss_weights: (n,) weights of the tokens in the loss.
        completions: indices into n of the tokens that belong to a completion.
        prompts: indices of the others.
        sources: (n,) place in the data set of the token that comes before each of them.
        rows: (n,) row of the batch that each token belongs to.
        tokens: number of tokens without padding.
    """

    input_ids: torch.Tensor
    loss_positions: torch.Tensor
    targets: torch.Tensor
    loss_weights: torch.Tensor
    completions: torch.Tensor
    prompts: torch.Tensor
    sources: torch.Tensor
    rows: torch.Tensor
    tokens: int

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, torch.Tensor)
        }
        return replace(self, **moved)


def tokenize_rows(path: Path, tokenizer: Any, *, max_length: int) -> TokenizedDataset:
    """Read and tokenize training rows.

    Prompt and completion are tokenized separately, as at inference, and an EOS token is appended; every reply of a chat
    is a completion.

    Args:
        path: JSONL of {"prompt", "completion"}, {"text"} or {"messages"}.
        tokenizer: a transformers tokenizer with an EOS token, and with a chat template for messages.
        max_length: maximum number of tokens; longer texts are cut into pieces that begin as texts do, longer rows
            with a prompt are left out and counted.

    Returns:
        The rows.

    Raises:
        RowsError: the rows cannot be read, or none is short enough.
        CheckpointError: the rows are chats and the tokenizer has no chat template.
    """
    read = read_rows(path)
    if tokenizer.eos_token_id is None:
        raise RowsError("the tokenizer has no EOS token; training needs one")
    if read[0].messages:
        require_chat_template(tokenizer)
        rows = [chat_tokens(tokenizer, row.messages) for row in read]
    else:
        rows = _tokenize_prompts(read, tokenizer, max_length)
    lengths = [sum(len(ids) for ids, _ in row) for row in rows]
    kept = [row for row, length in zip(rows, lengths, strict=True) if 2 <= length <= max_length]
    if not kept:
        raise RowsError(
            f"{path} has no row of at most max_length={max_length} tokens; the shortest has {min(lengths)}"
        )
    sizes = [sum(len(ids) for ids, _ in row) for row in kept]
    parts = [part for row in kept for part in row]
    return TokenizedDataset(
        tokens=np.concatenate([np.array(ids, dtype=np.int32) for ids, _ in parts]),
        offsets=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.array(sizes, dtype=np.int64))]),
        is_completion=np.repeat(
            np.array([is_reply for _, is_reply in parts], dtype=np.bool_), [len(ids) for ids, _ in parts]
        ),
        dropped=sum(length > max_length for length in lengths),
    )


def _tokenize_prompts(read: list[Row], tokenizer: Any, max_length: int) -> list[list[tuple[list[int], bool]]]:
    """Return the parts of rows without messages: a prompt and a completion."""
    heads = tokenizer([row.prompt for row in read], add_special_tokens=True)["input_ids"]
    tails = tokenizer([row.completion for row in read], add_special_tokens=False)["input_ids"]
    if heads[0][-1:] == [tokenizer.eos_token_id]:
        raise RowsError("the tokenizer appends its EOS token to every text; prompts must stay open")
    rows = []
    for row, head, tail in zip(read, heads, tails, strict=True):
        body = [*tail, tokenizer.eos_token_id]
        room = max_length - len(head)
        if row.prompt or len(head) + len(body) <= max_length or room < 2:
            rows.append([(head, False), (body, True)])
        else:
            pieces = (body[begin : begin + room] for begin in range(0, len(body), room))
            rows += [[(head, False), (piece, True)] for piece in pieces]
    return rows


def plan_epoch(rows: TokenizedDataset, *, max_tokens_per_batch: int, seed: int, epoch: int) -> list[IntArray]:
    """Assign rows to batches and order the batches.

    Args:
        rows: the rows.
        max_tokens_per_batch: maximum number of tokens per batch, padding included; at least the longest row.
        seed: seed of the run.
        epoch: epoch, counted from 0.

    Returns:
        Row indices of each batch; every row occurs once.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    lengths = rows.lengths
    order = generator.permutation(len(rows))
    window = max(1, int(WINDOW_BATCHES * max_tokens_per_batch / lengths.mean()))
    batches: list[IntArray] = []
    for begin in range(0, len(order), window):
        part = order[begin : begin + window]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches.extend(_cut(part, lengths, max_tokens_per_batch))
    return [batches[index] for index in generator.permutation(len(batches))]


def _cut(part: IntArray, lengths: IntArray, max_tokens: int) -> Iterator[IntArray]:
    """Cut rows of increasing length into batches of at most `max_tokens`."""
    begin = 0
    for end in range(1, len(part) + 1):
        if end == len(part) or (end + 1 - begin) * lengths[part[end]] > max_tokens:
            yield part[begin:end]
            begin = end


def make_batch(rows: TokenizedDataset, chosen: IntArray, *, prompt_loss_weight: float) -> Batch:
    """Build a batch of chosen rows.

    Args:
        rows: the rows.
        chosen: (B,) row indices.
        prompt_loss_weight: weight of prompt tokens in the loss; positions of weight 0 are left out.

    Returns:
        The batch.
    """
    lengths = rows.lengths[chosen]
    column = np.arange(lengths.max())  # (T,)
    inside = column < lengths[:, None]  # (B, T)
    last = len(rows.tokens) - 1
    indices = np.minimum(rows.offsets[chosen][:, None] + column, last)
    input_ids = np.where(inside, rows.tokens[indices], 0).astype(np.int64)
    predicts = column < lengths[:, None] - 1
    completion = rows.is_completion[np.minimum(indices + 1, last)]
    loss_weights = np.where(completion, 1.0, prompt_loss_weight) * predicts
    loss_positions = np.flatnonzero(loss_weights)
    of_completion = completion.ravel()[loss_positions]
    return Batch(
        input_ids=torch.from_numpy(input_ids),
        loss_positions=torch.from_numpy(loss_positions),
        targets=torch.from_numpy(np.roll(input_ids, -1, axis=1).ravel()[loss_positions]),
        loss_weights=torch.from_numpy(loss_weights.ravel()[loss_positions].astype(np.float32)),
        completions=torch.from_numpy(np.flatnonzero(of_completion)),
        prompts=torch.from_numpy(np.flatnonzero(~of_completion)),
        sources=torch.from_numpy(indices.ravel()[loss_positions]),
        rows=torch.from_numpy(loss_positions // len(column)),
        tokens=int(lengths.sum()),
    )
