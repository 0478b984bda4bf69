"""`GET /healthz` (liveness), `/readyz` (readiness of all dependencies) and `/metrics` (Prometheus)."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from t2c_service.api.dependencies import MetricsPrincipal, ServiceDependency, authenticate
from t2c_service.api.problems import PROBLEM_RESPONSES
from t2c_service.errors import ServiceError
from t2c_service.observability import METRICS_TYPE

router = APIRouter(tags=["health"])


class Liveness(BaseModel):
    """The process responds."""

    status: Literal["alive"] = "alive"


class DependencyState(BaseModel):
    """State of one dependency."""

    state: Literal["up", "impaired", "down"] = Field(
        description="`impaired`: not available, but questions are answered."
    )
    detail: str = Field(default="", examples=["the database at bolt://127.0.0.1:7687 cannot be reached"])
    checked_ms: float = Field(description="Duration of the check in milliseconds.", examples=[2.1])


class Readiness(BaseModel):
    """Whether questions can be answered now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ready",
                    "dependencies": {"graph": {"state": "up", "detail": "", "checked_ms": 2.1}},
                }
            ]
        }
    )

    status: Literal["ready", "unready"]
    dependencies: dict[str, DependencyState]


@router.get("/healthz", summary="Liveness")
async def healthz() -> Liveness:
    """Report that the process responds, whatever the state of its dependencies."""
    return Liveness()


@router.get("/readyz", summary="Readiness", responses={503: {"model": Readiness}})
async def readyz(service: ServiceDependency, request: Request, response: Response) -> Readiness:
    """Check all dependencies now; status 503 if a required one is not available.

    Where keys are required, only a key with the scope `metrics` shows details, because they name internal addresses.
    """
    try:
        principal = authenticate(service, request.scope, "http")
    except ServiceError:  # a probe with an invalid key gets the states without details
        principal = None
    shows_details = service.shows_internals(principal)
    checks = await service.check()
    dependencies = {
        name: DependencyState(
            state="up" if not check.failure else "down" if check.required else "impaired",
            detail=check.failure if shows_details else "",
            checked_ms=check.elapsed_ms,
        )
        for name, check in checks.items()
    }
    is_ready = all(each.state != "down" for each in dependencies.values())
    response.status_code = 200 if is_ready else 503
    return Readiness(status="ready" if is_ready else "unready", dependencies=dependencies)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **{code: PROBLEM_RESPONSES[code] for code in (401, 403, 429)},
    },
)
async def metrics(service: ServiceDependency, _: MetricsPrincipal) -> Response:
    """Return all metrics in the Prometheus text format; requires the scope `metrics` where keys are required."""
    return Response(service.metrics.render(), media_type=METRICS_TYPE)
