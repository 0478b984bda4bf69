"""The template pipeline: instantiate templates, execute their queries, keep what has an answer, split and write.

Reads: a graph over Bolt (READ only), its snapshot, a lexicon, the templates.
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
from t2c_core.graph.client import QueryLimits
from t2c_core.prompt.compact_cypher import CompactSyntaxError, encode
from t2c_core.prompt.text_casts import with_casts
from t2c_core.prompt.variable_names import VariableNames
from t2c_data.dataset.collector import CandidateCollector
from t2c_data.dataset.store import CANDIDATES, EVALUATION, prepare_output_dir
from t2c_data.errors import UnfitError
from t2c_data.generation.instantiate import InstantiatedTemplate, TemplateInstantiator
from t2c_data.generation.rng import generator
from t2c_data.generation.unanswerable import UnanswerableGenerator
from t2c_data.generation.verification import AnswerVerifier
from t2c_data.graph.context import GraphContext
from t2c_data.graph.exclusions import without_excluded
from t2c_data.graph.sample import read_sample
from t2c_data.planning.limit_ties import order_limit, over_fetch, resolve_ties
from t2c_data.planning.query_tree import SENTINEL_CLOSE, SENTINEL_OPEN
from t2c_data.realisation.surface import realise
from t2c_data.templates.model import load_templates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from t2c_core.graph.client import GraphClient
    from t2c_core.graph.credentials import GraphConnection
    from t2c_core.schema.model import GraphSchema
    from t2c_data.graph.sample import Read
    from t2c_data.lexicon.model import Lexicon
    from t2c_data.templates.model import QuestionTemplate

MAX_ROWS = 25
"""Maximum number of rows read per answer."""
CHUNK = 160
"""Instantiated templates per chunk."""
TRIES = 12
"""Maximum number of attempts to instantiate a template."""
WORDINGS = 4
SAMPLE_LIMITS = QueryLimits(timeout_s=300, max_rows=10_000_000, max_bytes=4_000_000_000)
ANSWER_LIMITS = QueryLimits(timeout_s=20, max_rows=MAX_ROWS)

_LIMIT = re.compile(f"LIMIT \\${SENTINEL_OPEN}(\\d+){SENTINEL_CLOSE}")


@dataclass(frozen=True, kw_only=True)
class TemplatePipelineConfig:
    """Configuration of a build."""

    pairs: int = 3_000
    """Number of pairs."""
    seed: int = 0
    workers: int = 6
    """Number of concurrent queries."""
    unanswerable: float = 0.04
    """Ratio of questions that the graph cannot answer."""
    wordings: int = WORDINGS
    """Maximum number of wordings per instantiated template."""
    verified: float = 0.01
    """Ratio of instantiated templates, after the first 50, whose answers are compared with an evaluation in Python."""


def prepare(
    out: Path, *, schema: GraphSchema, lexicon: Lexicon, config: TemplatePipelineConfig, force: bool = False
) -> None:
    """Create the folder of a build, or accept the one that an earlier call of the same build left.

    Raises:
        DataInputError: the folder contains something else.
    """
    plan = {
        "schema": schema.version,
        "lexicon": hashlib.sha256(repr(lexicon).encode()).hexdigest()[:12],
        "templates": hashlib.sha256(repr(load_templates()).encode()).hexdigest()[:12],
        "config": asdict(replace(config, workers=0)),
    }
    prepare_output_dir(out, plan, artifacts=("manifest.json", "pairs.jsonl", CANDIDATES), force=force)


@dataclass(frozen=True, slots=True)
class _Job:
    """An instantiated template, and the generator's state from which its wordings are realised."""

    instance: InstantiatedTemplate
    state: Any

    def rows(self) -> list[dict[str, Any]]:
        """Realise all wordings."""
        template, rng = self.instance.template, Random()  # noqa: S311
        rng.setstate(self.state)
        instance = self.instance
        pairs = [realise(text, instance.cypher, instance.mentions, rng) for text in instance.texts]
        return [
            {
                "question": each.question, "cypher": each.cypher, "parameters": each.parameters,
                "category": template.category, "template": template.id, "difficulty": template.difficulty,
            }
            for each in pairs
        ]  # fmt: skip

    def limited_to(self, limit: int) -> _Job:
        """Replace the number of rows that the question asks for."""
        found = _LIMIT.search(self.instance.cypher)
        if found is None:
            return self
        number = int(found[1])
        mention = replace(self.instance.mentions[number], value=limit)
        mentions = {**self.instance.mentions, number: mention}
        return replace(self, instance=replace(self.instance, mentions=mentions))


@dataclass(frozen=True, slots=True)
class _Executed:
    """Rows of a job; the job itself if its answer was accepted."""

    rows: list[dict[str, Any]]
    job: _Job | None = None
    has_casts: bool = False
    """Whether the query compares what strings hold; its tree is then not evaluated."""


