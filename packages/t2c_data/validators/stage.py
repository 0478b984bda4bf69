"""The validation stage: five validators run on every pair.

Reads: pairs, a snapshot, the graph (READ transactions only). Writes: the pairs with their validation results.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter, deque
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from t2c_core.consistency.findings import VALIDATORS, Finding, ValidationResult
from t2c_core.consistency.operators import check_operators
from t2c_core.consistency.query_analysis import QueryAnalysis
from t2c_core.consistency.question_analysis import QuestionAnalysis
from t2c_core.guard.guard import Guard
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_data.lexicon.model import Lexicon
from t2c_data.pairs import write_lines
from t2c_data.processes import process_pool
from t2c_data.validators.coherence import check_coherence
from t2c_data.validators.entity import check_entities
from t2c_data.validators.execution import ExecutionEvidence, QueryExecutor
from t2c_data.validators.grammar import check_grammar
from t2c_data.validators.query_verbaliser import verbalise_query
from t2c_data.validators.schema import check_schema, owners
from t2c_data.validators.schema_phrases import SchemaPhrases
from t2c_data.validators.semantic import check_semantics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    from t2c_core.graph.client import GraphClient
    from t2c_data.dataset.sentence_encoder import Encoder
    from t2c_data.pairs import Pair

MIN_COSINE_SIMILARITY = 0.25
"""Nearly all correct pairs have a higher similarity of question and verbalised query."""
BATCH_SIZE = 256
"""Number of pairs that are validated at once."""
MAX_BATCHES = (os.cpu_count() or 1) + 1
"""Maximum number of batches in work: one a process, and one whose queries run."""

Question = tuple[str, str, "Mapping[str, Any]"]
"""Question, query and parameters of a pair."""


class PairJudge(Protocol):
    """Judges a pair that all validators accept, such as `llm.judge.Judge`."""

    async def judge(
        self, question: str, cypher: str, parameters: Mapping[str, Any], evidence: ExecutionEvidence
    ) -> list[Finding]:
        """Return what is wrong with the pair."""


@dataclass(frozen=True)
class ValidationContext:
    """Schema, its phrases, value index and guard of the graph that pairs are about."""

    schema: GraphSchema
    words: SchemaPhrases
    index: ValueIndex
    guard: Guard

    @classmethod
    def load(cls, snapshot: Path, lexicon: Lexicon | None = None) -> ValidationContext:
        """Open a snapshot.

        Args:
            snapshot: folder that `t2c-graph snapshot` wrote.
            lexicon: lexicon of the graph; drafted from the schema if None.

        Raises:
            SnapshotError: the snapshot cannot be read.
        """
        schema = GraphSchema.load(snapshot)
        return cls(
            schema, SchemaPhrases(schema, lexicon), ValueIndex(snapshot / "values.sqlite"), Guard(schema)
        )


def run_validators(
    question: str,
    cypher: str,
    parameters: Mapping[str, Any],
    evidence: ExecutionEvidence,
    context: ValidationContext,
) -> list[Finding]:
    """Return the findings of all validators that need no model; an unanswerable pair, without a query, has none."""
    if not cypher:
        return []
    verdict = context.guard.check(cypher, parameters)
    analysis, query = QuestionAnalysis(question), QueryAnalysis(cypher, parameters)
    found = check_grammar(verdict, evidence)
    if query.tree is None:
        return found
    found += check_schema(query, verdict, context.schema.hidden)
    known = owners(query, context.schema)
    found += check_entities(analysis, query, context.words, known, context.index)
    found += check_semantics(analysis, query, context.words, known, context.index)
    found += check_operators(analysis, query, context.schema, context.words.known_phrases)
    found += check_coherence(analysis, query, context.words, evidence)
    return found


class PairValidator:
    """Validates pairs of one graph.

    Args:
        context: schema and values.
        client: client of the graph; queries are not run and findings that need rows are left out if None.
        encoder: sentence encoder for the similarity of question and query; not checked if None.
        judge: asked about pairs without an error, if given.
        workers: maximum number of queries in flight.
        pool: processes that compare questions and queries, made by `comparison_pool`; a thread if None.
    """

    def __init__(
        self,
        context: ValidationContext,
        client: GraphClient | None,
        *,
        encoder: Encoder | None = None,
        judge: PairJudge | None = None,
        workers: int = 6,
        pool: ProcessPoolExecutor | None = None,
    ) -> None:
        self._context = context
        self._executor = QueryExecutor(client, context.guard) if client else None
        self._pool = pool
        self._encoder = encoder
        self._judge = judge
        self._slots = asyncio.Semaphore(workers)

    async def validate_pairs(
        self, pairs: Sequence[Question]
    ) -> list[tuple[ValidationResult, ExecutionEvidence]]:
        """Return validation result and execution evidence of some pairs."""
        evidence = await asyncio.gather(*(self._execute(cypher, values) for _, cypher, values in pairs))
        found = await self._compare(pairs, evidence)
        for number, finding in self._dissimilar(pairs):
            found[number].append(finding)
        judged = await asyncio.gather(
            *(self._judged(*each) for each in zip(pairs, evidence, found, strict=True))
        )
        return [
            (ValidationResult((*findings, *more)), executed)
            for findings, more, executed in zip(found, judged, evidence, strict=True)
        ]

    async def _compare(
        self, pairs: Sequence[Question], evidence: Sequence[ExecutionEvidence]
    ) -> list[list[Finding]]:
        """Compare questions and queries outside the event loop, so that other queries run meanwhile."""
        if self._pool is None:
            return await asyncio.to_thread(_compare, pairs, evidence, self._context)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, _compare, pairs, evidence)

    async def _execute(self, cypher: str, parameters: Mapping[str, Any]) -> ExecutionEvidence:
        if not cypher or self._executor is None:
            return ExecutionEvidence(planned=bool(cypher))
        async with self._slots:
            return await self._executor.execute(cypher, parameters)

    async def _judged(
        self, pair: Question, evidence: ExecutionEvidence, found: list[Finding]
    ) -> list[Finding]:
        """Return what the judge finds, who is asked only if nothing else is wrong."""
        question, cypher, values = pair
        if self._judge is None or not cypher or any(each.is_error for each in found):
            return []
        return await self._judge.judge(question, cypher, values, evidence)

    def _dissimilar(self, pairs: Sequence[Question]) -> Iterator[tuple[int, Finding]]:
        """Yield positions of pairs whose question and verbalised query are not similar."""
        positions = [number for number, (_, cypher, _) in enumerate(pairs) if cypher]
        if self._encoder is None or not positions:
            return
        queries = [QueryAnalysis(pairs[number][1], pairs[number][2]) for number in positions]
        verbalised = [verbalise_query(query, owners(query, self._context.schema)) for query in queries]
        cosines = self._encoder.similarities([pairs[number][0] for number in positions], verbalised)
        for number, cosine in zip(positions, cosines, strict=True):
            if cosine < MIN_COSINE_SIMILARITY:
                detail = f"the cosine similarity of question and verbalised query is {cosine:.2f}"
                yield number, Finding("semantic.far", detail)


_context: ValidationContext | None = None
"""Schema and values in a process of `comparison_pool`."""


def comparison_pool(snapshot: Path, lexicon: Path | None) -> ProcessPoolExecutor:
    """Return processes, one a core, that compare questions and queries.

    Args:
        snapshot: folder that `t2c-graph snapshot` wrote.
        lexicon: lexicon of the graph; drafted from the schema if None.
    """
    return process_pool(_load_context, snapshot, lexicon)


def _load_context(snapshot: Path, lexicon: Path | None) -> None:
    global _context  # noqa: PLW0603  (one context a process)
    known = Lexicon.load(lexicon, GraphSchema.load(snapshot)) if lexicon else None
    _context = ValidationContext.load(snapshot, known)


def _compare(
    pairs: Sequence[Question], evidence: Sequence[ExecutionEvidence], context: ValidationContext | None = None
) -> list[list[Finding]]:
    context = context or _context
    if context is None:
        raise RuntimeError("a process of comparison_pool has no context")
    return [
        run_validators(question, cypher, values, executed, context)
        for (question, cypher, values), executed in zip(pairs, evidence, strict=True)
    ]


async def validate(
    pairs: Sequence[Pair],
    out: Path,
    *,
    validator: PairValidator,
    keep_inconclusive: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write each pair with its validation result.

    Args:
        pairs: the pairs.
        out: the file.
        validator: validates them.
        keep_inconclusive: whether to keep pairs whose answer is empty, or whose values the graph does not have.
        progress: called with the number of validated pairs and of all pairs.

    Returns:
        Number of pairs, of kept ones, of failed ones by validator, and of findings by reason code.
    """
    reasons: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    kept = 0
    lines: list[str] = []
    async for pair, result in _each(pairs, validator):
        row = result.to_row(keep_inconclusive=keep_inconclusive)
        kept += row["keep"]
        reasons.update(row["reasons"])
        failed.update(name for name in VALIDATORS if not row["checks"][name])
        lines.append(json.dumps({**asdict(pair), **row}, ensure_ascii=False))
        if progress:
            progress(len(lines), len(pairs))
    write_lines(out, lines)
    return {
        "pairs": len(lines),
        "kept": kept,
        "failed": {name: failed[name] for name in VALIDATORS},
        "reasons": dict(sorted(reasons.items())),
    }


async def _each(
    pairs: Sequence[Pair], validator: PairValidator
) -> AsyncIterator[tuple[Pair, ValidationResult]]:
    parts = [pairs[start : start + BATCH_SIZE] for start in range(0, len(pairs), BATCH_SIZE)]
    running: deque[asyncio.Task[list[tuple[ValidationResult, ExecutionEvidence]]]] = deque()
    waiting = iter(parts)
    try:
        for part in parts:
            for following in islice(waiting, MAX_BATCHES - len(running)):
                questions = [(each.question, each.cypher, each.parameters) for each in following]
                running.append(asyncio.create_task(validator.validate_pairs(questions)))
            found = await running.popleft()
            for pair, (result, _) in zip(part, found, strict=True):
                yield pair, result
    finally:
        for task in running:
            task.cancel()
