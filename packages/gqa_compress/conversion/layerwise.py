"""The conversion of one layer after the other, on streams kept in memory.

Holds the two residual streams of the calibration sequences and the order of the steps of one layer; each step lives
in its own module. Reads no text and writes no file. Source: docs/algorithm.md, section "Conversion".
"""

import time

import torch

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion.config import ConversionConfig, LayerReport
from gqa_compress.conversion.embedding_and_head import EmbeddingAndHead
from gqa_compress.conversion.gram import HeadGrams, InputGram, ResidualGram, head_grams
from gqa_compress.conversion.layer_distillation import (
    Batches,
    LayerDistillationConfig,
    Loss,
    distill_layer_,
    divergence_of,
    squared_error,
)
from gqa_compress.conversion.layer_runner import HiddenStates, LayerFactory, forward_layer, run_and_capture
from gqa_compress.conversion.ridge import ridge_update
from gqa_compress.heads.grouping import adjacent, search
from gqa_compress.heads.merging import METHODS
from gqa_compress.heads.projections import read_heads, write_heads
from gqa_compress.heads.rope import rotary_pairs
from gqa_compress.heads.similarity import head_similarity
from gqa_compress.text.calibration import CalibrationText, TokenBatch

# First learning rates of local steps, of attention and of the whole last layer (LOG.md).
LR, LAST_LR = 2e-3, 5e-4


class CalibrationStreams:
    """One set of calibration sequences: their streams in the original and in the converted model.

    Args:
        batches: of tokens.
        states: streams at the input of the first layer.
    """

    def __init__(self, batches: list[TokenBatch], states: list[HiddenStates]) -> None:
        self.batches = batches
        self.original = states
        self.converted = list(states)
        self.after_attention: list[torch.Tensor] = []
        self.after_layer: list[torch.Tensor] = []

    def advance(self, converted: list[torch.Tensor]) -> None:
        """Go on to the next layer.

        Args:
            converted: streams after the converted layer.
        """
        self.original = [s.with_hidden(h) for s, h in zip(self.original, self.after_layer, strict=True)]
        self.converted = [s.with_hidden(h) for s, h in zip(self.converted, converted, strict=True)]
        self.after_attention, self.after_layer = [], []


