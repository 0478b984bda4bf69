"""Who looks at the page: what they may do, which graph they ask, what they asked before. Draws nothing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from t2c_service.errors import UnauthenticatedError
from t2c_service.service import RequestContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import GraphSchema
    from t2c_service.answering.progress_events import ProgressCallback
    from t2c_service.answering.prompting.examples import Example
    from t2c_service.answering.records import Answer
    from t2c_service.databases import Database
    from t2c_service.service import Service
    from t2c_service.settings import Scope

MAX_HISTORY = 30
"""Questions remembered."""


@dataclass(frozen=True)
class HistoryEntry:
    """A question asked on this page; its answer, if it was asked since the page was opened."""

    question: str
    answer: Answer | None = None


class PageSession:
    """One visitor of the page.

    Args:
        service: answers.
        address: from where they come; their questions are counted under it while they have no key.
    """

    def __init__(self, service: Service, address: str = "") -> None:
        self.service = service
        self._address = address
        self._key: str | None = None
        self._caller = service.identify(address=address)
        self._name: str | None = None
        self.history: list[HistoryEntry] = []
        """The latest first."""

    def has_scope(self, scope: Scope) -> bool:
        """Tell whether they may do something, now: their key may have been revoked since they showed it."""
        try:
            self._identify(self._key)
        except UnauthenticatedError:
            return False
        return scope in self._caller.scopes

    def sign_in(self, key: str) -> None:
        """Take a key that they typed in.

        Raises:
            UnauthenticatedError: it is not good.
        """
        self._identify(key.strip())
        self._key = key.strip()
        self._name = None

    @property
    def databases(self) -> dict[str, str]:
        """Titles of the graphs that they may ask, by name."""
        return {name: each.title for name, each in self.service.databases_of(self._caller).items()}

    @property
    def database(self) -> Database:
        """The graph that they ask."""
        return self.service.database_for(self._name, self._caller)

    def choose(self, name: str) -> None:
        """Ask another graph from now on."""
        self._name = name

    @property
    def schema(self) -> GraphSchema | None:
        """The shape of that graph, as they may see it; none if they may not."""
        return self.database.schema_for(self._caller.policy) if self.has_scope("schema") else None

    @property
    def examples(self) -> tuple[Example, ...]:
        """Questions to offer them, if they may see any."""
        return self.database.examples_for(self._caller.policy) if self.has_scope("schema") else ()

    async def ask(self, question: str, listener: ProgressCallback) -> Answer:
        """Ask; see `Service.ask`."""
        answer = await self.service.ask(question, database=self._name, visit=self._visit(), listener=listener)
        self.remember(HistoryEntry(answer.question, answer))
        return answer

    async def run(self, cypher: str, parameters: Mapping[str, Any]) -> Answer:
        """Run a query of theirs; see `Service.run`."""
        return await self.service.run(cypher, dict(parameters), database=self._name, visit=self._visit())

    def remember(self, asked: HistoryEntry) -> None:
        """Keep a question, the same one once."""
        others = [each for each in self.history if each.question != asked.question]
        self.history = [asked, *others][:MAX_HISTORY]

    def recall(self, questions: list[Any]) -> None:
        """Take over what their browser kept of earlier visits; anything else is left out."""
        limit = self.service.settings.limits.question_chars
        known = {each.question for each in self.history}
        for question in questions:
            if isinstance(question, str) and 0 < len(question) <= limit and question not in known:
                self.history.append(HistoryEntry(question))
        del self.history[MAX_HISTORY:]

    def _identify(self, key: str | None) -> None:
        self._caller = self.service.identify(api_key=key, address=self._address)

    def _visit(self) -> RequestContext:
        self._identify(self._key)
        return replace(RequestContext(), caller=self._caller, request_id=secrets.token_hex(8), entry="page")
