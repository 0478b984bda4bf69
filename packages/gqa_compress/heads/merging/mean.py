"""Merging by a plain mean of each group.

Source: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints",
EMNLP 2023.
"""

import torch

from gqa_compress.conversion.gram import HeadGrams
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs


def merge_mean(
    heads: HeadProjections, grams: HeadGrams, where: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge each group into the mean of its key and value projections.

    Args:
        heads: of K key-value heads.
        grams: unused.
        where: unused.
        groups: (G, M).

    Returns:
        Heads of G key-value heads.
    """
    del grams, where
    return averaged(heads.group_by(groups))


def averaged(grouped: HeadProjections) -> HeadProjections:
    """Average keys and values over each group and let its query heads share them.

    Args:
        grouped: projections as (G, M, ...).

    Returns:
        Heads of G key-value heads.
    """
    return HeadProjections(
        w_q=grouped.w_q.flatten(1, 2),
        w_k=grouped.w_k.mean(1),
        w_v=grouped.w_v.mean(1),
        w_o=grouped.w_o.flatten(1, 2),
    )
