"""A LLaMA's forward pass written for training on a CPU.

Holds the same arithmetic as transformers' own, with norms, rotation, gating and loss as single differentiable steps,
so that a small model's step is spent in matrix products rather than in passing over activations
(docs/decisions/training-speed.md). Only for plain causal LLaMAs without biases; everything else trains with
transformers' code.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

# Dimension key: B rows, T tokens, N = B·T, C hidden size, H query heads, G key-value heads, D head size, I MLP size.


class _Norm(torch.autograd.Function):
    """RMS norm of (N, C) in fp32, out in the precision of the products."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, eps: float, dtype: torch.dtype
    ) -> torch.Tensor:
        size = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        inverse = size.square_().div_(hidden.shape[-1]).add_(eps).rsqrt_()  # (N, 1)
        ctx.save_for_backward(hidden, weight, inverse)
        normed: torch.Tensor = (hidden * inverse).mul_(weight).to(dtype)
        return normed

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        hidden, weight, inverse = ctx.saved_tensors
        grad = grads[0].float()
        product = grad * hidden
        to_weight = torch.mv(product.t(), inverse[:, 0])
        along = torch.mv(product, weight)[:, None] * inverse.pow(3).div_(hidden.shape[-1])
        to_hidden = (grad * weight).mul_(inverse).addcmul_(hidden, along, value=-1)
        return to_hidden, to_weight, None, None


class _Gate(torch.autograd.Function):
    """silu(gate)·up, keeping only its inputs."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gate, up = ctx.saved_tensors
        to_up = F.silu(gate).mul_(grads[0])
        to_gate = torch.ops.aten.silu_backward(up * grads[0], gate)
        return to_gate, to_up


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy at each place, (n,), in two passes over the logits each way."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
        ctx.save_for_backward(log_p, targets)
        ctx.dtype = logits.dtype
        return -log_p.gather(1, targets[:, None])[:, 0]

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        log_p, targets = ctx.saved_tensors
        probability = log_p.exp_()
        probability[torch.arange(len(targets), device=targets.device), targets] -= 1
        return probability.mul_(grads[0][:, None]).to(ctx.dtype), None


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy at each place; its gradient can be taken once.

    Args:
        logits: (n, V).
        targets: (n,) token ids.

    Returns:
        (n,) nats, in fp32.
    """
    loss: torch.Tensor = _CrossEntropy.apply(logits, targets)  # type: ignore[no-untyped-call]
    return loss


def fits(model: Any) -> bool:
    """Tell whether a model is one that this forward pass computes.

    Args:
        model: a transformers model.

    Returns:
        Whether it is a plain causal LLaMA without biases.
    """
    config = model.config
    return (
        config.model_type == "llama"
        and not config.attention_bias
        and not config.mlp_bias
        and not config.attention_dropout
        and config.hidden_act == "silu"
    )


def logits(model: Any, input_ids: torch.Tensor, positions: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the logits at chosen places.

    Args:
        model: a LLaMA that `fits`.
        input_ids: (B, T), padded on the right.
        positions: (n,) indices into the flattened (B·T).
        dtype: precision of matrix products.

    Returns:
        (n, V) in that precision.
    """
    base = model.model
    rows, length = input_ids.shape
    hidden = base.embed_tokens(input_ids).flatten(0, 1)  # (N, C)
    turn = _turns(base, hidden, length)
    for layer in base.layers:
        hidden = hidden + _attend(layer, hidden, turn, (rows, length), dtype)
        if layer is base.layers[-1]:
            hidden = hidden.index_select(0, positions)  # (n, C)
        hidden = hidden + _think(layer, hidden, dtype)
    out: torch.Tensor = _normed(base.norm, hidden, dtype) @ model.lm_head.weight.to(dtype).t()
    return out


def _turns(base: Any, hidden: torch.Tensor, length: int) -> torch.Tensor:
    """Return the rotation of each place and plane, (T, D/2) complex."""
    places = torch.arange(length, device=hidden.device)[None]
    cos, sin = base.rotary_emb(hidden, places)  # (1, T, D)
    half = cos.shape[-1] // 2
    return torch.complex(cos[0, :, :half].float(), sin[0, :, :half].float())


def _normed(norm: Any, hidden: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    out: torch.Tensor = _Norm.apply(hidden, norm.weight, norm.variance_epsilon, dtype)  # type: ignore[no-untyped-call]
    return out


def _attend(
    layer: Any, hidden: torch.Tensor, turn: torch.Tensor, shape: tuple[int, int], dtype: torch.dtype
) -> torch.Tensor:
    """Return what attention adds to the stream, (N, C)."""
    rows, length = shape
    part = layer.self_attn
    size = part.head_dim
    x = _normed(layer.input_layernorm, hidden, dtype)
    query, key = (
        _turned(x @ _planes(w, size, dtype).t(), turn, shape)
        for w in (part.q_proj.weight, part.k_proj.weight)
    )
    value = _by_head(x @ part.v_proj.weight.to(dtype).t(), size, shape)  # (B, G, T, D)
    heads, groups = query.shape[1], key.shape[1]
    ratio = heads // groups
    future = torch.full((length, length), float("-inf"), device=x.device).triu_(1).repeat(ratio, 1)
    scores = torch.baddbmm(
        future,
        query.reshape(rows * groups, ratio * length, size),
        key.reshape(rows * groups, length, size).mT,
        alpha=part.scaling,
    )  # (B·G, H/G·T, T)
    mixed = torch.bmm(scores.softmax(-1), value.reshape(rows * groups, length, size))
    mixed = mixed.view(rows, heads, length, size).transpose(1, 2)
    mixed = mixed.to(dtype, memory_format=torch.contiguous_format).reshape(rows * length, heads * size)
    out: torch.Tensor = mixed @ part.o_proj.weight.to(dtype).t()
    return out


def _think(layer: Any, hidden: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return what the MLP adds to the stream, (N, C)."""
    part = layer.mlp
    x = _normed(layer.post_attention_layernorm, hidden, dtype)
    gate, up = x @ part.gate_proj.weight.to(dtype).t(), x @ part.up_proj.weight.to(dtype).t()
    out: torch.Tensor = _Gate.apply(gate, up) @ part.down_proj.weight.to(dtype).t()  # type: ignore[no-untyped-call]
    return out


def _planes(weight: torch.Tensor, size: int, dtype: torch.dtype) -> torch.Tensor:
    """Put the two coordinates of each rotary plane side by side; scores do not see the order."""
    halves = weight.view(-1, 2, size // 2, weight.shape[-1]).transpose(1, 2)
    return halves.to(dtype, memory_format=torch.contiguous_format).reshape(weight.shape)


def _by_head(rows: torch.Tensor, size: int, shape: tuple[int, int]) -> torch.Tensor:
    split = rows.view(*shape, -1, size).transpose(1, 2)
    return split.to(torch.float32, memory_format=torch.contiguous_format).contiguous()


def _turned(rows: torch.Tensor, turn: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Rotate (N, H·D) and return (B, H, T, D)."""
    split = _by_head(rows, 2 * turn.shape[-1], shape)
    turned = torch.view_as_complex(split.view(*split.shape[:-1], -1, 2)) * turn
    return torch.view_as_real(turned).flatten(-2)
