"""Constrained decoding of random models: no query breaks the rules of scope, values and aggregates."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from t2c_core.cypher.ast_nodes import FunctionInvocation
from t2c_core.cypher.ast_nodes import Property as Access
from t2c_core.cypher.parser import parse
from t2c_core.cypher.traversal import walk
from t2c_core.grammar import GrammarCache
from t2c_core.guard.guard import Guard
from t2c_core.prompt import SchemaTokenFormat
from t2c_core.prompt.compact_cypher import TRIPLE, parameter_usages, tokenize
from t2c_core.prompt.schema_tokens import UNANSWERABLE
from t2c_core.prompt.tokenizer import END, PAD, train_tokenizer
from t2c_core.schema import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence
from t2c_service.models.local.constrained_decoding import GrammarConstraintFactory
from t2c_service.models.local.decoding import DecodingSequence, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Drug",
            count=9,
            properties=(
                Property(name="name", type="STRING", distinct=100),
                Property(name="form", type="STRING", distinct=2, examples=("tablet", "été")),
                Property(name="year", type="INTEGER"),
                Property(name="brand names", type="LIST<STRING>"),
                Property(name="sold", type="LOCAL DATETIME"),
                Property(name="generic", type="BOOLEAN"),
            ),
        ),
        NodeLabel(name="Disease", count=9, properties=(Property(name="name", type="STRING"),)),
    ),
    types=(
        RelationshipType(name="CURES", count=1, properties=(Property(name="since", type="DATE"),)),
        RelationshipType(name="EASES", count=1, properties=(Property(name="dose", type="FLOAT"),)),
        RelationshipType(name="MIXES", count=1),
    ),
    triples=(
        Triple(source="Drug", type="CURES", target="Disease", count=1),
        Triple(source="Drug", type="EASES", target="Disease", count=1),
        Triple(source="Drug", type="MIXES", target="Drug", count=1),
    ),
)
TEXTS = {
    each: [("Drug", "name"), ("Disease", "name"), ("Drug", "form"), ("Drug", "brand names")]
    for each in ("aspirin", "asthma", "tablet")
}
WALKS = 10_000
NOT_CANCELLED = threading.Event()
MAX_TOKENS = 60
_RULES = frozenset({"scope.variable", "schema.property", "schema.owner", "schema.label", "schema.type"})


class RandomEngine:
    """A model whose logits are random, and favour the tokens that end queries soon.

    Args:
        logits: (V) added to the random ones.
        generator: source of the random ones.
    """

    def __init__(self, logits: Tensor, generator: torch.Generator) -> None:
        self._logits = logits
        self._generator = generator

    def prefill(self, rows: Sequence[Sequence[int]], _max_new_tokens: int) -> tuple[RandomEngine, Tensor]:
        return self, self.decode_step(self, [0] * len(rows))

    def decode_step(self, _state: RandomEngine, tokens: Sequence[int]) -> Tensor:
        noise = torch.rand((len(tokens), len(self._logits)), generator=self._generator)
        return 6 * noise + self._logits

    def select_rows(self, rows: Sequence[int]) -> None:
        pass


def random_question(rng: random.Random) -> LinkedQuestion:
    """Return a question with up to four linked texts, numbers and dates."""
    links = []
    for number in range(1, rng.randint(0, 4) + 1):
        kind = rng.choice(["value", "value", "number", "date", "year", "text"])
        occurrences: tuple[Occurrence, ...] = ()
        value: str | int = rng.choice(sorted(TEXTS))
        if kind == "value":
            chosen = rng.sample(TEXTS[str(value)], rng.randint(1, 2))
            occurrences = tuple(Occurrence(*place, "node", value) for place in chosen)
        elif kind != "text":
            value = "2020-01-31" if kind == "date" else rng.choice([3, 1999])
        links.append(LinkedMention(f"v{number}", number, number + 1, str(value), kind, occurrences, value))  # type: ignore[arg-type]
    return LinkedQuestion("q", tuple(links))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    made = train_tokenizer(SCHEMA, ["which drugs"], [" MATCH (drug:Drug) RETURN drug.name"])
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END, pad_token=PAD)


def broken_rules(cypher: str, linked: LinkedQuestion) -> list[str]:
    """Return what is wrong with a query, found by other means than those that constrained it."""
    atoms = tokenize(cypher)
    found = []
    names = [each.name for each in parameter_usages(atoms, SchemaTokenFormat(SCHEMA).names)]
    if len(names) != len(set(names)):
        found.append("a parameter is used twice")
    by_name = {link.name: link for link in linked.links}
    for use in parameter_usages(atoms, SchemaTokenFormat(SCHEMA).names):
        link = by_name[use.name]
        places = {(each.label_or_type, each.property) for each in link.occurrences}
        possible = {(each, use.property) for each in use.labels_or_types}
        if link.kind == "value" and not use.text and not places & possible:
            found.append(f"{use.name} is not in {use.property}")
    if "{" not in cypher:
        for part in cypher.split(" WITH "):
            triples = [each for each in tokenize(part) if TRIPLE.fullmatch(each)]
            if len(triples) != len(set(triples)):
                found.append("a pattern is repeated")
    for node in walk(parse(cypher)):
        if isinstance(node, FunctionInvocation) and node.name[-1].lower() in {"sum", "avg"}:
            (argument,) = node.arguments
            if isinstance(argument, Access) and argument.key not in {"year", "dose"}:
                found.append(f"{node.name[-1]} of {argument.key}")
    verdict = Guard(SCHEMA).check(cypher, linked.parameters())
    return found + [code for code in verdict.codes if code in _RULES]


def test_random_models_keep_the_rules(tokenizer: PreTrainedTokenizerFast) -> None:
    size = len(tokenizer)
    ends = [tokenizer.convert_tokens_to_ids(END)]
    factory = GrammarConstraintFactory(tokenizer, vocab_size=size, eos_token_ids=ends)
    grammars = GrammarCache(SCHEMA, SchemaTokenFormat(SCHEMA))
    favoured = torch.zeros(size)
    favoured[
        tokenizer.convert_tokens_to_ids([" RETURN", END, " WHERE", ")", *(f" $v{n}" for n in range(1, 5))])
    ] = 2
    engine = RandomEngine(favoured, torch.Generator().manual_seed(0))
    rng = random.Random(0)
    ended = stuck = 0
    seen: set[str] = set()
    for _ in range(WALKS // 50):
        asked = [random_question(rng) for _ in range(50)]
        rows = [
            DecodingSequence((0,), MAX_TOKENS, factory.start(grammars.for_question(each)), [NOT_CANCELLED])
            for each in asked
        ]
        decode(engine, rows, frozenset(ends))  # type: ignore[arg-type]
        for row, linked in zip(rows, asked, strict=True):
            stuck += row.is_stuck
            if row.is_stuck or row.steps[-1].token not in ends:
                continue
            ended += 1
            text = tokenizer.decode([each.token for each in row.steps], skip_special_tokens=True)
            if UNANSWERABLE not in text:
                seen.add(text)
                assert not broken_rules(text.strip(), linked), (text, linked)
    assert ended > 0.8 * WALKS
    assert stuck < 0.03 * WALKS
    assert any("OPTIONAL" in each for each in seen)
    assert any("$v3" in each for each in seen)
