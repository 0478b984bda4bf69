"""The demo's lexicon: fits the graph, leaves nothing to the draft, and can be said."""

from pathlib import Path

import pytest
import yaml

from t2c_core.schema.model import GraphSchema
from t2c_data.lexicon.model import Lexicon

FILE = Path(__file__).resolve().parents[2] / "demo" / "lexicon.yaml"
CONTENT = yaml.safe_load(FILE.read_text(encoding="utf-8"))
LINKS = CONTENT["types"]


@pytest.fixture(scope="module")
def schema(graph):
    return GraphSchema.load(graph.snapshot)


@pytest.mark.graph
def test_lexicon_is_accepted_for_the_graph(schema):
    assert set(Lexicon.load(FILE, schema).labels) == {label.name for label in schema.labels}


@pytest.mark.graph
def test_every_label_property_and_type_has_words_by_hand(schema):
    assert set(CONTENT["labels"]) == {label.name for label in schema.labels}
    assert set(LINKS) == {kind.name for kind in schema.types}
    owners = (*schema.labels, *schema.types)
    expected = {(owner.name, each.name) for owner in owners for each in owner.properties}
    assert {(owner, name) for owner, held in CONTENT["properties"].items() for name in held} == expected


def test_labels_have_several_nouns():
    assert all(len(set(words["nouns"])) >= 2 for words in CONTENT["labels"].values())


@pytest.mark.parametrize("name", LINKS)
def test_relationships_can_be_said_in_both_directions_and_denied(name):
    words = LINKS[name]
    assert len(set(words["forward"])) >= 5
    assert len(set(words["backward"])) >= 5
    for phrase in [*words["forward"], *words["backward"]]:
        assert phrase.count("{}") + phrase.count("{value}") == 1, phrase
    for phrase in words["negated_phrases"]:
        assert phrase.count("{}") == 1, phrase
        assert "{value}" not in phrase


def test_booleans_are_words_and_not_read_as_flags_by_yaml():
    for held in CONTENT["properties"].values():
        for words in held.values():
            assert all(isinstance(key, str) for key in words)
            assert all(isinstance(key, str) for key in words.get("values", {}))
