"""The model pipeline: categories, pairs of each, all five validators, one of each question, split, write.

Reads: a graph over Bolt (READ only), its snapshot, a lexicon, a model's replies.
Writes: `replies/` (every reply of the model), `categories.json`, `candidates.jsonl` (append-only, resumable),
`pairs.jsonl`, `manifest.json` last.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from t2c_core.graph.client import GraphClient
from t2c_data.dataset.chunk_store import ChunkStore
from t2c_data.dataset.deduplicate import Deduplicator
from t2c_data.dataset.writer import write_dataset
from t2c_data.errors import BudgetError, BuildError
from t2c_data.generation.pipeline import MAX_ROWS, ChunkGenerator, TemplatePipelineConfig, read_world
from t2c_data.llm.categories import Category, find_categories
from t2c_data.llm.client import Endpoint, LLMClient
from t2c_data.llm.generate import write_pairs
from t2c_data.llm.judge import Judge
from t2c_data.pairs import Pair, write_lines
from t2c_data.validators.stage import PairValidator, ValidationContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Lexicon

MAX_BARREN = 3
"""After so many rounds without a new pair a build ends with what there is."""


@dataclass(frozen=True, kw_only=True)
class LLMPipelineConfig:
    """What a model is to write."""

    pairs: int = 750
    seed: int = 0
    categories: int = 12
    rounds: int = 5
    """How often it is asked for categories before they are merged."""
    judged: bool = True
    """Whether it also judges each pair that passes all other checks."""
    workers: int = 6
    """Queries in flight."""


@dataclass(frozen=True)
class GraphSource:
    """A graph to write about: where it is, its snapshot and its words."""

    uri: str
    snapshot: Path
    lexicon: Lexicon
    auth: tuple[str, str] | None = None


async def build_llm_pairs(
    out: Path,
    source: GraphSource,
    *,
    endpoint: Endpoint,
    config: LLMPipelineConfig,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Have a model write pairs of a graph; a stopped build goes on where it was.

    Returns:
        The manifest, with `usage` and, if the budget ended the build, `stopped`.

    Raises:
        ModelError: the model cannot be asked; what it replied is kept.
        BuildError: no pair came out.
    """
    ground = ValidationContext.load(source.snapshot, source.lexicon)
    async with (
        GraphClient(source.uri, auth=source.auth, concurrency=config.workers) as graph,
        LLMClient(endpoint, out / "replies") as model,
    ):
        world = await read_world(graph, ground.schema, source.lexicon)
        judge = Judge(model, ground.schema) if config.judged else None
        validation = PairValidator(ground, graph, judge=judge, workers=config.workers)
        writer = _Writer(model, world, validation, config, await _examples(world, graph, config))
        stopped = ""
        try:
            await writer.categorise(out / "categories.json")
            with ChunkStore(out / "candidates.jsonl") as store:
                await writer.run(store, progress)
        except BudgetError as error:
            stopped = str(error)
        usage = model.usage.to_row()
    rows = writer.chosen()
    if not rows:
        raise BuildError(stopped or f"no pair of the model passed; reasons: {dict(writer.seen.dropped)}")
    manifest = write_dataset(
        out, rows, ground.schema, seed=config.seed, config=asdict(config), drops=writer.seen.dropped
    )
    return {**manifest, "usage": usage, **({"stopped": stopped} if stopped else {})}


async def _examples(world: GraphContext, graph: GraphClient, config: LLMPipelineConfig) -> list[Pair]:
    """Make pairs from templates, to show the model their form."""
    maker = ChunkGenerator(
        world, graph, TemplatePipelineConfig(pairs=1, seed=config.seed, workers=config.workers, wordings=1)
    )
    rows = await maker.generate_chunk(0)
    return [Pair(**row, id="") for row in rows if "drop" not in row and row["cypher"]]


class _Writer:
    """Writes and checks pairs in rounds; one call for each category that lacks some."""

    def __init__(
        self,
        model: LLMClient,
        world: GraphContext,
        validation: PairValidator,
        config: LLMPipelineConfig,
        examples: list[Pair],
    ) -> None:
        self._model = model
        self._world = world
        self._validation = validation
        self._config = config
        self._examples = examples
        self._categories: tuple[Category, ...] = ()
        self.seen = Deduplicator()
        self._kept: list[dict[str, Any]] = []
        self._barren = 0

    async def categorise(self, file: Path) -> None:
        """Find categories, or read those that an earlier call found."""
        self._categories = _read_categories(file)
        if self._categories:
            return
        config = self._config
        self._categories = await find_categories(
            self._model, self._world, count=config.categories, rounds=config.rounds, seed=config.seed
        )
        write_lines(
            file, [json.dumps([asdict(each) for each in self._categories], ensure_ascii=False, indent=1)]
        )

    async def run(self, store: ChunkStore, progress: Callable[[int, int], None] | None) -> None:
        """Go through rounds until there are enough pairs, or no new ones come."""
        for rows in store.read():
            self._take(rows)
        wanted = self._config.pairs
        while len(self._kept) < wanted and self._barren < MAX_BARREN:
            rows = await self._round(store.chunks, self._lacking())
            store.append(rows)
            self._take(rows)
            if progress:
                progress(min(len(self._kept), wanted), wanted)

    def _take(self, rows: list[dict[str, Any]]) -> None:
        new = [row for row in rows if self.seen.take(row)]
        self._kept += new
        self._barren = 0 if new else self._barren + 1

    def chosen(self) -> list[dict[str, Any]]:
        """Choose the pairs: one of each category in turn, until there are enough."""
        by_category: dict[str, list[dict[str, Any]]] = {}
        for row in self._kept:
            by_category.setdefault(row["category"], []).append(row)
        turns = (row for turn in zip_longest(*by_category.values()) for row in turn if row is not None)
        return list(turns)[: self._config.pairs]

    def _lacking(self) -> list[Category]:
        """Name the categories that have less than their share."""
        counts = Counter(row["category"] for row in self._kept)
        quota = -(-self._config.pairs // max(len(self._categories), 1))
        return [each for each in self._categories if counts[each.name] < quota]

    async def _round(self, number: int, categories: Iterable[Category]) -> list[dict[str, Any]]:
        written = await asyncio.gather(
            *(
                write_pairs(
                    self._model, self._world, each, number, seed=self._config.seed, examples=self._examples
                )
                for each in categories
            )
        )
        rows = [row for found in written for row in found]
        verdicts = await self._validation.verdicts(
            [(row["question"], row["cypher"], row["parameters"]) for row in rows]
        )
        checked: list[dict[str, Any]] = []
        for row, (verdict, evidence) in zip(rows, verdicts, strict=True):
            if verdict.findings:
                first = verdict.findings[0]
                checked.append({**row, "drop": first.code, "detail": first.detail})
            else:
                checked.append({**row, "result_rows": min(len(evidence.rows), MAX_ROWS)})
        return checked


def _read_categories(file: Path) -> tuple[Category, ...]:
    if not file.is_file():
        return ()
    return tuple(Category(**each) for each in json.loads(file.read_text(encoding="utf-8")))
