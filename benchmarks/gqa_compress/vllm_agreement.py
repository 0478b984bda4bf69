"""Convert a model of every supported architecture and decode it by transformers and by vLLM.

    python benchmarks/gqa_compress/vllm_agreement.py [--architectures llama,qwen2] [--home DIR]

Needs vLLM (`make vllm` for the CPU build). The models are random, two layers, 8 heads of 32, kept in fp32, and
converted to 2 key-value heads with refits. Both engines write 24 greedy tokens for four prompts; every token must be
the same. Of each model, original and converted, the key-value cache is also weighed in vLLM: the space given to it
over the tokens that it says it holds. Writes results/vllm_agreement.json
and .md beside this file after every architecture.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
NEW_TOKENS = 24
SPACE_GIB = 1
PROMPTS = [[5, 17, 99, 3, 42], list(range(30, 60)), [200, 7], [11, 13, 17, 19, 23, 29, 31, 37]]
TEXT = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs!\n"


def serve(folders: list[str]) -> None:
    """Decode by vLLM, one model after the other in this process, a line of JSON each; started as a child."""
    from vllm import LLM, SamplingParams
    from vllm.distributed import cleanup_dist_env_and_memory

    sampling = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, ignore_eos=True, detokenize=False)
    prompts = [{"prompt_token_ids": prompt} for prompt in PROMPTS]
    for folder in folders:
        found: dict[str, Any] = {"folder": folder}
        try:
            engine = LLM(
                model=folder,
                dtype="float32",
                enforce_eager=True,
                max_model_len=96,
                max_num_seqs=4,
                disable_log_stats=True,
            )
            answers = engine.generate(prompts, sampling, use_tqdm=False)
            cache = engine.llm_engine.vllm_config.cache_config
            found["written"] = [list(answer.outputs[0].token_ids) for answer in answers]
            found["cache_bytes_a_token"] = SPACE_GIB * 2**30 / (cache.num_gpu_blocks * cache.block_size)
            del engine
        except Exception as error:  # noqa: BLE001  a model that vLLM cannot serve is a result
            found["error"] = str(error).strip().splitlines()[-1:]
        print(json.dumps(found), flush=True)
        cleanup_dist_env_and_memory()


def by_vllm(folders: list[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield what vLLM writes with each model as soon as it is there; importing vLLM is most of the work."""
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": str(SPACE_GIB),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, __file__, "--serve", *map(str, folders)]
    left = list(folders)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith('{"folder"'):
                found = json.loads(line)
                yield left.pop(0), found
    yield from ((folder, {"error": [f"vLLM ended with {child.returncode}"]}) for folder in left)


def by_transformers(folder: Path) -> list[list[int]]:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    written = []
    for prompt in PROMPTS:
        tokens = torch.tensor([prompt])
        with torch.no_grad():
            out = model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
                eos_token_id=-1,
                pad_token_id=0,
            )
        written.append(out[0, len(prompt) :].tolist())
    return written


def make(kind: str, home: Path) -> list[Path]:
    """Make a random model of a type and convert it."""
    from tests.gqa_compress.tiny_models import save_tiny, tiny_model

    from gqa_compress.conversion.config import ConversionConfig
    from gqa_compress.conversion.convert import convert

    shape = (
        {"hidden_size": 256, "intermediate_size": 256, "head_dim": 32}
        if kind == "gemma"
        else {"hidden_size": 256}
    )
    source, out, text = home / f"{kind}-8", home / f"{kind}-2", home / "text.txt"
    text.write_text(TEXT * 20, encoding="utf-8")
    if not source.exists():
        save_tiny(tiny_model(kind, **shape), source)
    convert(
        source,
        text,
        out,
        ConversionConfig(kv_heads=2, distill_steps_per_layer=0, tokens=1024, max_length=64),
        force=True,
    )
    return [source, out]


def compared(folder: Path, served: dict[str, Any]) -> dict[str, Any]:
    from gqa_compress.checkpoint.inspection import inspect

    reference = by_transformers(folder)
    return {
        "expected_cache_bytes_a_token": inspect(folder).kv_cache_bytes_per_token,
        "cache_bytes_a_token": served.get("cache_bytes_a_token"),
        "same_prompts": sum(a == b for a, b in zip(served.get("written", []), reference, strict=False)),
        "prompts": len(PROMPTS),
        "error": served.get("error"),
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        "Made by `python benchmarks/gqa_compress/vllm_agreement.py`: random models of 8 and of 2 KV heads, greedy,",
        "vLLM against",
        "transformers; cache in bytes a token as vLLM allots it.\n",
        "| architecture | same continuations, 8 heads | 2 heads | cache, 8 heads | 2 heads |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = []
        for name in ("original", "converted"):
            part = row[name]
            cells.append(
                f"{part['same_prompts']} of {part['prompts']}" if not part["error"] else "not loaded"
            )
        weights = [row[name]["cache_bytes_a_token"] for name in ("original", "converted")]
        cells += ["–" if weight is None else f"{weight:,.0f}" for weight in weights]
        lines.append(f"| {row['architecture']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architectures")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--serve", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    from gqa_compress.checkpoint.architectures import SUPPORTED
    from graphling_io.outputs import write_json, write_text

    chosen = given.architectures.split(",") if given.architectures else sorted(SUPPORTED)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        home = given.home or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        folders = [folder for kind in chosen for folder in make(kind, home)]
        for folder, served in by_vllm(folders):
            kind, heads = folder.name.rsplit("-", 1)
            if heads == "8":
                rows.append({"architecture": kind, "original": compared(folder, served)})
                continue
            rows[-1]["converted"] = compared(folder, served)
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            RESULTS.mkdir(exist_ok=True)
            write_json(RESULTS / "vllm_agreement.json", rows)
            write_text(RESULTS / "vllm_agreement.md", markdown(rows))
    parts = [row[name] for row in rows for name in ("original", "converted")]
    if any(part["error"] or part["same_prompts"] < len(PROMPTS) for part in parts):
        sys.exit(1)


if __name__ == "__main__":
    main()
