"""A checkpoint becomes the start of a model with another tokenizer and more KV heads."""

import json
from pathlib import Path

import pytest
import torch
from tests.gqa_compress.tiny_models import byte_tokenizer as save_byte_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from gqa_compress.checkpoint.vocabulary_transfer import token_form, transfer
from gqa_compress.errors import CheckpointError, InputError
from graphling_io.outputs import OutputError


def save_tokenizer(folder: Path, *special: str) -> None:
    save_byte_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(list(special), special_tokens=True)
    tokenizer.save_pretrained(folder)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A model of one KV head whose vocabulary has two properties and a node."""
    folder = tmp_path / "source"
    save_tokenizer(folder, " drug.name", " ward.floor", " (ward:Ward)")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=1, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id, initializer_range=0.5,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    folder = tmp_path / "tokenizer"
    save_tokenizer(folder, " book.title", " (book:Book)", " ward.floor", "★")
    return folder


def test_outputs_stay_the_same_for_tokens_that_both_have(
    source: Path, tokenizer: Path, tmp_path: Path
) -> None:
    report = transfer(source, tokenizer, tmp_path / "out", kv_heads=4)
    former, made = (AutoModelForCausalLM.from_pretrained(each) for each in (source, tmp_path / "out"))
    assert made.config.num_key_value_heads == 4
    before, after = (AutoTokenizer.from_pretrained(each) for each in (source, tmp_path / "out"))
    shared = sorted(before.get_vocab().keys() & after.get_vocab().keys())
    text = "which ward is on the floor? ward.floor"
    logits = [
        model(**tokens(text, return_tensors="pt")).logits[0][:, [tokens.get_vocab()[each] for each in shared]]
        for model, tokens in ((former, before), (made, after))
    ]
    torch.testing.assert_close(logits[0], logits[1], atol=1e-5, rtol=1e-5)
    assert report.copied == len(shared)
    assert report.by_form == 2
    assert json.loads((tmp_path / "out" / "transfer.json").read_text())["source"] == "source"


def test_new_tokens_start_near_those_of_the_same_form(source: Path, tokenizer: Path, tmp_path: Path) -> None:
    transfer(source, tokenizer, tmp_path / "out")
    former, made = (
        AutoModelForCausalLM.from_pretrained(each).get_input_embeddings().weight
        for each in (source, tmp_path / "out")
    )
    before, after = (AutoTokenizer.from_pretrained(each).get_vocab() for each in (source, tmp_path / "out"))
    properties = former[[before[" drug.name"], before[" ward.floor"]]].mean(0)
    node = former[before[" (ward:Ward)"]]
    title = made[after[" book.title"]]
    assert (title - properties).norm() < (title - node).norm()
    assert (made[after[" (book:Book)"]] - node).norm() < (title - node).norm()


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [(" drug.name", " ward.floor", True), (" drug.`first name`", " ward.floor", True), (" drug.name", " (drug:Drug)", False), (" <Drug.name>", " <Ward.floor>", True), ("2", "10", True)],
)  # fmt: skip
def test_forms(one: str, other: str, alike: bool) -> None:
    assert (token_form(one) == token_form(other)) is alike


def test_heads_that_do_not_fit_and_other_types_are_refused(
    source: Path, tokenizer: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="3 KV heads"):
        transfer(source, tokenizer, tmp_path / "out", kv_heads=3)
    with pytest.raises(OutputError):
        transfer(source, tokenizer, source)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"model_type": "mistral"}))
    with pytest.raises(CheckpointError, match="mistral"):
        transfer(source, tokenizer, tmp_path / "out")
    assert not (tmp_path / "out").exists()
