"""Matrices laid out for what a small model does with them on a CPU: be read, once a token.

Exact, they are laid out by oneDNN. Quantised, each row (output) is rounded to 8-bit integers times a scale; a single
token reads the integers, a quarter of the bytes, and several tokens at a time the same rounded numbers in float32, so
that a question asked alone and one asked in company are answered by the same model.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

ROWS = 8
"""Tokens at a time for which weights are laid out; others are multiplied as well."""
INT8_MAX = 127
ALIGNMENT = 16
"""Inputs that the product with integers takes at a time; it reads beyond a row whose length is no multiple."""
TOLERANCE = 0.02
"""Largest difference, relative to the largest output, of a product with integers: its inputs are in bfloat16."""


class PackedLinear:
    """One matrix.

    Args:
        weight: (out, in), float32.
        is_quantised: whether it is rounded to integers, if this build of PyTorch multiplies such a matrix.
    """

    def __init__(self, weight: Tensor, *, is_quantised: bool) -> None:
        self._integers: Tensor | None = None
        if is_quantised and weight.shape[1] % ALIGNMENT == 0 and _has_integers():
            # bfloat16 is what the product takes scales in.
            scales = (weight.abs().amax(1) / INT8_MAX).clamp_min(torch.finfo(torch.float32).tiny).bfloat16()
            rounded = (weight / scales.float()[:, None]).round_().clamp_(-INT8_MAX, INT8_MAX)
            self._integers, self._scales = rounded.to(torch.int8), scales
            weight = rounded * scales.float()[:, None]
        self._is_laid_out = _has_layouts()
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight.default(weight.contiguous(), ROWS)
            if self._is_laid_out
            else weight
        )

    def matmul_batch(self, rows: Tensor) -> Tensor:
        """Multiply rows (…, in); gives (…, out)."""
        if not self._is_laid_out:
            return functional.linear(rows, self._weight)
        found: Tensor = torch.ops.mkldnn._linear_pointwise.default(rows, self._weight, None, "none", [], "")
        return found

    def matmul_single(self, row: Tensor) -> Tensor:
        """Multiply a single row (1, in); gives (1, out), in bfloat16 if it is by integers."""
        if self._integers is None:
            return self.matmul_batch(row.float())
        return torch._weight_int8pack_mm(row.bfloat16(), self._integers, self._scales)


@cache
def _has_layouts() -> bool:
    """Whether this build of PyTorch multiplies with weights that oneDNN has laid out."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    weight = torch.eye(4)
    try:
        laid_out = torch.ops.mkldnn._reorder_linear_weight.default(weight, ROWS)
        found = torch.ops.mkldnn._linear_pointwise.default(weight, laid_out, None, "none", [], "")
    except (AttributeError, RuntimeError):  # its operators are no public interface
        return False
    return bool(torch.equal(found, weight))


@cache
def _has_integers() -> bool:
    """Whether this build of PyTorch multiplies bfloat16 rows with 8-bit weights, and rightly."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randn(1, 2 * ALIGNMENT, generator=generator)
    integers = torch.randint(
        -INT8_MAX, INT8_MAX + 1, (37, 2 * ALIGNMENT), generator=generator, dtype=torch.int8
    )
    scales = torch.rand(37, generator=generator).bfloat16()
    expected = row @ (integers * scales.float()[:, None]).T
    try:
        found = torch._weight_int8pack_mm(row.bfloat16(), integers, scales).float()
    except (AttributeError, RuntimeError):  # it is no public interface
        return False
    return bool((found - expected).abs().max() <= TOLERANCE * expected.abs().max())
