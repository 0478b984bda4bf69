"""What the heads of a model have in common, layer by layer.

Holds likeness of heads before and after alignment, and the spectra that merging cuts off. Draws and merges nothing.
Source: docs/algorithm.md, sections "Grouping" and "Weighted merge".
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion.gram import HeadGrams, head_grams
from gqa_compress.conversion.gram_pass import compute_grams
from gqa_compress.heads.grouping import adjacent
from gqa_compress.heads.merging.weighted import key_spectrum, value_spectrum
from gqa_compress.heads.projections import read_heads
from gqa_compress.heads.rope import rotary_pairs
from gqa_compress.heads.similarity import head_similarity

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayerHeads:
    """The heads of one layer.

    Attributes:
        likeness_before: (K, K) mean cosine of keys and of values, as they are.
        likeness_after: (K, K) the same after the best rotation of each pair.
        key_energy: (M,) share of the weighted key energy in each component, mean over groups and planes; the first is
            what one head keeps.
        value_energy: (M·D,) the same of values; the first D are what one head keeps.
    """

    similarity_before_alignment: FloatArray
    similarity_after_alignment: FloatArray
    key_explained_variance: FloatArray
    value_explained_variance: FloatArray


def measure_head_similarity(
    model: Path, text: Path, *, kv_heads: int, tokens: int | None, length: int
) -> list[LayerHeads]:
    """Measure the heads of every layer on a text.

    Args:
        model: checkpoint folder of a supported model.
        text: .txt, or .jsonl with `text`.
        kv_heads: G, for the spectra of adjacent groups.
        tokens: about how many to use; all when None.
        length: most tokens in a sequence.

    Returns:
        One entry a layer.

    Raises:
        InputError: the checkpoint or the text cannot be used.
    """
    checkpoint = Checkpoint(model)
    where, sizes = checkpoint.architecture, checkpoint.geometry
    turning = rotary_pairs(where, sizes)
    groups = torch.tensor(adjacent(sizes.num_kv_heads, kv_heads))
    found = []
    for index, moments in enumerate(
        compute_grams(checkpoint, text, tokens=tokens, length=min(length, sizes.max_length))
    ):
        heads = read_heads(checkpoint.layer(index), where, sizes)
        grams = head_grams(heads, moments)
        after = head_similarity(grams, turning) / 2
        np.fill_diagonal(after, 1)
        found.append(
            LayerHeads(
                similarity_before_alignment=_cosines(grams),
                similarity_after_alignment=after,
                key_explained_variance=key_spectrum(grams, turning, groups).mean((0, 1)).numpy(),
                value_explained_variance=value_spectrum(heads, grams, groups).mean(0).numpy(),
            )
        )
    return found


def _cosines(grams: HeadGrams) -> FloatArray:
    """Return the mean of the cosines between heads' keys and between heads' values."""
    total = torch.zeros(())
    for blocks in (grams.keys, grams.values):
        inner = blocks.diagonal(dim1=1, dim2=3).sum(-1)  # (K, K)
        size = inner.diagonal().clamp_min(torch.finfo(inner.dtype).tiny).sqrt()
        total = total + inner / size[:, None] / size / 2
    cosines: FloatArray = total.numpy()
    return cosines
