"""Requests and responses of the query routes, with examples for OpenAPI; `answering.records` defines the answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue

from t2c_service.answering.conversation.turns import Turn
from t2c_service.answering.options import AskOptions
from t2c_service.answering.records import Answer

QUESTION = "Which drugs treat asthma?"
CYPHER = "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name"

DatabaseName = Annotated[
    str | None, Field(max_length=63, description="Name of the database; the default one if absent.")
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CypherOptions(_Request):
    """Options of one query; they can only lower the limits of the service."""

    max_rows: int | None = Field(default=None, ge=1, description="Maximum number of rows.", examples=[50])
    timeout_s: float | None = Field(
        default=None, gt=0, description="Maximum number of seconds that the query runs.", examples=[5]
    )
    dry_run: bool = Field(default=False, description="Whether to validate the query without executing it.")
    include_plan: bool = Field(
        default=False,
        validation_alias=AliasChoices("include_plan", "explain"),
        description="Whether to return the query plan. `explain` is its earlier name.",
    )
    include_graph: bool = Field(
        default=True,
        validation_alias=AliasChoices("include_graph", "graph"),
        description="Whether to return the nodes and relationships behind the rows. `graph` is its earlier name.",
    )

    def to_ask_options(self) -> AskOptions:
        """Return the options for `Service`."""
        return AskOptions(**self.model_dump())


class QueryOptions(CypherOptions):
    """Options of one question; they can only lower the limits of the service."""

    samples: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="Number of queries to generate and execute; the result that most of them agree on is the answer.",
    )
    choice: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="Number of the reading to take if the question is ambiguous; no choice is offered then.",
    )


class ConversationTurn(_Request):
    """An earlier question, with the query of its answer."""

    question: str
    cypher: str | None = Field(
        default=None,
        description="Query of its answer; used with the scope `cypher`, else made again from the question.",
    )
    parameters: dict[str, JsonValue] = Field(default_factory=dict)

    def to_turn(self) -> Turn:
        """Return the turn for `Service`."""
        return Turn(question=self.question, cypher=self.cypher, parameters=self.parameters)


MAX_CONVERSATION = 100


class QueryRequest(_Request):
    """A question."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": QUESTION, "options": {"max_rows": 50}}]}
    )

    question: str = Field(description="Question in natural language.", examples=[QUESTION])
    database: DatabaseName = None
    conversation: list[str | ConversationTurn] | None = Field(
        default=None,
        max_length=MAX_CONVERSATION,
        description="Earlier questions, the latest last, which the question may follow up on.",
        examples=[["Which drugs treat gout?"]],
    )
    options: QueryOptions = QueryOptions()

    @property
    def turns(self) -> list[Turn]:
        """The earlier turns for `Service`."""
        given = self.conversation or ()
        return [Turn(question=each) if isinstance(each, str) else each.to_turn() for each in given]


class CypherRequest(_Request):
    """A given query."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cypher": CYPHER, "parameters": {"v1": "Asthma"}}]}
    )

    cypher: str = Field(description="A read-only query.", min_length=1, examples=[CYPHER])
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Values of its parameters by name, without the dollar sign.",
        examples=[{"v1": "Asthma"}],
    )
    database: DatabaseName = None
    options: CypherOptions = CypherOptions()


_ANSWER_EXAMPLE: dict[str, Any] = {
    "request_id": "4f0c2a9be1d74c55",
    "question": QUESTION,
    "database": "default",
    "status": "answered",
    "answer": "2 results: “Salbutamol” [1]; “Budesonide” [2].",
    "origin": "model",
    "follow_up_of": None,
    "choices": [],
    "verified_query": None,
    "interpretation": "Drugs that treat the disease “Asthma”",
    "cypher": CYPHER,
    "parameters": {"v1": "Asthma"},
    "columns": ["drug.name"],
    "rows": [["Salbutamol"], ["Budesonide"]],
    "truncated": False,
    "graph": {
        "nodes": [
            {"id": "4:a:1", "labels": ["Drug"], "properties": {"name": "Salbutamol"}},
            {"id": "4:a:7", "labels": ["Disease"], "properties": {"name": "Asthma"}},
        ],
        "relationships": [
            {"id": "5:a:3", "type": "TREATS", "start": "4:a:1", "end": "4:a:7", "properties": {}}
        ],
        "sampled": False,
    },
    "linked_values": [
        {
            "name": "v1",
            "text": "asthma",
            "start": 18,
            "end": 24,
            "kind": "value",
            "value": "asthma",
            "places": [{"owner": "Disease", "property": "name", "kind": "node", "value": "Asthma"}],
        }
    ],
    "confidence": {"score": 0.965, "probability": 0.965, "agreement": None, "samples": 1, "differences": 0},
    "diagnosis": None,
    "plan": None,
    "attempts": [
        {
            "hypothesis": 0,
            "round": 1,
            "feedback": "",
            "outcome": "ran",
            "cypher": CYPHER,
            "parameters": {"v1": "Asthma"},
            "written": None,
            "repairs": [],
            "rows": 2,
            "codes": [],
            "message": "",
            "tokens": 9,
            "mean_logprob": -0.004,
            "timings_ms": {"model": 31.2, "explain": 3.1, "run": 2.4},
        }
    ],
    "warnings": [],
    "timings_ms": {"link": 0.3, "model": 31.2, "explain": 3.1, "run": 2.4, "graph": 4.0, "total": 41.4},
    "model": "starter",
    "schema_version": "5f2a9c01d3e4",
}


class QueryResponse(Answer):
    """An answer with the id of its request."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWER_EXAMPLE]})

    request_id: str

    @classmethod
    def of(cls, answer: Answer, request_id: str) -> QueryResponse:
        """Return the response with an answer."""
        return cls(**(dict(answer) | {"request_id": request_id}))
