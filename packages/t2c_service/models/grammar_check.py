"""Whether a text is a whole completion of a grammar; knows no model."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xgrammar import CompiledGrammar

CACHE_SIZE = 64
"""Compiled grammars kept."""


def matches_grammar(grammar: str, text: str) -> bool:
    """Tell whether a grammar takes a text as it is, or but for blanks around it.

    Args:
        grammar: EBNF.
        text: of a completion.
    """
    from xgrammar import GrammarMatcher

    compiled = _compiled(grammar)
    for form in dict.fromkeys((text, text.strip(), f" {text.strip()}")):
        matcher = GrammarMatcher(compiled, terminate_without_stop_token=True)
        if matcher.accept_string(form) and matcher.is_terminated():
            return True
    return False


@lru_cache(maxsize=CACHE_SIZE)
def _compiled(grammar: str) -> CompiledGrammar:
    from xgrammar import GrammarCompiler, TokenizerInfo

    return GrammarCompiler(TokenizerInfo([]), max_threads=1, cache_enabled=False).compile_grammar(grammar)
