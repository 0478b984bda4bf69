"""LLaMA's forward pass for small models on a CPU: few operators a token, a cache that is allocated once.

At a few million parameters the time goes into reading weights and calling operators, not into arithmetic. So weights
are laid out as oneDNN reads them fastest, a single token may read them as 8-bit integers (see `weights`), projections
that share their input are one matrix, norm weights and the attention scale are folded into the matrices after them,
and the cache is written in place. Holds no decoding (see `decoding`).

Dimensions: B rows, T new tokens, S tokens so far, C hidden size, H heads, M key-value heads, G heads a key-value head,
D head size, N vocabulary.
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
    """Queries and keys by pairs that turn together, see `_paired`."""
    o: PackedLinear
    gate_up: PackedLinear
    down: PackedLinear


class LlamaState:
    """Keys and values of some rows so far.

    Args:
        caches: by layer, keys above values, (B, 2M, S max, D).
        padding: how many tokens of each row's beginning are padding, (B).
    """

    def __init__(self, caches: list[Tensor], padding: Tensor) -> None:
        self.caches = caches
        self.padding = padding
        self.is_padded = bool(padding.any())
        self.length = 0

    @property
    def is_single(self) -> bool:
        """Whether it is one row, without padding."""
        return len(self.padding) == 1 and not self.is_padded

    def select_rows(self, rows: Sequence[int]) -> None:
        """Go on with some rows only, in the order given."""
        chosen = torch.tensor(rows)
        self.caches = [each[chosen] for each in self.caches]
        self.padding = self.padding[chosen]


class FastLlama:
    """A LLaMA model in evaluation mode.

    Args:
        model: whose weights are copied.
        is_quantised: whether they are rounded to 8-bit integers.
    """

    def __init__(self, model: PreTrainedModel, *, is_quantised: bool = False) -> None:
        config: Any = model.config
        body: Any = model.model
        self._heads: int = config.num_attention_heads
        self._kv_heads: int = config.num_key_value_heads
        self._head_size: int = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        self._epsilon: float = config.rms_norm_eps
        self._embedding: Tensor = body.embed_tokens.weight.detach()
        self._layers = [_folded(each, self._head_size, is_quantised=is_quantised) for each in body.layers]
        whole: Any = model
        head = whole.lm_head.weight.detach() * body.norm.weight.detach()
        self._head = PackedLinear(head, is_quantised=is_quantised)
        positions = torch.arange(config.max_position_embeddings)[None]
        cosine, sine = body.rotary_emb(self._embedding[:1], positions)
        half = self._head_size // 2
        self._turns = torch.complex(cosine[0, :, :half], sine[0, :, :half])  # (S max, D / 2)

    @classmethod
    def of(cls, model: PreTrainedModel, *, is_quantised: bool = False) -> Self | None:
        """Take over a model, if it is of an architecture that this reproduces; none otherwise."""
        config: Any = model.config
        plain = (
            config.model_type in ARCHITECTURES
            and getattr(config, "hidden_act", "") == "silu"
            and not getattr(config, "attention_bias", False)
            and not getattr(config, "mlp_bias", False)
            and getattr(config, "sliding_window", None) is None
        )
        return cls(model, is_quantised=is_quantised) if plain else None

    def prefill(self, rows: Sequence[Sequence[int]], room: int) -> tuple[LlamaState, Tensor]:
        """Read prompts.

        Args:
            rows: token ids of each.
            room: how many tokens may follow.

        Returns:
            The state and the logits after the last token, (B, N).
        """
        longest = max(map(len, rows))
        padding = torch.tensor([longest - len(row) for row in rows])
        shape = (len(rows), 2 * self._kv_heads, longest + room, self._head_size)
        state = LlamaState([self._embedding.new_empty(shape) for _ in self._layers], padding)
        tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        return state, self._forward(state, tokens)

    def decode_step(self, state: LlamaState, tokens: Sequence[int]) -> Tensor:
        """Read one more token of each row; gives the logits after it, (B, N)."""
        if state.is_single:
            return self._advance(state, tokens[0])
        return self._forward(state, torch.tensor(tokens)[:, None])

    def _forward(self, state: LlamaState, tokens: Tensor) -> Tensor:
        past_length, count = state.length, tokens.shape[1]
        after = past_length + count
        if state.is_padded:
            places = (torch.arange(past_length, after) - state.padding[:, None]).clamp_(min=0)  # (B, T)
            rotary_factors = self._turns[places][:, :, None]
        else:
            rotary_factors = self._turns[past_length:after, None]
        mask = _mask(state, past_length, after)
        hidden = self._embedding[tokens]  # (B, T, C)
        for layer, held in zip(self._layers, state.caches, strict=True):
            qkv = layer.qkv.matmul_batch(self._norm(hidden))
            hidden += layer.o.matmul_batch(self._attend(qkv, held, past_length, rotary_factors, mask))
            gate, up = layer.gate_up.matmul_batch(self._norm(hidden)).chunk(2, dim=-1)
            hidden += layer.down.matmul_batch(functional.silu(gate) * up)
        state.length = after
        return self._head.matmul_batch(self._norm(hidden[:, -1]))  # (B, N)

    def _attend(
        self, qkv: Tensor, cache: Tensor, past_length: int, rotary_factors: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Mix values; `joint` holds queries, keys and values, (B, T, (H + 2M) D)."""
        rows, count = qkv.shape[:2]
        heads, kv_heads, size = self._heads, self._kv_heads, self._head_size
        after = past_length + count
        qkv = qkv.view(rows, count, heads + 2 * kv_heads, size)
        _pairs(qkv[:, :, : heads + kv_heads]).mul_(rotary_factors)
        cache[:, :, past_length:after] = qkv[:, :, heads:].transpose(1, 2)
        query = qkv[:, :, :heads].transpose(1, 2).reshape(rows, kv_heads, -1, size)  # (B, M, G T, D)
        scores = query @ cache[:, :kv_heads, :after].transpose(2, 3)  # (B, M, G T, S)
        if mask is not None:
            scores = (scores.view(rows, kv_heads, -1, count, after) + mask).view(rows, kv_heads, -1, after)
        mixed = scores.softmax(-1) @ cache[:, kv_heads:, :after]  # (B, M, G T, D)
        return mixed.view(rows, heads, count, size).transpose(1, 2).reshape(rows, count, heads * size)

    def _advance(self, state: LlamaState, token: int) -> Tensor:
        """Read one token of a single row with as few operators as will do; gives its logits, (1, N)."""
        heads, kv_heads, size = self._heads, self._kv_heads, self._head_size
        after = state.length + 1
        turn = self._turns[state.length]
        hidden = self._embedding[token : token + 1].clone()  # (1, C)
        for layer, held in zip(self._layers, state.caches, strict=True):
            qkv = layer.qkv.matmul_single(self._normed(hidden)).float().view(heads + 2 * kv_heads, size)
            _pairs(qkv[: heads + kv_heads]).mul_(turn)
            held[0, :, state.length] = qkv[heads:]
            keys, values = held[0, :kv_heads, :after], held[0, kv_heads:, :after]  # (M, S, D)
            scores = torch.bmm(qkv[:heads].view(kv_heads, -1, size), keys.transpose(1, 2))  # (M, G, S)
            mixed = torch.bmm(scores.softmax(-1), values)  # (M, G, D)
            hidden += layer.o.matmul_single(mixed.view(1, -1))
            gate, up = layer.gate_up.matmul_single(self._normed(hidden)).chunk(2, dim=-1)
            hidden += layer.down.matmul_single(functional.silu(gate).mul_(up))
        state.length = after
        return self._head.matmul_single(self._normed(hidden)).float()

    def _normed(self, hidden: Tensor) -> Tensor:
        """Norm (1, C) by a factor that is worked out outside of PyTorch."""
        row = hidden[0]
        return hidden * (1 / math.sqrt(torch.dot(row, row).item() / len(row) + self._epsilon))

    def _norm(self, hidden: Tensor) -> Tensor:
        return functional.rms_norm(hidden, hidden.shape[-1:], eps=self._epsilon)


