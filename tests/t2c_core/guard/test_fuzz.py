"""Random texts: each gets a verdict, and a repaired query is allowed without further repairs."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2c_core.guard.guard import Guard

from .conftest import POLICY, SCHEMA, rows

TEXTS = [
    row["cypher"] for name in ("good", "attacks", "wrong") for row in rows(name) if len(row["cypher"]) < 400
]
PIECES = sorted({piece for text in TEXTS for piece in re.findall(r"\w+|\s+|[^\w\s]+", text)})
GUARDS = [Guard(), Guard(SCHEMA), Guard(SCHEMA, POLICY)]


@st.composite
def spliced(draw):
    """Join the start of one query and the end of another, with up to three tokens between."""
    first, second = draw(st.sampled_from(TEXTS)), draw(st.sampled_from(TEXTS))
    head = first[: draw(st.integers(0, len(first)))]
    tail = second[draw(st.integers(0, len(second))) :]
    return head + "".join(draw(st.lists(st.sampled_from(PIECES), max_size=3))) + tail


def check(text):
    for guard in GUARDS:
        verdict = guard.check(text)
        if verdict.allowed:
            if "none(step IN nodes(" in verdict.cypher:
                continue  # a condition that only the guard may add
            again = guard.check(verdict.cypher)
            assert again.allowed, (text, verdict, again)
            assert guard.check(again.cypher).cypher == again.cypher, (text, verdict, again)
        else:
            assert len(verdict.codes) == 1
            assert verdict.message


@settings(suppress_health_check=list(HealthCheck))
@given(spliced())
def test_spliced_queries(text):
    check(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join))
def test_words_in_any_order(text):
    check(text)


@given(st.text(st.characters(codec=None), max_size=80))
def test_any_text(text):
    check(text)


def test_large_inputs_are_refused():
    for text in (
        "RETURN " + "(" * 10_000,
        "[" * 10_000,
        "RETURN '" + "x" * 1_000_000,
        "MATCH (n) " * 100_000,
        "\\u0041" * 9_000,
    ):
        assert not GUARDS[1].check(text).allowed
