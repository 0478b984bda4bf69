"""The conversion: a checkpoint in, a stock checkpoint with fewer key-value heads out, one layer after the other.

Holds the order of the steps; each step lives in its own module. Source: docs/algorithm.md, section "Conversion".
"""

import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from rich.progress import track

from gqa_compress.atomic import new_folder, write_json
from gqa_compress.calibration.ends import Ends
from gqa_compress.calibration.gram import HeadGrams, InputGram, ResidualGram, head_grams
from gqa_compress.calibration.states import LayerMaker, States, run
from gqa_compress.calibration.text import CalibrationText, TokenBatch, read_text
from gqa_compress.card import write_card
from gqa_compress.checkpoint import (
    Checkpoint,
    ShardWriter,
    copy_companions,
    layer_prefix,
    load_tokenizer,
    write_config,
)
from gqa_compress.console import CONSOLE
from gqa_compress.grouping.partition import adjacent, search
from gqa_compress.grouping.similarity import pair_scores
from gqa_compress.heads import Heads, read_heads, write_heads
from gqa_compress.local import LocalSteps, distil_
from gqa_compress.machine import keep_memory, peak_memory_bytes, versions
from gqa_compress.merging import METHODS
from gqa_compress.plan import ConversionPlan, ConversionReport, LayerReport
from gqa_compress.refit import refit
from gqa_compress.rope import planes


def convert(
    source: Path, text: Path, out: Path, plan: ConversionPlan, *, force: bool = False
) -> ConversionReport:
    """Convert a checkpoint.

    Args:
        source: checkpoint folder of a supported model.
        text: to calibrate on, .txt or .jsonl with `text`.
        out: folder to write.
        plan: how to convert.
        force: replace what `out` holds.

    Returns:
        What it came to.

    Raises:
        InputError: the checkpoint, the text, the plan or the output folder cannot be used; nothing is written.

    Writes:
        OUT: a stock checkpoint with tokenizer, README.md and conversion.json.
    """
    begun = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    keep_memory()
    with new_folder(out, force=force) as partial:
        checkpoint = Checkpoint(source)
        plan.check(checkpoint.geometry)
        length = min(plan.length, checkpoint.geometry.max_length)
        sequences = read_text(text, load_tokenizer(source), tokens=plan.tokens, length=length)
        conversion = Conversion(checkpoint, plan, sequences, device)
        writer = ShardWriter(partial)
        writer.add(checkpoint.read(checkpoint.outside()))
        done = []
        for index in track(range(checkpoint.geometry.layers), "converting", console=CONSOLE, transient=True):
            tensors, layer_report = conversion.convert_layer(index)
            writer.add({layer_prefix(index) + name: tensor for name, tensor in tensors.items()})
            done.append(layer_report)
        writer.close()
        copy_companions(source, partial)
        write_config(source, partial, plan.kv_heads)
        report = conversion.report(done, seconds=time.monotonic() - begun)
        write_card(partial, report)
        write_json(partial / "conversion.json", asdict(report))
    return report


class Sequences:
    """One set of calibration sequences: their streams in the original and in the converted model.

    Args:
        batches: of tokens.
        states: streams at the input of the first layer.
    """

    def __init__(self, batches: list[TokenBatch], states: list[States]) -> None:
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


