"""The validation stage: five validators run on every pair.

Reads: pairs, a snapshot, the graph (READ transactions only). Writes: the pairs with their validation results.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from t2c_core.consistency.findings import VALIDATORS, Finding, ValidationResult
from t2c_core.consistency.operators import check_operators
from t2c_core.consistency.query_analysis import QueryAnalysis
from t2c_core.consistency.question_analysis import QuestionAnalysis
from t2c_core.guard.guard import Guard
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_data.pairs import write_lines
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
    from pathlib import Path

    from t2c_core.graph.client import GraphClient
    from t2c_data.dataset.sentence_encoder import Encoder
    from t2c_data.lexicon.model import Lexicon
    from t2c_data.pairs import Pair

MIN_COSINE_SIMILARITY = 0.25
"""Nearly all correct pairs have a higher similarity of question and verbalised query."""
BATCH_SIZE = 256
"""Number of pairs that are validated at once."""

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
        client: client of the graph.
        encoder: sentence encoder for the similarity of question and query; not checked if None.
        judge: asked about pairs without an error, if given.
        workers: maximum number of queries in flight.
    """

    def __init__(
        self,
        context: ValidationContext,
        client: GraphClient,
        *,
        encoder: Encoder | None = None,
        judge: PairJudge | None = None,
        workers: int = 6,
    ) -> None:
        self._context = context
        self._executor = QueryExecutor(client, context.guard)
        self._encoder = encoder
        self._judge = judge
        self._slots = asyncio.Semaphore(workers)

    async def validate_pairs(
        self, pairs: Sequence[Question]
    ) -> list[tuple[ValidationResult, ExecutionEvidence]]:
        """Return validation result and execution evidence of some pairs."""
        evidence = await asyncio.gather(*(self._execute(cypher, values) for _, cypher, values in pairs))
        found = [
            run_validators(question, cypher, values, executed, self._context)
            for (question, cypher, values), executed in zip(pairs, evidence, strict=True)
        ]
        for number, finding in self._dissimilar(pairs):
            found[number].append(finding)
        judged = await asyncio.gather(
            *(self._judged(*each) for each in zip(pairs, evidence, found, strict=True))
        )
        return [
            (ValidationResult((*findings, *more)), executed)
            for findings, more, executed in zip(found, judged, evidence, strict=True)
        ]

    async def _execute(self, cypher: str, parameters: Mapping[str, Any]) -> ExecutionEvidence:
        if not cypher:
            return ExecutionEvidence()
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
    for start in range(0, len(pairs), BATCH_SIZE):
        part = pairs[start : start + BATCH_SIZE]
        found = await validator.validate_pairs(
            [(each.question, each.cypher, each.parameters) for each in part]
        )
        for pair, (result, _) in zip(part, found, strict=True):
            yield pair, result
