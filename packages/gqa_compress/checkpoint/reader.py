"""Checkpoints on disk, read one layer at a time.

Holds opening with every check that needs no arithmetic, and reading; shards.py writes. Knows nothing of heads.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from gqa_compress.checkpoint.architectures import Architecture, AttentionDims, architecture, attention_dims
from gqa_compress.errors import CheckpointError


def read_config(folder: Path) -> Any:
    """Read a checkpoint's configuration.

    Args:
        folder: the checkpoint.

    Returns:
        A transformers configuration.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint folder {folder}")
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder} holds no config.json, so it is no checkpoint")
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / 'config.json'} cannot be read: {error}") from error


def load_model(folder: Path) -> Any:
    """Load a whole model of any kind in fp32.

    Args:
        folder: the checkpoint.

    Returns:
        A transformers model in evaluation mode.

    Raises:
        CheckpointError: the folder is no loadable checkpoint.
    """
    read_config(folder)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    except Exception as error:  # torn files surface as many kinds of error
        raise CheckpointError(f"the model {folder} cannot be loaded: {error}") from error
    return model.eval()


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer.

    Args:
        folder: a checkpoint or a tokenizer folder.

    Returns:
        A transformers tokenizer.

    Raises:
        CheckpointError: there is none in that folder.
    """
    if not folder.is_dir():
        raise CheckpointError(f"there is no tokenizer folder {folder}")
    if not any(folder.glob("tokenizer*")):
        raise CheckpointError(f"{folder} holds no tokenizer (tokenizer.json); copy that of the model there")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"no tokenizer can be loaded from {folder}: {error}") from error


class Checkpoint:
    """A checkpoint of a supported model, opened for reading one layer at a time.

    Args:
        folder: with config.json and safetensors files.

    Raises:
        CheckpointError: a file is missing or torn, or a tensor is missing or has another shape than the
            configuration says.
        UnsupportedError: the kind of model cannot be converted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_config(folder)
        self.architecture: Architecture = architecture(self.config)
        self.geometry: AttentionDims = attention_dims(self.config)
        self.files = _files_by_tensor(folder)
        self._check_shapes()

    @property
    def size_bytes(self) -> int:
        """Bytes of all its tensors on disk."""
        return sum(file.stat().st_size for file in set(self.files.values()))

    def layer(self, index: int) -> dict[str, torch.Tensor]:
        """Read one decoder layer.

        Args:
            index: counted from 0.

        Returns:
            Its tensors, named relative to the layer.

        Raises:
            CheckpointError: a weight is not finite, or a file is torn.
        """
        prefix = layer_prefix(index)
        names = [name for name in self.files if name.startswith(prefix)]
        return {name.removeprefix(prefix): tensor for name, tensor in self.read(names).items()}

    def outside(self) -> list[str]:
        """Name the tensors of no layer: embeddings, last norm, output matrix."""
        return [name for name in self.files if not name.startswith("model.layers.")]

    def read(self, names: list[str]) -> dict[str, torch.Tensor]:
        """Read tensors by their full names.

        Args:
            names: as in the files.

        Returns:
            The tensors.

        Raises:
            CheckpointError: a weight is not finite, or a file is torn.
        """
        tensors: dict[str, torch.Tensor] = {}
        for file in sorted({self.files[name] for name in names}):
            try:
                with safe_open(file, framework="pt") as shard:
                    tensors |= {name: shard.get_tensor(name) for name in names if self.files[name] == file}
            except (SafetensorError, OSError) as error:
                raise CheckpointError(f"{file} cannot be read: {error}") from error
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise CheckpointError(f"{name} in {self.files[name]} holds values that are not finite")
        return tensors

    def _check_shapes(self) -> None:
        sizes, where = self.geometry, self.architecture
        inner, kept = sizes.num_heads * sizes.head_dim, sizes.num_kv_heads * sizes.head_dim
        expected = {
            where.q: (inner, sizes.hidden_size),
            where.k: (kept, sizes.hidden_size),
            where.v: (kept, sizes.hidden_size),
            where.o: (sizes.hidden_size, inner),
        }
        if "model.embed_tokens.weight" not in self.files:
            raise CheckpointError(
                f"{self.folder} has no tensor model.embed_tokens.weight; a shard may be missing"
            )
        for index in range(sizes.layers):
            for part, shape in expected.items():
                name = f"{layer_prefix(index)}{part}.weight"
                if name not in self.files:
                    raise CheckpointError(f"{self.folder} has no tensor {name}; a shard may be missing")
                with safe_open(self.files[name], framework="pt") as shard:
                    found = tuple(shard.get_slice(name).get_shape())
                if found != shape:
                    raise CheckpointError(f"{name} has shape {found}; config.json says {shape}")


def layer_prefix(index: int) -> str:
    """Return what the names of a layer's tensors begin with."""
    return f"model.layers.{index}."


def _files_by_tensor(folder: Path) -> dict[str, Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{index} cannot be read: {error}") from error
        files = sorted({folder / name for name in weight_map.values()})
    else:
        files = [folder / "model.safetensors"]
        if not files[0].is_file() and any(folder.glob("pytorch_model*.bin")):
            raise CheckpointError(
                f"{folder} holds pytorch_model.bin files only; save it as safetensors first"
            )
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(f"{folder} lacks {', '.join(missing)}; download or copy the whole checkpoint")
    found: dict[str, Path] = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as shard:
                found |= dict.fromkeys(shard.keys(), file)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file} is torn or no safetensors file: {error}") from error
    if index.is_file() and (absent := sorted(set(weight_map) - set(found))):
        raise CheckpointError(f"{folder} lacks the tensor {absent[0]} that its index names")
    return found
