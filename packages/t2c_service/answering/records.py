"""What answering a question leaves behind: the answer, its rows and the trace of every attempt. Plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from t2c_core.schema.model import ParameterValue, Scalar  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from t2c_core.graph.client import QueryResult
    from t2c_core.values.linker import LinkedMention

Status = Literal["answered", "empty", "unanswerable", "refused", "failed"]
Outcome = Literal["ran", "passed", "unanswerable", "refused", "failed"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Occurrence(_Record):
    """A property in which a linked value occurs."""

    owner: str
    """Label or relationship type."""
    property: str
    kind: Literal["node", "relationship"]
    value: Scalar
    """The value as it is written in the graph."""


class LinkedValue(_Record):
    """A mention in the question that became a parameter."""

    name: str
    """Name of the parameter, without `$`."""
    text: str
    """The mention, as asked."""
    start: int
    end: int
    kind: str
    value: Scalar
    places: tuple[Occurrence, ...] = ()

    @classmethod
    def of(cls, link: LinkedMention) -> LinkedValue:
        """Take over what the linker found."""
        places = tuple(
            Occurrence(owner=each.owner, property=each.property, kind=each.kind, value=each.value)
            for each in link.occurrences
        )
        return cls(
            name=link.name,
            text=link.text,
            start=link.start,
            end=link.end,
            kind=link.kind,
            value=link.value,
            places=places,
        )


class Attempt(_Record):
    """One hypothesis of the model and what became of it."""

    hypothesis: int
    """0 for the likeliest completion, then the next ones."""
    round: int = 1
    """1 for what was tried at first, 2 for what was tried with feedback, and so on."""
    feedback: str = ""
    """What the model was told of the attempt before, if it was told."""
    outcome: Outcome
    """`ran`; `passed` the guard but was not to run; `unanswerable` in the model's words; `refused`; `failed`."""
    cypher: str | None = None
    """The query, after repairs if there were any."""
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    written: str | None = None
    """The query as the model wrote it, where that differs."""
    repairs: tuple[str, ...] = ()
    """What was mended in it."""
    rows: int | None = None
    """How many rows it gave, if it ran."""
    codes: tuple[str, ...] = ()
    """Stable reason codes of a refusal or failure, most important first."""
    message: str = ""
    """The reason, for a person."""
    tokens: int = 0
    """Tokens that the model wrote."""
    mean_logprob: float | None = None
    """Mean natural logarithm of their probabilities, if the model says."""
    timings_ms: dict[str, float] = Field(default_factory=dict)


class GraphNode(_Record):
    """A node to draw."""

    id: str
    labels: tuple[str, ...]
    properties: dict[str, Any]


class GraphRelationship(_Record):
    """A relationship to draw; both ends are among the nodes."""

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
    """Whether more of the graph stands behind the answer than is here."""

    @classmethod
    def of(cls, result: QueryResult, *, sampled: bool) -> GraphView:
        """Take over the elements of a result; a relationship needs both its ends."""
        nodes = tuple(GraphNode(**each) for each in result.graph.nodes)
        known = {node.id for node in nodes}
        relationships = tuple(
            GraphRelationship(**each)
            for each in result.graph.relationships
            if each["start"] in known and each["end"] in known
        )
        return cls(nodes=nodes, relationships=relationships, sampled=sampled)


class Confidence(_Record):
    """How much speaks for an answer; a figure to compare answers by, no probability of being right."""

    score: float = Field(ge=0, le=1)
    """The mean of `agreement` and `probability`, or the one that is known."""
    probability: float | None = Field(default=None, ge=0, le=1)
    """What the model gave the whole query, if it says."""
    agreement: float | None = Field(default=None, ge=0, le=1)
    """Share of the samples whose rows are these, if there was more than one."""
    samples: int = 1
    """Samples taken."""


class Relaxation(_Record):
    """One condition left out of a query without rows."""

    condition: str
    """As the query has it."""
    cypher: str
    """The query without it."""
    rows: int
    """Rows that it then has; `more` tells whether it has still more."""
    more: bool = False


class Diagnosis(_Record):
    """Why a query has no rows, found by leaving out one condition at a time."""

    summary: str
    """For a person."""
    relaxations: tuple[Relaxation, ...] = ()
    """Those that were tried, in the order of the query."""
    complete: bool = True
    """Whether every condition was tried; there is a budget."""


class Plan(_Record):
    """What the database's planner says of a query."""

    query_type: str
    operators: tuple[str, ...]
    estimated_rows: float
    notifications: tuple[str, ...] = ()


class Answer(_Record):
    """A question's answer with everything that led to it."""

    question: str
    database: str = ""
    """Name of the graph that was asked."""
    status: Status
    """`answered`: rows (none if it was not to run); `empty`: it ran, no rows; `unanswerable`: the model says that the
    graph cannot tell; `refused`: no query was allowed to run; `failed`: none could be run."""
    answer: str
    """The answer as plain text; `[n]` cites row n. Values of the graph stand in it as data."""
    cypher: str | None = None
    """The query that ran, or the last one tried."""
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    """Rows in the order of the columns."""
    truncated: bool = False
    """Whether the limits cut rows or cells."""
    graph: GraphView = GraphView()
    linked_values: tuple[LinkedValue, ...] = ()
    confidence: Confidence | None = None
    """None when no query ran, or nothing is known."""
    diagnosis: Diagnosis | None = None
    """Why there are no rows, if there are none."""
    plan: Plan | None = None
    """If it was asked for."""
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    timings_ms: dict[str, float] = Field(default_factory=dict)
    """Milliseconds of `link`, `prompt`, `wait` (for the model's other questions), `model`, `explain`, `run`,
    `diagnose`, `graph` and `total`; samples add up."""
    model: str
    schema_version: str
