"""What a model's key-value cache weighs and how fast it decodes.

Holds measurements on a running model; the formula that predicts the bytes is in architectures.py.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache

from gqa_compress.checkpoint.architectures import attention_dims
from gqa_compress.checkpoint.environment import default_device
from gqa_compress.checkpoint.reader import load_model, read_config


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """What was measured of one model.

    Attributes:
        cache_bytes_a_token: bytes of keys and values held for each token, counted in the filled cache.
        decode_tokens_per_s: new tokens a second over all sequences of the batch, median of the repeats.
        prefill_tokens_per_s: prompt tokens a second, median of the repeats.
        batch: sequences decoded at once.
        prompt: tokens of each prompt.
        new_tokens: tokens decoded for each.
        dtype: precision of weights and cache.
        device: where it ran.
    """

    cache_bytes_a_token: float
    decode_tokens_per_s: float
    prefill_tokens_per_s: float
    batch: int
    prompt: int
    new_tokens: int
    dtype: str
    device: str


@torch.no_grad()
def bench(
    model: Path, *, batch: int = 1, prompt: int = 128, new_tokens: int = 64, repeats: int = 3
) -> BenchmarkResult:
    """Fill a model's cache, weigh it and time decoding, all greedy and on random tokens.

    Args:
        model: checkpoint folder.
        batch: sequences at once.
        prompt: tokens of each prompt.
        new_tokens: tokens to decode for each.
        repeats: timed runs after one that is not.

    Returns:
        The measurements.

    Raises:
        CheckpointError: the folder is no loadable checkpoint.
    """
    device = default_device()
    dtype = getattr(torch, attention_dims(read_config(model)).dtype)
    loaded = load_model(model).to(device, dtype)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(loaded.config.vocab_size, (batch, prompt), generator=generator).to(device)
    prefills, decodes = [], []
    weight = 0.0
    for repeat in range(repeats + 1):
        cache = DynamicCache(config=loaded.config)
        begun = _now(device)
        step = loaded(tokens, past_key_values=cache).logits[:, -1:].argmax(-1)
        filled = _now(device)
        for _ in range(new_tokens):
            step = loaded(step, past_key_values=cache).logits[:, -1:].argmax(-1)
        ended = _now(device)
        weight = cache_bytes(cache) / (batch * (prompt + new_tokens))
        if repeat:
            prefills.append(batch * prompt / (filled - begun))
            decodes.append(batch * new_tokens / (ended - filled))
    return BenchmarkResult(
        cache_bytes_a_token=weight,
        decode_tokens_per_s=round(_median(decodes), 1),
        prefill_tokens_per_s=round(_median(prefills), 1),
        batch=batch,
        prompt=prompt,
        new_tokens=new_tokens,
        dtype=str(loaded.dtype).removeprefix("torch."),
        device=device.type,
    )


def cache_bytes(cache: DynamicCache) -> int:
    """Count the bytes of all keys and values in a cache.

    Args:
        cache: filled by a transformers model.

    Returns:
        Bytes.
    """
    held: list[Any] = list(cache.layers)
    return sum(int(layer.keys.nbytes + layer.values.nbytes) for layer in held)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
