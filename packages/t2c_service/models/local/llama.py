"""LLaMA's forward pass for small models on a CPU: few operators per token and a preallocated cache.

At a few million parameters, reading weights and calling operators takes longer than arithmetic. Weights are therefore
packed for oneDNN, a single token reads 8-bit integers (see `packed_linear`), projections with the same input are one
matrix, norm weights and the attention scale are folded into the next matrix, and the cache is written in place.

Dimensions: B rows, T new tokens, S tokens so far, C hidden size, H heads, K KV heads, R heads per KV head, D head
dimension, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from t2c_service.models.local.packed_linear import PackedLinear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

ARCHITECTURES = frozenset({"llama", "mistral"})


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: PackedLinear
    """Query and key rows interleaved by rotary pair, see `_interleave`."""
    o: PackedLinear
    gate_up: PackedLinear
    down: PackedLinear


class LlamaState:
    """Key-value cache of a batch.

    Args:
        caches: (B, 2K, S max, D) per layer; keys before values.
        padding: (B); number of padding tokens at the start of each row.
    """

    def __init__(self, caches: list[Tensor], padding: Tensor) -> None:
        self.caches = caches
        self.padding = padding
        self.is_padded = bool(padding.any())
        self.length = 0

    @property
    def is_single(self) -> bool:
        """Whether there is one row, without padding."""
        return len(self.padding) == 1 and not self.is_padded

    def select_rows(self, rows: Sequence[int]) -> None:
        """Keep some rows, in the given order."""
        chosen = torch.tensor(rows)
        self.caches = [each[chosen] for each in self.caches]
        self.padding = self.padding[chosen]


class FastLlama:
    """A LLaMA model in evaluation mode.

    Args:
        model: model whose weights are copied.
        is_quantised: whether weights are rounded to 8-bit integers.
    """

    def __init__(self, model: PreTrainedModel, *, is_quantised: bool = False) -> None:
        config: Any = model.config
        body: Any = model.model
        self._heads: int = config.num_attention_heads
        self._kv_heads: int = config.num_key_value_heads
        self._head_dim: int = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        self._epsilon: float = config.rms_norm_eps
        self._embedding: Tensor = body.embed_tokens.weight.detach()
        self._layers = [_folded(each, self._head_dim, is_quantised=is_quantised) for each in body.layers]
        whole: Any = model
        head = whole.lm_head.weight.detach() * body.norm.weight.detach()
        self._head = PackedLinear(head, is_quantised=is_quantised)
        positions = torch.arange(config.max_position_embeddings)[None]
        cosine, sine = body.rotary_emb(self._embedding[:1], positions)
        half = self._head_dim // 2
        self._rotary_factors = torch.complex(cosine[0, :, :half], sine[0, :, :half])  # (S max, D / 2)

    @classmethod
    def of(cls, model: PreTrainedModel, *, is_quantised: bool = False) -> Self | None:
        """Copy a model; return None if its architecture is not supported."""
        config: Any = model.config
        plain = (
            config.model_type in ARCHITECTURES
            and getattr(config, "hidden_act", "") == "silu"
            and not getattr(config, "attention_bias", False)
            and not getattr(config, "mlp_bias", False)
            and getattr(config, "sliding_window", None) is None
        )
        return cls(model, is_quantised=is_quantised) if plain else None

    def prefill(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> tuple[LlamaState, Tensor]:
        """Process prompts.

        Args:
            rows: token ids per prompt.
            max_new_tokens: number of tokens to reserve in the cache.

        Returns:
            The state and the logits after the last token, (B, V).
        """
        longest = max(map(len, rows))
        padding = torch.tensor([longest - len(row) for row in rows])
        shape = (len(rows), 2 * self._kv_heads, longest + max_new_tokens, self._head_dim)
        state = LlamaState([self._embedding.new_empty(shape) for _ in self._layers], padding)
        tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        return state, self._forward(state, tokens)

    def decode_step(self, state: LlamaState, tokens: Sequence[int]) -> Tensor:
        """Process one more token per row; return the logits after it, (B, V)."""
        if state.is_single:
            return self._advance(state, tokens[0])
        return self._forward(state, torch.tensor(tokens)[:, None])

    def _forward(self, state: LlamaState, tokens: Tensor) -> Tensor:
        past_length, count = state.length, tokens.shape[1]
        after = past_length + count
        if state.is_padded:
            padded_positions = (torch.arange(past_length, after) - state.padding[:, None]).clamp_(
                min=0
            )  # (B, T)
            rotary_factors = self._rotary_factors[padded_positions][:, :, None]
        else:
            rotary_factors = self._rotary_factors[past_length:after, None]
        mask = _mask(state, past_length, after)
        hidden = self._embedding[tokens]  # (B, T, C)
        for layer, cache in zip(self._layers, state.caches, strict=True):
            qkv = layer.qkv.matmul_batch(self._norm(hidden))
            hidden += layer.o.matmul_batch(self._attend(qkv, cache, past_length, rotary_factors, mask))
            gate, up = layer.gate_up.matmul_batch(self._norm(hidden)).chunk(2, dim=-1)
            hidden += layer.down.matmul_batch(functional.silu(gate) * up)
        state.length = after
        return self._head.matmul_batch(self._norm(hidden[:, -1]))  # (B, V)

    def _attend(
        self, qkv: Tensor, cache: Tensor, past_length: int, rotary_factors: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Compute attention; `qkv` contains queries, keys and values, (B, T, (H + 2K) D)."""
        rows, count = qkv.shape[:2]
        heads, kv_heads, size = self._heads, self._kv_heads, self._head_dim
        after = past_length + count
        qkv = qkv.view(rows, count, heads + 2 * kv_heads, size)
        _rotary_pairs(qkv[:, :, : heads + kv_heads]).mul_(rotary_factors)
        cache[:, :, past_length:after] = qkv[:, :, heads:].transpose(1, 2)
        query = qkv[:, :, :heads].transpose(1, 2).reshape(rows, kv_heads, -1, size)  # (B, K, R T, D)
        scores = query @ cache[:, :kv_heads, :after].transpose(2, 3)  # (B, K, R T, S)
        if mask is not None:
            scores = (scores.view(rows, kv_heads, -1, count, after) + mask).view(rows, kv_heads, -1, after)
        mixed = scores.softmax(-1) @ cache[:, kv_heads:, :after]  # (B, K, R T, D)
        return mixed.view(rows, heads, count, size).transpose(1, 2).reshape(rows, count, heads * size)

    def _advance(self, state: LlamaState, token: int) -> Tensor:
        """Process one token of a single row with as few operators as possible; return its logits, (1, V)."""
        heads, kv_heads, size = self._heads, self._kv_heads, self._head_dim
        after = state.length + 1
        factors = self._rotary_factors[state.length]
        hidden = self._embedding[token : token + 1].clone()  # (1, C)
        for layer, cache in zip(self._layers, state.caches, strict=True):
            qkv = layer.qkv.matmul_single(self._norm_single(hidden)).float().view(heads + 2 * kv_heads, size)
            _rotary_pairs(qkv[: heads + kv_heads]).mul_(factors)
            cache[0, :, state.length] = qkv[heads:]
            keys, values = cache[0, :kv_heads, :after], cache[0, kv_heads:, :after]  # (K, S, D)
            scores = torch.bmm(qkv[:heads].view(kv_heads, -1, size), keys.transpose(1, 2))  # (K, R, S)
            mixed = torch.bmm(scores.softmax(-1), values)  # (K, R, D)
            hidden += layer.o.matmul_single(mixed.view(1, -1))
            gate, up = layer.gate_up.matmul_single(self._norm_single(hidden)).chunk(2, dim=-1)
            hidden += layer.down.matmul_single(functional.silu(gate).mul_(up))
        state.length = after
        return self._head.matmul_single(self._norm_single(hidden)).float()

    def _norm_single(self, hidden: Tensor) -> Tensor:
        """Normalise (1, C) by a factor computed in Python, which saves operators."""
        row = hidden[0]
        return hidden * (1 / math.sqrt(torch.dot(row, row).item() / len(row) + self._epsilon))

    def _norm(self, hidden: Tensor) -> Tensor:
        return functional.rms_norm(hidden, hidden.shape[-1:], eps=self._epsilon)