async def build(
    out: Path,
    *,
    graph: GraphConnection,
    schema: GraphSchema,
    lexicon: Lexicon,
    config: TemplatePipelineConfig,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Build pairs from a graph; a stopped build resumes.

    Returns:
        The manifest.

    Raises:
        BuildError: the build yields no pairs.
    """
    async with graph.open(concurrency=config.workers) as client:
        context = await read_context(client, schema, lexicon)
        chunks = await ChunkGenerator.of_graph(context, client, config)
        with CandidateCollector(out, target=config.pairs, progress=progress) as collector:
            while collector.remaining:
                collector.add(await chunks.generate_chunk(collector.chunks))
            return collector.deliver(schema=schema.version, seed=config.seed, config=asdict(config))


async def read_context(client: GraphClient, schema: GraphSchema, lexicon: Lexicon) -> GraphContext:
    """Read the sample of a graph and build its context."""
    read = _reader(client)
    kept = await without_excluded(read, schema)
    return GraphContext(kept, lexicon, await read_sample(read, kept), full_schema=schema)


def _reader(client: GraphClient) -> Read:
    async def read(cypher: str, parameters: dict[str, Any]) -> list[list[Any]]:
        return [list(row) for row in (await client.execute_read(cypher, parameters, SAMPLE_LIMITS)).rows]

    return read


class ChunkGenerator:
    """Generates chunks of candidate rows, each from its own seed.

    Args:
        context: graph with its lexicon.
        client: client that executes the queries.
        config: configuration of the build.
        verifier: verifier of the answers; None to compare none.
    """

    def __init__(
        self,
        context: GraphContext,
        client: GraphClient,
        config: TemplatePipelineConfig,
        verifier: AnswerVerifier | None = None,
    ) -> None:
        self._client = client
        self._config = config
        self._verifier = verifier or AnswerVerifier(client, None, ratio=0)
        self._instantiator = TemplateInstantiator(
            context, VariableNames(context.full_schema or context.schema)
        )
        self._templates = load_templates()
        self._weights = [template.weight for template in self._templates]
        self._unanswerable = UnanswerableGenerator(self._instantiator, self._templates)

    @classmethod
    async def of_graph(
        cls, context: GraphContext, client: GraphClient, config: TemplatePipelineConfig
    ) -> ChunkGenerator:
        """Create the generator, with a verifier that has read the graph."""
        verifier = await AnswerVerifier.of_graph(client, context, _reader(client), ratio=config.verified)
        return cls(context, client, config, verifier)

    async def generate_chunk(self, number: int) -> list[dict[str, Any]]:
        """Instantiate and execute one chunk."""
        semaphore = asyncio.Semaphore(self._config.workers)

        async def rows(place: int) -> list[dict[str, Any]]:
            rng = generator(self._config.seed, number, place)
            if rng.random() < self._config.unanswerable:
                return self._unanswerable.rows(rng, self._config.wordings)
            job = self._instantiate(rng)
            if job is None:
                return []
            async with semaphore:
                found = await self._execute(job)
                return (
                    await self._verified(found)
                    if self._verifier.is_due(number * CHUNK + place)
                    else found.rows
                )

        chunk = await asyncio.gather(*(rows(place) for place in range(CHUNK)))
        return [row for each in chunk for row in each]

    def _instantiate(self, rng: Random) -> _Job | None:
        template = rng.choices(self._templates, self._weights)[0]
        for _ in range(TRIES):
            try:
                instance = self._instantiator.instantiate(template, rng, wordings=self._config.wordings)
            except UnfitError:
                continue
            return _Job(instance, rng.getstate())
        return None

    async def _verified(self, found: _Executed) -> list[dict[str, Any]]:
        """Mark rows with the verdict on their answer; those that disagree are dropped."""
        if found.job is None:
            return found.rows
        first = found.rows[0]
        verdict = "skipped"
        if not found.has_casts:
            verdict = await self._verifier.verify(found.job.instance, first["cypher"], first["parameters"])
        dropped = {"drop": EVALUATION} if verdict == "disagreed" else {}
        return [{**row, EVALUATION: verdict, **dropped} for row in found.rows]

    async def _execute(self, job: _Job) -> _Executed:
        rows = job.rows()
        schema, names = self._instantiator.context.schema, self._instantiator.names
        cypher, parameters = rows[0]["cypher"], rows[0]["parameters"]
        limit = order_limit(cypher, parameters)
        if limit:
            cypher, parameters = over_fetch(cypher, parameters, MAX_ROWS)
        try:
            encode(cypher)
            result = await self._client.execute_read(
                with_casts(cypher, schema, names), parameters, ANSWER_LIMITS
            )
        except (QueryError, GraphTimeoutError, CompactSyntaxError) as error:
            return _Executed([{**row, "drop": type(error).__name__} for row in rows])
        answer = [list(row) for row in result.rows]
        reason = _rejection_reason(job.instance.template, answer)
        count = len(answer)
        if limit and not reason:
            untied, reason = resolve_ties(cypher, answer, limit)
            job = job if untied == limit else job.limited_to(untied)
            rows = job.rows()
            count = min(count, untied)
        if reason:
            return _Executed([{"drop": reason, "template": row["template"]} for row in rows])
        cast = [{**row, "cypher": with_casts(row["cypher"], schema, names)} for row in rows]
        return _Executed([{**row, "result_rows": count} for row in cast], job, has_casts=cast != rows)


def _rejection_reason(template: QuestionTemplate, answer: list[list[Any]]) -> str:
    """Return why an answer is rejected: `empty`, `null` or `zero`; an empty text if it is accepted."""
    if not answer:
        return "empty"
    if all(value is None or value == [] for row in answer for value in row):
        return "null"
    return "zero" if template.category in {"count", "aggregate"} and answer == [[0]] else ""
