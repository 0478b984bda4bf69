"""Methods that merge each group of KV heads into one: same signature, looked up by name."""

from collections.abc import Callable, Mapping

import torch

from gqa_compress.heads.grams import HeadGrams
from gqa_compress.heads.merging.aligned import merge_aligned
from gqa_compress.heads.merging.mean import merge_mean
from gqa_compress.heads.merging.weighted import merge_weighted
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs

MergeMethod = Callable[[HeadProjections, HeadGrams, RotaryPairs, torch.Tensor], HeadProjections]
"""From K heads, their Gram matrices and rotary pairs, and groups (G, M), to G heads with M·R query heads each."""

METHODS: Mapping[str, MergeMethod] = {
    "mean": merge_mean,
    "aligned": merge_aligned,
    "weighted": merge_weighted,
}
