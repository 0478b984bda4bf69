"""Texts of this machine for the benchmark of pretrained models: calibration, distillation and test, on unlike subjects.

Calibration and distillation read docstrings of Python modules; tests read what Debian ships about other programs.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import os
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MANUALS = Path("/usr/share/man")
DOCS = Path("/usr/share/doc")
LANGUAGES = ("de", "es", "fr", "ja", "ru", "zh_CN")
# Programs whose documents are about Python, as the calibration text is.
PYTHON = ("python", "pip", "pydoc", "2to3", "idle", "cython", "sphinx")


@dataclass(frozen=True)
class TestText:
    """Rows of one kind of text.

    Attributes:
        name: what they are.
        rows: texts, each shorter than the sequences that are measured.
    """

    name: str
    rows: list[str]

    @property
    def sha256(self) -> str:
        """Hash of all rows, since the texts differ between machines."""
        return hashlib.sha256("\0".join(self.rows).encode()).hexdigest()


def docstrings(folder: Path) -> Iterator[str]:
    """Yield the docstrings of each module under a folder as one text, in the order of their paths' hashes."""
    apart = {"test", "tests", "idlelib", "site-packages"}
    paths = [path for path in folder.rglob("*.py") if not apart & set(path.relative_to(folder).parts)]
    for path in _shuffled(paths, folder):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        text = "\n\n".join(each for each in found if each)
        if len(text) > 400:
            yield text


def calibration_rows(characters: int) -> list[dict[str, str]]:
    """Give docstrings of the standard library, up to about a number of characters."""
    return _until(docstrings(_stdlib()), characters)


def distillation_rows(tokenizer: Any, length: int, tokens: int) -> list[dict[str, str]]:
    """Give docstrings of installed packages, then of the standard library, in pieces of at most `length` tokens."""
    rows: list[dict[str, str]] = []
    seen = 0
    for folder in (Path(sysconfig.get_paths()["purelib"]), _stdlib()):
        for text in docstrings(folder):
            for piece in pieces(tokenizer, text, length)[:8]:
                rows.append({"text": piece})
                seen += length
            if seen >= tokens:
                return rows
    return rows


def pieces(tokenizer: Any, text: str, length: int) -> list[str]:
    """Cut a text into consecutive pieces of at most `length` tokens, the last one left out if it is short."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    cuts = range(0, len(offsets), length)
    spans = [(offsets[cut][0], offsets[min(cut + length, len(offsets)) - 1][1], cut) for cut in cuts]
    return [text[begin:end] for begin, end, cut in spans if cut == 0 or cut + length <= len(offsets)]


def test_texts(tokenizer: Any, length: int, rows: int) -> list[TestText]:
    """Give the test texts: English manual pages, other English documents, manual pages in other languages.

    Args:
        tokenizer: of the model, which decides where rows end.
        length: tokens of a row.
        rows: rows of each English kind; the other languages share one row.

    Returns:
        The texts that this machine has.
    """
    english = _rows(tokenizer, _manuals(MANUALS), length, rows)
    documents = _rows(tokenizer, _documents(), length, rows)
    foreign = []
    for language in LANGUAGES:
        foreign += _rows(tokenizer, _manuals(MANUALS / language), length // len(LANGUAGES), 1)
    texts = [TestText("manuals", english), TestText("documents", documents), TestText("languages", foreign)]
    return [text for text in texts if text.rows]


def _rows(tokenizer: Any, texts: Iterator[str], length: int, count: int) -> list[str]:
    """Take one full row from the middle of each of the first texts that are long enough."""
    found: list[str] = []
    for text in texts:
        cut = pieces(tokenizer, text, length)
        full = [
            piece
            for piece in cut
            if len(tokenizer(piece, add_special_tokens=False)["input_ids"]) >= length - 2
        ]
        if full:
            found.append(full[len(full) // 2])
        if len(found) == count:
            break
    return found


def _manuals(folder: Path) -> Iterator[str]:
    paths = [path for path in folder.glob("man[1578]/*.gz") if not path.name.startswith(PYTHON)]
    for path in _shuffled(paths, folder):
        page = subprocess.run(
            ["man", "-P", "cat", str(path)],
            capture_output=True,
            env={**os.environ, "MANWIDTH": "90", "LC_ALL": "C.UTF-8"},
            check=False,
        ).stdout.decode("utf-8", errors="ignore")
        if len(page) > 1500:
            yield page


def _documents() -> Iterator[str]:
    names = ("README*", "*.txt", "*.txt.gz", "FAQ*", "*.md", "*.md.gz")
    paths = [path for name in names for path in DOCS.glob(f"*/{name}")]
    for path in _shuffled([path for path in paths if not path.parent.name.startswith(PYTHON)], DOCS):
        raw = path.read_bytes()
        try:
            text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        yield text


def _shuffled(paths: list[Path], folder: Path) -> list[Path]:
    files = [path for path in set(paths) if path.is_file()]
    return sorted(files, key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).hexdigest())


def _until(texts: Iterator[str], characters: int) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    seen = 0
    for text in texts:
        rows.append({"text": text})
        seen += len(text)
        if seen >= characters:
            break
    return rows


def _stdlib() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])
