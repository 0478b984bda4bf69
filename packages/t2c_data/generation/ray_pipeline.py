"""The template pipeline on Ray Data: the same chunks from the same seeds, made by many workers, kept in order.

Chunks depend on nothing but their number, so it does not matter who makes them, or that some are made in vain.
Reads and writes what `pipeline` does; the bytes are the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from t2c_core.graph.client import GraphClient
from t2c_data.dataset.collector import CandidateCollector
from t2c_data.errors import DataInputError
from t2c_data.generation.pipeline import ChunkGenerator, TemplatePipelineConfig, read_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema
    from t2c_data.lexicon.model import Lexicon

YIELD = 100
"""Pairs that a chunk gives at least while a graph has questions left."""


def build_distributed(
    out: Path,
    *,
    uri: str,
    schema: GraphSchema,
    lexicon: Lexicon,
    config: TemplatePipelineConfig,
    ray_workers: int,
    auth: tuple[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Build pairs from a graph on Ray; a stopped build goes on where it was, here or locally.

    Args:
        out: a folder that `pipeline.prepare` made.
        uri: the graph, at an address that every worker reaches.
        schema: its schema.
        lexicon: its words.
        config: the build.
        ray_workers: how many actors make chunks.
        auth: user and password.
        progress: told how many pairs there are.

    Returns:
        The manifest.

    Raises:
        DataInputError: Ray is not installed.
        BuildError: no pairs come out.
    """
    task = {"uri": uri, "auth": auth, "schema": schema, "lexicon": lexicon, "config": config}
    with _running(ray_workers), CandidateCollector(out, target=config.pairs, progress=progress) as harvest:
        while harvest.remaining:
            more = max(-(-harvest.remaining // YIELD), ray_workers)
            for rows in _chunks(range(harvest.chunks, harvest.chunks + more), task, ray_workers):
                harvest.add(rows)
                if not harvest.remaining:
                    break
    return harvest.deliver(schema, seed=config.seed, config=asdict(config))


class ChunkWorker:
    """Makes chunks by number; a Ray actor, which holds the sample of the graph.

    Args:
        uri: the graph.
        auth: user and password.
        schema: its schema.
        lexicon: its words.
        config: the build.
    """

    def __init__(
        self,
        uri: str,
        auth: tuple[str, str] | None,
        schema: GraphSchema,
        lexicon: Lexicon,
        config: TemplatePipelineConfig,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._maker = self._loop.run_until_complete(self._open(uri, auth, schema, lexicon, config))

    @staticmethod
    async def _open(
        uri: str,
        auth: tuple[str, str] | None,
        schema: GraphSchema,
        lexicon: Lexicon,
        config: TemplatePipelineConfig,
    ) -> ChunkGenerator:
        client = GraphClient(uri, auth=auth, concurrency=config.workers)  # lives as long as the actor
        return ChunkGenerator(await read_world(client, schema, lexicon), client, config)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Make the chunks of a batch: `id` in, `rows` out, as JSON."""
        made = [
            self._loop.run_until_complete(self._maker.generate_chunk(int(number))) for number in batch["id"]
        ]
        return {"rows": [json.dumps(rows, ensure_ascii=False) for rows in made]}


def _chunks(numbers: range, task: dict[str, Any], workers: int) -> Iterator[list[dict[str, Any]]]:
    """Make chunks on the workers and give them in order; those that nobody asks for any more are thrown away."""
    import ray

    wanted = ray.data.from_items([{"id": number} for number in numbers], override_num_blocks=len(numbers))
    made = wanted.map_batches(
        ChunkWorker,
        fn_constructor_kwargs=task,
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    for row in made.iter_rows():
        yield json.loads(row["rows"])


@contextmanager
def _running(workers: int) -> Iterator[None]:
    """Use the Ray that runs, or one of our own for the time of the build."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DataInputError(
            "--ray-workers needs Ray; install graphling[distributed], or leave it out"
        ) from error
    ours = not ray.is_initialized()
    if ours:
        cluster = os.environ.get("RAY_ADDRESS")
        local = {"address": cluster} if cluster else {"num_cpus": workers + 1, "include_dashboard": False}
        ray.init(**local, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        if ours:
            ray.shutdown()
