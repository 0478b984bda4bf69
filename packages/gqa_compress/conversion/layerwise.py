"""Conversion of one layer after the other, on the residual streams of calibration sequences.

Each layer is merged, distilled and refitted against the source model's residual stream. Source: docs/algorithm.md,
section "Conversion".
"""

import time

import torch

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion.config import ConversionConfig, LayerReport
from gqa_compress.conversion.layer_distillation import (
    Batches,
    LayerDistillationConfig,
    Loss,
    distill_layer_,
    kl_of_logits,
    squared_error,
)
from gqa_compress.conversion.layer_runner import (
    EmbeddingAndHead,
    HiddenStates,
    LayerFactory,
    forward_layer,
    run_and_capture,
    token_weights,
)
from gqa_compress.conversion.ridge import ResidualGram, ridge_update
from gqa_compress.errors import TrainingError
from gqa_compress.heads.grams import InputGram, head_grams
from gqa_compress.heads.grouping import group_heads
from gqa_compress.heads.merging import METHODS
from gqa_compress.heads.projections import read_heads, write_heads
from gqa_compress.heads.rope import rotary_pairs
from gqa_compress.text.calibration import CalibrationText, TokenBatch

# Initial learning rates of layer-wise distillation: of attention, and of the whole last layer (LOG.md).
ATTENTION_LR, LAST_LAYER_LR = 2e-3, 5e-4


class CalibrationStreams:
    """Residual streams of one set of calibration sequences in the source and in the converted model.

    Args:
        batches: tokens.
        states: residual streams before the first layer.
    """

    def __init__(self, batches: list[TokenBatch], states: list[HiddenStates]) -> None:
        self.batches = batches
        self.source = states
        self.converted = list(states)
        self.after_attention: list[torch.Tensor] = []
        self.after_layer: list[torch.Tensor] = []

    def advance(self, converted: list[torch.Tensor]) -> None:
        """Continue with the next layer, given the streams after the converted layer."""
        self.source = [s.with_hidden(h) for s, h in zip(self.source, self.after_layer, strict=True)]
        self.converted = [s.with_hidden(h) for s, h in zip(self.converted, converted, strict=True)]
        self.after_attention, self.after_layer = [], []


