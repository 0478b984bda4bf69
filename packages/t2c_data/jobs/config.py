"""Configurations of the jobs; the command line takes its options from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - the command line reads the annotations
from typing import Annotated, Literal

from cyclopts import Parameter

from t2c_core.graph.credentials import GraphConnection  # noqa: TC001
from t2c_data.errors import DataInputError
from t2c_data.llm.endpoint import Endpoint

PIPELINES = ("template", "llm")


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build from a graph."""

    graph: Annotated[GraphConnection, Parameter(name="*")]
    snapshot: Path
    """Folder that `t2c-graph snapshot` wrote."""
    pairs: int = 3000
    """Number of pairs per pipeline."""
    seed: int = 0
    """The same seed, graph and lexicon give the same bytes."""
    lexicon: Path | None = None
    """Lexicon of the graph; drafted from the schema if omitted."""
    pipeline: str = "template"
    """`template`, `llm`, or `template,llm` for both."""
    llm: Annotated[Endpoint, Parameter(name="*")] = field(default_factory=Endpoint)
    """Model of the `llm` pipeline."""
    unanswerable_ratio: float = 0.04
    """Ratio of questions of the template pipeline that the graph cannot answer; also that of each split."""
    verified_ratio: float = 0.01
    """Ratio of answers of the template pipeline, after the first 50, that are compared with an evaluation in Python."""
    llm_judge: bool = True
    """Whether the model also judges its pairs."""
    ray_workers: int = 0
    """Number of Ray workers of the template pipeline; 0 runs it in this process. The bytes are the same."""
    workers: int = 6
    """Maximum number of queries in flight."""

    def __post_init__(self) -> None:
        if not self.pipelines or not set(self.pipelines) <= set(PIPELINES):
            raise DataInputError(
                f"invalid --pipeline {self.pipeline!r}: expected {' or '.join(PIPELINES)}, or both with a comma"
            )
        if "llm" in self.pipelines and not self.llm.url:
            raise DataInputError("the llm pipeline needs a model; give --llm-url http://host:port/v1")
        if self.pairs < 1:
            raise DataInputError(f"invalid --pairs {self.pairs}: expected 1 or more")
        if not 0 <= self.verified_ratio <= 1:
            raise DataInputError(
                f"invalid --verified-ratio {self.verified_ratio}: expected a number from 0 to 1"
            )
        if not 0 <= self.unanswerable_ratio <= 1:
            raise DataInputError(
                f"invalid --unanswerable-ratio {self.unanswerable_ratio}: expected a number from 0 to 1"
            )

    @property
    def pipelines(self) -> tuple[str, ...]:
        """Names of the pipelines."""
        return tuple(self.pipeline.split(","))


@dataclass(frozen=True, kw_only=True)
class ValidateConfig:
    """How to validate pairs."""

    graph: Annotated[GraphConnection, Parameter(name="*")]
    snapshot: Path
    """Folder that `t2c-graph snapshot` wrote."""
    lexicon: Path | None = None
    """Lexicon of the graph; drafted from the schema if omitted."""
    keep_inconclusive: bool = False
    """Keep pairs whose answer is empty, or whose values the graph does not have."""
    encoder: bool = False
    """Also compare question and query with the sentence encoder."""
    llm: Annotated[Endpoint, Parameter(name="*")] = field(default_factory=Endpoint)
    """Model that judges the pairs that pass all other checks."""
    llm_cache: Path | None = None
    """Folder of the model's cached replies; `llm_cache` beside the output if omitted."""
    workers: int = 6
    """Maximum number of queries in flight."""
    run: bool = True
    """Plan and run the queries. Pairs that `t2c-data build` has just made of this graph have run: without it, findings
    that need the server or rows are left out."""


@dataclass(frozen=True, kw_only=True)
class ParaphraseConfig:
    """How to paraphrase questions."""

    snapshot: Path
    """Folder that `t2c-graph snapshot` wrote."""
    llm: Annotated[Endpoint, Parameter(name="*")] = field(default_factory=Endpoint)
    """Model that paraphrases."""
    lexicon: Path | None = None
    """Lexicon of the graph; drafted from the schema if omitted."""
    count: int = 2
    """Number of paraphrases per question."""
    encoder: bool = True
    """Whether the sentence encoder must find question and paraphrase similar."""
    llm_cache: Path | None = None
    """Folder of the model's cached replies; `llm_cache` beside the output if omitted."""

    def __post_init__(self) -> None:
        if not self.llm.url:
            raise DataInputError("paraphrasing needs a model; give --llm-url http://host:port/v1")


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """How to export pairs as training rows."""

    pairs: Path
    """A file of pairs, validated or not."""
    format: Literal["atoms", "chat", "completion", "parquet"] = "atoms"
    """atoms: tokenizer and rows of a small per-graph model; chat: OpenAI messages; completion: prompt and completion
    for general models; parquet: the pairs as they are, with a dataset card."""
    snapshot: Path | None = None
    """Folder that `t2c-graph snapshot` wrote; needed for all formats but parquet."""
    seed: int = 0
    """Seed of the perturbations."""
    noise: float = 0.45
    """Ratio of training questions whose quotes, capitals or letters are perturbed before linking (atoms)."""
    turns: int = 1
    """Maximum number of questions of a row (chat); their one system message holds the schema."""
    include_rejected: bool = False
    """Also export pairs that validation rejected (`"keep": false`)."""
    force: bool = False
    """Replace an earlier export."""

    def __post_init__(self) -> None:
        if self.format != "parquet" and self.snapshot is None:
            raise DataInputError(f"--format {self.format} links values and needs --snapshot DIR")
        if not 0 <= self.noise <= 1:
            raise DataInputError(f"invalid --noise {self.noise}: expected a ratio from 0 to 1")
        if self.turns < 1:
            raise DataInputError(f"invalid --turns {self.turns}: expected at least 1")
