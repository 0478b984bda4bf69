"""KV-cache size and decoding throughput of a model, measured."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache

from gqa_compress.checkpoint.architectures import attention_dims
from gqa_compress.checkpoint.environment import choose_device
from gqa_compress.checkpoint.reader import load_model, read_config


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """Measurements of one model.

    Attributes:
        kv_cache_bytes_per_token: bytes of keys and values per token, counted in the filled cache.
        decode_tokens_per_s: new tokens per second over all sequences of the batch, median of the repeats.
        prefill_tokens_per_s: prompt tokens per second, median of the repeats.
        batch_size: sequences per batch.
        prompt_length: tokens per prompt.
        new_tokens: tokens decoded per prompt.
        dtype: data type of weights and cache.
        device: device.
    """

    kv_cache_bytes_per_token: float
    decode_tokens_per_s: float
    prefill_tokens_per_s: float
    batch_size: int
    prompt_length: int
    new_tokens: int
    dtype: str
    device: str


@torch.no_grad()
def bench(
    model: Path, *, batch_size: int = 1, prompt_length: int = 128, new_tokens: int = 64, repeats: int = 3
) -> BenchmarkResult:
    """Measure KV-cache size and throughput by greedy decoding of random prompts.

    Args:
        model: checkpoint folder.
        batch_size: sequences per batch.
        prompt_length: tokens per prompt.
        new_tokens: tokens to decode per prompt.
        repeats: timed runs, after one that is not timed.

    Returns:
        The measurements.

    Raises:
        CheckpointError: the folder is not a loadable checkpoint.
    """
    device = choose_device()
    dtype = getattr(torch, attention_dims(read_config(model)).dtype)
    loaded = load_model(model).to(device, dtype)
    generator = torch.Generator().manual_seed(0)
    shape = (batch_size, prompt_length)
    tokens = torch.randint(loaded.config.vocab_size, shape, generator=generator).to(device)
    prefills, decodes = [], []
    cache = DynamicCache(config=loaded.config)
    for _ in range(repeats + 1):
        cache = DynamicCache(config=loaded.config)
        begun = _now(device)
        step = loaded(tokens, past_key_values=cache).logits[:, -1:].argmax(-1)
        filled = _now(device)
        for _ in range(new_tokens):
            step = loaded(step, past_key_values=cache).logits[:, -1:].argmax(-1)
        ended = _now(device)
        prefills.append(batch_size * prompt_length / (filled - begun))
        decodes.append(batch_size * new_tokens / (ended - filled))
    layers: list[Any] = list(cache.layers)
    cache_bytes = sum(int(layer.keys.nbytes + layer.values.nbytes) for layer in layers)
    return BenchmarkResult(
        kv_cache_bytes_per_token=cache_bytes / (batch_size * (prompt_length + new_tokens)),
        decode_tokens_per_s=round(statistics.median_high(decodes[1:]), 1),
        prefill_tokens_per_s=round(statistics.median_high(prefills[1:]), 1),
        batch_size=batch_size,
        prompt_length=prompt_length,
        new_tokens=new_tokens,
        dtype=str(loaded.dtype).removeprefix("torch."),
        device=device.type,
    )


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
