"""The validation stage: every pair gets a verdict of five validators.

Reads: pairs, a snapshot, the graph over Bolt (READ only). Writes: the pairs with their verdicts.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.guard.guard import Guard
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_data.pairs import write_lines
from t2c_data.validators.coherence import check_coherence
from t2c_data.validators.entity import check_entities
from t2c_data.validators.execution import ExecutionEvidence, QueryExecutor
from t2c_data.validators.findings import VALIDATORS, Finding, ValidationResult
from t2c_data.validators.grammar import check_grammar
from t2c_data.validators.query_analysis import QueryAnalysis
from t2c_data.validators.query_verbaliser import verbalise_query
from t2c_data.validators.question_analysis import QuestionAnalysis, SchemaPhrases
from t2c_data.validators.schema import check_schema, owners
from t2c_data.validators.semantic import check_semantics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from t2c_core.graph.client import GraphClient
    from t2c_core.schema.model import Scalar
    from t2c_data.dataset.sentence_encoder import Encoder
    from t2c_data.lexicon.model import Lexicon
    from t2c_data.llm.judge import Judge
    from t2c_data.pairs import Pair

MIN_COSINE_SIMILARITY = 0.25
"""Question and query said in words are further apart than nearly all right pairs below this cosine."""
BATCH_SIZE = 256
"""Pairs in memory."""


@dataclass(frozen=True)
class ValidationContext:
    """What pairs are held against; see `Ground.load`."""

    schema: GraphSchema
    words: SchemaPhrases
    index: ValueIndex
    guard: Guard

    @classmethod
    def load(cls, snapshot: Path, lexicon: Lexicon | None = None) -> ValidationContext:
        """Open a snapshot.

        Args:
            snapshot: folder that `t2c-graph snapshot` wrote.
            lexicon: words of the graph; drafted from the schema when absent.

        Raises:
            SnapshotError: it cannot be read.
        """
        schema = GraphSchema.load(snapshot)
        return cls(
            schema, SchemaPhrases(schema, lexicon), ValueIndex(snapshot / "values.sqlite"), Guard(schema)
        )


def run_validators(
    question: str,
    cypher: str,
    parameters: Mapping[str, Scalar],
    evidence: ExecutionEvidence,
    ground: ValidationContext,
) -> list[Finding]:
    """Run all validators that need no model; a pair without a query says that there is no answer, and passes."""
    if not cypher:
        return []
    verdict = ground.guard.check(cypher, parameters)
    asked, query = QuestionAnalysis(question), QueryAnalysis(cypher, parameters)
    found = check_grammar(verdict, evidence) + check_schema(query, verdict, ground.schema.hidden)
    known = owners(query, ground.schema)
    found += check_entities(asked, query, ground.words, known, ground.index)
    found += check_semantics(asked, query, ground.words, known, ground.index)
    found += check_coherence(asked, query, ground.words, evidence)
    return found


class PairValidator:
    """Gives verdicts on pairs of one graph.

    Args:
        ground: schema and values.
        client: runs queries.
        encoder: tells how far a question is from its query, if given.
        judge: a model's opinion, if given.
        workers: queries in flight.
    """

    def __init__(
        self,
        ground: ValidationContext,
        client: GraphClient,
        *,
        encoder: Encoder | None = None,
        judge: Judge | None = None,
        workers: int = 6,
    ) -> None:
        self.ground = ground
        self._witness = QueryExecutor(client, ground.guard)
        self._encoder = encoder
        self._judge = judge
        self._gate = asyncio.Semaphore(workers)

    async def verdicts(
        self, pairs: Sequence[tuple[str, str, Mapping[str, Scalar]]]
    ) -> list[tuple[ValidationResult, ExecutionEvidence]]:
        """Judge some pairs, given as question, query and parameters."""
        evidence = await asyncio.gather(*(self._gather(cypher, values) for _, cypher, values in pairs))
        far = self._far(pairs)
        found = [
            run_validators(question, cypher, values, seen, self.ground) + far.get(number, [])
            for number, ((question, cypher, values), seen) in enumerate(zip(pairs, evidence, strict=True))
        ]
        opinions = await asyncio.gather(
            *(self._opinions(*each) for each in zip(pairs, evidence, found, strict=True))
        )
        return [
            (ValidationResult((*findings, *more)), seen)
            for findings, more, seen in zip(found, opinions, evidence, strict=True)
        ]

    async def _opinions(
        self, pair: tuple[str, str, Mapping[str, Scalar]], seen: ExecutionEvidence, found: list[Finding]
    ) -> list[Finding]:
        """Ask the model only of pairs that nothing else speaks against."""
        question, cypher, values = pair
        if self._judge is None or not cypher or any(each.is_error for each in found):
            return []
        return await self._judge.judge(question, cypher, values, seen)

    async def _gather(self, cypher: str, parameters: Mapping[str, Scalar]) -> ExecutionEvidence:
        if not cypher:
            return ExecutionEvidence()
        async with self._gate:
            return await self._witness.execute(cypher, parameters)

    def _far(self, pairs: Sequence[tuple[str, str, Mapping[str, Scalar]]]) -> dict[int, list[Finding]]:
        if self._encoder is None:
            return {}
        places, questions, said = [], [], []
        for number, (question, cypher, values) in enumerate(pairs):
            if cypher:
                query = QueryAnalysis(cypher, values)
                places.append(number)
                questions.append(question)
                said.append(verbalise_query(query, owners(query, self.ground.schema)))
        if not places:
            return {}
        near = self._encoder.similarities(questions, said)
        return {
            number: [Finding("semantic.far", f"the query in words is {cosine:.2f} like the question")]
            for number, cosine in zip(places, near, strict=True)
            if cosine < MIN_COSINE_SIMILARITY
        }


async def validate(
    pairs: Sequence[Pair],
    out: Path,
    *,
    validation: PairValidator,
    unproven: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write each pair with its verdict.

    Args:
        pairs: what to validate.
        out: the file.
        validation: gives verdicts.
        unproven: whether to keep pairs whose answer is empty or whose values this graph does not have.
        progress: told how many are done.

    Returns:
        How many were kept, and how many have each reason.
    """
    reasons: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    kept = 0
    lines: list[str] = []
    async for pair, verdict in _each(pairs, validation):
        row = verdict.to_row(unproven=unproven)
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
    pairs: Sequence[Pair], validation: PairValidator
) -> AsyncIterator[tuple[Pair, ValidationResult]]:
    for start in range(0, len(pairs), BATCH_SIZE):
        part = pairs[start : start + BATCH_SIZE]
        for pair, (verdict, _) in zip(
            part,
            await validation.verdicts([(each.question, each.cypher, each.parameters) for each in part]),
            strict=True,
        ):
            yield pair, verdict
