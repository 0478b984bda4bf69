"""The template pipeline: compose, execute, keep what holds, split, write.

Reads: a graph over Bolt (READ only), its snapshot, a lexicon, the patterns.
Writes: `candidates.jsonl` (append-only, resumable), `pairs.jsonl`, `manifest.json` last.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from t2c_core.errors import GraphTimeoutError, QueryError
from t2c_core.graph.client import GraphClient, QueryLimits
from t2c_core.prompt.compact_cypher import CompactSyntaxError, encode
from t2c_core.prompt.variable_names import VariableNames
from t2c_data.dataset.collector import CandidateCollector
from t2c_data.errors import UnfitError
from t2c_data.generation.instantiate import InstantiatedTemplate, TemplateInstantiator
from t2c_data.generation.rng import generator
from t2c_data.generation.unanswerable import UnanswerableGenerator
from t2c_data.graph.context import GraphContext
from t2c_data.graph.sample import read_sample
from t2c_data.jobs.output_dir import prepare_output_dir
from t2c_data.planning.limit_ties import order_limit, over_fetch, resolve_ties
from t2c_data.planning.query_tree import MARK_CLOSE, MARK_OPEN
from t2c_data.realisation.surface import realise
from t2c_data.templates.model import load_templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema
    from t2c_data.lexicon.model import Lexicon
    from t2c_data.templates.model import QuestionTemplate

MAX_ROWS = 25
"""Rows read of each answer."""
CHUNK = 160
"""Bindings of a chunk."""
TRIES = 12
"""How often a pattern is bound anew before the next one is taken."""
WORDINGS = 4
READING = QueryLimits(timeout_s=300, max_rows=10_000_000, max_bytes=4_000_000_000)
ANSWERING = QueryLimits(timeout_s=20, max_rows=MAX_ROWS)

_LIMIT = re.compile(f"LIMIT \\${MARK_OPEN}(\\d+){MARK_CLOSE}")


@dataclass(frozen=True, kw_only=True)
class TemplatePipelineConfig:
    """What a build is to make."""

    pairs: int = 3_000
    """How many pairs."""
    seed: int = 0
    workers: int = 6
    """Queries in flight."""
    unanswerable: float = 0.04
    """Share of questions that the graph cannot answer."""
    wordings: int = WORDINGS
    """Wordings tried for of each binding."""


def prepare(
    out: Path, *, schema: GraphSchema, lexicon: Lexicon, config: TemplatePipelineConfig, force: bool = False
) -> None:
    """Make the folder of a build, or find it left by an earlier call of the same build.

    Raises:
        DataInputError: the folder holds something else.
    """
    plan = {
        "schema": schema.version,
        "lexicon": hashlib.sha256(repr(lexicon).encode()).hexdigest()[:12],
        "templates": hashlib.sha256(repr(load_templates()).encode()).hexdigest()[:12],
        "config": asdict(replace(config, workers=0)),
    }
    prepare_output_dir(out, plan, artifacts=("manifest.json", "pairs.jsonl", "candidates.jsonl"), force=force)


@dataclass(frozen=True, slots=True)
class _Job:
    """A draft, and the state from which its wordings are written out."""

    draft: InstantiatedTemplate
    state: Any

    def rows(self) -> list[dict[str, Any]]:
        """Write all wordings out."""
        pattern, rng = self.draft.pattern, Random()  # noqa: S311
        rng.setstate(self.state)
        written = [realise(text, self.draft.cypher, self.draft.mentions, rng) for text in self.draft.texts]
        return [
            {
                "question": each.question, "cypher": each.cypher, "parameters": each.parameters,
                "category": pattern.category, "template": pattern.id, "difficulty": pattern.difficulty,
            }
            for each in written
        ]  # fmt: skip

    def limited_to(self, limit: int) -> _Job:
        """Change the number of rows that the question asks for."""
        found = _LIMIT.search(self.draft.cypher)
        if found is None:
            return self
        number = int(found[1])
        changed = replace(self.draft.mentions[number], value=limit)
        return replace(self, draft=replace(self.draft, mentions={**self.draft.mentions, number: changed}))


async def build(
    out: Path,
    *,
    uri: str,
    schema: GraphSchema,
    lexicon: Lexicon,
    config: TemplatePipelineConfig,
    auth: tuple[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Build pairs from a graph; a stopped build goes on where it was.

    Returns:
        The manifest.

    Raises:
        BuildError: no pairs come out.
    """
    async with GraphClient(uri, auth=auth, concurrency=config.workers) as client:
        world = await read_world(client, schema, lexicon)
        maker = ChunkGenerator(world, client, config)
        with CandidateCollector(out, target=config.pairs, progress=progress) as harvest:
            while harvest.remaining:
                harvest.add(await maker.generate_chunk(harvest.chunks))
    return harvest.deliver(schema, seed=config.seed, config=asdict(config))


