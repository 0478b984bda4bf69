"""`GET /schema`, `/databases` and `/examples`: what can be asked, as the principal is allowed to see it."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from t2c_service.access.principals import Principal
from t2c_service.api.dependencies import SchemaPrincipal, ServiceDependency
from t2c_service.api.models import QUESTION
from t2c_service.api.problems import PROBLEM_RESPONSES
from t2c_service.databases import Database

router = APIRouter(
    tags=["graph"], responses={code: PROBLEM_RESPONSES[code] for code in (401, 403, 404, 422, 429, 500)}
)

DatabaseName = Annotated[
    str | None, Query(description="Name of the database; the default one if absent.", max_length=63)
]


class SchemaResponse(BaseModel):
    """Schema of a graph."""

    database: str = Field(description="Name of the database.", examples=["default"])
    version: str = Field(description="Content hash of the schema.", examples=["5f2a9c01d3e4"])
    graph_schema: dict[str, Any] = Field(
        alias="schema",
        description="Labels, relationship types and triples with their properties and counts.",
        examples=[{"labels": [{"name": "Drug", "count": 120, "properties": []}], "types": [], "triples": []}],
    )


class ExampleItem(BaseModel):
    """An example question."""

    question: str = Field(examples=[QUESTION])
    featured: bool = False


class ExamplesResponse(BaseModel):
    """Example questions, featured ones first."""

    examples: list[ExampleItem]


class DatabaseEntry(BaseModel):
    """A database."""

    name: str = Field(examples=["default"])
    title: str = Field(examples=["Graphling demo"])
    schema_version: str = Field(examples=["5f2a9c01d3e4"])
    snapshot_taken: datetime
    nodes: int = Field(ge=0, examples=[1234])
    relationships: int = Field(ge=0, examples=[5678])
    examples: int = Field(ge=0, description="Number of example questions.", examples=[40])


class DatabasesResponse(BaseModel):
    """The databases that the principal has access to, the default one first."""

    databases: list[DatabaseEntry]


@router.get("/schema", summary="Graph schema")
async def schema(
    service: ServiceDependency, principal: SchemaPrincipal, database: DatabaseName = None
) -> SchemaResponse:
    """Return labels, relationship types and triples as of the snapshot."""
    found = service.database_for(database, principal)
    visible = found.schema_for(principal.policy)
    return SchemaResponse(database=found.name, version=visible.version, schema=json.loads(visible.to_json()))


@router.get("/databases", summary="Databases")
async def databases(service: ServiceDependency, principal: SchemaPrincipal) -> DatabasesResponse:
    """Return the databases that the principal has access to, the default one first."""
    found = service.databases_of(principal).values()
    return DatabasesResponse(databases=[_entry(each, principal) for each in found])


@router.get("/examples", summary="Example questions")
async def examples(
    service: ServiceDependency, principal: SchemaPrincipal, database: DatabaseName = None
) -> ExamplesResponse:
    """Return the example questions of a database, featured ones first."""
    found = service.database_for(database, principal).examples_for(principal.policy)
    return ExamplesResponse(
        examples=[ExampleItem(question=each.question, featured=each.featured) for each in found]
    )


def _entry(database: Database, principal: Principal) -> DatabaseEntry:
    visible = database.schema_for(principal.policy)
    return DatabaseEntry(
        name=database.name,
        title=database.title,
        schema_version=visible.version,
        snapshot_taken=datetime.fromtimestamp(database.created_at, UTC),
        nodes=sum(label.count for label in visible.labels),
        relationships=sum(each.count for each in visible.types),
        examples=len(database.examples_for(principal.policy)),
    )
