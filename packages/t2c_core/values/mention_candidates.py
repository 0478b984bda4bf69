"""Candidate mentions: a span of a question, how it reads, and the values it may stand for, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.values.stopwords import name_stems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.schema.model import Scalar
    from t2c_core.values.linker import LinkKind
    from t2c_core.values.sqlite_store import IndexedValue
    from t2c_core.values.tokenized_question import TokenizedQuestion


@dataclass(frozen=True, slots=True)
class MentionCandidate:
    """`question[start:end]`, read as `value`, which may stand for any of `hits`."""

    start: int
    end: int
    kind: LinkKind
    value: Scalar
    candidates: tuple[IndexedValue, ...] = ()
    """Best first."""
    quoted: bool = False
    is_exact: bool = True
    """Whether it is written like the value, but for case, endings and the like."""


def holder_stems(hit: IndexedValue) -> frozenset[str]:
    """Give the stems of the names of what holds a value."""
    return name_stems(hit.owner) | name_stems(hit.property)


def rank_candidates(
    sentence: TokenizedQuestion, start: int, end: int, candidates: Iterable[IndexedValue]
) -> tuple[IndexedValue, ...]:
    """Put values cased as written first, then those whose property is named nearby, then frequent ones."""
    run = sentence.run(start, end)
    near = sentence.context_stems(run) if run else set()
    written = sentence.text[start:end].strip("'\"`‘’“”«»")

    def order(hit: IndexedValue) -> tuple[bool, int, int, str, str, str]:
        pointed = len(near & name_stems(hit.property)) + len(near & name_stems(hit.owner))
        return (str(hit.value) != written, -pointed, -hit.count, hit.owner, hit.property, str(hit.value))

    return tuple(sorted(candidates, key=order))
