"""LLaMA's forward pass for small models on a CPU: few operators a token, a cache that is allocated once.

At a few million parameters the time goes into calling operators, not into arithmetic. So projections that share
their input are one matrix, norm weights and the attention scale are folded into the matrices after them, and the
cache is written in place. Holds no decoding (see `decoding`).

Dimensions: B rows, T new tokens, S tokens so far, C hidden size, H heads, M key-value heads, G heads a key-value head,
D head size, N vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

ARCHITECTURES = frozenset({"llama", "mistral"})


@dataclass(frozen=True, slots=True)
class _Layer:
    w_qkv: Tensor
    w_o: Tensor
    w_gate_up: Tensor
    w_down: Tensor


class LlamaState:
    """Keys and values of some rows so far.

    Args:
        keys: by layer, (B, M, S max, D).
        values: by layer, (B, M, S max, D).
        padding: how many tokens of each row's beginning are padding, (B).
    """

    def __init__(self, keys: list[Tensor], values: list[Tensor], padding: Tensor) -> None:
        self.keys = keys
        self.values = values
        self.padding = padding
        self.is_padded = bool(padding.any())
        self.length = 0

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some rows only, in the order given."""
        chosen = torch.tensor(rows)
        self.keys = [each[chosen] for each in self.keys]
        self.values = [each[chosen] for each in self.values]
        self.padding = self.padding[chosen]


