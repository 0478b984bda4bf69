"""Grams of every layer's input, written once and used by many conversions.

Holds the pass over the text, alone or shared by the workers of torchrun. Merges nothing.
Source: docs/algorithm.md, (4).
"""

from pathlib import Path

import torch
import torch.distributed as dist
from rich.progress import track
from safetensors import SafetensorError, safe_open

from gqa_compress.checkpoint.architectures import AttentionDims
from gqa_compress.checkpoint.environment import default_device
from gqa_compress.checkpoint.reader import Checkpoint, load_tokenizer
from gqa_compress.checkpoint.writer import write_tensors
from gqa_compress.conversion.embedding_and_head import EmbeddingAndHead
from gqa_compress.conversion.gram import InputGram
from gqa_compress.conversion.layer_runner import HiddenStates, LayerFactory, run_and_capture
from gqa_compress.errors import CheckpointError, RowsError
from gqa_compress.text.calibration import TokenBatch, batched, read_sequences
from graphling_io.console import CONSOLE
from graphling_io.outputs import OutputError, atomic_file

# Tokens whose states are kept while layers are read one after the other: memory does not grow with the text.
CHUNK_TOKENS = 65_536


def write_grams(
    model: Path, text: Path, out: Path, *, tokens: int | None, length: int, force: bool = False
) -> int:
    """Accumulate the Gram of every layer's input over a text.

    Under torchrun each worker takes its share of the text and the first one writes the sum.

    Args:
        model: checkpoint folder of a supported model.
        text: .txt, or .jsonl with `text`.
        out: file to write.
        tokens: about how many to take, evenly from the whole text; all when None.
        length: most tokens in a sequence.
        force: replace the file.

    Returns:
        Tokens accumulated, over all workers.

    Raises:
        InputError: the checkpoint, the text or the output cannot be used.

    Writes:
        OUT: safetensors with one (C + 1, C + 1) float64 matrix a layer.
    """
    if out.exists() and not force:
        raise OutputError(f"{out} is there already; name another file or give --force")
    checkpoint = Checkpoint(model)
    sizes = checkpoint.geometry
    sequences = read_sequences(
        text, load_tokenizer(model), tokens=tokens, length=min(length, sizes.max_length)
    )
    worker, workers, device = _init_distributed()
    batches = list(batched(sequences, 4096))[worker::workers]
    grams = _grams(checkpoint, batches, device)
    if workers > 1:
        for gram in grams:
            dist.all_reduce(gram.moments)
        dist.destroy_process_group()
    if not grams[0].tokens:
        raise RowsError(f"{text} has no tokens to calibrate on")
    if worker == 0:
        metadata = {"model_type": sizes.model_type, "tokens": str(grams[0].tokens)}
        with atomic_file(out) as partial:
            write_tensors(partial, {f"layer.{i}": g.moments.cpu() for i, g in enumerate(grams)}, metadata)
    return grams[0].tokens


def compute_grams(
    checkpoint: Checkpoint, text: Path, *, tokens: int | None, length: int
) -> list[torch.Tensor]:
    """Accumulate the Gram of every layer's input over a text, in this process and in memory.

    Args:
        checkpoint: of a supported model.
        text: .txt, or .jsonl with `text`.
        tokens: about how many to take, evenly from the whole text; all when None.
        length: most tokens in a sequence.

    Returns:
        One (C + 1, C + 1) matrix a layer, on the CPU.

    Raises:
        RowsError: the text cannot be read or has no tokens.
    """
    sequences = read_sequences(text, load_tokenizer(checkpoint.folder), tokens=tokens, length=length)
    device = default_device()
    grams = _grams(checkpoint, list(batched(sequences, 4096)), device)
    if not grams[0].tokens:
        raise RowsError(f"{text} has no tokens to calibrate on")
    return [gram.moments.cpu() for gram in grams]


def read_grams(path: Path, sizes: AttentionDims) -> list[torch.Tensor]:
    """Read what `calibrate` wrote.

    Args:
        path: the file.
        sizes: of the model it is to be used for.

    Returns:
        One (C + 1, C + 1) matrix a layer.

    Raises:
        CheckpointError: the file is missing, torn, or of a model of another shape.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found = [file.get_tensor(f"layer.{index}") for index in range(len(file.keys()))]
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"the Grams {path} cannot be read: {error}") from error
    width = sizes.hidden_size + 1
    if len(found) != sizes.layers or any(gram.shape != (width, width) for gram in found):
        shape = "×".join(map(str, found[0].shape)) if found else "none"
        raise CheckpointError(
            f"the Grams {path} are of {len(found)} layers of {shape}; the model has {sizes.layers} of {width}×{width}"
        )
    return found


def _grams(checkpoint: Checkpoint, batches: list[TokenBatch], device: torch.device) -> list[InputGram]:
    sizes = checkpoint.geometry
    grams = [InputGram(sizes.hidden_size, device) for _ in range(sizes.layers)]
    for chunk in _chunks(batches):
        _accumulate(checkpoint, chunk, grams, device)
    return grams


def _accumulate(
    checkpoint: Checkpoint, batches: list[TokenBatch], grams: list[InputGram], device: torch.device
) -> None:
    maker = LayerFactory(checkpoint, device)
    ends = EmbeddingAndHead(checkpoint, maker.config, device)
    streams: list[HiddenStates] = [ends.embed(batch) for batch in batches]
    del ends
    kv_heads = checkpoint.geometry.num_kv_heads
    for index in track(range(len(grams)), "calibrating", console=CONSOLE, transient=True):
        layer = maker.layer(checkpoint.layer(index), kv_heads=kv_heads)
        for number, states in enumerate(streams):
            after, seen = run_and_capture(layer, checkpoint.architecture, states)
            grams[index].add(seen.attention_input[states.mask])
            streams[number] = states.with_hidden(after)


def _chunks(batches: list[TokenBatch]) -> list[list[TokenBatch]]:
    chunks: list[list[TokenBatch]] = [[]]
    held = 0
    for batch in batches:
        if chunks[-1] and held + batch.tokens > CHUNK_TOKENS:
            chunks.append([])
            held = 0
        chunks[-1].append(batch)
        held += batch.tokens
    return [chunk for chunk in chunks if chunk]


def _init_distributed() -> tuple[int, int, torch.device]:
    """Return this worker's number, how many there are, and where it computes."""
    device = default_device()
    if not dist.is_torchelastic_launched():
        return 0, 1, device
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    worker = dist.get_rank()
    if device.type == "cuda":
        torch.cuda.set_device(worker % torch.cuda.device_count())
    return worker, dist.get_world_size(), device
