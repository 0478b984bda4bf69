"""Merging by weighted principal components of each group's keys and values.

Keys: a complex factor per head and rotary pair can be folded into the query, so the best single key of a group is a top
eigenvector. Values: any matrix per head can be folded into the output projection, so the best single value is a
weighted principal subspace. Source: docs/algorithm.md, section "Weighted merge".
"""

import torch

from gqa_compress.heads.grams import HeadGrams, grouped_pairs
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs, as_complex, as_real, complex_gram

# Lower bound of a direction's weight, relative to the mean weight: the metric must be invertible.
FLOOR = 1e-6


def merge_weighted(
    heads: HeadProjections, grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge each group into the key and value that best predict those of its heads."""
    grouped = heads.group_by(groups)
    keys, queries = grouped_pairs(grams.keys, groups), grams.queries[groups]  # (G, M, D, M, D), (G, M, D, D)
    encode_k, decode_k = top_key_component(complex_gram(keys, pairs), _pair_energy(queries, pairs))
    encode_e, decode_e = principal_value_subspace(
        keys[:, :, pairs.unrotated][..., pairs.unrotated],
        queries[..., pairs.unrotated, :][..., pairs.unrotated],
    )
    metric = torch.einsum("gmrdc,gmrec->gmde", grouped.w_o, grouped.w_o)
    encode_v, decode_v = principal_value_subspace(grouped_pairs(grams.values, groups), metric)
    w_q = as_real(
        as_complex(grouped.w_q, pairs) * decode_k.conj()[:, :, None, :, None],
        torch.einsum("gmde,gmrec->gmrdc", decode_e, grouped.w_q[..., pairs.unrotated, :]),
        pairs,
    )
    w_k = as_real(
        (as_complex(grouped.w_k, pairs) * encode_k[..., None]).sum(1),
        torch.einsum("gmed,gmec->gdc", encode_e, grouped.w_k[..., pairs.unrotated, :]),
        pairs,
    )
    return HeadProjections(
        w_q=w_q.flatten(1, 2),
        w_k=w_k,
        w_v=torch.einsum("gmed,gmec->gdc", encode_v, grouped.w_v),
        w_o=torch.einsum("gmde,gmrec->gmrdc", decode_v, grouped.w_o).flatten(1, 2),
    )


def top_key_component(blocks: torch.Tensor, energy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute, per rotary pair, the key that best predicts the keys of a group.

    Args:
        blocks: (G, P, M, M) complex, Σ conj(z_i) z_j.
        energy: (G, M, P), query energy of each head in the pair.

    Returns:
        encode (G, M, P), with κ = Σ_j encode_j z_j, and decode (G, M, P), with z_j ≈ decode_j κ. κ has the root mean
        square of the group's keys.
    """
    weight = _floored(energy.transpose(1, 2), dim=-1).sqrt()  # (G, P, M)
    scaled = weight[..., :, None] * blocks * weight[..., None, :]
    value, vector = torch.linalg.eigh(scaled)
    top = vector[..., -1]  # (G, P, M), blocks·u = λu, so Σ conj(z_i) z_j u_j
    mean_energy = blocks.diagonal(dim1=-2, dim2=-1).real.mean(-1)  # (G, P)
    scale = (mean_energy / value[..., -1].clamp_min(torch.finfo(value.dtype).tiny)).sqrt()[..., None]
    encode, decode = top * weight * scale, _divided(top.conj() / weight, scale)
    return encode.transpose(1, 2), decode.transpose(1, 2)


def principal_value_subspace(blocks: torch.Tensor, metric: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the D dimensions that best predict the M·D dimensions of a group.

    Args:
        blocks: (G, M, D, M, D), Σ v_i v_jᵀ.
        metric: (G, M, D, D), weights of errors in each head's dimensions.

    Returns:
        encode (G, M, D, D), with u = Σ_j v_j encode_j, and decode (G, M, D, D), with v_j ≈ u decode_j.
    """
    groups, members, size = blocks.shape[:3]
    outward, inward = _roots(metric)
    flat = _scaled(blocks, outward)
    top = torch.linalg.eigh(flat)[1][..., members * size - size :].reshape(groups, members, size, size)
    encode, decode = outward @ top, top.mT @ inward
    made = torch.einsum("gmde,gmdnf,gnfe->g", encode, blocks, encode)
    had = blocks.diagonal(dim1=1, dim2=3).diagonal(dim1=1, dim2=2).sum((1, 2)) / members
    scale = (had / made.clamp_min(torch.finfo(made.dtype).tiny)).sqrt()[:, None, None, None]
    return encode * scale, _divided(decode, scale)


def key_spectrum(grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor) -> torch.Tensor:
    """Compute the explained variance ratio of each weighted key component, largest first.

    Args:
        grams: Gram matrices of keys and queries.
        pairs: rotary pairs of a head.
        groups: (G, M) heads of each group.

    Returns:
        (G, P, M); a merged head keeps the first component.
    """
    energy = _pair_energy(grams.queries[groups], pairs)
    weight = _floored(energy.transpose(1, 2), dim=-1).sqrt()
    blocks = complex_gram(grouped_pairs(grams.keys, groups), pairs)
    return _ratios(torch.linalg.eigvalsh(weight[..., :, None] * blocks * weight[..., None, :]))


def value_spectrum(heads: HeadProjections, grams: HeadGrams, groups: torch.Tensor) -> torch.Tensor:
    """Compute the explained variance ratio of each weighted value direction, largest first.

    Args:
        heads: projections of K heads.
        grams: Gram matrices of their values.
        groups: (G, M) heads of each group.

    Returns:
        (G, M·D); a merged head keeps the first D directions.
    """
    w_o = heads.w_o[groups]
    outward, _ = _roots(torch.einsum("gmrdc,gmrec->gmde", w_o, w_o))
    return _ratios(torch.linalg.eigvalsh(_scaled(grouped_pairs(grams.values, groups), outward)))


def _ratios(rising: torch.Tensor) -> torch.Tensor:
    falling = rising.clamp_min(0).flip(-1)
    return falling / falling.sum(-1, keepdim=True).clamp_min(torch.finfo(falling.dtype).tiny)


def _roots(metric: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the symmetric root of a metric (..., D, D) and its inverse."""
    value, vector = torch.linalg.eigh(metric)
    root = _floored(value, dim=-1).sqrt()[..., None, :]
    return vector * root @ vector.mT, vector / root @ vector.mT


def _scaled(blocks: torch.Tensor, outward: torch.Tensor) -> torch.Tensor:
    """Return the (G, M·D, M·D) Gram matrix of values multiplied by the root of the metric."""
    scaled = torch.einsum("gmde,gmenf,gnfh->gmdnh", outward, blocks, outward)
    return scaled.flatten(3, 4).flatten(1, 2)


def _pair_energy(queries: torch.Tensor, pairs: RotaryPairs) -> torch.Tensor:
    energy = queries.diagonal(dim1=-2, dim2=-1)
    return energy[..., pairs.real] + energy[..., pairs.imaginary]


def _divided(decode: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Divide by the scale; 0 where it is zero, because dead heads predict nothing."""
    alive = scale > 0
    return torch.where(alive, decode / torch.where(alive, scale, 1.0), 0.0)


def _floored(weights: torch.Tensor, dim: int) -> torch.Tensor:
    floor = FLOOR * weights.mean(dim, keepdim=True)
    return weights.clamp_min(0).maximum(floor).clamp_min(torch.finfo(weights.dtype).tiny)
