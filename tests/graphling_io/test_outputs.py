"""Output files and folders: complete or absent, never over an input, never over what is not ours."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from graphling_io.outputs import (
    OutputError,
    apply_umask,
    atomic_directory,
    atomic_file,
    check_free_space,
    check_no_overlap,
    clear_directory,
    write_json,
    write_text,
)

MARKERS = ("manifest.json",)


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def make(path: Path, *files: str) -> Path:
    path.mkdir(parents=True)
    for name in files:
        (path / name).write_text(name)
    return path


def test_a_folder_appears_when_the_block_ends(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with atomic_directory(out, markers=MARKERS) as temporary:
        (temporary / "manifest.json").write_text("1")
        assert not out.exists()
    assert names(out) == ["manifest.json"]
    assert names(out.parent) == ["out"]
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE(out.parent.stat().st_mode)


def test_an_error_in_the_block_leaves_everything_as_it_was(tmp_path: Path) -> None:
    out = make(tmp_path / "out", "manifest.json")

    def fail() -> None:
        with (
            atomic_directory(out, markers=MARKERS, force=True) as temporary,
            atomic_file(tmp_path / "file") as file,
        ):
            (temporary / "new").write_text("x")
            file.write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == ["out"]
    assert names(out) == ["manifest.json"]


@pytest.mark.parametrize(
    "sibling", [".out.partial", ".out.old", "out.old", "out.partial", ".out.mode", "out.tmp"]
)
def test_siblings_are_never_touched(tmp_path: Path, sibling: str) -> None:
    make(tmp_path / sibling, "mine")
    out = make(tmp_path / "out", "manifest.json")
    with atomic_directory(out, markers=MARKERS, force=True) as temporary:
        write_text(temporary / "manifest.json", "new")
        apply_umask(temporary / "manifest.json")
    assert (out / "manifest.json").read_text() == "new"
    assert (tmp_path / sibling / "mine").read_text() == "mine"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_without_a_marker_is_never_replaced(tmp_path: Path, force: bool) -> None:
    out = make(tmp_path / "out", "thesis.tex")
    with (
        pytest.raises(OutputError, match="not replaced even with --force" if force else "is not empty"),
        atomic_directory(out, markers=MARKERS, force=force),
    ):
        pass
    with pytest.raises(OutputError, match=r"thesis\.tex but no manifest\.json"):
        clear_directory(out, markers=MARKERS)
    assert names(out) == ["thesis.tex"]


def test_a_folder_that_holds_more_than_its_kind_is_never_replaced(tmp_path: Path) -> None:
    out = make(tmp_path / "out", "manifest.json", "a.json", "thesis.tex")
    with pytest.raises(OutputError, match=r"also holds thesis\.tex"):
        clear_directory(out, markers=MARKERS, contents=("*.json",))
    assert len(names(out)) == 3
    (out / "thesis.tex").unlink()
    clear_directory(out, markers=MARKERS, contents=("a.*",))
    assert names(out) == []


def test_a_folder_whose_clearing_was_broken_off_is_still_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = make(tmp_path / "out", "a", "manifest.json", "z")

    def fail(self: Path, **_: object) -> None:
        if self.name == "z":
            raise OSError(errno.EIO, "broken off")
        self.rename(tmp_path / "gone")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fail)
        with pytest.raises(OSError, match="broken off"):
            clear_directory(out, markers=MARKERS)
    assert "manifest.json" in names(out)
    clear_directory(out, markers=MARKERS)
    assert names(out) == []


def test_a_folder_that_was_filled_meanwhile_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputError, match="not empty"), atomic_directory(out, markers=MARKERS):
        make(out, "mine")
    assert names(out) == ["mine"]


@pytest.mark.parametrize(
    ("output", "relation"),
    [("a/in", "is also the input"), ("a", "contains the input"), ("a/in/out", "lies within the input")],
)
@pytest.mark.parametrize("force", [False, True])
def test_an_output_that_overlaps_an_input_is_refused(
    tmp_path: Path, output: str, relation: str, force: bool
) -> None:
    source = make(tmp_path / "a" / "in", "manifest.json")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for root in (tmp_path, tmp_path / "link" / ".."):
        with (
            pytest.raises(OutputError, match=relation),
            atomic_directory(root / output, markers=MARKERS, inputs=[source], force=force),
        ):
            pass
    with pytest.raises(OutputError, match="contains the input"):
        check_no_overlap(tmp_path / "link", [source])
    with pytest.raises(OutputError, match="is also the input"), atomic_file(source, inputs=[source]):
        pass
    check_no_overlap(tmp_path / "a" / "in2", [source])
    assert names(source) == ["manifest.json"]


def test_a_killed_run_leaves_the_old_folder_and_its_scratch_is_removed_later(tmp_path: Path) -> None:
    out = make(tmp_path / "out", "manifest.json")
    code = (
        "import os, sys; from pathlib import Path; from graphling_io.outputs import atomic_directory\n"
        "with atomic_directory(Path(sys.argv[1]), markers=['manifest.json'], force=True) as new:\n"
        "    (new / 'half').touch(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(out)], check=False)
    assert names(out) == ["manifest.json"]
    assert len(names(tmp_path)) == 2
    with atomic_directory(out, markers=MARKERS, force=True) as new:
        (new / "manifest.json").touch()
        with atomic_directory(out, markers=MARKERS, force=True) as other:  # one that runs is not removed
            (other / "manifest.json").touch()
        assert new.is_dir()
    assert names(tmp_path) == ["out"]


def test_a_run_killed_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    make(tmp_path / ".out.abc.graphling-tmp" / "previous", "manifest.json")
    with pytest.raises(OutputError, match="not empty"), atomic_directory(tmp_path / "out", markers=MARKERS):
        pass
    assert names(tmp_path / "out") == ["manifest.json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_clear_error(tmp_path: Path, number: int) -> None:
    for writer in (atomic_file(tmp_path / "out"), atomic_directory(tmp_path / "out", markers=MARKERS)):
        with pytest.raises(OutputError, match=r"out cannot be written"), writer:
            raise OSError(number, os.strerror(number))
    with pytest.raises(OutputError, match=r"needs about 1,000,000,000,000,000,000 bytes and only"):
        check_free_space(tmp_path / "no" / "out", 10**18)
    assert names(tmp_path) == []


def test_a_file_keeps_the_usual_permissions_and_follows_links(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_json(tmp_path / "link", {"path": Path("a"), "é": 1})
    assert (tmp_path / "target").read_text() == '{\n  "path": "a",\n  "é": 1\n}\n'
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").stat().st_mode == plain.stat().st_mode


def test_an_output_at_the_wrong_kind_of_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError), atomic_directory(path, markers=MARKERS, force=True):
            pass
    with pytest.raises(OutputError, match="is a folder"):
        write_text(tmp_path, "x")
