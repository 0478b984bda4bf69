"""The file of verified queries: names, question wordings, Cypher and typed parameters, checked when they are read."""

from __future__ import annotations

import math
import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from t2c_core.cypher.parser import parse
from t2c_core.cypher.traversal import parameter_names
from t2c_core.errors import CypherSyntaxError
from t2c_core.values.normalization import fold
from t2c_service.answering.verified.wording import PLACEHOLDER, Wording
from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from t2c_core.guard.guard import Guard

ParameterType = Literal["string", "integer", "number", "boolean", "date"]
NAME = r"^[a-z][a-z0-9_]{0,47}$"
PROPERTY = r"^[^.]+\..+$"
RESERVED_NAMES = frozenset({"ask", "run_read_cypher", "get_schema"})
"""Names of the other MCP tools."""
MAX_TEXT = 300
"""Maximum number of characters of a text that is passed to a query."""
MAX_INTEGER = 2**63 - 1
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class QueryParameter(_Part):
    """A parameter of a verified query."""

    type: ParameterType = "string"
    """A date is passed to the query as text in ISO 8601: `date($day)`."""
    description: str = ""
    values_of: Annotated[str, Field(pattern=PROPERTY)] | None = None
    """`Label.property` or `TYPE.property` whose values the parameter takes; the value gets the graph's spelling."""
    choices: tuple[JsonValue, ...] | None = Field(default=None, min_length=1)
    """The only values allowed."""
    default: JsonValue = None
    """Value where a question or call does not give one; without it a value is required."""
    example: JsonValue = None
    """A value for the example on the page and in the JSON schema."""
    minimum: float | None = None
    maximum: float | None = None

    @field_validator("choices", "default", "example", mode="before")
    @classmethod
    def _read_dates(cls, value: Any) -> Any:
        """Return dates, which YAML recognises itself, as text."""
        if isinstance(value, list):
            return tuple(each.isoformat() if isinstance(each, date) else each for each in value)
        return value.isoformat() if isinstance(value, date) else value

    @model_validator(mode="after")
    def _check(self) -> QueryParameter:
        if self.type != "string" and self.values_of is not None:
            raise ValueError("`values_of` belongs to parameters of type string")
        if self.type not in {"integer", "number"} and (self.minimum, self.maximum) != (None, None):
            raise ValueError("`minimum` and `maximum` belong to parameters of type integer or number")
        for field, values in (
            ("choices", self.choices or ()),
            ("default", (self.default,) if self.default is not None else ()),
            ("example", (self.example,) if self.example is not None else ()),
        ):
            for value in values:
                try:
                    self.validate_value(value)
                except ValueError as error:
                    raise ValueError(f"`{field}`: {error}") from None
        return self

    @property
    def owner_and_key(self) -> tuple[str, str] | None:
        """Label or relationship type, and key, of `values_of`."""
        if self.values_of is None:
            return None
        owner, _, key = self.values_of.partition(".")
        return owner, key

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        return self.default is None

    def validate_value(self, value: Any) -> Any:
        """Return a value of the type of the parameter, with the spelling of a choice.

        Raises:
            ValueError: the value has another type, or is not allowed.
        """
        value = _TYPED[self.type](value)
        if self.choices is not None and value not in self.choices:
            similar = [each for each in self.choices if fold(str(each)) == fold(str(value))]
            if len(similar) != 1:
                raise ValueError(
                    f"{value!r} is not allowed; expected one of {', '.join(map(repr, self.choices))}"
                )
            value = similar[0]
        if self.minimum is not None and value < self.minimum:
            raise ValueError(f"{value!r} is below the minimum {self.minimum:g}")
        if self.maximum is not None and value > self.maximum:
            raise ValueError(f"{value!r} exceeds the maximum {self.maximum:g}")
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        kind = {"type": "string", "format": "date"} if self.type == "date" else {"type": self.type}
        facts = {
            "description": self.description or (f"A value of {self.values_of}." if self.values_of else ""),
            "enum": list(self.choices) if self.choices else None,
            "default": self.default,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "examples": [self.example] if self.example is not None else None,
        }
        return kind | {key: value for key, value in facts.items() if value not in (None, "")}


