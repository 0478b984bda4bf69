"""Conversions that are refused: what the message says, and that nothing is left behind."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tests.gqa_compress.tiny_models import save_tiny, tiny_model

from gqa_compress.checkpoint.reader import load_model
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.errors import CheckpointError, PlanError, RowsError, TrainingError, UnsupportedError
from gqa_compress.text.rows import Row, read_rows, read_source
from graphling_io.outputs import OutputError

PLAN = ConversionConfig(kv_heads=2, distill_steps_per_layer=0, tokens=1024, max_length=64)


def test_heads_that_do_not_divide_are_refused(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    with pytest.raises(
        PlanError, match="kv_heads=3 does not divide num_key_value_heads=8; choose one of 1, 2, 4, 8"
    ):
        convert(source, text, tmp_path / "out", replace(PLAN, kv_heads=3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def break_shard(folder: Path) -> None:
    next(folder.glob("model-*")).unlink()


def break_tail(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def break_values(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.self_attn.k_proj.weight"][3, 5] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def break_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_key_value_heads": 4}))


def break_names(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors") | {
        "model.layers.1.self_attn.surprise.weight": torch.ones(4)
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def break_embedding(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.embed_tokens.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def without(name: str, **fields: object) -> Callable[[Path], None]:
    """Return a damage that removes a tensor of an untied model."""

    def damage(folder: Path) -> None:
        save_tiny(tiny_model("llama", tie_word_embeddings=False, **fields), folder)
        tensors = load_file(folder / "model.safetensors")
        del tensors[name]
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


def break_head_values(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] = float("inf")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def break_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def break_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_shard, "lacks model-"),
        (break_tail, "corrupt or not a safetensors file"),
        (break_values, r"layers\.1\.self_attn\.k_proj\.weight .* not finite"),
        (break_shape, "has shape .* config.json says"),
        (break_names, "does not fit its config"),
        (break_embedding, "no tensor model.embed_tokens.weight"),
        (without("lm_head.weight"), "no tensor lm_head.weight"),
        (without("model.norm.weight"), "no tensor model.norm.weight"),
        (break_head_values, r"model\.norm\.weight .* not finite"),
        (break_config, "cannot be read"),
        (break_tokenizer, "holds no tokenizer"),
    ],
)
def test_a_broken_checkpoint_is_refused_and_nothing_is_left(
    tmp_path: Path, text: Path, damage: object, message: str
) -> None:
    size = "40KB" if damage is break_shard else "1GB"
    source = save_tiny(tiny_model("llama"), tmp_path / "source", max_shard_size=size)
    damage(source)
    with pytest.raises(CheckpointError, match=message):
        convert(source, text, tmp_path / "out", PLAN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_type": "qwen3"}, "normalizes queries and keys"),
        ({"model_type": "gpt2"}, "no option for fewer key-value heads"),
        ({"model_type": "phi3"}, "fused"),
        ({"model_type": "mamba"}, "decoder|supported types"),
        ({"model_type": "stablelm", "qk_layernorm": True}, "normalizes queries and keys"),
    ],
)
def test_unsupported_models_are_refused_by_name(
    tmp_path: Path, text: Path, fields: dict, reason: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(fields))
    with pytest.raises(UnsupportedError, match=reason):
        convert(source, text, tmp_path / "out", PLAN)
    assert not (tmp_path / "out").exists()


def test_too_little_text_is_refused(tmp_path: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    short = tmp_path / "short.txt"
    short.write_text("too short")
    with pytest.raises(RowsError, match="needs at least 256"):
        convert(source, short, tmp_path / "out", PLAN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short.txt", "source"]


def test_a_full_disk_is_noticed_before_any_work(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match="only 1,000 are free"):
        convert(source, text, tmp_path / "out", PLAN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")

    def fail(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("gqa_compress.checkpoint.writer.save_file", fail)
    with pytest.raises(OutputError, match=r"cannot be written: .*No space left"):
        convert(source, text, tmp_path / "out", PLAN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_disk_that_fills_up_at_the_last_small_file_leaves_what_the_next_run_goes_on_from(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gqa_compress.conversion.convert.write_card", fail)
    with pytest.raises(OutputError, match=r"out cannot be written: .*No space left"):
        convert(source, text, tmp_path / "out", PLAN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.partial", "source"]  # goes on from there


def test_an_output_below_a_file_is_refused(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        convert(source, text, tmp_path / "file" / "out", PLAN)


def test_a_filled_folder_is_refused_and_kept(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(OutputError, match="not empty"):
        convert(source, text, tmp_path / "out", PLAN)
    assert (tmp_path / "out" / "mine").read_text() == "x"
    with pytest.raises(OutputError, match="not replaced even with --force"):
        convert(source, text, tmp_path / "out", PLAN, force=True)
    (tmp_path / "out" / "conversion.json").write_text("{}")
    convert(source, text, tmp_path / "out", PLAN, force=True)
    assert not (tmp_path / "out" / "mine").exists()


@pytest.mark.parametrize(
    "damage", [without("lm_head.weight"), without("model.norm.weight"), break_head_values]
)
def test_a_broken_checkpoint_is_not_loaded_with_random_weights(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    damage(source)
    with pytest.raises(CheckpointError, match=r"no tensor|not finite"):
        load_model(source)


def test_weights_that_overflow_are_one_error_and_nothing_is_left(tmp_path: Path, text: Path) -> None:
    model = tiny_model("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.fill_(3e38)
    source = save_tiny(model, tmp_path / "source")
    with pytest.raises((TrainingError, CheckpointError), match=r"finite|intact"):
        convert(source, text, tmp_path / "out", PLAN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("out", ["nest", "nest/models", "nest/models/a", "nest/models/a/out"])
def test_an_output_that_overlaps_the_source_is_refused(
    tmp_path: Path, text: Path, out: str, force: bool
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "nest" / "models" / "a")
    (tmp_path / "nest" / "models" / "conversion.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="input"):
        convert(source, text, tmp_path / out, PLAN, force=force)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]\n", "is list, not an object"),
        (b"3\n", "is int"),
        (b"\xff\n", "cannot be read"),
        (b'{"text": 3}', "no strings"),
    ],
)
def test_rows_that_are_no_objects_are_explained(tmp_path: Path, content: bytes, message: str) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(content)
    with pytest.raises(RowsError, match=message):
        read_rows(rows)


def test_a_byte_order_mark_is_not_text(tmp_path: Path) -> None:
    rows, text = tmp_path / "rows.jsonl", tmp_path / "text.txt"
    rows.write_text('{"text": "a"}\n', encoding="utf-8-sig")
    text.write_text("a", encoding="utf-8-sig")
    assert read_source(rows) == read_source(text) == [Row(completion="a")]
