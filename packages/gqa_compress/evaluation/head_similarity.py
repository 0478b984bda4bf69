"""Similarity of a model's KV heads before and after alignment, and the spectra that merging truncates.

Source: docs/algorithm.md, sections "Grouping" and "Weighted merge".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion.gram_pass import compute_grams
from gqa_compress.heads.grams import HeadGrams, head_grams
from gqa_compress.heads.grouping import adjacent, head_similarity
from gqa_compress.heads.merging.weighted import key_spectrum, value_spectrum
from gqa_compress.heads.projections import read_heads
from gqa_compress.heads.rope import rotary_pairs

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayerHeads:
    """The heads of one layer.

    Attributes:
        similarity_before_alignment: (K, K) mean cosine similarity of keys and of values.
        similarity_after_alignment: (K, K) the same after the best rotation of each pair of heads.
        key_explained_variance: (M,) explained variance ratio of each weighted key component, mean over groups and
            rotary pairs; a merged head keeps the first.
        value_explained_variance: (M·D,) the same of values; a merged head keeps the first D.
    """

    similarity_before_alignment: FloatArray
    similarity_after_alignment: FloatArray
    key_explained_variance: FloatArray
    value_explained_variance: FloatArray


def measure_head_similarity(
    model: Path, text: Path, *, kv_heads: int, tokens: int | None, max_length: int
) -> list[LayerHeads]:
    """Measure the heads of every layer on a text.

    Args:
        model: checkpoint folder of a supported model.
        text: .txt, or .jsonl with `text`.
        kv_heads: G, for the spectra of adjacent groups.
        tokens: approximate number of tokens; all if None.
        max_length: maximum number of tokens in a sequence.

    Returns:
        One entry per layer.

    Raises:
        InputError: the checkpoint or the text cannot be used.
    """
    checkpoint = Checkpoint(model)
    arch, dims = checkpoint.arch, checkpoint.dims
    pairs = rotary_pairs(arch, dims)
    groups = torch.tensor(adjacent(dims.num_kv_heads, kv_heads))
    found = []
    for index, moments in enumerate(compute_grams(checkpoint, text, tokens=tokens, max_length=max_length)):
        heads = read_heads(checkpoint.layer(index), arch, dims)
        grams = head_grams(heads, moments)
        after = head_similarity(grams, pairs) / 2
        np.fill_diagonal(after, 1)
        found.append(
            LayerHeads(
                similarity_before_alignment=_cosines(grams),
                similarity_after_alignment=after,
                key_explained_variance=key_spectrum(grams, pairs, groups).mean((0, 1)).numpy(),
                value_explained_variance=value_spectrum(heads, grams, groups).mean(0).numpy(),
            )
        )
    return found


def _cosines(grams: HeadGrams) -> FloatArray:
    """Return the mean of the cosine similarities of keys and of values."""
    total = torch.zeros(())
    for blocks in (grams.keys, grams.values):
        inner = blocks.diagonal(dim1=1, dim2=3).sum(-1)  # (K, K)
        size = inner.diagonal().clamp_min(torch.finfo(inner.dtype).tiny).sqrt()
        total = total + inner / size[:, None] / size / 2
    cosines: FloatArray = total.numpy()
    return cosines
