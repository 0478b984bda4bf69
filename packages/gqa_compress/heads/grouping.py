"""Similarity of heads, and equal-sized groups of heads with a high total similarity within groups.

Pairs are matched exactly; larger groups are found by best-swap local search with restarts.
Source: docs/algorithm.md, section "Grouping".
"""

import networkx
import numpy as np
import numpy.typing as npt
import torch

from gqa_compress.heads.grams import HeadGrams
from gqa_compress.heads.rope import RotaryPairs, complex_gram

RESTARTS = 24


def head_similarity(grams: HeadGrams, pairs: RotaryPairs) -> npt.NDArray[np.float64]:
    """Compute the similarity of every two heads after the best rotation of one onto the other.

    Args:
        grams: Gram matrices of the heads' keys and values, which count equally.
        pairs: rotary pairs of a head.

    Returns:
        (K, K) symmetric, from 0 to 2; the diagonal is 0.
    """
    keys = complex_gram(grams.keys, pairs).abs().sum(0)  # (K, K)
    unrotated = grams.keys[:, pairs.unrotated][:, :, :, pairs.unrotated].movedim(2, 1)  # (K, K, E, E)
    score = _normalized(keys + torch.linalg.matrix_norm(unrotated, ord="nuc"))
    score = score + _normalized(torch.linalg.matrix_norm(grams.values.movedim(2, 1), ord="nuc"))
    score.fill_diagonal_(0)
    symmetric: npt.NDArray[np.float64] = ((score + score.t()) / 2).cpu().numpy()
    return symmetric


def _normalized(value: torch.Tensor) -> torch.Tensor:
    energy = value.diagonal().clamp_min(torch.finfo(value.dtype).tiny).sqrt()
    return value / energy[:, None] / energy


def group_heads(
    grams: HeadGrams, pairs: RotaryPairs, groups: int, *, by_similarity: bool, seed: int
) -> list[list[int]]:
    """Divide heads into groups.

    Args:
        grams: Gram matrices of K heads.
        pairs: rotary pairs of a head.
        groups: G, divides K.
        by_similarity: search for similar heads; adjacent heads otherwise.
        seed: seed of the search's restarts.

    Returns:
        G lists of K/G heads.
    """
    heads = len(grams.keys)
    if not by_similarity or groups in {1, heads}:
        return adjacent(heads, groups)
    return search(head_similarity(grams, pairs), groups, seed=seed)


def adjacent(heads: int, groups: int) -> list[list[int]]:
    """Return G lists of K/G adjacent heads."""
    return np.arange(heads).reshape(groups, -1).tolist()


def search(scores: npt.NDArray[np.float64], groups: int, *, seed: int = 0) -> list[list[int]]:
    """Search for groups with a high sum of scores within groups.

    Args:
        scores: (K, K) symmetric with a zero diagonal.
        groups: G, divides K.
        seed: seed of the restarts.

    Returns:
        G lists of K/G heads, sorted; exact when K/G is 2.
    """
    heads = len(scores)
    members = heads // groups
    if members == 2:
        return _pairs(scores)
    generator = np.random.default_rng(seed)
    starts = [np.arange(heads) // members]
    if 1 < groups < heads:
        starts += [generator.permutation(starts[0]) for _ in range(RESTARTS)]
    best = max((_climb(scores, start, groups) for start in starts), key=lambda label: _total(scores, label))
    return sorted(np.flatnonzero(best == group).tolist() for group in range(groups))


def _pairs(scores: npt.NDArray[np.float64]) -> list[list[int]]:
    graph = networkx.from_numpy_array(scores - scores.min() + 1.0)
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    return sorted(sorted(pair) for pair in networkx.max_weight_matching(graph, maxcardinality=True))


def _climb(
    scores: npt.NDArray[np.float64], label: npt.NDArray[np.int64], groups: int
) -> npt.NDArray[np.int64]:
    """Swap the two heads of different groups with the largest gain until no swap has one."""
    label = label.copy()
    while True:
        to_group = scores @ np.eye(groups)[label]  # (K, G)
        own = to_group[np.arange(len(label)), label]  # (K,)
        moved = to_group[:, label] - own[:, None] - scores  # (K, K), what x gains in the group of y
        gain = moved + moved.T
        first, second = np.unravel_index(np.argmax(gain), gain.shape)
        if gain[first, second] <= 1e-12:
            return label
        label[[first, second]] = label[[second, first]]


def _total(scores: npt.NDArray[np.float64], label: npt.NDArray[np.int64]) -> float:
    return float(scores[label[:, None] == label[None, :]].sum())
