"""How numbers and dates are written in a locale: separators, the order of day and month, names of months."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Locale = Literal["en", "en-GB", "de", "fr", "es"]
LOCALES: tuple[Locale, ...] = get_args(Locale)


def _months(*names: str) -> dict[str, int]:
    return {name: number for number, each in enumerate(names, start=1) for name in each.split()}


_ENGLISH = _months(
    "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
    "september sept sep", "october oct", "november nov", "december dec",
)  # fmt: skip
_GERMAN = _months(
    "januar jänner jan", "februar feb", "märz maerz mär", "april apr", "mai", "juni jun", "juli jul", "august aug",
    "september sept sep", "oktober okt", "november nov", "dezember dez",
)  # fmt: skip
_FRENCH = _months(
    "janvier janv", "février fevrier févr", "mars", "avril avr", "mai", "juin", "juillet juil", "août aout",
    "septembre sept", "octobre oct", "novembre nov", "décembre decembre déc",
)  # fmt: skip
_SPANISH = _months(
    "enero ene", "febrero feb", "marzo mar", "abril abr", "mayo", "junio jun", "julio jul", "agosto ago",
    "septiembre setiembre sept", "octubre oct", "noviembre nov", "diciembre dic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WrittenForms:
    """The written forms of one locale."""

    day_first: bool = False
    """Whether 03/04/2021 is 3 April."""
    decimal: Literal[".", ","] = "."
    groups: str = ","
    """Characters that separate thousands."""
    months: dict[str, int] = field(default_factory=lambda: _ENGLISH)
    """Months by name in lower case, those of English included."""

    def number(self, digits: str) -> int | float:
        """Return the value of digits with separators."""
        plain = digits
        for each in self.groups:
            plain = plain.replace(each, "")
        plain = plain.replace(self.decimal, ".")
        return int(plain) if plain.isdigit() else float(plain)


_SPACES = " \u00a0\u202f"
FORMS: dict[Locale, WrittenForms] = {
    "en": WrittenForms(),
    "en-GB": WrittenForms(day_first=True),
    "de": WrittenForms(day_first=True, decimal=",", groups=".'\u2019\u202f", months=_ENGLISH | _GERMAN),
    "fr": WrittenForms(day_first=True, decimal=",", groups=_SPACES + ".", months=_ENGLISH | _FRENCH),
    "es": WrittenForms(day_first=True, decimal=",", groups="." + _SPACES[1:], months=_ENGLISH | _SPANISH),
}
"""Written forms by locale. Dates with points are day first, and ISO dates year first, in all of them."""
