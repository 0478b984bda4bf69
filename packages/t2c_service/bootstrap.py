"""Composition root: builds the service from its settings, and closes it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from t2c_core.errors import PolicyError
from t2c_service.access.audit import AuditLog
from t2c_service.access.concurrency import ConcurrencyLimiter
from t2c_service.access.keys import Authenticator, KeyStore
from t2c_service.access.rate_limits import RateLimiter, RedisRateLimiter
from t2c_service.background_tasks import background_tasks
from t2c_service.databases import Database, DatabaseResources, check_database_files
from t2c_service.errors import SettingsError
from t2c_service.feedback.store import FeedbackStore
from t2c_service.neo4j_connections import open_graph
from t2c_service.observability import Metrics
from t2c_service.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from t2c_service.access.keys import KeyRecord
    from t2c_service.answering.prompting.examples import Encoder
    from t2c_service.models.protocol import CypherModel
    from t2c_service.settings import DatabaseSettings, LimitSettings, ModelSettings, Settings

SPARE_CONNECTIONS = 8
"""Connections for readiness checks and hardening checks."""


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Open graphs, models and limiters, and close them at the end.

    A graph or model server that is not available yet is no error; `Service.check` reports it.

    Raises:
        SnapshotError, SettingsError, ModelFolderError, KeysError, PolicyError: A file or folder of the settings is
            missing or invalid.
        EmbeddedError: An embedded graph cannot be started.
    """
    access = settings.access
    async with AsyncExitStack() as stack:
        keys = KeyStore(access.keys_file) if access.keys_file else None
        rate_limiter = _rate_limiter(settings)
        stack.push_async_callback(rate_limiter.close)
        encoder = await _encoder(settings)
        models: dict[ModelSettings, CypherModel] = {}
        databases = {
            name: await _open_database(name, each, settings, models, encoder, stack)
            for name, each in settings.all_databases.items()
        }
        for record in keys.records() if keys else ():
            if record.is_active(datetime.now(UTC)):
                _check_key(record, databases)
        slots = ConcurrencyLimiter(settings.limits.concurrency, settings.limits.max_queued)
        metrics = Metrics()
        metrics.track_load(lambda: slots.active, lambda: slots.queued)
        metrics.track_snapshot_age(
            (name, partial(getattr, each, "created_at")) for name, each in databases.items()
        )
        service = Service(
            settings=settings,
            databases=databases,
            authenticator=Authenticator(
                keys, access.anonymous, invalid_keys_per_minute=access.invalid_keys_per_minute
            ),
            rate_limiter=rate_limiter,
            concurrency_limiter=slots,
            audit=AuditLog(access.audit_log),
            feedback=FeedbackStore(settings.feedback.file, max_bytes=settings.feedback.max_bytes),
            metrics=metrics,
        )
        await stack.enter_async_context(background_tasks(service))
        yield service


def check_files(settings: Settings) -> dict[str, object]:
    """Read every file that the settings name, and return a summary by database.

    Raises:
        SnapshotError, SettingsError, KeysError, PolicyError: A file of the settings is missing or invalid.
    """
    found: dict[str, object] = {
        "databases": {
            name: check_database_files(each, settings.limits) for name, each in settings.all_databases.items()
        }
    }
    if settings.access.keys_file:
        found["keys"] = len(KeyStore(settings.access.keys_file).records())
    return found


async def open_model(settings: ModelSettings) -> CypherModel:
    """Open the model that the settings name; a local one is loaded.

    Raises:
        ModelFolderError: the folder of a local model cannot be used.
        SettingsError: a package that a local model needs is missing.
    """
    if settings.kind == "openai":
        from t2c_service.models.openai import OpenAIModel

        assert settings.url is not None  # noqa: S101  (validated by the settings)
        return OpenAIModel(
            settings.url, name=settings.name, api_key=settings.api_key, max_tokens=settings.max_tokens
        )
    missing = [package for package in ("torch", "transformers") if find_spec(package) is None]
    if missing:
        raise SettingsError(
            f"`model.kind: local` needs {' and '.join(missing)}; install graphling[local], or use `kind: openai`"
        )
    from t2c_service.models.local.model import LocalModel

    assert settings.path is not None  # noqa: S101
    return await asyncio.to_thread(
        LocalModel.load, settings.path, max_tokens=settings.max_tokens, threads=settings.threads
    )


async def _open_database(
    name: str,
    database: DatabaseSettings,
    settings: Settings,
    models: dict[ModelSettings, CypherModel],
    encoder: Encoder | None,
    stack: AsyncExitStack,
) -> Database:
    """Open model and graph concurrently, because each takes seconds; equal model settings share one model."""
    chosen = database.model or settings.model
    known = models.get(chosen)
    model, graph = await asyncio.gather(
        open_model(chosen) if known is None else asyncio.sleep(0, known),
        stack.enter_async_context(open_graph(database.graph, connections=_connections(settings.limits))),
        return_exceptions=True,
    )
    if not isinstance(model, BaseException) and known is None:
        stack.push_async_callback(model.close)
        models[chosen] = model
    if isinstance(model, BaseException):
        raise model
    if isinstance(graph, BaseException):
        raise graph
    prompt = database.prompt or settings.prompt
    uses_grammar = chosen.is_constrained and "grammar" not in settings.ablate
    await asyncio.to_thread(model.check_support, chat=prompt == "chat", grammar=uses_grammar)
    opened = await Database.open(
        DatabaseResources(
            name=name,
            settings=database,
            graph=graph,
            model=model,
            model_timeout_s=chosen.timeout_s,
            prompt=prompt,
            limits=settings.limits,
            encoder=encoder,
            disabled_components=frozenset(settings.ablate)
            | (frozenset() if chosen.is_constrained else {"grammar"}),
        )
    )
    stack.callback(opened.close)
    return opened


def _connections(limits: LimitSettings) -> int:
    """Return the number of connections that concurrent questions with all their samples need, and checks besides."""
    return limits.concurrency * limits.max_samples + SPARE_CONNECTIONS


def _check_key(record: KeyRecord, databases: Mapping[str, Database]) -> None:
    """Check the hidden names of an API key against the schemas of its databases."""
    principal = record.principal()
    for name, database in databases.items():
        if principal.databases is None or name in principal.databases:
            try:
                database.check_policy(principal.policy)
            except PolicyError as error:
                raise PolicyError(f"API key {record.id} ({principal.name}): {error}") from error


async def _encoder(settings: Settings) -> Encoder | None:
    if settings.encoder is None:
        return None
    from t2c_service.answering.prompting.examples import load_encoder

    return await asyncio.to_thread(load_encoder, settings.encoder)


def _rate_limiter(settings: Settings) -> RateLimiter:
    url = settings.access.redis_url
    if url is None:
        return RateLimiter()
    from redis.asyncio import Redis

    try:
        redis = Redis.from_url(url.get_secret_value(), socket_timeout=1.0, socket_connect_timeout=1.0)
    except ValueError:  # its message may quote a password
        raise SettingsError(
            "invalid `access.redis_url`: expected an address such as redis://host:6379/0"
        ) from None
    lease_s = settings.limits.request_timeout_s + settings.limits.graceful_shutdown_s
    return RedisRateLimiter(redis, lease_s=lease_s)
