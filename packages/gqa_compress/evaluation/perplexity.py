"""Loss of a model on a text, and its divergence from a teacher."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gqa_compress.checkpoint.environment import choose_device
from gqa_compress.checkpoint.files import check_token_ids
from gqa_compress.checkpoint.reader import load_model, load_tokenizer
from gqa_compress.conversion.config import perplexity
from gqa_compress.errors import CheckpointError, RowsError
from gqa_compress.text.calibration import TokenBatch, batched, read_sequences
from graphling_io.console import progress


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A model on a text.

    Attributes:
        perplexity: exponential of the loss.
        tokens: number of predicted tokens.
        loss: mean negative log-likelihood per token, in nats.
    """

    perplexity: float
    tokens: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class TeacherComparison(Evaluation):
    """A model and its teacher on a text.

    Attributes:
        kl: mean KL(teacher ‖ model) per token, in nats.
        top1_agreement: fraction of tokens for which both have the same most likely token.
        teacher_perplexity: exponential of the teacher's loss.
        teacher_loss: the teacher's loss.
    """

    kl: float
    top1_agreement: float
    teacher_perplexity: float
    teacher_loss: float


def evaluate(model: Path, text: Path, *, tokens: int | None = None, max_length: int = 512) -> Evaluation:
    """Measure a model's loss on a text.

    Args:
        model: checkpoint folder.
        text: .txt, or .jsonl with `text`.
        tokens: approximate number of tokens, evenly from the whole text; all if None.
        max_length: maximum number of tokens in a sequence; that of the model if it is smaller.

    Returns:
        The measurements.

    Raises:
        CheckpointError: the folder is not a loadable checkpoint.
        RowsError: the text cannot be read or is empty.
    """
    loaded, batches = _load(model, text, tokens, max_length)
    loss, count = 0.0, 0
    for batch in _with_progress(batches):
        losses, _ = _losses(loaded, batch)
        loss, count = loss + float(losses.double().sum()), count + len(losses)
    return Evaluation(perplexity=perplexity(loss / count), tokens=count, loss=loss / count)


def evaluate_against_teacher(
    model: Path, teacher: Path, text: Path, *, tokens: int | None = None, max_length: int = 512
) -> TeacherComparison:
    """Measure a model's loss on a text and its divergence from a teacher.

    Args:
        model: checkpoint folder.
        teacher: checkpoint folder with the same vocabulary.
        text: see `evaluate`.
        tokens: see `evaluate`.
        max_length: see `evaluate`.

    Returns:
        The measurements.

    Raises:
        CheckpointError: a folder is not a loadable checkpoint, or the vocabularies differ.
        RowsError: the text cannot be read or is empty.
    """
    loaded, batches = _load(model, text, tokens, max_length)
    other = load_model(teacher).to(loaded.device)
    _check_same_vocabulary(model, teacher)
    size = min(other.config.vocab_size, loaded.config.vocab_size)
    loss = teacher_loss = kl = 0.0
    same = count = 0
    for batch in _with_progress(batches):
        losses, log_p = _losses(loaded, batch, size)
        teacher_losses, log_q = _losses(other, batch, size)
        loss += float(losses.double().sum())
        teacher_loss += float(teacher_losses.double().sum())
        kl += float((log_q.exp() * (log_q - log_p)).sum(-1).double().sum())
        same += int((log_p.argmax(-1) == log_q.argmax(-1)).sum())
        count += len(losses)
    return TeacherComparison(
        perplexity=perplexity(loss / count),
        tokens=count,
        loss=loss / count,
        kl=kl / count,
        top1_agreement=same / count,
        teacher_perplexity=perplexity(teacher_loss / count),
        teacher_loss=teacher_loss / count,
    )


def _load(model: Path, text: Path, tokens: int | None, max_length: int) -> tuple[Any, list[TokenBatch]]:
    loaded = load_model(model).to(choose_device())
    length = min(max_length, getattr(loaded.config, "max_position_embeddings", None) or max_length)
    sequences = read_sequences(text, load_tokenizer(model), tokens=tokens, max_length=length)
    if not sequences:
        raise RowsError(f"{text} has no sequence of two tokens; there is nothing to predict")
    return loaded, list(batched(sequences, 4096))


def _check_same_vocabulary(model: Path, teacher: Path) -> None:
    """Check that two models have the same tokens; their embeddings may be padded to different sizes."""
    tokens, teacher_tokens = (load_tokenizer(folder).get_vocab() for folder in (model, teacher))
    if tokens != teacher_tokens:
        raise CheckpointError(
            f"{teacher} has {len(teacher_tokens)} tokens and {model} {len(tokens)}, or others by the same numbers; "
            "only models with the same vocabulary can be compared"
        )


@torch.no_grad()
def _losses(model: Any, batch: TokenBatch, size: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss at every token that has one before it, (n,), and the log-probabilities there, (n, V).

    V is that of the model, or its first `size` tokens.
    """
    check_token_ids(batch.input_ids, model.get_input_embeddings().weight.shape[0])
    batch = batch.to(model.device)
    logits = model(input_ids=batch.input_ids, attention_mask=batch.mask.long(), use_cache=False).logits
    has_next = batch.mask[:, 1:]
    log_p = torch.log_softmax(logits[:, :-1][has_next][:, :size].float(), dim=-1)
    targets = batch.input_ids[:, 1:][has_next]
    return -log_p.gather(1, targets[:, None])[:, 0], log_p


def _with_progress(batches: list[TokenBatch]) -> Iterator[TokenBatch]:
    with progress("evaluating") as advance:
        for number, batch in enumerate(batches):
            yield batch
            advance(number + 1, len(batches))
