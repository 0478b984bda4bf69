"""Rows of the atoms format: questions linked as serving links them, their queries with the values that are linked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from t2c_core.prompt.schema_tokens import UNANSWERABLE, SchemaTokenFormat
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_data.export.augmentation import perturb
from t2c_data.export.query_relinking import relink_query
from t2c_data.processes import MIN_PAIRS_FOR_PROCESSES, process_pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema
    from t2c_data.pairs import Pair

CHUNK = 250
"""Number of pairs that a process links at a time."""


@dataclass(frozen=True, slots=True)
class AtomRow:
    """A training row."""

    id: str
    prompt: str
    completion: str
    split: str


@dataclass(frozen=True, slots=True)
class LinkedPair:
    """What became of a pair."""

    row: AtomRow | None
    drops: tuple[str, ...]
    """Reasons why the pair, or its perturbed question, was left out."""


class AtomRowLinker:
    """Links the questions of pairs.

    Args:
        schema: schema of the graph.
        index: its values.
        seed: seed of the perturbations.
        noise: ratio of training questions that are perturbed before linking.
    """

    def __init__(self, schema: GraphSchema, index: ValueIndex, *, seed: int, noise: float) -> None:
        self._linker = Linker(index, schema)
        self._prompts = SchemaTokenFormat(schema)
        self._seed = seed
        self._noise = noise

    def link(self, pair: Pair) -> LinkedPair:
        """Link a pair; a perturbed question whose values are not found again gives way to the original one."""
        question, kind = self._perturbed(pair)
        linked = self._linker.link(question)
        completion = relink_query(pair, linked, self._prompts) if pair.cypher else UNANSWERABLE
        drops: tuple[str, ...] = ()
        if completion is None and kind != "plain":
            drops = (f"unlinked after {kind}",)
            linked = self._linker.link(pair.question)
            completion = relink_query(pair, linked, self._prompts)
        if completion is None:
            return LinkedPair(None, (*drops, "unlinked"))
        return LinkedPair(AtomRow(pair.id, self._prompts.render(linked), completion, pair.split), drops)

    def _perturbed(self, pair: Pair) -> tuple[str, str]:
        """Return a question, perhaps perturbed, and the kind of perturbation; `plain` if there is none."""
        digest = hashlib.sha256(f"{self._seed}:{pair.id}".encode()).hexdigest()
        rng = Random(int(digest[:12], 16))  # noqa: S311
        if pair.split == "train" and rng.random() < self._noise:
            return perturb(pair, rng)
        return pair.question, "plain"


def link_pairs(
    pairs: Sequence[Pair], *, schema: GraphSchema, snapshot: Path, seed: int, noise: float
) -> Iterator[LinkedPair]:
    """Link pairs in their order, many of them in one process a core.

    Args:
        pairs: the pairs.
        schema: schema of the graph.
        snapshot: folder with the value index.
        seed: seed of the perturbations.
        noise: ratio of training questions that are perturbed before linking.
    """
    if len(pairs) < MIN_PAIRS_FOR_PROCESSES:
        with ValueIndex(snapshot / "values.sqlite") as index:
            linker = AtomRowLinker(schema, index, seed=seed, noise=noise)
            yield from map(linker.link, pairs)
        return
    with process_pool(_open_linker, schema, snapshot, seed, noise) as pool:
        chunks = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
        for chunk in pool.map(_link_chunk, chunks):
            yield from chunk


_linker: AtomRowLinker | None = None
"""The linker of a process."""


def _open_linker(schema: GraphSchema, snapshot: Path, seed: int, noise: float) -> None:
    global _linker  # noqa: PLW0603  (one a process)
    _linker = AtomRowLinker(schema, ValueIndex(snapshot / "values.sqlite"), seed=seed, noise=noise)


def _link_chunk(pairs: Sequence[Pair]) -> list[LinkedPair]:
    if _linker is None:
        raise RuntimeError("the process has no linker")
    return [_linker.link(pair) for pair in pairs]
