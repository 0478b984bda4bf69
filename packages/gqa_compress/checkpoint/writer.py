"""Writing checkpoints: tensors shard by shard, configuration, tokenizer files."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from gqa_compress.errors import TrainingError
from graphling_io.outputs import OutputError, apply_umask

SHARD_BYTES = 4 * 2**30
TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "chat_template*",
)
COPIED_FILES = (
    *TOKENIZER_FILES,
    "additional_chat_templates/*",
    "generation_config.json",
    "LICENSE*",
    "NOTICE*",
    "Notice*",
    "*USE_POLICY*",
)


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file with the usual permissions.

    Args:
        path: file to write.
        tensors: tensors by name, contiguous.
        metadata: stored in the header.

    Raises:
        OutputError: the file cannot be written, for instance because the disk is full.
    """
    try:
        save_file(dict(tensors), path, metadata=metadata)
        apply_umask(path)
    except (SafetensorError, OSError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


class ShardWriter:
    """Writes safetensors files of at most about `SHARD_BYTES`, and an index if there are several.

    Args:
        folder: folder to write into.
        dtype: data type of floating-point tensors; their own if None.
    """

    def __init__(self, folder: Path, dtype: torch.dtype | None = None) -> None:
        self.folder = folder
        self.dtype = dtype
        self._held: dict[str, torch.Tensor] = {}
        self._written: list[list[str]] = []
        self._total = 0

    def add(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Add tensors by their full names, on any device.

        Raises:
            TrainingError: a value is not finite in the data type.
        """
        for name, tensor in tensors.items():
            cast = tensor.to(self.dtype) if self.dtype and tensor.is_floating_point() else tensor
            if cast is not tensor and not torch.isfinite(cast).all():
                raise TrainingError(
                    f"{name} has values that {self.dtype} cannot hold; use bfloat16 or float32"
                )
            self._held[name] = cast.contiguous().cpu()
        if sum(tensor.nbytes for tensor in self._held.values()) >= SHARD_BYTES:
            self._flush()

    def close(self) -> None:
        """Write the last shard and give all shards their final names."""
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
        return self.folder / f"shard-{number}.tmp"

    def _flush(self) -> None:
        if not self._held:
            return
        write_tensors(self._shard(len(self._written)), self._held, {"format": "pt"})
        self._written.append(list(self._held))
        self._total += sum(tensor.nbytes for tensor in self._held.values())
        self._held = {}


def copy_tokenizer_files(source: Path, target: Path) -> None:
    """Copy tokenizer, generation configuration, licence and notices from the source folder to the target folder."""
    for pattern in COPIED_FILES:
        for path in source.glob(pattern):
            if path.is_file():
                copy = target / path.relative_to(source)
                copy.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, copy)


def write_config(source: Path, target: Path, kv_heads: int, *, dtype: str | None = None) -> None:
    """Copy config.json from the source folder to the target folder with another number of KV heads.

    References to custom code are left out: types that can be converted are part of transformers.

    Args:
        source: checkpoint folder.
        target: folder to write into.
        kv_heads: KV heads of the new checkpoint.
        dtype: data type of its weights, if it is another.
    """
    content = json.loads((source / "config.json").read_text(encoding="utf-8"))
    content["num_key_value_heads"] = kv_heads
    content.pop("auto_map", None)
    if dtype is not None:
        content.pop("torch_dtype", None)
        content["dtype"] = dtype
    (target / "config.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
