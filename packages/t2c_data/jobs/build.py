"""Builds pairs from a graph with one or both pipelines.

Reads: a graph (READ transactions only), its snapshot, a lexicon. Writes: the folder of the build; with two pipelines, a
folder of each in it and their merged pairs.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.collector import write_dataset
from t2c_data.dataset.store import CANDIDATES, CandidateStore, prepare_output_dir
from t2c_data.generation.pipeline import TemplatePipelineConfig, build, prepare
from t2c_data.jobs.config import PIPELINES, BuildConfig
from t2c_data.lexicon.draft import draft_lexicon
from t2c_data.lexicon.model import Lexicon, from_content
from t2c_data.pairs import iter_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MERGED_AT_ONCE = 1_000


def run_build(
    config: BuildConfig,
    out: Path,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Build pairs and return the manifest; a stopped build is resumed.

    Raises:
        DataInputError: the folder holds something else, or the configuration is invalid.
        BuildError: there is no pair.
        ModelError: the model is unavailable.
    """
    if len(config.pipelines) == 1:
        return _run_one(config, out, force=force, progress=progress)
    schema = GraphSchema.load(config.snapshot)
    plan = {
        "pipelines": config.pipelines,
        "seed": config.seed,
        "pairs": config.pairs,
        "schema": schema.version,
    }
    prepare_output_dir(out, plan, artifacts=("manifest.json", "pairs.jsonl", *PIPELINES), force=force)
    manifests = [
        _run_one(replace(config, pipeline=name), out / name, progress=progress) for name in config.pipelines
    ]
    dropped: Counter[str] = Counter()
    for manifest in manifests:
        dropped.update(manifest["dropped"])
    with merged(out / name / "pairs.jsonl" for name in config.pipelines) as store:
        dropped.update(store.dropped)
        manifest = write_dataset(
            out, store.rows, schema=schema.version, seed=config.seed, config=plan, dropped=dropped
        )
    extras: dict[str, Any] = {
        key: each[key] for each in manifests for key in ("usage", "stopped", "evaluation") if key in each
    }
    return {**manifest, **extras}


@contextmanager
def merged(files: Iterable[Path]) -> Iterator[CandidateStore]:
    """Yield a temporary store with the pairs of several builds, in which each question is kept once."""
    with CandidateStore() as store:
        for file in files:
            rows = (
                {key: value for key, value in asdict(pair).items() if key not in {"id", "split", "graph"}}
                for pair in iter_pairs(file)
            )
            while part := list(islice(rows, MERGED_AT_ONCE)):
                store.add(part)
        yield store


def open_lexicon(path: Path | None, schema: GraphSchema) -> Lexicon:
    """Read a lexicon, or draft one from the schema if there is no path.

    Raises:
        LexiconError: the lexicon cannot be read.
    """
    return Lexicon.load(path, schema) if path else from_content(draft_lexicon(schema), schema)


def _run_one(
    config: BuildConfig, out: Path, *, force: bool = False, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    schema = GraphSchema.load(config.snapshot)
    lexicon = open_lexicon(config.lexicon, schema)
    if config.pipelines == ("llm",):
        return _run_llm(config, out, schema, lexicon, force=force, progress=progress)
    options = TemplatePipelineConfig(
        pairs=config.pairs,
        seed=config.seed,
        workers=config.workers,
        unanswerable=config.unanswerable_ratio,
        verified=config.verified_ratio,
    )
    prepare(out, schema=schema, lexicon=lexicon, config=options, force=force)
    if config.ray_workers:
        from t2c_data.generation.ray_pipeline import build_distributed

        return build_distributed(
            out, graph=config.graph, schema=schema, lexicon=lexicon, config=options,
            ray_workers=config.ray_workers, progress=progress,
        )  # fmt: skip
    return asyncio.run(
        build(out, graph=config.graph, schema=schema, lexicon=lexicon, config=options, progress=progress)
    )


def _run_llm(
    config: BuildConfig,
    out: Path,
    schema: GraphSchema,
    lexicon: Lexicon,
    *,
    force: bool,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    from t2c_data.llm.client import CACHE, DEPRECATED_CACHE
    from t2c_data.llm.pipeline import LLMPipelineConfig, build_llm_pairs

    options = LLMPipelineConfig(
        pairs=config.pairs, seed=config.seed, llm_judge=config.llm_judge, workers=config.workers
    )
    plan = {
        "schema": schema.version,
        "lexicon": hashlib.sha256(repr(lexicon).encode()).hexdigest()[:12],
        "endpoint": {"url": config.llm.url, "model": config.llm.model},
        "config": asdict(replace(options, workers=0)),
    }
    artifacts = ("manifest.json", "pairs.jsonl", CANDIDATES, "categories.json", CACHE, DEPRECATED_CACHE)
    prepare_output_dir(out, plan, artifacts=artifacts, force=force)
    return asyncio.run(
        build_llm_pairs(
            out, graph=config.graph, snapshot=config.snapshot, lexicon=lexicon, endpoint=config.llm,
            config=options, progress=progress,
        )
    )  # fmt: skip
