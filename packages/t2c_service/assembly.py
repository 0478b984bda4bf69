"""From settings to running parts, and back: who starts the graph, loads the model and lets go of them at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.errors import T2CError
from t2c_core.graph.client import GraphClient
from t2c_core.graph.embedded import EmbeddedGraph
from t2c_core.prompt import AtomsFormat, ChatFormat, PromptFormat
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_core.values.link import Linker
from t2c_service.access.limits import Gate
from t2c_service.answering.examples import Example, load_examples
from t2c_service.answering.loop import Answerer, AskOptions, Parts
from t2c_service.answering.question import tidy
from t2c_service.errors import ServiceError, SettingsError
from t2c_service.models import CypherModel, open_model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from t2c_service.answering.records import Answer
    from t2c_service.settings import GraphSettings, Settings

log = logging.getLogger(__name__)

FORMATS: dict[str, Callable[[GraphSchema], PromptFormat]] = {"atoms": AtomsFormat, "chat": ChatFormat}
URI_FILE = "service.uri"
"""In an embedded store's folder: where the service that started it can be found."""
EMBEDDED_START_S = 180.0


@dataclass(frozen=True)
class DependencyCheck:
    """What a look at one dependency found; `failure` is empty when it can be used."""

    failure: str
    elapsed_ms: float


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything that runs, for as long as `open_service` holds it open."""

    settings: Settings
    schema: GraphSchema
    graph: GraphClient
    model: CypherModel
    answerer: Answerer
    examples: tuple[Example, ...]
    gate: Gate

    async def ask(self, question: str, options: AskOptions | None = None) -> Answer:
        """Answer a question when its turn has come; see `Answerer.answer` for what it raises beyond this.

        Raises:
            QuestionError: it cannot be asked.
            OverloadedError: too many wait already.
        """
        text = tidy(question, self.settings.limits.question_chars)
        async with self.gate.turn():
            return await self.answerer.answer(text, options)

    async def check(self) -> dict[str, DependencyCheck]:
        """Look whether graph and model can be asked now."""
        graph, model = await asyncio.gather(_checked(self.graph.check), _checked(self.model.check))
        return {"graph": graph, "model": model}


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Start what the settings name and stop it at the end.

    A graph or model server that does not answer yet is no error: `Service.check` tells.

    Raises:
        SnapshotError, SettingsError, ModelFolderError: something that the settings name is not there.
        EmbeddedError: the embedded graph cannot be started.
    """
    schema = GraphSchema.load(settings.snapshot)
    examples = load_examples(settings.examples)
    async with AsyncExitStack() as stack:
        index = stack.enter_context(ValueIndex(settings.snapshot / "values.sqlite"))
        linker = await asyncio.to_thread(Linker, index, schema)
        model, graph = await asyncio.gather(
            open_model(settings.model),
            stack.enter_async_context(open_graph(settings.graph)),
            return_exceptions=True,
        )
        if not isinstance(model, BaseException):
            stack.push_async_callback(model.close)
        if isinstance(model, BaseException):
            raise model
        if isinstance(graph, BaseException):
            raise graph
        parts = Parts(
            schema=schema, linker=linker, prompt=FORMATS[settings.prompt](schema), model=model, graph=graph
        )
        yield Service(
            settings=settings,
            schema=schema,
            graph=graph,
            model=model,
            answerer=Answerer(parts, settings.limits, model_timeout_s=settings.model.timeout_s),
            examples=examples,
            gate=Gate(settings.limits.concurrency, settings.limits.waiting),
        )


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


async def _checked(check: Callable[[], Awaitable[None]]) -> DependencyCheck:
    started = time.perf_counter()
    failure = ""
    try:
        await check()
    except (T2CError, ServiceError) as error:
        failure = str(error)
    return DependencyCheck(failure, round((time.perf_counter() - started) * 1000, 3))
