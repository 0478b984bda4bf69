"""Weight matrices packed for small models on a CPU, where reading them dominates the time per token.

In float32 they are packed by oneDNN. Quantised, each output row is 8-bit integers times a scale: a single token reads
the integers (a quarter of the bytes), a batch the same rounded values in float32, so that a question is answered by the
same model alone and in a batch.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

ROWS = 8
"""Number of tokens for which weights are packed; other numbers work too."""
INT8_MAX = 127
ALIGNMENT = 16
"""Inputs must be a multiple of this for the integer product, which otherwise reads beyond the row."""
TOLERANCE = 0.02
"""Maximum error of the integer product, relative to the largest output; its inputs are bfloat16."""


class PackedLinear:
    """One packed matrix.

    Args:
        weight: (out, in); float32.
        is_quantised: whether it is rounded to integers, if this build of PyTorch supports the product.
    """

    def __init__(self, weight: Tensor, *, is_quantised: bool) -> None:
        self._integers: Tensor | None = None
        if is_quantised and weight.shape[1] % ALIGNMENT == 0 and _supports_int8():
            # the product expects bfloat16 scales
            scales = (weight.abs().amax(1) / INT8_MAX).clamp_min(torch.finfo(torch.float32).tiny).bfloat16()
            rounded = (weight / scales.float()[:, None]).round_().clamp_(-INT8_MAX, INT8_MAX)
            self._integers, self._scales = rounded.to(torch.int8), scales
            weight = rounded * scales.float()[:, None]
        self._is_packed = _supports_packing()
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight.default(weight.contiguous(), ROWS)
            if self._is_packed
            else weight
        )

    def matmul_batch(self, rows: Tensor) -> Tensor:
        """Multiply rows (…, in); return (…, out)."""
        if not self._is_packed:
            return functional.linear(rows, self._weight)
        product: Tensor = torch.ops.mkldnn._linear_pointwise.default(rows, self._weight, None, "none", [], "")
        return product

    def matmul_single(self, row: Tensor) -> Tensor:
        """Multiply a single row (1, in); return (1, out), in bfloat16 if quantised."""
        if self._integers is None:
            return self.matmul_batch(row.float())
        return torch._weight_int8pack_mm(row.bfloat16(), self._integers, self._scales)


@cache
def _supports_packing() -> bool:
    """Return whether this build of PyTorch multiplies packed weights."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    weight = torch.eye(4)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight.default(weight, ROWS)
        found = torch.ops.mkldnn._linear_pointwise.default(weight, packed, None, "none", [], "")
    except (AttributeError, RuntimeError):  # the operators are not public
        return False
    return bool(torch.equal(found, weight))


@cache
def _supports_int8() -> bool:
    """Return whether this build of PyTorch multiplies bfloat16 rows by 8-bit weights correctly."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randn(1, 2 * ALIGNMENT, generator=generator)
    integers = torch.randint(
        -INT8_MAX, INT8_MAX + 1, (37, 2 * ALIGNMENT), generator=generator, dtype=torch.int8
    )
    scales = torch.rand(37, generator=generator).bfloat16()
    expected = row @ (integers * scales.float()[:, None]).T
    try:
        found = torch._weight_int8pack_mm(row.bfloat16(), integers, scales).float()
    except (AttributeError, RuntimeError):  # the operator is not public
        return False
    return bool((found - expected).abs().max() <= TOLERANCE * expected.abs().max())
