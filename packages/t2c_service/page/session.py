"""The session of one browser tab: credentials, chosen database and history."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_service.answering.conversation.turns import Turn
from t2c_service.answering.options import AskOptions
from t2c_service.errors import ServiceError
from t2c_service.feedback.intake import GivenFeedback
from t2c_service.service import RequestContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import GraphSchema
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.examples import Example
    from t2c_service.answering.records import Answer
    from t2c_service.answering.verified.definition import VerifiedQuery
    from t2c_service.databases import Database
    from t2c_service.feedback.store import Verdict
    from t2c_service.service import Service
    from t2c_service.settings import Scope

MAX_HISTORY = 30
"""Maximum number of questions in the history."""


@dataclass(frozen=True)
class HistoryEntry:
    """A question; its answer, if it was asked in this session."""

    question: str
    answer: Answer | None = None


class PageSession:
    """One session of the page.

    Args:
        service: Service that answers.
        address: Address of the client, under which requests without a key are counted.
    """

    def __init__(self, service: Service, address: str = "") -> None:
        self.service = service
        self._address = address
        self._key: str | None = None
        self._principal = service.authenticate(address=address)
        self._name: str | None = None
        self.conversation: list[Turn] = []
        """Turns that a question may follow up on."""
        self.history: list[HistoryEntry] = []
        """Latest question first."""

    def has_scope(self, scope: Scope) -> bool:
        """Return whether the session has a scope now; its key may have been revoked."""
        try:
            self._principal = self.service.authenticator.authenticate(
                api_key=self._key, address=self._address
            )
        except ServiceError:
            return False
        return scope in self._principal.scopes

    def sign_in(self, key: str) -> None:
        """Authenticate with a key.

        Raises:
            UnauthenticatedError, RateLimitedError: The key is invalid.
        """
        self._authenticate(key.strip())
        self._key = key.strip()
        self._name = None

    @property
    def databases(self) -> dict[str, str]:
        """Titles of the available databases by name."""
        return {name: each.title for name, each in self.service.databases_of(self._principal).items()}

    @property
    def database(self) -> Database:
        """The chosen database."""
        return self.service.database_for(self._name, self._principal)

    def choose(self, name: str) -> None:
        """Choose a database; its conversation starts anew."""
        self._name = name
        self.conversation.clear()

    @property
    def schema(self) -> GraphSchema | None:
        """Visible schema of the chosen database; None without the scope `schema`."""
        return self.database.schema_for(self._principal.policy) if self.has_scope("schema") else None

    @property
    def examples(self) -> tuple[Example, ...]:
        """Visible example questions; none without the scope `schema`."""
        return self.database.examples_for(self._principal.policy) if self.has_scope("schema") else ()

    @property
    def verified_queries(self) -> tuple[VerifiedQuery, ...]:
        """Verified queries with wordings that the session may ask; none without the scope `schema`."""
        if not self.has_scope("schema"):
            return ()
        found = self.database.verified_for(self._principal.policy)
        return tuple(each for each in found if each.questions)

    async def ask(self, question: str, on_event: ProgressCallback, choice: int | None = None) -> Answer:
        """Answer a question after the conversation so far; see `Service.ask`.

        Args:
            question: Question in natural language.
            on_event: Called with each progress event.
            choice: Number of the reading to take, if the question was ambiguous.
        """
        if choice is not None and self.conversation:
            self.conversation.pop()  # the same question, which was asked back
        answer = await self.service.ask(
            question,
            AskOptions(choice=choice),
            database=self._name,
            conversation=self.conversation,
            context=self._context(),
            on_event=on_event,
        )
        self.remember(HistoryEntry(answer.question, answer))
        if answer.status in {"answered", "empty", "ambiguous"}:
            self._continue(answer)
        return answer

    def _continue(self, answer: Answer) -> None:
        """Add an answer to the conversation, which begins anew with a question of its own."""
        if answer.follow_up_of is None:
            self.conversation.clear()
        query = None if answer.choices else answer.cypher
        self.conversation.append(Turn(question=answer.question, cypher=query, parameters=answer.parameters))

    async def run(self, cypher: str, parameters: Mapping[str, Any]) -> Answer:
        """Run a given query; see `Service.run`."""
        return await self.service.run(cypher, dict(parameters), database=self._name, context=self._context())

    @property
    def keeps_feedback(self) -> bool:
        """Whether feedback about answers is kept."""
        return self.service.feedback.is_enabled

    async def give_feedback(self, answer: Answer, verdict: Verdict, cypher: str | None, comment: str) -> None:
        """Keep feedback about an answer of this session; see `Service.give_feedback`."""
        given = GivenFeedback(answer_id=answer.request_id, verdict=verdict, cypher=cypher, comment=comment)
        await self.service.give_feedback(given, self._context())

    def remember(self, entry: HistoryEntry) -> None:
        """Add a question to the history, or move it to the front."""
        others = [each for each in self.history if each.question != entry.question]
        self.history = [entry, *others][:MAX_HISTORY]

    def restore(self, questions: list[Any]) -> None:
        """Append the questions that the browser stored; invalid entries are ignored."""
        limit = self.service.settings.limits.max_question_chars
        known = {each.question for each in self.history}
        for question in questions:
            if isinstance(question, str) and 0 < len(question) <= limit and question not in known:
                self.history.append(HistoryEntry(question))
        del self.history[MAX_HISTORY:]

    @property
    def shows_internals(self) -> bool:
        """Whether the session may see addresses of dependencies."""
        return self.service.shows_internals(self._principal)

    def _authenticate(self, key: str | None, request_id: str = "") -> None:
        self._principal = self.service.authenticate(api_key=key, address=self._address, request_id=request_id)

    def _context(self) -> RequestContext:
        request_id = secrets.token_hex(8)
        self._authenticate(self._key, request_id)
        return RequestContext(principal=self._principal, request_id=request_id, channel="page")
