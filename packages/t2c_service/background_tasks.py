"""What goes on beside the questions: snapshots that are followed and taken, and one look at how safe each server is."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from t2c_core.errors import T2CError
from t2c_core.graph.hardening_check import check_hardening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from t2c_service.databases import Database
    from t2c_service.service import Service

log = logging.getLogger(__name__)

HARDENING_CHECK_DELAY_S = 5.0
"""How long after the start a server is looked at, so that first questions come first."""
CANARY_RETRY_S = 60.0


@asynccontextmanager
async def background_tasks(service: Service) -> AsyncIterator[None]:
    """Keep a service's graphs in order from entry to exit."""
    settings = service.settings
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    for database in service.databases.values():
        if settings.watch_s:
            start(_every(settings.watch_s, _follow(database)))
        if settings.refresh_s:
            start(_every(settings.refresh_s, _refresh(database)))
        if settings.canary != "off":
            start(_run_hardening_check(service, database))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await work()


def _follow(database: Database) -> Callable[[], Awaitable[None]]:
    async def follow() -> None:
        await database.reload_if_changed()

    return follow


def _refresh(database: Database) -> Callable[[], Awaitable[None]]:
    async def refresh() -> None:
        try:
            await database.refresh()
        except (T2CError, OSError) as error:
            log.warning("%s: no new snapshot: %s", database.name, error)

    return refresh


async def _run_hardening_check(service: Service, database: Database) -> None:
    """Run the canary once the server answers, and keep what it found for readiness."""
    graph = database.means.settings.graph
    auth = (graph.user, graph.password.get_secret_value()) if graph.password else None
    name = "canary" if database is service.first else f"canary:{database.name}"
    delay_s = HARDENING_CHECK_DELAY_S
    while True:
        await asyncio.sleep(delay_s)
        try:
            posture = await check_hardening(database.graph.uri, auth=auth, database=graph.database)
        except T2CError as error:
            log.info("%s: the server could not be looked at: %s", database.name, error)
            delay_s = CANARY_RETRY_S
            continue
        failed = [each for each in posture.checks if each.required and not each.safe]
        service.hardening_results[name] = "; ".join(
            f"{each.name}: {each.found}; {each.advice}" for each in failed
        )
        if failed:
            log.warning("%s: %s", database.name, service.hardening_results[name])
        return
