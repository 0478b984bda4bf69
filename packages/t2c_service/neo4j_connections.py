"""Connections to graphs: servers that run already, and embedded stores that are kept running.

Holds no queries and no snapshots (see `databases`).
"""

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
"""In an embedded store's folder: where the service that started it can be found."""
START_S = 180.0
POLL_INTERVAL_S = 0.5
"""How often to look whether an embedded store still runs."""
MAX_RESTARTS = 5
"""How many times in a row it is started again."""
INITIAL_BACKOFF_S = 1.0
"""Before it is started again; twice as long each further time."""
BACKOFF_RESET_S = 300.0
"""After so long a run, the next end is the first one again."""


@asynccontextmanager
async def open_graph(settings: GraphSettings) -> AsyncIterator[GraphClient]:
    """Connect to a graph; an embedded store is started when nothing answers for it, and stopped at the end.

    Raises:
        SettingsError: `home` holds no graph.
        EmbeddedError: it cannot be started.
    """
    home = settings.home
    if home is None:
        assert settings.uri is not None  # noqa: S101  (the settings see to it)
        async with _client(settings.uri, settings) as client:
            yield client
        return
    if not (home / "data").is_dir():
        raise SettingsError(
            f"no graph in `graph.home` {home}; load one with: t2c-graph up --home {home} --port P, then "
            "t2c-graph import SOURCE --uri bolt://127.0.0.1:P"
        )
    known = settings.uri or _read_uri(home)
    if known and await _answers(known, settings):
        async with _client(known, settings) as client:
            yield client
        return
    async with supervised_store(home, _port(settings.uri)) as uri, _client(uri, settings) as client:
        yield client


@asynccontextmanager
async def supervised_store(home: Path, port: int = 0) -> AsyncIterator[str]:
    """Run an embedded store from entry to exit: if its process ends, it is started again at the same address.

    Args:
        home: its folder.
        port: of its Bolt address; 0 takes a free one.

    Raises:
        EmbeddedError: it cannot be started the first time.
    """
    keeper = _ProcessSupervisor(home, await asyncio.to_thread(_start, home, port))
    note = home / URI_FILE
    watching = asyncio.create_task(keeper.watch())
    try:
        note.write_text(keeper.uri, encoding="utf-8")
        yield keeper.uri
    finally:
        note.unlink(missing_ok=True)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(keeper.embedded.stop)


class _ProcessSupervisor:
    """Starts an embedded store again at the same address when its process has ended."""

    def __init__(self, home: Path, embedded: EmbeddedGraph) -> None:
        self.embedded = embedded
        self.uri = embedded.uri
        self._home = home

    async def watch(self) -> None:
        """Look after it until cancelled, or until it has died too often."""
        ends = 0
        started = time.monotonic()
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            if self.embedded.is_running:
                continue
            ends = 1 if time.monotonic() - started > BACKOFF_RESET_S else ends + 1
            if ends > MAX_RESTARTS:
                log.error(
                    "the embedded graph of %s ended %d times; it is not started again. Why is in its folder logs",
                    self._home,
                    ends,
                )
                return
            log.warning("the embedded graph of %s has ended; start %d of %d", self._home, ends, MAX_RESTARTS)
            await asyncio.sleep(INITIAL_BACKOFF_S * 2 ** (ends - 1))
            await self._restart()
            started = time.monotonic()

    async def _restart(self) -> None:
        await asyncio.to_thread(self.embedded.stop)  # lets go of its pipes
        starting = asyncio.ensure_future(asyncio.to_thread(_start, self._home, _port(self.uri)))
        try:
            try:
                self.embedded = await asyncio.shield(starting)
            except (
                asyncio.CancelledError
            ):  # a thread cannot be stopped: wait for what it starts, to stop that
                with suppress(T2CError):
                    self.embedded = await starting
                raise
        except T2CError as error:
            log.warning("the embedded graph of %s was not started again: %s", self._home, error)


def _start(home: Path, port: int) -> EmbeddedGraph:
    log.info("starting the embedded graph of %s", home)
    embedded = EmbeddedGraph(home, port=port, read_only=True)
    try:
        return embedded.start(timeout_s=START_S, progress=_fetching)
    except BaseException:
        embedded.stop()
        raise


def _fetching(done: int, total: int) -> None:
    if done == total or done % 25 == 0:
        log.info("fetching Neo4j (once): %d of %d files", done, total)


def _client(uri: str, settings: GraphSettings) -> GraphClient:
    auth = (settings.user, settings.password.get_secret_value()) if settings.password else None
    return GraphClient(uri, auth=auth, database=settings.database)


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
