"""The running service behind HTTP, MCP, page and command line: who asks, how much, which graph, what is recorded.

Everything that asks goes through `Service`; nothing here knows HTTP. `assembly` opens and closes it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from t2c_core.errors import T2CError
from t2c_service.access.audit import Entry, from_answer, from_problem
from t2c_service.access.principals import Principal, unknown_database
from t2c_service.access.rate_limits import rate_limited
from t2c_service.answering.input_validation import check_parameters, normalize_question
from t2c_service.answering.loop import AskOptions
from t2c_service.answering.progress_events import no_op_callback
from t2c_service.errors import ServiceError, UnknownDatabaseError
from t2c_service.problem_types import problem_type_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from t2c_core.graph.client import GraphClient
    from t2c_core.schema.model import GraphSchema
    from t2c_service.access.audit import AuditLog, AuditRecord
    from t2c_service.access.concurrency import ConcurrencyLimiter
    from t2c_service.access.keys import Authenticator
    from t2c_service.access.rate_limits import RateLimiter
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.examples import Example
    from t2c_service.answering.records import Answer
    from t2c_service.databases import Database
    from t2c_service.models.protocol import CypherModel
    from t2c_service.observability import Metrics
    from t2c_service.settings import Scope, Settings


CANCELLED = "given-up"
"""What became of a question whose client left, or that the end of the service cut off."""
REJECTION_KINDS = frozenset({"overloaded", "rate-limited", "unauthenticated", "forbidden"})
"""Kinds of problems with who asks or how much, not with what is asked."""


@dataclass(frozen=True)
class DependencyStatus:
    """What a look at one dependency found; `failure` is empty when it can be used."""

    failure: str
    elapsed_ms: float
    required: bool = True
    """Whether no question can be answered without it."""


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """From where a question comes, and whose it is."""

    caller: Principal | None = None
    """None: someone without a key."""
    request_id: str = ""
    entry: Entry = "page"


ANONYMOUS_CONTEXT = RequestContext()


@dataclass(frozen=True, kw_only=True)
class _Asked:
    visit: RequestContext
    caller: Principal
    scope: Scope
    database: str | None
    question: str = ""
    cypher: str | None = None


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything that runs, for as long as `open_service` holds it open."""

    settings: Settings
    databases: Mapping[str, Database]
    """By name; the first one is asked when none is named."""
    authenticator: Authenticator
    rate_limiter: RateLimiter
    concurrency_limiter: ConcurrencyLimiter
    audit: AuditLog
    metrics: Metrics
    hardening_results: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> Database:
        """The database that is asked when none is named."""
        return next(iter(self.databases.values()))

    @property
    def schema(self) -> GraphSchema:
        """The shape of the first graph."""
        return self.first.schema

    @property
    def examples(self) -> tuple[Example, ...]:
        """Questions to offer about the first graph."""
        return self.first.examples

    @property
    def graph(self) -> GraphClient:
        """Connection to the first graph."""
        return self.first.graph

    @property
    def model(self) -> CypherModel:
        """What writes queries for the first graph."""
        return self.first.model

    def identify(
        self, authorization: str | None = None, api_key: str | None = None, address: str = ""
    ) -> Principal:
        """Say who a request comes from; see `Doorkeeper.identify`."""
        return self.authenticator.authenticate(authorization, api_key, address)

    def databases_of(self, caller: Principal) -> dict[str, Database]:
        """Give the databases that a caller may ask, the first one first."""
        return {
            name: database
            for name, database in self.databases.items()
            if caller.databases is None or name in caller.databases
        }

    def database_for(self, name: str | None, caller: Principal) -> Database:
        """Find a database.

        Args:
            name: none for the first one that the caller may ask.
            caller: who wants to.

        Raises:
            UnknownDatabaseError: it is not there, or not for them.
        """
        known = self.databases_of(caller)
        if name is None and known:
            return next(iter(known.values()))
        if name not in known:
            raise UnknownDatabaseError(unknown_database(name or self.first.name, known))
        return known[name]

    async def ask(
        self,
        question: str,
        options: AskOptions | None = None,
        *,
        database: str | None = None,
        visit: RequestContext = ANONYMOUS_CONTEXT,
        listener: ProgressCallback = no_op_callback,
    ) -> Answer:
        """Answer a question when its turn has come; see `Answerer.answer` for what it raises beyond this.

        Args:
            question: in plain language.
            options: what to do differently for this one.
            database: which graph to ask; the first one without a name.
            visit: from where it comes, and whose it is.
            listener: told of each step.

        Raises:
            QuestionError: it cannot be asked.
            UnauthenticatedError, ForbiddenError, UnknownDatabaseError: not by this caller.
            RateLimitedError: the caller asks more than it may.
            OverloadedError: too many wait already.
        """
        asked = self._asked(visit, "query", database, question=question)
        async with self._audited(asked) as outcome:
            text = normalize_question(question, self.settings.limits.question_chars)
            async with self._admit(asked) as found:
                with found.answerer(asked.caller.policy) as answerer:
                    chosen = _apply_caller_limits(options or AskOptions(), asked.caller)
                    outcome.append(await answerer.answer(text, chosen, listener))
        return outcome[0]

    async def run(
        self,
        cypher: str,
        parameters: dict[str, Any] | None = None,
        options: AskOptions | None = None,
        *,
        database: str | None = None,
        visit: RequestContext = ANONYMOUS_CONTEXT,
    ) -> Answer:
        """Run a caller's own query through the same guard and limits; see `ask`."""
        asked = self._asked(visit, "cypher", database, cypher=cypher)
        async with self._audited(asked) as outcome:
            check_parameters(parameters or {})
            async with self._admit(asked) as found:
                with found.answerer(asked.caller.policy) as answerer:
                    chosen = _apply_caller_limits(options or AskOptions(), asked.caller)
                    outcome.append(await answerer.run(cypher, parameters or {}, chosen))
        return outcome[0]

    async def check(self) -> dict[str, DependencyStatus]:
        """Look whether what the service needs can be used now."""
        checks: dict[str, Callable[[], Awaitable[None]]] = {}
        for name, database in self.databases.items():
            suffix = "" if database is self.first else f":{name}"
            checks[f"graph{suffix}"] = database.graph.verify_connectivity
            if not suffix or database.model is not self.model:
                checks[f"model{suffix}"] = database.model.check
        found = dict(zip(checks, await asyncio.gather(*map(_checked, checks.values())), strict=True))
        for name, failure in self.hardening_results.items():
            found[name] = DependencyStatus(failure, 0.0, required=self.settings.canary == "require")
        if self.settings.access.redis is not None:
            found["redis"] = replace(await _checked(self.rate_limiter.check), required=False)
        if self.audit.is_enabled:
            found["audit"] = DependencyStatus(self.audit.failure, 0.0, required=False)
        for name, each in found.items():
            self.metrics.up.labels(name).set(not each.failure)
        return found

    def _asked(self, visit: RequestContext, scope: Scope, database: str | None, **what: str) -> _Asked:
        caller = visit.caller or self.identify()
        return _Asked(visit=visit, caller=caller, scope=scope, database=database, **what)

    @asynccontextmanager
    async def _admit(self, asked: _Asked) -> AsyncIterator[Database]:
        """Let a caller's question in: allowed, not too often, and when there is room."""
        caller = asked.caller
        caller.require(asked.scope)
        database = self.database_for(asked.database, caller)
        access = self.settings.access
        async with (
            rate_limited(
                self.rate_limiter,
                caller.subject,
                per_minute=caller.per_minute or access.per_minute,
                concurrency=caller.concurrency or access.concurrency,
            ),
            self.concurrency_limiter.slot(),
        ):
            yield database

    @asynccontextmanager
    async def _audited(self, asked: _Asked) -> AsyncIterator[list[Answer]]:
        """Count and write down what became of a question; the answer goes into the list."""
        outcome: list[Answer] = []
        visit = asked.visit
        try:
            yield outcome
        except (T2CError, ServiceError) as error:
            self._note_problem(asked, problem_type_of(error)[1])
            raise
        except asyncio.CancelledError:
            self._note_problem(asked, CANCELLED)
            raise
        answer = outcome[0]
        self.metrics.record_answer(answer, visit.entry)
        record = from_answer(answer, asked.caller, request_id=visit.request_id, entry=visit.entry)
        if self.audit.is_enabled:
            await asyncio.to_thread(self._write, record)

    def _note_problem(self, asked: _Asked, kind: str) -> None:
        if kind in REJECTION_KINDS:
            self.metrics.turned_away.labels(kind).inc()
        known = asked.database if asked.database in self.databases else ""
        self.metrics.answers.labels(known, kind, asked.visit.entry).inc()
        limits = self.settings.limits
        record = from_problem(
            kind,
            asked.caller,
            request_id=asked.visit.request_id,
            entry=asked.visit.entry,
            database=known or "",
            question=asked.question[: limits.question_chars],
            cypher=asked.cypher and asked.cypher[: limits.body_bytes],
        )
        self._write(record)

    def _write(self, record: AuditRecord) -> None:
        if not self.audit.write(record):
            self.metrics.audit_failures.inc()


def _apply_caller_limits(options: AskOptions, caller: Principal) -> AskOptions:
    """Lower what a question may cost to what its caller may ask for."""

    def least(one: float | None, other: float | None) -> Any:
        given = [each for each in (one, other) if each is not None]
        return min(given) if given else None

    return replace(
        options,
        max_rows=least(options.max_rows, caller.max_rows),
        timeout_s=least(options.timeout_s, caller.timeout_s),
    )


async def _checked(check: Callable[[], Awaitable[None]]) -> DependencyStatus:
    started = time.perf_counter()
    failure = ""
    try:
        await check()
    except (T2CError, ServiceError, RedisError, OSError) as error:
        failure = str(error)
    return DependencyStatus(failure, round((time.perf_counter() - started) * 1000, 3))
