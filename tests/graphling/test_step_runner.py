"""Steps are skipped, resumed and repeated by the content of what they read; what a run did not make is kept."""

import os

import pytest

from graphling.step_runner import (
    StepError,
    StepRunner,
    free_port,
    read_rows,
    run_console_script,
    to_jsonl,
    write_if_changed,
)


def folder(path, text="{}"):
    path.mkdir(parents=True, exist_ok=True)
    (path / "manifest.json").write_text(text)


def never():
    pytest.fail("the step ran")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_text("one")
    return path


def test_a_missing_output_is_made(tmp_path):
    StepRunner(tmp_path).run("a.json", lambda: (tmp_path / "a.json").write_text("{}"))
    assert (tmp_path / "a.json").read_text() == "{}"


def test_an_output_of_the_same_inputs_is_kept_whatever_their_dates(tmp_path, source):
    StepRunner(tmp_path).run("a", lambda: folder(tmp_path / "a"), reads=[source], parameters=[1])
    os.utime(source, (4e9, 4e9))
    StepRunner(tmp_path).run("a", never, reads=[source], parameters=[1])


@pytest.mark.parametrize("change", ["content", "parameter", "file in a folder"])
def test_an_output_of_other_inputs_is_made_anew(tmp_path, source, change):
    made = []

    def make():
        assert not (tmp_path / "a").exists()
        folder(tmp_path / "a")
        made.append(1)

    folder(tmp_path / "in")
    StepRunner(tmp_path).run("a", make, reads=[source, tmp_path / "in"], parameters=[1])
    if change == "content":
        source.write_text("two")
    if change == "file in a folder":
        (tmp_path / "in" / "more").write_text("")
    parameters = [2] if change == "parameter" else [1]
    StepRunner(tmp_path).run("a", make, reads=[source, tmp_path / "in"], parameters=parameters)
    assert len(made) == 2


def stop_halfway(home, source, resumes):
    def make():
        (home / "a").mkdir()
        (home / "a" / "half").write_text("")
        raise StepError("stopped")

    with pytest.raises(StepError, match="stopped"):
        StepRunner(home).run("a", make, reads=[source], resumes=resumes)


def test_a_stopped_step_is_resumed(tmp_path, source):
    stop_halfway(tmp_path, source, resumes=True)
    StepRunner(tmp_path).run("a", lambda: folder(tmp_path / "a"), reads=[source], resumes=True)
    assert (tmp_path / "a" / "half").exists()


@pytest.mark.parametrize("changed", [True, False])
def test_what_a_stopped_step_left_is_moved_aside_if_it_cannot_be_resumed(tmp_path, source, changed):
    stop_halfway(tmp_path, source, resumes=changed)
    if changed:
        source.write_text("two")
    StepRunner(tmp_path).run("a", lambda: folder(tmp_path / "a"), reads=[source], resumes=changed)
    assert not (tmp_path / "a" / "half").exists()
    assert (tmp_path / "a.outdated-1" / "half").exists()


def test_files_that_the_run_did_not_make_are_never_deleted(tmp_path, source):
    StepRunner(tmp_path).run("a", lambda: folder(tmp_path / "a"), reads=[source])
    (tmp_path / "a" / "notes.txt").write_text("mine")
    source.write_text("two")
    StepRunner(tmp_path).run("a", lambda: folder(tmp_path / "a", "new"), reads=[source])
    assert (tmp_path / "a.outdated-1" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "a" / "manifest.json").read_text() == "new"
    folder(tmp_path / "b")
    (tmp_path / "b" / "manifest.json").unlink()
    (tmp_path / "b" / "thesis.md").write_text("mine")
    StepRunner(tmp_path).run("b", lambda: folder(tmp_path / "b"))
    assert (tmp_path / "b.outdated-1" / "thesis.md").exists()


def test_finished_outputs_of_earlier_versions_are_taken_over(tmp_path, source):
    folder(tmp_path / "a")
    os.utime(source, (1, 1))
    StepRunner(tmp_path).run("a", never, reads=[source])
    source.write_text("two")
    made = []
    StepRunner(tmp_path).run("a", lambda: (folder(tmp_path / "a"), made.append(1)), reads=[source])
    assert made


def test_a_command_that_leaves_no_output_is_an_error(tmp_path):
    with pytest.raises(StepError, match="not complete"):
        StepRunner(tmp_path).run("a", lambda: None)


def test_a_failing_script_names_its_command_and_status():
    with pytest.raises(StepError, match=r"t2c-graph snapshot.*status 2"):
        run_console_script("t2c-graph", "snapshot")


def test_writing_the_same_text_keeps_the_date(tmp_path):
    path = tmp_path / "file.json"
    write_if_changed(path, "a")
    os.utime(path, (1, 1))
    write_if_changed(path, "a")
    assert path.stat().st_mtime == 1
    write_if_changed(path, "b")
    assert path.stat().st_mtime > 1
    assert list(tmp_path.iterdir()) == [path]


def test_rows_survive_being_written_and_read(tmp_path):
    rows = [{"question": "Wer leitet die Ambulanz?\n"}, {"question": "名前"}]
    path = tmp_path / "rows.jsonl"
    path.write_text(to_jsonl(rows), encoding="utf-8")
    assert list(read_rows(path)) == rows


def test_a_free_port_can_be_listened_on():
    assert 0 < free_port() < 65536


def test_each_step_says_how_long_it_took_and_a_skipped_one_keeps_its_time(tmp_path):
    first = StepRunner(tmp_path)
    first.run("a", lambda: folder(tmp_path / "a"))
    assert list(first.minutes()) == ["a"]
    second = StepRunner(tmp_path)
    second.run("a", never)
    assert second.minutes() == first.minutes()