class FastLlama:
    """A LLaMA model in evaluation mode.

    Args:
        model: whose weights are copied.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        config: Any = model.config
        body: Any = model.model
        self._heads: int = config.num_attention_heads
        self._kv_heads: int = config.num_key_value_heads
        self._head_size: int = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        self._epsilon: float = config.rms_norm_eps
        self._embedding: Tensor = body.embed_tokens.weight.detach()
        self._layers = [_folded(each, self._head_size) for each in body.layers]
        whole: Any = model
        self._w_head = whole.lm_head.weight.detach() * body.norm.weight.detach()
        positions = torch.arange(config.max_position_embeddings)[None]
        cosine, sine = body.rotary_emb(self._embedding[:1], positions)
        half = self._head_size // 2
        self._cosine = cosine[0]  # (S max, D)
        self._sine = torch.cat([-sine[0, :, :half], sine[0, :, half:]], dim=1)

    @classmethod
    def of(cls, model: PreTrainedModel) -> Self | None:
        """Take over a model, if it is of an architecture that this reproduces; none otherwise."""
        config: Any = model.config
        plain = (
            config.model_type in ARCHITECTURES
            and getattr(config, "hidden_act", "") == "silu"
            and not getattr(config, "attention_bias", False)
            and not getattr(config, "mlp_bias", False)
            and getattr(config, "sliding_window", None) is None
        )
        return cls(model) if plain else None

    def start(self, rows: Sequence[Sequence[int]], room: int) -> tuple[LlamaState, Tensor]:
        """Read prompts.

        Args:
            rows: token ids of each.
            room: how many tokens may follow.

        Returns:
            The state and the logits after the last token, (B, N).
        """
        longest = max(map(len, rows))
        padding = torch.tensor([longest - len(row) for row in rows])
        shape = (len(rows), self._kv_heads, longest + room, self._head_size)
        keys, values = ([self._embedding.new_empty(shape) for _ in self._layers] for _ in range(2))
        state = LlamaState(keys, values, padding)
        tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        return state, self._forward(state, tokens)

    def step(self, state: LlamaState, tokens: Sequence[int]) -> Tensor:
        """Read one more token of each row; gives the logits after it, (B, N)."""
        return self._forward(state, torch.tensor(tokens)[:, None])

    def _forward(self, state: LlamaState, tokens: Tensor) -> Tensor:
        before, count = state.length, tokens.shape[1]
        after = before + count
        if state.is_padded:
            places = (torch.arange(before, after) - state.padding[:, None]).clamp_(min=0)  # (B, T)
            cosine, sine = self._cosine[places][:, :, None], self._sine[places][:, :, None]
        else:
            cosine, sine = self._cosine[before:after, None], self._sine[before:after, None]
        mask = _mask(state, before, after)
        hidden = self._embedding[tokens]  # (B, T, C)
        for number, layer in enumerate(self._layers):
            attended = self._attend(state, number, hidden, (cosine, sine), mask)
            hidden = hidden + functional.linear(attended, layer.w_o)
            gate, up = functional.linear(self._norm(hidden), layer.w_gate_up).chunk(2, dim=-1)
            hidden = hidden + functional.linear(functional.silu(gate) * up, layer.w_down)
        state.length = after
        return functional.linear(self._norm(hidden[:, -1]), self._w_head)  # (B, N)

    def _attend(
        self,
        state: LlamaState,
        number: int,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        mask: Tensor | None,
    ) -> Tensor:
        rows, count = hidden.shape[:2]
        heads, kv_heads, size = self._heads, self._kv_heads, self._head_size
        before, after = state.length, state.length + count
        joint = functional.linear(self._norm(hidden), self._layers[number].w_qkv)
        joint = joint.view(rows, count, heads + 2 * kv_heads, size)  # (B, T, H + 2M, D)
        turning = joint[:, :, : heads + kv_heads]
        turned = torch.addcmul(turning * rotation[0], turning.roll(size // 2, dims=-1), rotation[1])
        keys, values = state.keys[number], state.values[number]
        keys[:, :, before:after] = turned[:, :, heads:].transpose(1, 2)
        values[:, :, before:after] = joint[:, :, heads + kv_heads :].transpose(1, 2)
        query = turned[:, :, :heads].transpose(1, 2).reshape(rows, kv_heads, -1, size)  # (B, M, G T, D)
        scores = query @ keys[:, :, :after].transpose(2, 3)  # (B, M, G T, S)
        if mask is not None:
            scores = (scores.view(rows, kv_heads, -1, count, after) + mask).view(rows, kv_heads, -1, after)
        mixed = scores.softmax(-1) @ values[:, :, :after]  # (B, M, G T, D)
        return mixed.view(rows, heads, count, size).transpose(1, 2).reshape(rows, count, heads * size)

    def _norm(self, hidden: Tensor) -> Tensor:
        return functional.rms_norm(hidden, hidden.shape[-1:], eps=self._epsilon)


def _folded(layer: Any, head_size: int) -> _Layer:
    """Copy a layer's weights, the norms' weights and the attention scale multiplied in."""
    attention, mlp = layer.self_attn, layer.mlp
    inward = layer.input_layernorm.weight.detach()
    between = layer.post_attention_layernorm.weight.detach()
    scale = head_size**-0.5
    qkv = [
        attention.q_proj.weight.detach() * scale,
        attention.k_proj.weight.detach(),
        attention.v_proj.weight.detach(),
    ]
    gate_up = [mlp.gate_proj.weight.detach(), mlp.up_proj.weight.detach()]
    return _Layer(
        w_qkv=torch.cat(qkv) * inward,
        w_o=attention.o_proj.weight.detach(),
        w_gate_up=torch.cat(gate_up) * between,
        w_down=mlp.down_proj.weight.detach(),
    )


def _mask(state: LlamaState, before: int, after: int) -> Tensor | None:
    """Keep new tokens from seeing later ones and padding; (B or 1, 1, 1, T, S), or none if there is nothing to hide."""
    if after - before == 1 and not state.is_padded:
        return None
    seen = torch.arange(after)
    hidden = seen > torch.arange(before, after)[:, None]  # (T, S)
    if state.is_padded:
        # A padded place sees itself, or softmax would have nothing to share out.
        own = seen == torch.arange(before, after)[:, None]
        hidden = hidden | ((seen < state.padding[:, None, None]) & ~own)  # (B, T, S)
    else:
        hidden = hidden[None]
    return torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))[:, None, None]
