"""Grammar-constrained decoding with xgrammar; compiled grammars are cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase
    from xgrammar import CompiledGrammar

    from t2c_core.grammar import Grammar

CACHE_BYTES = 256_000_000
"""Maximum bytes of compiled grammars kept; the oldest are dropped first."""


class GrammarConstraint:
    """State of a grammar for one completion.

    Args:
        compiled: compiled grammar.
        preferred: bit mask of the tokens that are used whenever the grammar allows one of them; None for all tokens.
        words: number of 32-bit words of a token bit mask.
    """

    def __init__(self, compiled: CompiledGrammar, preferred: Tensor | None, words: int) -> None:
        from xgrammar import GrammarMatcher

        self._matcher = GrammarMatcher(compiled)
        self._preferred = preferred
        self._mask = torch.full((1, words), -1, dtype=torch.int32)

    def mask_logits_(self, logits: Tensor) -> None:
        """Mask, in place, the tokens that the grammar does not allow next.

        Args:
            logits: (V); logits or log-probabilities.
        """
        from xgrammar import apply_token_bitmask_inplace

        if self._matcher.fill_next_token_bitmask(self._mask):
            mask = self._mask
            if self._preferred is not None:
                narrow = mask & self._preferred
                mask = narrow if bool(narrow.any()) else mask
            apply_token_bitmask_inplace(logits[None], mask, backend="cpu")

    def accept(self, tokens: Iterable[int]) -> bool:
        """Advance by some tokens; return False if the grammar does not allow them."""
        return all(self._matcher.accept_token(token) for token in tokens)


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
        self._words = (vocab_size + 31) // 32
        self._atoms = _bits([*tokenizer.get_added_vocab().values(), *eos_token_ids], self._words)

    def start(self, grammar: Grammar) -> GrammarConstraint:
        """Start a completion; blocks while a new grammar is compiled.

        Raises:
            RuntimeError: the grammar is invalid.
        """
        compiled = self._compiler.compile_grammar(grammar.text)
        return GrammarConstraint(compiled, self._atoms if grammar.uses_schema_tokens else None, self._words)


def _bits(tokens: Iterable[int], words: int) -> Tensor:
    mask = [0] * words
    for token in tokens:
        mask[token // 32] |= 1 << (token % 32)
    return torch.tensor([[word - (1 << 32) if word >= 1 << 31 else word for word in mask]], dtype=torch.int32)
