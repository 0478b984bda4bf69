"""The safetensors files of a checkpoint folder: which tensor lies where, and folders that can be read in two ways."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from gqa_compress.errors import CheckpointError, InputError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
# Left by torch.compile, DataParallel, multimodal models and peft.
FOREIGN_PREFIXES = ("_orig_mod.", "module.", "language_model.", "model.language_model.", "base_model.model.")
FLOATS = {"F64", "F32", "F16", "BF16"}


def files_by_tensor(folder: Path) -> dict[str, Path]:
    """Return the file of each tensor of a checkpoint.

    Raises:
        CheckpointError: a file is missing or corrupt, the folder can be read in two ways, or its tensors are not those
            of a standard checkpoint in floating point.
    """
    check_one_model(folder)
    index = folder / INDEX
    weight_map: dict[str, str] = {}
    if index.is_file():
        try:
            weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{index} cannot be read: {error}") from error
        files = sorted({folder / name for name in weight_map.values()})
    else:
        files = [folder / SINGLE]
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
                _check_dtypes(file, shard)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file} is corrupt or not a safetensors file: {error}") from error
    if absent := sorted(set(weight_map) - set(found)):
        raise CheckpointError(f"{folder} lacks the tensor {absent[0]} that its index names")
    _check_prefix(folder, found)
    return found


def check_one_model(folder: Path) -> None:
    """Check that every tool reads the same model from a folder.

    Raises:
        CheckpointError: an adapter lies beside the weights, or a single file beside an index of shards.
    """
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            f"{folder} holds an adapter (adapter_config.json) beside the model; merge it with merge_and_unload, or "
            "move it to a folder of its own"
        )
    if (folder / INDEX).is_file() and (folder / SINGLE).is_file():
        names = json.loads((folder / INDEX).read_text(encoding="utf-8")).get("weight_map", {}).values()
        if SINGLE not in names:
            raise CheckpointError(
                f"{folder} holds {SINGLE} and {INDEX}, which are two models; remove the one that is not meant"
            )


def check_token_ids(input_ids: torch.Tensor, rows: int) -> None:
    """Check that the embedding has a row for each token.

    Raises:
        InputError: a token has none.
    """
    largest = int(input_ids.max())
    if largest >= rows:
        raise InputError(
            f"the tokenizer gives token {largest} and the model has embeddings of {rows} tokens; use the tokenizer "
            "of the model, or resize its embeddings"
        )


def _check_prefix(folder: Path, names: Collection[str]) -> None:
    for prefix in FOREIGN_PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            raise CheckpointError(
                f"the tensors in {folder} are named {prefix}…; save the model without that prefix"
            )


def _check_dtypes(file: Path, shard: Any) -> None:
    for name in shard.keys():  # noqa: SIM118  safetensors' handle is no mapping
        dtype = shard.get_slice(name).get_dtype()
        if name.endswith("weight") and dtype not in FLOATS:
            raise CheckpointError(
                f"{name} in {file} is {dtype}, so the checkpoint is quantized; use the unquantized one"
            )
