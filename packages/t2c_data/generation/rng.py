"""Random choices that depend on nothing but what they are for: a generator for each item, seeded by its name."""

from __future__ import annotations

import hashlib
from random import Random


def generator(*parts: int | str) -> Random:
    """Make the generator of one item: the same parts give the same choices, in any order and on any machine."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))  # noqa: S311
