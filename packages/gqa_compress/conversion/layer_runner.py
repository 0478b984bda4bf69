"""One decoder layer at a time, run by transformers' own code on states kept in memory.

Holds how a layer is made from its tensors and what is seen on the way through. Fits and changes nothing.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from gqa_compress.checkpoint.architectures import Architecture
from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.errors import CheckpointError
from gqa_compress.training import attention

# Old checkpoints hold the rotary frequencies of every layer; they are computed nowadays.
OLD_BUFFER = "rotary_emb.inv_freq"


@dataclass
class HiddenStates:
    """The residual stream of one batch between two layers.

    Attributes:
        hidden: (B, T, C).
        mask: (B, T), False where padded.
        call: what every layer is called with besides, for instance rotary factors.
    """

    hidden: torch.Tensor
    mask: torch.Tensor
    call: dict[str, Any] = field(default_factory=dict)

    def with_hidden(self, hidden: torch.Tensor) -> "HiddenStates":
        """Return the same batch with another stream."""
        return HiddenStates(hidden, self.mask, self.call)


@dataclass
class LayerActivations:
    """What passed through a layer.

    Attributes:
        x: (B, T, C) input of the projections.
        z: (B, T, H·D) heads' outputs, input of the output projection.
        attended: (B, T, C) what attention adds to the stream.
        u: (B, T, I) input of the MLP's down projection.
        added: (B, T, C) what the MLP adds to the stream.
    """

    attention_input: torch.Tensor
    o_proj_input: torch.Tensor
    attention_output: torch.Tensor
    down_proj_input: torch.Tensor
    mlp_output: torch.Tensor


class LayerFactory:
    """Makes decoder layers of one model without loading the whole of it.

    Args:
        checkpoint: of the model.
        device: where layers run.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        attention.register()
        self.checkpoint = checkpoint
        self.device = device
        self.config = copy.deepcopy(checkpoint.config)
        self.config._attn_implementation = attention.NAME if device.type == "cpu" else "sdpa"

    def layer(self, tensors: dict[str, torch.Tensor], *, kv_heads: int) -> torch.nn.Module:
        """Make a decoder layer in fp32.

        Args:
            tensors: named relative to the layer.
            kv_heads: key-value heads that the tensors have.

        Returns:
            The layer in evaluation mode.
        """
        config = copy.deepcopy(self.config)
        config.num_key_value_heads = kv_heads
        with torch.device("meta"):
            layer: torch.nn.Module = self._layer_class()(config, layer_idx=0)
        weights = {
            name: tensor.to(self.device, torch.float32, copy=True)
            for name, tensor in tensors.items()
            if not name.endswith(OLD_BUFFER)
        }
        try:
            layer.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            folder = self.checkpoint.folder
            raise CheckpointError(f"a layer of {folder} does not fit its config.json: {error}") from error
        return layer.eval().requires_grad_(requires_grad=False)

    def _layer_class(self) -> Any:
        config = copy.deepcopy(self.config)
        config.num_hidden_layers = 1
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:1]
        with torch.device("meta"):
            return type(AutoModelForCausalLM.from_config(config).model.layers[0])  # type: ignore[no-untyped-call]


@contextmanager
def capture_activations(layer: torch.nn.Module, where: Architecture) -> Iterator[dict[str, torch.Tensor]]:
    """Watch what passes through a layer.

    Args:
        layer: a decoder layer.
        where: names of its projections.

    Yields:
        A mapping that holds the fields of `Seen` after each run.
    """
    seen: dict[str, torch.Tensor] = {}

    def entering(name: str) -> Any:
        return lambda _, arguments: seen.__setitem__(name, arguments[0])

    def leaving(name: str) -> Any:
        return lambda _, __, output: seen.__setitem__(name, output)

    output, down = layer.get_submodule(where.o), layer.get_submodule(where.down)
    handles = [
        layer.get_submodule(where.q).register_forward_pre_hook(entering("x")),
        output.register_forward_pre_hook(entering("z")),
        output.register_forward_hook(leaving("attended")),
        down.register_forward_pre_hook(entering("u")),
        down.register_forward_hook(leaving("added")),
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def forward_layer(layer: torch.nn.Module, states: HiddenStates) -> torch.Tensor:
    """Return the stream after a layer, with gradients.

    Args:
        layer: a decoder layer.
        states: the stream before it.

    Returns:
        (B, T, C).
    """
    after = layer(states.hidden, **states.call)
    stream: torch.Tensor = after[0] if isinstance(after, tuple) else after
    return stream


@torch.no_grad()
def run_and_capture(
    layer: torch.nn.Module, where: Architecture, states: HiddenStates
) -> tuple[torch.Tensor, LayerActivations]:
    """Run one batch through a layer.

    Args:
        layer: a decoder layer.
        where: names of its projections.
        states: the stream before it.

    Returns:
        The stream after it, (B, T, C), and what was seen on the way.
    """
    with capture_activations(layer, where) as seen:
        after = forward_layer(layer, states)
        return after, LayerActivations(**seen)
