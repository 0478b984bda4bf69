"""Reading checkpoints: whole models through transformers, or one layer at a time with all checks made at opening."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from gqa_compress.checkpoint.architectures import Architecture, AttentionDims, architecture, attention_dims
from gqa_compress.checkpoint.files import check_one_model, files_by_tensor
from gqa_compress.errors import CheckpointError

EMBEDDING = "model.embed_tokens.weight"


def read_config(folder: Path) -> Any:
    """Read the transformers configuration of a checkpoint folder.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint folder {folder}")
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder} has no config.json, so it is not a checkpoint")
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / 'config.json'} cannot be read: {error}") from error


def load_model(folder: Path) -> Any:
    """Load a model of any type in fp32 and evaluation mode.

    Raises:
        CheckpointError: the folder is not a loadable checkpoint, lacks weights or holds values that are not finite.
    """
    config = read_config(folder)
    check_one_model(folder)
    if any(folder.glob("*.safetensors")):
        _check_embedding(files_by_tensor(folder), config)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # corrupt files surface as many kinds of error
        raise CheckpointError(f"the model {folder} cannot be loaded: {error}") from error
    model, loading = loaded
    # transformers fills what is missing with random weights and only warns.
    if missing := sorted(loading["missing_keys"]):
        raise CheckpointError(f"{folder} has no tensor {missing[0]}; a shard may be missing")
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise CheckpointError(f"{name} in {folder} holds values that are not finite")
    return model.eval()


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer from a checkpoint or tokenizer folder.

    Raises:
        CheckpointError: the folder has no loadable tokenizer.
    """
    if not folder.is_dir():
        raise CheckpointError(f"there is no tokenizer folder {folder}")
    if not any(folder.glob("tokenizer*")):
        raise CheckpointError(f"{folder} holds no tokenizer (tokenizer.json); copy that of the model there")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"no tokenizer can be loaded from {folder}: {error}") from error


def content_hash(folder: Path, *patterns: str) -> str:
    """Return the sha256 of a folder's files that match glob patterns, by name and content.

    Args:
        folder: folder of a checkpoint or tokenizer; where it lies and what it is called does not matter.
        *patterns: glob patterns; configuration and weights if none are given.
    """
    found = hashlib.sha256()
    for path in sorted(
        {path for each in patterns or ("config.json", "*.safetensors") for path in folder.glob(each)}
    ):
        with path.open("rb") as file:
            found.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return found.hexdigest()


class Checkpoint:
    """A checkpoint of a supported model, read one layer at a time.

    Args:
        folder: folder with config.json and safetensors files.

    Raises:
        CheckpointError: a file is missing or corrupt, or a tensor is missing or has another shape than config.json
            says.
        UnsupportedError: the model type cannot be converted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_config(folder)
        self.arch: Architecture = architecture(self.config)
        self.dims: AttentionDims = attention_dims(self.config)
        self.files = files_by_tensor(folder)
        self._check_shapes()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files with weights."""
        return sum(file.stat().st_size for file in set(self.files.values()))

    def layer(self, index: int) -> dict[str, torch.Tensor]:
        """Read the tensors of a decoder layer, named relative to the layer.

        Raises:
            CheckpointError: a weight is not finite, or a file is corrupt.
        """
        prefix = layer_prefix(index)
        names = [name for name in self.files if name.startswith(prefix)]
        return {name.removeprefix(prefix): tensor for name, tensor in self.read(names).items()}

    def names_outside_layers(self) -> list[str]:
        """Return the names of embedding, final norm and LM head tensors."""
        return [name for name in self.files if not name.startswith("model.layers.")]

    def read(self, names: list[str]) -> dict[str, torch.Tensor]:
        """Read tensors by name.

        Raises:
            CheckpointError: a weight is not finite, or a file is corrupt.
        """
        tensors: dict[str, torch.Tensor] = {}
        for file in {self.files[name] for name in names}:
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
        dims, arch = self.dims, self.arch
        inner, kept = dims.num_heads * dims.head_dim, dims.num_kv_heads * dims.head_dim
        expected = {
            arch.q: (inner, dims.hidden_size),
            arch.k: (kept, dims.hidden_size),
            arch.v: (kept, dims.hidden_size),
            arch.o: (dims.hidden_size, inner),
        }
        self._require(EMBEDDING)
        _check_embedding(self.files, self.config)
        for index in range(dims.layers):
            for part, shape in expected.items():
                name = f"{layer_prefix(index)}{part}.weight"
                self._require(name)
                with safe_open(self.files[name], framework="pt") as shard:
                    found = tuple(shard.get_slice(name).get_shape())
                if found != shape:
                    raise CheckpointError(f"{name} has shape {found}; config.json says {shape}")

    def _require(self, name: str) -> None:
        if name not in self.files:
            raise CheckpointError(f"{self.folder} has no tensor {name}; a shard may be missing")


def layer_prefix(index: int) -> str:
    """Return the prefix of a layer's tensor names."""
    return f"model.layers.{index}."


def _check_embedding(files: dict[str, Path], config: Any) -> None:
    """Check that the embedding has the rows that config.json says, as far as its name is known."""
    if EMBEDDING not in files:
        return
    with safe_open(files[EMBEDDING], framework="pt") as shard:
        rows = shard.get_slice(EMBEDDING).get_shape()[0]
    if rows != config.vocab_size:
        raise CheckpointError(
            f"{EMBEDDING} has {rows} rows and config.json says vocab_size={config.vocab_size}; correct config.json"
        )
