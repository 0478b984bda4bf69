"""What a pruned student begins with: its own heads brought onto each other, and their mean.

Holds the pass that computes both, one layer after the other. Changes no model. Source: docs/algorithm.md, sections
"Alignment" and "Pruning".
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.gram import head_grams
from gqa_compress.conversion.gram_pass import compute_grams
from gqa_compress.heads.grouping import adjacent, search
from gqa_compress.heads.merging.aligned import align
from gqa_compress.heads.merging.mean import averaged
from gqa_compress.heads.projections import HeadProjections, read_heads, write_heads
from gqa_compress.heads.rope import rotary_pairs
from gqa_compress.heads.similarity import head_similarity


@dataclass(frozen=True)
class LayerInit:
    """What one layer begins with.

    Attributes:
        aligned: the layer's q, k, v and o tensors, named relative to the layer; the model computes the same with
            them, and the heads of a group lie side by side.
        merged: weight (and bias) of the merged heads, by the name of the projection.
    """

    aligned: dict[str, torch.Tensor]
    merged: dict[str, dict[str, torch.Tensor]]


def initialize_pruning(folder: Path, plan: ConversionConfig, text: Path | None) -> list[LayerInit]:
    """Compute what each layer of a pruned student begins with.

    Args:
        folder: checkpoint of the original.
        plan: heads to keep, `mean` or `aligned`, grouping, tokens.
        text: to calibrate on; None takes heads as they are, in their order.

    Returns:
        One start a layer.

    Raises:
        InputError: the checkpoint, the plan or the text cannot be used.
    """
    checkpoint = Checkpoint(folder)
    plan.check(checkpoint.geometry)
    sizes = checkpoint.geometry
    if text is None:
        return [_start(checkpoint, index, plan, None) for index in range(sizes.layers)]
    moments = compute_grams(checkpoint, text, tokens=plan.tokens, length=min(plan.length, sizes.max_length))
    return [_start(checkpoint, index, plan, moments[index]) for index in range(sizes.layers)]


def _start(
    checkpoint: Checkpoint, index: int, plan: ConversionConfig, moments: torch.Tensor | None
) -> LayerInit:
    where, sizes = checkpoint.architecture, checkpoint.geometry
    layer = checkpoint.layer(index)
    heads = read_heads(layer, where, sizes)
    groups = adjacent(sizes.num_kv_heads, plan.kv_heads)
    if moments is None:
        grouped = heads.group_by(torch.tensor(groups))
    else:
        grams, turning = head_grams(heads, moments), rotary_pairs(where, sizes)
        if plan.grouping == "search" and 1 < plan.kv_heads < sizes.num_kv_heads:
            groups = search(head_similarity(grams, turning), plan.kv_heads, seed=plan.seed)
        chosen = torch.tensor(groups)
        aligned = plan.method == "aligned"
        grouped = align(heads, grams, turning, chosen) if aligned else heads.group_by(chosen)
    own = HeadProjections(
        *(part.flatten(0, 1) for part in (grouped.w_q, grouped.w_k, grouped.w_v, grouped.w_o))
    )
    names = [name for name in layer if name.startswith((where.q, where.k, where.v, where.o))]
    turned, merged = write_heads(own, layer, where), write_heads(averaged(grouped), layer, where)
    return LayerInit(
        aligned={name: turned[name] for name in names},
        merged={
            part: {
                name.removeprefix(f"{part}."): merged[name] for name in names if name.startswith(f"{part}.")
            }
            for part in (where.k, where.v)
        },
    )