def _rotary_pairs(rotated: Tensor) -> Tensor:
    """View (…, D) as (…, D / 2) complex numbers that share memory; a product with a factor rotates them."""
    return torch.view_as_complex(rotated.view(*rotated.shape[:-1], -1, 2))


def _interleave(weight: Tensor, head_dim: int) -> Tensor:
    """Interleave the rows d and d + D / 2 of each head, which are rotated as a pair."""
    return weight.view(-1, 2, head_dim // 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _folded(layer: Any, head_dim: int, *, is_quantised: bool) -> _Layer:
    """Copy the weights of a layer with norm weights and attention scale folded in."""
    attention, mlp = layer.self_attn, layer.mlp
    inward = layer.input_layernorm.weight.detach()
    between = layer.post_attention_layernorm.weight.detach()
    scale = head_dim**-0.5
    qkv = [
        _interleave(attention.q_proj.weight.detach() * scale, head_dim),
        _interleave(attention.k_proj.weight.detach(), head_dim),
        attention.v_proj.weight.detach(),
    ]
    gate_up = [mlp.gate_proj.weight.detach(), mlp.up_proj.weight.detach()]
    return _Layer(
        qkv=PackedLinear(torch.cat(qkv) * inward, is_quantised=is_quantised),
        o=PackedLinear(attention.o_proj.weight.detach(), is_quantised=is_quantised),
        gate_up=PackedLinear(torch.cat(gate_up) * between, is_quantised=is_quantised),
        down=PackedLinear(mlp.down_proj.weight.detach(), is_quantised=is_quantised),
    )


def _mask(state: LlamaState, past_length: int, after: int) -> Tensor | None:
    """Return the mask of later tokens and padding, (B or 1, 1, 1, T, S), or None if nothing is masked."""
    if after - past_length == 1 and not state.is_padded:
        return None
    positions = torch.arange(after)
    hidden = positions > torch.arange(past_length, after)[:, None]  # (T, S)
    if state.is_padded:
        # A padding token attends to itself, since softmax over nothing is not defined.
        own = positions == torch.arange(past_length, after)[:, None]
        hidden = hidden | ((positions < state.padding[:, None, None]) & ~own)  # (B, T, S)
    else:
        hidden = hidden[None]
    return torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))[:, None, None]
