"""What answering a question leaves behind: the answer, its rows and the trace of every attempt. Plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from t2c_core.schema.model import Scalar  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from t2c_core.graph.client import QueryResult
    from t2c_core.values.link import Link

Status = Literal["answered", "empty", "unanswerable", "refused", "failed"]
Outcome = Literal["ran", "unanswerable", "refused", "failed"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class PlaceFound(_Record):
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
    places: tuple[PlaceFound, ...] = ()

    @classmethod
    def of(cls, link: Link) -> LinkedValue:
        """Take over what the linker found."""
        places = tuple(
            PlaceFound(owner=each.owner, property=each.property, kind=each.kind, value=each.value)
            for each in link.places
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
    outcome: Outcome
    cypher: str | None = None
    parameters: dict[str, Scalar] = Field(default_factory=dict)
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


class Answer(_Record):
    """A question's answer with everything that led to it."""

    question: str
    status: Status
    """`answered`: rows; `empty`: it ran, no rows; `unanswerable`: the model says that the graph cannot tell;
    `refused`: no query was allowed to run; `failed`: none could be run."""
    answer: str
    """The answer as plain text; `[n]` cites row n. Values of the graph stand in it as data."""
    cypher: str | None = None
    """The query that ran, or the last one tried."""
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    """Rows in the order of the columns."""
    truncated: bool = False
    """Whether the limits cut rows or cells."""
    graph: GraphView = GraphView()
    linked_values: tuple[LinkedValue, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    timings_ms: dict[str, float] = Field(default_factory=dict)
    """Milliseconds of `link`, `wait` (for the model's other questions), `model`, `explain`, `run`, `graph` and
    `total`."""
    model: str
    schema_version: str
