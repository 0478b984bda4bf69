"""Data model of an answer: text, rows, linked values and the trace of every attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, computed_field

from t2c_core.schema.model import Scalar  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from t2c_core.graph.client import QueryResult
    from t2c_core.values.linker import LinkedMention

Status = Literal["answered", "empty", "ambiguous", "unanswerable", "refused", "failed"]
Origin = Literal["model", "follow_up", "verified", "caller"]
Outcome = Literal["ran", "passed", "unanswerable", "refused", "failed"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, validate_by_name=True)


class Occurrence(_Record):
    """A property in which a linked value occurs."""

    owner: str
    """Label or relationship type."""
    property: str
    kind: Literal["node", "relationship"]
    value: Scalar
    """Value as stored in the graph."""


class LinkedValue(_Record):
    """A mention in the question that is linked to a value and became a parameter."""

    name: str
    """Parameter name without `$`."""
    text: str
    """Mention as it stands in the question."""
    start: int
    end: int
    kind: str
    value: Scalar
    occurrences: tuple[Occurrence, ...] = Field(
        default=(), validation_alias=AliasChoices("occurrences", "places")
    )

    @computed_field(deprecated=False, description="Deprecated name of `occurrences`.")  # type: ignore[prop-decorator]
    @property
    def places(self) -> tuple[Occurrence, ...]:
        """Return `occurrences` under its former name."""
        return self.occurrences

    @classmethod
    def of(cls, link: LinkedMention) -> LinkedValue:
        """Convert a mention of the linker."""
        occurrences = tuple(
            Occurrence(
                owner=each.label_or_type, property=each.property, kind=each.entity_type, value=each.value
            )
            for each in link.occurrences
        )
        return cls(
            name=link.name,
            text=link.text,
            start=link.start,
            end=link.end,
            kind=link.kind,
            value=link.value,
            occurrences=occurrences,
        )


class Attempt(_Record):
    """One hypothesis of the model and its outcome."""

    hypothesis: int
    """0 for the most probable completion, then 1, 2, …"""
    round: int = 1
    """1 for the first samples, 2 for the first retry, and so on."""
    feedback: str = ""
    """Message to the model about the previous attempt, if there was one."""
    outcome: Outcome
    """`ran`: executed; `passed`: validated only (dry run); `unanswerable`: the model refused; `refused` by the guard;
    `failed`: no completion, or an error of the database."""
    cypher: str | None = None
    """Query after repairs."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    generated_cypher: str | None = Field(
        default=None, validation_alias=AliasChoices("generated_cypher", "written")
    )
    """Query as generated, if it differs from `cypher`."""
    repairs: tuple[str, ...] = ()
    """Repairs of the query."""
    rows: int | None = None
    """Number of rows, if the query ran."""
    codes: tuple[str, ...] = ()
    """Stable reason codes of a refusal or failure, the most important first."""
    message: str = ""
    """Reason in words."""
    tokens: int = 0
    """Number of generated tokens."""
    mean_logprob: float | None = None
    """Mean log-probability (natural) per generated token, if the model returns it."""
    timings_ms: dict[str, float] = Field(default_factory=dict)

    @computed_field(deprecated=False, description="Deprecated name of `generated_cypher`.")  # type: ignore[prop-decorator]
    @property
    def written(self) -> str | None:
        """Return `generated_cypher` under its former name."""
        return self.generated_cypher


class GraphNode(_Record):
    """A node of the graph view."""

    id: str
    labels: tuple[str, ...]
    properties: dict[str, Any]


class GraphRelationship(_Record):
    """A relationship of the graph view; both its ends are nodes of the view."""

    id: str
    type: str
    start: str
    end: str
    properties: dict[str, Any]


