"""Float64 views of one layer's attention projections by KV head, and the way back to the checkpoint's matrices.

Dimension key: C hidden size, K KV heads, R query heads per KV head, D head dimension, G KV heads kept, M = K/G heads
merged into one. Source: docs/algorithm.md, (4), (15), (16).
"""

from dataclasses import dataclass

import torch

from gqa_compress.checkpoint.architectures import Architecture, AttentionDims


@dataclass(frozen=True)
class HeadProjections:
    """Query, key, value and output projections by KV head; biases are the last column.

    Attributes:
        w_q: (K, R, D, C + 1).
        w_k: (K, D, C + 1).
        w_v: (K, D, C + 1).
        w_o: (K, R, D, C), what each dimension of a head adds to the residual stream.
    """

    w_q: torch.Tensor
    w_k: torch.Tensor
    w_v: torch.Tensor
    w_o: torch.Tensor

    def group_by(self, groups: torch.Tensor) -> "HeadProjections":
        """Return the projections as (G, M, ...), given the KV heads of each group, (G, M)."""
        return HeadProjections(self.w_q[groups], self.w_k[groups], self.w_v[groups], self.w_o[groups])


def read_heads(layer: dict[str, torch.Tensor], arch: Architecture, dims: AttentionDims) -> HeadProjections:
    """Copy a layer's projections to float64 by head.

    Args:
        layer: the layer's tensors, named relative to the layer.
        arch: names of the projections.
        dims: sizes of the model.

    Returns:
        The projections of K heads.
    """

    def augmented(name: str) -> torch.Tensor:
        weight = layer[f"{name}.weight"].double()
        bias = layer.get(f"{name}.bias")
        column = weight.new_zeros(len(weight)) if bias is None else bias.double()
        return torch.cat([weight, column[:, None]], dim=1)

    kv_heads, ratio, size = dims.num_kv_heads, dims.num_heads // dims.num_kv_heads, dims.head_dim
    return HeadProjections(
        w_q=augmented(arch.q).view(kv_heads, ratio, size, -1),
        w_k=augmented(arch.k).view(kv_heads, size, -1),
        w_v=augmented(arch.v).view(kv_heads, size, -1),
        w_o=layer[f"{arch.o}.weight"].double().t().reshape(kv_heads, ratio, size, -1),
    )


def write_heads(
    heads: HeadProjections, layer: dict[str, torch.Tensor], arch: Architecture
) -> dict[str, torch.Tensor]:
    """Replace the projections of a layer.

    Args:
        heads: the new projections.
        layer: the layer's tensors; they decide dtypes and which biases there are.
        arch: names of the projections.

    Returns:
        A new mapping with the other tensors unchanged.
    """
    changed = dict(layer)
    width = heads.w_o.shape[-1]
    for name, rows in ((arch.q, heads.w_q), (arch.k, heads.w_k), (arch.v, heads.w_v)):
        flat = rows.reshape(-1, rows.shape[-1])
        dtype = layer[f"{name}.weight"].dtype
        changed[f"{name}.weight"] = flat[:, :-1].to(dtype).contiguous()
        if f"{name}.bias" in layer:
            changed[f"{name}.bias"] = flat[:, -1].to(dtype).contiguous()
    output = f"{arch.o}.weight"
    changed[output] = heads.w_o.reshape(-1, width).t().to(layer[output].dtype).contiguous()
    return changed
