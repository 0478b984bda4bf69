"""The corpora, and guards of the demo graph: without a schema, with one, and with a policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple

CORPORA = Path(__file__).parents[2] / "corpora"
HIDDEN = frozenset({"Patient.name", "Insurer", "ALLERGIC_TO", "TAKES.dose"})
POLICY = Policy(hidden=HIDDEN)


def rows(name):
    text = (CORPORA / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def _properties(text):
    return tuple(
        Property(name=each, type="DATE" if each.lower().endswith("date") else "STRING")
        for each in text.split()
    )


LABELS = {
    "BodySystem": ("name", 15),
    "Disease": ("name icd10 chronic", 60),
    "Doctor": ("name hireDate fullTime languages", 40),
    "Drug": ("name brandNames approvalYear prescriptionOnly halfLifeHours", 120),
    "DrugClass": ("name mechanism", 50),
    "Insurer": ("name private city", 5),
    "LabResult": ("value date abnormal", 600),
    "LabTest": ("name unit low high", 15),
    "Patient": ("patientNumber name birthDate sex smoker bloodGroup heightCm weightKg", 144),
    "SideEffect": ("name", 60),
    "Specialty": ("name", 14),
    "Symptom": ("name", 80),
    "Visit": ("date reason emergency days cost", 500),
    "Ward": ("name floor beds", 13),
}
TYPES = {
    "AFFECTS": ("Disease", "BodySystem", ""),
    "ALLERGIC_TO": ("Patient", "Drug", "reaction"),
    "BELONGS_TO": ("Drug", "DrugClass", ""),
    "CONTRAINDICATED_IN": ("Drug", "Disease", ""),
    "COVERS": ("Specialty", "Disease", ""),
    "DIAGNOSED_WITH": ("Patient", "Disease", "date severity"),
    "HAS_RESULT": ("Patient", "LabResult", ""),
    "HAS_SIDE_EFFECT": ("Drug", "SideEffect", "frequency"),
    "HAS_SYMPTOM": ("Disease", "Symptom", ""),
    "HAS_VISIT": ("Patient", "Visit", ""),
    "HEADS": ("Doctor", "Ward", "since"),
    "INSURED_BY": ("Patient", "Insurer", "since"),
    "INTERACTS_WITH": ("Drug", "Drug", "severity effect"),
    "MONITORS": ("LabTest", "Drug", ""),
    "OF_TEST": ("LabResult", "LabTest", ""),
    "ON_WARD": ("Visit", "Ward", ""),
    "SEEN_BY": ("Visit", "Doctor", ""),
    "SPECIALISES_IN": ("Doctor", "Specialty", ""),
    "TAKES": ("Patient", "Drug", "dose unit timesDaily since until"),
    "TREATS": ("Drug", "Disease", "firstLine"),
    "WORKS_ON": ("Doctor", "Ward", ""),
}
SCHEMA = GraphSchema(
    labels=tuple(
        NodeLabel(name=name, count=count, properties=_properties(keys))
        for name, (keys, count) in LABELS.items()
    ),
    types=tuple(
        RelationshipType(name=name, count=200, properties=_properties(keys))
        for name, (_, _, keys) in TYPES.items()
    ),
    triples=tuple(
        Triple(source=source, type=name, target=target, count=200)
        for name, (source, target, _) in TYPES.items()
    ),
)
"""Schema of the demo graph with rounded counts."""


@pytest.fixture(scope="session")
def bare():
    return Guard()


@pytest.fixture(scope="session")
def guard():
    return Guard(SCHEMA)


@pytest.fixture(scope="session")
def policy_guard():
    return Guard(SCHEMA, POLICY)
