"""The projections of one layer, seen by key-value head and in float64.

Holds the views and the way back to the checkpoint's matrices. Dimension key: C hidden size, K key-value heads,
R query heads to each of them, D head size, G kept key-value heads, M = K/G heads merged into one.
Source: docs/algorithm.md, (4), (15), (16).
"""

from dataclasses import dataclass

import torch

from gqa_compress.checkpoint.architectures import Architecture, AttentionDims


@dataclass(frozen=True)
class HeadProjections:
    """Query, key, value and output projections by key-value head; biases are the last column.

    Attributes:
        w_q: (K, R, D, C + 1).
        w_k: (K, D, C + 1).
        w_v: (K, D, C + 1).
        w_o: (K, R, D, C), what each coordinate of a head adds to the residual stream.
    """

    w_q: torch.Tensor
    w_k: torch.Tensor
    w_v: torch.Tensor
    w_o: torch.Tensor

    def group_by(self, groups: torch.Tensor) -> "HeadProjections":
        """Sort the heads into groups.

        Args:
            groups: (G, M) indices of key-value heads.

        Returns:
            The same projections as (G, M, ...).
        """
        return HeadProjections(self.w_q[groups], self.w_k[groups], self.w_v[groups], self.w_o[groups])


def read_heads(layer: dict[str, torch.Tensor], where: Architecture, sizes: AttentionDims) -> HeadProjections:
    """View a layer's projections by head.

    Args:
        layer: its tensors, named relative to the layer.
        where: names of the projections.
        sizes: of the model.

    Returns:
        Float64 copies.
    """

    def augmented(name: str) -> torch.Tensor:
        weight = layer[f"{name}.weight"].double()
        bias = layer.get(f"{name}.bias")
        column = weight.new_zeros(len(weight)) if bias is None else bias.double()
        return torch.cat([weight, column[:, None]], dim=1)

    kv_heads, ratio, size = sizes.num_kv_heads, sizes.num_heads // sizes.num_kv_heads, sizes.head_dim
    return HeadProjections(
        w_q=augmented(where.q).view(kv_heads, ratio, size, -1),
        w_k=augmented(where.k).view(kv_heads, size, -1),
        w_v=augmented(where.v).view(kv_heads, size, -1),
        w_o=layer[f"{where.o}.weight"].double().t().reshape(kv_heads, ratio, size, -1),
    )


def write_heads(
    heads: HeadProjections, layer: dict[str, torch.Tensor], where: Architecture
) -> dict[str, torch.Tensor]:
    """Put projections back into a layer.

    Args:
        heads: the projections.
        layer: the tensors they replace, whose precision they take; its biases decide which biases there are.
        where: names of the projections.

    Returns:
        A new mapping with the other tensors unchanged.
    """
    changed = dict(layer)
    width = heads.w_o.shape[-1]
    for name, rows in ((where.q, heads.w_q), (where.k, heads.w_k), (where.v, heads.w_v)):
        flat = rows.reshape(-1, rows.shape[-1])
        dtype = layer[f"{name}.weight"].dtype
        changed[f"{name}.weight"] = flat[:, :-1].to(dtype).contiguous()
        if f"{name}.bias" in layer:
            changed[f"{name}.bias"] = flat[:, -1].to(dtype).contiguous()
    output = f"{where.o}.weight"
    changed[output] = heads.w_o.reshape(-1, width).t().to(layer[output].dtype).contiguous()
    return changed
