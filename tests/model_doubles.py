"""Stand-ins for people who test what they build on the service: a scripted model server and a model learned by heart.

Nothing here is used when answering.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from t2c_service.models.protocol import Completion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from t2c_core.grammar import Grammar
    from t2c_service.models.protocol import Prompt


@dataclass
class FakeModel:
    """A `CypherModel` that says what it is told to say.

    Args:
        says: a completion, or an error to raise, for each hypothesis in turn; the last one again when they run out.
    """

    responses: Sequence[str | Exception]
    name: str = "scripted"
    prompts: list[Prompt] = field(default_factory=list)
    """What it was asked."""
    unavailable: Exception | None = None
    """Raised by `check` while it is set."""

    async def complete(
        self,
        prompt: Prompt,
        *,
        hypothesis: int = 0,
        grammar: Grammar | None = None,  # noqa: ARG002
        timeout_s: float,  # noqa: ARG002
    ) -> Completion:
        """Say the completion of this hypothesis."""
        self.prompts.append(prompt)
        said = self.responses[min(hypothesis, len(self.responses) - 1)]
        if isinstance(said, Exception):
            raise said
        return Completion(text=said, tokens=len(said.split()), mean_logprob=None, elapsed_ms=0.0)

    def check_support(self, *, chat: bool, grammar: bool) -> None:
        """Support everything."""

    async def check(self) -> None:
        """Be available, unless told otherwise."""
        if self.unavailable is not None:
            raise self.unavailable

    async def close(self) -> None:
        """Have nothing to let go of."""


@dataclass(frozen=True)
class Reply:
    """What the scripted server answers: a text, or something that is wrong with it."""

    text: str = ""
    finish: str = "stop"
    status: int = 200
    raw: bytes | None = None
    """Sent as the body in place of a completion."""
    delay_s: float = 0.0
    endless: bool = False
    """Whether the body never ends."""
    logprobs: tuple[float, ...] = (-0.0625, -0.1875)
    """Log probabilities of its tokens, those of a model that is sure."""


UNSURE = (-0.25, -0.75)
"""Log probabilities of the tokens of a model that is not sure."""


class ScriptedServer:
    """An OpenAI-compatible server on loopback that answers by script; a context manager.

    Args:
        reply: what to answer to a request's JSON body.
        models: names that `/v1/models` lists.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        reply: Callable[[dict[str, Any]], Reply],
        *,
        models: Sequence[str] = ("scripted",),
        port: int = 0,
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        """Authorization headers as they came."""
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self, reply, models))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Address with `/v1`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the server's own end."""
        self._stopping.wait(seconds)

    @property
    def is_stopping(self) -> bool:
        """Whether the server is being stopped."""
        return self._stopping.is_set()


def _handler(  # noqa: C901  (one class, made for one server)
    server: ScriptedServer, reply: Callable[[dict[str, Any]], Reply], models: Sequence[str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.keys.append(self.headers.get("Authorization"))
            if self.path != "/v1/models":
                self._send(404, b'{"error": {"message": "not here"}}')
                return
            listed = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in models]
            self._send(200, json.dumps({"object": "list", "data": listed}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not body:  # the client has left
                return
            asked = json.loads(body)
            server.requests.append(asked)
            server.keys.append(self.headers.get("Authorization"))
            if asked.get("model") not in models:
                self._send(404, b'{"error": {"message": "no such model"}}')
                return
            answer = reply(asked)
            server.wait(answer.delay_s)
            if answer.endless:
                self._babble()
            elif answer.raw is not None:
                self._send(answer.status, answer.raw)
            else:
                self._send(
                    answer.status, json.dumps(_completion(asked, answer, "chat" in self.path)).encode()
                )

        def _babble(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            try:
                while not server.is_stopping:
                    self.wfile.write(b" " * 65536)
            except OSError:
                return

        def _send(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            return

    return Handler


def _completion(asked: Mapping[str, Any], answer: Reply, chat: bool) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": answer.finish}
    if chat:
        choice["message"] = {"role": "assistant", "content": answer.text}
    else:
        choice |= {"text": answer.text, "logprobs": {"token_logprobs": list(answer.logprobs)}}
    return {
        "id": "cmpl-1",
        "object": "chat.completion" if chat else "text_completion",
        "created": int(time.time()),
        "model": asked["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


def overfit_tiny_model(folder: Path, tokenizer: Any, pairs: Mapping[str, str], *, steps: int = 300) -> None:
    """Train a tiny LLaMA until it knows a few completions by heart, and save it as a stock checkpoint.

    Args:
        folder: where the checkpoint goes.
        tokenizer: a `PreTrainedTokenizerFast` with pad and end marks.
        pairs: completions by prompt.
        steps: longest training.

    Raises:
        RuntimeError: it has not learned them in so many steps.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    end = tokenizer.eos_token_id
    rows = [
        (tokenizer(prompt)["input_ids"], [*tokenizer(completion, add_special_tokens=False)["input_ids"], end])
        for prompt, completion in pairs.items()
    ]
    length = max(len(prompt) + len(completion) for prompt, completion in rows)
    ids = torch.full((len(rows), length), tokenizer.pad_token_id)
    labels = torch.full((len(rows), length), -100)
    for row, (prompt, completion) in enumerate(rows):
        ids[row, : len(prompt) + len(completion)] = torch.tensor(prompt + completion)
        labels[row, len(prompt) : len(prompt) + len(completion)] = torch.tensor(completion)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    for _ in range(steps):
        loss = model(input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long(), labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.002:
            break
    else:
        raise RuntimeError(f"not learned by heart in {steps} steps: the loss is {loss.item():.3f}")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
