"""Operators and values of predicates that a given value satisfies.

Numbers are rounded as people round them; dates become days, months, years and intervals.
"""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import ZERO, PropertyPredicate, ValueMention

if TYPE_CHECKING:
    from random import Random

    from t2c_core.schema.model import Scalar
    from t2c_data.graph.context import GraphContext
    from t2c_data.planning.query_tree import Operator

MAX_VALUE_CHARS = 80
"""Maximum length of a string that people name."""
ALWAYS_KNOWN = 0.995
"""Coverage above which a property is not tested for null."""
ABOVE_ZERO_RATE = 0.25
"""How often `more than` a number is more than 0, where some values are 0."""
TYPE_WEIGHTS = {
    "id": 1.0, "name": 1.2, "category": 1.2, "number": 1.2, "date": 1.3, "boolean": 2.0, "list": 0.8, "text": 0.4,
}  # fmt: skip
OPERATORS: dict[str, dict[Operator, float]] = {
    "id": {"eq": 9, "in": 0.6, "null": 0.2, "known": 0.2},
    "name": {"eq": 7, "contains": 1.2, "starts": 0.8, "ends": 0.2, "in": 0.8, "ne": 0.6, "null": 0.4, "known": 0.4},
    "category": {"eq": 7, "in": 1.0, "ne": 1.2, "contains": 0.3, "starts": 0.2, "null": 0.4, "known": 0.3},
    "number": {
        "eq": 2, "gt": 4, "ge": 1.2, "lt": 2.5, "le": 0.8, "between": 1.6, "in": 0.2, "ne": 0.2, "null": 0.4,
        "known": 0.3,
    },
    "date": {
        "on": 2, "before": 2, "after": 2.2, "since": 0.6, "until": 0.3, "during": 1, "year": 2, "month": 1,
        "after_year": 0.5, "before_year": 0.5, "years": 0.3, "null": 0.3, "known": 0.2,
    },
    "boolean": {"true": 1.0},
    "list": {"has": 8, "size_gt": 0.5, "size_ge": 1, "size_eq": 0.4},
    "text": {"contains": 3, "starts": 1, "eq": 0.5, "null": 0.4, "known": 0.4},
}  # fmt: skip
"""Weights of operators by semantic type."""


