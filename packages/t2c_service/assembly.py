"""From settings to running parts, and back: who starts the graphs, loads the models and lets go of them at the end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from t2c_core.errors import T2CError
from t2c_core.graph.client import GraphClient
from t2c_core.graph.embedded import EmbeddedGraph
from t2c_service.access.audit import AuditLog
from t2c_service.access.keys import Doorkeeper, KeyStore
from t2c_service.access.limits import Gate
from t2c_service.access.rates import MemoryTally, RedisTally, SteadyTally
from t2c_service.databases import Database, Means
from t2c_service.errors import SettingsError
from t2c_service.models import open_model
from t2c_service.observability import Metrics
from t2c_service.service import DependencyCheck, Service
from t2c_service.upkeep import upkeep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from t2c_service.access.rates import Tally
    from t2c_service.answering.examples import Encoder
    from t2c_service.models import CypherModel
    from t2c_service.settings import DatabaseSettings, GraphSettings, ModelSettings, Settings

__all__ = ["DependencyCheck", "Service", "open_graph", "open_service"]

log = logging.getLogger(__name__)

URI_FILE = "service.uri"
"""In an embedded store's folder: where the service that started it can be found."""
EMBEDDED_START_S = 180.0


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Start what the settings name and stop it at the end.

    A graph or model server that does not answer yet is no error: `Service.check` tells.

    Raises:
        SnapshotError, SettingsError, ModelFolderError, KeysError, PolicyError: something that the settings name is
            not there, or is not what it should be.
        EmbeddedError: an embedded graph cannot be started.
    """
    access = settings.access
    async with AsyncExitStack() as stack:
        keys = KeyStore(access.keys) if access.keys else None
        tally = _tally(settings)
        stack.push_async_callback(tally.close)
        encoder = await _encoder(settings)
        models: dict[ModelSettings, CypherModel] = {}
        databases = {
            name: await _open_database(name, each, settings, models, encoder, stack)
            for name, each in settings.all_databases.items()
        }
        gate = Gate(settings.limits.concurrency, settings.limits.waiting)
        metrics = Metrics()
        metrics.active.set_function(lambda: gate.active)
        metrics.waiting.set_function(lambda: gate.waiting)
        metrics.watch_snapshots((name, partial(getattr, each, "taken")) for name, each in databases.items())
        service = Service(
            settings=settings,
            databases=databases,
            doorkeeper=Doorkeeper(keys, access.anonymous),
            tally=tally,
            gate=gate,
            audit=AuditLog(access.audit),
            metrics=metrics,
        )
        await stack.enter_async_context(upkeep(service))
        yield service


async def _open_database(
    name: str,
    database: DatabaseSettings,
    settings: Settings,
    models: dict[ModelSettings, CypherModel],
    encoder: Encoder | None,
    stack: AsyncExitStack,
) -> Database:
    """Open model and graph at the same time, because both take seconds; a model is shared by graphs that name it."""
    chosen = database.model or settings.model
    known = models.get(chosen)
    model, graph = await asyncio.gather(
        open_model(chosen) if known is None else _given(known),
        stack.enter_async_context(open_graph(database.graph)),
        return_exceptions=True,
    )
    if not isinstance(model, BaseException) and known is None:
        stack.push_async_callback(model.close)
        models[chosen] = model
    if isinstance(model, BaseException):
        raise model
    if isinstance(graph, BaseException):
        raise graph
    opened = await Database.open(
        Means(
            name=name,
            settings=database,
            graph=graph,
            model=model,
            model_timeout_s=chosen.timeout_s,
            prompt=database.prompt or settings.prompt,
            limits=settings.limits,
            encoder=encoder,
            left_out=frozenset(settings.ablate) | (frozenset() if chosen.is_constrained else {"grammar"}),
        )
    )
    stack.callback(opened.close)
    return opened


async def _given(model: CypherModel) -> CypherModel:
    return model


async def _encoder(settings: Settings) -> Encoder | None:
    if settings.encoder is None:
        return None
    from t2c_service.answering.encoder import load_encoder

    return await asyncio.to_thread(load_encoder, settings.encoder)


def _tally(settings: Settings) -> Tally:
    if settings.access.redis is None:
        return MemoryTally()
    from redis.asyncio import Redis

    try:
        redis = Redis.from_url(
            settings.access.redis.get_secret_value(), socket_timeout=1.0, socket_connect_timeout=1.0
        )
    except ValueError as error:  # its words may quote a password
        raise SettingsError("`access.redis` is no address such as redis://host:6379/0") from error
    lease_s = settings.limits.request_s + settings.limits.drain_s
    return SteadyTally(RedisTally(redis, lease_s=lease_s), MemoryTally())


def _client(uri: str, settings: GraphSettings) -> GraphClient:
    auth = (settings.user, settings.password.get_secret_value()) if settings.password else None
    return GraphClient(uri, auth=auth, database=settings.database)


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
    embedded = await asyncio.to_thread(_start, home, settings.uri)
    note = home / URI_FILE
    try:
        note.write_text(embedded.uri, encoding="utf-8")
        async with _client(embedded.uri, settings) as client:
            yield client
    finally:
        note.unlink(missing_ok=True)
        await asyncio.to_thread(embedded.stop)


def _start(home: Path, uri: str | None) -> EmbeddedGraph:
    port = uri.rpartition(":")[2] if uri else ""
    log.info("starting the embedded graph of %s", home)
    embedded = EmbeddedGraph(home, port=int(port) if port.isdigit() else 0, read_only=True)
    try:
        return embedded.start(timeout_s=EMBEDDED_START_S, progress=_fetching)
    except BaseException:
        embedded.stop()
        raise


def _fetching(done: int, total: int) -> None:
    if done == total or done % 25 == 0:
        log.info("fetching Neo4j (once): %d of %d files", done, total)


def _read_uri(home: Path) -> str | None:
    try:
        return (home / URI_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


async def _answers(uri: str, settings: GraphSettings) -> bool:
    try:
        async with _client(uri, settings) as client:
            await client.check()
    except T2CError:
        return False
    return True
