"""Colours, type and the few rules of style that Quasar's classes do not have."""

from __future__ import annotations

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
"""Colours of node labels; readable on light and dark paper."""

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    f"<g stroke='{ACCENT}' stroke-width='2.4' fill='none'><path d='M9 10 L22 7 M9 10 L14 24 M22 7 L14 24 M14 24 L26 20'/></g>"
    f"<g fill='{ACCENT}'><circle cx='9' cy='10' r='4.6'/><circle cx='22' cy='7' r='3.4'/><circle cx='14' cy='24' r='3.8'/>"
    "<circle cx='26' cy='20' r='2.8'/></g></svg>"
)

CSS = """
:root {
  --paper: #f5f6f8; --card: #ffffff; --ink: #1b2430; --muted: #647084; --line: #e3e7ed; --soft: #eef1f5;
  --accent: #0f766e; --accent-soft: #d9f0ec; --warn: #92590a; --warn-soft: #fdf3dc; --bad: #a4262c; --bad-soft: #fbe9ea;
}
body.body--dark {
  --paper: #101419; --card: #181d24; --ink: #e4e9f0; --muted: #97a3b4; --line: #29313b; --soft: #212831;
  --accent: #4fd1bf; --accent-soft: #143b37; --warn: #f2c572; --warn-soft: #362b14; --bad: #f2a0a3; --bad-soft: #3b1d20;
}
body { background: var(--paper) !important; color: var(--ink); }
.nicegui-content { padding: 0; align-items: stretch; }
.g-page { width: 100%; max-width: 1040px; margin: 0 auto; padding: 0 20px 64px; gap: 18px; }
.g-bar { width: 100%; max-width: 1040px; margin: 0 auto; padding: 16px 20px 0; align-items: center; gap: 10px; flex-wrap: nowrap; }
.g-name { font-weight: 600; font-size: 1.02rem; letter-spacing: -0.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.g-muted { color: var(--muted); }
.g-small { font-size: 0.82rem; line-height: 1.45; }
.g-hero { padding: 9vh 0 6px; gap: 8px; }
.g-hero.g-asked { padding-top: 18px; }
.g-title { font-size: clamp(1.75rem, 5vw, 2.5rem); font-weight: 650; letter-spacing: -0.03em; line-height: 1.12; }
.g-ask { width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 6px 6px 6px 18px;
  flex-wrap: nowrap; align-items: center; gap: 8px; box-shadow: 0 1px 2px rgb(16 24 40 / 5%), 0 8px 24px rgb(16 24 40 / 5%); }
.g-ask:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px var(--accent-soft); }
.g-ask .q-field { flex: 1 1 0; min-width: 0; }
.g-ask textarea.q-field__native { resize: none; max-height: 9.5rem; padding: 9px 0; }
.g-ask .q-field__native { font-size: 1.08rem; color: var(--ink); line-height: 1.4; }
.g-ask .q-field__native::placeholder { color: var(--muted); opacity: 1; }
.g-go.q-btn { border-radius: 12px; height: 46px; min-width: 46px; padding: 0 18px; font-weight: 600; text-transform: none; letter-spacing: 0; }
.g-examples { gap: 8px; width: 100%; }
.g-example { border: 1px solid var(--line); background: var(--card); color: var(--ink); border-radius: 999px; padding: 7px 14px;
  font-size: 0.88rem; line-height: 1.35; text-align: left; cursor: pointer; max-width: 100%; transition: border-color .15s, background .15s; }
.g-example:hover { border-color: var(--accent); background: var(--accent-soft); }
.g-example:focus-visible, .g-cite:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.g-card { width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 18px 20px; gap: 12px;
  box-shadow: 0 1px 2px rgb(16 24 40 / 4%); overflow: hidden; }
.g-card-head { width: 100%; align-items: center; gap: 8px; flex-wrap: wrap; min-height: 32px; }
.g-card-title { font-weight: 600; font-size: 0.95rem; }
.g-question { font-size: 0.95rem; color: var(--muted); line-height: 1.6; overflow-wrap: anywhere; }
.g-value { color: var(--ink); border-bottom: 2px solid var(--accent); padding-bottom: 1px; }
.g-answer { font-size: 1.2rem; line-height: 1.6; letter-spacing: -0.005em; overflow-wrap: anywhere; }
.g-cite { font-size: 0.7rem; font-weight: 600; color: var(--accent); background: var(--accent-soft); border-radius: 6px; padding: 1px 6px;
  margin: 0 1px 0 5px; cursor: pointer; vertical-align: 2px; border: 0; line-height: 1.5; font-family: inherit; }
.g-tag { font-size: 0.76rem; font-weight: 600; border-radius: 999px; padding: 2px 10px; background: var(--soft); color: var(--muted); white-space: nowrap; }
.g-tag.g-good { background: var(--accent-soft); color: var(--accent); }
.g-tag.g-warn { background: var(--warn-soft); color: var(--warn); }
.g-tag.g-bad { background: var(--bad-soft); color: var(--bad); }
.g-note { width: 100%; border-radius: 10px; padding: 9px 13px; font-size: 0.88rem; line-height: 1.5; background: var(--warn-soft); color: var(--warn); overflow-wrap: anywhere; }
.g-note.g-bad { background: var(--bad-soft); color: var(--bad); }
.g-two { width: 100%; display: grid; grid-template-columns: minmax(0, 1fr); gap: 18px; }
@media (min-width: 900px) { .g-two.g-both { grid-template-columns: minmax(0, 1.08fr) minmax(0, 1fr); } }
.g-param { font-size: 0.85rem; line-height: 1.5; align-items: baseline; gap: 8px; width: 100%; flex-wrap: wrap; overflow-wrap: anywhere; }
.g-mono { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.83rem; }
.g-table { width: 100%; background: transparent; }
.g-table .q-table th { font-size: 0.78rem; font-weight: 600; color: var(--muted); border-color: var(--line); }
.g-table .q-table td { font-size: 0.88rem; border-color: var(--line); white-space: normal; overflow-wrap: break-word; vertical-align: top; padding-top: 8px; padding-bottom: 8px; }
.g-table .q-table th:first-child, .g-table .q-table td:first-child { padding-left: 4px; width: 1%; color: var(--muted); }
.g-table tr.selected td { background: var(--accent-soft); }
.g-table .q-table__bottom { border-color: var(--line); color: var(--muted); min-height: 40px; padding: 4px 0; }
.g-chart { width: 100%; height: 380px; }
.g-legend { gap: 4px 14px; font-size: 0.82rem; color: var(--muted); }
.g-dot { width: 9px; height: 9px; border-radius: 50%; display: inline-block; }
.g-steps { width: 100%; display: flex; height: 8px; border-radius: 99px; overflow: hidden; background: var(--soft); gap: 2px; }
.g-code .cm-editor { background: transparent !important; font-size: 0.86rem; }
.g-code .cm-gutters { display: none !important; }
.g-code .cm-activeLine { background: transparent !important; }
.g-code.nicegui-codemirror { height: auto; min-height: 0; width: 100%; border-radius: 10px; background: var(--soft); padding: 6px 8px; }
.g-attempt { width: 100%; gap: 4px; padding: 10px 0; border-top: 1px solid var(--line); }
.g-state { width: 8px; height: 8px; border-radius: 50%; background: var(--muted); flex: none; }
.g-state.g-good { background: #22a06b; } .g-state.g-bad { background: #d14343; }
@media (max-width: 600px) {
  .g-page { padding: 0 14px 48px; gap: 14px; } .g-bar { padding: 12px 14px 0; } .g-hero { padding-top: 5vh; }
  .g-card { padding: 15px 15px; border-radius: 14px; } .g-chart { height: 320px; } .g-answer { font-size: 1.08rem; }
  .g-go.q-btn { padding: 0 14px; } .g-go .on-right { display: none; }
  .g-table .q-table td, .g-table .q-table th { padding-left: 8px; padding-right: 8px; }
}
@media (prefers-reduced-motion: reduce) { * { animation-duration: 0.01ms !important; transition-duration: 0.01ms !important; } }
"""
