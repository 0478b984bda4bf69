"""Tiny checkpoints with known answers: random models of every supported type, a byte tokenizer, and models whose heads
are copies of each other up to maps that a conversion must undo."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from gqa_compress.checkpoint.architectures import SUPPORTED, attention_dims
from gqa_compress.checkpoint.reader import layer_prefix
from gqa_compress.heads.projections import HeadProjections, read_heads, write_heads
from gqa_compress.heads.rope import RotaryPairs, as_complex, as_real, rotary_pairs

Copies = Literal["equal", "rotated", "scaled"]


def byte_tokenizer(folder: Path) -> None:
    """Save a tokenizer of 256 bytes and an EOS token into a folder."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"</s>": 0} | {letter: index + 1 for index, letter in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>").save_pretrained(folder)  # type: ignore[no-untyped-call]


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_tokenizer(folder: Path, template: str | None = CHAT_TEMPLATE, texts: Iterable[str] = ()) -> Any:
    """Save a tokenizer with a chat template into a folder: of bytes, or of 1,000 pieces of given texts; return it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|im_end|>", "<|im_start|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]
    )  # type: ignore[no-untyped-call]
    wrapped.chat_template = template
    wrapped.save_pretrained(folder)
    return wrapped


def tiny_model(model_type: str = "llama", *, kv_heads: int = 8, seed: int = 0, **fields: Any) -> Any:
    """Return a random fp32 model of two layers and eight query heads, biases not zero, with further config fields."""
    shape = {
        "vocab_size": 257,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 128,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": None,
    }
    if model_type == "gemma":
        shape["head_dim"] = 16
    config = AutoConfig.for_model(model_type, **(shape | fields))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and name.endswith("bias"):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
            elif parameter.ndim > 1:
                parameter.mul_(6.0)
    return model.eval()


def save_tiny(model: Any, folder: Path, **options: Any) -> Path:
    """Save a model and a byte tokenizer as a checkpoint; return its folder."""
    model.save_pretrained(folder, **options)
    byte_tokenizer(folder)
    return folder


def with_copied_heads(
    model: Any, groups: int, copies: Copies, *, interleaved: bool = False, seed: int = 0
) -> Any:
    """Make the KV heads of each group copies of each other, up to a map that attention is invariant to.

    Args:
        model: changed in place.
        groups: G, distinct heads.
        copies: `equal`; `rotated` by an orthogonal map of values and one rotation per rotary pair of keys; `scaled` by
            any invertible map of values and any complex factor per rotary pair.
        interleaved: heads h, h + G, h + 2G … are copies rather than adjacent ones.
        seed: seed of the maps.

    Returns:
        The model.
    """
    arch, dims = SUPPORTED[model.config.model_type], attention_dims(model.config)
    pairs = rotary_pairs(arch, dims)
    generator = torch.Generator().manual_seed(seed)
    state = model.state_dict()
    for index in range(dims.layers):
        prefix = layer_prefix(index)
        layer = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
        heads = read_heads(layer, arch, dims)
        every, members = torch.arange(dims.num_kv_heads), dims.num_kv_heads // groups
        first = every % groups if interleaved else every // members * members
        copied = HeadProjections(heads.w_q, heads.w_k[first], heads.w_v[first], heads.w_o)
        mapped = copied if copies == "equal" else _mapped(copied, pairs, copies, generator)
        for name, tensor in write_heads(mapped, layer, arch).items():
            state[prefix + name] = tensor
    model.load_state_dict(state)
    return model


def _mapped(
    heads: HeadProjections, pairs: RotaryPairs, copies: Copies, generator: torch.Generator
) -> HeadProjections:
    count, size = heads.w_v.shape[:2]

    def maps(width: int) -> torch.Tensor:
        free = torch.randn(count, width, width, generator=generator, dtype=torch.float64)
        turned: torch.Tensor = torch.linalg.qr(free)[0]
        if copies == "rotated":
            return turned
        stretch: torch.Tensor = 0.5 + torch.rand(count, 1, width, generator=generator, dtype=torch.float64)
        return turned * stretch

    angle = 2 * torch.pi * torch.rand(count, len(pairs.real), generator=generator, dtype=torch.float64)
    length = torch.ones_like(angle)
    if copies == "scaled":
        length = 0.5 + torch.rand(angle.shape, generator=generator, dtype=torch.float64)
    factor = torch.polar(length, angle)  # (K, P), z ← factor·z and q ← q / conj(factor)
    value, still = maps(size), maps(len(pairs.unrotated))
    return HeadProjections(
        w_q=as_real(
            as_complex(heads.w_q, pairs) / factor.conj()[:, None, :, None],
            torch.linalg.inv(still)[:, None] @ heads.w_q[..., pairs.unrotated, :],
            pairs,
        ),
        w_k=as_real(
            as_complex(heads.w_k, pairs) * factor[..., None],
            still.mT @ heads.w_k[..., pairs.unrotated, :],
            pairs,
        ),
        w_v=value.mT @ heads.w_v,
        w_o=torch.linalg.inv(value)[:, None] @ heads.w_o,
    )
