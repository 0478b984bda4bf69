"""The two ends of a model: tokens to first states, last states to logits.

Holds a model of one layer whose layer is replaced by a catcher or a replayer, so transformers' own code embeds,
scales and normalises. Runs no decoder layer.
"""

import copy
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.initialization import no_init_weights

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion.layer_runner import HiddenStates
from gqa_compress.text.calibration import TokenBatch


class _StopForward(Exception):  # noqa: N818  control flow, never seen outside
    pass


class _LayerStub(torch.nn.Module):
    """Stands where the layers were: catches what they are called with, or returns states it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.caught: HiddenStates | None = None
        self.replayed: torch.Tensor | None = None

    def forward(self, hidden_states: torch.Tensor, **call: Any) -> torch.Tensor:
        if self.replayed is not None:
            return self.replayed
        self.caught = HiddenStates(hidden_states, torch.empty(0), call)
        raise _StopForward


class EmbeddingAndHead:
    """Embedding, last norm and output matrix of a checkpoint.

    Args:
        checkpoint: of the model.
        config: its configuration with the attention to use.
        device: where to run.
    """

    def __init__(self, checkpoint: Checkpoint, config: Any, device: torch.device) -> None:
        config = copy.deepcopy(config)
        config.num_hidden_layers = 1
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:1]
        with no_init_weights():
            self.model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        tensors = checkpoint.read(checkpoint.outside())
        weights = {name: tensor.to(device, torch.float32) for name, tensor in tensors.items()}
        self.model.load_state_dict(weights, strict=False, assign=True)
        self.model.tie_weights()
        self.stand = _LayerStub()
        self.model.model.layers = torch.nn.ModuleList([self.stand])
        self.model.to(device).eval().requires_grad_(requires_grad=False)
        self.device = device

    def embed(self, batch: TokenBatch) -> HiddenStates:
        """Embed a batch.

        Args:
            batch: of tokens.

        Returns:
            The stream at the input of the first layer, and what layers are called with.
        """
        self.stand.replayed = None
        try:
            self.model(input_ids=batch.input_ids.to(self.device), use_cache=False)
        except _StopForward:
            states = self.stand.caught
        assert states is not None  # noqa: S101  the stand has been called
        states.mask = batch.mask.to(self.device)
        return states

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Turn last states into logits.

        Args:
            hidden: (B, T, C) stream after the last layer; gradients reach it.

        Returns:
            (B, T, V).
        """
        self.stand.replayed = hidden
        logits: torch.Tensor = self.model(inputs_embeds=hidden, use_cache=False).logits
        return logits

    @torch.no_grad()
    def log_probabilities(self, hidden: torch.Tensor, batch: TokenBatch) -> torch.Tensor:
        """Turn last states into the log-probabilities of each next token.

        Args:
            hidden: (B, T, C) stream after the last layer.
            batch: the tokens.

        Returns:
            (n, V) for every token that has a next one in its sequence.
        """
        has_next = batch.mask[:, 1:].to(self.device)
        return torch.log_softmax(self.logits(hidden)[:, :-1][has_next].float(), dim=-1)
