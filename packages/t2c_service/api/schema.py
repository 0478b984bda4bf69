"""`GET /schema`, `/databases` and `/examples`: what can be asked, as the caller may see it."""

import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from t2c_service.access.principals import Principal
from t2c_service.api.dependencies import SchemaCaller, ServiceDependency
from t2c_service.api.models import (
    DatabaseEntry,
    DatabasesResponse,
    ExampleItem,
    ExamplesResponse,
    SchemaResponse,
)
from t2c_service.api.problems import PROBLEM_RESPONSES
from t2c_service.databases import Database

router = APIRouter(
    tags=["graph"], responses={code: PROBLEM_RESPONSES[code] for code in (401, 403, 404, 422, 500)}
)

DatabaseName = Annotated[
    str | None, Query(description="Name of the graph; the first one without it.", max_length=63)
]


@router.get("/schema", summary="The shape of the graph")
async def schema(
    service: ServiceDependency, caller: SchemaCaller, database: DatabaseName = None
) -> SchemaResponse:
    """Give labels, relationship types and triples as they were when the snapshot was taken."""
    found = service.database_for(database, caller)
    shown = found.schema_for(caller.policy)
    return SchemaResponse(database=found.name, version=shown.version, schema=json.loads(shown.to_json()))


@router.get("/databases", summary="The graphs that can be asked")
async def databases(service: ServiceDependency, caller: SchemaCaller) -> DatabasesResponse:
    """Give the graphs that the caller may ask, the one that is asked without a name first."""
    found = service.databases_of(caller).values()
    return DatabasesResponse(databases=[_entry(each, caller) for each in found])


@router.get("/examples", summary="Questions to start with")
async def examples(
    service: ServiceDependency, caller: SchemaCaller, database: DatabaseName = None
) -> ExamplesResponse:
    """Give the questions that this service was configured to offer, featured ones first."""
    found = service.database_for(database, caller)
    return ExamplesResponse(
        examples=[
            ExampleItem(question=each.question, featured=each.featured)
            for each in found.examples_for(caller.policy)
        ]
    )


def _entry(database: Database, caller: Principal) -> DatabaseEntry:
    shown = database.schema_for(caller.policy)
    return DatabaseEntry(
        name=database.name,
        title=database.title,
        schema_version=shown.version,
        snapshot_taken=datetime.fromtimestamp(database.created_at, UTC),
        nodes=sum(label.count for label in shown.labels),
        relationships=sum(kind.count for kind in shown.types),
        examples=len(database.examples_for(caller.policy)),
    )
