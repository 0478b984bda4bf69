"""The service behind HTTP, MCP, page and command line: admission, choice of the database, audit and metrics.

Every channel calls `Service`, which does not depend on HTTP; `bootstrap` opens and closes it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from t2c_core.errors import T2CError
from t2c_service.access.audit import AuditRecord, Channel, from_answer, mask_literals
from t2c_service.access.keys import claimed_id, token_of
from t2c_service.access.rate_limits import rate_limited
from t2c_service.answering.conversation.turns import MAX_TURNS
from t2c_service.answering.input_validation import check_parameters, check_turn, normalize_question
from t2c_service.answering.options import AskOptions
from t2c_service.answering.progress_events import no_op_callback
from t2c_service.errors import (
    GRAPH_UNAVAILABLE,
    INTERNAL_ERROR,
    DeadlineError,
    FeedbackDisabledError,
    ForbiddenError,
    ModelError,
    OverloadedError,
    RateLimitedError,
    ServiceError,
    UnauthenticatedError,
    UnknownDatabaseError,
    problem_type_of,
)
from t2c_service.feedback.intake import make_record
from t2c_service.feedback.store import RecentAnswers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from t2c_service.access.audit import AuditLog
    from t2c_service.access.concurrency import ConcurrencyLimiter
    from t2c_service.access.keys import Authenticator
    from t2c_service.access.principals import Principal
    from t2c_service.access.rate_limits import RateLimiter
    from t2c_service.answering.conversation.turns import Turn
    from t2c_service.answering.loop import Answerer
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.records import Answer
    from t2c_service.databases import Database
    from t2c_service.feedback.intake import GivenFeedback
    from t2c_service.feedback.store import FeedbackRecord, FeedbackStore
    from t2c_service.observability import Metrics
    from t2c_service.settings import Scope, Settings


CANCELLED = "given-up"
"""Status of a question whose client disconnected, or that was cut off when the service stopped."""
MAX_NAME_CHARS = 80
"""Maximum number of characters of an unknown name in a message or record."""
REJECTION_KINDS = frozenset(
    each.problem_type.kind
    for each in (OverloadedError, RateLimitedError, UnauthenticatedError, ForbiddenError)
)
"""Kinds of problems that reject the principal or its load, not the question."""


@dataclass(frozen=True)
class DependencyStatus:
    """Result of the check of one dependency; `failure` is empty if it is available."""

    failure: str
    elapsed_ms: float
    required: bool = True
    """Whether no question can be answered without it."""


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """The principal and the channel of a request."""

    principal: Principal | None = None
    """The anonymous principal if None."""
    request_id: str = ""
    channel: Channel = "page"


ANONYMOUS_CONTEXT = RequestContext()


@dataclass(frozen=True, kw_only=True)
class _Request:
    context: RequestContext
    principal: Principal
    scope: Scope
    database: str | None
    question: str = ""
    cypher: str | None = None
    verified_query: str | None = None


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything that runs while `open_service` holds it open."""

    settings: Settings
    databases: Mapping[str, Database]
    """Databases by name; the first one is the default."""
    authenticator: Authenticator
    rate_limiter: RateLimiter
    concurrency_limiter: ConcurrencyLimiter
    audit: AuditLog
    metrics: Metrics
    feedback: FeedbackStore
    recent_answers: RecentAnswers = field(default_factory=RecentAnswers)
    hardening_results: dict[str, str] = field(default_factory=dict)
    """Findings of the hardening check by dependency name."""

    @property
    def default_database(self) -> Database:
        """The database of questions that name none."""
        return next(iter(self.databases.values()))

    def authenticate(
        self,
        authorization: str | None = None,
        api_key: str | None = None,
        address: str = "",
        *,
        request_id: str = "",
        channel: Channel = "page",
    ) -> Principal:
        """Return the principal of a request, or record that its key is invalid.

        Args:
            authorization: Value of the header `Authorization`.
            api_key: Value of the header `X-API-Key`.
            address: Address of the client.
            request_id: Id of the request.
            channel: Channel of the request.

        Raises:
            UnauthenticatedError, RateLimitedError: See `Authenticator.authenticate`.
        """
        try:
            return self.authenticator.authenticate(authorization, api_key, address)
        except ServiceError as error:
            kind = error.problem_type.kind
            if kind in REJECTION_KINDS:
                self.metrics.record_rejection(kind)
            if not isinstance(error, RateLimitedError):
                key = claimed_id(token_of(authorization, api_key) or "")
                self._write(
                    AuditRecord(
                        request_id=request_id,
                        channel=channel,
                        caller="anonymous",
                        key=key,
                        address=address,
                        status=kind,
                    )
                )
            raise

    def shows_internals(self, principal: Principal | None = None) -> bool:
        """Return whether a principal may see addresses of dependencies: an operator's key, or the own machine."""
        if self.settings.access.keys_file is None:
            return not self.settings.is_exposed
        return principal is not None and principal.key_id is not None and "metrics" in principal.scopes

    def describe(self, error: BaseException) -> str:
        """Return the description of an error for clients; internal errors and addresses go to the log only."""
        kind = problem_type_of(error)
        if kind is INTERNAL_ERROR:
            return ""
        if kind in {GRAPH_UNAVAILABLE, ModelError.problem_type} and not self.shows_internals():
            return f"{kind.title.lower()}; the log has the reason under the id of this request"
        return str(error)

    def databases_of(self, principal: Principal) -> dict[str, Database]:
        """Return the databases that a principal has access to, the default one first."""
        return {
            name: database
            for name, database in self.databases.items()
            if principal.databases is None or name in principal.databases
        }

    def database_for(self, name: str | None, principal: Principal) -> Database:
        """Return a database.

        Args:
            name: Name of the database; the first one that the principal has access to if None.
            principal: Principal of the request.

        Raises:
            UnknownDatabaseError: The database does not exist, or the principal has no access to it.
        """
        known = self.databases_of(principal)
        if name is None and known:
            return next(iter(known.values()))
        if name not in known:
            asked = (name or self.default_database.name)[:MAX_NAME_CHARS]
            raise UnknownDatabaseError(
                f"unknown database {asked!r}; available: {', '.join(sorted(known)) or 'none'}"
            )
        return known[name]

    async def ask(
        self,
        question: str,
        options: AskOptions | None = None,
        *,
        database: str | None = None,
        conversation: Sequence[Turn] = (),
        context: RequestContext = ANONYMOUS_CONTEXT,
        on_event: ProgressCallback = no_op_callback,
    ) -> Answer:
        """Answer a question once a slot is free.

        Args:
            question: Question in natural language.
            options: Options of this question.
            database: Name of the database; the default one if None.
            conversation: Earlier turns, the latest last. Their queries are used if the principal may run its own;
                for others they are made again from the questions.
            context: Principal and channel of the request.
            on_event: Called with each progress event.

        Raises:
            QuestionError: The question is invalid.
            UnauthenticatedError, ForbiddenError, UnknownDatabaseError: The principal may not ask this.
            RateLimitedError: A limit of the principal is exceeded.
            OverloadedError: The queue is full.
            DeadlineError, T2CError, ModelError: See `Answerer.answer`.
        """
        request = self._request(context, "query", database, question=question)

        def validate() -> tuple[str, list[Turn]]:
            max_chars = self.settings.limits.max_question_chars
            is_trusted = "cypher" in request.principal.scopes
            return normalize_question(question, max_chars), [
                check_turn(each, max_chars, is_trusted=is_trusted) for each in conversation[-MAX_TURNS:]
            ]

        return await self._answer(
            request,
            options,
            validate,
            lambda answerer, valid, chosen: answerer.answer(valid[0], chosen, on_event, valid[1]),
        )

    async def run(
        self,
        cypher: str,
        parameters: dict[str, Any] | None = None,
        options: AskOptions | None = None,
        *,
        database: str | None = None,
        context: RequestContext = ANONYMOUS_CONTEXT,
    ) -> Answer:
        """Run a given query through the same guard and limits; see `ask`."""
        request = self._request(context, "cypher", database, cypher=cypher)
        values = parameters or {}
        return await self._answer(
            request,
            options,
            lambda: check_parameters(values),
            lambda answerer, _, chosen: answerer.run(cypher, values, chosen),
        )

    async def run_verified(
        self,
        name: str,
        arguments: Mapping[str, Any],
        options: AskOptions | None = None,
        *,
        database: str | None = None,
        context: RequestContext = ANONYMOUS_CONTEXT,
    ) -> Answer:
        """Run a verified query with given values.

        Args:
            name: Name of the query.
            arguments: Values by parameter name.
            options: Options of this query.
            database: Name of the database; the default one if None.
            context: Principal and channel of the request.

        Raises:
            UnknownQueryError: There is no such query, or the principal may not run it.
            QuestionError: A value is missing or invalid.
            T2CError, ServiceError: See `ask`.
        """
        request = self._request(context, "query", database, verified_query=name)
        return await self._answer(
            request,
            options,
            lambda: check_parameters(dict(arguments)),
            lambda answerer, _, chosen: answerer.run_verified(name, arguments, chosen),
        )

    async def give_feedback(
        self, given: GivenFeedback, context: RequestContext = ANONYMOUS_CONTEXT
    ) -> FeedbackRecord:
        """Keep feedback about an answer of the same principal; a corrected query passes the guard first.

        Args:
            given: The feedback.
            context: Principal and channel of the request.

        Raises:
            FeedbackDisabledError, FeedbackFullError, FeedbackError: It cannot be kept.
            UnknownAnswerError: There is no such answer.
            QuestionError: The guard or the server refuses the corrected query.
            T2CError, ServiceError: See `ask`.
        """
        request = self._request(context, "query", None, cypher=given.cypher or "")
        principal = request.principal
        async with self._problems_recorded(request):
            principal.require("query")
            if not self.feedback.is_enabled:
                raise FeedbackDisabledError("this service keeps no feedback; `feedback.file` is not set")
            answer = self.recent_answers.find(principal.subject, given.answer_id)
            async with self._admit(replace(request, database=answer.database)) as database:
                with database.answerer(principal.policy) as answerer:
                    record = await make_record(given, answer, answerer)
            record = record.model_copy(update={"caller": principal.name, "channel": context.channel})
            await asyncio.to_thread(self.feedback.append, record)
        self.metrics.feedback.labels(answer.database, given.verdict).inc()
        self._write(
            AuditRecord(
                request_id=context.request_id,
                channel=context.channel,
                caller=principal.name,
                key=principal.key_id,
                database=answer.database,
                question=answer.question,
                cypher=record.corrected_cypher,
                status=f"feedback-{given.verdict}",
            )
        )
        return record

    async def check(self) -> dict[str, DependencyStatus]:
        """Check all dependencies now; the result goes into the metrics too."""
        checks: dict[str, Callable[[], Awaitable[None]]] = {}
        first = self.default_database
        for name, database in self.databases.items():
            suffix = "" if database is first else f":{name}"
            checks[f"graph{suffix}"] = database.graph.verify_connectivity
            if not suffix or database.model is not first.model:
                checks[f"model{suffix}"] = database.model.check
        found = dict(zip(checks, await asyncio.gather(*map(_check, checks.values())), strict=True))
        for name, failure in self.hardening_results.items():
            is_required = self.settings.hardening_check == "require"
            found[name] = DependencyStatus(failure, 0.0, required=is_required)
        if self.settings.access.redis_url is not None:
            found["redis"] = replace(await _check(self.rate_limiter.check), required=False)
        if self.audit.is_enabled:
            found["audit"] = DependencyStatus(self.audit.failure, 0.0, required=False)
        for name, each in found.items():
            self.metrics.up.labels(name).set(not each.failure)
        return found

    def _request(self, context: RequestContext, scope: Scope, database: str | None, **text: str) -> _Request:
        principal = context.principal or self.authenticate()
        return _Request(context=context, principal=principal, scope=scope, database=database, **text)

    async def _answer(
        self,
        request: _Request,
        options: AskOptions | None,
        validate: Callable[[], Any],
        answer: Callable[[Answerer, Any, AskOptions], Awaitable[Answer]],
    ) -> Answer:
        """Validate, admit and answer a request within its time limit; record the outcome."""
        async with self._problems_recorded(request):
            valid = validate()
            async with self._admit(request) as database:
                with database.answerer(request.principal.policy) as answerer:
                    chosen = _apply_principal_limits(options or AskOptions(), request.principal)
                    result = await answer(answerer, valid, chosen)
        context = request.context
        result = result.model_copy(update={"request_id": context.request_id})
        if self.feedback.is_enabled:
            self.recent_answers.remember(request.principal.subject, result)
        self.metrics.record_answer(result, context.channel)
        record = from_answer(
            result, request.principal, request_id=context.request_id, channel=context.channel
        )
        if self.audit.is_enabled:
            await asyncio.to_thread(self._write, record)
        return result

    @asynccontextmanager
    async def _problems_recorded(self, request: _Request) -> AsyncIterator[None]:
        """Record a request that ends with a problem."""
        try:
            yield
        except asyncio.CancelledError:
            self._record_problem(request, CANCELLED)
            raise
        except Exception as error:
            self._record_problem(request, problem_type_of(error).kind)
            raise

    @asynccontextmanager
    async def _admit(self, request: _Request) -> AsyncIterator[Database]:
        """Hold a slot from entry to exit, within the time limit of a request."""
        limit_s = self.settings.limits.request_timeout_s
        is_admitted = False
        try:
            async with asyncio.timeout(limit_s) as timeout, self._slot(request) as database:
                is_admitted = True
                yield database
        except TimeoutError as error:
            if not timeout.expired():
                raise
            if is_admitted:
                raise DeadlineError(f"no answer within {limit_s:.3g} s") from error
            raise OverloadedError(f"no slot became free within {limit_s:.3g} s") from error

    @asynccontextmanager
    async def _slot(self, request: _Request) -> AsyncIterator[Database]:
        """Check the principal's scope, access and limits, then hold a slot."""
        principal = request.principal
        principal.require(request.scope)
        database = self.database_for(request.database, principal)
        access = self.settings.access
        async with (
            rate_limited(
                self.rate_limiter,
                principal.subject,
                per_minute=principal.per_minute or access.requests_per_minute,
                concurrency=principal.concurrency or access.concurrency,
            ),
            self.concurrency_limiter.slot(),
        ):
            yield database

    def _record_problem(self, request: _Request, kind: str) -> None:
        context, limits = request.context, self.settings.limits
        if kind in REJECTION_KINDS:
            self.metrics.record_rejection(kind)
        database = request.database if request.database in self.databases else None
        self.metrics.count_answer(database or "", kind, context.channel)
        cypher = request.cypher and mask_literals(request.cypher[: limits.max_body_bytes])
        self._write(
            AuditRecord(
                request_id=context.request_id,
                channel=context.channel,
                caller=request.principal.name,
                key=request.principal.key_id,
                database=database or "",
                question=request.question[: limits.max_question_chars],
                cypher=cypher or None,
                verified_query=(request.verified_query or "")[:MAX_NAME_CHARS] or None,
                status=kind,
            )
        )

    def _write(self, record: AuditRecord) -> None:
        if not self.audit.write(record):
            self.metrics.audit_failures.inc()


def _apply_principal_limits(options: AskOptions, principal: Principal) -> AskOptions:
    """Return the options with limits no higher than the principal's."""

    def lower(one: float | None, other: float | None) -> Any:
        given = [each for each in (one, other) if each is not None]
        return min(given, default=None)

    return replace(
        options,
        max_rows=lower(options.max_rows, principal.max_rows),
        timeout_s=lower(options.timeout_s, principal.timeout_s),
    )


async def _check(check: Callable[[], Awaitable[None]]) -> DependencyStatus:
    started = time.perf_counter()
    failure = ""
    try:
        await check()
    except (T2CError, ServiceError, RedisError, OSError) as error:
        failure = str(error)
    return DependencyStatus(failure, round((time.perf_counter() - started) * 1000, 3))
