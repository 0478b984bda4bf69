"""The folder and the candidate store of a build."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from t2c_data.dataset.collector import CandidateCollector
from t2c_data.dataset.store import CandidateStore, prepare_output_dir
from t2c_data.errors import BuildError, DataInputError


def row(question: str, cypher: str = "RETURN 1", category: str = "a") -> dict[str, Any]:
    return {"question": question, "cypher": cypher, "parameters": {}, "category": category, "template": "t"}


def test_the_first_of_equal_questions_is_kept_and_every_drop_has_its_reason(tmp_path: Path) -> None:
    rows = [
        row("How many drugs?", "A"), row("how many  DRUGS", "A"), row("How many drugs", "A"), row("How many drugs?", "B"),
        {"drop": "empty", "template": "t"}, row("Who?", "C"), {**row("Gone?"), "drop": "zero"},
    ]  # fmt: skip
    with CandidateStore(tmp_path / "c.sqlite") as store:
        store.add(rows[:4])
        store.add(rows[4:])
        assert list(store.rows()) == [rows[0], rows[5]]
        assert (store.chunks, store.kept) == (2, 2)
        assert store.dropped == {"duplicate": 2, "contradiction": 1, "empty": 1, "zero": 1}


def test_a_dropped_question_may_be_asked_again(tmp_path: Path) -> None:
    with CandidateStore() as store:
        store.add([{**row("Who?"), "drop": "empty"}, row("Who?")])
        assert [each["question"] for each in store.rows()] == ["Who?"]


def test_agrees_with_a_plain_reference_however_often_it_is_reopened(tmp_path: Path) -> None:
    rng = Random(3)
    chunks = [
        [
            row(f"q {rng.randrange(40)}", f"c {rng.randrange(2)}", rng.choice("abc"))
            for _ in range(rng.randrange(8))
        ]
        for _ in range(20)
    ]
    known: dict[str, str] = {}
    kept, dropped, progress = [], Counter[str](), []
    for chunk in chunks:
        before = len(kept)
        for each in chunk:
            if each["question"] not in known:
                known[each["question"]] = each["cypher"]
                kept.append(each)
            else:
                dropped["duplicate" if known[each["question"]] == each["cypher"] else "contradiction"] += 1
        progress.append(len(kept) > before)
    for chunk in chunks:
        with CandidateStore(tmp_path / "c.sqlite") as store:
            store.add(chunk)
    with CandidateStore(tmp_path / "c.sqlite") as store:
        assert list(store.rows()) == kept
        assert list(store.rows(5)) == kept[:5]
        assert store.dropped == dropped
        assert store.chunks == 20
        assert store.chunks_without_progress == [*progress[::-1], True].index(True)
        assert store.counts_by_category() == Counter(each["category"] for each in kept)


def test_categories_take_turns_in_the_order_of_their_first_row() -> None:
    rows = [
        row(f"{name}{number}", category=name)
        for name, count in (("b", 3), ("a", 1), ("c", 2))
        for number in range(count)
    ]
    with CandidateStore() as store:
        store.add(rows)
        names = [each["question"] for each in store.rows(categories_in_turn=True)]
        assert names == ["b0", "a0", "c0", "b1", "c1", "b2"]
        assert [each["question"] for each in store.rows(2, categories_in_turn=True)] == ["b0", "a0"]


def test_a_second_build_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with CandidateStore(tmp_path / "c.sqlite") as store:
        store.add([row("Who?")])
        with pytest.raises(BuildError, match="in use by another build"):
            CandidateStore(tmp_path / "c.sqlite")
        store.add([row("What?")])
    with CandidateStore(tmp_path / "c.sqlite") as store:
        assert store.kept == 2


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_text(
        "something else, and long enough to be taken for a header of pages " * 40
    )
    before = (tmp_path / "c.sqlite").read_bytes()
    with pytest.raises(BuildError, match="cannot be used"):
        CandidateStore(tmp_path / "c.sqlite")
    assert (tmp_path / "c.sqlite").read_bytes() == before


def test_a_chunk_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with CandidateStore(tmp_path / "c.sqlite") as store:
        store.add([row("Who?")])
        with pytest.raises(KeyError):
            store.add([row("What?"), {"question": "no cypher"}])
        assert (store.chunks, store.kept) == (1, 1)
        store.add([row("What?")])
        assert store.kept == 2


KILLED = """
    import sys
    from pathlib import Path
    from t2c_data.dataset.store import CandidateStore

    with CandidateStore(Path(sys.argv[1])) as store:
        number = store.chunks
        while number < 400:
            rows = [{"question": f"{number} {place}", "cypher": "c", "filler": "x" * 500} for place in range(50)]
            store.add(rows)
            number += 1
            print(number, flush=True)
