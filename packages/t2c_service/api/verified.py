"""`GET /verified-queries` lists the verified queries of a database; `POST /verified-queries/{name}` runs one."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from t2c_service.api.dependencies import (
    ContextDependency,
    RequestId,
    SchemaPrincipal,
    ServiceDependency,
    run_until_disconnect,
)
from t2c_service.api.models import CypherOptions, DatabaseName, QueryResponse
from t2c_service.api.problems import PROBLEM_RESPONSES
from t2c_service.api.schema import DatabaseName as DatabaseParameter

router = APIRouter(prefix="/verified-queries", tags=["verified queries"], responses=PROBLEM_RESPONSES)


class VerifiedQueryItem(BaseModel):
    """A verified query."""

    name: str = Field(examples=["drugs_for_disease"])
    description: str = Field(examples=["Drugs that treat a disease, the most recently approved first."])
    questions: list[str] = Field(
        description="Wordings that it answers, with `{parameter}` for each value.",
        examples=[["Which drugs treat {disease}?"]],
    )
    example: str | None = Field(
        description="The first wording with example values; null without such values.",
        examples=["Which drugs treat Asthma?"],
    )
    parameters: dict[str, Any] = Field(
        description="JSON schema of the parameters.",
        examples=[{"type": "object", "properties": {"disease": {"type": "string"}}, "required": ["disease"]}],
    )
    cypher: str


class VerifiedQueriesResponse(BaseModel):
    """The verified queries that the principal may run."""

    database: str = Field(examples=["default"])
    verified_queries: list[VerifiedQueryItem]


class VerifiedQueryRequest(BaseModel):
    """Values for a verified query."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"parameters": {"disease": "Asthma"}}]}
    )

    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="Values by parameter name.")
    database: DatabaseName = None
    options: CypherOptions = CypherOptions()


@router.get("", summary="Verified queries")
async def verified_queries(
    service: ServiceDependency, principal: SchemaPrincipal, database: DatabaseParameter = None
) -> VerifiedQueriesResponse:
    """Return the verified queries of a database that use only what the principal may see."""
    found = service.database_for(database, principal)
    return VerifiedQueriesResponse(
        database=found.name,
        verified_queries=[
            VerifiedQueryItem(
                name=each.name,
                description=each.description,
                questions=list(each.questions),
                example=each.example(),
                parameters=each.json_schema(),
                cypher=each.cypher,
            )
            for each in found.verified_for(principal.policy)
        ],
    )


@router.post("/{name}", summary="Run a verified query")
async def run_verified_query(
    name: Annotated[str, Path(max_length=63, description="Name of the verified query.")],
    body: VerifiedQueryRequest,
    request: Request,
    service: ServiceDependency,
    context: ContextDependency,
    request_id: RequestId,
) -> QueryResponse:
    """Run a verified query with given values, through the same guard and limits; no model is asked."""
    work = service.run_verified(
        name, body.parameters, body.options.to_ask_options(), database=body.database, context=context
    )
    return QueryResponse.of(await run_until_disconnect(request, work), request_id)
