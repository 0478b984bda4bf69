"""The conversion: a checkpoint in, a stock checkpoint with fewer key-value heads out.

Holds one run from input to output folder. What happens to a layer is in layerwise.py.
Source: docs/algorithm.md, section "Conversion".
"""

import math
import time
from dataclasses import asdict
from pathlib import Path

from rich.progress import track

from gqa_compress.checkpoint.environment import (
    default_device,
    disable_malloc_trim,
    peak_memory_bytes,
    versions,
)
from gqa_compress.checkpoint.reader import Checkpoint, layer_prefix, load_tokenizer
from gqa_compress.checkpoint.writer import ShardWriter, copy_companions, write_config
from gqa_compress.conversion.config import ConversionConfig, ConversionReport, HeldOut, LayerReport
from gqa_compress.conversion.embedding_and_head import EmbeddingAndHead
from gqa_compress.conversion.gram_pass import read_grams
from gqa_compress.conversion.layerwise import LayerwiseConverter
from gqa_compress.conversion.model_card import write_card
from gqa_compress.text.calibration import read_text
from graphling_io.console import CONSOLE
from graphling_io.outputs import atomic_directory, check_free_space, write_json


def convert(
    source: Path,
    text: Path,
    out: Path,
    plan: ConversionConfig,
    *,
    grams: Path | None = None,
    force: bool = False,
) -> ConversionReport:
    """Convert a checkpoint.

    Args:
        source: checkpoint folder of a supported model.
        text: to calibrate on, .txt or .jsonl with `text`.
        out: folder to write.
        plan: how to convert.
        grams: what `gqa-compress calibrate` wrote, to merge by more text than is used for the rest.
        force: replace what `out` holds.

    Returns:
        What it came to.

    Raises:
        InputError: the checkpoint, the text, the plan or the output folder cannot be used; nothing is written.

    Writes:
        OUT: a stock checkpoint with tokenizer, README.md and conversion.json.
    """
    begun = time.monotonic()
    device = default_device()
    disable_malloc_trim()
    with atomic_directory(out, markers=["conversion.json"], inputs=[source], force=force) as partial:
        checkpoint = Checkpoint(source)
        plan.check(checkpoint.geometry)
        check_free_space(out, checkpoint.size_bytes)
        length = min(plan.length, checkpoint.geometry.max_length)
        sequences = read_text(text, load_tokenizer(source), tokens=plan.tokens, length=length)
        moments = read_grams(grams, checkpoint.geometry) if grams else None
        conversion = LayerwiseConverter(checkpoint, plan, sequences, device, moments)
        layers = _write_weights(conversion, partial)
        copy_companions(source, partial)
        write_config(source, partial, plan.kv_heads)
        report = _report(conversion, layers, time.monotonic() - begun)
        write_card(partial, report)
        write_json(partial / "conversion.json", asdict(report))
    return report


def _write_weights(conversion: LayerwiseConverter, folder: Path) -> list[LayerReport]:
    checkpoint = conversion.checkpoint
    writer = ShardWriter(folder)
    writer.add(checkpoint.read(checkpoint.outside()))
    reports = []
    for index in track(range(checkpoint.geometry.layers), "converting", console=CONSOLE, transient=True):
        tensors, report = conversion.convert_layer(index)
        writer.add({layer_prefix(index) + name: tensor for name, tensor in tensors.items()})
        reports.append(report)
    writer.close()
    return reports


def _report(conversion: LayerwiseConverter, layers: list[LayerReport], seconds: float) -> ConversionReport:
    sizes, plan = conversion.sizes, conversion.plan
    return ConversionReport(
        source=conversion.checkpoint.folder.absolute().name,
        model_type=sizes.model_type,
        plan=asdict(plan),
        kv_heads_before=sizes.num_kv_heads,
        kv_heads_after=plan.kv_heads,
        cache_bytes_a_token_before=sizes.kv_cache_bytes_per_token,
        cache_bytes_a_token_after=sizes.kv_cache_bytes_per_token * plan.kv_heads // sizes.num_kv_heads,
        calibration_tokens=sum(batch.tokens for batch in conversion.seen.batches),
        held_out=_held_out(conversion),
        layers=layers,
        seconds=round(seconds, 2),
        peak_memory_bytes=peak_memory_bytes(conversion.device),
        device=conversion.device.type,
        versions=versions(),
    )


def _held_out(conversion: LayerwiseConverter) -> HeldOut:
    """Measure the held-out sequences, whose last states are known, in both models."""
    ends = EmbeddingAndHead(conversion.checkpoint, conversion.maker.config, conversion.device)
    before = after = distance = 0.0
    tokens = 0
    part = conversion.held_out
    for batch, original, converted in zip(part.batches, part.original, part.converted, strict=True):
        log_q = ends.log_probabilities(original.hidden, batch)
        log_p = ends.log_probabilities(converted.hidden, batch)
        targets = batch.input_ids[:, 1:][batch.mask[:, 1:]].to(conversion.device)[:, None]
        before -= float(log_q.gather(1, targets).double().sum())
        after -= float(log_p.gather(1, targets).double().sum())
        distance += float((log_q.exp() * (log_q - log_p)).sum(-1).double().sum())
        tokens += len(targets)
    return HeldOut(
        tokens=tokens,
        perplexity_before=math.exp(before / tokens),
        perplexity_after=math.exp(after / tokens),
        kl=distance / tokens,
    )
