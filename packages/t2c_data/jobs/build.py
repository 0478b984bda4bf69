"""A build as it is ordered: which pipelines, over which graph, in which folder.

Reads: a graph over Bolt (READ only), its snapshot, a lexicon. Writes: the folder of the build; with two pipelines one
folder for each in it, and what they gave together.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.deduplicate import Deduplicator
from t2c_data.dataset.writer import write_dataset
from t2c_data.errors import DataInputError
from t2c_data.generation.pipeline import TemplatePipelineConfig, build, prepare
from t2c_data.jobs.output_dir import prepare_output_dir
from t2c_data.lexicon.draft import draft_lexicon
from t2c_data.lexicon.model import Lexicon, from_content
from t2c_data.pairs import iter_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from t2c_data.llm.client import Endpoint

PIPELINES = ("template", "llm")


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What is to be built."""

    uri: str
    snapshot: Path
    pairs: int
    """Of each pipeline."""
    seed: int = 0
    lexicon: Path | None = None
    pipelines: tuple[str, ...] = ("template",)
    endpoint: Endpoint | None = None
    judged: bool = True
    workers: int = 6
    ray_workers: int = 0
    auth: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        strange = [name for name in self.pipelines if name not in PIPELINES]
        if strange or not self.pipelines:
            raise DataInputError(
                f"pipeline {','.join(self.pipelines)!r}: know {' and '.join(PIPELINES)}, joined by a comma"
            )
        if "llm" in self.pipelines and self.endpoint is None:
            raise DataInputError("the llm pipeline needs a model; give --llm-url http://host:port/v1")
        if self.pairs < 1:
            raise DataInputError(f"pairs={self.pairs}: at least 1 is wanted")


def run_build(
    order: BuildConfig,
    out: Path,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Build pairs as ordered; called again it goes on where it was stopped.

    Returns:
        The manifest.

    Raises:
        DataInputError: the folder holds something else, or the order cannot be filled.
        BuildError: no pair came out.
        ModelError: the model cannot be asked.
    """
    if len(order.pipelines) == 1:
        return _run_one(order, out, force=force, progress=progress)
    schema = GraphSchema.load(order.snapshot)
    plan = {"pipelines": order.pipelines, "seed": order.seed, "pairs": order.pairs, "schema": schema.version}
    prepare_output_dir(out, plan, artifacts=("manifest.json", "pairs.jsonl", *PIPELINES), force=force)
    made = [
        _run_one(replace(order, pipelines=(name,)), out / name, progress=progress) for name in order.pipelines
    ]
    drops: Counter[str] = Counter()
    for each in made:
        drops.update(each["dropped"])
    merged = merge((out / name / "pairs.jsonl" for name in order.pipelines), drops)
    manifest = write_dataset(out, merged, schema, seed=order.seed, config=plan, drops=drops)
    extras: dict[str, Any] = {}
    for each in made:
        extras.update({key: each[key] for key in ("usage", "stopped") if key in each})
    return {**manifest, **extras}


def merge(files: Iterable[Path], drops: Counter[str]) -> Iterator[dict[str, Any]]:
    """Keep each question of several builds once, the first of equal ones.

    Args:
        files: pairs of each build.
        drops: what is dropped is counted here, by reason, as rows are taken.

    Yields:
        Rows as `deliver` takes them.
    """
    seen = Deduplicator()
    for file in files:
        for pair in iter_pairs(file):
            row = asdict(pair)
            for name in ("id", "split", "graph"):
                del row[name]
            if seen.take(row):
                yield row
    drops.update(seen.dropped)


def open_lexicon(path: Path | None, schema: GraphSchema) -> Lexicon:
    """Read a lexicon, or draft one from the schema.

    Raises:
        LexiconError: it cannot be read.
    """
    return Lexicon.load(path, schema) if path else from_content(draft_lexicon(schema), schema)


def _run_one(
    order: BuildConfig, out: Path, *, force: bool = False, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    if order.pipelines == ("llm",):
        return _run_llm(order, out, force=force, progress=progress)
    schema = GraphSchema.load(order.snapshot)
    words = open_lexicon(order.lexicon, schema)
    config = TemplatePipelineConfig(pairs=order.pairs, seed=order.seed, workers=order.workers)
    prepare(out, schema=schema, lexicon=words, config=config, force=force)
    if order.ray_workers:
        from t2c_data.generation.ray_pipeline import build_distributed

        return build_distributed(
            out, uri=order.uri, schema=schema, lexicon=words, config=config, auth=order.auth,
            ray_workers=order.ray_workers, progress=progress,
        )  # fmt: skip
    return asyncio.run(
        build(
            out,
            uri=order.uri,
            schema=schema,
            lexicon=words,
            config=config,
            auth=order.auth,
            progress=progress,
        )
    )


def _run_llm(
    order: BuildConfig, out: Path, *, force: bool, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    from t2c_data.llm.pipeline import GraphSource, LLMPipelineConfig, build_llm_pairs

    schema = GraphSchema.load(order.snapshot)
    words = open_lexicon(order.lexicon, schema)
    config = LLMPipelineConfig(pairs=order.pairs, seed=order.seed, judged=order.judged, workers=order.workers)
    if order.endpoint is None:
        raise DataInputError("the llm pipeline needs a model; give --llm-url http://host:port/v1")
    plan = {
        "schema": schema.version,
        "lexicon": hashlib.sha256(repr(words).encode()).hexdigest()[:12],
        "endpoint": {"url": order.endpoint.url, "model": order.endpoint.model},
        "config": asdict(replace(config, workers=0)),
    }
    makes = ("manifest.json", "pairs.jsonl", "candidates.jsonl", "categories.json", "replies")
    prepare_output_dir(out, plan, artifacts=makes, force=force)
    source = GraphSource(order.uri, order.snapshot, words, order.auth)
    return asyncio.run(
        build_llm_pairs(out, source, endpoint=order.endpoint, config=config, progress=progress)
    )
