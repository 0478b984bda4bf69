"""Names of the parts of answering that an evaluation can leave out, one at a time, to see what each is worth."""

from __future__ import annotations

from typing import get_args

from t2c_service.errors import SettingsError
from t2c_service.settings import Part


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