class LayerwiseConverter:
    """One conversion while it goes on.

    Args:
        checkpoint: the original.
        plan: how to convert it.
        text: to calibrate on.
        device: where to compute.
        grams: of every layer's input, to merge by; those of `text` when None.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        plan: ConversionConfig,
        text: CalibrationText,
        device: torch.device,
        grams: list[torch.Tensor] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.plan = plan
        self.device = device
        self.grams = grams
        self.where = checkpoint.architecture
        self.sizes = checkpoint.geometry
        self.planes = rotary_pairs(self.where, self.sizes)
        self.maker = LayerFactory(checkpoint, device)
        ends = EmbeddingAndHead(checkpoint, self.maker.config, device)
        self.seen = CalibrationStreams(text.fit, [ends.embed(batch) for batch in text.fit])
        self.held_out = CalibrationStreams(text.held_out, [ends.embed(batch) for batch in text.held_out])

    def convert_layer(self, index: int) -> tuple[dict[str, torch.Tensor], LayerReport]:
        """Convert the next layer.

        Args:
            index: counted from 0; layers must come in order.

        Returns:
            Its new tensors, named relative to the layer, and what became of it.
        """
        begun = time.monotonic()
        tensors = {name: tensor.to(self.device) for name, tensor in self.checkpoint.layer(index).items()}
        moments = self._run_original(self.maker.layer(tensors, kv_heads=self.sizes.num_kv_heads))
        if self.grams is not None:
            moments = self.grams[index].to(self.device)
        layer, groups = self._merged(tensors, moments)
        distils = self.plan.local_steps > 0 and self.plan.kv_heads < self.sizes.num_kv_heads
        steps_kept = {"attention": self._distil_attention(layer)} if distils else {}
        strengths = self._refit(layer)
        if distils and index == self.sizes.layers - 1:
            steps_kept["layer"] = self._distil_last(layer)
        attention_error, stream_error = self._advance(layer)
        changed = dict(layer.named_parameters())
        new = {name: changed.get(name, tensor).to(tensor.dtype) for name, tensor in tensors.items()}
        return new, LayerReport(
            layer=index,
            groups=groups,
            attention_error=attention_error,
            stream_error=stream_error,
            refit_strengths=strengths,
            local_steps_kept=steps_kept,
            seconds=round(time.monotonic() - begun, 3),
        )

    def _run_original(self, layer: torch.nn.Module) -> torch.Tensor:
        """Run the original layer on its own streams, keeping the targets; return the Gram of its input."""
        gram = InputGram(self.sizes.hidden_size, self.device)
        for part in (self.seen, self.held_out):
            for states in part.original:
                after, seen = run_and_capture(layer, self.where, states)
                part.after_attention.append(states.hidden + seen.attention_output)
                part.after_layer.append(after)
                if part is self.seen:
                    gram.add(seen.attention_input[states.mask])
        return gram.moments

    def _merged(
        self, tensors: dict[str, torch.Tensor], moments: torch.Tensor
    ) -> tuple[torch.nn.Module, list[list[int]]]:
        """Make the layer with merged heads; return it and the groups."""
        heads = read_heads(tensors, self.where, self.sizes)
        grams = head_grams(heads, moments)
        groups = self._groups(grams)
        if self.plan.kv_heads < self.sizes.num_kv_heads:
            chosen = torch.tensor(groups, device=self.device)
            heads = METHODS[self.plan.method](heads, grams, self.planes, chosen)
        changed = write_heads(heads, tensors, self.where)
        return self.maker.layer(changed, kv_heads=self.plan.kv_heads), groups

    def _groups(self, grams: HeadGrams) -> list[list[int]]:
        heads, groups = self.sizes.num_kv_heads, self.plan.kv_heads
        if self.plan.grouping == "adjacent" or groups in {1, heads}:
            return adjacent(heads, groups)
        return search(head_similarity(grams, self.planes), groups, seed=self.plan.seed)

    def _distil_attention(self, layer: torch.nn.Module) -> int:
        """Distil attention towards the original stream after attention."""
        norm, attention = layer.get_submodule(self.where.norm), layer.get_submodule(self.where.attention)

        def attended(states: HiddenStates) -> torch.Tensor:
            output: torch.Tensor = attention(hidden_states=norm(states.hidden), **states.call)[0]
            return output

        def aims(part: CalibrationStreams) -> Batches:
            return [(s, a - s.hidden) for s, a in zip(part.converted, part.after_attention, strict=True)]

        seen, held_out = aims(self.seen), aims(self.held_out)
        return self._distil(attention, squared_error(attended, seen), seen, held_out)

    def _distil_last(self, layer: torch.nn.Module) -> int:
        """Distil the whole last layer towards what the original predicts."""
        ends = EmbeddingAndHead(self.checkpoint, self.maker.config, self.device)

        def after(states: HiddenStates) -> torch.Tensor:
            return forward_layer(layer, states)

        def aims(part: CalibrationStreams) -> Batches:
            return list(zip(part.converted, part.after_layer, strict=True))

        loss = divergence_of(after, ends.logits)
        return self._distil(layer, loss, aims(self.seen), aims(self.held_out), lr=LAST_LR)

    def _distil(
        self, part: torch.nn.Module, loss: Loss, seen: Batches, held_out: Batches, *, lr: float = LR
    ) -> int:
        """Distil a part of a layer; return after which step its weights were best."""
        steps = LayerDistillationConfig(steps=self.plan.local_steps, lr=lr, seed=self.plan.seed)
        return distill_layer_(list(part.parameters()), loss, seen, held_out, steps).steps

    def _refit(self, layer: torch.nn.Module) -> dict[str, float | None]:
        """Refit the output projection, then the down projection with what it leaves."""
        if not self.plan.refit or self.plan.kv_heads == self.sizes.num_kv_heads:
            return {}
        return {name: self._refit_one(layer, name) for name in (self.where.o, self.where.down)}

    def _refit_one(self, layer: torch.nn.Module, name: str) -> float | None:
        projection = layer.get_submodule(name)
        weight, bias = projection.get_parameter("weight"), getattr(projection, "bias", None)
        outputs, inputs = weight.shape
        grams = []
        for part in (self.seen, self.held_out):
            gram = ResidualGram(inputs, outputs, bias=bias is not None, device=self.device)
            for index, states in enumerate(part.converted):
                after, seen = run_and_capture(layer, self.where, states)
                if name == self.where.o:
                    z, missing = (
                        seen.o_proj_input,
                        part.after_attention[index] - states.hidden - seen.attention_output,
                    )
                else:
                    z, missing = seen.down_proj_input, part.after_layer[index] - after
                gram.add(z[states.mask], missing[states.mask])
            grams.append(gram)
        change, strength = ridge_update(*grams)
        weight.add_(change[:inputs].t())
        if bias is not None:
            bias.add_(change[-1])
        return strength

    def _advance(self, layer: torch.nn.Module) -> tuple[float, float]:
        """Run the converted layer on its own streams and go on; return the held-out errors."""
        errors = (float("nan"), float("nan"))
        for part in (self.seen, self.held_out):
            after, attended = [], []
            for states in part.converted:
                output, seen = run_and_capture(layer, self.where, states)
                after.append(output)
                attended.append(states.hidden + seen.attention_output)
            masks = [states.mask for states in part.converted]
            errors = (
                _relative_error(attended, part.after_attention, masks),
                _relative_error(after, part.after_layer, masks),
            )
            part.advance(after)
        return errors


def _relative_error(
    found: list[torch.Tensor], wanted: list[torch.Tensor], masks: list[torch.Tensor]
) -> float:
    error = energy = 0.0
    for here, there, mask in zip(found, wanted, masks, strict=True):
        error += float((here - there)[mask].double().square().sum())
        energy += float(there[mask].double().square().sum())
    return error / max(energy, 1e-300)
