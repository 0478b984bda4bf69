"""A model with original and merged KV heads, mixed by masks, from which the original heads can be removed.

Source: docs/algorithm.md, section "Pruning".
"""

from typing import Any

import torch

from gqa_compress.checkpoint.architectures import SUPPORTED, attention_dims
from gqa_compress.pruning.initialization import LayerInit
from gqa_compress.pruning.masks import HeadMasks

MASKS = "head_masks"


class MixedProjection(torch.nn.Module):
    """Computes z·original(x) + (1 − z)·merged(x) per head, before rotation.

    Args:
        original: projection of the K original heads; the heads of a group are adjacent.
        merged: projection of the G merged heads.
        heads: K.
    """

    def __init__(self, original: torch.nn.Linear, merged: torch.nn.Linear, heads: int) -> None:
        super().__init__()
        self.original = original
        self.merged = merged
        self.heads = heads
        self.z = torch.ones(heads)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Project (..., C) to (..., K·D)."""
        size = self.original.out_features // self.heads
        merged = self.merged(x).unflatten(-1, (-1, 1, size))  # (..., G, 1, D)
        members = self.heads * size // self.merged.out_features
        merged = merged.expand(*merged.shape[:-2], members, size).flatten(-3, -2)  # (..., K, D)
        if not self.z.requires_grad and not self.z.any():
            only_merged: torch.Tensor = merged.flatten(-2)
            return only_merged
        z = self.z[:, None].to(x.device, merged.dtype)
        mixed: torch.Tensor = z * self.original(x).unflatten(-1, (self.heads, size)) + (1 - z) * merged
        return mixed.flatten(-2)


class MixedHeadModel:
    """A model with original and merged heads.

    Args:
        model: a model of a supported type; changed in place.
        init: initial weights of each layer.
        masks: masks of all layers; part of the model until the original heads are removed.
        kv_heads: G.
    """

    def __init__(self, model: Any, init: list[LayerInit], masks: HeadMasks, kv_heads: int) -> None:
        self.model = model
        self.masks = masks
        self.kv_heads = kv_heads
        self.arch = SUPPORTED[model.config.model_type]
        self.mixed: list[tuple[MixedProjection, MixedProjection]] = []
        heads = attention_dims(model.config).num_kv_heads
        for layer, layer_init in zip(model.model.layers, init, strict=True):
            layer.load_state_dict(layer_init.original, strict=False)
            pair = [
                _mixed(layer, name, layer_init.merged[name], heads) for name in (self.arch.k, self.arch.v)
            ]
            self.mixed.append((pair[0], pair[1]))
        setattr(model, MASKS, masks)

    @property
    def merged_parameters(self) -> set[int]:
        """Return the `id` of each weight of the merged heads; sharding replaces weights."""
        return {
            id(parameter)
            for pair in self.mixed
            for projection in pair
            for parameter in projection.merged.parameters()
        }

    def set_masks(self, z: torch.Tensor) -> None:
        """Use these masks, (L, K), from now on."""
        for pair, row in zip(self.mixed, z, strict=True):
            for projection in pair:
                projection.z = row

    def remove_original_heads(self) -> None:
        """Remove the original heads, which leaves a standard model with G KV heads."""
        heads = attention_dims(self.model.config).num_heads
        for layer, pair in zip(self.model.model.layers, self.mixed, strict=True):
            for name, projection in zip((self.arch.k, self.arch.v), pair, strict=True):
                layer.set_submodule(name, projection.merged)
            attention: Any = layer.get_submodule(self.arch.attention)
            attention.num_key_value_groups = heads // self.kv_heads
            if hasattr(attention, "num_key_value_heads"):  # StableLM reshapes by it
                attention.num_key_value_heads = self.kv_heads
        self.model.config.num_key_value_heads = self.kv_heads
        delattr(self.model, MASKS)


def _mixed(
    layer: torch.nn.Module, name: str, weights: dict[str, torch.Tensor], heads: int
) -> MixedProjection:
    original = layer.get_submodule(name)
    assert isinstance(original, torch.nn.Linear)  # noqa: S101  supported types have no other projections
    rows, width = weights["weight"].shape
    merged = torch.nn.Linear(width, rows, bias="bias" in weights, device=original.weight.device)
    merged.load_state_dict(weights)
    mixed = MixedProjection(original, merged, heads)
    layer.set_submodule(name, mixed)
    return mixed
