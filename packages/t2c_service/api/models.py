"""What goes over HTTP, with examples for OpenAPI; the answer itself is `t2c_service.answering.records.Answer`."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  (pydantic reads it)
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from t2c_core.schema.model import ParameterValue  # noqa: TC001
from t2c_service.answering.records import Answer

QUESTION = "Which drugs treat asthma?"


class QueryOptions(BaseModel):
    """What to do differently for one question; limits can only be lowered."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_rows: int | None = Field(default=None, ge=1, description="Most rows to return.", examples=[50])
    timeout_s: float | None = Field(default=None, gt=0, description="Longest run of the query.", examples=[5])
    samples: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="Queries to write and run; the rows that most of them give are the answer. More cost more.",
    )
    dry_run: bool = Field(
        default=False, description="Whether to write and check the query only, not to run it."
    )
    explain: bool = Field(default=False, description="Whether to return the planner's view of the query.")
    graph: bool = Field(
        default=True, description="Whether to return nodes and relationships behind the answer."
    )


class QueryRequest(BaseModel):
    """A question to the graph."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"question": QUESTION, "options": {"max_rows": 50}}]},
    )

    question: str = Field(description="A question in plain language.", examples=[QUESTION])
    database: str | None = Field(
        default=None, max_length=63, description="Name of the graph; the first one without it."
    )
    options: QueryOptions = QueryOptions()


class CypherOptions(BaseModel):
    """What to do differently for one query; limits can only be lowered."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_rows: int | None = Field(default=None, ge=1, description="Most rows to return.", examples=[50])
    timeout_s: float | None = Field(default=None, gt=0, description="Longest run of the query.", examples=[5])
    dry_run: bool = Field(default=False, description="Whether to check the query only, not to run it.")
    explain: bool = Field(default=False, description="Whether to return the planner's view of the query.")
    graph: bool = Field(
        default=True, description="Whether to return nodes and relationships behind the rows."
    )


_CYPHER = "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name"


class CypherRequest(BaseModel):
    """A query of one's own."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"cypher": _CYPHER, "parameters": {"v1": "Asthma"}}]},
    )

    cypher: str = Field(description="A reading query.", min_length=1, examples=[_CYPHER])
    parameters: dict[str, ParameterValue] = Field(
        default_factory=dict,
        description="Its values by name, without the dollar sign.",
        examples=[{"v1": "Asthma"}],
    )
    database: str | None = Field(
        default=None, max_length=63, description="Name of the graph; the first one without it."
    )
    options: CypherOptions = CypherOptions()


_ANSWER_EXAMPLE: dict[str, Any] = {
    "request_id": "4f0c2a9be1d74c55",
    "question": QUESTION,
    "database": "default",
    "status": "answered",
    "answer": "2 results: “Salbutamol” [1]; “Budesonide” [2].",
    "cypher": "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name",
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
    "confidence": {"score": 0.965, "probability": 0.965, "agreement": None, "samples": 1},
    "diagnosis": None,
    "plan": None,
    "attempts": [
        {
            "hypothesis": 0,
            "round": 1,
            "feedback": "",
            "outcome": "ran",
            "cypher": "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name",
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
    """An answer, under the id of its request."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWER_EXAMPLE]})

    request_id: str


class SchemaResponse(BaseModel):
    """The shape of the graph."""

    database: str = Field(description="Name of the graph.", examples=["default"])
    version: str = Field(description="Content hash of the schema.", examples=["5f2a9c01d3e4"])
    graph_schema: dict[str, Any] = Field(
        alias="schema",
        description="Labels, relationship types and triples with their properties and counts.",
        examples=[{"labels": [{"name": "Drug", "count": 120, "properties": []}], "types": [], "triples": []}],
    )


class ExampleItem(BaseModel):
    """A question that the graph can answer."""

    question: str = Field(examples=[QUESTION])
    featured: bool = False


class ExamplesResponse(BaseModel):
    """Questions to start with, featured ones first."""

    examples: list[ExampleItem]


class DatabaseEntry(BaseModel):
    """A graph that can be asked."""

    name: str = Field(examples=["default"])
    title: str = Field(examples=["Graphling demo"])
    schema_version: str = Field(examples=["5f2a9c01d3e4"])
    snapshot_taken: datetime
    nodes: int = Field(ge=0, examples=[1234])
    relationships: int = Field(ge=0, examples=[5678])
    examples: int = Field(ge=0, description="How many questions there are to start with.", examples=[40])


class DatabasesResponse(BaseModel):
    """The graphs that can be asked, the one that is asked without a name first."""

    databases: list[DatabaseEntry]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class DependencyState(BaseModel):
    """Whether one thing that the service needs can be used."""

    state: Literal["up", "impaired", "down"] = Field(
        description="`impaired`: questions are answered all the same."
    )
    detail: str = Field(default="", examples=["the database at bolt://127.0.0.1:7687 cannot be reached"])
    checked_ms: float = Field(description="Milliseconds that the check took.", examples=[2.1])


class Readiness(BaseModel):
    """Whether questions can be answered now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ready",
                    "dependencies": {
                        "graph": {"state": "up", "detail": "", "checked_ms": 2.1},
                        "model": {"state": "up", "detail": "", "checked_ms": 0.0},
                    },
                }
            ]
        }
    )

    status: Literal["ready", "unready"]
    dependencies: dict[str, DependencyState]
