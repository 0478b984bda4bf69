"""The command line: exit codes, where output goes, and what a mistake looks like."""

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from tests.gqa_compress.tiny_models import save_tiny, tiny_model

from gqa_compress.checkpoint.reader import Checkpoint
from gqa_compress.cli import app, main
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.conversion.gram_pass import read_grams, write_grams
from gqa_compress.deprecated import rename_output_fields, with_old_names
from gqa_compress.errors import CheckpointError
from gqa_compress.heads.grams import head_grams
from gqa_compress.heads.grouping import head_similarity, search
from gqa_compress.heads.merging.weighted import merge_weighted
from gqa_compress.heads.projections import read_heads, write_heads
from gqa_compress.heads.rope import rotary_pairs
from gqa_compress.training.config import (
    Lora,
    ModelConfig,
    Optimizer,
    Pruning,
    Teacher,
    TrainingConfig,
    read_recipe,
)
from gqa_compress.training.recipe_help import SAMPLE
from graphling_io.outputs import OutputError


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tiny_model("llama"), tmp_path_factory.mktemp("models") / "tiny")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["gqa-compress", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_inspect_prints_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    assert run(monkeypatch, "inspect", model) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kv_heads"] == 8
    assert found["supported"] is True
    assert found["valid_kv_heads"] == [1, 2, 4, 8]
    assert found["kv_cache_bytes_per_token"] == 2 * 2 * 8 * 8 * 4


def test_the_help_of_train_explains_every_field_and_its_sample_is_valid(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "train", "--help") == 0
    shown = capsys.readouterr().out
    nested = (TrainingConfig, ModelConfig, Teacher, Optimizer, Lora, Pruning)
    names = {each.name for config in nested for each in fields(config)}
    explained = {line.split(":")[0].split("[")[0].strip() for line in shown.splitlines() if ": " in line}
    assert names <= explained
    (tmp_path / "recipe.yaml").write_text(SAMPLE)
    assert read_recipe(tmp_path / "recipe.yaml").max_minutes == 60


def test_inspect_says_why_a_model_is_not_supported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert run(monkeypatch, "inspect", tmp_path) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["supported"] is False
    assert "no option for fewer key-value heads" in found["reason"]


def test_convert_and_evaluate_against_the_teacher(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    model: Path,
    text: Path,
) -> None:
    out = tmp_path / "out"
    plan = ("--kv-heads", 2, "--tokens", 1000, "--max-length", 64)
    plan += ("--layer-distill-steps", 2, "--grouping", "search")
    assert run(monkeypatch, "convert", model, "--calibration", text, "--out", out, *plan) == 0
    assert json.loads(capsys.readouterr().out)["kv_heads_after"] == 2
    assert run(monkeypatch, "evaluate", out, "--text", text, "--teacher", model) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() >= {"perplexity", "tokens", "loss", "kl"}
    assert found["kl"] > 0
    assert run(monkeypatch, "evaluate", model, "--text", text) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["perplexity"] == pytest.approx(found["teacher_perplexity"])
    assert (
        run(monkeypatch, "report", model, out, "--text", text, "--tokens", 400, "--out", tmp_path / "r.json")
        == 0
    )
    assert "| out | 2 |" in capsys.readouterr().out
    assert [row["kv_heads"] for row in json.loads((tmp_path / "r.json").read_text())] == [8, 2]


def test_a_model_is_no_distance_from_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, text: Path
) -> None:
    assert run(monkeypatch, "evaluate", model, "--text", text, "--teacher", model) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kl"] == pytest.approx(0, abs=1e-6)
    assert found["top1_agreement"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("convert", "{model}", "--kv-heads", 3, "--calibration", "{text}", "--out", "{out}"),
            "does not divide",
        ),
        (("convert", "{model}", "--kv-heads", 0, "--calibration", "{text}", "--out", "{out}"), "too few"),
        (
            ("convert", "{out}.x", "--kv-heads", 2, "--calibration", "{text}", "--out", "{out}"),
            "no checkpoint folder",
        ),
        (
            ("convert", "{model}", "--kv-heads", 2, "--calibration", "{out}.x", "--out", "{out}"),
            "cannot be read",
        ),
        (
            ("convert", "{model}", "--kv-heads", 2, "--calibration", "{text}", "--out", "{model}"),
            "is also the input",
        ),
        (("evaluate", "{model}", "--text", "{out}"), "cannot be read"),
        (("inspect", "{text}"), "no checkpoint folder"),
        (("train", "{out}"), "no recipe"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    model: Path,
    text: Path,
    arguments: tuple[object, ...],
    message: str,
) -> None:
    out = tmp_path / "out"
    filled = [str(part).format(model=model, text=text, out=out) for part in arguments]
    assert run(monkeypatch, *filled) == 2
    printed = capsys.readouterr()
    assert message in " ".join(printed.err.split())
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert not out.exists()


