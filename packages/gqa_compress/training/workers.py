"""Several processes that train one model: each has a share of weights, gradients, moments and batches of a step.

Started by torchrun or `accelerate launch`; one process alone is the same without communication. Sharding is FSDP2 of
torch. What is written is whole, so that a run resumes with another number of processes.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from gqa_compress.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """This process among those of the run.

    Attributes:
        rank: number of this process; the first one writes all files.
        count: number of processes.
        device: device of this process.
    """

    rank: int
    count: int
    device: torch.device

    @classmethod
    def join(cls, device: torch.device) -> "Workers":
        """Join the processes that a launcher has started; this one is alone without a launcher.

        Args:
            device: kind of device to train on.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(0, 1, device)
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    @property
    def is_sharded(self) -> bool:
        """Whether weights are shared with other processes."""
        return self.count > 1

    def check_share(self, batches: int) -> None:
        """Check that every process gets as many of a step's batches as the others.

        Raises:
            InputError: it does not.
        """
        if batches % self.count:
            raise InputError(
                f"gradient_accumulation_steps={batches} is not a multiple of the {self.count} processes, which share "
                "the batches of a step; a step stays that of one process"
            )

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return this process's share of a step's batches."""
        return items[self.rank :: self.count]

    def sum(self, *values: float) -> list[float]:
        """Return the sums of numbers over all processes."""
        if not self.is_sharded:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(numbers)
        found: list[float] = numbers.tolist()
        return found

    def from_first(self, value: float) -> float:
        """Return a number of the first process."""
        return self.sum(value if self.is_first else 0.0)[0]

    def wait(self) -> None:
        """Wait for all processes."""
        if self.is_sharded:
            dist.barrier()

    def leave(self) -> None:
        """Wait for all processes, and end the communication with them."""
        if self.is_sharded:
            dist.barrier()
            dist.destroy_process_group()

    def sum_gradients_(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Sum the gradients of weights that are not sharded."""
        if self.is_sharded:
            for parameter in parameters:
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)

    def shard_(self, model: Any, *, bf16: bool, whole: Iterable[torch.nn.Parameter] = ()) -> None:
        """Share a model's weights among the processes, layer by layer; they move to the devices as they are shared.

        Args:
            model: a decoder on the CPU, the same in all processes.
            bf16: whether products run in bf16; weights that are stored in fp32 are then gathered in bf16.
            whole: weights that each process keeps.
        """
        if not self.is_sharded:
            return
        mesh = init_device_mesh(self.device.type, (self.count,))
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16 if bf16 else None, reduce_dtype=torch.float32 if bf16 else None
        )
        kept = set(whole)
        for module in (*model.model.layers, model):
            fully_shard(module, mesh=mesh, mp_policy=policy, ignored_params=kept)
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.set_force_sum_reduction_for_comms(True)
                module.set_gradient_divide_factor(1.0)
        for parameter in kept:
            parameter.data = parameter.data.to(self.device)


def whole_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor without the shares of other processes missing; a call of all processes."""
    if isinstance(tensor, DTensor):
        found: torch.Tensor = tensor.full_tensor()
        return found
    return tensor


def like(whole: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Return a whole tensor shared as a weight of the same shape is, on its device."""
    placed = whole.to(parameter.device)
    if isinstance(parameter, DTensor) and placed.shape == parameter.shape:
        return distribute_tensor(placed, parameter.device_mesh, parameter.placements)
    return placed


def whole_optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the state of an optimizer with whole tensors on the CPU; a call of all processes."""
    state = optimizer.state_dict()
    tensors = {
        number: {
            name: whole_tensor(value).cpu() if isinstance(value, torch.Tensor) else value
            for name, value in entry.items()
        }
        for number, entry in state["state"].items()
    }
    return {**state, "state": tensors}


def load_optimizer_state_(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load what `whole_optimizer_state` returned, shared as the weights are."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    tensors = {
        number: {
            name: like(value, parameters[number]) if isinstance(value, torch.Tensor) and value.ndim else value
            for name, value in entry.items()
        }
        for number, entry in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": tensors})
