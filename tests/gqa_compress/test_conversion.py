"""Conversion: exact cases, and the standard checkpoint that comes out. Rejected inputs are in test_refusals.py."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.gqa_compress.tiny_models import Copies, byte_tokenizer, save_tiny, tiny_model, with_copied_heads
from transformers import AutoModelForCausalLM, AutoTokenizer

from gqa_compress.checkpoint.architectures import SUPPORTED
from gqa_compress.checkpoint.inspection import inspect
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.conversion.layerwise import LayerwiseConverter
from gqa_compress.errors import RowsError
from gqa_compress.evaluation.cache import bench
from gqa_compress.text.calibration import read_sequences
from graphling_io.outputs import OutputError

TOKENS = torch.randint(1, 257, (3, 24), generator=torch.Generator().manual_seed(1))


def closed_form(kv_heads: int, **fields: object) -> ConversionConfig:
    defaults = {"distill_steps_per_layer": 0, "tokens": 1024, "max_length": 64}
    return ConversionConfig(kv_heads=kv_heads, **(defaults | fields))


def logits(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(TOKENS).logits


@pytest.mark.parametrize("model_type", sorted(SUPPORTED))
@pytest.mark.parametrize(
    ("copies", "method"), [("rotated", "aligned"), ("scaled", "weighted"), ("equal", "mean")]
)
def test_copied_heads_convert_without_loss(
    tmp_path: Path, text: Path, model_type: str, copies: Copies, method: str
) -> None:
    source = save_tiny(with_copied_heads(tiny_model(model_type), 2, copies), tmp_path / "source")
    convert(source, text, tmp_path / "out", closed_form(2, method=method))
    torch.testing.assert_close(logits(tmp_path / "out"), logits(source), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "fields", [{"partial_rotary_factor": 0.5}, {"partial_rotary_factor": 0.25, "use_parallel_residual": True}]
)
def test_coordinates_without_rotation_convert_without_loss(tmp_path: Path, text: Path, fields: dict) -> None:
    model = with_copied_heads(tiny_model("stablelm", **fields), 2, "scaled")
    source = save_tiny(model, tmp_path / "source")
    convert(source, text, tmp_path / "out", closed_form(2))
    torch.testing.assert_close(logits(tmp_path / "out"), logits(source), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("groups", [2, 1])
def test_a_gqa_source_converts_further_without_loss(tmp_path: Path, text: Path, groups: int) -> None:
    model = with_copied_heads(tiny_model("llama", kv_heads=4), groups, "scaled")
    source = save_tiny(model, tmp_path / "source")
    convert(source, text, tmp_path / "out", closed_form(groups))
    torch.testing.assert_close(logits(tmp_path / "out"), logits(source), atol=1e-5, rtol=1e-5)


def test_search_finds_copies_that_are_not_adjacent(tmp_path: Path, text: Path) -> None:
    model = with_copied_heads(tiny_model("llama"), 2, "rotated", interleaved=True)
    source = save_tiny(model, tmp_path / "source")
    report = convert(source, text, tmp_path / "out", closed_form(2, grouping="search"))
    assert report.layers[0].groups == [[0, 2, 4, 6], [1, 3, 5, 7]]
    torch.testing.assert_close(logits(tmp_path / "out"), logits(source), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("local_steps", [0, 5])
def test_keeping_all_heads_changes_no_weight(tmp_path: Path, text: Path, local_steps: int) -> None:
    source = save_tiny(tiny_model("qwen2"), tmp_path / "source")
    convert(source, text, tmp_path / "out", closed_form(8, distill_steps_per_layer=local_steps))
    before, after = (load_file(folder / "model.safetensors") for folder in (source, tmp_path / "out"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory, text: Path) -> tuple[Path, Path]:
    """A random bf16 model, and the same with one key-value head."""
    folder = tmp_path_factory.mktemp("converted")
    source = save_tiny(tiny_model("llama").to(torch.bfloat16), folder / "source")
    convert(source, text, folder / "out", closed_form(1, distill_steps_per_layer=4))
    return source, folder / "out"


def test_the_result_is_a_stock_checkpoint(converted: tuple[Path, Path]) -> None:
    source, out = converted
    before, after = (json.loads((folder / "config.json").read_text()) for folder in converted)
    assert after == before | {"num_key_value_heads": 1}
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.dtype == torch.bfloat16
    assert model.model.layers[0].self_attn.k_proj.weight.shape == (8, 64)
    assert AutoTokenizer.from_pretrained(out).encode("ab") == AutoTokenizer.from_pretrained(source).encode(
        "ab"
    )
    assert "8 → 1 key-value heads" in (out / "README.md").read_text()


def test_generation_with_a_cache_agrees_with_generation_without(converted: tuple[Path, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(converted[1], dtype=torch.float32).eval()
    with_cache, without = (
        model.generate(TOKENS[:1], max_new_tokens=12, do_sample=False, use_cache=use, pad_token_id=0)
        for use in (True, False)
    )
    assert torch.equal(with_cache, without)


def test_the_cache_shrinks_by_the_share_of_heads(converted: tuple[Path, Path]) -> None:
    before, after = (bench(folder, prompt_length=8, new_tokens=4, repeats=1) for folder in converted)
    assert (
        before.kv_cache_bytes_per_token == inspect(converted[0]).kv_cache_bytes_per_token == 2 * 2 * 8 * 8 * 2
    )
    assert after.kv_cache_bytes_per_token == before.kv_cache_bytes_per_token / 8


def test_the_report_is_written_and_says_what_was_done(converted: tuple[Path, Path]) -> None:
    report = json.loads((converted[1] / "conversion.json").read_text())
    assert report["plan"]["kv_heads"] == report["kv_heads_after"] == 1
    assert [layer["groups"] for layer in report["layers"]] == [[list(range(8))]] * 2
    assert all(0 < layer["residual_relative_error"] < 1 for layer in report["layers"])
    assert report["peak_memory_bytes"] > 0


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    for name in ("one", "two"):
        convert(source, text, tmp_path / name, closed_form(2, distill_steps_per_layer=5))
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


def test_a_sharded_checkpoint_converts_to_a_sharded_one(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gqa_compress.checkpoint.writer.SHARD_BYTES", 40_000)
    model = with_copied_heads(tiny_model("llama"), 2, "equal")
    source = save_tiny(model, tmp_path / "source", max_shard_size="40KB")
    assert (source / "model.safetensors.index.json").exists()
    convert(source, text, tmp_path / "out", closed_form(2))
    assert len(list((tmp_path / "out").glob("model-*-of-*.safetensors"))) > 1
    torch.testing.assert_close(logits(tmp_path / "out"), logits(source), atol=1e-5, rtol=1e-5)


def test_rotary_buffers_of_old_checkpoints_are_kept(tmp_path: Path, text: Path) -> None:
    source = save_tiny(with_copied_heads(tiny_model("llama"), 2, "equal"), tmp_path / "source")
    name = "model.layers.1.self_attn.rotary_emb.inv_freq"
    tensors = load_file(source / "model.safetensors") | {name: torch.ones(4)}
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    convert(source, text, tmp_path / "out", closed_form(2))
    assert torch.equal(load_file(tmp_path / "out" / "model.safetensors")[name], torch.ones(4))


def test_files_are_readable_by_others_and_name_no_place(converted: tuple[Path, Path]) -> None:
    source, out = converted
    modes = {path.stat().st_mode & 0o777 for path in out.iterdir()}
    assert modes == {(source / "config.json").stat().st_mode & 0o777}
    written = (out / "conversion.json").read_text()
    assert json.loads(written)["source"] == "source"
    assert str(source.parent) not in written + (out / "README.md").read_text()


def test_rows_and_text_give_the_same_kind_of_result(tmp_path: Path, text: Path) -> None:
    source = save_tiny(with_copied_heads(tiny_model("llama"), 2, "rotated"), tmp_path / "source")
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(json.dumps({"text": text.read_text()[i : i + 20 + i % 7]}) + "\n" for i in range(60))
    )
    report = convert(source, rows, tmp_path / "out", closed_form(2))
    assert report.calibration_tokens + report.held_out.tokens <= 60 * 27
    torch.testing.assert_close(logits(tmp_path / "out"), logits(source), atol=1e-5, rtol=1e-5)


def test_a_data_set_by_name_is_read_like_rows(tmp_path: Path, text: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    rows = [json.dumps({"text": text.read_text()[at : at + 40]}) + "\n" for at in range(60)]
    (folder / "train.jsonl").write_text("".join(rows))
    byte_tokenizer(tmp_path / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    named, plain = (
        read_sequences(Path(name), tokenizer, tokens=800, max_length=32)
        for name in (f"datasets:{folder}", folder / "train.jsonl")
    )
    assert named == plain
    with pytest.raises(RowsError, match="cannot be read"):
        read_sequences(Path(f"datasets:{tmp_path / 'none'}"), tokenizer, tokens=None, max_length=32)


def test_the_byte_tokenizer_round_trips(tmp_path: Path) -> None:
    byte_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.decode(tokenizer.encode("def f():\n\treturn 'ü'")) == "def f():\n\treturn 'ü'"


def killed_after(layers: int, source: Path, text: Path, out: Path, plan: ConversionConfig) -> None:
    """Convert in another process and kill it once so many layers are written."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from gqa_compress.conversion import converted_layers\n"
        "from gqa_compress.conversion.config import ConversionConfig\n"
        "from gqa_compress.conversion.convert import convert\n"
        "write = converted_layers.ConvertedLayers.write\n"
        "def stop(self, index, tensors, report):\n"
        "    write(self, index, tensors, report)\n"
        f"    if index + 1 == {layers}:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "converted_layers.ConvertedLayers.write = stop\n"
        f"convert(Path({str(source)!r}), Path({str(text)!r}), Path({str(out)!r}), {plan!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_killed_conversion_goes_on_after_its_last_layer_to_the_same_weights(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    source = save_tiny(tiny_model("llama", num_hidden_layers=3).to(dtype), tmp_path / "source")
    plan = closed_form(2, distill_steps_per_layer=4)
    whole = convert(source, text, tmp_path / "whole", plan)
    killed_after(2, source, text, tmp_path / "out", plan)
    assert not (tmp_path / "out").exists()
    converted = []
    convert_layer = LayerwiseConverter.convert_layer

    def count(self: LayerwiseConverter, index: int) -> Any:
        converted.append(index)
        return convert_layer(self, index)

    monkeypatch.setattr(LayerwiseConverter, "convert_layer", count)
    resumed = convert(source, text, tmp_path / "out", plan)
    assert converted == [2]
    assert not (tmp_path / "out.partial").exists()
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "out"))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert resumed.held_out == whole.held_out


def test_layers_of_another_conversion_are_not_taken_over(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    killed_after(1, source, text, tmp_path / "out", closed_form(4))
    convert(source, text, tmp_path / "out", closed_form(2))
    convert(source, text, tmp_path / "whole", closed_form(2))
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "out"))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_folder_that_no_conversion_made_is_not_taken_for_its_layers(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        convert(source, text, tmp_path / "out", closed_form(2))
    assert (tmp_path / "out.partial" / "thesis.txt").exists()
