"""What a model is told: the part of the schema that fits, similar examples, and what was wrong before.

The words are those of `t2c_core.prompt`; here is chosen what goes into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.grammar import GrammarCache
from t2c_core.prompt import ChatFormat
from t2c_service.answering.prompting.schema_pruning import prune_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_core.grammar import Grammar
    from t2c_core.prompt import PromptFormat
    from t2c_core.prompt.format import ParsedCompletion
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.prompting.examples import ExampleSelector
    from t2c_service.answering.records import Attempt
    from t2c_service.models import Prompt

MAX_REASON_CHARS = 500
UNUSABLE = "That query cannot be used ({codes}): {reason}\nReply with a corrected query alone."
EMPTY = (
    "That query ran and gave no rows. If that is the right answer, reply with it again; "
    "if a name, direction or condition may be wrong, reply with a corrected query alone."
)


@dataclass(frozen=True)
class GenerationRequest:
    """One call of the model."""

    prompt: Prompt
    hypothesis: int
    """Which of the model's completions of this prompt is wanted."""
    number: int
    """Of the attempt, over all rounds."""
    round: int
    parse: Callable[[str], ParsedCompletion]
    feedback: str = ""
    grammar: Grammar | None = None
    """What the completion must be; anything without one."""


@dataclass(frozen=True)
class PromptContext:
    """A question with what the model needs to know for it."""

    linked: LinkedQuestion
    format: PromptFormat
    schema: GraphSchema
    """What the model is told of the graph's shape."""
    examples: tuple[tuple[LinkedQuestion, str], ...] = ()
    grammar: Grammar | None = None
    """Of completions; none if they may be anything."""

    @property
    def has_dialogue(self) -> bool:
        """Whether the model can be told what was wrong."""
        return isinstance(self.format, ChatFormat)

    def parse(self, text: str) -> ParsedCompletion:
        """Read a completion."""
        return self.format.parse(text, self.linked)

    def unused_mentions(self, attempt: Attempt) -> tuple[str, ...]:
        """List names of the question that a query leaves aside, where it would use them as parameters."""
        if self.has_dialogue or attempt.cypher is None:
            return ()
        meant = self.linked.parameters()
        used = {str(value).casefold() for value in attempt.parameters.values()}
        return tuple(
            each.text
            for each in self.linked.links
            if each.is_proper_name
            and each.name not in attempt.parameters
            and str(meant[each.name]).casefold() not in used
        )

    def initial_requests(self, samples: int) -> list[GenerationRequest]:
        """Ask for the likeliest completions."""
        prompt = self._prompt([])
        return [
            GenerationRequest(prompt, number, number, 1, self.parse, grammar=self.grammar)
            for number in range(samples)
        ]

    def retry_request(self, earlier: Sequence[Attempt], corrected: Sequence[Attempt]) -> GenerationRequest:
        """Ask once more after attempts that cannot be used.

        Args:
            earlier: all attempts.
            corrected: those that the model is told about, the last one last.
        """
        number = len(earlier)
        round_ = earlier[-1].round + 1
        if not self.has_dialogue:
            return GenerationRequest(
                self._prompt([]), number, number, round_, self.parse, grammar=self.grammar
            )
        told = [attempt for attempt in corrected if attempt.cypher]
        silent = sum(not attempt.cypher for attempt in earlier)
        feedback = explain(told[-1]) if told else ""
        return GenerationRequest(
            self._prompt(told), silent, number, round_, self.parse, feedback, self.grammar
        )

    def _prompt(self, told: Sequence[Attempt]) -> Prompt:
        if not isinstance(self.format, ChatFormat):
            return self.format.render(self.linked)
        messages = self.format.messages(self.linked, self.examples)
        for attempt in told:
            messages += [
                {"role": "assistant", "content": attempt.written or attempt.cypher or ""},
                {"role": "user", "content": explain(attempt)},
            ]
        return messages


class PromptBuilder:
    """Prepares questions about one graph.

    Args:
        schema: of the graph, as the asker may see it.
        format_: of the model.
        similar: finds examples for chat models; none are given without it.
        schema_chars: longest schema text; of a longer one the fitting part is chosen, for chat models.
        is_constrained: whether completions are kept within a grammar of that schema.
    """

    def __init__(
        self,
        schema: GraphSchema,
        format_: PromptFormat,
        *,
        similar: ExampleSelector | None = None,
        schema_chars: int = 12_000,
        is_constrained: bool = False,
    ) -> None:
        self._schema = schema
        self._format = format_
        self._similar = similar
        self._schema_chars = schema_chars
        self._is_constrained = is_constrained
        self._grammars = GrammarCache(schema, format_)
        self.is_quick = not isinstance(format_, ChatFormat)
        """Whether preparing takes no time worth a thread."""
        self._is_large = isinstance(format_, ChatFormat) and len(format_.system) > schema_chars

    def prepare(self, linked: LinkedQuestion) -> PromptContext:
        """Choose schema part and examples for a question."""
        if not isinstance(self._format, ChatFormat):
            return PromptContext(
                linked, self._format, self._schema, grammar=self._grammar(linked, self._grammars)
            )
        part, grammars = self._format, self._grammars
        if self._is_large:
            part = ChatFormat(prune_schema(self._schema, linked, max_chars=self._schema_chars))
            grammars = GrammarCache(part.schema, part)
        examples = self._similar.select(linked) if self._similar else ()
        return PromptContext(linked, part, part.schema, examples, self._grammar(linked, grammars))

    def _grammar(self, linked: LinkedQuestion, grammars: GrammarCache) -> Grammar | None:
        return grammars.for_question(linked) if self._is_constrained else None


def explain(attempt: Attempt) -> str:
    """Tell a model what became of its query."""
    if attempt.outcome == "ran":
        return EMPTY
    return UNUSABLE.format(codes=", ".join(attempt.codes), reason=attempt.message[:MAX_REASON_CHARS])
