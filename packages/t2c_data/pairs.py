"""Question-Cypher pairs: the row type, its files, and the normal forms in which questions and queries are compared."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from graphling_io.outputs import atomic_file
from t2c_data.errors import PairsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A question and the query that answers it."""

    id: str
    question: str
    cypher: str
    """Query with parameters `$v1`, `$v2`, ... in the order of their mentions; empty if the question is unanswerable."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """JSON values by parameter name."""
    category: str = ""
    template: str = ""
    difficulty: int = 1
    split: str = "train"
    graph: str = ""
    """Content hash of the graph's schema."""
    result_rows: int = 0
    """Number of rows of the answer, at most `generation.pipeline.MAX_ROWS`."""

    def to_json(self) -> str:
        """Return the pair as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=False)


def pair_id(question: str, cypher: str) -> str:
    """Return the content hash of a pair."""
    return hashlib.sha256(f"{question}\n{cypher}".encode()).hexdigest()[:16]


def read_pairs(path: Path, *, include_rejected: bool = True) -> list[Pair]:
    """Return the pairs of a file; see `iter_pairs`."""
    return list(iter_pairs(path, include_rejected=include_rejected))


def iter_pairs(path: Path, *, include_rejected: bool = True) -> Iterator[Pair]:
    """Yield the pairs of a file.

    Args:
        path: JSON Lines; fields other than those of `Pair` are ignored.
        include_rejected: whether to yield rows that validation rejected (`"keep": false`).

    Raises:
        PairsError: the file is missing or a row is not a pair.
    """
    if not path.is_file():
        raise PairsError(f"no pairs at {path}; build some with: t2c-data build")
    known = set(Pair.__dataclass_fields__)
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                content: dict[str, Any] = json.loads(line)
                pair = Pair(**{key: value for key, value in content.items() if key in known})
                if not isinstance(pair.question, str) or not isinstance(pair.cypher, str):
                    raise TypeError("question and cypher must be text")  # noqa: TRY301
                if not isinstance(pair.parameters, dict):
                    raise TypeError("parameters must be an object")  # noqa: TRY301
            except (TypeError, AttributeError, json.JSONDecodeError) as error:
                raise PairsError(f"{path}, line {number}: not a pair ({error})") from error
            if include_rejected or content.get("keep", True):
                yield pair


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text atomically, without holding them in memory."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def skeleton(cypher: str) -> str:
    """Return the query skeleton: the query without the numbers of its parameters."""
    return re.sub(r"\$v\d+", "$v", cypher)


def normalize_question(question: str) -> str:
    """Return the words of a question, case-folded; equal questions have the same."""
    return " ".join(re.findall(r"[\w.\-/]+", question.casefold()))


def mask_values(question: str, parameters: Mapping[str, Any]) -> str:
    """Return the words of a question with `_` for each value."""
    text = question.casefold()
    for value in sorted({str(each).casefold() for each in parameters.values()}, key=len, reverse=True):
        text = (
            text.replace(value, " _ ") if len(value) > 1 else re.sub(rf"\b{re.escape(value)}\b", " _ ", text)
        )
    return " ".join(re.findall(r"[^\W\d]+", text))
