"""The tokens of a query, as people and models write it, and what one stands for.

It is no lexer that guards anything: any character that is nothing else is a sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import Scalar

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<quoted>`(?:[^`]|``)*`)|(?P<blank>\s+|//[^\n\r]*|/\*.*?\*/)
    |(?P<parameter>\$\w+)|(?P<number>\d+\.\d+(?:[eE][-+]?\d+)?|\d+|\.\d+)|(?P<word>[^\W\d]\w*)
    |(?P<sign><>|<=|>=|=~|\.\.|.)""",
    re.VERBOSE | re.DOTALL,
)
BOUNDARIES = frozenset(
    """AND OR XOR NOT WHERE RETURN WITH MATCH OPTIONAL UNWIND ORDER LIMIT SKIP OFFSET UNION WHEN THEN ELSE END
    CASE DISTINCT""".split()
)
"""Words that part conditions."""
_KEYWORDS = BOUNDARIES | frozenset("BY AS IN EXISTS ASC DESC ASCENDING DESCENDING CALL ON IS".split())
"""Words before a bracket that make it no function call."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query."""

    kind: str
    """string, quoted, parameter, number, word or sign."""
    text: str

    @property
    def upper(self) -> str:
        """A word in capitals, anything else as it is."""
        return self.text.upper() if self.kind == "word" else self.text

    @property
    def is_name(self) -> bool:
        """Whether it can be a name."""
        return self.kind in {"word", "quoted"}

    @property
    def name(self) -> str:
        """The name that it is."""
        return self.text[1:-1].replace("``", "`") if self.kind == "quoted" else self.text

    def value(self, parameters: Mapping[str, Scalar]) -> Scalar | None:
        """Give the value that it is; None if it is none or a parameter without one."""
        if self.kind == "string":
            return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), self.text[1:-1])
        if self.kind == "number":
            return int(self.text) if self.text.isdigit() else float(self.text)
        if self.kind == "parameter":
            return parameters.get(self.text[1:])
        return None


class Tokens(list[Token]):
    """The tokens of a text without blanks and comments; places outside it hold nothing.

    Args:
        text: a query or a part of one.
    """

    def __init__(self, text: str) -> None:
        found = ((match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text))
        super().__init__(Token(kind, each) for kind, each in found if kind != "blank")

    def has(self, place: int, *texts: str) -> bool:
        """Tell whether one of these texts stands at a place."""
        return 0 <= place < len(self) and self[place].text in texts

    def is_name(self, place: int) -> bool:
        """Tell whether a name stands at a place."""
        return 0 <= place < len(self) and self[place].is_name

    def is_word(self, place: int, word: str) -> bool:
        """Tell whether a word, given in capitals, stands at a place."""
        return 0 <= place < len(self) and self[place].upper == word

    def is_call(self, place: int) -> bool:
        """Tell whether a bracket at a place is that of a function."""
        before = self[place - 1] if place else None
        return before is not None and before.kind == "word" and before.upper not in _KEYWORDS

    def closing(self, place: int) -> int:
        """Find the bracket that closes the one that `place` stands behind."""
        depth = 0
        while place < len(self):
            text = self[place].text
            if text in {"(", "[", "{"}:
                depth += 1
            elif text in {")", "]", "}"}:
                if depth == 0:
                    return place
                depth -= 1
            place += 1
        return place
