"""A small graph's values: names with all that makes names hard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from t2c_core.schema import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.index import IndexedValue, ValueIndex
from t2c_core.values.linker import Linker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODES = {
    ("Reaction", "description"): [
        "Crohn's disease", "Stevens-Johnson syndrome", "Pulmonary embolism", "Pain", "Pain in extremity", "Fall",
        "Death", "Headache", "Allergy", "Drug interaction", "Fièvre", "AC/DC shock",
    ],
    ("Drug", "name"): [
        "HUMIRA", "ASPIRIN", "Aspirin", "ENALAPRIL\\HYDROCHLOROTHIAZIDE", "POLYETHYLENE GLYCOL 3350", "C++", "A",
        "Vitamin B12", "VITAMIN D", "Patients' choice", "ZETIA", "ZYTIGA",
    ],
    ("Drug", "substance"): ["ASPIRIN", "VORTIOXETINE HYDROBROMIDE"],
    ("Outcome", "outcome"): [
        "Death", "Hospitalization - Initial or Prolonged", "Other Serious (Important Medical Event)",
        "Life-Threatening",
    ],
    ("Outcome", "code"): ["DE", "HO", "OT", "189.203.191.43", "0039-2", "5853 5624 9828"],
    ("Case", "gender"): ["F", "M"],
    ("Case", "stage"): ["First Stage", "Old"],
    ("AgeGroup", "ageGroup"): ["Adult", "Age group"],
    ("Case", "occupation"): ["Physician", "Consumer", "Other"],
    ("Case", "primaryId"): [100654764, 2001, 45],
    ("Case", "reportDate"): ["2021-08-27", "2021-07-01"],
    ("Person", "name"): ["Hanks, Tom", "Björk Guðmundsdóttir", "May", "Ada Quillfeather", "Bo Quillfeather"],
    ("Condition", "name"): ["Asthma", "Type 1 diabetes", "Type 2 diabetes", "Sarkany's disease", "Gloom retention"],
    ("Field", "name"): ["Cardiology", "Psychiatry"],
    ("Person", "bloodGroup"): ["O+", "O-"],
}  # fmt: skip
RELATIONSHIPS = {
    ("SUSPECT", "route"): ["Oral", "Intravenous (not otherwise specified)", "Other"],
    ("SUSPECT", "sequence"): ["1", "20"],
    ("SUSPECT", "indication"): ["Headache", "Pain"],
    ("SUSPECT", "frequency"): ["common", "rare"],
    ("SUSPECT", "unit"): ["mg", "g"],
}


def rows() -> Iterator[IndexedValue]:
    for kind, properties in (("node", NODES), ("relationship", RELATIONSHIPS)):
        for (owner, name), values in properties.items():
            for position, value in enumerate(values):
                yield IndexedValue(value, owner, name, kind, len(values) - position)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValueIndex]:
    path: Path = tmp_path_factory.mktemp("values") / "values.sqlite"
    ValueIndex.build(path, rows())
    with ValueIndex(path) as opened:
        yield opened


@pytest.fixture(scope="session")
def linker(index: ValueIndex) -> Linker:
    def properties(owner: str) -> tuple[Property, ...]:
        names = [name for holder, name in (*NODES, *RELATIONSHIPS) if holder == owner]
        return tuple(Property(name=name, type="STRING") for name in names)

    labels = tuple(NodeLabel(name=owner, count=1, properties=properties(owner)) for owner, _ in NODES)
    types = (
        RelationshipType(name="SUSPECT", count=1, properties=properties("SUSPECT")),
        RelationshipType(name="FALLS_UNDER", count=1),
    )
    triples = (Triple(source="Case", type="SUSPECT", target="Drug", count=1),)
    return Linker(index, GraphSchema(labels=labels, types=types, triples=triples))
