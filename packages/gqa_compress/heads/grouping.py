"""Equal groups of heads that keep most of the pair scores.

Holds exact matching for pairs and best-swap search with restarts for larger groups. Knows nothing of tensors.
Source: docs/algorithm.md, section "Grouping".
"""

import networkx
import numpy as np
import numpy.typing as npt

RESTARTS = 24


def adjacent(heads: int, groups: int) -> list[list[int]]:
    """Group heads in their order.

    Args:
        heads: K.
        groups: G, divides K.

    Returns:
        G lists of K/G heads.
    """
    return np.arange(heads).reshape(groups, -1).tolist()


def search(scores: npt.NDArray[np.float64], groups: int, *, seed: int = 0) -> list[list[int]]:
    """Group heads so that the sum of scores within groups is high.

    Args:
        scores: (K, K) symmetric with a zero diagonal.
        groups: G, divides K.
        seed: of the restarts.

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
    """Swap the best two heads of different groups until no swap gains."""
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
