r"""ReDoS check: which regular expressions Java's backtracking matcher evaluates in bounded time.

The server does not interrupt a match. A pattern passes if it has no repeated group, no back-reference, no look-around
and few unbounded quantifiers: the time then grows with a low power of the length of the text.
"""

from __future__ import annotations

import re

MAX_CHARS = 200
MAX_UNBOUNDED_QUANTIFIERS = 2
MAX_UNBOUNDED_ON_PROPERTY = 3
"""Maximum number of unbounded quantifiers if the text is a stored property, which is usually short."""
MAX_REPETITION_PRODUCT = 4096
"""Maximum product of the numbers of ways of all bounded quantifiers: `{2,5}` has 4 ways, `?` has 2."""
MAX_PRODUCT_WITH_UNBOUNDED = 64
"""The same if the pattern also has an unbounded quantifier."""

_PART = re.compile(
    r"""
      (?P<flags>\(\?[imsux]+\))
    | (?P<open>\((?:\?:|\?[imsux]+:)?(?!\?))
    | (?P<close>\))
    | (?P<class>\[\^?\]?(?:[^\]\\\[&]|&(?!&)|\\[dDwWsSbtnr\[\]\\.*+?(){}|^$\-/&])*\])
    | (?P<escape>\\(?:[dDwWsSbBAzZtnrhv]|[^\w\s]))
    | (?P<repeat>(?:[*+?]|\{(?P<lower>\d{1,4})(?P<comma>,)?(?P<upper>\d{1,4})?\})[?+]?)
    | (?P<bar>\|)
    | (?P<literal>[^\\()\[\]{}*+?|])
    """,
    re.VERBOSE | re.DOTALL,
)


def is_redos_safe(pattern: str, *, of_property: bool) -> bool:
    """Return whether matching a pattern takes bounded time on any text.

    Args:
        pattern: Regular expression in Java's syntax. A pattern with unknown syntax is not safe.
        of_property: Whether the text is a stored property rather than a value computed by the query.
    """
    if len(pattern) > MAX_CHARS:
        return False
    unbounded, product = 0, 1
    position = 0
    before = ""
    while position < len(pattern):
        part = _PART.match(pattern, position)
        if part is None:
            return False
        kind = part.lastgroup if part["repeat"] is None else "repeat"
        if kind == "repeat":
            if before not in ("literal", "class", "escape") and not (before == "close" and part[0] == "?"):
                return False
            if part[0][0] in "*+" or (part["comma"] and part["upper"] is None):
                unbounded += 1
            elif part["lower"] is not None and part["comma"]:
                product *= max(int(part["upper"]) - int(part["lower"]) + 1, 1)
            elif part[0][0] == "?":
                product *= 2
        before = kind or ""
        position = part.end()
    if unbounded > (MAX_UNBOUNDED_ON_PROPERTY if of_property else MAX_UNBOUNDED_QUANTIFIERS):
        return False
    return product <= (MAX_PRODUCT_WITH_UNBOUNDED if unbounded else MAX_REPETITION_PRODUCT)
