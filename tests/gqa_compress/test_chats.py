"""Chat rows: what is trained on, and that it is tokenized as at inference; checkpoints that cannot be trained on them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.gqa_compress.tiny_models import CHAT_TEMPLATE, chat_tokenizer, save_tiny, tiny_model
from transformers import AutoConfig, AutoTokenizer

from gqa_compress.checkpoint.chat_template import chat_tokens
from gqa_compress.checkpoint.inspection import inspect
from gqa_compress.errors import CheckpointError, RowsError
from gqa_compress.text.calibration import read_sequences
from gqa_compress.text.training_rows import make_batch, tokenize_rows
from gqa_compress.training.config import Lora, Optimizer, TrainingConfig
from gqa_compress.training.loop import train

MESSAGES = [
    {"role": "system", "content": "sort"},
    {"role": "user", "content": "ba"},
    {"role": "assistant", "content": "ab"},
    {"role": "user", "content": "dc"},
    {"role": "assistant", "content": "cd"},
]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Any:
    return chat_tokenizer(tmp_path / "tokenizer")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"messages": MESSAGES}) + "\n" for _ in range(20)))
    return path


def test_every_reply_is_trained_on_up_to_the_end_of_its_turn(tokenizer: Any, rows: Path) -> None:
    batch = make_batch(tokenize_rows(rows, tokenizer, max_length=128), np.array([0]), prompt_loss_weight=0.0)
    assert tokenizer.decode(batch.targets) == "ab<|im_end|>cd<|im_end|>"


def test_tokens_are_those_of_the_whole_chat_and_of_the_prompt_that_is_sent(tokenizer: Any) -> None:
    parts = chat_tokens(tokenizer, MESSAGES)
    ids = [token for part, _ in parts for token in part]
    whole = tokenizer.apply_chat_template(MESSAGES, tokenize=False)
    assert tokenizer.decode(ids) + "\n" == whole
    sent = tokenizer.apply_chat_template(MESSAGES[:2], tokenize=False, add_generation_prompt=True)
    assert parts[0] == (tokenizer(sent, add_special_tokens=False)["input_ids"], False)


def test_a_reply_without_an_end_of_turn_gets_the_end_of_text(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"  # fmt: skip
    assert [tokenizer.decode(ids) for ids, is_reply in chat_tokens(tokenizer, MESSAGES) if is_reply] == [
        "ab\n<|im_end|>",
        "cd\n<|im_end|>",
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[-1].content }}", "changes earlier messages"),
        ("{{ raise_exception('only user') }}", "cannot render"),
        (None, "no chat template"),
    ],
)
def test_templates_that_cannot_be_trained_on_are_explained(
    tmp_path: Path, rows: Path, template: str | None, message: str
) -> None:
    source = save_tiny(tiny_model("llama", vocab_size=300), tmp_path / "source")
    chat_tokenizer(source, template)
    with pytest.raises((RowsError, CheckpointError), match=message):
        tokenize_rows(rows, AutoTokenizer.from_pretrained(source), max_length=128)
    found = inspect(source)
    assert not found.chat_supported
    assert message in str(found.chat_reason)
    chat_tokenizer(source, CHAT_TEMPLATE)
    assert (inspect(source).chat_supported, inspect(source).chat_reason) == (True, None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"messages": []}, "no list of objects"),
        ({"messages": [{"role": "user"}]}, "no list of objects"),
        ({"messages": "hello"}, "no list of objects"),
        ({"messages": MESSAGES[:2]}, "has to end with a message of the role assistant"),
        ({"text": "plain"}, "mixes rows"),
    ],
)
def test_wrong_chats_are_explained(tokenizer: Any, rows: Path, line: dict[str, object], message: str) -> None:
    with rows.open("a") as out:
        out.write(json.dumps(line) + "\n")
    with pytest.raises(RowsError, match=message):
        tokenize_rows(rows, tokenizer, max_length=128)


def test_chats_calibrate_as_they_are_trained_on(tokenizer: Any, rows: Path) -> None:
    expected = [token for ids, _ in chat_tokens(tokenizer, MESSAGES) for token in ids]
    assert read_sequences(rows, tokenizer, tokens=None, max_length=128) == [expected] * 20


def test_lora_of_all_projections_learns_chats_and_is_merged(tmp_path: Path, rows: Path) -> None:
    source = save_tiny(tiny_model("qwen2", vocab_size=300), tmp_path / "source")
    chat_tokenizer(source)
    recipe = TrainingConfig(
        output_dir=tmp_path / "out", train_file=rows, init_checkpoint=source, trainable="lora", max_steps=20,
        lora=Lora(r=8, targets="all"), optimizer=Optimizer(learning_rate=3e-3, warmup_steps=1), max_length=128, max_tokens_per_batch=256, precision="fp32", threads=1,
    )  # fmt: skip
    report = train(recipe)
    losses = [
        json.loads(line)["loss"] for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    ]
    assert losses[-1] < losses[0] / 2
    assert report.trained_parameters > 2 * 8 * (64 + 96) * 3
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == CHAT_TEMPLATE
    assert AutoConfig.from_pretrained(tmp_path / "out").model_type == "qwen2"
    assert not (tmp_path / "out" / "adapter_config.json").exists()
