"""Other names of values: files of them, and questions that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from t2c_core.errors import InputError
from t2c_core.schema.model import GraphSchema, NodeLabel, Property
from t2c_core.values.aliases import Aliases
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_core.values.sqlite_store import IndexedValue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = """
values:
  Drug.name:
    Acetylsalicylic acid: [aspirin, ASA]
    Warfarin: rat poison
  Airport.city:
    München: [Munich, MUC]
properties:
  Drug.name: [brandNames]
"""
SCHEMA = GraphSchema(
    labels=(
        NodeLabel(name="Airport", count=2, properties=(Property(name="city", type="STRING"),)),
        NodeLabel(name="Drug", count=3, properties=(Property(name="name", type="STRING"),)),
    ),
    types=(),
    triples=(),
)
VALUES = [
    IndexedValue("Acetylsalicylic acid", "Drug", "name", "node"),
    IndexedValue("Warfarin", "Drug", "name", "node"),
    IndexedValue("Lithium", "Drug", "name", "node"),
    IndexedValue("München", "Airport", "city", "node"),
]


@pytest.fixture
def aliases(tmp_path: Path) -> Aliases:
    file = tmp_path / "aliases.yaml"
    file.write_text(FILE, encoding="utf-8")
    return Aliases.load(file)


@pytest.fixture
def linker(aliases: Aliases, tmp_path: Path) -> Iterator[Linker]:
    aliases.add(("Drug", "name"), "Lithium", ["Eskalith"])  # as a property of names adds it
    ValueIndex.build(tmp_path / "values.sqlite", VALUES, aliases)
    with ValueIndex(tmp_path / "values.sqlite") as index:
        yield Linker(index, SCHEMA)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Who takes aspirin?", "Acetylsalicylic acid"),
        ("who takes ASA", "Acetylsalicylic acid"),
        ("Which patients got rat poison?", "Warfarin"),
        ("flights to Munich", "München"),
        ("flights from MUC", "München"),
        ("who takes munchen", "München"),
        ("Who takes Eskalith?", "Lithium"),
        ("Who takes Eskalit?", "Lithium"),  # misspelled
        ('who takes "rat poison"?', "Warfarin"),
    ],
)
def test_another_name_is_linked_to_the_value_as_stored(linker: Linker, question: str, value: str) -> None:
    linked = linker.link(question)
    assert list(linked.parameters().values()) == [value]


def test_a_name_that_is_a_value_itself_stays_that_value(tmp_path: Path) -> None:
    names = Aliases()
    names.add(("Drug", "name"), "Warfarin", ["Lithium"])
    ValueIndex.build(tmp_path / "values.sqlite", VALUES, names)
    with ValueIndex(tmp_path / "values.sqlite") as index:
        linked = Linker(index, SCHEMA).link("Who takes lithium?")
    assert linked.parameters() == {"v1": "Lithium"}


def test_values_with_names_that_the_graph_lacks_are_listed(aliases: Aliases) -> None:
    known = {("Drug", "name"): {"Acetylsalicylic acid"}}
    assert aliases.unused(known) == ["Drug.name: Warfarin", "Airport.city: München"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("- a", "expected a mapping"),
        ("names: {}", "expected a mapping"),
        ("values: {Drug: {a: [b]}}", "is no Label.property"),
        ("values: {Drug.name: [a]}", "must map values to names"),
        ("values: {Drug.name: {a: {b: c}}}", "must be a name or a list of names"),
        ("values: [a]", "must be a mapping"),
        ("properties: {Drug.name: {a: b}}", "must be a name or a list of names"),
        ("values: {", "cannot read aliases"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_reason(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "aliases.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        Aliases.load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        Aliases.load(tmp_path / "nowhere.yaml")