class Conversion:
    """One conversion while it goes on.

    Args:
        checkpoint: the original.
        plan: how to convert it.
        text: to calibrate on.
        device: where to compute.
    """

    def __init__(
        self, checkpoint: Checkpoint, plan: ConversionPlan, text: CalibrationText, device: torch.device
    ) -> None:
        self.checkpoint = checkpoint
        self.plan = plan
        self.device = device
        self.where = checkpoint.architecture
        self.sizes = checkpoint.geometry
        self.planes = planes(self.where, self.sizes)
        self.maker = LayerMaker(checkpoint, device)
        ends = Ends(checkpoint, self.maker.config, device)
        self.seen = Sequences(text.seen, [ends.first_states(batch) for batch in text.seen])
        self.held_out = Sequences(text.held_out, [ends.first_states(batch) for batch in text.held_out])

    def convert_layer(self, index: int) -> tuple[dict[str, torch.Tensor], LayerReport]:
        """Convert the next layer.

        Args:
            index: counted from 0; layers must come in order.

        Returns:
            Its new tensors, named relative to the layer, and what became of it.
        """
        begun = time.monotonic()
        tensors = {name: tensor.to(self.device) for name, tensor in self.checkpoint.layer(index).items()}
        moments = self._run_original(self.maker.layer(tensors, kv_heads=self.sizes.kv_heads))
        heads = read_heads(tensors, self.where, self.sizes)
        grams = head_grams(heads, moments)
        groups = self._groups(grams)
        merged = self._merged(heads, grams, groups)
        layer = self.maker.layer(write_heads(merged, tensors, self.where), kv_heads=self.plan.kv_heads)
        steps_kept = self._distil(layer)
        strengths = self._refit(layer)
        attention_error, stream_error = self._advance(layer)
        new = {name: layer.get_parameter(name).to(tensor.dtype) for name, tensor in tensors.items()}
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
                after, seen = run(layer, self.where, states)
                part.after_attention.append(states.hidden + seen.attended)
                part.after_layer.append(after)
                if part is self.seen:
                    gram.add(seen.x[states.mask])
        return gram.moments

    def _groups(self, grams: HeadGrams) -> list[list[int]]:
        heads, groups = self.sizes.kv_heads, self.plan.kv_heads
        if self.plan.grouping == "adjacent" or groups in {1, heads}:
            return adjacent(heads, groups)
        return search(pair_scores(grams, self.planes), groups, seed=self.plan.seed)

    def _merged(self, heads: Heads, grams: HeadGrams, groups: list[list[int]]) -> Heads:
        if self.plan.kv_heads == self.sizes.kv_heads:
            return heads
        chosen = torch.tensor(groups, device=self.device)
        return METHODS[self.plan.method](heads, grams, self.planes, chosen)

    def _distil(self, layer: torch.nn.Module) -> int | None:
        """Distil attention towards the original stream after attention."""
        if not self.plan.local_steps or self.plan.kv_heads == self.sizes.kv_heads:
            return None
        norm, attention = layer.get_submodule(self.where.norm), layer.get_submodule(self.where.attention)

        def attended(states: States) -> torch.Tensor:
            output: torch.Tensor = attention(hidden_states=norm(states.hidden), **states.call)[0]
            return output

        def aims(part: Sequences) -> list[tuple[States, torch.Tensor]]:
            return [(s, a - s.hidden) for s, a in zip(part.converted, part.after_attention, strict=True)]

        steps = LocalSteps(steps=self.plan.local_steps, seed=self.plan.seed)
        return distil_(
            list(attention.parameters()), attended, aims(self.seen), aims(self.held_out), steps
        ).steps

    def _refit(self, layer: torch.nn.Module) -> dict[str, float | None]:
        """Refit the output projection, then the down projection with what it leaves."""
        if not self.plan.refit or self.plan.kv_heads == self.sizes.kv_heads:
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
                after, seen = run(layer, self.where, states)
                if name == self.where.o:
                    z, missing = seen.z, part.after_attention[index] - states.hidden - seen.attended
                else:
                    z, missing = seen.u, part.after_layer[index] - after
                gram.add(z[states.mask], missing[states.mask])
            grams.append(gram)
        change, strength = refit(*grams)
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
                output, seen = run(layer, self.where, states)
                after.append(output)
                attended.append(states.hidden + seen.attended)
            masks = [states.mask for states in part.converted]
            errors = (
                _relative_error(attended, part.after_attention, masks),
                _relative_error(after, part.after_layer, masks),
            )
            part.advance(after)
        return errors

    def report(self, layers: list[LayerReport], *, seconds: float) -> ConversionReport:
        """Measure the held-out sequences through the whole model and put the report together.

        Args:
            layers: what became of each layer; all have been converted.
            seconds: the conversion took so far.

        Returns:
            The report.
        """
        ends = Ends(self.checkpoint, self.maker.config, self.device)
        before = after = distance = 0.0
        tokens = 0
        part = self.held_out
        for batch, original, converted in zip(part.batches, part.original, part.converted, strict=True):
            log_q = ends.log_probabilities(original.hidden, batch)
            log_p = ends.log_probabilities(converted.hidden, batch)
            targets = batch.input_ids[:, 1:][batch.mask[:, 1:]].to(self.device)[:, None]
            before -= float(log_q.gather(1, targets).double().sum())
            after -= float(log_p.gather(1, targets).double().sum())
            distance += float((log_q.exp() * (log_q - log_p)).sum(-1).double().sum())
            tokens += len(targets)
        ratio = self.sizes.kv_heads // self.plan.kv_heads
        return ConversionReport(
            source=self.checkpoint.folder,
            model_type=self.sizes.model_type,
            plan=asdict(self.plan),
            kv_heads_before=self.sizes.kv_heads,
            kv_heads_after=self.plan.kv_heads,
            cache_bytes_a_token_before=self.sizes.cache_bytes,
            cache_bytes_a_token_after=self.sizes.cache_bytes // ratio,
            calibration_tokens=sum(batch.tokens for batch in self.seen.batches),
            held_out_tokens=tokens,
            held_out_perplexity_before=math.exp(before / tokens),
            held_out_perplexity_after=math.exp(after / tokens),
            held_out_divergence=distance / tokens,
            layers=layers,
            seconds=round(seconds, 2),
            peak_memory_bytes=peak_memory_bytes(self.device),
            device=self.device.type,
            versions=versions(),
        )


def _relative_error(
    found: list[torch.Tensor], wanted: list[torch.Tensor], masks: list[torch.Tensor]
) -> float:
    error = energy = 0.0
    for here, there, mask in zip(found, wanted, masks, strict=True):
        error += float((here - there)[mask].double().square().sum())
        energy += float(there[mask].double().square().sum())
    return error / max(energy, 1e-300)
