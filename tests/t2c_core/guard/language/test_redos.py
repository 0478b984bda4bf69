"""Regular expressions with bounded matching time pass; others and unknown syntax are refused."""

import pytest

from t2c_core.guard.language.redos import is_redos_safe


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "A.*",
        "(?i).*pril",
        "[A-Z][0-9]{2}([.][0-9])?",
        "P10\\d\\d",
        "(?i)(aspirin|warfarin)",
        "a{1,3}b",
        "^x$",
        "\\Q"[:0],
    ],
)
def test_pattern_with_bounded_time_is_safe(pattern):
    assert is_redos_safe(pattern, of_property=False)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+", "(a*)*", "(a|a)*", "(a|aa)+", "([a-z]+)*", "(.*a){20}", "(?:a?){30}", ".*.*.*", "(a{1,30}){1,30}",
        "(?=a)b", "(?!a)b", "(?<=a)b", "(?<n>a)", "(a)\\1", "\\k<n>", "\\Qa\\E", "\\p{L}", "[a&&b]", "a**", "*a", "x" * 500,
        "a?" * 13, "[", "\\",
    ],
)  # fmt: skip
def test_pattern_that_may_backtrack_or_is_unknown_is_not_safe(pattern):
    assert not is_redos_safe(pattern, of_property=False)


def test_stored_property_allows_one_more_unbounded_quantifier():
    assert is_redos_safe(".*a.*b.*", of_property=True)
    assert not is_redos_safe(".*a.*b.*", of_property=False)
