"""Background tasks: reload and refresh of snapshots, and the hardening check of each server."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from t2c_core.errors import T2CError
from t2c_core.graph.hardening_check import check_hardening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from t2c_service.databases import Database
    from t2c_service.service import Service

log = logging.getLogger(__name__)

HARDENING_CHECK_DELAY_S = 5.0
"""Seconds from the start to the hardening check, so that the first questions are not delayed."""
HARDENING_CHECK_RETRY_S = 60.0


@asynccontextmanager
async def background_tasks(service: Service) -> AsyncIterator[None]:
    """Run the background tasks of a service from entry to exit."""
    settings = service.settings
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    for database in service.databases.values():
        if settings.snapshot_poll_s:
            start(_every(settings.snapshot_poll_s, database.reload_if_changed))
        if settings.snapshot_refresh_s:
            start(_every(settings.snapshot_refresh_s, partial(_refresh, database)))
        if settings.hardening_check != "off":
            start(_run_hardening_check(service, database))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await work()


async def _refresh(database: Database) -> None:
    try:
        await database.refresh()
    except (T2CError, OSError) as error:
        log.warning("%s: no new snapshot: %s", database.name, error)


async def _run_hardening_check(service: Service, database: Database) -> None:
    """Check the server of a database as soon as it is available, and store the findings for readiness."""
    graph = database.resources.settings.graph
    auth = (graph.user, graph.password.get_secret_value()) if graph.password else None
    name = "hardening" if database is service.default_database else f"hardening:{database.name}"
    delay_s = HARDENING_CHECK_DELAY_S
    while True:
        await asyncio.sleep(delay_s)
        try:
            report = await check_hardening(database.graph.uri, auth=auth, database=graph.database)
        except T2CError as error:
            log.info("%s: the hardening check is postponed: %s", database.name, error)
            delay_s = HARDENING_CHECK_RETRY_S
            continue
        failed = [each for each in report.checks if each.required and not each.safe]
        service.hardening_results[name] = "; ".join(
            f"{each.name}: {each.observed}; {each.remediation}" for each in failed
        )
        if failed:
            log.warning("%s: %s", database.name, service.hardening_results[name])
        return
