"""What routes take from the application."""

from typing import Annotated

from fastapi import Depends, Request

from t2c_service.api.problems import request_id_of
from t2c_service.assembly import Service


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101  (the lifespan set it)
    return service


ServiceDependency = Annotated[Service, Depends(_service)]
RequestId = Annotated[str, Depends(request_id_of)]
