"""How fast the original heads fade: targets as functions of the share of a run that is done.

Holds arithmetic on shares alone. Source: docs/algorithm.md, section "Pruning".
"""


def target_sparsity(progress_fraction: float, sparsity_warmup_ratio: float) -> float:
    """Return the share of original heads that should be gone.

    Args:
        share: of the run that is done, from 0.
        ramp_share: share of the run at which all should be gone.

    Returns:
        Rises linearly from 0 to 1.
    """
    return min(1.0, progress_fraction / sparsity_warmup_ratio)


def linear_mask(progress_fraction: float, sparsity_warmup_ratio: float) -> float:
    """Return the deterministic mask z(t) that all heads share.

    Args:
        share: of the run that is done, from 0.
        ramp_share: share of the run at which it is 0.

    Returns:
        Falls linearly from 1 to 0.
    """
    return 1.0 - target_sparsity(progress_fraction, sparsity_warmup_ratio)
