"""Checkpoints as people have them: extra files, padded vocabularies, foreign names; read rightly or refused by reason."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.gqa_compress.tiny_models import save_tiny, tiny_model, with_copied_heads
from transformers import AutoModelForCausalLM

from gqa_compress.checkpoint.reader import load_model, load_tokenizer
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.errors import CheckpointError, InputError, RowsError
from gqa_compress.evaluation.perplexity import evaluate, evaluate_against_teacher
from gqa_compress.text.rows import read_source
from gqa_compress.text.training_rows import tokenize_rows
from gqa_compress.training.config import Teacher, TrainingConfig
from gqa_compress.training.loop import train

PLAN = ConversionConfig(kv_heads=2, distill_steps_per_layer=0, tokens=1024, max_length=64)
WEIGHTS = "model.safetensors"


def edit_config(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


def edit_tensors(folder: Path, edit: Callable[[str, torch.Tensor], tuple[str, torch.Tensor]]) -> None:
    tensors = dict(edit(name, tensor) for name, tensor in load_file(folder / WEIGHTS).items())
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def add_adapter(folder: Path) -> None:
    adapter: torch.nn.Module = get_peft_model(load_model(folder), LoraConfig(r=2, target_modules=["q_proj"]))
    adapter.save_pretrained(folder)  # type: ignore[operator]


def add_shards(folder: Path) -> None:
    tiny_model("llama", seed=5).save_pretrained(folder / "shards", max_shard_size="100KB")
    for path in (folder / "shards").glob("model*"):
        path.rename(folder / path.name)


def name_as(prefix: str) -> Callable[[Path], None]:
    return lambda folder: edit_tensors(folder, lambda name, tensor: (prefix + name, tensor))


def as_float8(folder: Path) -> None:
    edit_tensors(
        folder, lambda name, tensor: (name, tensor.to(torch.float8_e4m3fn) if "proj" in name else tensor)
    )


def fewer_rows(folder: Path) -> None:
    edit_config(folder, vocab_size=250)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (add_adapter, "holds an adapter .* beside the model; merge it"),
        (add_shards, "which are two models; remove the one"),
        (name_as("_orig_mod."), r"are named _orig_mod\.…"),
        (name_as("language_model."), r"are named language_model\.…"),
        (as_float8, "is F8_E4M3, so the checkpoint is quantized"),
        (fewer_rows, "has 257 rows and config.json says vocab_size=250"),
    ],
)
def test_a_folder_that_is_no_plain_checkpoint_is_refused(
    tmp_path: Path, text: Path, damage: Callable[[Path], None], message: str
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    damage(source)
    with pytest.raises(CheckpointError, match=message):
        convert(source, text, tmp_path / "out", PLAN)
    with pytest.raises(CheckpointError, match=message):
        load_model(source)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama", vocab_size=100), tmp_path / "source")
    message = r"gives token \d+ and the model has embeddings of 100 tokens"
    with pytest.raises(InputError, match=message):
        convert(source, text, tmp_path / "out", PLAN)
    with pytest.raises(InputError, match=message):
        evaluate(source, text)


def test_more_tokens_than_embeddings_are_no_fault_if_the_text_has_none_of_them(
    tmp_path: Path, text: Path
) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    tokenizer = load_tokenizer(source)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(source)
    assert len(load_tokenizer(source)) == 258
    assert convert(source, text, tmp_path / "out", PLAN).kv_heads_after == 2


def test_vocabularies_padded_to_other_sizes_are_compared_and_distilled(
    tmp_path: Path, text: Path, sorting_rows: Path
) -> None:
    student = save_tiny(tiny_model("llama"), tmp_path / "student")
    teacher = save_tiny(tiny_model("llama", vocab_size=320), tmp_path / "teacher")
    found = evaluate_against_teacher(student, teacher, text)
    assert found.kl > 0
    recipe = TrainingConfig(
        output_dir=tmp_path / "out",
        train_file=sorting_rows,
        init_checkpoint=student,
        teacher=Teacher(checkpoint=teacher, kl_weight=0.5),
        max_steps=2,
        max_tokens_per_batch=128,
        max_length=64,
        precision="fp32",
        threads=1,
    )
    assert train(recipe).steps == 2
    assert load_model(tmp_path / "out").config.vocab_size == 257


def test_models_with_other_tokens_are_not_compared(tmp_path: Path, text: Path) -> None:
    first, second = (save_tiny(tiny_model("llama"), tmp_path / name) for name in ("first", "second"))
    tokenizer = load_tokenizer(second)
    tokenizer.add_tokens(["medication"])
    tokenizer.save_pretrained(second)
    with pytest.raises(CheckpointError, match="only models with the same vocabulary"):
        evaluate_against_teacher(first, second, text)


def test_references_to_custom_code_are_dropped_for_types_that_need_none(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    edit_config(source, auto_map={"AutoModelForCausalLM": "modeling_llama.LlamaForCausalLM"})
    convert(source, text, tmp_path / "out", PLAN)
    assert "auto_map" not in json.loads((tmp_path / "out" / "config.json").read_text())
    load_model(tmp_path / "out")


def test_a_tokenizer_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    for path in source.glob("tokenizer*"):
        path.unlink()
    (source / "tokenizer.model").write_bytes(b"not a sentencepiece model")
    with pytest.raises(CheckpointError, match="no tokenizer can be loaded"):
        load_tokenizer(source)


def test_a_data_set_that_is_a_script_is_one_message(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "corpus.py").write_text("import datasets\n")
    with pytest.raises(RowsError, match=r"the data set .* cannot be read"):
        read_source(Path(f"datasets:{folder}"))


@pytest.mark.parametrize(("dtype", "written"), [("source", torch.bfloat16), ("float32", torch.float32)])
def test_weights_are_written_in_the_data_type_of_the_source_or_the_one_asked_for(
    tmp_path: Path,
    text: Path,
    sorting_rows: Path,
    dtype: Literal["source", "float32"],
    written: torch.dtype,
) -> None:
    source = save_tiny(tiny_model("llama").to(torch.bfloat16), tmp_path / "source")
    report = convert(source, text, tmp_path / "converted", replace(PLAN, dtype=dtype))
    assert report.kv_cache_bytes_per_token_after == 2 * 2 * 2 * 8 * written.itemsize
    train(
        TrainingConfig(
            output_dir=tmp_path / "trained",
            train_file=sorting_rows,
            init_checkpoint=source,
            dtype=dtype,
            max_steps=1,
            max_length=64,
            precision="fp32",
            threads=1,
        )
    )
    for folder in (tmp_path / "converted", tmp_path / "trained"):
        assert {tensor.dtype for tensor in load_file(folder / WEIGHTS).values()} == {written}
        config = json.loads((folder / "config.json").read_text())
        assert config["dtype"] == str(written).removeprefix("torch.")


def test_long_texts_are_cut_and_long_prompts_are_left_out(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(save_tiny(tiny_model("llama"), tmp_path / "source"))
    rows = [{"text": "abcdefghij" * 3}, {"prompt": "x" * 30, "completion": "y"}, {"text": "short"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = tokenize_rows(path, tokenizer, max_length=12)
    assert found.lengths.tolist() == [12, 12, 7, 6]
    assert found.dropped == 1
    assert tokenizer.decode(found.tokens[: found.offsets[3]]) == "abcdefghij" * 3 + "</s>"


def test_a_device_that_is_not_there_is_refused(tmp_path: Path, text: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    with pytest.raises(InputError, match="device=cuda was asked for"):
        convert(source, text, tmp_path / "out", replace(PLAN, device="cuda"))


def test_notices_and_further_chat_templates_are_carried_over(tmp_path: Path, text: Path) -> None:
    source = save_tiny(tiny_model("llama"), tmp_path / "source")
    names = (
        "LICENSE.txt",
        "NOTICE",
        "Notice.md",
        "USE_POLICY.md",
        "additional_chat_templates/tool_use.jinja",
    )
    for name in names:
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(name)
    convert(source, text, tmp_path / "out", PLAN)
    assert [(tmp_path / "out" / name).read_text() for name in names] == list(names)


def test_sequences_beyond_the_original_length_of_longrope_are_converted_exactly(
    tmp_path: Path, text: Path
) -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0, 1.1, 1.2, 1.3],
        "long_factor": [2.0, 3.0, 4.0, 5.0],
        "original_max_position_embeddings": 32,
        "factor": 4.0,
    }
    model = with_copied_heads(tiny_model("llama", rope_parameters=rope), 2, "scaled")
    source = save_tiny(model, tmp_path / "source")
    convert(source, text, tmp_path / "out", PLAN)
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        for folder in (source, tmp_path / "out")
    )
    for length in (20, 100):
        tokens = torch.arange(1, length + 1)[None]
        torch.testing.assert_close(before(tokens).logits, after(tokens).logits, atol=1e-5, rtol=1e-5)
