"""Loss of a model on text, and its distance from another model.

Holds whole-model evaluation with transformers. Knows nothing of conversions.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from gqa_compress.checkpoint.environment import default_device
from gqa_compress.checkpoint.reader import load_model, load_tokenizer
from gqa_compress.errors import CheckpointError, RowsError
from gqa_compress.text.calibration import TokenBatch, batched, read_sequences
from graphling_io.console import CONSOLE


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one model does on one text.

    Attributes:
        perplexity: e to the mean loss.
        tokens: tokens predicted.
        loss: mean negative log-likelihood a token, in nats.
    """

    perplexity: float
    tokens: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class TeacherComparison(Evaluation):
    """What one model does on one text, beside a teacher.

    Attributes:
        kl: mean KL(teacher ‖ model) a token, in nats.
        agreement: share of tokens where both find the same token most likely.
        teacher_perplexity: e to the teacher's mean loss.
        teacher_loss: the teacher's mean loss.
    """

    kl: float
    agreement: float
    teacher_perplexity: float
    teacher_loss: float


def evaluate(model: Path, text: Path, *, tokens: int | None = None, length: int = 512) -> Evaluation:
    """Measure a model's loss on a text.

    Args:
        model: checkpoint folder.
        text: .txt, or .jsonl with `text`.
        tokens: about how many to use, evenly from the whole text; all when None.
        length: most tokens in a sequence; less where the model takes less.

    Returns:
        The measurements.

    Raises:
        CheckpointError: the folder is no loadable checkpoint.
        RowsError: the text cannot be read or is empty.
    """
    device, loaded, batches = _start(model, text, tokens, length)
    loss, count = 0.0, 0
    for batch in _progress(batches):
        losses, _ = _losses(loaded, batch.to(device))
        loss, count = loss + float(losses.double().sum()), count + len(losses)
    return Evaluation(perplexity=_exp(loss / count), tokens=count, loss=loss / count)


def evaluate_against_teacher(
    model: Path, teacher: Path, text: Path, *, tokens: int | None = None, length: int = 512
) -> TeacherComparison:
    """Measure a model's loss on a text and its distance from a teacher.

    Args:
        model: checkpoint folder.
        teacher: checkpoint folder with the same vocabulary.
        text: .txt, or .jsonl with `text`.
        tokens: about how many to use, evenly from the whole text; all when None.
        length: most tokens in a sequence; less where the model takes less.

    Returns:
        The measurements.

    Raises:
        CheckpointError: a folder is no loadable checkpoint, or the vocabularies differ.
        RowsError: the text cannot be read or is empty.
    """
    device, loaded, batches = _start(model, text, tokens, length)
    other = load_model(teacher).to(device)
    if other.config.vocab_size != loaded.config.vocab_size:
        raise CheckpointError(
            f"{teacher} has {other.config.vocab_size} tokens and {model} {loaded.config.vocab_size}; "
            "only models of one vocabulary can be compared"
        )
    loss = taught = distance = 0.0
    same = count = 0
    for batch in _progress(batches):
        here = batch.to(device)
        losses, log_p = _losses(loaded, here)
        teacher_losses, log_q = _losses(other, here)
        loss, taught = loss + float(losses.double().sum()), taught + float(teacher_losses.double().sum())
        distance += float((log_q.exp() * (log_q - log_p)).sum(-1).double().sum())
        same += int((log_p.argmax(-1) == log_q.argmax(-1)).sum())
        count += len(losses)
    return TeacherComparison(
        perplexity=_exp(loss / count),
        tokens=count,
        loss=loss / count,
        kl=distance / count,
        agreement=same / count,
        teacher_perplexity=_exp(taught / count),
        teacher_loss=taught / count,
    )


def _start(
    model: Path, text: Path, tokens: int | None, length: int
) -> tuple[torch.device, Any, list[TokenBatch]]:
    device = default_device()
    loaded = load_model(model).to(device)
    longest = min(length, getattr(loaded.config, "max_position_embeddings", None) or length)
    sequences = read_sequences(text, load_tokenizer(model), tokens=tokens, length=longest)
    batches = list(batched(sequences, 4096))
    if not batches:
        raise RowsError(f"{text} has no two tokens in a row; there is nothing to predict")
    return device, loaded, batches


@torch.no_grad()
def _losses(model: Any, batch: TokenBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss at every token that has one before it, (n,), and the log-probabilities there, (n, V)."""
    logits = model(input_ids=batch.input_ids, attention_mask=batch.mask.long(), use_cache=False).logits
    has_next = batch.mask[:, 1:]
    log_p = torch.log_softmax(logits[:, :-1][has_next].float(), dim=-1)
    targets = batch.input_ids[:, 1:][has_next]
    return -log_p.gather(1, targets[:, None])[:, 0], log_p


def _progress(batches: list[TokenBatch]) -> Any:
    with Progress(console=CONSOLE, transient=True) as bar:
        yield from bar.track(batches, description="evaluating")


def _exp(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf
