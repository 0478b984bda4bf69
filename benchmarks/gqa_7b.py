"""Measure what one layer of LLaMA2-7B's shape costs to convert, and extrapolate to the whole model.

    python benchmarks/gqa_7b.py [--kv-heads 4] [--tokens 4096] [--length 1024] [--local-steps 2] [--layers 1]

Makes a random bf16 checkpoint with --layers layers of 7B's shape and a small vocabulary, converts it with refits
and a few local steps, and times the parts. Times of 32 layers and of more local steps are multiplied up, not
measured, and said so. Peak memory is that of the process. Writes results/gqa_7b.json and .md beside this file.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from gqa_compress import local
from gqa_compress.atomic import write_json, write_text
from gqa_compress.convert import convert
from gqa_compress.plan import ConversionPlan
from gqa_compress.testing import byte_tokenizer

RESULTS = Path(__file__).parent / "results"
LAYERS_OF_7B = 32
LOCAL_STEPS = 200


def make(folder: Path, layers: int) -> None:
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=layers,
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


def timed_steps(steps: list[float]) -> Any:
    """Wrap the local distillation of a layer so that its time is known apart."""
    original = local.distil_

    def wrapped(*arguments: Any, **options: Any) -> Any:
        begun = time.monotonic()
        report = original(*arguments, **options)
        steps.append(time.monotonic() - begun)
        return report

    return wrapped


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kv-heads", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--local-steps", type=int, default=2)
    parser.add_argument("--layers", type=int, default=1)
    given = parser.parse_args()
    letters = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        make(home / "source", given.layers)
        text = home / "text.txt"
        text.write_text("".join(letters.choices("abcdefgh \n", k=2 * given.tokens)), encoding="utf-8")
        plan = ConversionPlan(
            kv_heads=given.kv_heads, tokens=given.tokens, length=given.length, local_steps=given.local_steps
        )
        steps: list[float] = []
        from gqa_compress import layerwise

        layerwise.distil_ = timed_steps(steps)
        report = convert(home / "source", text, home / "out", plan)
    layer = sum(entry.seconds for entry in report.layers) / given.layers
    distilling = sum(steps) / max(1, len(steps))
    a_step = distilling / max(1, given.local_steps)
    found = {
        "kv_heads": given.kv_heads,
        "calibration_tokens": report.calibration_tokens + report.held_out.tokens,
        "threads": torch.get_num_threads(),
        "device": report.device,
        "measured": {
            "layers": given.layers,
            "seconds_a_layer": layer,
            "seconds_of_local_steps": distilling,
            "local_steps": given.local_steps,
            "seconds_in_all": report.seconds,
            "peak_memory_bytes": report.peak_memory_bytes,
        },
        "extrapolated_to_32_layers": {
            "closed_form_minutes": LAYERS_OF_7B * (layer - distilling) / 60,
            "minutes_with_200_local_steps": LAYERS_OF_7B * (layer - distilling + LOCAL_STEPS * a_step) / 60,
        },
    }
    write_json(RESULTS / "gqa_7b.json", found)
    whole = found["extrapolated_to_32_layers"]
    write_text(
        RESULTS / "gqa_7b.md",
        f"""Made by `python benchmarks/gqa_7b.py --tokens {given.tokens} --local-steps {given.local_steps}`: one
layer of LLaMA2-7B's shape, random weights, 32 → {given.kv_heads} heads, {found["calibration_tokens"]:,} tokens,
{found["threads"]} thread(s) of a shared {report.device}. 32 layers are **multiplied up, not measured**.

| | |
|---|---|
| one layer, {given.local_steps} local steps included (measured) | {layer:.0f} s |
| of which local steps (measured) | {distilling:.0f} s |
| peak memory (measured) | {report.peak_memory_bytes / 1e9:.1f} GB |
| whole model, closed form (extrapolated) | {whole["closed_form_minutes"]:.0f} min |
| whole model, {LOCAL_STEPS} local steps a layer (extrapolated) | {whole["minutes_with_200_local_steps"]:.0f} min |
""",
    )


if __name__ == "__main__":
    main()
