"""Running parts of a model by transformers' own code: one decoder layer, the embedding, the LM head.

Only the parts in use are in memory; activations of a batch are kept as `HiddenStates`.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.initialization import no_init_weights

from gqa_compress.checkpoint import attention
from gqa_compress.checkpoint.architectures import Architecture
from gqa_compress.checkpoint.files import check_token_ids
from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.errors import CheckpointError
from gqa_compress.text.calibration import TokenBatch

# Old checkpoints store the rotary frequencies of every layer; transformers computes them now.
OLD_BUFFER = "rotary_emb.inv_freq"


@dataclass
class HiddenStates:
    """The residual stream of one batch between two layers.

    Attributes:
        hidden: (B, T, C).
        mask: (B, T), False at padding.
        call: other arguments of every layer, for instance rotary embeddings.
    """

    hidden: torch.Tensor
    mask: torch.Tensor
    call: dict[str, Any] = field(default_factory=dict)

    def with_hidden(self, hidden: torch.Tensor) -> "HiddenStates":
        """Return the same batch with another residual stream."""
        return HiddenStates(hidden, self.mask, self.call)


def token_weights(stream: torch.Tensor) -> torch.Tensor:
    """Compute the weights of tokens in sums of squared errors: the inverse mean square of their residual stream.

    Norms divide what later layers read by that size, so an error counts relative to it. Unweighted, the first token of
    each sequence of a pretrained model, whose stream is a hundred times the others', decides nearly alone.

    Args:
        stream: (..., C) residual stream of the source model.

    Returns:
        (...).
    """
    return 1 / stream.float().square().mean(-1).clamp_min(torch.finfo(torch.float32).eps)


@dataclass
class LayerActivations:
    """Activations inside a layer.

    Attributes:
        attention_input: (B, T, C) input of the query, key and value projections.
        o_proj_input: (B, T, H·D) concatenated outputs of the heads.
        attention_output: (B, T, C) what attention adds to the residual stream.
        down_proj_input: (B, T, I) input of the MLP's down projection.
        mlp_output: (B, T, C) what the MLP adds to the residual stream.
    """

    attention_input: torch.Tensor
    o_proj_input: torch.Tensor
    attention_output: torch.Tensor
    down_proj_input: torch.Tensor
    mlp_output: torch.Tensor


class LayerFactory:
    """Builds decoder layers of a model without loading the rest of it.

    Args:
        checkpoint: the model.
        device: device to run layers on.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        attention.register()
        self.checkpoint = checkpoint
        self.device = device
        self.config = copy.deepcopy(checkpoint.config)
        self.config._attn_implementation = attention.NAME if device.type == "cpu" else "sdpa"

    def layer(self, tensors: dict[str, torch.Tensor], *, kv_heads: int) -> torch.nn.Module:
        """Build a decoder layer in fp32 and evaluation mode.

        Args:
            tensors: its weights, named relative to the layer.
            kv_heads: number of KV heads in `tensors`.

        Returns:
            The layer.

        Raises:
            CheckpointError: the tensors do not fit the configuration.
        """
        config = copy.deepcopy(self.config)
        config.num_key_value_heads = kv_heads
        with torch.device("meta"):
            layer_class = type(AutoModelForCausalLM.from_config(_one_layer(self.config)).model.layers[0])  # type: ignore[no-untyped-call]
            layer: torch.nn.Module = layer_class(config, layer_idx=0)
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


def forward_layer(layer: torch.nn.Module, states: HiddenStates) -> torch.Tensor:
    """Return the residual stream after a layer, (B, T, C), with gradients."""
    after = layer(states.hidden, **states.call)
    hidden: torch.Tensor = after[0] if isinstance(after, tuple) else after
    return hidden


