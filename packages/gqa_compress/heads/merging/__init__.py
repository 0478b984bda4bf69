"""Ways to make one key-value head out of a group, all with the same signature, by name."""

from collections.abc import Mapping
from typing import Protocol

import torch

from gqa_compress.conversion.config import Method
from gqa_compress.conversion.gram import HeadGrams
from gqa_compress.heads.merging.aligned import merge_aligned
from gqa_compress.heads.merging.mean import merge_mean
from gqa_compress.heads.merging.weighted import merge_weighted
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs


class Merge(Protocol):
    """A way to merge: the heads, what the tokens say of them, their rotary planes, the groups (G, M)."""

    def __call__(
        self, heads: HeadProjections, grams: HeadGrams, where: RotaryPairs, groups: torch.Tensor
    ) -> HeadProjections:
        """Return heads with G in place of K and M·R in place of R."""
        ...


METHODS: Mapping[Method, Merge] = {"mean": merge_mean, "aligned": merge_aligned, "weighted": merge_weighted}
