"""What the visitor's browser keeps between visits, and the key that leads to the question box."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from nicegui import ui

RECALL_S = 20.0
"""Longest wait for the visitor's browser."""
_KEPT = "graphling"
_RECALL = (
    f"const kept = JSON.parse(localStorage.getItem('{_KEPT}') || '{{}}');"
    "return {dark: kept.dark ?? matchMedia('(prefers-color-scheme: dark)').matches, asked: kept.asked ?? []}"
)
_KEEP = (
    f"localStorage.setItem('{_KEPT}', JSON.stringify({{"
    f"...JSON.parse(localStorage.getItem('{_KEPT}') || '{{}}'), ...%s}}))"
)
SLASH = """<script>document.addEventListener('keydown', event => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, textarea, [contenteditable=true]')) return;
  const box = document.querySelector('.g-ask textarea');
  if (box) { event.preventDefault(); box.focus(); }
});</script>"""
"""Goes to the question box."""


@dataclass(frozen=True)
class StoredState:
    """What a browser kept."""

    dark: bool
    asked: list[Any]
    """Questions, or whatever stands in their place."""


async def load_state() -> StoredState | None:
    """Ask the visitor's browser what it kept; none if it is gone or too slow."""
    try:
        kept = await ui.run_javascript(_RECALL, timeout=RECALL_S)
    except TimeoutError:
        return None
    if not isinstance(kept, dict):
        return None
    asked = kept.get("asked")
    return StoredState(bool(kept.get("dark")), asked if isinstance(asked, list) else [])


def save_state(what: dict[str, Any]) -> None:
    """Have the visitor's browser keep something."""
    ui.run_javascript(_KEEP % json.dumps(what).replace("<", "\\u003c"))
