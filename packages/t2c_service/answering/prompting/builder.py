"""Prompts: selection of the schema part, the few-shot examples and the feedback that `t2c_core.prompt` renders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from t2c_core.consistency.question_match import QuestionMatch, QuestionMatcher
from t2c_core.grammar import GrammarCache
from t2c_core.prompt import ChatFormat
from t2c_core.prompt.chat import MAX_SCHEMA_CHARS
from t2c_core.prompt.schema_pruning import fitting_format

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_core.grammar import Grammar
    from t2c_core.interpretation.words import Words
    from t2c_core.prompt import PromptFormat
    from t2c_core.prompt.format import ParsedCompletion
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_service.answering.conversation.turns import Turn
    from t2c_service.answering.prompting.examples import ExampleSelector
    from t2c_service.answering.records import Attempt
    from t2c_service.models.protocol import Prompt

MAX_REASON_CHARS = 500
UNUSABLE = "That query cannot be used ({codes}): {reason}\nReply with a corrected query alone."
EARLIER = "// answered; the query is not shown"
EMPTY = (
    "That query ran and gave no rows. If that is the right answer, reply with it again; "
    "if a name, direction or condition may be wrong, reply with a corrected query alone."
)


@dataclass(frozen=True)
class GenerationRequest:
    """One call of the model."""

    prompt: Prompt
    hypothesis: int
    """Number of the completion of this prompt, 0 for the most probable."""
    number: int
    """Number of the attempt over all rounds."""
    round: int
    parse: Callable[[str], ParsedCompletion]
    feedback: str = ""
    grammar: Grammar | None = None
    """Grammar that constrains the completion, if any."""


@dataclass(frozen=True)
class PromptContext:
    """A linked question with the schema, examples and grammar for its prompt."""

    linked: LinkedQuestion
    format: PromptFormat
    schema: GraphSchema
    """Schema, or the part of it, that the prompt contains."""
    examples: tuple[tuple[LinkedQuestion, str], ...] = ()
    grammar: Grammar | None = None
    """Grammar that constrains completions, if any."""
    turns: Sequence[Turn] = ()
    """Earlier turns of the conversation, for chat models."""
    matcher: QuestionMatcher | None = None
    """Comparison of question and query."""
    _matches: dict[int, QuestionMatch] = field(default_factory=dict, init=False, compare=False)

    @property
    def has_dialogue(self) -> bool:
        """Whether the model accepts feedback about earlier attempts."""
        return isinstance(self.format, ChatFormat)

    def parse(self, text: str) -> ParsedCompletion:
        """Parse a completion."""
        return self.format.parse(text, self.linked)

    def match(self, attempt: Attempt) -> QuestionMatch:
        """Return how the query of an attempt and the question differ; nothing for chat models."""
        if self.has_dialogue or attempt.cypher is None or self.matcher is None:
            return QuestionMatch()
        if attempt.hypothesis not in self._matches:
            self._matches[attempt.hypothesis] = self.matcher.match(
                self.linked, attempt.cypher, attempt.parameters
            )
        return self._matches[attempt.hypothesis]

    def initial_requests(self, samples: int) -> list[GenerationRequest]:
        """Return the requests for the most probable completions."""
        prompt = self._prompt([])
        return [
            GenerationRequest(prompt, number, number, 1, self.parse, grammar=self.grammar)
            for number in range(samples)
        ]

    def retry_request(self, earlier: Sequence[Attempt], corrected: Sequence[Attempt]) -> GenerationRequest:
        """Return the request that follows unusable attempts.

        Args:
            earlier: all attempts so far.
            corrected: attempts that the model gets feedback about, the latest last.
        """
        number = len(earlier)
        round_ = earlier[-1].round + 1
        if not self.has_dialogue:
            return GenerationRequest(
                self._prompt([]), number, number, round_, self.parse, grammar=self.grammar
            )
        with_query = [attempt for attempt in corrected if attempt.cypher]
        without_query = sum(not attempt.cypher for attempt in earlier)
        feedback = explain(with_query[-1]) if with_query else ""
        return GenerationRequest(
            self._prompt(with_query), without_query, number, round_, self.parse, feedback, self.grammar
        )

    def _prompt(self, corrected: Sequence[Attempt]) -> Prompt:
        if not isinstance(self.format, ChatFormat):
            return self.format.render(self.linked)
        messages = self.format.messages(self.linked, self.examples)
        messages[-1:-1] = [message for turn in self.turns for message in _messages_of(turn)]
        for attempt in corrected:
            messages += [
                {"role": "assistant", "content": attempt.generated_cypher or attempt.cypher or ""},
                {"role": "user", "content": explain(attempt)},
            ]
        return messages


class PromptBuilder:
    """Build prompts for questions about one graph.

    Args:
        schema: schema as the principal may see it.
        format_: prompt format of the model.
        similar: selector of few-shot examples for chat models.
        words: words of the graph, for the comparison of question and query.
        schema_chars: maximum characters of the schema text for chat models; a longer schema is pruned.
        is_constrained: whether completions are constrained to a grammar of the schema.
    """

    def __init__(
        self,
        schema: GraphSchema,
        format_: PromptFormat,
        *,
        similar: ExampleSelector | None = None,
        words: Words | None = None,
        schema_chars: int = MAX_SCHEMA_CHARS,
        is_constrained: bool = False,
    ) -> None:
        self._schema = schema
        self._format = format_
        self._similar = similar
        self._schema_chars = schema_chars
        self._is_constrained = is_constrained
        self._grammars = GrammarCache(schema, format_)
        self._matcher = None
        if not isinstance(format_, ChatFormat):  # queries of chat models are not compared
            self._matcher = QuestionMatcher(schema, words.content if words else None)
        self.is_quick = not isinstance(format_, ChatFormat)
        """Whether `prepare` is fast enough to be called in the event loop."""

    def prepare(self, linked: LinkedQuestion, turns: Sequence[Turn] = ()) -> PromptContext:
        """Select schema, examples and grammar for a question.

        Args:
            linked: the question.
            turns: earlier turns of the conversation, which only the prompt of a chat model has.
        """
        if not isinstance(self._format, ChatFormat):
            return PromptContext(
                linked,
                self._format,
                self._schema,
                grammar=self._grammar(linked, self._grammars),
                matcher=self._matcher,
            )
        part = fitting_format(self._format, linked, max_chars=self._schema_chars)
        grammars = self._grammars if part is self._format else GrammarCache(part.schema, part)
        examples = self._similar.select(linked) if self._similar else ()
        return PromptContext(linked, part, part.schema, examples, self._grammar(linked, grammars), turns)

    def _grammar(self, linked: LinkedQuestion, grammars: GrammarCache) -> Grammar | None:
        return grammars.for_question(linked) if self._is_constrained else None


def _messages_of(turn: Turn) -> list[dict[str, str]]:
    """Return the messages of an earlier turn; its values are written out, as its parameters are not those of now."""
    asked = {"role": "user", "content": f"Earlier question: {turn.question}"}
    if turn.cypher is None:
        return [asked, {"role": "assistant", "content": EARLIER}]
    values = "".join(f"\n// ${name} = {value!r}" for name, value in turn.parameters.items())
    return [asked, {"role": "assistant", "content": turn.cypher + values}]


def explain(attempt: Attempt) -> str:
    """Return the feedback about an attempt."""
    if attempt.outcome == "ran":
        return EMPTY
    return UNUSABLE.format(codes=", ".join(attempt.codes), reason=attempt.message[:MAX_REASON_CHARS])
