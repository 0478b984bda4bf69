"""Merging by the mean of each group.

Source: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints",
EMNLP 2023.
"""

import torch

from gqa_compress.heads.grams import HeadGrams
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs


def merge_mean(
    heads: HeadProjections, grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge each group into the mean of its key and value projections; Gram matrices are not used."""
    del grams, pairs
    return average_groups(heads.group_by(groups))


def average_groups(grouped: HeadProjections) -> HeadProjections:
    """Return the mean keys and values of projections (G, M, ...), shared by the group's query heads."""
    return HeadProjections(
        w_q=grouped.w_q.flatten(1, 2),
        w_k=grouped.w_k.mean(1),
        w_v=grouped.w_v.mean(1),
        w_o=grouped.w_o.flatten(1, 2),
    )
