"""The machine and the software that a result depends on.

Holds the device to compute on, versions, the git commit, peak memory, and how memory is kept between steps.
"""

import ctypes
import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def default_device() -> torch.device:
    """Return the accelerator if there is one, the processor otherwise."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def versions() -> dict[str, str]:
    """Return the versions that decide a result, and the git commit when run from a checkout."""
    found = {}
    for name in ("graphling", "torch", "transformers", "safetensors"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory the process has held, on the accelerator if it computes there.

    Args:
        device: where it computes.

    Returns:
        Bytes.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def disable_malloc_trim() -> None:
    """Tell glibc to keep freed memory rather than give it back after every operation.

    A training step allocates the same tensors over and over; without this each is paged in anew, which costs
    about a tenth of the step on a CPU. Does nothing on other C libraries.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, mmap_max = -1, -4  # names of malloc.h
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
