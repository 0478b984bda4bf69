"""The query of an answer: read, copy, and with the scope `cypher`, edit and run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nicegui import ui

from t2c_service.answering.explaining.verbalise_rows import format_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nicegui.elements.codemirror import CodeMirror

    from t2c_service.answering.records import Answer, LinkedValue

CODE_THEMES: dict[bool, Literal["githubDark", "githubLight"]] = {True: "githubDark", False: "githubLight"}


class QueryView:
    """A card with a query.

    Args:
        answer: Answer of the query.
        dark: Dark mode of the page, which the colours of the code follow.
        run: Runs an edited query; None if the user lacks the scope.
    """

    def __init__(
        self, answer: Answer, dark: ui.dark_mode, run: Callable[[str], Awaitable[None]] | None
    ) -> None:
        self._original = answer.cypher or ""
        self._run = run
        with ui.column().classes("g-card"):
            with ui.row().classes("g-card-head"):
                ui.label("Query").classes("g-card-title")
                ui.label("read-only Cypher").classes("g-tag")
                ui.space()
                self._buttons()
            self._code = self._editor(dark)
            if run is not None:
                ui.label("Edit and press Ctrl+Enter to run; the same guard validates it.").classes(
                    "g-muted g-small g-hint"
                )
            self._parameters(answer)

    def _buttons(self) -> None:
        flat = "flat dense no-caps size=sm color=primary"
        if self._run is not None:
            self._reset = ui.button("Undo", icon="undo", on_click=self._undo).props(flat)
            self._reset.set_visibility(False)
            ui.button("Run again", icon="play_arrow", on_click=self._run_it).props(flat)
        ui.button("Copy", icon="content_copy", on_click=lambda: ui.clipboard.write(self._code.value)).props(
            flat
        )

    def _editor(self, dark: ui.dark_mode) -> CodeMirror:
        code = ui.codemirror(
            self._original,
            language="Cypher",
            theme=CODE_THEMES[bool(dark.value)],
            line_wrapping=True,
            on_change=self._changed,
            keymap={"Mod-Enter": self._run_it} if self._run else None,
        )
        code.classes("g-code").mark("cypher").props("aria-label='Cypher query'")
        if self._run is None:
            code.disable()
        dark.on_value_change(lambda event: code.set_theme(CODE_THEMES[bool(event.value)]))
        return code

    def _changed(self) -> None:
        if self._run is not None:
            self._reset.set_visibility(self._code.value != self._original)

    def _undo(self) -> None:
        self._code.value = self._original

    async def _run_it(self) -> None:
        if self._run is not None and self._code.value.strip():
            await self._run(self._code.value)

    def _parameters(self, answer: Answer) -> None:
        linked = {value.name: value for value in answer.linked_values}
        for name, parameter in answer.parameters.items():
            with ui.row().classes("g-param"):
                ui.label(f"${name} = {format_value(parameter)}").classes("g-mono")
                if name in linked:
                    found = occurrences(linked[name])
                    ui.label(f"from “{linked[name].text}”{f', found in {found}' if found else ''}").classes(
                        "g-muted"
                    )


def occurrences(value: LinkedValue) -> str:
    """Return the properties in which a linked value occurs."""
    return ", ".join(f"{each.owner}.{each.property}" for each in value.occurrences[:4])
