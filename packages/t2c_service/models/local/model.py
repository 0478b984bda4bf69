"""`CypherModel` of a checkpoint in this process: one worker thread decodes batches of waiting requests."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from t2c_service.errors import (
    CompletionError,
    DeadlineError,
    ModelFolderError,
    OverloadedError,
    SettingsError,
)
from t2c_service.models.protocol import Completion, require_xgrammar

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from t2c_core.grammar import Grammar
    from t2c_service.models.local.constrained_decoding import GrammarConstraintFactory
    from t2c_service.models.local.decoding import DecodingSequence, Step
    from t2c_service.models.protocol import Prompt

log = logging.getLogger(__name__)

SMALL_MODEL_PARAMETERS = 100_000_000
"""Number of parameters below which a second thread costs more in waiting than it computes."""
MAX_QUEUED = 256
"""Maximum number of waiting completions."""
MAX_BATCH_SIZE = 8
"""Maximum number of completions decoded together."""
CACHE_SIZE = 64
"""Number of most probable completions kept, from which alternative hypotheses branch."""

_Key = tuple[tuple[int, ...], tuple[object, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    prompt: Prompt
    hypothesis: int
    grammar: Grammar | None
    cancelled: threading.Event
    result: Future[Completion]


class LocalModel:
    """A causal language model with its tokenizer.

    Args:
        model: model in evaluation mode.
        tokenizer: tokenizer of the model; its end-of-sequence token ends a completion.
        name: name to show in answers.
        max_tokens: maximum tokens of a completion.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, name: str, max_tokens: int
    ) -> None:
        from t2c_service.models.local.engine import choose_engine

        self.name = name
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._eos_token_ids = _eos_token_ids(model, tokenizer)
        self._context_length = int(getattr(model.config, "max_position_embeddings", 1 << 20))
        self._vocab_size = int(model.config.vocab_size)
        is_small = model.num_parameters() < SMALL_MODEL_PARAMETERS
        self._engine = choose_engine(model, is_small=is_small)
        self._grammars: GrammarConstraintFactory | None = None
        self._completed: LRUCache[_Key, list[Step]] = LRUCache(CACHE_SIZE)
        self._jobs: deque[_Job] = deque()
        self._pending = 0
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    @classmethod
    def load(cls, folder: Path, *, max_tokens: int = 256, threads: int = 0) -> LocalModel:
        """Load a checkpoint folder; blocks for seconds.

        Args:
            folder: checkpoint with `config.json`, safetensors weights and `tokenizer.json`.
            max_tokens: maximum tokens of a completion.
            threads: CPU threads; 0 for one if the model is small, otherwise PyTorch's default.

        Raises:
            ModelFolderError: the folder is not such a checkpoint.
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
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
            raise ModelFolderError(f"the model at {folder} cannot be loaded: {error}") from error
        is_small = model.num_parameters() < SMALL_MODEL_PARAMETERS
        if is_small:
            # Half precision is slow on a CPU, and a small model has the memory.
            model.float()  # type: ignore[no-untyped-call]
        if threads or is_small:
            torch.set_num_threads(threads or 1)
        model.train(mode=False)
        return cls(model, tokenizer, name=folder.resolve().name, max_tokens=max_tokens)

    def check_support(self, *, chat: bool, grammar: bool) -> None:
        """Check that the tokenizer has a usable chat template and that xgrammar is installed, if they will be used.

        Raises:
            SettingsError: something is missing.
        """
        if grammar:
            require_xgrammar()
        if chat:
            roles = ("system", "user", "assistant", "user")
            try:
                self._encode([{"role": role, "content": "x"} for role in roles])
            except Exception as error:
                raise SettingsError(
                    f"`prompt: chat` needs a chat template with system, user and assistant messages, which the "
                    f"tokenizer of {self.name} lacks ({error}); name an instruction-tuned model in `model.path`"
                ) from error

    async def complete(
        self, prompt: Prompt, *, hypothesis: int = 0, grammar: Grammar | None = None, timeout_s: float
    ) -> Completion:
        """Generate one completion; see `CypherModel.complete`."""
        if self._pending >= MAX_QUEUED:
            raise OverloadedError(f"{self._pending} completions are already queued for the model {self.name}")
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
        """Do nothing: a loaded model is always available."""

    async def close(self) -> None:
        """Stop the worker and cancel the queue."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        for job in tuple(self._jobs):
            job.result.cancel()

    def _worker_loop(self) -> None:
        """Decode one batch of the queue, unless an earlier call has emptied it."""
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
        """Decode a batch; if it fails, decode its jobs one by one, so that only the failing ones fail."""
        started = time.perf_counter()
        try:
            self._decode(jobs, started)
        except Exception as error:
            pending = [job for job in jobs if not job.result.done()]
            if len(jobs) > 1:
                for job in pending:
                    self._complete([job])
                return
            log.warning("%s failed on a prompt", self.name, exc_info=error)
            for job in pending:
                failure = CompletionError(f"{self.name} cannot complete this prompt: {error}")
                failure.__cause__ = error
                job.result.set_exception(failure)

    def _decode(self, jobs: list[_Job], started: float) -> None:
        """Decode the most probable completions of all prompts, then the alternative hypotheses."""
        from t2c_service.models.local.decoding import decode

        keys: dict[_Job, _Key] = {}
        sequences: dict[_Key, DecodingSequence] = {}
        for job in jobs:
            key = self._encode(job.prompt), job.grammar.key if job.grammar else ()
            if self._max_new_tokens(key) < 2:
                job.result.set_exception(
                    CompletionError(
                        f"a prompt of {len(key[0])} tokens leaves no room in the context of {self.name}, "
                        f"which has {self._context_length} tokens"
                    )
                )
                continue
            keys[job] = key
            if key in sequences:
                sequences[key].cancelled.append(job.cancelled)
            elif key not in self._completed:
                sequences[key] = self._sequence(job, key)
        decode(self._engine, list(sequences.values()), self._eos_token_ids)
        completed = {key: self._completed[key] for key in keys.values() if key in self._completed}
        for key, sequence in sequences.items():
            completed[key] = [] if sequence.is_cancelled or sequence.is_stuck else sequence.steps
            if completed[key]:
                self._completed[key] = completed[key]
        alternatives = {
            job: self._alternative(job, key, completed[key]) for job, key in keys.items() if job.hypothesis
        }
        decode(self._engine, [each for each in alternatives.values() if each], self._eos_token_ids)
        for job, key in keys.items():
            alternative = alternatives.get(job)
            steps = [] if job.hypothesis else completed[key]
            if alternative and not alternative.is_stuck:
                steps = alternative.steps
            self._finish(job, steps, started)

    def _max_new_tokens(self, key: _Key) -> int:
        return min(self._max_tokens, self._context_length - len(key[0]))

    def _sequence(self, job: _Job, key: _Key) -> DecodingSequence:
        from t2c_service.models.local.constrained_decoding import GrammarConstraintFactory
        from t2c_service.models.local.decoding import DecodingSequence

        if job.grammar and self._grammars is None:
            self._grammars = GrammarConstraintFactory(
                self._tokenizer, vocab_size=self._vocab_size, eos_token_ids=sorted(self._eos_token_ids)
            )
        constraint = self._grammars.start(job.grammar) if job.grammar and self._grammars else None
        return DecodingSequence(key[0], self._max_new_tokens(key), constraint, [job.cancelled])

    def _alternative(self, job: _Job, key: _Key, best: list[Step]) -> DecodingSequence | None:
        """Start an alternative hypothesis; return None if the grammar allows no other."""
        from t2c_service.models.local.decoding import branch

        steps = branch(best, job.hypothesis)
        if steps is None:
            return None
        sequence = self._sequence(job, key)
        if sequence.constraint is not None and not sequence.constraint.accept(step.token for step in steps):
            return None
        sequence.steps = steps
        sequence.fixed = len(steps)
        return sequence

    def _finish(self, job: _Job, steps: list[Step], started: float) -> None:
        if job.cancelled.is_set():
            return
        if not steps:
            job.result.set_exception(CompletionError(f"{self.name} has no further hypothesis"))
        elif steps[-1].token not in self._eos_token_ids:
            job.result.set_exception(
                CompletionError(f"the completion of {self.name} exceeds {len(steps)} tokens")
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
        if isinstance(prompt, str):
            return tuple(self._tokenizer(prompt)["input_ids"])
        text = self._tokenizer.apply_chat_template(
            [dict(message) for message in prompt], tokenize=False, add_generation_prompt=True
        )
        # The template writes the special tokens itself.
        return tuple(self._tokenizer(str(text), add_special_tokens=False)["input_ids"])


def _eos_token_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])} - {None}
    if not ids:
        raise ModelFolderError(
            "the tokenizer has no end-of-sequence token (eos_token), so no completion would end"
        )
    return frozenset(ids)
