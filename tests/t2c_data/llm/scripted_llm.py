"""A scripted language model for the LLM pipeline, paraphrases and recipes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class ScriptedLLM:
    """Replies to each prompt of the LLM pipeline as scripted.

    Args:
        pairs: questions with their queries by category.
        equivalent: its verdict on two questions.
        fits: its verdict on a result.
        paraphrases: its paraphrases of any question.
    """

    def __init__(
        self,
        pairs: dict[str, Sequence[tuple[str, str]]],
        *,
        equivalent: bool = True,
        fits: bool = True,
        paraphrases: Sequence[str] = (),
    ) -> None:
        self._pairs = pairs
        self._equivalent = equivalent
        self._fits = fits
        self._paraphrases = list(paraphrases)
        self.prompts: list[str] = []
        """First words of each prompt."""

    def __call__(self, request: dict[str, Any]) -> str:
        """Return the text of the reply to a request to `/chat/completions`."""
        system, user = (message["content"] for message in request["messages"])
        self.prompts.append(" ".join(system.split()[:2]))
        listed = [{"name": name, "description": f"asks for {name}"} for name in self._pairs]
        category = re.search(r"^Category: (.*)$", user, re.MULTILINE)
        written = self._pairs.get(category[1], ()) if category else ()
        replies: dict[str, dict[str, Any]] = {
            "You plan": {
                "categories": [*listed, {"name": f"kind {len(self.prompts)}", "description": "more"}]
            },
            "You tidy": {"categories": listed},
            "You write": {
                "pairs": [{"question": question, "cypher": cypher} for question, cypher in written]
            },
            "You read": {"question": "What does it say?"},
            "You compare": {"reason": "nothing differs", "fits": self._equivalent},
            "You check": {"reason": "all is there", "fits": self._fits},
            "You reword": {"rewordings": self._paraphrases},
        }
        return json.dumps(replies[self.prompts[-1]])
