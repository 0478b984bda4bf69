"""A tiny real model that knows a few completions by heart, and a service around the session's graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from t2c_service.testing import learn_by_heart

torch.set_num_threads(1)  # more threads than free cores make tiny models a hundred times slower

BY_HEART: Mapping[str, str] = {
    "alpha": " one two three",
    "beta": " one two four",
    "gamma": " five",
}


@pytest.fixture(scope="session")
def word_tokenizer() -> PreTrainedTokenizerFast:
    words = ["<pad>", "</s>", "alpha", "beta", "gamma", " one", " two", " three", " four", " five"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?\w+"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")


@pytest.fixture(scope="session")
def heart(tmp_path_factory: pytest.TempPathFactory, word_tokenizer: PreTrainedTokenizerFast) -> Path:
    """A checkpoint that completes `alpha`, `beta` and `gamma`."""
    folder = tmp_path_factory.mktemp("models") / "heart"
    learn_by_heart(folder, word_tokenizer, BY_HEART)
    return folder