class VerifiedQuery(_Part):
    """A query that somebody has verified, and the questions that it answers."""

    name: Annotated[str, Field(pattern=NAME)]
    """Unique name, which is also the name of its MCP tool."""
    description: Annotated[str, Field(min_length=1, max_length=1000)]
    """What the query returns, for people and for models that choose among tools."""
    questions: tuple[Annotated[str, Field(min_length=3, max_length=300)], ...] = ()
    """Wordings of the question, with `{parameter}` for each value."""
    cypher: Annotated[str, Field(min_length=1)]
    parameters: dict[str, QueryParameter] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> VerifiedQuery:
        if self.name in RESERVED_NAMES:
            raise ValueError(f"the name {self.name!r} belongs to another MCP tool")
        try:
            used = set(parameter_names(parse(self.cypher)))
        except CypherSyntaxError as error:
            raise ValueError(f"`cypher` is refused (parse.{error.reason}): {error}") from None
        for name in sorted(used ^ self.parameters.keys()):
            fault = "is not declared under `parameters`" if name in used else "is not used in `cypher`"
            raise ValueError(f"${name} {fault}")
        for question in self.questions:
            self._check_wording(question)
        return self

    def _check_wording(self, question: str) -> None:
        wording = Wording.parse(question)
        placed = set(wording.placeholders)
        for name in sorted(placed - self.parameters.keys()):
            raise ValueError(f"{question!r} has the placeholder {{{name}}}, which is no parameter")
        required = {name for name, each in self.parameters.items() if each.is_required}
        for name in sorted(required - placed):
            raise ValueError(f"{question!r} has no {{{name}}}, and the parameter has no default")

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the parameters as an object."""
        return {
            "type": "object",
            "properties": {name: each.json_schema() for name, each in self.parameters.items()},
            "required": [name for name, each in self.parameters.items() if each.is_required],
            "additionalProperties": False,
        }

    def example(self) -> str | None:
        """Return the first wording with examples or defaults for its placeholders; None if one has neither."""
        if not self.questions:
            return None
        values = {
            name: each.default if each.example is None else each.example
            for name, each in self.parameters.items()
        }
        if any(values[name] is None for name in Wording.parse(self.questions[0]).placeholders):
            return None
        return PLACEHOLDER.sub(lambda found: self._spoken(found[1], values[found[1]]), self.questions[0])

    def _spoken(self, name: str, value: JsonValue) -> str:
        parameter = self.parameters[name]
        is_free = parameter.type == "string" and not (parameter.values_of or parameter.choices)
        return f"“{value}”" if is_free else str(value)


class _File(_Part):
    queries: tuple[VerifiedQuery, ...]


def load_verified_queries(file: Path | None) -> tuple[VerifiedQuery, ...]:
    """Read a file of verified queries.

    Raises:
        SettingsError: the file cannot be read, or a query is invalid.
    """
    if file is None:
        return ()
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read `verified_queries` {file}: {error}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{file}: invalid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not isinstance(content.get("queries"), list):
        raise SettingsError(f"{file}: expected a mapping with the key `queries:`, a list of queries")
    try:
        queries = _File.model_validate(content).queries
    except ValidationError as error:
        raise SettingsError(_explain(error, content["queries"], file)) from error
    names = [each.name for each in queries]
    for name in sorted({each for each in names if names.count(each) > 1}):
        raise SettingsError(f"{file}: two queries are called {name!r}")
    _check_distinct(queries, file)
    return queries


def check_verified_queries(
    queries: tuple[VerifiedQuery, ...],
    guard: Guard,
    properties: Collection[tuple[str, str]],
    file: Path | None,
) -> None:
    """Check that the guard allows each query, and that the graph has the properties of its parameters.

    Args:
        queries: queries of the file.
        guard: guard of the database's policy.
        properties: visible properties of the graph, each as label or relationship type and key.
        file: file of the queries, for messages.

    Raises:
        SettingsError: a query is refused, or a property is unknown.
    """
    for query in queries:
        for name, parameter in query.parameters.items():
            if parameter.owner_and_key and parameter.owner_and_key not in properties:
                raise SettingsError(
                    f"{file}: query {query.name!r}, parameter {name!r}: the graph has no property {parameter.values_of}"
                )
        verdict = guard.check(query.cypher)
        if not verdict.allowed:
            raise SettingsError(
                f"{file}: query {query.name!r} is refused ({', '.join(verdict.codes)}): {verdict.message}"
            )


def _check_distinct(queries: tuple[VerifiedQuery, ...], file: Path) -> None:
    """Check that no two queries have the same wording, placeholders taken as equal."""
    known: dict[tuple[str | None, ...], str] = {}
    for query in queries:
        for question in query.questions:
            other = known.setdefault(Wording.parse(question).form, query.name)
            if other != query.name:
                raise SettingsError(
                    f"{file}: {other!r} and {query.name!r} have the same wording {question!r}"
                )


def _explain(error: ValidationError, queries: list[Any], file: Path) -> str:
    lines = []
    for each in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in each["loc"]]
        if len(place) > 1 and place[0] == "queries":
            query = queries[int(place[1])]
            name = query.get("name") if isinstance(query, dict) else None
            place = [f"query {name!r}" if isinstance(name, str) else f"query {int(place[1]) + 1}", *place[2:]]
        message = each["msg"].removeprefix("Value error, ")
        lines.append(f"{file}: {place[0]}{': `' + '.'.join(place[1:]) + '`' if place[1:] else ''}: {message}")
    return "\n".join(lines)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected text, got {value!r}")
    if len(value) > MAX_TEXT or any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError(f"expected at most {MAX_TEXT} characters of text")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_INTEGER:
        raise ValueError(f"expected an integer, got {value!r}")
    return value


def _number(value: Any) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"expected a number, got {value!r}")
    return _integer(value) if isinstance(value, int) else value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {value!r}")  # noqa: TRY004
    return value


def _date(value: Any) -> str:
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise ValueError(f"expected a date such as 2024-05-31, got {value!r}")
    date.fromisoformat(value)
    return value


_TYPED = {"string": _text, "integer": _integer, "number": _number, "boolean": _boolean, "date": _date}
