"""Device, software versions and memory of this process."""

import ctypes
import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch

from gqa_compress.errors import InputError

Device = Literal["auto", "cpu", "cuda"]


def choose_device(name: Device = "auto") -> torch.device:
    """Return the device of a name; `auto` is CUDA if there is one, else the CPU.

    Raises:
        InputError: CUDA was asked for and is not available.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device=cuda was asked for and there is no CUDA device; use auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a result depends on, and the git commit if run from a checkout."""
    found = {}
    for name in ("graphling", "torch", "transformers", "safetensors"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def peak_memory_bytes(device: torch.device) -> int:
    """Return the peak memory of this process in bytes, on the given device."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def disable_malloc_trim() -> None:
    """Stop glibc from returning freed memory to the kernel after every operation.

    A training step allocates the same tensors again and again; page faults cost about a tenth of a step on a CPU.
    Does nothing on other C libraries.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, mmap_max = -1, -4  # constants of malloc.h
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_max, 0)


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None
