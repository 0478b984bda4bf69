r"""Which regular expressions may run: Java's matcher tries again and again, and nothing on the server stops it.

A pattern passes if it holds no group that repeats, nothing that refers back or looks around, and few parts without
end: then the work grows with a low power of the text's length. Holds no parsing of Cypher.
"""

from __future__ import annotations

import re

MAX_CHARS = 200
MAX_UNBOUNDED_QUANTIFIERS = 2
MAX_REPETITION_PRODUCT = 4096
"""Product of how many ways counted repetitions have: `{2,5}` has 4 and `?` has 2; less beside parts without end."""
MAX_SPREAD_BESIDE = 64
MAX_SHORT = 3
"""Parts without end that are bearable where the text is a property, which is short as a rule."""

_PART = re.compile(
    r"""
      (?P<flags>\(\?[imsux]+\))
    | (?P<open>\((?:\?:|\?[imsux]+:)?(?!\?))
    | (?P<close>\))
    | (?P<class>\[\^?\]?(?:[^\]\\\[&]|&(?!&)|\\[dDwWsSbtnr\[\]\\.*+?(){}|^$\-/&])*\])
    | (?P<escape>\\(?:[dDwWsSbBAzZtnrhv]|[^\w\s]))
    | (?P<repeat>(?:[*+?]|\{(?P<least>\d{1,4})(?P<comma>,)?(?P<most>\d{1,4})?\})[?+]?)
    | (?P<bar>\|)
    | (?P<literal>[^\\()\[\]{}*+?|])
    """,
    re.VERBOSE | re.DOTALL,
)


def is_redos_safe(pattern: str, *, of_property: bool) -> bool:
    """Tell whether a pattern ends soon on any text.

    Args:
        pattern: in Java's syntax; what of it is not known here is not bounded.
        of_property: whether the text is a stored value, rather than one made up by the query.
    """
    if len(pattern) > MAX_CHARS:
        return False
    endless, spread = 0, 1
    place = 0
    before = ""
    while place < len(pattern):
        part = _PART.match(pattern, place)
        if part is None:
            return False
        kind = part.lastgroup if part["repeat"] is None else "repeat"
        if kind == "repeat":
            if before not in ("literal", "class", "escape") and not (before == "close" and part[0] == "?"):
                return False
            if part[0][0] in "*+" or (part["comma"] and part["most"] is None):
                endless += 1
            elif part["least"] is not None and part["comma"]:
                spread *= max(int(part["most"]) - int(part["least"]) + 1, 1)
            elif part[0][0] == "?":
                spread *= 2
        before = kind or ""
        place = part.end()
    if endless > (MAX_SHORT if of_property else MAX_UNBOUNDED_QUANTIFIERS):
        return False
    return spread <= (MAX_SPREAD_BESIDE if endless else MAX_REPETITION_PRODUCT)
