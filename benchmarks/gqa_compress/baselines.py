"""Other projects' ways to make keys and values small, reduced to what a checkpoint with fewer KV heads can hold.

The originals keep parts that need their own attention code: keys without rotation beside rotated ones (TransMLA,
MHA2MLA), or keys that are rebuilt before they are rotated (Palu, CARE). Here a group has one rotated key per rotary
pair and one value, as in grouped-query attention; everything else is theirs. Written from the papers.
"""

from __future__ import annotations

import torch

from gqa_compress.heads.grams import HeadGrams, grouped_pairs
from gqa_compress.heads.merging.weighted import principal_value_subspace, top_key_component
from gqa_compress.heads.projections import HeadProjections
from gqa_compress.heads.rope import RotaryPairs, as_complex, as_real, complex_gram

Codes = tuple[torch.Tensor, torch.Tensor]
"""Encode and decode: the merged key or value from those of the heads, and back."""


def merge_rorope(
    heads: HeadProjections, grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge by TransMLA's rotation across heads.

    Per rotary pair one real orthogonal matrix over the heads gathers the energy of the keys in the first head, which
    stays; the same for real and imaginary parts, so that it commutes with the rotation. Values: principal components.

    Source: Meng et al., "TransMLA: Multi-Head Latent Attention Is All You Need", 2025.
    """
    blocks = complex_gram(grouped_pairs(grams.keys, groups), pairs)  # (G, P, M, M)
    top = torch.linalg.eigh(blocks.real)[1][..., -1]  # (G, P, M)
    members = top.shape[-1]
    encode = (top / members**0.5).transpose(1, 2).to(blocks.dtype)
    decode = (top * members**0.5).transpose(1, 2).to(blocks.dtype)
    return _merged(heads, pairs, groups, (encode, decode), _principal_values(grams.values, groups))


def merge_two_norm(
    heads: HeadProjections, grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge by MHA2MLA's choice: per rotary pair the head with the largest product of the norms of query and key.

    The other heads lose the pair. Values: singular value decomposition of the weights, without data.

    Source: Ji et al., "Towards Economical Inference: Enabling DeepSeek's Multi-Head Latent Attention in Any
    Transformer-based LLMs", ACL 2025.
    """
    keys = grams.keys.diagonal(dim1=1, dim2=3).diagonal(dim1=0, dim2=1).T[groups]  # (G, M, D)
    queries = grams.queries.diagonal(dim1=-2, dim2=-1)[groups]
    energy = [each[..., pairs.real] + each[..., pairs.imaginary] for each in (keys, queries)]  # (G, M, P)
    chosen = (energy[0] * energy[1]).argmax(1, keepdim=True)
    pick = torch.zeros_like(energy[0]).scatter_(1, chosen, 1.0).to(torch.complex128)
    flat = heads.w_v.flatten(0, 1)
    blocks = (flat @ flat.T).view(*heads.w_v.shape[:2], *heads.w_v.shape[:2])
    return _merged(heads, pairs, groups, (pick, pick), _principal_values(blocks, groups))


def merge_low_rank(
    heads: HeadProjections, grams: HeadGrams, pairs: RotaryPairs, groups: torch.Tensor
) -> HeadProjections:
    """Merge by the best low-rank keys and values on calibration data, like the decompositions of Palu and CARE.

    Errors of all heads count alike, whatever reads them. Keys keep rank one per rotary pair, the most that a rotated
    key can share.

    Sources: Chang et al., "Palu: KV-Cache Compression with Low-Rank Projection", ICLR 2025; "CARE: Covariance-Aware and
    Rank-Enhanced Decomposition for Enabling Multi-Head Latent Attention", 2026.
    """
    blocks = complex_gram(grouped_pairs(grams.keys, groups), pairs)
    alike = torch.ones(blocks.shape[0], blocks.shape[-1], blocks.shape[1], dtype=torch.float64)
    return _merged(
        heads, pairs, groups, top_key_component(blocks, alike), _principal_values(grams.values, groups)
    )


BASELINES = {"rorope": merge_rorope, "two_norm": merge_two_norm, "low_rank": merge_low_rank}


def _principal_values(blocks: torch.Tensor, groups: torch.Tensor) -> Codes:
    grouped = grouped_pairs(blocks, groups)
    identity = torch.eye(grouped.shape[2], dtype=grouped.dtype).expand(*groups.shape, -1, -1)
    return principal_value_subspace(grouped, identity)


def _merged(
    heads: HeadProjections, pairs: RotaryPairs, groups: torch.Tensor, keys: Codes, values: Codes
) -> HeadProjections:
    """Fold the codes of keys, (G, M, P), into k and q, and those of values, (G, M, D, D), into v and o."""
    if len(pairs.unrotated):
        raise ValueError("the baselines are written for heads that are rotated as a whole")
    grouped = heads.group_by(groups)
    none = grouped.w_k[..., pairs.unrotated, :]
    return HeadProjections(
        w_q=as_real(
            as_complex(grouped.w_q, pairs) * keys[1].conj()[:, :, None, :, None],
            grouped.w_q[..., pairs.unrotated, :],
            pairs,
        ).flatten(1, 2),
        w_k=as_real((as_complex(grouped.w_k, pairs) * keys[0][..., None]).sum(1), none[:, 0], pairs),
        w_v=torch.einsum("gmed,gmec->gdc", values[0], grouped.w_v),
        w_o=torch.einsum("gmde,gmrec->gmrdc", values[1], grouped.w_o).flatten(1, 2),
    )
