"""`GET /healthz`: the process answers; `GET /readyz`: so do the graph and the model."""

from fastapi import APIRouter, Response

from t2c_service.api.dependencies import ServiceDependency
from t2c_service.api.models import Alive, DependencyState, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> Alive:
    """Say that the process answers, whatever its dependencies do."""
    return Alive()


@router.get("/readyz", summary="Whether questions can be answered", responses={503: {"model": Readiness}})
async def readyz(service: ServiceDependency, response: Response) -> Readiness:
    """Look at the graph and the model now; status 503 when one of them is down."""
    checks = await service.check()
    dependencies = {
        name: DependencyState(
            state="down" if check.failure else "up", detail=check.failure, checked_ms=check.elapsed_ms
        )
        for name, check in checks.items()
    }
    ready = not any(check.failure for check in checks.values())
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "unready", dependencies=dependencies)
