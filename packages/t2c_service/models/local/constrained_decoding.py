"""Keeps a completion within a grammar, token by token, with xgrammar. Grammars are compiled once."""

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
"""Compiled grammars kept; the oldest go first."""


class GrammarConstraint:
    """Where in a grammar one completion is.

    Args:
        compiled: the grammar.
        whole: bits of the tokens to choose from as long as the grammar takes one of them; none for all tokens.
        words: of a bit mask over the vocabulary.
    """

    def __init__(self, compiled: CompiledGrammar, whole: Tensor | None, words: int) -> None:
        from xgrammar import GrammarMatcher

        self._matcher = GrammarMatcher(compiled)
        self._whole = whole
        self._mask = torch.full((1, words), -1, dtype=torch.int32)

    def mask_logits_(self, logits: Tensor) -> None:
        """Take away, in place, what cannot stand next.

        Args:
            logits: or log-probabilities, (N).
        """
        from xgrammar import apply_token_bitmask_inplace

        if self._matcher.fill_next_token_bitmask(self._mask):
            mask = self._mask
            if self._whole is not None:
                narrow = mask & self._whole
                mask = narrow if bool(narrow.any()) else mask
            apply_token_bitmask_inplace(logits[None], mask, backend="cpu")

    def accept(self, tokens: Iterable[int]) -> bool:
        """Go on after some tokens; false if the grammar does not take them."""
        return all(self._matcher.accept_token(token) for token in tokens)


class GrammarConstraintFactory:
    """Makes guides for one tokenizer.

    Args:
        tokenizer: of the model.
        vocabulary: how many logits the model gives.
        ends: tokens that end a completion.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, vocabulary: int, ends: Sequence[int]) -> None:
        from xgrammar import GrammarCompiler, TokenizerInfo

        info = TokenizerInfo.from_huggingface(tokenizer, vocab_size=vocabulary, stop_token_ids=list(ends))
        self._compiler = GrammarCompiler(info, max_threads=1, cache_limit_bytes=CACHE_BYTES)
        self._words = (vocabulary + 31) // 32
        self._atoms = _bits([*tokenizer.get_added_vocab().values(), *ends], self._words)

    def start(self, grammar: Grammar) -> GrammarConstraint:
        """Begin a completion; blocks while a grammar is compiled that was not seen before.

        Raises:
            RuntimeError: it is no grammar.
        """
        compiled = self._compiler.compile_grammar(grammar.text)
        return GrammarConstraint(compiled, self._atoms if grammar.uses_schema_tokens else None, self._words)


def _bits(tokens: Iterable[int], words: int) -> Tensor:
    mask = [0] * words
    for token in tokens:
        mask[token // 32] |= 1 << (token % 32)
    return torch.tensor([[word - (1 << 32) if word >= 1 << 31 else word for word in mask]], dtype=torch.int32)