async def read_world(client: GraphClient, schema: GraphSchema, lexicon: Lexicon) -> GraphContext:
    """Read the part of a graph that questions are made from."""

    async def read(cypher: str, parameters: dict[str, Any]) -> list[list[Any]]:
        return [list(row) for row in (await client.execute_read(cypher, parameters, READING)).rows]

    return GraphContext(schema, lexicon, await read_sample(read, schema))


class ChunkGenerator:
    """Makes chunks of rows, each from its own seed.

    Args:
        world: the graph.
        client: runs the queries.
        config: the build.
    """

    def __init__(self, world: GraphContext, client: GraphClient, config: TemplatePipelineConfig) -> None:
        self._world = world
        self._client = client
        self._config = config
        self._composer = TemplateInstantiator(world, VariableNames(world.schema))
        self._patterns = load_templates()
        self._weights = [pattern.weight for pattern in self._patterns]
        self._refuser = UnanswerableGenerator(self._composer, self._patterns)

    async def generate_chunk(self, number: int) -> list[dict[str, Any]]:
        """Compose and execute one chunk."""
        jobs: list[_Job] = []
        rows: list[dict[str, Any]] = []
        for place in range(CHUNK):
            rng = generator(self._config.seed, number, place)
            if rng.random() < self._config.unanswerable:
                rows += self._refuser.rows(rng, self._config.wordings)
                continue
            jobs += self._compose(rng)
        gate = asyncio.Semaphore(self._config.workers)

        async def run(job: _Job) -> list[dict[str, Any]]:
            async with gate:
                return await self._execute(job)

        for done in await asyncio.gather(*(run(job) for job in jobs)):
            rows += done
        return rows

    def _compose(self, rng: Random) -> Iterator[_Job]:
        pattern = rng.choices(self._patterns, self._weights)[0]
        for _ in range(TRIES):
            try:
                draft = self._composer.instantiate(pattern, rng, wordings=self._config.wordings)
            except UnfitError:
                continue
            yield _Job(draft, rng.getstate())
            return

    async def _execute(self, job: _Job) -> list[dict[str, Any]]:
        rows = job.rows()
        cypher, parameters = rows[0]["cypher"], rows[0]["parameters"]
        limit = order_limit(cypher, parameters)
        if limit:
            cypher, parameters = over_fetch(cypher, parameters, MAX_ROWS)
        try:
            encode(cypher)
            result = await self._client.execute_read(cypher, parameters, ANSWERING)
        except (QueryError, GraphTimeoutError, CompactSyntaxError) as error:
            return [{**row, "drop": type(error).__name__} for row in rows]
        answer = [list(row) for row in result.rows]
        reason = _rejection_reason(job.draft.pattern, answer)
        count = len(answer)
        if limit and not reason:
            settled, reason = resolve_ties(cypher, answer, limit)
            rows = rows if settled == limit else job.limited_to(settled).rows()
            count = min(count, settled)
        if reason:
            return [{"drop": reason, "template": row["template"]} for row in rows]
        return [{**row, "result_rows": count} for row in rows]


def _rejection_reason(pattern: QuestionTemplate, answer: list[list[Any]]) -> str:
    """Say why an answer does not do; empty if it does."""
    if not answer:
        return "empty"
    if all(value is None or value == [] for row in answer for value in row):
        return "null"
    return "zero" if pattern.category in {"count", "aggregate"} and answer == [[0]] else ""
