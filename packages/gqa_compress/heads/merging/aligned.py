"""Merging by the mean of aligned heads.

Source: Jin, Song, Zhou, Qin, "Align Attention Heads Before Merging Them", Findings of EMNLP 2025;
docs/algorithm.md, section "Alignment".
"""

import torch

from gqa_compress.heads.alignment import align_keys, align_values
from gqa_compress.heads.grams import HeadGrams, grouped_pairs
from gqa_compress.heads.merging.mean import average_groups
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs, as_complex, as_real, complex_gram


def merge_aligned(
    heads: HeadProjections, grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge each group into the mean of its aligned heads."""
    return average_groups(align(heads, grams, pairs, groups))


def align(
    heads: HeadProjections, grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Align the heads of each group with their mean; the model's output does not change.

    Args:
        heads: projections of K heads.
        grams: Gram matrices of their keys and values.
        pairs: rotary pairs of a head.
        groups: (G, M) heads of each group.

    Returns:
        Projections as (G, M, ...).
    """
    grouped = heads.group_by(groups)
    keys = grouped_pairs(grams.keys, groups)
    rotations = align_keys(complex_gram(keys, pairs)).transpose(1, 2)  # (G, M, P)
    maps = align_values(grouped_pairs(grams.values, groups))  # (G, M, D, D)
    unrotated = align_values(keys[:, :, pairs.unrotated][..., pairs.unrotated])  # (G, M, E, E)
    return HeadProjections(
        w_q=as_real(
            as_complex(grouped.w_q, pairs) * rotations[:, :, None, :, None],
            torch.einsum("gmed,gmrec->gmrdc", unrotated, grouped.w_q[..., pairs.unrotated, :]),
            pairs,
        ),
        w_k=as_real(
            as_complex(grouped.w_k, pairs) * rotations[..., None],
            unrotated.transpose(-1, -2) @ grouped.w_k[..., pairs.unrotated, :],
            pairs,
        ),
        w_v=maps.transpose(-1, -2) @ grouped.w_v,
        w_o=torch.einsum("gmed,gmrec->gmrdc", maps, grouped.w_o),
    )
