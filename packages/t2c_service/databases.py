"""Databases: each graph with its snapshot, policy and examples, which are replaced while questions are answered.

A question keeps the snapshot it started with; the last question that uses a replaced snapshot closes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from t2c_core.errors import PolicyError, T2CError
from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.guard.policy.visibility import Visibility, check_names
from t2c_core.interpretation.words import Words
from t2c_core.prompt import ChatFormat, SchemaTokenFormat
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import MANIFEST_FILE, VALUES_FILE, write_snapshot
from t2c_core.values.aliases import Aliases
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import LinkedQuestion, Linker
from t2c_service.access.schema_filter import FilteredLinker, filter_examples
from t2c_service.answering.loop import Answerer, AnswererDependencies
from t2c_service.answering.prompting.examples import Example, ExampleSelector, load_examples
from t2c_service.answering.verified.catalogue import VerifiedQueries
from t2c_service.answering.verified.definition import check_verified_queries, load_verified_queries
from t2c_service.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.graph.client import GraphClient
    from t2c_core.prompt import PromptFormat
    from t2c_core.schema.model import NodeLabel, RelationshipType
    from t2c_service.answering.prompting.examples import Encoder, MentionLinker
    from t2c_service.models.protocol import CypherModel
    from t2c_service.settings import DatabaseSettings, LimitSettings, Part

log = logging.getLogger(__name__)

_Cached = TypeVar("_Cached")

MAX_POLICIES = 64
"""Maximum number of policies of principals for which answerers and examples are cached."""
Signature = tuple[tuple[int, int, int], ...]
"""Time, inode and size of the snapshot's manifest, of the policy file and of the file of verified queries."""


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

    def load(self) -> LoadedSnapshot:
        """Load snapshot, policy, lexicon, examples and verified queries.

        Raises:
            SnapshotError, PolicyError, SettingsError: A file of the settings is missing or invalid.
        """
        return _load(self.settings, self.limits, chats=self.prompt == "chat", encoder=self.encoder)


@dataclass(eq=False)
class LoadedSnapshot:
    """One snapshot in memory, with the policy, examples and verified queries that belong to it."""

    whole_schema: GraphSchema
    schema: GraphSchema
    """Schema without what the policy hides."""
    index: ValueIndex
    linker: MentionLinker
    policy: Policy
    words: Words
    examples: tuple[Example, ...]
    similar: ExampleSelector | None
    verified: VerifiedQueries
    file_signature: Signature | None
    created_at: float
    """Time of the snapshot, in seconds since the epoch."""
    answerers: dict[Policy, Answerer] = field(default_factory=dict)
    """Answerers by policy of the principal."""
    visible_examples: dict[Policy, tuple[Example, ...]] = field(default_factory=dict)
    visible_verified: dict[Policy, VerifiedQueries] = field(default_factory=dict)
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
        self._pending: Signature | None = None
        """Changed files that are loaded once a second look finds them unchanged."""

    @classmethod
    async def open(cls, resources: DatabaseResources) -> Database:
        """Load the snapshot and return the database.

        Raises:
            SnapshotError, PolicyError, SettingsError: A file of the settings is missing or invalid.
        """
        return cls(resources, await asyncio.to_thread(resources.load))

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
        """Return the schema without what the policy of a principal hides.

        Raises:
            ForbiddenError: The policy hides names that the graph does not have.
        """
        return _filter_schema(self._snapshot, policy)

    def examples_for(self, policy: Policy) -> tuple[Example, ...]:
        """Return the examples without those that the policy of a principal hides."""
        snapshot = self._snapshot
        known = snapshot.visible_examples.get(policy)
        if known is None:
            known = filter_examples(snapshot.examples, policy, _filter_schema(snapshot, policy))
            _remember(snapshot.visible_examples, policy, known)
        return known

    def verified_for(self, policy: Policy) -> VerifiedQueries:
        """Return the verified queries without those that the policy of a principal refuses.

        Raises:
            ForbiddenError: The policy hides names that the graph does not have.
        """
        return _visible_verified(self._snapshot, policy)

    def check_policy(self, policy: Policy) -> None:
        """Check that the graph has the names that a policy hides.

        Raises:
            PolicyError: A name is unknown.
        """
        check_names(policy, self._snapshot.whole_schema)

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
        """Load all files again if one of them was replaced; return whether they are in use now.

        The present ones stay in use if the new ones are invalid. A snapshot appears as a whole; other files may be
        written in parts, so they are loaded once two looks in a row find them unchanged.
        """
        async with self._changing:
            settings, loaded = self.resources.settings, self._snapshot.file_signature
            signature = _signature(settings)
            if signature in {loaded, None}:
                return False
            if loaded and signature[1:] != loaded[1:] and signature != self._pending:
                self._pending = signature
                return False
            try:
                snapshot = await asyncio.to_thread(self.resources.load)
            except (T2CError, ValueError) as error:
                log.warning(
                    "%s: a new snapshot, policy or verified query is not used: %s",
                    self.name,
                    error,
                )
                return False
            if snapshot.file_signature != _signature(settings):
                snapshot.index.close()
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
            policy=self._snapshot.policy,
            aliases=Aliases.load(settings.aliases) if settings.aliases else None,
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
        known = snapshot.answerers.get(policy)
        if known is not None:
            return known
        hidden = snapshot.policy.hidden | policy.hidden
        schema = _filter_schema(snapshot, policy)
        disabled_components = self.resources.disabled_components
        linker = (
            FilteredLinker(snapshot.linker, policy, snapshot.whole_schema)
            if policy.hidden
            else snapshot.linker
        )
        parts = AnswererDependencies(
            schema=schema,
            linker=NoLinker() if "values" in disabled_components else linker,
            prompt=self._format(schema),
            model=self.model,
            graph=self.graph,
            policy=replace(snapshot.policy, hidden=hidden),
            words=snapshot.words,
            similar=None if policy.hidden or "examples" in disabled_components else snapshot.similar,
            verified=_visible_verified(snapshot, policy),
            database=self.name,
            is_constrained="grammar" not in disabled_components,
            allow_repairs="repair" not in disabled_components,
        )
        answerer = Answerer(parts, self.resources.limits, model_timeout_s=self.resources.model_timeout_s)
        _remember(snapshot.answerers, policy, answerer)
        return answerer


