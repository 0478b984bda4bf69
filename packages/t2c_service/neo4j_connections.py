"""Connections to Neo4j: running servers, and embedded stores that are started and supervised here."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from t2c_core.errors import T2CError
from t2c_core.graph.client import GraphClient
from t2c_core.graph.embedded import EmbeddedGraph
from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from t2c_service.settings import GraphSettings

log = logging.getLogger(__name__)

URI_FILE = "service.uri"
"""File in the folder of an embedded store with the address at which a service has started it."""
START_S = 180.0
POLL_INTERVAL_S = 0.5
"""Seconds between checks whether an embedded store runs."""
MAX_RESTARTS = 5
"""Maximum number of restarts in a row."""
INITIAL_BACKOFF_S = 1.0
"""Pause before the first restart; it doubles with each further one."""
BACKOFF_RESET_S = 300.0
"""Uptime after which the count of restarts begins anew."""


@asynccontextmanager
async def open_graph(settings: GraphSettings, connections: int = 32) -> AsyncIterator[GraphClient]:
    """Connect to a graph; an embedded store that is not running is started, and stopped at the end.

    Without a store in `home`, only the address counts: a file of settings may be used where the store is elsewhere.

    Args:
        settings: Address and credentials of the graph.
        connections: Maximum number of connections.

    Raises:
        SettingsError: There is no address, and `home` contains no graph.
        EmbeddedError: The embedded store cannot be started.
    """
    home = settings.home
    has_store = home is not None and (home / "data").is_dir()
    if settings.uri is not None and not has_store:
        async with _client(settings.uri, settings, connections) as client:
            yield client
        return
    assert home is not None  # noqa: S101  (the settings check it)
    if not has_store:
        raise SettingsError(
            f"no graph in `graph.home` {home}; import one with: t2c-graph up --data-dir {home} --port P, then "
            "t2c-graph import SOURCE --uri bolt://127.0.0.1:P"
        )
    known = settings.uri or _read_uri(home)
    if known and await _answers(known, settings):
        async with _client(known, settings, connections) as client:
            yield client
        return
    async with (
        supervised_store(home, _port(settings.uri)) as uri,
        _client(uri, settings, connections) as client,
    ):
        yield client


@asynccontextmanager
async def supervised_store(home: Path, port: int = 0) -> AsyncIterator[str]:
    """Run an embedded store from entry to exit; if its process ends, it is restarted at the same address.

    Args:
        home: Folder of the store.
        port: Bolt port; 0 takes a free one.

    Raises:
        EmbeddedError: The first start fails.
    """
    supervisor = _ProcessSupervisor(home, await asyncio.to_thread(_start, home, port))
    uri_file = home / URI_FILE
    watching = asyncio.create_task(supervisor.watch())
    try:
        uri_file.write_text(supervisor.uri, encoding="utf-8")
        yield supervisor.uri
    finally:
        uri_file.unlink(missing_ok=True)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(supervisor.embedded.stop)


class _ProcessSupervisor:
    """Restarts an embedded store at the same address when its process has ended."""

    def __init__(self, home: Path, embedded: EmbeddedGraph) -> None:
        self.embedded = embedded
        self.uri = embedded.uri
        self._home = home

    async def watch(self) -> None:
        """Restart the store until cancelled or until the maximum number of restarts is reached."""
        ends = 0
        started = time.monotonic()
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            if self.embedded.is_running:
                continue
            ends = 1 if time.monotonic() - started > BACKOFF_RESET_S else ends + 1
            if ends > MAX_RESTARTS:
                log.error(
                    "the embedded graph of %s ended %d times and is not restarted; see its folder logs",
                    self._home,
                    ends,
                )
                return
            log.warning(
                "the embedded graph of %s has ended; restart %d of %d", self._home, ends, MAX_RESTARTS
            )
            await asyncio.sleep(INITIAL_BACKOFF_S * 2 ** (ends - 1))
            await self._restart()
            started = time.monotonic()

    async def _restart(self) -> None:
        await asyncio.to_thread(self.embedded.stop)  # closes its pipes
        starting = asyncio.ensure_future(asyncio.to_thread(_start, self._home, _port(self.uri)))
        try:
            try:
                self.embedded = await asyncio.shield(starting)
            except asyncio.CancelledError:  # the thread cannot be cancelled: wait for its store, to stop that
                with suppress(T2CError):
                    self.embedded = await starting
                raise
        except T2CError as error:
            log.warning("the embedded graph of %s was not restarted: %s", self._home, error)


def _start(home: Path, port: int) -> EmbeddedGraph:
    log.info("starting the embedded graph of %s", home)
    embedded = EmbeddedGraph(home, port=port, read_only=True)
    try:
        return embedded.start(timeout_s=START_S, progress=_log_download)
    except BaseException:
        embedded.stop()
        raise


def _log_download(done: int, total: int) -> None:
    if done == total or done % 25 == 0:
        log.info("downloading Neo4j (once): %d of %d files", done, total)


def _client(uri: str, settings: GraphSettings, connections: int = 1) -> GraphClient:
    auth = (settings.user, settings.password.get_secret_value()) if settings.password else None
    return GraphClient(uri, auth=auth, database=settings.database, concurrency=connections)


def _port(uri: str | None) -> int:
    port = uri.rpartition(":")[2] if uri else ""
    return int(port) if port.isdigit() else 0


def _read_uri(home: Path) -> str | None:
    try:
        return (home / URI_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


async def _answers(uri: str, settings: GraphSettings) -> bool:
    try:
        async with _client(uri, settings) as client:
            await client.verify_connectivity()
    except T2CError:
        return False
    return True