class PredicateSampler:
    """Samples predicates and creates the mentions of their values.

    Args:
        context: graph with its lexicon.
        rng: source of all random choices.
    """

    def __init__(self, context: GraphContext, rng: Random) -> None:
        self.context = context
        self.rng = rng
        self.mentions: dict[int, ValueMention] = {}
        """All mentions created so far, by number."""

    def mention(self, value: Scalar, kind: str) -> ValueMention:
        """Create a mention of a value."""
        mention = ValueMention(len(self.mentions), value, kind)
        self.mentions[mention.number] = mention
        return mention

    def sample(
        self, label_or_type: str, name: str, value: Any, operators: frozenset[str] | None = None
    ) -> PropertyPredicate:
        """Sample a predicate on a property that a value satisfies.

        Args:
            label_or_type: label or relationship type that has the property.
            name: name of the property.
            value: value in the sample; None if absent.
            operators: operators to choose from; any when None.

        Raises:
            UnfitError: no operator fits.
        """
        kind = self.context.semantic_type(label_or_type, name)
        is_missing = value is None or value == []
        offered = {
            operator: weight
            for operator, weight in OPERATORS.get(kind, {}).items()
            if (operators is None or operator in operators) and (operator == "null") == is_missing
        }
        if not offered:
            raise UnfitError("no operator")
        operator = self.rng.choices(list(offered), list(offered.values()))[0]
        held = self.context.property(label_or_type, name)
        condition = PropertyPredicate(name, operator, type=held.value_type, missing_text=held.missing_text)
        if operator in {"null", "known"}:
            if held.share > ALWAYS_KNOWN:
                raise UnfitError("always known")
            return condition
        fill = {"boolean": self._boolean, "date": self._date, "number": self._number, "list": self._list}
        fill.get(kind, self._text)(condition, label_or_type, value)
        return condition

    def _others(self, label_or_type: str, name: str, value: Any) -> list[Scalar]:
        others = [each for each in self.context.sample.values[label_or_type, name] if each != value]
        if not others:
            raise UnfitError("one value only")
        return others

    def _boolean(self, condition: PropertyPredicate, label_or_type: str, value: Any) -> None:  # noqa: ARG002
        condition.operator = "true" if value else "false"

    def _list(self, condition: PropertyPredicate, label_or_type: str, value: Any) -> None:  # noqa: ARG002
        if condition.operator != "has":
            size = len(value) - (condition.operator == "size_gt")
            if size < 2:
                raise UnfitError("too short a list")
            condition.mentions = (self.mention(size, "count"),)
            return
        wanted = 2 if len(value) > 1 and self.rng.random() < 0.12 else 1
        elements = self.rng.sample(value, wanted)
        kind = "string" if isinstance(elements[0], str) else "number"
        condition.mentions = tuple(self.mention(each, kind) for each in elements)

    def _text(self, condition: PropertyPredicate, label_or_type: str, value: Any) -> None:
        form = "id" if isinstance(value, int) else "string"
        if self._adjective(condition, label_or_type, value):
            return
        if isinstance(value, str) and (len(value) > MAX_VALUE_CHARS or not value.strip()):
            raise UnfitError("too long a value")
        if condition.operator == "in":
            others = self._others(label_or_type, condition.name, value)
            values = [value, *self.rng.sample(others, min(len(others), self.rng.choice((1, 1, 1, 2))))]
            self.rng.shuffle(values)
            condition.mentions = tuple(self.mention(each, form) for each in values)
        elif condition.operator == "ne":
            other = self.rng.choice(self._others(label_or_type, condition.name, value))
            condition.mentions = (self.mention(other, form),)
        elif condition.operator in {"contains", "starts", "ends"}:
            condition.mentions = (self.mention(self._part(str(value), condition.operator), "part"),)
        else:
            condition.mentions = (self.mention(value, form),)

    def _adjective(self, condition: PropertyPredicate, label_or_type: str, value: Any) -> bool:
        """Replace the value by one that the lexicon has an adjective for, sometimes; return whether it did."""
        words = self.context.words(label_or_type, condition.name)
        known = words is not None and condition.operator in {"eq", "ne"} and str(value) in words.values
        if words is None or not known or self.rng.random() > 0.4:
            return False
        literal = str(value)
        if condition.operator == "ne":
            others = [each for each in words.values if each != literal]
            if not others:
                raise UnfitError("one adjective only")
            literal = self.rng.choice(others)
        escaped = literal.replace("\\", "\\\\").replace("'", "\\'")
        condition.literal = f"'{escaped}'"
        return True

    def _part(self, value: str, operator: str) -> str:
        words = re.findall(r"\w+", value)
        if not words:
            raise UnfitError("no word")
        if operator == "starts":
            part = self.rng.choice([value[0], value[0], value[:2], value[:3], words[0]])
        elif operator == "ends":
            part = self.rng.choice([value[-2:], value[-3:], words[-1], words[-1][-4:]])
        else:
            word: str = self.rng.choice([word for word in words if len(word) > 2] or words)
            part = word if self.rng.random() < 0.8 else word[: max(3, len(word) - 2)]
        if not part.strip() or part != part.strip():
            raise UnfitError("blank part")
        return str(part)

    def _number(self, condition: PropertyPredicate, label_or_type: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnfitError("no number")
        held = self.context.sample.values[label_or_type, condition.name]
        values = [each for each in held if isinstance(each, int | float)]
        whole = self.context.property(label_or_type, condition.name).value_type == "INTEGER"
        if self._zero(condition, label_or_type, values, value):
            return
        spread = max((float(values[-1]) - float(values[0])) / 8, 1e-9)
        below = rounded(value - self.rng.random() * spread, -1, whole=whole)
        above = rounded(value + self.rng.random() * spread, 1, whole=whole)
        if below < 0 <= float(values[0]):
            below = 0
        exact, other = tidy(value), tidy(self.rng.choice(values))
        near = self.rng.random() < 0.7
        limits: dict[str, tuple[int | float, ...]] = {
            "between": (below, above), "gt": (below,), "ge": (below if near else exact,), "lt": (above,),
            "le": (above if near else exact,), "in": (exact, other), "ne": (other,),
        }  # fmt: skip
        chosen = limits.get(condition.operator, (exact,))
        same = len(set(chosen)) < len(chosen)
        if same or (condition.operator in {"gt", "lt", "ne"} and chosen[0] == value):
            raise UnfitError("no room")
        condition.mentions = tuple(self.mention(each, "number") for each in chosen)

    def _zero(
        self, condition: PropertyPredicate, label_or_type: str, values: list[int | float], value: float
    ) -> bool:
        """Compare with 0 instead, sometimes, if the lexicon has phrases for it; return whether it does."""
        words = self.context.words(label_or_type, condition.name)
        if words is None or not (
            words.zero_phrases if condition.operator == "eq" else words.positive_phrases
        ):
            return False
        rates = {"eq": 0.7 if value == 0 else 0.0, "gt": ABOVE_ZERO_RATE if value > 0 else 0.0}
        is_amount = values[0] == 0 and values[-1] > 0
        if not is_amount or self.rng.random() >= rates.get(condition.operator, 0.0):
            return False
        condition.literal = ZERO
        return True

    def _date(self, condition: PropertyPredicate, label_or_type: str, value: Any) -> None:  # noqa: ARG002
        match = re.match(r"(\d{4})-(\d{2})-(\d{2})", str(value))
        if match is None:
            raise UnfitError("no ISO date")
        days = {"on", "before", "until", "after", "since", "during"}
        bounds = self._days if condition.operator in days else self._years
        try:
            chosen = bounds(condition.operator, date.fromisoformat(match[0]))
        except (ValueError, OverflowError) as error:
            raise UnfitError("a bound is outside the years 1 to 9999") from error
        condition.mentions = tuple(self.mention(each, kind) for each, kind in chosen)

    def _days(self, operator: str, day: date) -> list[tuple[Scalar, str]]:
        rng = self.rng
        exact = operator in {"until", "since"} and rng.random() < 0.4
        if operator == "on" or exact:
            return [(day.isoformat(), "date")]
        shift = rng.randint(0, 2)
        first = date(day.year, 1, 1)
        if operator == "during":
            start, end = day - timedelta(rng.randint(0, 120)), day + timedelta(rng.randint(1, 120))
            if rng.random() < 0.3:
                start, end = first, date(day.year, 12, 31)
            return [(start.isoformat(), "date"), (end.isoformat(), "date")]
        if operator in {"before", "until"}:
            choices = [
                date(day.year + 1, 1, 1),
                day + timedelta(rng.randint(1, 200)),
                date(day.year + 1 + shift, rng.randint(1, 12), 1),
            ]
        else:
            choices = [
                date(day.year - 1, 12, 31),
                day - timedelta(rng.randint(1, 200)),
                date(day.year - shift - 1, rng.randint(1, 12), 1),
                first if day != first else date(day.year - 1, 1, 1),
            ]
        return [(rng.choice(choices).isoformat(), "date")]

    def _years(self, operator: str, day: date) -> list[tuple[Scalar, str]]:
        shift = self.rng.randint(0, 2)
        if operator == "month":
            named = [(day.month, "month")]
            return [*named, (day.year, "year")] if self.rng.random() < 0.8 else [*named]
        if operator == "years":
            return [(day.year - shift, "year"), (day.year + self.rng.randint(0, 2) + (shift == 0), "year")]
        return [(day.year + {"after_year": -1 - shift, "before_year": 1 + shift}.get(operator, 0), "year")]


def tidy(value: float) -> int | float:
    """Convert a whole number to an integer."""
    return int(value) if float(value).is_integer() else value


def rounded(value: float, direction: int, *, whole: bool) -> int | float:
    """Round to few digits.

    Args:
        value: number to round.
        direction: -1 to round down, 1 to round up.
        whole: whether the result must be an integer.
    """
    if value == 0:
        return 0
    size = 10 ** max(math.floor(math.log10(abs(value))) - 1, -4)
    step = size * (5 if abs(value) > 20 * size else 1)
    if whole:
        step = max(step, 1)
        if 1500 <= value <= 2100:  # a year
            step = 1 if abs(value) % 10 < 5 else 5
    steps = math.floor(value / step) if direction < 0 else math.ceil(value / step)
    return tidy(round(steps * step, 6))
