"""The running containers, and what was measured of them."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.containers.engine import CACHE, EngineUnavailableError, running_engine
from tests.containers.images import NEO4J_STAND_IN, build_stand_in, find_images
from tests.containers.stack import LOAD_IMAGE, SERVICE_IMAGE, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.containers.engine import Engine

log = logging.getLogger("containers")


class Measurements(dict[str, float]):
    """Figures by name; each is also a line of the log."""

    def note(self, name: str, value: float) -> None:
        """Keep a figure."""
        self[name] = round(value, 1)
        log.info("%s: %s", name, self[name])


@pytest.fixture(scope="session")
def measured() -> Iterator[Measurements]:
    """Figures that the tests note; the last line of the log has all."""
    figures = Measurements()
    yield figures
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "measured.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    log.info("measured: %s", json.dumps(figures))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    if not os.environ.get("GRAPHLING_CONTAINERS"):
        pytest.skip("containers are built and run by `make test-containers`")
    try:
        with running_engine() as found:
            log.info(found.version())
            yield found
    except EngineUnavailableError as error:
        if os.environ.get("GRAPHLING_REQUIRE_CONTAINERS"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def stack(
    engine: Engine, measured: Measurements, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The project with its images built; nothing of it runs yet. It is removed at the end, with its volumes."""
    started = time.monotonic()
    try:
        images = find_images(engine)
    except EngineUnavailableError as error:
        pytest.skip(str(error))
    measured.note("images of others, s", time.monotonic() - started)
    log.info("images of others: %s", "official" if images.are_official else "stand-ins")
    found = Stack(engine, images, tmp_path_factory.mktemp("stack"))
    for service in ("load", "service", "model"):
        started = time.monotonic()
        log.info("building the image of %s", service)
        found.compose("build", service)
        measured.note(f"build {service}, s", time.monotonic() - started)
    if not images.are_official:
        build_stand_in(engine, "neo4j", NEO4J_STAND_IN, PYTHON_IMAGE=SERVICE_IMAGE, LOAD_IMAGE=LOAD_IMAGE)
    found.compose("down", "-v", "--remove-orphans")
    yield found
    found.compose("down", "-v", "--remove-orphans")