"""


def test_whole_chunks_survive_kills(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    rng = Random(1)
    done = 0
    while done < 100:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(rng.randrange(1, 15)):
            done = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        with CandidateStore(path) as store:
            assert store.chunks >= done
            assert store.kept == 50 * store.chunks
            assert sum(1 for _ in store.rows()) == store.kept
    assert [each.name for each in tmp_path.iterdir()] == ["c.sqlite"]
    with sqlite3.connect(path) as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    base.close()


def test_a_build_ends_when_chunks_bring_nothing_new(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with CandidateCollector(
        tmp_path / "out", target=3, max_barren=2, progress=lambda *each: seen.append(each)
    ) as collector:
        assert collector.remaining == 3
        collector.add([row("Who?")])
        collector.add([row("Who?")])
        assert collector.remaining == 2
        collector.add([])
        assert collector.remaining == 0
        manifest = collector.deliver(schema="s", seed=0, config={"pairs": 3})
    assert seen == [(1, 3), (1, 3), (1, 3)]
    assert manifest["pairs"] == 1
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == manifest
    with CandidateCollector(tmp_path / "out", target=3, max_barren=2) as collector:
        assert collector.remaining == 0


def test_no_more_pairs_are_delivered_than_wanted(tmp_path: Path) -> None:
    with CandidateCollector(tmp_path, target=2) as collector:
        collector.add([row(f"q{number}") for number in range(5)])
        assert collector.remaining == 0
        assert collector.deliver(schema="s", seed=0, config={})["pairs"] == 2
    assert len((tmp_path / "pairs.jsonl").read_text().splitlines()) == 2


def test_a_build_without_pairs_says_what_was_dropped(tmp_path: Path) -> None:
    with CandidateCollector(tmp_path, target=2) as collector:
        collector.add([{"drop": "empty", "template": "t"}])
        with pytest.raises(BuildError, match="'empty': 1"):
            collector.deliver(schema="s", seed=0, config={})
    assert not (tmp_path / "manifest.json").exists()


def test_a_folder_of_the_same_build_is_accepted_and_of_another_one_refused(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    prepare_output_dir(out, {"seed": 1}, artifacts=("pairs.jsonl",))
    (out / "pairs.jsonl").write_text("x")
    prepare_output_dir(out, {"seed": 1}, artifacts=("pairs.jsonl",))
    assert (out / "pairs.jsonl").exists()
    with pytest.raises(DataInputError, match="another build"):
        prepare_output_dir(out, {"seed": 2}, artifacts=("pairs.jsonl",))
    (out / "mine.txt").write_text("mine")
    prepare_output_dir(out, {"seed": 2}, artifacts=("pairs.jsonl",), force=True)
    assert sorted(each.name for each in out.iterdir()) == ["mine.txt", "plan.json"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_no_build_made_is_never_touched(tmp_path: Path, force: bool) -> None:
    (tmp_path / "pairs.jsonl").write_text("mine")
    with pytest.raises(DataInputError, match="another build" if not force else "not the folder of a build"):
        prepare_output_dir(tmp_path, {"seed": 1}, artifacts=("pairs.jsonl",), force=force)
    assert (tmp_path / "pairs.jsonl").read_text() == "mine"


def test_force_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("mine")
    out = tmp_path / "out"
    prepare_output_dir(out, {"seed": 1}, artifacts=("store",))
    (out / "store").symlink_to(tmp_path / "victim")
    prepare_output_dir(out, {"seed": 2}, artifacts=("store",), force=True)
    assert (tmp_path / "victim" / "file").read_text() == "mine"
    assert not (out / "store").exists()
