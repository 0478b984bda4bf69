"""Example questions of a JSONL file: suggestions for the page, and few-shot examples for chat models.

Reads: JSONL rows {question, featured?, cypher?, parameters?}; `featured` rows are suggested first, rows with `cypher`
serve as few-shot examples; other keys are ignored.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from t2c_core.values.linker import LinkedQuestion

    Encoder = Callable[[Sequence[str]], Sequence[Sequence[float]]]
    """Maps sentences to unit vectors."""

MAX_SHOTS = 3
"""Maximum number of examples in one prompt."""
CANDIDATES = 12
"""Number of examples ranked for one prompt."""
_WORD = re.compile(r"\w+")


class MentionLinker(Protocol):
    """Links the mentions of a question to values of a graph."""

    def link(self, question: str) -> LinkedQuestion:
        """Return the question with its linked mentions."""


@dataclass(frozen=True)
class Example:
    """An example question, with its query if it has one."""

    question: str
    featured: bool = False
    cypher: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def load_examples(file: Path | None) -> tuple[Example, ...]:
    """Read the examples, featured ones first, otherwise in the order of the file.

    Raises:
        SettingsError: the file cannot be read, or a row is invalid.
    """
    if file is None:
        return ()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read `examples` {file}: {error}") from error
    examples = [
        _example(line, f"{file}:{number}") for number, line in enumerate(lines, start=1) if line.strip()
    ]
    return tuple(sorted(examples, key=lambda example: not example.featured))


class ExampleSelector:
    """Select few-shot examples by cosine similarity of TF-IDF vectors, or of an encoder's.

    Linked values are masked, so that examples match by what is asked and not by the values.

    Args:
        examples: candidates; those without a query are left out.
        linker: linker of values.
        encoder: sentence encoder; TF-IDF is used without one.
    """

    def __init__(
        self, examples: Sequence[Example], linker: MentionLinker, *, encoder: Encoder | None = None
    ) -> None:
        self._linker = linker
        self._encoder = encoder
        linked = [(each, linker.link(each.question)) for each in examples if each.cypher]
        queries = [(question, _with_links(example, question)) for example, question in linked]
        self._pairs = [(question, cypher) for question, cypher in queries if cypher is not None]
        masked = [mask(question) for question, _ in self._pairs]
        documents = [Counter(_WORD.findall(text.lower())) for text in masked]
        occurs = Counter(word for words in documents for word in words)
        self._rarity = {word: math.log((1 + len(documents)) / count) for word, count in occurs.items()}
        self._vectors = [self._vector(words) for words in documents]
        self._encoded = encoder(masked) if encoder and masked else []

    def __len__(self) -> int:
        return len(self._pairs)

    def select(
        self, linked: LinkedQuestion, max_shots: int = MAX_SHOTS
    ) -> tuple[tuple[LinkedQuestion, str], ...]:
        """Return the most similar examples, the best last; never the question itself."""
        text = mask(linked)
        if self._encoder:
            own = self._encoder([text])[0]
            scores = [sum(a * b for a, b in zip(own, other, strict=True)) for other in self._encoded]
        else:
            words = self._vector(Counter(_WORD.findall(text.lower())))
            scores = [_product(words, other) for other in self._vectors]
        order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
        fitting = [
            self._pairs[index]
            for index in order[:CANDIDATES]
            if scores[index] > 0 and self._pairs[index][0].question != linked.question
        ]
        return tuple(reversed(fitting[:max_shots]))

    def _vector(self, words: Counter[str]) -> dict[str, float]:
        weights = {word: count * self._rarity[word] for word, count in words.items() if word in self._rarity}
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {word: weight / length for word, weight in weights.items()} if length else {}


def mask(linked: LinkedQuestion) -> str:
    """Return the question with each linked value replaced by the word `value`."""
    pieces, position = [], 0
    for link in linked.links:
        pieces += [linked.question[position : link.start], "value"]
        position = link.end
    return "".join([*pieces, linked.question[position:]])


def _with_links(example: Example, linked: LinkedQuestion) -> str | None:
    """Return the query with the parameters of the linked question; None if one of its values was not linked."""
    cypher = example.cypher or ""
    names = {str(value).lower(): name for name, value in linked.parameters().items()}
    for name, value in example.parameters.items():
        found = names.get(str(value).lower())
        if found is None:
            return None
        cypher = re.sub(rf"\${re.escape(name)}\b", f"$_{found}", cypher)
    cypher = cypher.replace("$_", "$")

    def parameter(match: re.Match[str]) -> str:
        found = names.get(match[0][1:-1].lower())
        return match[0] if found is None else f"${found}"

    return re.sub(r"'[^'\\]*'", parameter, cypher)


def _product(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    if len(other) < len(one):
        one, other = other, one
    return sum(weight * other[word] for word, weight in one.items() if word in other)


def _example(line: str, where: str) -> Example:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{where}: invalid JSON: {error}") from error
    question = row.get("question") if isinstance(row, dict) else None
    if not isinstance(question, str) or not question.strip():
        raise SettingsError(f"{where}: `question` is missing")
    cypher, parameters = row.get("cypher"), row.get("parameters") or {}
    if not isinstance(cypher, str | None) or not isinstance(parameters, dict):
        raise SettingsError(f"{where}: invalid `cypher` or `parameters`; expected text and an object")
    return Example(question.strip(), row.get("featured") is True, cypher or None, parameters)


def load_encoder(folder: Path) -> Encoder:
    """Load a sentence encoder; blocks for seconds.

    Args:
        folder: model folder as sentence-transformers saves it, or of a plain BERT-like model (mean pooling).

    Raises:
        SettingsError: the folder contains no such model.
    """
    if not (folder / "config.json").is_file():
        raise SettingsError(
            f"invalid `encoder` {folder}: no config.json; name the folder of a sentence encoder"
        )
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SettingsError(f"invalid `encoder` {folder}: {error}") from error

    def encode(sentences: Sequence[str]) -> list[list[float]]:
        vectors = model.encode(list(sentences), normalize_embeddings=True, show_progress_bar=False)
        return [[float(each) for each in vector] for vector in vectors]

    return encode
