"""What a graph lacks, in words, and when it is the answer."""

from __future__ import annotations

import pytest

from t2c_service.answering.explaining.missing_names import describe, missing_names
from t2c_service.answering.records import Attempt

UNKNOWN = Attempt(
    hypothesis=0, outcome="refused", codes=("schema.label",), message="unknown label Bed; did you mean Ward?"
)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            "Ward has no property phoneNumber; known: beds, name",
            "no phone number of wards (Ward has no property phoneNumber, known: beds, name)",
        ),
        ("the graph has no property fax", "no fax (the graph has no property fax)"),
        ("unknown relationship type SOLD_BY", "no sold by (unknown relationship type SOLD_BY)"),
        ("something else", "something else"),
    ],
)
def test_messages_are_put_into_words(message: str, text: str) -> None:
    assert describe(message) == text


@pytest.mark.parametrize(
    ("outcome", "codes", "is_answer"),
    [
        ("failed", ("completion",), True),
        ("refused", ("scope.variable",), True),
        ("unanswerable", (), True),
        ("ran", (), False),
        ("refused", ("parse.write",), False),
        ("failed", ("timeout",), False),
    ],
)
def test_a_missing_name_is_the_answer_if_no_other_hypothesis_holds(
    outcome: str, codes: tuple[str, ...], *, is_answer: bool
) -> None:
    other = Attempt(hypothesis=1, outcome=outcome, codes=codes)  # type: ignore[arg-type]
    assert bool(missing_names([UNKNOWN, other])) is is_answer
    assert not missing_names([other])
