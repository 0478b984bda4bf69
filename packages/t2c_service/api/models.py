"""What goes over HTTP, with examples for OpenAPI; the answer itself is `t2c_service.answering.records.Answer`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from t2c_service.answering.records import Answer

QUESTION = "Which drugs treat asthma?"


class QueryOptions(BaseModel):
    """What to do differently for one question; limits can only be lowered."""

    model_config = ConfigDict(extra="forbid")

    max_rows: int | None = Field(default=None, ge=1, description="Most rows to return.", examples=[50])
    timeout_s: float | None = Field(default=None, gt=0, description="Longest run of the query.", examples=[5])
    graph: bool = Field(
        default=True, description="Whether to return nodes and relationships behind the answer."
    )


class QueryRequest(BaseModel):
    """A question to the graph."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": QUESTION, "options": {"max_rows": 50}}]}
    )

    question: str = Field(description="A question in plain language.", examples=[QUESTION])
    options: QueryOptions = QueryOptions()


_ANSWER_EXAMPLE: dict[str, Any] = {
    "request_id": "4f0c2a9be1d74c55",
    "question": QUESTION,
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
    "attempts": [
        {
            "hypothesis": 0,
            "outcome": "ran",
            "cypher": "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name",
            "parameters": {"v1": "Asthma"},
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

    version: str = Field(description="Content hash of the schema.", examples=["5f2a9c01d3e4"])
    graph_schema: dict[str, Any] = Field(
        alias="schema",
        description="Labels, relationship types and triples with their properties and counts.",
        examples=[{"labels": [{"name": "Drug", "count": 120, "properties": []}], "types": [], "triples": []}],
    )


class Example(BaseModel):
    """A question that the graph can answer."""

    question: str = Field(examples=[QUESTION])
    featured: bool = False


class ExamplesResponse(BaseModel):
    """Questions to start with, featured ones first."""

    examples: list[Example]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class DependencyState(BaseModel):
    """Whether one thing that the service needs can be used."""

    state: Literal["up", "down"]
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