class LayerwiseConverter:
    """Converts a checkpoint layer by layer.

    Args:
        checkpoint: source model.
        config: how to convert it.
        text: calibration text.
        device: device to compute on.
        grams: Gram matrix of each layer's input, used for merging. Computed from `text` if None.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        config: ConversionConfig,
        text: CalibrationText,
        device: torch.device,
        grams: list[torch.Tensor] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.config = config
        self.device = device
        self.grams = grams
        self.arch = checkpoint.arch
        self.dims = checkpoint.dims
        self.pairs = rotary_pairs(self.arch, self.dims)
        self.factory = LayerFactory(checkpoint, device)
        ends = EmbeddingAndHead(checkpoint, self.factory.config, device)
        self.fit = CalibrationStreams(text.fit, [ends.embed(batch) for batch in text.fit])
        self.held_out = CalibrationStreams(text.held_out, [ends.embed(batch) for batch in text.held_out])

    def convert_layer(self, index: int) -> tuple[dict[str, torch.Tensor], LayerReport]:
        """Convert the next layer.

        Args:
            index: layer, counted from 0; layers must come in order.

        Returns:
            Its new tensors, named relative to the layer, and its report.

        Raises:
            TrainingError: a converted weight is not finite in the checkpoint's data type.
        """
        begun = time.monotonic()
        tensors = {name: tensor.to(self.device) for name, tensor in self.checkpoint.layer(index).items()}
        moments = self._run_source(self.factory.layer(tensors, kv_heads=self.dims.num_kv_heads))
        if self.grams is not None:
            moments = self.grams[index].to(self.device)
        layer, groups = self._merge(tensors, moments)
        distils = self.config.distill_steps_per_layer > 0 and self.config.kv_heads < self.dims.num_kv_heads
        best_steps = {"attention": self._distil_attention(layer)} if distils else {}
        ridge_lambda = self._refit(layer)
        if distils and index == self.dims.layers - 1:
            best_steps["layer"] = self._distil_last_layer(layer)
        changed = dict(layer.named_parameters())
        for name, parameter in changed.items():  # later layers see the weights as they are written
            parameter.copy_(parameter.to(tensors[name].dtype))
        attention_error, residual_error = self._advance(layer)
        new = {name: changed.get(name, tensor).to(tensor.dtype) for name, tensor in tensors.items()}
        if broken := [name for name, tensor in new.items() if not torch.isfinite(tensor).all()]:
            raise TrainingError(
                f"converting layer {index} gives values of {broken[0]} that are not finite in "
                f"{self.dims.dtype}; is the calibration text like what the model was trained on?"
            )
        return new, LayerReport(
            layer=index,
            groups=groups,
            attention_relative_error=attention_error,
            residual_relative_error=residual_error,
            ridge_lambda=ridge_lambda,
            best_distill_step=best_steps,
            seconds=round(time.monotonic() - begun, 3),
        )

    def take_over_layer(self, index: int, tensors: dict[str, torch.Tensor]) -> None:
        """Continue after a layer that was converted before.

        Args:
            index: layer, counted from 0; layers must come in order.
            tensors: its new tensors, named relative to the layer.
        """
        source = {name: tensor.to(self.device) for name, tensor in self.checkpoint.layer(index).items()}
        self._run_source(self.factory.layer(source, kv_heads=self.dims.num_kv_heads))
        self._advance(self.factory.layer(tensors, kv_heads=self.config.kv_heads))

    def _run_source(self, layer: torch.nn.Module) -> torch.Tensor:
        """Run the source layer on its own streams and keep the targets; return the Gram matrix of its input."""
        gram = InputGram(self.dims.hidden_size, self.device)
        for part in (self.fit, self.held_out):
            for states in part.source:
                after, activations = run_and_capture(layer, self.arch, states)
                part.after_attention.append(states.hidden + activations.attention_output)
                part.after_layer.append(after)
                if part is self.fit:
                    gram.add(activations.attention_input[states.mask])
        return gram.moments

    def _merge(
        self, tensors: dict[str, torch.Tensor], moments: torch.Tensor
    ) -> tuple[torch.nn.Module, list[list[int]]]:
        """Build the layer with merged heads; return it and the groups."""
        config, heads = self.config, read_heads(tensors, self.arch, self.dims)
        grams = head_grams(heads, moments)
        by_similarity = config.grouping == "search"
        groups = group_heads(
            grams, self.pairs, config.kv_heads, by_similarity=by_similarity, seed=config.seed
        )
        if config.kv_heads < self.dims.num_kv_heads:
            chosen = torch.tensor(groups, device=self.device)
            heads = METHODS[config.method](heads, grams, self.pairs, chosen)
        changed = write_heads(heads, tensors, self.arch)
        return self.factory.layer(changed, kv_heads=config.kv_heads), groups

    def _distil_attention(self, layer: torch.nn.Module) -> int:
        """Distil attention towards the source's residual stream after attention; return the best step."""
        norm, attention = layer.get_submodule(self.arch.norm), layer.get_submodule(self.arch.attention)

        def forward(states: HiddenStates) -> torch.Tensor:
            output: torch.Tensor = attention(hidden_states=norm(states.hidden), **states.call)[0]
            return output

        def targets(part: CalibrationStreams) -> Batches:
            return [(s, a - s.hidden) for s, a in zip(part.converted, part.after_attention, strict=True)]

        fit, held_out = targets(self.fit), targets(self.held_out)
        return self._distil(attention, squared_error(forward, fit), fit, held_out, ATTENTION_LR)

    def _distil_last_layer(self, layer: torch.nn.Module) -> int:
        """Distil the whole last layer towards the source's predictions; return the best step."""
        ends = EmbeddingAndHead(self.checkpoint, self.factory.config, self.device)

        def targets(part: CalibrationStreams) -> Batches:
            return list(zip(part.converted, part.after_layer, strict=True))

        loss = kl_of_logits(lambda states: forward_layer(layer, states), ends.logits)
        return self._distil(layer, loss, targets(self.fit), targets(self.held_out), LAST_LAYER_LR)

    def _distil(self, part: torch.nn.Module, loss: Loss, fit: Batches, held_out: Batches, rate: float) -> int:
        config = LayerDistillationConfig(
            steps=self.config.distill_steps_per_layer, learning_rate=rate, seed=self.config.seed
        )
        return distill_layer_(list(part.parameters()), loss, fit, held_out, config).best_step

    def _refit(self, layer: torch.nn.Module) -> dict[str, float | None]:
        """Update the output projection, then the down projection by the remaining error; return λ of each."""
        if not self.config.refit or self.config.kv_heads == self.dims.num_kv_heads:
            return {}
        return {name: self._refit_projection(layer, name) for name in (self.arch.o, self.arch.down)}

    def _refit_projection(self, layer: torch.nn.Module, name: str) -> float | None:
        projection = layer.get_submodule(name)
        weight, bias = projection.get_parameter("weight"), getattr(projection, "bias", None)
        outputs, inputs = weight.shape
        grams = []
        for part in (self.fit, self.held_out):
            gram = ResidualGram(inputs, outputs, bias=bias is not None, device=self.device)
            for index, states in enumerate(part.converted):
                after, seen = run_and_capture(layer, self.arch, states)
                if name == self.arch.o:
                    z, target = seen.o_proj_input, part.after_attention[index]
                    residual = target - states.hidden - seen.attention_output
                else:
                    z, target = seen.down_proj_input, part.after_layer[index]
                    residual = target - after
                gram.add(z[states.mask], residual[states.mask], token_weights(target[states.mask]))
            grams.append(gram)
        change, ridge_lambda = ridge_update(*grams)
        weight.add_(change[:inputs].t())
        if bias is not None:
            bias.add_(change[-1])
        return ridge_lambda

    def _advance(self, layer: torch.nn.Module) -> tuple[float, float]:
        """Run the converted layer on its own streams and continue; return the held-out errors."""
        errors = (float("nan"), float("nan"))
        for part in (self.fit, self.held_out):
            after, after_attention = [], []
            for states in part.converted:
                output, activations = run_and_capture(layer, self.arch, states)
                after.append(output)
                after_attention.append(states.hidden + activations.attention_output)
            masks = [states.mask for states in part.converted]
            errors = (
                _relative_error(after_attention, part.after_attention, masks),
                _relative_error(after, part.after_layer, masks),
            )
            part.advance(after)
        return errors


def _relative_error(
    found: list[torch.Tensor], expected: list[torch.Tensor], masks: list[torch.Tensor]
) -> float:
    error = energy = 0.0
    for converted, source, mask in zip(found, expected, masks, strict=True):
        weights = token_weights(source[mask])[:, None]
        error += float(((converted - source)[mask].square() * weights).double().sum())
        energy += float((source[mask].square() * weights).double().sum())
    return error / max(energy, 1e-300)
