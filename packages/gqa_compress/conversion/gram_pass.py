"""Gram matrices of every layer's input over a text: computed once, used by many conversions.

Runs in one process, or in several under torchrun. Source: docs/algorithm.md, (4).
"""

from pathlib import Path

import torch
import torch.distributed as dist
from rich.progress import track
from safetensors import SafetensorError, safe_open

from gqa_compress.checkpoint.environment import choose_device
from gqa_compress.checkpoint.reader import Checkpoint, content_hash, load_tokenizer
from gqa_compress.checkpoint.writer import write_tensors
from gqa_compress.conversion.layer_runner import EmbeddingAndHead, HiddenStates, LayerFactory, run_and_capture
from gqa_compress.errors import CheckpointError, RowsError
from gqa_compress.heads.grams import InputGram
from gqa_compress.text.calibration import TokenBatch, batched, read_sequences
from graphling_io.console import CONSOLE
from graphling_io.outputs import OutputError, atomic_file, check_no_overlap

# Tokens whose hidden states are in memory at a time, so that memory does not grow with the text.
CHUNK_TOKENS = 65_536


def write_grams(
    model: Path, text: Path, out: Path, *, tokens: int | None, max_length: int, force: bool = False
) -> int:
    """Write the Gram matrix of every layer's input over a text.

    Under torchrun each worker takes a part of the text and the first one writes the sum.

    Args:
        model: checkpoint folder of a supported model.
        text: .txt, or .jsonl with `text`.
        out: file to write.
        tokens: approximate number of tokens, evenly from the whole text; all if None.
        max_length: maximum number of tokens in a sequence.
        force: replace the file.

    Returns:
        Number of tokens, over all workers.

    Raises:
        InputError: the checkpoint or the text cannot be used.
        OutputError: the file exists, overlaps an input or cannot be written.

    Writes:
        OUT: safetensors with one (C + 1, C + 1) float64 matrix per layer, and the hash of the model.
    """
    check_no_overlap(out, [model, text])
    if out.exists() and not force:
        raise OutputError(f"{out} exists already; name another file or give --force")
    checkpoint = Checkpoint(model)
    batches = _batches(checkpoint, text, tokens=tokens, max_length=max_length)
    worker, workers, device = _init_distributed()
    grams = _accumulate(checkpoint, batches[worker::workers], device)
    if workers > 1:
        for gram in grams:
            dist.all_reduce(gram.moments)
        dist.destroy_process_group()
    count = _check_tokens(grams, text)
    if worker == 0:
        metadata = {"model": content_hash(model), "tokens": str(count)}
        with atomic_file(out) as temporary:
            write_tensors(temporary, {f"layer.{i}": g.moments.cpu() for i, g in enumerate(grams)}, metadata)
    return count


def compute_grams(
    checkpoint: Checkpoint, text: Path, *, tokens: int | None, max_length: int
) -> list[torch.Tensor]:
    """Compute the Gram matrix of every layer's input over a text in this process.

    Args:
        checkpoint: a supported model.
        text: .txt, or .jsonl with `text`.
        tokens: approximate number of tokens, evenly from the whole text; all if None.
        max_length: maximum number of tokens in a sequence.

    Returns:
        One (C + 1, C + 1) matrix per layer, on the CPU.

    Raises:
        RowsError: the text cannot be read or has no tokens.
    """
    batches = _batches(checkpoint, text, tokens=tokens, max_length=max_length)
    grams = _accumulate(checkpoint, batches, choose_device())
    _check_tokens(grams, text)
    return [gram.moments.cpu() for gram in grams]


def read_grams(path: Path, checkpoint: Checkpoint) -> list[torch.Tensor]:
    """Read a file of `write_grams`.

    Args:
        path: the file.
        checkpoint: the model that it must have been computed from.

    Returns:
        One (C + 1, C + 1) matrix per layer.

    Raises:
        CheckpointError: the file is missing, corrupt, or was computed from another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            model = (file.metadata() or {}).get("model")
            found = [file.get_tensor(f"layer.{index}") for index in range(len(file.keys()))]
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"the Gram matrices {path} cannot be read: {error}") from error
    if model != content_hash(checkpoint.folder):
        raise CheckpointError(
            f"the Gram matrices {path} were computed from another model than {checkpoint.folder}, or by an older "
            "version; run gqa-compress calibrate on this model"
        )
    return found


def _batches(checkpoint: Checkpoint, text: Path, *, tokens: int | None, max_length: int) -> list[TokenBatch]:
    length = min(max_length, checkpoint.dims.max_length)
    sequences = read_sequences(text, load_tokenizer(checkpoint.folder), tokens=tokens, max_length=length)
    return list(batched(sequences, 4096))


def _check_tokens(grams: list[InputGram], text: Path) -> int:
    if not grams[0].tokens:
        raise RowsError(f"{text} has no tokens to calibrate on")
    return grams[0].tokens


def _accumulate(checkpoint: Checkpoint, batches: list[TokenBatch], device: torch.device) -> list[InputGram]:
    grams = [InputGram(checkpoint.dims.hidden_size, device) for _ in range(checkpoint.dims.layers)]
    factory = LayerFactory(checkpoint, device)
    for chunk in _chunks(batches):
        ends = EmbeddingAndHead(checkpoint, factory.config, device)
        streams: list[HiddenStates] = [ends.embed(batch) for batch in chunk]
        del ends
        for index in track(range(len(grams)), "calibrating", console=CONSOLE, transient=True):
            layer = factory.layer(checkpoint.layer(index), kv_heads=checkpoint.dims.num_kv_heads)
            for number, states in enumerate(streams):
                after, activations = run_and_capture(layer, checkpoint.arch, states)
                grams[index].add(activations.attention_input[states.mask])
                streams[number] = states.with_hidden(after)
    return grams


def _chunks(batches: list[TokenBatch]) -> list[list[TokenBatch]]:
    chunks: list[list[TokenBatch]] = []
    room = 0
    for batch in batches:
        if not chunks or batch.tokens > room:
            chunks.append([])
            room = CHUNK_TOKENS
        chunks[-1].append(batch)
        room -= batch.tokens
    return chunks


def _init_distributed() -> tuple[int, int, torch.device]:
    """Return the rank of this worker, the number of workers, and the device."""
    device = choose_device()
    if not dist.is_torchelastic_launched():
        return 0, 1, device
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    worker = dist.get_rank()
    if device.type == "cuda":
        torch.cuda.set_device(worker % torch.cuda.device_count())
    return worker, dist.get_world_size(), device
