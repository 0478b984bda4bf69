"""The rows of each stage: candidates as composed and executed, pairs as delivered."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_data.errors import PairsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from t2c_core.schema.model import Scalar


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A question and the query that answers it."""

    id: str
    question: str
    cypher: str
    """With parameters `$v1`, `$v2`, ... in the order of their mentions; empty if the graph cannot answer."""
    parameters: dict[str, Scalar] = field(default_factory=dict)
    category: str = ""
    template: str = ""
    difficulty: int = 1
    split: str = "train"
    graph: str = ""
    """Content hash of the schema."""
    result_rows: int = 0
    """How many rows the query gave, at most `pipeline.MAX_ROWS`."""

    def to_json(self) -> str:
        """Write the pair as one line."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=False)


def pair_id(question: str, cypher: str) -> str:
    """Hash the content of a pair."""
    return hashlib.sha256(f"{question}\n{cypher}".encode()).hexdigest()[:16]


def read_pairs(path: Path) -> list[Pair]:
    """Read a file of pairs.

    Raises:
        PairsError: the file is absent or a row is no pair.
    """
    return list(iter_pairs(path))


def iter_pairs(path: Path) -> Iterator[Pair]:
    """Read a file of pairs one by one.

    Raises:
        PairsError: the file is absent or a row is no pair.
    """
    if not path.is_file():
        raise PairsError(f"no pairs at {path}; make them with: t2c-data build")
    known = set(Pair.__dataclass_fields__)
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                content: dict[str, Any] = json.loads(line)
                yield Pair(**{key: value for key, value in content.items() if key in known})
            except (TypeError, AttributeError, json.JSONDecodeError) as error:
                raise PairsError(f"{path}, line {number}: not a pair ({error})") from error


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a file of lines under a temporary name, then rename it."""
    fresh = path.with_name(path.name + ".tmp")
    with fresh.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
    fresh.replace(path)


def skeleton(cypher: str) -> str:
    """Reduce a query to its shape: parameters lose their numbers."""
    return re.sub(r"\$v\d+", "$v", cypher)


def normalize_question(question: str) -> str:
    """Reduce a question to its words, for finding equal ones."""
    return " ".join(re.findall(r"[\w.\-/]+", question.casefold()))


def mask_values(question: str, parameters: dict[str, Scalar]) -> str:
    """Reduce a question to its words without values."""
    text = question.casefold()
    for value in sorted({str(each).casefold() for each in parameters.values()}, key=len, reverse=True):
        text = (
            text.replace(value, " _ ") if len(value) > 1 else re.sub(rf"\b{re.escape(value)}\b", " _ ", text)
        )
    return " ".join(re.findall(r"[^\W\d]+", text))