@torch.no_grad()
def run_and_capture(
    layer: torch.nn.Module, arch: Architecture, states: HiddenStates
) -> tuple[torch.Tensor, LayerActivations]:
    """Run one batch through a layer.

    Args:
        layer: a decoder layer.
        arch: names of its projections.
        states: residual stream before the layer.

    Returns:
        The residual stream after the layer, (B, T, C), and the activations inside it.
    """
    captured: dict[str, torch.Tensor] = {}

    def before(name: str) -> Any:
        return lambda _, arguments: captured.__setitem__(name, arguments[0])

    def after(name: str) -> Any:
        return lambda _, __, output: captured.__setitem__(name, output)

    output, down = layer.get_submodule(arch.o), layer.get_submodule(arch.down)
    handles = [
        layer.get_submodule(arch.q).register_forward_pre_hook(before("attention_input")),
        output.register_forward_pre_hook(before("o_proj_input")),
        output.register_forward_hook(after("attention_output")),
        down.register_forward_pre_hook(before("down_proj_input")),
        down.register_forward_hook(after("mlp_output")),
    ]
    try:
        return forward_layer(layer, states), LayerActivations(**captured)
    finally:
        for handle in handles:
            handle.remove()


class EmbeddingAndHead:
    """Embedding, final norm and LM head of a checkpoint: a model whose layers are replaced by a stub.

    Args:
        checkpoint: the model.
        config: its configuration with the attention implementation to use.
        device: device to run on.

    Raises:
        CheckpointError: one of their weights is missing.
    """

    def __init__(self, checkpoint: Checkpoint, config: Any, device: torch.device) -> None:
        with no_init_weights():
            self.model = AutoModelForCausalLM.from_config(_one_layer(config))  # type: ignore[no-untyped-call]
        tensors = checkpoint.read(checkpoint.names_outside_layers())
        weights = {name: tensor.to(device, torch.float32) for name, tensor in tensors.items()}
        missing = self.model.load_state_dict(weights, strict=False, assign=True).missing_keys
        self.model.tie_weights()
        tied = self.model.get_output_embeddings().weight is self.model.get_input_embeddings().weight
        optional = ("model.layers.", *(["lm_head.weight"] if tied else []))
        if absent := [name for name in missing if not name.startswith(optional)]:
            raise CheckpointError(f"{checkpoint.folder} has no tensor {absent[0]}; a shard may be missing")
        self.stub = _LayerStub()
        self.model.model.layers = torch.nn.ModuleList([self.stub])
        self.model.to(device).eval().requires_grad_(requires_grad=False)
        self.device = device

    def embed(self, batch: TokenBatch) -> HiddenStates:
        """Return the residual stream before the first layer, and the other arguments of every layer.

        Raises:
            InputError: the embedding has no row for a token.
        """
        check_token_ids(batch.input_ids, self.model.get_input_embeddings().weight.shape[0])
        self.stub.output = None
        try:
            self.model(input_ids=batch.input_ids.to(self.device), use_cache=False)
        except _StopForward:
            states = self.stub.states
        assert states is not None  # noqa: S101  the stub has been called
        states.mask = batch.mask.to(self.device)
        return states

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits, (B, T, V), of the residual stream after the last layer, (B, T, C), with gradients."""
        self.stub.output = hidden
        logits: torch.Tensor = self.model(inputs_embeds=hidden, use_cache=False).logits
        return logits

    @torch.no_grad()
    def log_probabilities(self, hidden: torch.Tensor, batch: TokenBatch) -> torch.Tensor:
        """Compute the log-probabilities of each next token.

        Args:
            hidden: (B, T, C) residual stream after the last layer.
            batch: the tokens.

        Returns:
            (n, V) for every token that has a next one in its sequence.
        """
        has_next = batch.mask[:, 1:].to(self.device)
        return torch.log_softmax(self.logits(hidden)[:, :-1][has_next].float(), dim=-1)


class _StopForward(Exception):  # noqa: N818  control flow inside this module
    pass


class _LayerStub(torch.nn.Module):
    """Stands in for all layers: stores its input and stops the model, or returns a given output."""

    def __init__(self) -> None:
        super().__init__()
        self.states: HiddenStates | None = None
        self.output: torch.Tensor | None = None

    def forward(self, hidden_states: torch.Tensor, **call: Any) -> torch.Tensor:
        if self.output is not None:
            return self.output
        self.states = HiddenStates(hidden_states, torch.empty(0), call)
        raise _StopForward


def _one_layer(config: Any) -> Any:
    config = copy.deepcopy(config)
    config.num_hidden_layers = 1
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:1]
    return config
