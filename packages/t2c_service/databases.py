"""The graphs that are asked: each with its snapshot, policy and examples, replaced while questions go on.

An edition is what was read of one snapshot. A question keeps its edition to the end; the last one to leave a replaced
edition closes it.
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
    from t2c_service.access.schema_filter import MentionLinker
    from t2c_service.answering.prompting.examples import Encoder
    from t2c_service.models.protocol import CypherModel
    from t2c_service.settings import DatabaseSettings, LimitSettings, Part

log = logging.getLogger(__name__)

MAX_ANSWERERS = 64
"""Policies for which an answerer is kept ready."""


@dataclass(frozen=True, kw_only=True)
class DatabaseResources:
    """What a database answers with, besides its snapshot."""

    name: str
    settings: DatabaseSettings
    graph: GraphClient
    model: CypherModel
    model_timeout_s: float
    prompt: str
    limits: LimitSettings
    encoder: Encoder | None = None
    disabled_components: frozenset[Part] = frozenset()
    """Parts of answering that are not used."""


@dataclass(eq=False)
class LoadedSnapshot:
    """What was read of one snapshot."""

    schema: GraphSchema
    index: ValueIndex
    linker: MentionLinker
    policy: Policy
    examples: tuple[Example, ...]
    similar: ExampleSelector | None
    file_signature: tuple[int, int] | None
    created_at: float
    """When the snapshot was taken, in seconds since the epoch."""
    answerers: dict[frozenset[str], Answerer] = field(default_factory=dict)
    active_users: int = 0
    is_replaced: bool = False

    def release(self) -> None:
        """Close the index if nobody needs it any more."""
        if self.is_replaced and self.active_users == 0:
            self.index.close()


class Database:
    """One graph under its name.

    Args:
        means: how it is answered for.
        edition: of its snapshot.
    """

    def __init__(self, means: DatabaseResources, edition: LoadedSnapshot) -> None:
        self.means = means
        self._edition = edition
        self._changing = asyncio.Lock()

    @classmethod
    async def open(cls, means: DatabaseResources) -> Database:
        """Read the snapshot.

        Raises:
            SnapshotError, PolicyError, SettingsError: a file that the settings name is not there or no such file.
        """
        return cls(means, await asyncio.to_thread(_read, means))

    @property
    def name(self) -> str:
        """The name under which it is asked."""
        return self.means.name

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.means.settings.title or self.name

    @property
    def graph(self) -> GraphClient:
        """Its connection."""
        return self.means.graph

    @property
    def model(self) -> CypherModel:
        """What writes its queries."""
        return self.means.model

    @property
    def schema(self) -> GraphSchema:
        """Its shape, as anybody may see it."""
        return self._edition.schema

    @property
    def examples(self) -> tuple[Example, ...]:
        """Questions to offer."""
        return self._edition.examples

    @property
    def created_at(self) -> float:
        """When its snapshot was taken, in seconds since the epoch."""
        return self._edition.created_at

    def schema_for(self, policy: Policy) -> GraphSchema:
        """Give the shape that a policy shows."""
        return filter_schema(self.schema, policy)

    def examples_for(self, policy: Policy) -> tuple[Example, ...]:
        """Give the examples that a policy shows."""
        return filter_examples(self.examples, policy)

    @contextmanager
    def answerer(self, policy: Policy) -> Iterator[Answerer]:
        """Hold the answerer of the present edition under a policy, from entry to exit."""
        edition = self._edition
        edition.active_users += 1
        try:
            yield self._answerer(edition, policy)
        finally:
            edition.active_users -= 1
            edition.release()

    async def reload_if_changed(self) -> bool:
        """Read the snapshot again if its folder has been replaced; tell whether it was.

        A snapshot that cannot be read leaves the present one in place.
        """
        if _stamp(self.means.settings) in {self._edition.file_signature, None}:
            return False
        async with self._changing:
            if _stamp(self.means.settings) in {self._edition.file_signature, None}:
                return False
            try:
                edition = await asyncio.to_thread(_read, self.means)
            except (T2CError, ValueError) as error:
                log.warning("%s: the new snapshot is not used: %s", self.name, error)
                return False
            self._replace(edition)
        log.info("%s: snapshot %s is in use", self.name, edition.schema.version)
        return True

    async def refresh(self) -> None:
        """Take a new snapshot of the graph and use it.

        Raises:
            T2CError: it cannot be taken; the present one stays in place.
        """
        settings = self.means.settings
        password = settings.graph.password
        await asyncio.to_thread(
            write_snapshot,
            settings.snapshot,
            uri=self.graph.uri,
            auth=(settings.graph.user, password.get_secret_value()) if password else None,
            database=settings.graph.database,
            policy=_policy(settings, self.schema, self.means.limits.max_rows),
            replace=True,
        )
        await self.reload_if_changed()

    def close(self) -> None:
        """Close the index as soon as the last question has been answered."""
        self._edition.is_replaced = True
        self._edition.release()

    def _replace(self, edition: LoadedSnapshot) -> None:
        old, self._edition = self._edition, edition
        old.is_replaced = True
        old.release()

    def _format(self, schema: GraphSchema) -> PromptFormat:
        if self.means.prompt == "chat":
            return ChatFormat(schema)
        return SchemaTokenFormat(schema, should_repair="repair" not in self.means.disabled_components)

    def _answerer(self, edition: LoadedSnapshot, policy: Policy) -> Answerer:
        known = edition.answerers.get(policy.hidden)
        if known is not None:
            return known
        hidden = edition.policy.hidden | policy.hidden
        schema = filter_schema(edition.schema, policy)
        disabled_components = self.means.disabled_components
        linker = FilteredLinker(edition.linker, policy) if policy.hidden else edition.linker
        parts = AnswererDependencies(
            schema=schema,
            linker=NoLinker() if "values" in disabled_components else linker,
            prompt=self._format(schema),
            model=self.model,
            graph=self.graph,
            policy=replace(edition.policy, hidden=hidden),
            similar=None if policy.hidden or "examples" in disabled_components else edition.similar,
            database=self.name,
            is_constrained="grammar" not in disabled_components,
            allow_repairs="repair" not in disabled_components,
        )
        answerer = Answerer(parts, self.means.limits, model_timeout_s=self.means.model_timeout_s)
        if len(edition.answerers) >= MAX_ANSWERERS:
            del edition.answerers[next(iter(edition.answerers))]
        edition.answerers[policy.hidden] = answerer
        return answerer


class NoLinker:
    """Finds no values, to measure what finding them is worth."""

    def link(self, question: str) -> LinkedQuestion:
        """Take the question as it is."""
        return LinkedQuestion(question, ())


def _read(means: DatabaseResources) -> LoadedSnapshot:
    settings = means.settings
    file_signature = _stamp(settings)
    whole = GraphSchema.load(settings.snapshot)
    policy = _policy(settings, whole, means.limits.max_rows)
    schema = filter_schema(whole, policy)
    examples = load_examples(settings.examples)
    index = ValueIndex(settings.snapshot / VALUES_FILE)
    try:
        linker = Linker(index, schema)
        seen = FilteredLinker(linker, policy)
        chats = means.prompt == "chat"
        similar = ExampleSelector(examples, seen, encoder=means.encoder) if chats else None
    except BaseException:
        index.close()
        raise
    return LoadedSnapshot(
        schema=schema,
        index=index,
        linker=seen if policy.hidden else linker,
        policy=policy,
        examples=examples,
        similar=similar if similar and len(similar) else None,
        file_signature=file_signature,
        created_at=file_signature[0] / 1e9 if file_signature else time.time(),
    )


def _policy(settings: DatabaseSettings, schema: GraphSchema, max_rows: int) -> Policy:
    """Hide what the snapshot left out besides what the policy file names; the lower number of rows counts."""
    if settings.policy is None:
        return Policy(hidden=frozenset(schema.hidden), max_rows=max_rows)
    named = Policy.load(settings.policy)
    return replace(
        named, hidden=named.hidden | frozenset(schema.hidden), max_rows=min(named.max_rows, max_rows)
    )


def _stamp(settings: DatabaseSettings) -> tuple[int, int] | None:
    try:
        status = (settings.snapshot / MANIFEST_FILE).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
