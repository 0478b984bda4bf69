"""A tiny real model that knows a few completions by heart, and a service around the session's graph."""

from __future__ import annotations

import itertools
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import torch
from tests.model_doubles import Reply, ScriptedServer, overfit_tiny_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from t2c_service.app import create_app
from t2c_service.settings import GraphSettings, LimitSettings, ModelSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from tests.conftest import TestGraph

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
    overfit_tiny_model(folder, word_tokenizer, BY_HEART)
    return folder


@dataclass
class Script:
    """What the model of the service under test says: one completion a hypothesis, the last one for all others.

    Completions in `by_words` go first: for prompts in which the words occur.
    """

    says: list[str | Reply] = field(default_factory=lambda: ["MATCH (n:Nothing) RETURN n"])
    by_words: dict[str, str] = field(default_factory=dict)
    chat: list[str] = field(default_factory=list)
    """Goes before `says` for chat models: one completion for each turn of the dialogue."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    _numbers: set[int] = field(default_factory=set)
    """Hypotheses of the present question that were asked for."""
    _numbering: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, asked: dict[str, Any]) -> Reply:
        self.asked.append(asked)
        for words, said in self.by_words.items():
            if words in asked.get("prompt", ""):
                return Reply(said)
        if self.chat and "messages" in asked:
            turns = sum(message["role"] == "assistant" for message in asked["messages"])
            return Reply(self.chat[min(turns, len(self.chat) - 1)])
        said = self.says[min(self._hypothesis(asked), len(self.says) - 1)]
        return said if isinstance(said, Reply) else Reply(said)

    def _hypothesis(self, asked: dict[str, Any]) -> int:
        """Number a question's requests: 0 is the greedy one, though sampled ones may overtake it on their way."""
        with self._numbering:
            greedy = asked["temperature"] == 0
            if greedy and 0 in self._numbers:
                self._numbers.clear()
            number = 0 if greedy else next(each for each in itertools.count(1) if each not in self._numbers)
            self._numbers.add(number)
            return number


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def model_url(script: Script) -> Iterator[str]:
    with ScriptedServer(script.reply) as server:
        yield server.url


@pytest.fixture
def settings(graph: TestGraph, model_url: str, tmp_path: Path) -> Settings:
    """A service on the demo graph whose model follows `script`; without the page."""
    examples = tmp_path / "examples.jsonl"
    examples.write_text('{"question": "Second?"}\n{"question": "First?", "featured": true, "rows": [[1]]}\n')
    return Settings(
        graph=GraphSettings(uri=graph.uri),
        snapshot=graph.snapshot,
        model=ModelSettings(kind="openai", url=model_url, timeout_s=60),
        examples=examples,
        page=False,
        limits=LimitSettings(max_diagnosis_s=60),
        hardening_check="off",
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application while it runs."""
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(settings) as client:
        yield client
