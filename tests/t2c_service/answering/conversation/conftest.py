"""A small hospital without a database: schema, lexicon and linker, for follow-ups on given queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_core.values.sqlite_store import IndexedValue
from t2c_service.answering.conversation.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

LEXICON = yaml.safe_load("""
labels:
  Patient: {nouns: [patient|patients], display_property: name}
  Disease: {nouns: [disease|diseases, condition|conditions], display_property: name}
  Drug: {nouns: [drug|drugs, medicine|medicines], display_property: name}
  Visit: {nouns: [visit|visits], display_property: date}
  Ward: {nouns: [ward|wards], display_property: name}
properties:
  Patient:
    birthDate: {nouns: [birth date|birth dates], temporal_phrases: ["born {}"], superlative_max: [youngest], superlative_min: [oldest]}
    smoker: {true_phrases: ["who [smokes|smoke]", "who [is|are] smokers"], false_phrases: ["who [does|do] not smoke"]}
    heightCm: {nouns: [height|heights], greater_than: ["taller than {}"], less_than: ["shorter than {}"], superlative_max: [tallest]}
    languages: {nouns: [languages|languages], equals_phrases: ["who [speaks|speak] {}"]}
    weightKg: {nouns: [weight|weights], superlative_max: [heaviest], greater_than: ["weighing more than {}"]}
  Drug:
    halfLife: {nouns: [half-life|half-lives]}
    approved: {nouns: [approval year|approval years], equals_phrases: ["approved in {}"]}
  Disease:
    chronic: {true_phrases: ["that [is|are] chronic"], values: {"true": [chronic], "false": [acute]}}
  Visit:
    date: {nouns: [date|dates], temporal_phrases: ["{}"], superlative_max: [latest]}
    emergency: {values: {"true": [emergency]}, true_phrases: ["that [is|are] emergencies"]}
    days: {nouns: [length|lengths], greater_than: ["longer than {} days"], superlative_max: [longest]}
    cost: {nouns: [cost|costs], superlative_max: [most expensive], superlative_min: [cheapest]}
  Ward: {beds: {nouns: [number of beds|numbers of beds, beds|beds]}, floor: {nouns: [floor|floors]}}
  HAS: {severity: {nouns: [severity|severities]}}
types:
  TAKES: {forward: ["who [takes|take] {}"], backward: ["taken by {}"]}
  TREATS: {forward: ["that [treats|treat] {}", "for {}"], backward: ["treated with {}"]}
  HAS: {forward: ["with {}", "diagnosed with {}"], backward: ["of {}"]}
  ON_WARD: {forward: ["on {}"], backward: ["with {}"]}
""")


def _property(name: str, type_: str, *examples: str, **more: object) -> Property:
    return Property(name=name, type=type_, distinct=len(examples) or 40, examples=examples, **more)  # type: ignore[arg-type]


SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Disease", count=9, properties=(_property("name", "STRING"), _property("chronic", "BOOLEAN"))
        ),
        NodeLabel(
            name="Drug",
            count=9,
            properties=(
                _property("name", "STRING"),
                _property("halfLife", "FLOAT", share=0.8),
                _property("approved", "INTEGER"),
            ),
        ),
        NodeLabel(
            name="Patient",
            count=9,
            properties=(
                _property("name", "STRING"),
                _property("sex", "STRING", "female", "male"),
                _property("birthDate", "DATE"),
                _property("smoker", "BOOLEAN"),
                _property("heightCm", "INTEGER"),
                _property("weightKg", "FLOAT"),
                _property("languages", "LIST<STRING>"),
            ),
        ),
        NodeLabel(
            name="Visit",
            count=9,
            properties=(
                _property("date", "DATE"),
                _property("emergency", "BOOLEAN"),
                _property("days", "INTEGER"),
                _property("cost", "FLOAT"),
            ),
        ),
        NodeLabel(
            name="Ward",
            count=9,
            properties=(
                _property("name", "STRING"),
                _property("beds", "INTEGER"),
                _property("floor", "INTEGER"),
            ),
        ),
    ),
    types=(
        RelationshipType(
            name="HAS", count=9, properties=(_property("severity", "STRING", "mild", "severe"),)
        ),
        RelationshipType(name="HAS_VISIT", count=9),
        RelationshipType(name="ON_WARD", count=9),
        RelationshipType(name="TAKES", count=9),
        RelationshipType(name="TREATS", count=9),
    ),
    triples=(
        Triple(source="Drug", type="TREATS", target="Disease", count=9, source_max=4, target_max=5),
        Triple(source="Patient", type="HAS", target="Disease", count=9, source_max=4, target_max=5),
        Triple(source="Patient", type="HAS_VISIT", target="Visit", count=9, source_max=4, target_max=1),
        Triple(source="Patient", type="TAKES", target="Drug", count=9, source_max=4, target_max=5),
        Triple(source="Visit", type="ON_WARD", target="Ward", count=9, source_max=1, target_max=9),
    ),
)
VALUES = {
    ("Disease", "name", "node"): ("Asthma", "COPD", "Gout", "Migraine"),
    ("Drug", "name", "node"): ("Warfarin", "Aspirin", "Lithium"),
    ("Patient", "name", "node"): ("Ada Nowak", "Ben Osman"),
    ("Patient", "sex", "node"): ("female", "male"),
    ("Patient", "languages", "node"): ("French", "German"),
    ("Ward", "name", "node"): ("Joint Ward", "Skin Clinic"),
    ("Ward", "floor", "node"): (1, 2, 5),
    ("HAS", "severity", "relationship"): ("mild", "severe"),
}


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary(SCHEMA, LEXICON)


@pytest.fixture(scope="session")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linker]:
    path = tmp_path_factory.mktemp("values") / "values.sqlite"
    ValueIndex.build(
        path,
        (IndexedValue(value, *owner) for owner, values in VALUES.items() for value in values),  # type: ignore[arg-type]
    )
    with ValueIndex(path) as index:
        yield Linker(index, SCHEMA)
