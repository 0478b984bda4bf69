"""Memory of tensors, followed as they come and go: bytes by part, and their peak.

Works on real tensors and on fake ones, which have sizes and no content.
"""

import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Part = Literal["weights", "gradients", "optimizer", "teacher", "logits", "activations"]
PARTS: tuple[Part, ...] = ("weights", "gradients", "optimizer", "teacher", "logits", "activations")


@dataclass
class Peak:
    """The moment of the most memory.

    Attributes:
        total: bytes of all parts.
        by_part: bytes of each part at that moment.
    """

    total: int = 0
    by_part: Counter[str] = field(default_factory=Counter)


class MemoryTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that operations make while it is active, and of those it is told of.

    Args:
        vocabulary: width of logits; new tensors as wide are counted as such, other new ones as activations.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.vocabulary = vocabulary
        self.now: Counter[str] = Counter()
        self.peak = Peak()
        self._known: dict[int, tuple[Any, Part, int]] = {}

    def add(self, part: Part, tensors: Iterable[torch.Tensor | None]) -> None:
        """Count tensors as a part, whatever they were counted as before."""
        for tensor in tensors:
            if tensor is not None:
                self._count(tensor, part)
        self._update_peak()

    def follow_gradients(self, model: torch.nn.Module) -> None:
        """Count the gradients of a model as such from the moment they are complete."""
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._add_gradient)  # type: ignore[no-untyped-call]

    def _add_gradient(self, parameter: torch.Tensor) -> None:
        self.add("gradients", [parameter.grad])

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation and count what it returns."""
        del types
        found = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor) and id(tensor.untyped_storage()) not in self._known:
                is_wide = tensor.ndim > 1 and tensor.shape[-1] == self.vocabulary
                self._count(tensor, "logits" if is_wide else "activations")
        self._update_peak()
        return found

    def _count(self, tensor: torch.Tensor, part: Part) -> None:
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        known = self._known.get(key)
        if known is not None:
            self.now[known[1]] -= known[2]
            self._known[key] = (known[0], part, size)
        else:
            self._known[key] = (weakref.ref(storage, lambda _: self._forget(key)), part, size)
        self.now[part] += size

    def _forget(self, key: int) -> None:
        _, part, size = self._known.pop(key)
        self.now[part] -= size

    def _update_peak(self) -> None:
        total = sum(self.now.values())
        if total > self.peak.total:
            self.peak = Peak(total, Counter(self.now))