class GraphView(_Record):
    """Nodes and relationships behind an answer."""

    nodes: tuple[GraphNode, ...] = ()
    relationships: tuple[GraphRelationship, ...] = ()
    sampled: bool = False
    """Whether the view shows only a part of the matches."""

    @classmethod
    def of(cls, result: QueryResult, *, sampled: bool) -> GraphView:
        """Collect the nodes of a result and the relationships between them."""
        nodes = tuple(GraphNode(**each) for each in result.graph.nodes)
        known = {node.id for node in nodes}
        relationships = tuple(
            GraphRelationship(**each)
            for each in result.graph.relationships
            if each["start"] in known and each["end"] in known
        )
        return cls(nodes=nodes, relationships=relationships, sampled=sampled)


class Confidence(_Record):
    """Confidence of an answer."""

    score: float = Field(ge=0, le=1)
    """Estimated probability that the answer is right, from `probability` and the differences between question and
    query; for chat models the mean of `agreement` and `probability`, or the one that is known, which only ranks."""
    probability: float | None = Field(default=None, ge=0, le=1)
    """Probability of the whole completion, if the model returns it."""
    agreement: float | None = Field(default=None, ge=0, le=1)
    """Fraction of the samples that returned the same rows, if there was more than one."""
    samples: int = 1
    """Number of samples."""
    differences: int = 0
    """Number of differences between question and query, each of which is a warning of the answer."""


class Relaxation(_Record):
    """A query without one of its conditions, and the number of its rows."""

    condition: str
    """Text of the condition."""
    cypher: str
    """Query without it."""
    rows: int
    """Number of rows counted; `more` says whether there are others."""
    more: bool = False


class Diagnosis(_Record):
    """Why a query returned no rows, found by dropping one condition at a time."""

    summary: str
    """Explanation in words."""
    relaxations: tuple[Relaxation, ...] = ()
    """Conditions that were dropped, in the order of the query."""
    complete: bool = True
    """Whether every condition was tried within the budget."""


class Plan(_Record):
    """Summary of the plan that EXPLAIN returns."""

    query_type: str
    operators: tuple[str, ...]
    estimated_rows: float
    notifications: tuple[str, ...] = ()


class Choice(_Record):
    """One reading of an ambiguous question."""

    interpretation: str
    """What its query asks for, in words; the query where it has no words."""
    cypher: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    probability: float | None = None
    """Probability of the reading, if the model returns it."""


class Answer(_Record):
    """The answer to a question with everything that led to it."""

    question: str
    database: str = ""
    """Name of the database."""
    status: Status
    """`answered`: rows (none for a dry run); `empty`: the query returned no rows; `ambiguous`: the question has two
    readings, which `choices` has; `unanswerable`: the graph does not contain the information, or the confidence is too
    low; `refused`: no query was allowed to run; `failed`: none could be run."""
    answer: str
    """Answer as plain text; `[n]` cites row n."""
    interpretation: str | None = None
    """What the query asks for, in words, made from the query alone; None if it has a form without words."""
    origin: Origin = "model"
    """Where the query comes from: the model, the query of the turn before (`follow_up`), a verified query, or the
    caller."""
    follow_up_of: str | None = None
    """Question of the turn before, if this one was understood as a change of it."""
    choices: tuple[Choice, ...] = ()
    """Readings of an ambiguous question, the more probable first."""
    verified_query: str | None = None
    """Name of the verified query."""
    cypher: str | None = None
    """Query that ran, or the last one attempted."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    """Rows; cells in the order of the columns."""
    truncated: bool = False
    """Whether rows or cells were truncated to the limits."""
    graph: GraphView = GraphView()
    linked_values: tuple[LinkedValue, ...] = ()
    confidence: Confidence | None = None
    """None if no query ran or nothing is known."""
    diagnosis: Diagnosis | None = None
    """Why there are no rows, if there are none and the budget allows a diagnosis."""
    plan: Plan | None = None
    """Query plan, if it was requested."""
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    timings_ms: dict[str, float] = Field(default_factory=dict)
    """Milliseconds of `link`, `prompt`, `wait` (queued for the model), `model`, `explain`, `run`, `diagnose`, `graph`
    and `total`; samples add up."""
    model: str
    schema_version: str
    request_id: str = ""
    """Id of the request that was answered, which feedback refers to."""
