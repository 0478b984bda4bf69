"""The service does what its OpenAPI document says, tried by schemathesis over a real socket, keys asked for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.app import create_app
from t2c_service.settings import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.t2c_service.conftest import Script

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

EXAMPLES = 12
"""Requests generated for each operation."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
]
OPERATIONS = [
    ("/query", "POST"),
    ("/cypher", "POST"),
    ("/verified-queries", "GET"),
    ("/verified-queries/{name}", "POST"),
    ("/feedback", "POST"),
    ("/v1/chat/completions", "POST"),
    ("/v1/models", "GET"),
    ("/v1/models/{model}", "GET"),
    ("/schema", "GET"),
    ("/databases", "GET"),
    ("/examples", "GET"),
    ("/metrics", "GET"),
    ("/healthz", "GET"),
    ("/readyz", "GET"),
]


@pytest.fixture
def served(
    settings: Settings, script: Script, tmp_path: Path
) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Address, key and OpenAPI document of a service that listens."""
    script.says = ["MATCH (drug:Drug) RETURN drug.name LIMIT 2"]
    keys = tmp_path / "keys.json"
    every = ("query", "cypher", "schema", "metrics")
    key, _ = KeyStore(keys).create(KeyPermissions(name="tester", scopes=every))
    app = create_app(
        settings.model_copy(update={"access": AccessSettings(keys_file=keys, invalid_keys_per_minute=10_000)})
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", key, app.openapi()
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_keeps_to_the_document(
    served: tuple[str, str, dict[str, object]], path: str, method: str
) -> None:
    address, key, document = served
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=address)

    @given(case=schema[path][method].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)

    check()


def test_every_operation_is_tried(served: tuple[str, str, dict[str, object]]) -> None:
    paths = served[2]["paths"]
    assert isinstance(paths, dict)
    assert {(path, method.upper()) for path, each in paths.items() for method in each} == set(OPERATIONS)
