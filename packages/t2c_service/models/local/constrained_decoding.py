"""Constrained decoding: grammars by xgrammar, compiled once and cached, and static semantics of queries.

The grammar masks tokens before they are compared. The static semantics are asked only about the most probable of
those that remain, since most steps need one or two answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase
    from xgrammar import CompiledGrammar

    from t2c_core.grammar import Grammar
    from t2c_core.grammar.static_semantics import QueryState

CACHE_BYTES = 256_000_000
"""Maximum bytes of compiled grammars kept; the oldest are dropped first."""
FIRST_CANDIDATES = 8
"""Number of tokens that are sorted first; rarely are more needed."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens of a model as constraints need them."""

    pieces: Sequence[bytes]
    """Bytes by token."""
    schema_tokens: Tensor
    """(V); whether a token is used whenever the grammar allows a token of this kind."""
    words: int
    """Number of 32-bit words of a token bit mask."""
    eos_token_ids: frozenset[int]


class GrammarConstraint:
    """State of a grammar, and of the static semantics, for one completion.

    Args:
        compiled: compiled grammar.
        vocabulary: tokens of the model.
        prefers_schema_tokens: whether tokens of schema elements are used whenever the grammar allows one of them.
        start: state of the static semantics before the first token; None if there are no such rules.
    """

    def __init__(
        self,
        compiled: CompiledGrammar,
        vocabulary: Vocabulary,
        *,
        prefers_schema_tokens: bool,
        start: QueryState | None,
    ) -> None:
        from xgrammar import GrammarMatcher

        self._matcher = GrammarMatcher(compiled)
        self._vocabulary = vocabulary
        self._prefers_schema_tokens = prefers_schema_tokens
        self._states: list[QueryState | None] = [start]
        self._mask = torch.full((1, vocabulary.words), -1, dtype=torch.int32)

    def candidates(
        self, logprobs: Tensor, *, excluded: Iterable[int] = (), is_careful: bool = False
    ) -> Iterator[tuple[int, float]]:
        """Yield the allowed tokens, most probable first, with their log-probabilities.

        Args:
            logprobs: (V); logits or log-probabilities.
            excluded: tokens that turned out to lead nowhere.
            is_careful: whether a token must also have an allowed successor.
        """
        for allowed in self._allowed(excluded):
            masked = logprobs.masked_fill(~allowed, -torch.inf)
            found = False
            for token, logprob in _descending(masked):
                if self._fits(token) and not (is_careful and self._leads_nowhere(token)):
                    found = True
                    yield token, logprob
            if found:
                return

    def accept(self, tokens: Iterable[int]) -> bool:
        """Advance by some tokens; return False if they are not allowed."""
        for token in tokens:
            state = self._states[-1]
            is_end = token in self._vocabulary.eos_token_ids
            following = state if state is None or is_end else state.after(self._vocabulary.pieces[token])
            if (following is None) != (state is None) or not self._matcher.accept_token(token):
                return False
            self._states.append(following)
        return True

    def rollback(self) -> None:
        """Go back by one token."""
        self._matcher.rollback(1)
        self._states.pop()

    def _allowed(self, excluded: Iterable[int]) -> Iterator[Tensor]:
        """Yield sets of tokens, (V) each; the second counts only if no token of the first fits."""
        size = len(self._vocabulary.schema_tokens)
        if self._matcher.fill_next_token_bitmask(self._mask):
            bits = torch.arange(32, dtype=torch.int32)
            allowed = ((self._mask[0, :, None] >> bits) & 1).bool().flatten()[:size]
        else:
            allowed = torch.ones(size, dtype=torch.bool)
        for token in excluded:
            allowed[token] = False
        if self._prefers_schema_tokens:
            yield allowed & self._vocabulary.schema_tokens
        yield allowed

    def _fits(self, token: int) -> bool:
        state = self._states[-1]
        if state is None:
            return True
        if token in self._vocabulary.eos_token_ids:
            return state.is_complete
        return state.after(self._vocabulary.pieces[token]) is not None

    def _leads_nowhere(self, token: int) -> bool:
        if token in self._vocabulary.eos_token_ids:
            return False
        if not self.accept([token]):
            return True
        flat = torch.zeros(len(self._vocabulary.schema_tokens))
        successor = next(self.candidates(flat), None)
        self.rollback()
        return successor is None


class GrammarConstraintFactory:
    """Create constraints for one tokenizer.

    Args:
        tokenizer: tokenizer of the model.
        vocab_size: number of logits.
        eos_token_ids: tokens that end a completion.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, *, vocab_size: int, eos_token_ids: Sequence[int]
    ) -> None:
        from xgrammar import GrammarCompiler, TokenizerInfo

        info = TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=vocab_size, stop_token_ids=list(eos_token_ids)
        )
        self._compiler = GrammarCompiler(info, max_threads=1, cache_limit_bytes=CACHE_BYTES)
        schema_tokens = torch.zeros(vocab_size, dtype=torch.bool)
        schema_tokens[[*tokenizer.get_added_vocab().values(), *eos_token_ids]] = True
        self._vocabulary = Vocabulary(
            pieces=[each if isinstance(each, bytes) else str(each).encode() for each in info.decoded_vocab],
            schema_tokens=schema_tokens,
            words=(vocab_size + 31) // 32,
            eos_token_ids=frozenset(eos_token_ids),
        )

    def start(self, grammar: Grammar) -> GrammarConstraint:
        """Start a completion; blocks while a new grammar is compiled.

        Raises:
            RuntimeError: the grammar is invalid.
        """
        return GrammarConstraint(
            self._compiler.compile_grammar(grammar.text),
            self._vocabulary,
            prefers_schema_tokens=grammar.uses_schema_tokens,
            start=grammar.semantics.start() if grammar.semantics else None,
        )


def _descending(logprobs: Tensor) -> Iterator[tuple[int, float]]:
    """Yield the tokens with finite log-probabilities, (V), in descending order."""
    first = min(FIRST_CANDIDATES, len(logprobs))
    values, tokens = (each.tolist() for each in logprobs.topk(first))
    yield from ((token, value) for token, value in zip(tokens, values, strict=True) if value > -torch.inf)
    if values[-1] > -torch.inf and first < len(logprobs):
        rest = logprobs.clone()
        rest[tokens] = -torch.inf
        values, tokens = (each.tolist() for each in rest.sort(descending=True))
        for token, value in zip(tokens, values, strict=True):
            if value == -torch.inf:
                return
            yield token, value