class NoLinker:
    """Links nothing, for ablation measurements."""

    def link(self, question: str) -> LinkedQuestion:
        """Return the question without links."""
        return LinkedQuestion(question, ())


def check_database_files(settings: DatabaseSettings, limits: LimitSettings) -> dict[str, object]:
    """Load the files of a database, and return a summary of them.

    Raises:
        SnapshotError, PolicyError, SettingsError, ValueError: A file is missing or invalid.
    """
    loaded = _load(settings, limits)
    loaded.index.close()
    return {
        "schema_version": loaded.schema.version,
        "hidden": sorted(loaded.policy.hidden),
        "examples": len(loaded.examples),
        "verified_queries": [each.name for each in loaded.verified],
    }


def _load(
    settings: DatabaseSettings,
    limits: LimitSettings,
    *,
    chats: bool = False,
    encoder: Encoder | None = None,
) -> LoadedSnapshot:
    file_signature = _signature(settings)
    whole = GraphSchema.load(settings.snapshot)
    policy = _policy(settings, whole, limits.max_rows)
    visibility = Visibility(policy.hidden, whole)
    schema = visibility.filter_schema(whole)
    verified = load_verified_queries(settings.verified_queries)
    parts: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
    properties = {
        (part.name, key.name)
        for part in parts
        for key in part.properties
        if visibility.shows_values(part.name, key.name)
    }
    check_verified_queries(verified, Guard(whole, policy), properties, settings.verified_queries)
    examples = filter_examples(load_examples(settings.examples), policy, whole, keep_without_query=True)
    index = ValueIndex(settings.snapshot / VALUES_FILE)
    try:
        linker = Linker(index, schema, locale=settings.locale or "en")
        visible = FilteredLinker(linker, policy, whole)
        similar = ExampleSelector(examples, visible, encoder=encoder) if chats else None
    except BaseException:
        index.close()
        raise
    return LoadedSnapshot(
        whole_schema=whole,
        schema=schema,
        index=index,
        linker=visible if policy.hidden else linker,
        policy=policy,
        words=Words.load(settings.lexicon) if settings.lexicon else Words(),
        examples=examples,
        similar=similar if similar and len(similar) else None,
        verified=VerifiedQueries(verified, index.folded, locale=settings.locale or "en"),
        file_signature=file_signature,
        created_at=file_signature[0][0] / 1e9 if file_signature else time.time(),
    )


def _policy(settings: DatabaseSettings, schema: GraphSchema, max_rows: int) -> Policy:
    """Return the policy of a database: its file and what the snapshot omits, with the lower row limit."""
    if settings.policy is None:
        return Policy(hidden=frozenset(schema.hidden), max_rows=max_rows)
    named = Policy.load(settings.policy)
    if not settings.policy.stat().st_size:  # a writer has emptied it, or it was never written
        raise PolicyError(f"the policy {settings.policy} is empty; write `hidden: []` if nothing is hidden")
    check_names(named, schema)
    return replace(
        named, hidden=named.hidden | frozenset(schema.hidden), max_rows=min(named.max_rows, max_rows)
    )


def _filter_schema(snapshot: LoadedSnapshot, policy: Policy) -> GraphSchema:
    """Return the visible schema under the policy of a principal, whose names must be known."""
    try:
        check_names(policy, snapshot.whole_schema)
    except PolicyError as error:
        raise ForbiddenError(f"the policy of this API key cannot be enforced: {error}") from error
    return Visibility(policy.hidden, snapshot.whole_schema).filter_schema(snapshot.schema)


def _visible_verified(snapshot: LoadedSnapshot, policy: Policy) -> VerifiedQueries:
    if not policy.hidden:
        return snapshot.verified
    known = snapshot.visible_verified.get(policy)
    if known is None:
        whole = replace(snapshot.policy, hidden=snapshot.policy.hidden | policy.hidden)
        guard = Guard(_filter_schema(snapshot, policy), whole)
        known = snapshot.verified.visible(guard, Visibility(whole.hidden, snapshot.whole_schema))
        _remember(snapshot.visible_verified, policy, known)
    return known


def _remember(cache: dict[Policy, _Cached], policy: Policy, value: _Cached) -> None:
    if len(cache) >= MAX_POLICIES:
        del cache[next(iter(cache))]
    cache[policy] = value


def _signature(settings: DatabaseSettings) -> Signature | None:
    """Return the signature of the files, or None if one is missing."""
    others = (settings.policy, settings.verified_queries)
    files = [settings.snapshot / MANIFEST_FILE, *(each for each in others if each is not None)]
    try:
        found = [each.stat() for each in files]
    except OSError:
        return None
    return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in found)
