"""Vocabulary transfer: a checkpoint as the start of a model with another tokenizer, and with more KV heads.

Tokens that both tokenizers have keep their embeddings. Other tokens start near those that resemble them.

Source: Gee et al., "Fast Vocabulary Transfer for Language Model Compression", EMNLP 2022: a new token starts as the
mean of the pieces into which the former tokenizer splits it.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM

from gqa_compress.checkpoint.reader import load_model, load_tokenizer
from gqa_compress.checkpoint.writer import copy_tokenizer_files
from gqa_compress.errors import CheckpointError, InputError
from graphling_io.outputs import apply_umask, atomic_directory, write_json

REPORT = "transfer.json"
NOISE = 0.1
"""Standard deviation of the noise that tells new tokens apart, relative to that of the embeddings."""
PIECES_WEIGHT = 0.5
"""How far a token that is like others in form is moved towards its pieces."""
_QUOTED = re.compile(r"`[^`]*`")
_RUN = re.compile(r"[^\W\d]+|\d+")


@dataclass(frozen=True)
class TransferReport:
    """What the new model starts from."""

    checkpoint: Path
    kv_heads: int
    tokens: int
    """Size of the new vocabulary."""
    copied: int
    """Tokens whose embeddings were copied."""
    by_form: int
    """Tokens that start near the tokens of the same form."""
    by_pieces: int
    """Tokens that start near their pieces."""


def transfer(
    source: Path,
    tokenizer: Path,
    out: Path,
    *,
    kv_heads: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> TransferReport:
    """Write a LLaMA checkpoint for another tokenizer, as the start of a training run.

    Args:
        source: checkpoint of type llama with its tokenizer.
        tokenizer: folder of the new tokenizer.
        out: folder to write.
        kv_heads: KV heads of the new checkpoint, a multiple of the present number; each is repeated, which changes no
            output. The present number if None.
        seed: seed of the noise on new embeddings.
        force: replace `out` if it holds a transferred checkpoint.

    Returns:
        The report.

    Raises:
        CheckpointError: the source or the tokenizer cannot be loaded, or the source is of another type.
        InputError: the number of heads does not fit.
        OutputError: `out` is not empty, overlaps an input or cannot be written.
    """
    model, former, new = load_model(source), load_tokenizer(source), load_tokenizer(tokenizer)
    if model.config.model_type != "llama":
        raise CheckpointError(f"{source} is of type {model.config.model_type}; only llama can be transferred")
    heads = kv_heads or model.config.num_key_value_heads
    if heads % model.config.num_key_value_heads or model.config.num_attention_heads % heads:
        raise InputError(
            f"{heads} KV heads are no multiple of the {model.config.num_key_value_heads} of {source}, or do not divide "
            f"its {model.config.num_attention_heads} query heads"
        )
    embeddings, counts = transfer_embeddings(model.get_input_embeddings().weight, former, new, seed=seed)
    weights = repeat_kv_heads(model.state_dict(), model.config, heads)
    weights["model.embed_tokens.weight"] = embeddings
    if model.config.tie_word_embeddings:
        weights["lm_head.weight"] = embeddings
    else:
        head, _ = transfer_embeddings(model.get_output_embeddings().weight, former, new, seed=seed)
        weights["lm_head.weight"] = head
    config = model.config
    config.vocab_size, config.num_key_value_heads = len(new), heads
    config.bos_token_id, config.eos_token_id, config.pad_token_id = (
        new.bos_token_id, new.eos_token_id, new.pad_token_id,
    )  # fmt: skip
    made: Any = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    made.load_state_dict(weights)
    report = TransferReport(out, heads, len(new), *counts)
    with atomic_directory(out, markers=(REPORT,), inputs=[source, tokenizer], force=force) as folder:
        made.save_pretrained(folder)
        for file in folder.glob("*.safetensors"):
            apply_umask(file)
        copy_tokenizer_files(tokenizer, folder)
        write_json(folder / REPORT, asdict(report) | {"checkpoint": None, "source": source.name})
    return report


def transfer_embeddings(
    embeddings: torch.Tensor, former: Any, new: Any, *, seed: int
) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """Return the embeddings of another vocabulary.

    A special token such as ` drug.name` starts near the mean of the former special tokens of the same form, moved
    towards its pieces; any other token near the mean of its pieces.

    Args:
        embeddings: (V, D) of the former tokenizer.
        former: former tokenizer.
        new: new tokenizer, with V' tokens.
        seed: seed of the noise.

    Returns:
        (V', D) and the numbers of tokens copied, begun by form, and begun by pieces.
    """
    known, added = former.get_vocab(), set(new.get_added_vocab())
    by_form: dict[str, list[int]] = defaultdict(list)
    for token, number in former.get_added_vocab().items():
        by_form[token_form(token)].append(number)
    generator = torch.Generator().manual_seed(seed)
    embeddings = embeddings.detach()
    mean, spread = embeddings.mean(0), embeddings.std()
    found = torch.empty(len(new), embeddings.shape[1])
    noise = NOISE * spread * torch.randn(found.shape, generator=generator)
    copied = formed = 0
    for token, number in new.get_vocab().items():
        if token in known:
            found[number] = embeddings[known[token]]
            copied += 1
            continue
        text = token if token in added else new.convert_tokens_to_string([token])
        pieces = former(text, add_special_tokens=False)["input_ids"]
        start = embeddings[pieces].mean(0) if pieces else mean
        if token in added and (alike := by_form.get(token_form(token))):
            start = embeddings[alike].mean(0) + PIECES_WEIGHT * (start - mean)
            formed += 1
        found[number] = start + noise[number]
    return found, (copied, formed, len(new) - copied - formed)


def token_form(token: str) -> str:
    """Return the form of a token: ` drug.name` and ` ward.floor` have one, ` (ward:Ward)` has another."""
    plain = _QUOTED.sub("a", token)
    return _RUN.sub(lambda run: "a" if run[0][0].islower() else "A" if run[0][0].isalpha() else "0", plain)


def repeat_kv_heads(
    weights: Mapping[str, torch.Tensor], config: Any, kv_heads: int
) -> dict[str, torch.Tensor]:
    """Return weights in which each key and value head stands several times, side by side; all outputs stay the same.

    Args:
        weights: state of the model by name.
        config: its configuration.
        kv_heads: new number of KV heads, a multiple of the present one.
    """
    repeats = kv_heads // config.num_key_value_heads
    found = dict(weights)
    for name, weight in weights.items():
        if ".k_proj." in name or ".v_proj." in name:
            by_head = weight.view(config.num_key_value_heads, -1, *weight.shape[1:])
            found[name] = by_head.repeat_interleave(repeats, 0).reshape(-1, *weight.shape[1:]).clone()
    return found