def _pairs(rotated: Tensor) -> Tensor:
    """See (…, D) as (…, D / 2) complex numbers, which turn by a product; shares memory."""
    return torch.view_as_complex(rotated.view(*rotated.shape[:-1], -1, 2))


def _paired(weight: Tensor, head_size: int) -> Tensor:
    """Put the rows that turn together, d and d + D / 2 of each head, side by side."""
    return weight.view(-1, 2, head_size // 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _folded(layer: Any, head_size: int, *, is_quantised: bool) -> _Layer:
    """Copy a layer's weights, the norms' weights and the attention scale multiplied in."""
    attention, mlp = layer.self_attn, layer.mlp
    inward = layer.input_layernorm.weight.detach()
    between = layer.post_attention_layernorm.weight.detach()
    scale = head_size**-0.5
    qkv = [
        _paired(attention.q_proj.weight.detach() * scale, head_size),
        _paired(attention.k_proj.weight.detach(), head_size),
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
    """Keep new tokens from seeing later ones and padding; (B or 1, 1, 1, T, S), or none if there is nothing to hide."""
    if after - past_length == 1 and not state.is_padded:
        return None
    seen = torch.arange(after)
    hidden = seen > torch.arange(past_length, after)[:, None]  # (T, S)
    if state.is_padded:
        # A padded place sees itself, or softmax would have nothing to share out.
        own = seen == torch.arange(past_length, after)[:, None]
        hidden = hidden | ((seen < state.padding[:, None, None]) & ~own)  # (B, T, S)
    else:
        hidden = hidden[None]
    return torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))[:, None, None]
