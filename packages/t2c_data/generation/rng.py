"""Random generators of items, each seeded by a hash of the item's name."""

from __future__ import annotations

import hashlib
from random import Random


def generator(*parts: int | str) -> Random:
    """Create the generator of one item; equal parts give equal choices, in any order and on any machine."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))  # noqa: S311
