import os
import time

import pytest

from graphling.step_runner import (
    StepError,
    free_port,
    jsonl,
    read_rows,
    run_console_script,
    run_if_outdated,
    write_if_changed,
)


def folder(path, made_at):
    path.mkdir()
    (path / "manifest.json").write_text("{}")
    os.utime(path / "manifest.json", (made_at, made_at))
    return path


def test_a_missing_result_is_made(tmp_path):
    result = tmp_path / "result.json"
    run_if_outdated("result", result, [], lambda: result.write_text("{}"))
    assert result.read_text() == "{}"


def test_a_result_newer_than_what_it_reads_is_kept(tmp_path):
    now = time.time()
    source, result = folder(tmp_path / "source", now - 10), folder(tmp_path / "result", now)
    run_if_outdated("result", result, [source], lambda: pytest.fail("made again"))


def test_a_result_older_than_what_it_reads_is_made_anew(tmp_path):
    now = time.time()
    source, result = folder(tmp_path / "source", now), folder(tmp_path / "result", now - 10)

    def make():
        assert not result.exists()
        folder(result, now + 1)

    run_if_outdated("result", result, [source], make)
    assert (result / "manifest.json").exists()


def test_a_half_made_folder_is_removed_unless_the_command_resumes(tmp_path):
    result = tmp_path / "result"
    result.mkdir()
    (result / "half").write_text("")
    run_if_outdated("result", result, [], lambda: (result / "manifest.json").write_text("{}"), resumes=True)
    assert (result / "half").exists()
    (result / "manifest.json").unlink()
    run_if_outdated("result", result, [], lambda: folder(result, time.time()))
    assert not (result / "half").exists()


def test_a_command_that_leaves_no_result_is_an_error(tmp_path):
    with pytest.raises(StepError, match="not whole"):
        run_if_outdated("result", tmp_path / "result", [], lambda: None)


def test_a_failing_script_names_its_command_and_status():
    with pytest.raises(StepError, match=r"t2c-graph snapshot.*status 2"):
        run_console_script("t2c-graph", "snapshot")


def test_saving_the_same_text_keeps_the_date(tmp_path):
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
    path.write_text(jsonl(rows), encoding="utf-8")
    assert list(read_rows(path)) == rows


def test_a_free_port_can_be_listened_on():
    assert 0 < free_port() < 65536