def test_old_flags_and_output_fields_still_work(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    model: Path,
    text: Path,
) -> None:
    out = tmp_path / "out"
    plan = ("--kv-heads", 2, "--tokens", 1000, "--length=64", "--local-steps", 2)
    assert run(monkeypatch, "convert", model, "--calibration", text, "--out", out, *plan) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[:2] == [
        "gqa-compress: --length is deprecated; use --max-length",
        "gqa-compress: --local-steps is deprecated; use --layer-distill-steps",
    ]
    for found in (json.loads(printed.out), json.loads((out / "conversion.json").read_text())):
        assert found["plan"]["distill_steps_per_layer"] == found["plan"]["local_steps"] == 2
        assert found["plan"]["max_length"] == found["plan"]["length"] == 64
        assert found["kv_cache_bytes_per_token_after"] == found["cache_bytes_a_token_after"]
        layer = found["layers"][0]
        assert layer["residual_relative_error"] == layer["stream_error"] > 0
    assert run(monkeypatch, "evaluate", model, "--text", text, "--against", model, "--length", 32) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["top1_agreement"] == found["agreement"] == 1
    assert (
        run(monkeypatch, "bench", model, "--batch", 2, "--prompt", 4, "--new-tokens", 2, "--repeats", 1) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["batch_size"], found["prompt_length"], found["batch"], found["prompt"]) == (2, 4, 2, 4)
    assert run(monkeypatch, "inspect", model) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["choices"] == found["valid_kv_heads"]
    assert found["head_size"] == found["head_dim"] == 8
    assert rename_output_fields(with_old_names({"eval_loss": 1})) == {"eval_loss": 1}


def test_every_command_has_help_and_needs_no_torch() -> None:
    commands = [name for name in app if not name.startswith("-")]
    assert (
        sorted(commands)
        == "bench calibrate convert evaluate export inspect report teach train transfer".split()
    )
    code = "import sys; from gqa_compress.cli import app; app(['convert', '--help'], result_action='return_value'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def plan_by(model: Path, grams: Path) -> list[list[list[int]]]:
    """Which heads are merged in each layer, by stored Grams."""
    source = Checkpoint(model)
    arch, dims = source.arch, source.dims
    heads = [read_heads(source.layer(index), arch, dims) for index in range(dims.layers)]
    found = [head_grams(own, moments) for own, moments in zip(heads, read_grams(grams, source), strict=True)]
    return [search(head_similarity(layer, rotary_pairs(arch, dims)), 2) for layer in found]


def test_grams_add_up_over_workers(tmp_path: Path, model: Path, text: Path) -> None:
    tokens = write_grams(model, text, tmp_path / "one", tokens=None, max_length=64)
    code = (
        "from pathlib import Path; from gqa_compress.conversion.gram_pass import write_grams; "
        f"write_grams(Path({str(model)!r}), Path({str(text)!r}), Path({str(tmp_path / 'two')!r}), tokens=None, max_length=64)"
    )
    (tmp_path / "job.py").write_text(code)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", str(tmp_path / "job.py")]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    source = Checkpoint(model)
    for alone, shared in zip(
        read_grams(tmp_path / "one", source), read_grams(tmp_path / "two", source), strict=True
    ):
        assert alone[-1, -1] == tokens
        torch.testing.assert_close(alone, shared)
    assert plan_by(model, tmp_path / "one") == plan_by(model, tmp_path / "two")


def test_stored_grams_decide_the_merge(tmp_path: Path, model: Path, text: Path) -> None:
    write_grams(model, text, tmp_path / "grams", tokens=None, max_length=64)
    plan = ConversionConfig(kv_heads=2, refit=False, distill_steps_per_layer=0, max_length=64)
    convert(model, text, tmp_path / "out", plan, grams=tmp_path / "grams")
    source = Checkpoint(model)
    arch, dims = source.arch, source.dims
    heads = read_heads(source.layer(1), arch, dims)
    grams = head_grams(heads, read_grams(tmp_path / "grams", source)[1])
    merged = merge_weighted(heads, grams, rotary_pairs(arch, dims), torch.arange(8).view(2, 4))
    found = Checkpoint(tmp_path / "out").layer(1)
    torch.testing.assert_close(found, write_heads(merged, source.layer(1), arch))
    with pytest.raises(OutputError, match="exists already"):
        write_grams(model, text, tmp_path / "grams", tokens=None, max_length=64)


def test_grams_of_another_model_are_refused(tmp_path: Path, model: Path, text: Path) -> None:
    other = save_tiny(tiny_model("llama", seed=1), tmp_path / "other")
    write_grams(other, text, tmp_path / "grams", tokens=None, max_length=64)
    with pytest.raises(CheckpointError, match="computed from another model"):
        read_grams(tmp_path / "grams", Checkpoint(model))
