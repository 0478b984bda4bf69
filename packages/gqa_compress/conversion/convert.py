"""The conversion: a checkpoint in, a standard checkpoint with fewer KV heads out.

Source: docs/algorithm.md, section "Conversion".
"""

import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from gqa_compress.checkpoint.environment import (
    choose_device,
    disable_malloc_trim,
    peak_memory_bytes,
    versions,
)
from gqa_compress.checkpoint.reader import Checkpoint, content_hash, layer_prefix, load_tokenizer
from gqa_compress.checkpoint.writer import TOKENIZER_FILES, ShardWriter, copy_tokenizer_files, write_config
from gqa_compress.conversion.config import (
    ConversionConfig,
    ConversionReport,
    HeldOut,
    LayerReport,
    perplexity,
)
from gqa_compress.conversion.converted_layers import ConvertedLayers
from gqa_compress.conversion.gram_pass import read_grams
from gqa_compress.conversion.layer_runner import EmbeddingAndHead
from gqa_compress.conversion.layerwise import LayerwiseConverter
from gqa_compress.conversion.model_card import write_card
from gqa_compress.deprecated import with_old_names
from gqa_compress.errors import TrainingError
from gqa_compress.text.calibration import read_calibration_text
from gqa_compress.text.rows import file_hash
from graphling_io.console import CONSOLE
from graphling_io.outputs import atomic_directory, check_free_space, write_json

MARKERS = ("conversion.json",)


def convert(
    source: Path,
    text: Path,
    out: Path,
    config: ConversionConfig,
    *,
    grams: Path | None = None,
    force: bool = False,
) -> ConversionReport:
    """Convert a checkpoint; a conversion that was killed goes on after its last layer.

    Args:
        source: checkpoint folder of a supported model.
        text: calibration text, .txt or .jsonl with `text`.
        out: folder to write.
        config: how to convert.
        grams: file of `gqa-compress calibrate`, to merge by more text than the other steps use.
        force: replace `out` if it holds a conversion.

    Returns:
        The report.

    Raises:
        InputError: the checkpoint, the text or the configuration cannot be used; nothing is written.
        OutputError: `out` is not empty, overlaps an input or cannot be written.
        TrainingError: the converted model gives values that are not finite; nothing is written.

    Writes:
        OUT: a standard Hugging Face checkpoint with tokenizer, README.md and conversion.json. Until then OUT.partial
        holds the layers that are converted.
    """
    begun = time.monotonic()
    device = choose_device(config.device)
    disable_malloc_trim()
    inputs = [source, text, *([grams] if grams else [])]
    with atomic_directory(out, markers=MARKERS, inputs=inputs, force=force) as folder:
        checkpoint = Checkpoint(source)
        config.check(checkpoint.dims)
        check_free_space(out, checkpoint.size_bytes)
        length = min(config.max_length, checkpoint.dims.max_length)
        sequences = read_calibration_text(
            text,
            load_tokenizer(source),
            tokens=config.tokens,
            max_length=length,
            max_tokens_per_batch=config.max_tokens_per_batch,
        )
        moments = read_grams(grams, checkpoint) if grams else None
        with ConvertedLayers(out, _identity(source, text, grams, config)) as converted:
            converter = LayerwiseConverter(checkpoint, config, sequences, device, moments)
            layers = _write_weights(converter, converted, folder)
            copy_tokenizer_files(source, folder)
            dtype = None if config.dtype == "source" else config.dtype
            write_config(source, folder, config.kv_heads, dtype=dtype)
            report = _report(converter, layers, time.monotonic() - begun)
            write_card(folder, report)
            write_json(folder / "conversion.json", with_old_names(asdict(report)))
    return report


def _identity(source: Path, text: Path, grams: Path | None, config: ConversionConfig) -> dict[str, Any]:
    """Return what converted layers depend on: inputs by their content, and the plan."""
    return {
        "source": content_hash(source),
        "tokenizer": content_hash(source, *TOKENIZER_FILES),
        "text": file_hash(text),
        "grams": file_hash(grams) if grams else None,
        "plan": asdict(config),
    }


def _write_weights(
    converter: LayerwiseConverter, converted: ConvertedLayers, folder: Path
) -> list[LayerReport]:
    checkpoint = converter.checkpoint
    dtype = None if converter.config.dtype == "source" else getattr(torch, converter.config.dtype)
    writer = ShardWriter(folder, dtype)
    writer.add(checkpoint.read(checkpoint.names_outside_layers()))
    reports = []
    for index in track(range(checkpoint.dims.layers), "converting", console=CONSOLE, transient=True):
        if (known := converted.read(index)) is not None:
            tensors, report = known
            converter.take_over_layer(index, tensors)
        else:
            tensors, report = converter.convert_layer(index)
            converted.write(index, tensors, report)
        writer.add({layer_prefix(index) + name: tensor for name, tensor in tensors.items()})
        reports.append(report)
    writer.close()
    return reports


def _report(converter: LayerwiseConverter, layers: list[LayerReport], seconds: float) -> ConversionReport:
    dims, config = converter.dims, converter.config
    return ConversionReport(
        source=converter.checkpoint.folder.absolute().name,
        model_type=dims.model_type,
        plan=asdict(config),
        kv_heads_before=dims.num_kv_heads,
        kv_heads_after=config.kv_heads,
        kv_cache_bytes_per_token_before=dims.kv_cache_bytes_per_token,
        kv_cache_bytes_per_token_after=_cache_bytes(converter),
        calibration_tokens=sum(batch.tokens for batch in converter.fit.batches),
        held_out=_held_out(converter),
        layers=layers,
        seconds=round(seconds, 2),
        peak_memory_bytes=peak_memory_bytes(converter.device),
        device=converter.device.type,
        versions=versions(),
    )


def _cache_bytes(converter: LayerwiseConverter) -> int:
    """Return KV-cache bytes per token of the conversion, in its own data type."""
    dims, config = converter.dims, converter.config
    if config.dtype != "source":
        dims = replace(dims, dtype=config.dtype)
    return dims.kv_cache_bytes_per_token * config.kv_heads // dims.num_kv_heads


def _held_out(converter: LayerwiseConverter) -> HeldOut:
    """Measure both models on the held-out sequences, whose last hidden states are known."""
    ends = EmbeddingAndHead(converter.checkpoint, converter.factory.config, converter.device)
    before = after = kl = 0.0
    tokens = 0
    part = converter.held_out
    for batch, source, converted in zip(part.batches, part.source, part.converted, strict=True):
        log_q = ends.log_probabilities(source.hidden, batch)
        log_p = ends.log_probabilities(converted.hidden, batch)
        targets = batch.input_ids[:, 1:][batch.mask[:, 1:]].to(converter.device)[:, None]
        before -= float(log_q.gather(1, targets).double().sum())
        after -= float(log_p.gather(1, targets).double().sum())
        kl += float((log_q.exp() * (log_q - log_p)).sum(-1).double().sum())
        tokens += len(targets)
    if not all(map(math.isfinite, (before, after, kl))):
        raise TrainingError(
            f"{converter.checkpoint.folder} has a loss of {before / tokens} on the held-out text and its conversion "
            f"one of {after / tokens}; is the checkpoint intact?"
        )
    return HeldOut(
        tokens=tokens,
        perplexity_before=perplexity(before / tokens),
        perplexity_after=perplexity(after / tokens),
        kl=kl / tokens,
    )
