"""Converted layers of an unfinished conversion, on disk: one that was killed goes on after the last of them.

Residual streams are not written: they follow from the layers. Reads and writes: OUT.partial/, until OUT is complete.
"""

import fcntl
import json
import os
import shutil
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open

from gqa_compress.checkpoint.writer import write_tensors
from gqa_compress.conversion.config import LayerReport
from gqa_compress.errors import CompressError
from graphling_io.console import print_status
from graphling_io.outputs import OutputError, atomic_file, check_output_directory, clear_directory, write_json

IDENTITY = "conversion-identity.json"


class ConvertedLayers:
    """The layers that are converted so far; a context that removes them if the conversion itself fails.

    Args:
        out: folder of the conversion; the layers lie beside it.
        identity: what the layers depend on; those of another conversion are removed.

    Raises:
        OutputError: the folder holds something else, or another process converts into it.
    """

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        self.folder = out.resolve().with_name(f"{out.resolve().name}.partial")
        self.identity: dict[str, Any] = json.loads(json.dumps(identity, default=str))
        self._lock = -1

    def __enter__(self) -> Self:
        """Take over the layers of a conversion that was killed."""
        check_output_directory(self.folder, markers=[IDENTITY], force=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise OutputError(
                f"another conversion writes {self.folder}; wait for it or name another OUT"
            ) from error
        path = self.folder / IDENTITY
        if not path.is_file() or json.loads(path.read_text(encoding="utf-8")) != self.identity:
            clear_directory(self.folder, markers=[IDENTITY])
            write_json(path, self.identity)
        elif count := len(list(self.folder.glob("layer-*.safetensors"))):
            print_status(f"{count} layers were converted before; the conversion goes on after them")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the layers if the conversion is complete or has failed; an interrupted one keeps them."""
        del error, trace
        if kind is None or issubclass(kind, CompressError | OutputError):
            shutil.rmtree(self.folder)
        os.close(self._lock)

    def read(self, index: int) -> tuple[dict[str, torch.Tensor], LayerReport] | None:
        """Return the tensors of a layer, named relative to it, and its report; None if it is not converted yet."""
        path = self._path(index)
        try:
            with safe_open(path, framework="pt") as file:
                report = json.loads(file.metadata()["report"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (FileNotFoundError, SafetensorError):
            return None
        known = {each.name for each in fields(LayerReport)}
        return tensors, LayerReport(**{name: value for name, value in report.items() if name in known})

    def write(self, index: int, tensors: dict[str, torch.Tensor], report: LayerReport) -> None:
        """Write a converted layer."""
        with atomic_file(self._path(index)) as temporary:
            whole = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
            write_tensors(temporary, whole, {"format": "pt", "report": json.dumps(asdict(report))})

    def _path(self, index: int) -> Path:
        return self.folder / f"layer-{index:05d}.safetensors"
