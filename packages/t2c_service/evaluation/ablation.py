"""What each part of answering is worth: the same questions again, with one part left out at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from t2c_service.errors import SettingsError
from t2c_service.evaluation.run import evaluate
from t2c_service.settings import Part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from t2c_service.settings import Settings


def parts_of(text: str, *, url: str | None = None) -> tuple[Part, ...]:
    """Read names of parts with commas between them.

    Args:
        text: from the command line; empty for none.
        url: of a running service, whose parts cannot be left out from here.

    Raises:
        SettingsError: there is no such part, or the service is not of this process.
    """
    known: tuple[Part, ...] = get_args(Part)
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise SettingsError(f"--ablate {wrong[0]}: no such part; choose of {', '.join(known)}")
    if names and url is not None:
        raise SettingsError("--ablate changes the service that is asked; give --config instead of --url")
    return tuple(part for part in known if part in names)


async def ablate(file: Path, settings: Settings, parts: Sequence[Part]) -> dict[str, dict[str, Any]]:
    """Evaluate without each part.

    Args:
        file: pairs; see `pairs`.
        settings: of the service.
        parts: to leave out, one after the other.

    Returns:
        The figures of `report.figures`, by part.
    """
    return {
        part: await evaluate(file, settings=settings.model_copy(update={"ablate": (*settings.ablate, part)}))
        for part in parts
    }
