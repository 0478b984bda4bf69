"""What a graph lacks, from the hypotheses that name it: "no phone number of wards", and what is near."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_core.interpretation.words import pluralize, split_identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_service.answering.records import Attempt

MISSING_NAME_CODES = frozenset({"schema.label", "schema.type", "schema.property", "schema.owner"})
"""Guard codes of names that the graph, or the label in question, does not have."""
UNUSABLE_CODES = MISSING_NAME_CODES | {
    "completion",
    "parse.syntax",
    "parse.token",
    "scope.variable",
    "schema.pattern",
}
"""Codes of hypotheses that say nothing about whether the graph has an answer."""

_PROPERTY = re.compile(r"(?P<owner>.+?) has no property (?P<name>[^;]+)(?P<near>.*)", re.DOTALL)
_NAME = re.compile(r"unknown (?:label|relationship type) (?P<name>[^;]+)(?P<near>.*)", re.DOTALL)


def missing_names(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    """Return what the graph lacks, if a hypothesis names something missing and no other holds.

    A hypothesis that is refused for another reason, for instance because it writes, is not hidden behind this.

    Args:
        attempts: all hypotheses of a question.
    """
    lacking = [each for each in attempts if each.codes and set(each.codes) <= MISSING_NAME_CODES]
    others = [each for each in attempts if each.outcome != "unanswerable"]
    if not lacking or not all(each.codes and set(each.codes) <= UNUSABLE_CODES for each in others):
        return ()
    return tuple(dict.fromkeys(describe(each.message) for each in lacking))


def describe(message: str) -> str:
    """Return a message of the guard about a missing name in plain words, with the names themselves."""
    if match := _PROPERTY.fullmatch(message):
        owners = match["owner"].split("|")
        things = " or ".join(pluralize(split_identifier(each)) for each in owners)
        owner = "" if match["owner"] == "the graph" else f" of {things}"
        said = f"no {split_identifier(match['name'])}{owner}"
    elif match := _NAME.fullmatch(message):
        said = f"no {split_identifier(match['name'])}"
    else:
        return message
    return f"{said} ({message.replace('; ', ', ').rstrip('?')})"
