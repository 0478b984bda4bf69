"""Tiny tokenizers, text and rows made on the spot."""

import json
import random
from pathlib import Path

import pytest
from tests.gqa_compress.tiny_models import byte_tokenizer as save_byte_tokenizer


@pytest.fixture(scope="session")
def byte_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer of 256 bytes and an end-of-text token."""
    folder = tmp_path_factory.mktemp("tokenizer")
    save_byte_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough text to calibrate a tiny model on."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    line = "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs!\n"
    path.write_text(line * 20)
    return path


@pytest.fixture(scope="session")
def sorting_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows that ask to repeat a few letters in order."""
    chance = random.Random(0)
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    with path.open("w") as out:
        for _ in range(400):
            letters = "".join(chance.choices("abcdef", k=chance.randint(1, 9)))
            out.write(json.dumps({"prompt": letters + "=", "completion": "".join(sorted(letters))}) + "\n")
    return path
