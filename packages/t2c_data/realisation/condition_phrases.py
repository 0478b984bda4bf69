"""Phrases for predicates on any property, by operator; phrases of one property are in the lexicon."""

from __future__ import annotations

_MORE = (
    "greater than",
    "greater than",
    "over",
    "above",
    "more than",
    "higher than",
    "larger than",
)
_LESS = ("less than", "less than", "under", "below", "lower than", "smaller than")
_AT_LEAST = (
    "at least",
    "at least",
    "no less than",
    "greater than or equal to",
    "not less than",
    "{} or more",
)
_AT_MOST = (
    "at most",
    "at most",
    "no more than",
    "less than or equal to",
    "up to",
    "not more than",
    "{} or less",
)
LIMITS = {"gt": _MORE, "lt": _LESS, "ge": _AT_LEAST, "le": _AT_MOST}
"""Comparatives before a number."""
SIZES = {
    "size_gt": ("more than {}", "over {}"),
    "size_ge": ("at least {}", "{} or more"),
    "size_eq": ("exactly {}", "{}"),
}
"""Phrases for the size of a list."""
TEMPORAL_PHRASES: dict[str, tuple[str, ...]] = {
    "on": ("on {a}",),
    "before": ("before {a}", "before {a}", "earlier than {a}", "prior to {a}"),
    "after": ("after {a}", "after {a}", "later than {a}"),
    "since": ("since {a}", "on or after {a}", "from {a} onwards", "starting from {a}"),
    "until": ("until {a}", "on or before {a}", "up to {a}"),
    "during": ("between {a} and {b}", "between {a} and {b}", "from {a} to {b}"),
    "year": ("in {a}", "in the year {a}", "during {a}", "in {a}"),
    "month": (
        "in {a} {b}",
        "in {a} of {b}",
        "during {a} {b}",
        "in {a} {b}",
        "in the month of {a} of the year {b}",
    ),
    "after_year": ("after {a}", "after the year {a}", "later than {a}"),
    "before_year": ("before {a}", "before the year {a}", "prior to {a}"),
    "years": ("between {a} and {b}", "from {a} to {b}", "between the years {a} and {b}"),
}
"""`{a}` and `{b}` are dates, months or years."""
MONTH_ALONE = ("in {a}", "in the month of {a}")
"""Phrases for a month of any year."""

# {n} is the property's noun, {an} the noun with its article, {the} an optional possessor, {v} the value
_EQUAL = (
    "with {n} {v}", "with the {n} {v}", "with {an} of {v}", "having {n} {v}", "where the {the}{n} is {v}",
    "where the {the}{n} is {v}", "where the {n} was {v}", "whose {n} is {v}", "that [has|have] the {n} {v}",
    "that [has|have] {an} of {v}", "that [has|have] {v} as [its|their] {n}", "with {v} as the {n}",
    "with {v} as [its|their] {n}", "having the {n} {v}", "with {n} equal to {v}", "where {n} = {v}",
    "that [has|have] {v} as {n}",
)  # fmt: skip
_UNEQUAL = (
    "where the {the}{n} is not {v}", "whose {n} is not {v}", "with {an} other than {v}", "with {n} not equal to {v}",
    "where the {n} is different from {v}", "where the {the}{n} was not {v}", "with any {n} except {v}",
)  # fmt: skip
IN_PHRASES = (
    "with {n} {v}", "where the {n} is {v}", "where the {the}{n} is either {v}", "whose {n} is {v}",
    "with either {v} as {n}",
)  # fmt: skip
"""`{v}` is one of several values."""
RANGE_PHRASES = (
    "with {an} {v}",
    "where the {the}{n} is {v}",
    "whose {n} is {v}",
    "with {n} {v}",
    "that [has|have] {an} {v}",
)
"""`{v}` is an interval."""
BOUNDED_RANGE_PHRASES = (*RANGE_PHRASES, "where the {the}{n} is {v}", "with {an} of {v}", "having {an} {v}")
"""`{v}` is an exclusive limit: `over 5`."""
AT_LEAST_PHRASES = (
    "with {an} of {v}", "where the {the}{n} is {v}", "whose {n} is {v}", "having {an} of {v}", "where the {n} is {v}",
    "that [has|have] {an} of {v}",
)  # fmt: skip
"""`{v}` is an inclusive limit: `at least 5`."""
_CONTAINS_ELEMENT = (
    "with {v} among the {n}", "where the {n} includes {v}", "where the {n} contains {v}", "whose {n} includes {v}",
    "that [has|have] the {n} {v}", "with {n} {v}", "that [has|have] {v} as {an}",
)  # fmt: skip
GENERAL = {
    "eq": _EQUAL,
    "ne": _UNEQUAL,
    "has": _CONTAINS_ELEMENT,
    "contains": (
        "whose {n} contains {v}", "whose {n} includes {v}", "with {v} in the {n}", "with {an} containing {v}",
        "where the {the}{n} contains {v}", "where the {n} contains the word {v}", "where the {n} includes {v}",
        "with {an} including {v}", "with {an} that includes {v}",
        "with {v} in [its|their] {n}", "whose {n} contains the word {v}", "with {an} that contains {v}",
    ),
    "starts": (
        "whose {n} starts with {v}", "whose {n} begins with {v}", "with {an} starting with {v}",
        "where the {the}{n} starts with {v}", "where the {n} begins with {v}", "with {an} beginning with {v}",
        "whose {n} starts with the letter {v}", "with {an} that starts with {v}", "with {an} that begins with {v}",
    ),
    "ends": (
        "whose {n} ends with {v}", "whose {n} ends in {v}", "with {an} ending in {v}", "with {an} that ends with {v}",
        "where the {the}{n} ends with {v}",
    ),
}  # fmt: skip
TIMED_PHRASES = (
    "where the {the}{n} is {v}",
    "with {an} {v}",
    "whose {n} is {v}",
    "where the {the}{n} was {v}",
    "with {n} {v}",
)
"""`{v}` is a temporal phrase: `in 2021`."""
DATE_PHRASES = ("where the {n} is {v}", "with {n} {v}", "with the {n} {v}", "whose {n} is {v}")
"""`{v}` is a date."""
_MISSING = (
    "without {an}", "with no {n}", "where the {n} is missing", "where the {n} is unknown", "whose {n} is not recorded",
    "that [has|have] no {n}", "with missing {n}", "where the {n} is not given", "where the {n} is null",
    "that [does|do] not have {an}", "that [does|do] not have {an} listed", "with no {n} listed", "without {an} listed",
    "whose {n} is not listed", "where no {n} is given",
)  # fmt: skip
_KNOWN = (
    "with a known {n}", "where the {n} is known", "that [has|have] {an}", "where the {n} is recorded",
    "where the {n} is available", "with a recorded {n}", "where the {n} is not null", "whose {n} is recorded",
    "with {an}", "with {an} listed", "that [has|have] {an} listed", "whose {n} is listed", "with {an} given",
)  # fmt: skip
NULL_PHRASES = {"null": _MISSING, "known": _KNOWN}
ADJECTIVE = (
    "pre:{v}", "pre:{v}", "where the {n} is {v}", "with {n} {v}", "who [is|are] {v}", "of {n} {v}",
)  # fmt: skip
"""`{v}` is an adjective of the lexicon."""
