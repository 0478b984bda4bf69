"""`GET /healthz`: the process answers; `/readyz`: so do graphs and models; `/metrics`: figures for Prometheus."""

from fastapi import APIRouter, Response

from t2c_service.api.dependencies import MetricsCaller, ServiceDependency
from t2c_service.api.models import Alive, DependencyState, Readiness
from t2c_service.api.problems import PROBLEM_RESPONSES
from t2c_service.observability import METRICS_TYPE

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> Alive:
    """Say that the process answers, whatever its dependencies do."""
    return Alive()


@router.get("/readyz", summary="Whether questions can be answered", responses={503: {"model": Readiness}})
async def readyz(service: ServiceDependency, response: Response) -> Readiness:
    """Look at graphs and models now; status 503 when one that is needed cannot be used."""
    checks = await service.check()
    dependencies = {
        name: DependencyState(
            state="up" if not check.failure else "down" if check.required else "impaired",
            detail=check.failure,
            checked_ms=check.elapsed_ms,
        )
        for name, check in checks.items()
    }
    ready = not any(check.failure and check.required for check in checks.values())
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "unready", dependencies=dependencies)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **{code: PROBLEM_RESPONSES[code] for code in (401, 403)},
    },
)
async def metrics(service: ServiceDependency, _: MetricsCaller) -> Response:
    """Give all figures in Prometheus' text format; a key needs the scope `metrics`, where keys are asked for."""
    return Response(service.metrics.render(), media_type=METRICS_TYPE)
