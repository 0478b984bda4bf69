"""`graphling own --base`: the whole chain with a tiny general model, what a second call does, and bases that are refused."""

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.gqa_compress.tiny_models import CHAT_TEMPLATE, chat_tokenizer, save_tiny, tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel

from gqa_compress.cli import app
from graphling import base_model, own
from graphling.base_model import check_base, render_report, row_tokens
from graphling.cli import main
from graphling.step_runner import StepRunner
from t2c_service.settings_loader import load_settings


def tiny_base(folder: Path, texts: list[str], **fields: Any) -> Path:
    """Save a random model that reads the schema of the demo graph, with a chat template."""
    shape = {"kv_heads": 4, "vocab_size": 1000, "max_position_embeddings": 4096, "num_attention_heads": 4}
    save_tiny(tiny_model("qwen2", **(shape | fields)), folder)
    chat_tokenizer(folder, texts=texts)
    return folder


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own, "ROOT", tmp_path)
    return tmp_path / "models"


@pytest.fixture
def prepared(models: Path) -> Path:
    """The folder of a run whose chats are written."""
    home = models / "mine"
    questions = [("ba", "ab"), ("dc", "cd"), ("fe", "ef")]
    turns = [
        message
        for asked, reply in questions
        for message in ({"role": "user", "content": asked}, {"role": "assistant", "content": reply})
    ]
    line = json.dumps({"messages": [{"role": "system", "content": "Sort the letters. " * 20}, *turns]}) + "\n"
    files = {
        "chat_rows/train.jsonl": line * 40,
        "chat_rows/dev.jsonl": line,
        "chat_rows/manifest.json": json.dumps({"questions": {"train": 120}}),
        "pairs/manifest.json": json.dumps({"pairs": 120}),
        "snapshot/manifest.json": "{}",
        "validated.jsonl": json.dumps(
            {"question": "Which is it?", "split": "test", "category": "c", "template": "t", "result_rows": 1}
        )
        + "\n",
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return home


class Scripts:
    """Runs `gqa-compress` in this process, and answers for the service, which needs a graph."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.calls: list[str] = []

    def __call__(self, name: str, *arguments: object, cwd: Path | None = None) -> str:
        command = [str(each) for each in arguments]
        self.calls.append(command[0])
        if name == "t2c-service":
            settings = load_settings(Path(command[command.index("--config") + 1]))
            assert (settings.prompt, settings.model.kind) == ("chat", "local")
            assert settings.model.path is not None
            assert (settings.model.path / "config.json").is_file()
            return json.dumps(
                {"ex": 0.5, "ex_interval": [0.4, 0.6], "executable": 1.0, "answered": 1.0, "n": 1}
            )
        with self.monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as output:
            if cwd is not None:
                patch.chdir(cwd)
            app(command)
        return output.getvalue()


def run_after_the_chats(config: own.OwnConfig) -> None:
    steps = StepRunner(config.home)
    base_model.tune(config, steps)
    base_model.compress(config, steps, check_base(config))
    base_model.heal(config, steps)
    base_model.write_settings(config)
    base_model.evaluate(config, steps)
    base_model.write_report(config, steps.minutes())


@pytest.mark.parametrize("heal", ["full", "lora"])
def test_chats_make_a_tuned_compressed_and_healed_model_and_a_second_call_makes_nothing(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heal: str
) -> None:
    home, scripts = prepared, Scripts(monkeypatch)
    monkeypatch.setattr(base_model, "CALIBRATION_TOKENS", 2048)
    monkeypatch.setattr(base_model, "run_console_script", scripts)
    monkeypatch.setattr(own, "run_console_script", scripts)
    base = tiny_base(tmp_path / "base", [])
    config = own.OwnConfig(
        name="mine", uri="bolt://x", base=base, minutes=0.05, distil_minutes=0.02, questions=3, heal=heal
    )
    run_after_the_chats(config)
    report = json.loads((home / "report.json").read_text())
    kv_heads = {part: found["kv_heads"] for part, found in report["models"].items()}
    assert kv_heads == {"zero_shot": 4, "tuned": 4, "converted": 2, "model": 2}
    cache = [
        report["evaluation"][f"{part}_bench"]["kv_cache_bytes_per_token"] for part in base_model.VARIANTS
    ]
    assert cache[0] == cache[1] == 2 * cache[2] == 2 * cache[3]
    assert "| KV heads | 4 | 4 | 2 | 2 |" in (home / "report.md").read_text()
    assert AutoModelForCausalLM.from_pretrained(home / "model").config.num_key_value_heads == 2
    assert AutoTokenizer.from_pretrained(home / "model").chat_template == CHAT_TEMPLATE
    served = yaml.safe_load((home / "vllm.yaml").read_text())["model"]
    assert (served["kind"], served["name"], served["grammar"]) == ("openai", "mine", "on")
    assert "--served-model-name mine" in (home / "vllm.sh").read_text()

    scripts.calls.clear()
    run_after_the_chats(config)
    assert set(scripts.calls) == {"inspect"}
    shutil.rmtree(home / "model")
    run_after_the_chats(config)
    assert scripts.calls.count("train") == 1
    assert "convert" not in scripts.calls


def encoder(folder: Path) -> None:
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    BertModel(BertConfig(vocab_size=300, **shape)).save_pretrained(folder)
    chat_tokenizer(folder)


def quantised(folder: Path) -> None:
    tiny_base(folder, [])
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"quantization_config": {"quant_method": "awq", "bits": 4}})
    )


def without_template(folder: Path) -> None:
    save_tiny(tiny_model("llama"), folder)


def one_head(folder: Path) -> None:
    tiny_base(folder, [], kv_heads=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (encoder, "bert is an encoder, which reads text and writes none"),
        (quantised, "qwen2 is quantized; convert the unquantized checkpoint"),
        (without_template, "has no chat template, so it is not an instruction-tuned model"),
        (one_head, "has one KV head"),
        (lambda folder: folder.write_bytes(b"GGUF"), "expected the folder of a Hugging Face checkpoint"),
        (lambda folder: folder.mkdir(), "expected the folder of a Hugging Face checkpoint"),
    ],
)
def test_a_base_that_cannot_be_used_is_refused_in_one_line_before_anything_is_made(
    models: Path, tmp_path: Path, make: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "base")
    with pytest.raises(SystemExit) as ended:
        main(["own", "--name", "mine", "--uri", "bolt://localhost:1", "--base", str(tmp_path / "base")])
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert message in " ".join((output.out + output.err).split())
    assert not models.exists()


@pytest.mark.parametrize(
    ("held", "asked", "expected"),
    [(4, None, 2), (3, None, 1), (2, None, 1), (4, 1, 1), (4, 3, None), (4, 4, None)],
)
def test_kv_heads_are_at_most_half_of_those_of_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, asked: int | None, expected: int | None
) -> None:
    (tmp_path / "config.json").write_text("{}")
    valid = [heads for heads in range(1, held + 1) if held % heads == 0]
    found = {"supported": True, "chat_supported": True, "kv_heads": held, "valid_kv_heads": valid}
    monkeypatch.setattr(base_model, "run_console_script", lambda *_: json.dumps(found))
    config = own.OwnConfig(name="mine", uri="bolt://x", base=tmp_path, kv_heads=asked)
    if expected is None:
        with pytest.raises(ValueError, match=f"KV_HEADS={asked}.*choose one of"):
            check_base(config)
    else:
        assert check_base(config) == expected


def test_rows_fit_the_length_that_is_trained_with(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(json.dumps({"messages": [{"role": "user", "content": "x" * n}]}) + "\n" for n in (9, 5000))
    )
    assert row_tokens(rows) == 3072


def test_the_report_puts_four_models_side_by_side() -> None:
    accuracy = {"ex": 0.8, "ex_interval": [0.7, 0.9], "executable": 1.0, "answered": 1.0, "n": 10}
    speed = {"kv_cache_bytes_per_token": 1536.0, "decode_tokens_per_s": 20.0, "prefill_tokens_per_s": 900.0}
    last = {"step": 10, "tokens": 2000, "elapsed_s": 60.0}
    text = render_report(
        {
            "name": "mine",
            "base": "base",
            "rows": {"questions": {"train": 1200}},
            "training": last,
            "healing": last | {"trained": "full"},
            "conversion": {"calibration_tokens": 4096},
            "models": {part: {"kv_heads": 2} for part in base_model.TITLES},
            "evaluation": {
                f"{part}_{name}": found
                for part in base_model.TITLES
                for name, found in (("held_out", accuracy), ("bench", speed))
            },
            "minutes": {"tuned": 1.0},
        }
    )
    assert "| | zero-shot | tuned | compressed | healed |" in text
    assert "| held-out synthetic questions: execution accuracy |" + " 80.0% (70.0% to 90.0%) |" * 4 in text
    assert "questions by others:" not in text
