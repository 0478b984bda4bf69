"""Merging by the mean of heads that were first brought onto each other.

Source: Jin, Song, Zhou, Qin, "Align Attention Heads Before Merging Them", Findings of EMNLP 2025;
docs/algorithm.md, section "Alignment".
"""

import torch

from gqa_compress.conversion.gram import HeadGrams, grouped_pairs
from gqa_compress.heads.alignment import align_keys, align_values
from gqa_compress.heads.merging.mean import averaged
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs, as_complex, as_real, complex_gram


def merge_aligned(
    heads: HeadProjections, grams: HeadGrams, where: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge each group into the mean of its aligned heads.

    Args:
        heads: of K key-value heads.
        grams: of their keys and values.
        where: their rotary planes.
        groups: (G, M).

    Returns:
        Heads of G key-value heads.
    """
    return averaged(align(heads, grams, where, groups))


def align(
    heads: HeadProjections, grams: HeadGrams, where: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Turn the heads of each group onto their mean; the model computes the same as before.

    Args:
        heads: of K key-value heads.
        grams: of their keys and values.
        where: their rotary planes.
        groups: (G, M).

    Returns:
        Projections as (G, M, ...).
    """
    grouped = heads.group_by(groups)
    keys = grouped_pairs(grams.keys, groups)
    turns = align_keys(complex_gram(keys, where)).transpose(1, 2)  # (G, M, P)
    maps = align_values(grouped_pairs(grams.values, groups))  # (G, M, D, D)
    still = align_values(keys[:, :, where.unrotated][..., where.unrotated])  # (G, M, E, E)
    return HeadProjections(
        w_q=as_real(
            as_complex(grouped.w_q, where) * turns[:, :, None, :, None],
            torch.einsum("gmed,gmrec->gmrdc", still, grouped.w_q[..., where.unrotated, :]),
            where,
        ),
        w_k=as_real(
            as_complex(grouped.w_k, where) * turns[..., None],
            still.transpose(-1, -2) @ grouped.w_k[..., where.unrotated, :],
            where,
        ),
        w_v=maps.transpose(-1, -2) @ grouped.w_v,
        w_o=torch.einsum("gmed,gmrec->gmrdc", maps, grouped.w_o),
    )
