"""The value index: what it finds, and that it is never half written."""

from __future__ import annotations

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2c_core.errors import SnapshotError
from t2c_core.values.index import CACHED_KEYS, IndexedValue, ValueIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def places(found: tuple[IndexedValue, ...]) -> set[tuple[str, str, object]]:
    return {(each.label_or_type, each.property, each.value) for each in found}


def test_a_value_in_several_properties_has_all_its_places(index: ValueIndex) -> None:
    assert places(index.folded("aspirin")) == {
        ("Drug", "name", "ASPIRIN"),
        ("Drug", "name", "Aspirin"),
        ("Drug", "substance", "ASPIRIN"),
    }


def test_values_keep_their_type(index: ValueIndex) -> None:
    assert [each.value for each in index.folded("100654764")] == [100654764]
    assert [each.value for each in index.folded("20")] == ["20"]


def test_types_survive_a_round_trip(tmp_path: Path) -> None:
    values = [1, 1.5, True, "1", "true", -7, 10**30, "1.5"]
    ValueIndex.build(tmp_path / "v", (IndexedValue(each, "A", "p", "node") for each in values))
    with ValueIndex(tmp_path / "v") as index:
        found = [
            each.value for text in ("1", "1.5", "true", "-7", str(10**30)) for each in index.folded(text)
        ]
    assert sorted(map(repr, found)) == sorted(map(repr, values))


def test_short_forms_stand_for_values_where_no_value_is_spelt_so(index: ValueIndex) -> None:
    found = index.forms(["hospitalization", "pain"])
    assert [each.value for each in found["hospitalization"]] == ["Hospitalization - Initial or Prolonged"]
    assert places(found["pain"]) == {("Reaction", "description", "Pain"), ("SUSPECT", "indication", "Pain")}
    assert index.folded("hospitalization") == ()


def test_similar_forms_are_ranked(index: ValueIndex) -> None:
    assert index.fuzzy("pulmonry embolsim")[0].folded == "pulmonary embolism"
    assert index.fuzzy("stevens jonson")[0].folded == "stevens johnson syndrome"
    assert index.fuzzy("xyzzy quux") == []
    assert index.fuzzy("ab") == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("embolsim", "embolism"),
        ("embloism", "embolism"),
        ("pulmonry", "pulmonary"),
        ("vortioxitine", "vortioxetine"),
        ("consummer", "consumer"),
        ("orla", "oral"),
        ("xumira", "humira"),
    ],
)
def test_slips_of_spelling_are_found(index: ValueIndex, word: str, meant: str) -> None:
    assert meant in index.spelling_candidates(word)


def test_a_digit_is_never_a_slip(tmp_path: Path) -> None:
    rows = [IndexedValue(value, "Cup", "name", "node") for value in ("canada2015", "canada2019")]
    ValueIndex.build(tmp_path / "v", rows)
    with ValueIndex(tmp_path / "v") as index:
        assert index.spelling_candidates("canda2015") == ["canada2015"]
        assert index.spelling_candidates("canada2016") == []


def test_words_that_are_spelt_right_or_unlike_any_have_no_spelling(index: ValueIndex) -> None:
    assert index.spelling_candidates("unrelated") == []
    assert index.spelling_candidates("ab") == []


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_single_slip_in_a_word_is_undone(index: ValueIndex, data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(["embolism", "physician", "headache", "polyethylene", "humira"]))
    at = data.draw(st.integers(1, len(word) - 2))
    letter = data.draw(st.sampled_from("aeiouxyz"))
    slip = data.draw(
        st.sampled_from(
            [
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at:],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            ]
        )
    )
    assert slip == word or word in index.spelling_candidates(slip)


def test_openings_tell_how_long_a_value_may_get(index: ValueIndex) -> None:
    assert index.prefix_lengths(["polyethylene", "glycol", "nothing", "pain"]) == {
        "polyethylene": 3,
        "glycol": 0,
        "pain": 3,
    }


def test_counts_of_equal_rows_are_added(tmp_path: Path) -> None:
    rows = [IndexedValue("x", "A", "p", "node", 2), IndexedValue("x", "A", "p", "node", 3)]
    assert ValueIndex.build(tmp_path / "v", rows) == 1
    with ValueIndex(tmp_path / "v") as index:
        assert index.folded("x")[0].count == 5


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    rows = [IndexedValue(f"value {number % 50}", f"A{number % 3}", "p", "node") for number in range(300)]
    ValueIndex.build(tmp_path / "one", rows)
    random.Random(0).shuffle(rows)
    ValueIndex.build(tmp_path / "two", rows)
    with ValueIndex(tmp_path / "one") as one, ValueIndex(tmp_path / "two") as two:
        forms = [f"value {number}" for number in range(50)]
        assert one.forms(forms) == two.forms(forms)
        assert one.fuzzy("valve 12") == two.fuzzy("valve 12")


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        ValueIndex.build(tmp_path / name, (IndexedValue(f"v{i}", "A", "p", "node") for i in range(500)))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_build_that_fails_leaves_the_old_index(tmp_path: Path) -> None:
    path = tmp_path / "values.sqlite"
    ValueIndex.build(path, [IndexedValue("old", "A", "p", "node")])

    def broken() -> Iterator[IndexedValue]:
        yield IndexedValue("new", "A", "p", "node")
        raise OSError("the graph went away")

    with pytest.raises(OSError, match="went away"):
        ValueIndex.build(path, broken())
    with ValueIndex(path) as index:
        assert index.folded("old")
        assert not index.folded("new")
    assert ValueIndex.build(path, [IndexedValue("new", "A", "p", "node")]) == 1


def test_an_empty_graph_has_an_index_too(tmp_path: Path) -> None:
    assert ValueIndex.build(tmp_path / "v", []) == 0
    with ValueIndex(tmp_path / "v") as index:
        assert index.forms(["x"]) == {}
        assert index.fuzzy("anything") == []


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="no value index at"):
        ValueIndex(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(SnapshotError, match="is not a value index"):
        ValueIndex(tmp_path / "text.sqlite")
    connection = sqlite3.connect(tmp_path / "old.sqlite")
    connection.executescript("CREATE TABLE meta (name, value); INSERT INTO meta VALUES ('format', '0')")
    connection.close()
    with pytest.raises(SnapshotError, match="format 0"):
        ValueIndex(tmp_path / "old.sqlite")


def test_many_threads_may_ask_at_once(index: ValueIndex) -> None:
    words = ["aspirin", "humira", "pain", "nothing"] * 50

    def ask(word: str) -> tuple[str, int]:
        index.fuzzy(word + "x")
        return word, len(index.folded(word))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, words)) == {("aspirin", 3), ("humira", 1), ("pain", 2), ("nothing", 0)}


def test_the_cache_is_bounded(index: ValueIndex) -> None:
    with ValueIndex(index.path) as fresh:
        for start in range(0, CACHED_KEYS + 20_000, 20_000):
            fresh.forms(f"nothing {number}" for number in range(start, start + 20_000))
        assert len(fresh._forms) <= CACHED_KEYS
        assert fresh.folded("humira")
