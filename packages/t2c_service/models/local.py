"""A checkpoint folder as a `CypherModel`, in process: transformers, one worker thread, greedy decoding.

Small per-graph models answer in tens of milliseconds on one core, so requests queue for a single thread rather
than share the cores. `decode` is the whole of the decoding; nothing here knows Cypher.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_service.errors import CompletionError, DeadlineError, ModelFolderError, OverloadedError
from t2c_service.models.protocol import Completion

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from t2c_service.models.protocol import Prompt

SMALL_MODEL_PARAMETERS = 100_000_000
"""Below this, a second thread costs more in waiting than it computes."""
WAITING = 256
"""Completions that may wait for the worker."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decoded token, and what nearly stood in its place."""

    token: int
    logprob: float
    runner_up: int
    margin: float
    """Log-probability of `token` less that of `runner_up`."""


class _Cancelled(Exception):  # noqa: N818
    pass


class LocalModel:
    """A stock causal language model with its tokenizer.

    Args:
        model: in evaluation mode.
        tokenizer: of that model; its end mark ends a completion.
        name: to show beside answers.
        max_tokens: longest completion.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, name: str, max_tokens: int
    ) -> None:
        self.name = name
        self._model = model
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._ends = _end_tokens(model, tokenizer)
        self._context = int(getattr(model.config, "max_position_embeddings", 1 << 20))
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._pending = 0

    @classmethod
    def load(cls, folder: Path, *, max_tokens: int = 256, threads: int = 0) -> LocalModel:
        """Load a checkpoint folder; blocks for seconds.

        Args:
            folder: with `config.json`, safetensors weights and `tokenizer.json`.
            max_tokens: longest completion.
            threads: CPU threads; 0 for one if the model is small, PyTorch's choice otherwise.

        Raises:
            ModelFolderError: the folder is no such checkpoint.
        """
        if not (folder / "config.json").is_file():
            found = "no config.json in it" if folder.is_dir() else "no such folder"
            raise ModelFolderError(f"no model at {folder}: {found}; `model.path` names a checkpoint folder")
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype="auto"
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelFolderError(f"the model at {folder} cannot be loaded: {error}") from error
        is_small = model.num_parameters() < SMALL_MODEL_PARAMETERS
        if is_small:
            # Half precision is slow on a CPU, and a small model has the memory.
            model.float()  # type: ignore[no-untyped-call]
        if threads or is_small:
            torch.set_num_threads(threads or 1)
        model.train(mode=False)
        return cls(model, tokenizer, name=folder.resolve().name, max_tokens=max_tokens)

    async def complete(self, prompt: Prompt, *, hypothesis: int = 0, timeout_s: float) -> Completion:
        """Write one completion; see `CypherModel.complete`."""
        if self._pending >= WAITING:
            raise OverloadedError(f"{self._pending} questions already wait for the model {self.name}")
        cancelled = threading.Event()
        self._pending += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.get_running_loop().run_in_executor(
                    self._worker, self._complete, prompt, hypothesis, cancelled
                )
        except TimeoutError as error:
            raise DeadlineError(f"the model {self.name} took longer than {timeout_s:.3g} s") from error
        finally:
            cancelled.set()
            self._pending -= 1

    async def check(self) -> None:
        """A loaded model is always there."""

    async def close(self) -> None:
        """Stop the worker; what waits is dropped."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _complete(self, prompt: Prompt, hypothesis: int, cancelled: threading.Event) -> Completion:
        import torch

        started = time.perf_counter()
        with torch.inference_mode():
            ids = self._encode(prompt)
            steps = self.decode(ids, cancelled)
            if hypothesis:
                steps = self._fork(ids, steps, hypothesis, cancelled)
            if steps[-1].token not in self._ends:
                raise CompletionError(f"{self.name} wrote {len(steps)} tokens without coming to an end")
        tokens = [step.token for step in steps]
        text = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(
            text=str(text),
            tokens=len(tokens),
            mean_logprob=sum(step.logprob for step in steps) / len(steps),
            elapsed_ms=(time.perf_counter() - started) * 1000,
        )

    def _encode(self, prompt: Prompt) -> torch.Tensor:
        if not isinstance(prompt, str):
            prompt = str(
                self._tokenizer.apply_chat_template(
                    [dict(message) for message in prompt], tokenize=False, add_generation_prompt=True
                )
            )
        ids: torch.Tensor = self._tokenizer(prompt, return_tensors="pt")["input_ids"]
        return ids

    def decode(
        self, ids: torch.Tensor, cancelled: threading.Event, prefix: tuple[Step, ...] = ()
    ) -> list[Step]:
        """Continue a prompt with the likeliest token at each step, until the end mark or `max_tokens`.

        Args:
            ids: prompt, (1, T).
            cancelled: give up when it is set.
            prefix: steps already taken.

        Raises:
            CompletionError: the prompt leaves no room for a completion.
        """
        import torch
        from transformers import DynamicCache

        room = min(self._max_tokens, self._context - ids.shape[1])
        if room < 2:
            raise CompletionError(
                f"a prompt of {ids.shape[1]} tokens leaves no room in the {self._context} that {self.name} takes"
            )
        steps = list(prefix)
        taken = torch.tensor([[step.token for step in prefix]], dtype=ids.dtype)
        inputs = torch.cat([ids, taken], dim=1)  # (1, T)
        cache = DynamicCache(config=self._model.config)
        while len(steps) < room and not (steps and steps[-1].token in self._ends):
            if cancelled.is_set():
                raise _Cancelled
            output = self._model(input_ids=inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
            logprobs = output.logits[0, -1].log_softmax(-1)  # (N)
            (best, second), (token, runner_up) = (each.tolist() for each in logprobs.topk(2))
            steps.append(Step(token, best, runner_up, best - second))
            inputs = torch.tensor([[token]], dtype=ids.dtype)
        return steps

    def _fork(
        self, ids: torch.Tensor, steps: list[Step], hypothesis: int, cancelled: threading.Event
    ) -> list[Step]:
        """Take the runner-up where the greedy path was least sure, the next least sure place for each hypothesis."""
        order = sorted(range(len(steps)), key=lambda index: steps[index].margin)
        if hypothesis > len(order):
            raise CompletionError(f"{self.name} has no further hypothesis")
        place = order[hypothesis - 1]
        sure = steps[place]
        other = Step(sure.runner_up, sure.logprob - sure.margin, sure.token, -sure.margin)
        return self.decode(ids, cancelled, prefix=(*steps[:place], other))


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    configured = getattr(model.generation_config, "eos_token_id", None)
    ends = {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])} - {None}
    if not ends:
        raise ModelFolderError(
            "the model's tokenizer has no end mark (eos_token), so no completion would end"
        )
    return frozenset(ends)
