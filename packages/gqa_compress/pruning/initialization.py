"""Initial weights of a model to be pruned: aligned original heads, and their mean as merged heads.

Source: docs/algorithm.md, sections "Alignment" and "Pruning".
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.gram_pass import compute_grams
from gqa_compress.heads.grams import head_grams
from gqa_compress.heads.grouping import adjacent, group_heads
from gqa_compress.heads.merging.aligned import align
from gqa_compress.heads.merging.mean import average_groups
from gqa_compress.heads.projections import HeadProjections, read_heads, write_heads
from gqa_compress.heads.rope import rotary_pairs


@dataclass(frozen=True)
class LayerInit:
    """Initial weights of one layer.

    Attributes:
        original: the layer's q, k, v and o tensors, named relative to the layer: aligned, the heads of a group
            adjacent. The model's output does not change.
        merged: weight (and bias) of the merged heads, by the name of the projection.
    """

    original: dict[str, torch.Tensor]
    merged: dict[str, dict[str, torch.Tensor]]


def initialize_pruning(folder: Path, config: ConversionConfig, text: Path | None) -> list[LayerInit]:
    """Compute the initial weights of each layer.

    Args:
        folder: checkpoint of the source model.
        config: heads to keep, `mean` or `aligned`, grouping, tokens.
        text: calibration text; None keeps heads and their order as they are.

    Returns:
        The weights of each layer.

    Raises:
        InputError: the checkpoint, the configuration or the text cannot be used.
    """
    checkpoint = Checkpoint(folder)
    config.check(checkpoint.dims)
    if text is None:
        return [_initialize(checkpoint, index, config, None) for index in range(checkpoint.dims.layers)]
    grams = compute_grams(checkpoint, text, tokens=config.tokens, max_length=config.max_length)
    return [_initialize(checkpoint, index, config, moments) for index, moments in enumerate(grams)]


def _initialize(
    checkpoint: Checkpoint, index: int, config: ConversionConfig, moments: torch.Tensor | None
) -> LayerInit:
    arch, dims = checkpoint.arch, checkpoint.dims
    layer = checkpoint.layer(index)
    heads = read_heads(layer, arch, dims)
    if moments is None:
        grouped = heads.group_by(torch.tensor(adjacent(dims.num_kv_heads, config.kv_heads)))
    else:
        grams, pairs = head_grams(heads, moments), rotary_pairs(arch, dims)
        by_similarity = config.grouping == "search"
        groups = group_heads(grams, pairs, config.kv_heads, by_similarity=by_similarity, seed=config.seed)
        chosen = torch.tensor(groups)
        aligned = config.method == "aligned"
        grouped = align(heads, grams, pairs, chosen) if aligned else heads.group_by(chosen)
    flat = HeadProjections(
        *(part.flatten(0, 1) for part in (grouped.w_q, grouped.w_k, grouped.w_v, grouped.w_o))
    )
    names = [name for name in layer if name.startswith((arch.q, arch.k, arch.v, arch.o))]
    original, merged = write_heads(flat, layer, arch), write_heads(average_groups(grouped), layer, arch)
    return LayerInit(
        original={name: original[name] for name in names},
        merged={
            part: {
                name.removeprefix(f"{part}."): merged[name] for name in names if name.startswith(f"{part}.")
            }
            for part in (arch.k, arch.v)
        },
    )
