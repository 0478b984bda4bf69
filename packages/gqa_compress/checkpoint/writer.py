"""Checkpoints on disk, written shard by shard.

Holds writing of tensors, configuration and what goes with them; checkpoint.py reads. Knows nothing of heads.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from graphling_io.outputs import OutputError, apply_umask

SHARD_BYTES = 4 * 2**30
COPIED = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "chat_template*",
    "generation_config.json",
    "LICENSE*",
)


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file with the mode that other new files get.

    Args:
        path: the file.
        tensors: by name, contiguous, on the CPU.
        metadata: to store with them.

    Raises:
        OutputError: it cannot be written, for instance for want of space.
    """
    try:
        save_file(dict(tensors), path, metadata=metadata)
        apply_umask(path)
    except (SafetensorError, OSError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


class ShardWriter:
    """Writes tensors into safetensors files of bounded size, and the index when there are several.

    Args:
        folder: to write into.
        shard_bytes: size at which a shard is closed; 4 GiB when absent.
    """

    def __init__(self, folder: Path, *, shard_bytes: int | None = None) -> None:
        self.folder = folder
        self.shard_bytes = shard_bytes or SHARD_BYTES
        self._held: dict[str, torch.Tensor] = {}
        self._written: list[list[str]] = []
        self._total = 0

    def add(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Add tensors under their full names.

        Args:
            tensors: to write, on any device.
        """
        self._held |= {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        if sum(tensor.nbytes for tensor in self._held.values()) >= self.shard_bytes:
            self._flush()

    def close(self) -> None:
        """Write what is held and give the shards their final names."""
        self._flush()
        count = len(self._written)
        if count == 1:
            self._shard(0).rename(self.folder / "model.safetensors")
            return
        weight_map: dict[str, str] = {}
        for number, names in enumerate(self._written):
            final = f"model-{number + 1:05d}-of-{count:05d}.safetensors"
            self._shard(number).rename(self.folder / final)
            weight_map |= dict.fromkeys(names, final)
        index = {"metadata": {"total_size": self._total}, "weight_map": weight_map}
        (self.folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))

    def _shard(self, number: int) -> Path:
        return self.folder / f"shard-{number}.partial"

    def _flush(self) -> None:
        if not self._held:
            return
        write_tensors(self._shard(len(self._written)), self._held, {"format": "pt"})
        self._written.append(list(self._held))
        self._total += sum(tensor.nbytes for tensor in self._held.values())
        self._held = {}


def copy_companions(source: Path, target: Path) -> None:
    """Copy the tokenizer and the generation settings.

    Args:
        source: the original checkpoint.
        target: the new one.
    """
    for pattern in COPIED:
        for path in source.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, target / path.name)


def write_config(source: Path, target: Path, kv_heads: int) -> None:
    """Copy config.json with another number of key-value heads and nothing else changed.

    Args:
        source: the original checkpoint.
        target: the new one.
        kv_heads: G.
    """
    content = json.loads((source / "config.json").read_text(encoding="utf-8"))
    content["num_key_value_heads"] = kv_heads
    (target / "config.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
