"""Measure what one layer of LLaMA2-7B's shape costs to convert, and extrapolate to the whole model.

    python benchmarks/gqa_compress/layer_7b.py [--kv-heads 4] [--tokens 2048] [--length 512] [--local-steps 1]

Makes a random bf16 checkpoint of two layers of 7B's shape with a small vocabulary and converts the first of them,
which is what every layer but the last costs, with refits and a few local steps. Times of 32 layers and of more local
steps are multiplied up, not measured, and said so. Peak memory is that of the process. Writes results/layer_7b.json and
.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from tests.gqa_compress.tiny_models import byte_tokenizer
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from gqa_compress.checkpoint.environment import choose_device, disable_malloc_trim, peak_memory_bytes
from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.conversion import layerwise
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.text.calibration import read_calibration_text
from graphling_io.outputs import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results"
LAYERS_OF_7B = 32
STEPS_EXTRAPOLATED = ConversionConfig(kv_heads=1).distill_steps_per_layer


def make(folder: Path) -> None:
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=2,
        num_attention_heads=32,
        num_key_value_heads=32,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.set_default_dtype(torch.bfloat16)
        try:
            LlamaForCausalLM(config).save_pretrained(folder)
        finally:
            torch.set_default_dtype(torch.float32)
    byte_tokenizer(folder)


def timed(function: Callable[..., Any], taken: list[float]) -> Callable[..., Any]:
    """Wrap a function so that its time is known apart."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        begun = time.monotonic()
        found = function(*arguments, **options)
        taken.append(time.monotonic() - begun)
        return found

    return wrapped


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kv-heads", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--local-steps", type=int, default=1)
    given = parser.parse_args()
    device = choose_device()
    disable_malloc_trim()
    letters = random.Random(0)
    plan = ConversionConfig(
        kv_heads=given.kv_heads,
        tokens=given.tokens,
        max_length=given.length,
        distill_steps_per_layer=given.local_steps,
    )
    distilling: list[float] = []
    refitting: list[float] = []
    layerwise.distill_layer_ = timed(layerwise.distill_layer_, distilling)
    layerwise.ridge_update = timed(layerwise.ridge_update, refitting)
    with tempfile.TemporaryDirectory() as scratch:
        folder, text = Path(scratch) / "source", Path(scratch) / "text.txt"
        make(folder)
        text.write_text("".join(letters.choices("abcdefgh \n", k=2 * given.tokens)), encoding="utf-8")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        sequences = read_calibration_text(text, tokenizer, tokens=plan.tokens, max_length=plan.max_length)
        conversion = layerwise.LayerwiseConverter(Checkpoint(folder), plan, sequences, device)
        _, layer = conversion.convert_layer(0)
    rest = layer.seconds - sum(distilling)
    a_step = sum(distilling) / max(1, given.local_steps)
    found = {
        "kv_heads": given.kv_heads,
        "calibration_tokens": sum(batch.tokens for batch in sequences.fit),
        "threads": torch.get_num_threads(),
        "device": device.type,
        "measured": {
            "seconds_of_one_layer": layer.seconds,
            "seconds_of_local_steps": round(sum(distilling), 1),
            "local_steps": given.local_steps,
            "seconds_of_solving_refits": round(sum(refitting), 1),
            "peak_memory_bytes": peak_memory_bytes(device),
        },
        "extrapolated_to_32_layers": {
            "closed_form_minutes": round(LAYERS_OF_7B * rest / 60, 1),
            "local_steps": STEPS_EXTRAPOLATED,
            "with_local_steps_minutes": round(LAYERS_OF_7B * (rest + STEPS_EXTRAPOLATED * a_step) / 60, 1),
        },
    }
    write_json(RESULTS / "layer_7b.json", found)
    write_text(RESULTS / "layer_7b.md", markdown(found, given))
    print(markdown(found, given))


def markdown(found: dict[str, Any], given: argparse.Namespace) -> str:
    one, whole = found["measured"], found["extrapolated_to_32_layers"]
    seconds = one["seconds_of_one_layer"]
    command = f"benchmarks/gqa_compress/layer_7b.py --tokens {given.tokens} --local-steps {given.local_steps}"
    return f"""Made by `python {command}`:
one layer of LLaMA2-7B's shape, random bf16 weights, 32 → {found["kv_heads"]} heads,
{found["calibration_tokens"]:,} tokens to fit, {found["threads"]} thread(s) of a shared {found["device"]}.
32 layers are **multiplied up, not measured**; the
last one, all of which is distilled by what it predicts, costs more.

| | |
|---|---|
| one layer with {one["local_steps"]} local step(s) on attention (measured) | {seconds:.0f} s |
| of which local steps and their looks at held-out tokens (measured) | {one["seconds_of_local_steps"]:.0f} s |
| of which solving the refits, the same for any number of tokens (measured) | {one["seconds_of_solving_refits"]:.0f} s |
| peak memory (measured) | {one["peak_memory_bytes"] / 1e9:.1f} GB |
| whole model, closed form (extrapolated) | {whole["closed_form_minutes"]:.0f} min |
| whole model, {whole["local_steps"]} local steps (extrapolated) | {whole["with_local_steps_minutes"]:.0f} min |
"""


if __name__ == "__main__":
    main()
