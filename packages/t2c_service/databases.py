"""Databases: each graph with its snapshot, policy and examples, which are replaced while questions are answered.

A question keeps the snapshot it started with; the last question that uses a replaced snapshot closes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from t2c_core.errors import T2CError
from t2c_core.guard.policy.policy import Policy
from t2c_core.interpretation.words import Words
from t2c_core.prompt import ChatFormat, SchemaTokenFormat
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import MANIFEST_FILE, VALUES_FILE, write_snapshot
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import LinkedQuestion, Linker
from t2c_service.access.schema_filter import FilteredLinker, filter_examples, filter_schema
from t2c_service.answering.loop import Answerer, AnswererDependencies
from t2c_service.answering.prompting.examples import Example, ExampleSelector, load_examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.graph.client import GraphClient
    from t2c_core.prompt import PromptFormat
    from t2c_service.answering.prompting.examples import Encoder, MentionLinker
    from t2c_service.models.protocol import CypherModel
    from t2c_service.settings import DatabaseSettings, LimitSettings, Part

log = logging.getLogger(__name__)

MAX_ANSWERERS = 64
"""Maximum number of cached answerers, one per policy."""


@dataclass(frozen=True, kw_only=True)
class DatabaseResources:
    """What a database needs besides its snapshot."""

    name: str
    settings: DatabaseSettings
    graph: GraphClient
    model: CypherModel
    model_timeout_s: float
    prompt: str
    limits: LimitSettings
    encoder: Encoder | None = None
    disabled_components: frozenset[Part] = frozenset()
    """Components of answering that are disabled."""


@dataclass(eq=False)
class LoadedSnapshot:
    """One snapshot in memory, with the policy and examples that belong to it."""

    schema: GraphSchema
    index: ValueIndex
    linker: MentionLinker
    policy: Policy
    words: Words
    examples: tuple[Example, ...]
    similar: ExampleSelector | None
    file_signature: tuple[int, int] | None
    created_at: float
    """Time of the snapshot, in seconds since the epoch."""
    answerers: dict[frozenset[str], Answerer] = field(default_factory=dict)
    active_users: int = 0
    is_replaced: bool = False

    def release(self) -> None:
        """Close the index if the snapshot is replaced and no question uses it."""
        if self.is_replaced and self.active_users == 0:
            self.index.close()


class Database:
    """A graph under its name.

    Args:
        resources: Connection, model and settings.
        snapshot: The snapshot to start with.
    """

    def __init__(self, resources: DatabaseResources, snapshot: LoadedSnapshot) -> None:
        self.resources = resources
        self._snapshot = snapshot
        self._changing = asyncio.Lock()

    @classmethod
    async def open(cls, resources: DatabaseResources) -> Database:
        """Load the snapshot and return the database.

        Raises:
            SnapshotError, PolicyError, SettingsError: A file of the settings is missing or invalid.
        """
        return cls(resources, await asyncio.to_thread(_load, resources))

    @property
    def name(self) -> str:
        """Name of the database."""
        return self.resources.name

    @property
    def title(self) -> str:
        """Name shown to people."""
        return self.resources.settings.title or self.name

    @property
    def graph(self) -> GraphClient:
        """Connection to the graph."""
        return self.resources.graph

    @property
    def model(self) -> CypherModel:
        """Model that generates its queries."""
        return self.resources.model

    @property
    def schema(self) -> GraphSchema:
        """Schema without what the policy of the database hides."""
        return self._snapshot.schema

    @property
    def examples(self) -> tuple[Example, ...]:
        """Example questions."""
        return self._snapshot.examples

    @property
    def created_at(self) -> float:
        """Time of the snapshot, in seconds since the epoch."""
        return self._snapshot.created_at

    def schema_for(self, policy: Policy) -> GraphSchema:
        """Return the schema without what a policy hides."""
        return filter_schema(self.schema, policy)

    def examples_for(self, policy: Policy) -> tuple[Example, ...]:
        """Return the examples without those that a policy hides."""
        return filter_examples(self.examples, policy)

    @contextmanager
    def answerer(self, policy: Policy) -> Iterator[Answerer]:
        """Hold the answerer of the present snapshot under a policy from entry to exit."""
        snapshot = self._snapshot
        snapshot.active_users += 1
        try:
            yield self._answerer(snapshot, policy)
        finally:
            snapshot.active_users -= 1
            snapshot.release()

    async def reload_if_changed(self) -> bool:
        """Load the snapshot again if its folder was replaced; return whether it is in use now.

        If the new snapshot is invalid, the present one stays in use.
        """
        async with self._changing:
            if _signature(self.resources.settings) in {self._snapshot.file_signature, None}:
                return False
            try:
                snapshot = await asyncio.to_thread(_load, self.resources)
            except (T2CError, ValueError) as error:
                log.warning("%s: the new snapshot is not used: %s", self.name, error)
                return False
            old, self._snapshot = self._snapshot, snapshot
            old.is_replaced = True
            old.release()
        log.info("%s: snapshot %s is in use", self.name, snapshot.schema.version)
        return True

    async def refresh(self) -> None:
        """Take a new snapshot of the graph and use it.

        Raises:
            T2CError: The snapshot cannot be taken; the present one stays in use.
        """
        settings = self.resources.settings
        password = settings.graph.password
        await asyncio.to_thread(
            write_snapshot,
            settings.snapshot,
            uri=self.graph.uri,
            auth=(settings.graph.user, password.get_secret_value()) if password else None,
            database=settings.graph.database,
            policy=_policy(settings, self.schema, self.resources.limits.max_rows),
            replace=True,
        )
        await self.reload_if_changed()

    def close(self) -> None:
        """Close the snapshot once the last question is answered."""
        self._snapshot.is_replaced = True
        self._snapshot.release()

    def _format(self, schema: GraphSchema) -> PromptFormat:
        if self.resources.prompt == "chat":
            return ChatFormat(schema)
        return SchemaTokenFormat(schema, should_repair="repair" not in self.resources.disabled_components)

    def _answerer(self, snapshot: LoadedSnapshot, policy: Policy) -> Answerer:
        known = snapshot.answerers.get(policy.hidden)
        if known is not None:
            return known
        hidden = snapshot.policy.hidden | policy.hidden
        schema = filter_schema(snapshot.schema, policy)
        disabled_components = self.resources.disabled_components
        linker = FilteredLinker(snapshot.linker, policy) if policy.hidden else snapshot.linker
        parts = AnswererDependencies(
            schema=schema,
            linker=NoLinker() if "values" in disabled_components else linker,
            prompt=self._format(schema),
            model=self.model,
            graph=self.graph,
            policy=replace(snapshot.policy, hidden=hidden),
            words=snapshot.words,
            similar=None if policy.hidden or "examples" in disabled_components else snapshot.similar,
            database=self.name,
            is_constrained="grammar" not in disabled_components,
            allow_repairs="repair" not in disabled_components,
        )
        answerer = Answerer(parts, self.resources.limits, model_timeout_s=self.resources.model_timeout_s)
        if len(snapshot.answerers) >= MAX_ANSWERERS:
            del snapshot.answerers[next(iter(snapshot.answerers))]
        snapshot.answerers[policy.hidden] = answerer
        return answerer


class NoLinker:
    """Links nothing, for ablation measurements."""

    def link(self, question: str) -> LinkedQuestion:
        """Return the question without links."""
        return LinkedQuestion(question, ())


def _load(resources: DatabaseResources) -> LoadedSnapshot:
    settings = resources.settings
    file_signature = _signature(settings)
    whole = GraphSchema.load(settings.snapshot)
    policy = _policy(settings, whole, resources.limits.max_rows)
    schema = filter_schema(whole, policy)
    examples = load_examples(settings.examples)
    index = ValueIndex(settings.snapshot / VALUES_FILE)
    try:
        linker = Linker(index, schema)
        visible = FilteredLinker(linker, policy)
        chats = resources.prompt == "chat"
        similar = ExampleSelector(examples, visible, encoder=resources.encoder) if chats else None
    except BaseException:
        index.close()
        raise
    return LoadedSnapshot(
        schema=schema,
        index=index,
        linker=visible if policy.hidden else linker,
        policy=policy,
        words=Words.load(settings.lexicon) if settings.lexicon else Words(),
        examples=examples,
        similar=similar if similar and len(similar) else None,
        file_signature=file_signature,
        created_at=file_signature[0] / 1e9 if file_signature else time.time(),
    )


def _policy(settings: DatabaseSettings, schema: GraphSchema, max_rows: int) -> Policy:
    """Return the policy of a database: its file and what the snapshot omits, with the lower row limit."""
    if settings.policy is None:
        return Policy(hidden=frozenset(schema.hidden), max_rows=max_rows)
    named = Policy.load(settings.policy)
    return replace(
        named, hidden=named.hidden | frozenset(schema.hidden), max_rows=min(named.max_rows, max_rows)
    )


def _signature(settings: DatabaseSettings) -> tuple[int, int] | None:
    try:
        status = (settings.snapshot / MANIFEST_FILE).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
