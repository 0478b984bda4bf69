"""Questions of a JSONL file: to offer to a person, and those with a query to show to a chat model.

Rows have `question`; `featured: true` on the few to offer first; `cypher` and `parameters` where it has an answer.
Other keys (rows, categories) are not read.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.access.schema_filter import MentionLinker

    Encoder = Callable[[Sequence[str]], Sequence[Sequence[float]]]
    """Gives sentences as vectors of length one."""

MAX_SHOTS = 3
"""Examples in one prompt."""
CANDIDATES = 12
"""Examples looked at, because not all can be written with the parameters that the linker finds."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Example:
    """A question to start with."""

    question: str
    featured: bool = False
    cypher: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def load_examples(file: Path | None) -> tuple[Example, ...]:
    """Read the examples, featured ones first, in the file's order otherwise.

    Raises:
        SettingsError: the file cannot be read, or a row is no example.
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
    """Finds the examples that are most like a question.

    Likeness is that of words weighted by how rare they are (TF-IDF), or of an encoder's vectors. Values that the
    linker found do not count as words, so that examples match by what is asked, not by whom it is asked of.

    Args:
        examples: those without a query are left out.
        linker: links the examples' questions as it links those of people.
        encoder: sentences to vectors; words are compared without it.
    """

    def __init__(
        self, examples: Sequence[Example], linker: MentionLinker, *, encoder: Encoder | None = None
    ) -> None:
        self._linker = linker
        self._encoder = encoder
        found = [(each, linker.link(each.question)) for each in examples if each.cypher]
        written = [(linked, _with_links(example, linked)) for example, linked in found]
        self._pairs = [(linked, cypher) for linked, cypher in written if cypher is not None]
        masked = [mask(linked) for linked, _ in self._pairs]
        documents = [Counter(_WORD.findall(text.lower())) for text in masked]
        occurs = Counter(word for words in documents for word in words)
        self._rarity = {word: math.log((1 + len(documents)) / count) for word, count in occurs.items()}
        self._vectors = [self._vector(words) for words in documents]
        self._encoded = encoder(masked) if encoder and masked else []

    def __len__(self) -> int:
        return len(self._pairs)

    def select(self, linked: LinkedQuestion, most: int = MAX_SHOTS) -> tuple[tuple[LinkedQuestion, str], ...]:
        """Find examples, the most fitting last; the question itself is none."""
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
        return tuple(reversed(fitting[:most]))

    def _vector(self, words: Counter[str]) -> dict[str, float]:
        weights = {word: count * self._rarity[word] for word, count in words.items() if word in self._rarity}
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {word: weight / length for word, weight in weights.items()} if length else {}


def mask(linked: LinkedQuestion) -> str:
    """Write a question with a mark in place of each value."""
    pieces, position = [], 0
    for link in linked.links:
        pieces += [linked.question[position : link.start], "value"]
        position = link.end
    return "".join([*pieces, linked.question[position:]])


def _with_links(example: Example, linked: LinkedQuestion) -> str | None:
    """Write an example's query with the parameters of its links; none where a value of it was not linked."""
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
        raise SettingsError(f"{where} is not JSON: {error}") from error
    question = row.get("question") if isinstance(row, dict) else None
    if not isinstance(question, str) or not question.strip():
        raise SettingsError(f"{where} has no `question`")
    cypher, parameters = row.get("cypher"), row.get("parameters") or {}
    if not isinstance(cypher, str | None) or not isinstance(parameters, dict):
        raise SettingsError(f"{where}: `cypher` is text, `parameters` an object")
    return Example(question.strip(), row.get("featured") is True, cypher or None, parameters)
