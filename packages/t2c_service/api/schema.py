"""`GET /schema` and `GET /examples`: what can be asked."""

import json

from fastapi import APIRouter

from t2c_service.api.dependencies import ServiceDependency
from t2c_service.api.models import Example, ExamplesResponse, SchemaResponse

router = APIRouter(tags=["graph"])


@router.get("/schema", summary="The shape of the graph")
async def schema(service: ServiceDependency) -> SchemaResponse:
    """Give labels, relationship types and triples as they were when the snapshot was taken."""
    return SchemaResponse(version=service.schema.version, schema=json.loads(service.schema.to_json()))


@router.get("/examples", summary="Questions to start with")
async def examples(service: ServiceDependency) -> ExamplesResponse:
    """Give the questions that this service was configured to offer, featured ones first."""
    return ExamplesResponse(
        examples=[Example(question=each.question, featured=each.featured) for each in service.examples]
    )
