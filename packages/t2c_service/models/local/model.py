"""A checkpoint folder as a `CypherModel`, in process: one worker thread that takes what waits as one batch.

Small per-graph models answer in milliseconds on one core, so requests queue for a single thread rather than share the
cores; what has queued up meanwhile is decoded together. How is in `decoding`, by what network in `engine`, within
which grammar in `guide`; nothing here knows Cypher.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_service.errors import CompletionError, DeadlineError, ModelFolderError, OverloadedError
from t2c_service.models.protocol import Completion

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from t2c_core.grammar import Grammar
    from t2c_service.models.local.decoding import DecodingSequence, Step
    from t2c_service.models.protocol import Prompt

SMALL_MODEL_PARAMETERS = 100_000_000
"""Below this, a second thread costs more in waiting than it computes."""
MAX_QUEUED = 256
"""Completions that may wait for the worker."""
MAX_BATCH_SIZE = 8
"""Completions decoded together."""
CACHE_SIZE = 64
"""Likeliest completions kept, for further hypotheses of the same prompts."""

_Key = tuple[tuple[int, ...], str]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    prompt: Prompt
    hypothesis: int
    grammar: Grammar | None
    cancelled: threading.Event
    result: Future[Completion]


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
        from t2c_service.models.local.constrained_decoding import GrammarConstraintFactory
        from t2c_service.models.local.engine import choose_engine

        self.name = name
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._ends = _end_tokens(model, tokenizer)
        self._context = int(getattr(model.config, "max_position_embeddings", 1 << 20))
        is_small = model.num_parameters() < SMALL_MODEL_PARAMETERS
        self._engine = choose_engine(model, is_small=is_small)
        self._guides = GrammarConstraintFactory(
            tokenizer, vocabulary=model.config.vocab_size, ends=sorted(self._ends)
        )
        self._likeliest: OrderedDict[_Key, list[Step]] = OrderedDict()
        self._jobs: deque[_Job] = deque()
        self._pending = 0
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

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

    async def complete(
        self, prompt: Prompt, *, hypothesis: int = 0, grammar: Grammar | None = None, timeout_s: float
    ) -> Completion:
        """Write one completion; see `CypherModel.complete`."""
        if self._pending >= MAX_QUEUED:
            raise OverloadedError(f"{self._pending} questions already wait for the model {self.name}")
        job = _Job(prompt, hypothesis, grammar, threading.Event(), Future())
        self._pending += 1
        try:
            async with asyncio.timeout(timeout_s):
                self._jobs.append(job)
                self._worker.submit(self._worker_loop)
                return await asyncio.wrap_future(job.result)
        except TimeoutError as error:
            raise DeadlineError(f"the model {self.name} took longer than {timeout_s:.3g} s") from error
        finally:
            job.cancelled.set()
            self._pending -= 1

    async def check(self) -> None:
        """A loaded model is always there."""

    async def close(self) -> None:
        """Stop the worker; what waits is dropped."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        for job in tuple(self._jobs):
            job.result.cancel()

    def _worker_loop(self) -> None:
        """Decode what waits, if an earlier call has not done so."""
        import torch

        batch: list[_Job] = []
        while len(batch) < MAX_BATCH_SIZE and self._jobs:
            job = self._jobs.popleft()
            if job.result.set_running_or_notify_cancel():
                batch.append(job)
        if batch:
            with torch.inference_mode():
                self._complete(batch)

    def _complete(self, jobs: list[_Job]) -> None:
        """Decode a batch; whoever waits for it learns of an error."""
        started = time.perf_counter()
        try:
            self._decode(jobs, started)
        except Exception as error:  # noqa: BLE001 - the worker must live on
            for job in jobs:
                if not job.result.done():
                    job.result.set_exception(error)

    def _decode(self, jobs: list[_Job], started: float) -> None:
        """Decode the likeliest completions of all prompts, then the other hypotheses that are asked for."""
        from t2c_service.models.local.decoding import decode

        keys: dict[_Job, _Key] = {}
        rows: dict[_Key, DecodingSequence] = {}
        for job in jobs:
            key = self._encode(job.prompt), job.grammar.text if job.grammar else ""
            if self._room(key) < 2:
                job.result.set_exception(self._without_room(key))
                continue
            keys[job] = key
            if key in rows:
                rows[key].cancelled.append(job.cancelled)
            elif key not in self._likeliest:
                rows[key] = self._row(job, key)
        decode(self._engine, list(rows.values()), self._ends)
        self._likeliest.update((key, row.steps) for key, row in rows.items() if not row.is_unwanted)
        likeliest = {key: self._likeliest.get(key, []) for key in keys.values()}
        others = {job: self._forked(job, key, likeliest[key]) for job, key in keys.items() if job.hypothesis}
        decode(self._engine, [row for row in others.values() if row is not None], self._ends)
        for job, key in keys.items():
            other = others.get(job)
            steps = [] if job.hypothesis else likeliest[key]
            self._finish(job, other.steps if other else steps, started)
        while len(self._likeliest) > CACHE_SIZE:
            self._likeliest.popitem(last=False)

    def _room(self, key: _Key) -> int:
        return min(self._max_tokens, self._context - len(key[0]))

    def _without_room(self, key: _Key) -> CompletionError:
        return CompletionError(
            f"a prompt of {len(key[0])} tokens leaves no room in the {self._context} that {self.name} takes"
        )

    def _row(self, job: _Job, key: _Key) -> DecodingSequence:
        from t2c_service.models.local.decoding import DecodingSequence

        guide = self._guides.start(job.grammar) if job.grammar else None
        return DecodingSequence(key[0], self._room(key), guide, [job.cancelled])

    def _forked(self, job: _Job, key: _Key, likeliest: list[Step]) -> DecodingSequence | None:
        """Begin another hypothesis than the likeliest; none if there is none that the grammar takes."""
        from t2c_service.models.local.decoding import branch

        steps = branch(likeliest, job.hypothesis)
        if steps is None:
            return None
        row = self._row(job, key)
        if row.guide is not None and not row.guide.accept(step.token for step in steps):
            return None
        row.steps = steps
        return row

    def _finish(self, job: _Job, steps: list[Step], started: float) -> None:
        if job.cancelled.is_set():
            return
        if not steps:
            job.result.set_exception(CompletionError(f"{self.name} has no further hypothesis"))
        elif steps[-1].token not in self._ends:
            job.result.set_exception(
                CompletionError(f"{self.name} wrote {len(steps)} tokens without coming to an end")
            )
        else:
            tokens = [step.token for step in steps]
            text = self._tokenizer.decode(
                tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            completion = Completion(
                text=str(text),
                tokens=len(tokens),
                mean_logprob=sum(step.logprob for step in steps) / len(steps),
                elapsed_ms=(time.perf_counter() - started) * 1000,
            )
            job.result.set_result(completion)

    def _encode(self, prompt: Prompt) -> tuple[int, ...]:
        if not isinstance(prompt, str):
            prompt = str(
                self._tokenizer.apply_chat_template(
                    [dict(message) for message in prompt], tokenize=False, add_generation_prompt=True
                )
            )
        return tuple(self._tokenizer(prompt)["input_ids"])


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    configured = getattr(model.generation_config, "eos_token_id", None)
    ends = {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])} - {None}
    if not ends:
        raise ModelFolderError(
            "the model's tokenizer has no end mark (eos_token), so no completion would end"
        )
    return frozenset(ends)
