"""Colours and icon of the page; the style sheet is `page.css`."""

from __future__ import annotations

from importlib import resources

ACCENT = "#0f8a7e"
PALETTE = (
    "#0f8a7e",
    "#5b6ee1",
    "#d97706",
    "#c2417c",
    "#4d7c0f",
    "#0284c7",
    "#7c3aed",
    "#b45309",
    "#64748b",
    "#be123c",
)
"""Colours of node labels; readable on light and dark backgrounds."""

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    f"<g stroke='{ACCENT}' stroke-width='2.4' fill='none'>"
    "<path d='M9 10 L22 7 M9 10 L14 24 M22 7 L14 24 M14 24 L26 20'/></g>"
    f"<g fill='{ACCENT}'><circle cx='9' cy='10' r='4.6'/><circle cx='22' cy='7' r='3.4'/>"
    "<circle cx='14' cy='24' r='3.8'/>"
    "<circle cx='26' cy='20' r='2.8'/></g></svg>"
)

CSS = resources.files("t2c_service.page").joinpath("page.css").read_text(encoding="utf-8")
