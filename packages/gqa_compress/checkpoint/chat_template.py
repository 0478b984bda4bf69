"""Chat messages as text of a model: its tokenizer's template, cut at the replies that are trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from gqa_compress.checkpoint.reader import load_tokenizer
from gqa_compress.errors import CheckpointError, RowsError

Messages = Sequence[Mapping[str, str]]
"""Messages with `role` and `content`; `assistant` is the model."""

SAMPLE = [
    {"role": role, "content": content}
    for role, content in (
        ("system", "s"),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
        ("assistant", "d"),
    )
]


def chat_tokens(tokenizer: Any, messages: Messages) -> list[tuple[list[int], bool]]:
    """Tokenize a chat as a server does: each prompt as one text up to the reply, each reply apart.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        messages: the chat; its last message is a reply.

    Returns:
        Token ids of the parts in their order, each with whether the model has to write it. A reply ends with the token
        that ends a turn; what the template writes after that belongs to the next part.

    Raises:
        RowsError: the template cannot render the messages, or not so that a reply continues its prompt.
    """
    parts: list[tuple[list[int], bool]] = []
    done, rest = "", list[int]()
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = _render(tokenizer, messages[:index], reply_follows=True)
        whole = _render(tokenizer, messages[: index + 1], reply_follows=False)
        if not (prompt.startswith(done) and whole.startswith(prompt)):
            raise RowsError(
                "the chat template of the tokenizer changes earlier messages, so replies cannot be told from prompts"
            )
        reply = _tokenize(tokenizer, whole.removeprefix(prompt))
        end = _end_of_turn(tokenizer, reply)
        parts.append((rest + _tokenize(tokenizer, prompt.removeprefix(done)), False))
        parts.append((reply[:end] if end else [*reply, tokenizer.eos_token_id], True))
        done, rest = whole, reply[end:] if end else []
    if not parts or messages[-1]["role"] != "assistant":
        raise RowsError("a chat row has to end with a message of the role assistant")
    return parts


def chat_template_problem(folder: Path) -> str | None:
    """Return why a checkpoint cannot be trained on chats, or None if it can."""
    try:
        tokenizer = load_tokenizer(folder)
    except CheckpointError as error:
        return str(error)
    if not getattr(tokenizer, "chat_template", None):
        return "has no chat template, so it is not an instruction-tuned model"
    if tokenizer.eos_token_id is None:
        return "has no EOS token, so no reply would end"
    try:
        chat_tokens(tokenizer, SAMPLE)
    except RowsError as error:
        return f"cannot be trained on chats: {error}"
    return None


def require_chat_template(tokenizer: Any) -> None:
    """Check that a tokenizer has a chat template.

    Raises:
        CheckpointError: it has none.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise CheckpointError(
            "the rows are chats and the tokenizer has no chat template; use an instruction-tuned model"
        )


def _render(tokenizer: Any, messages: Messages, *, reply_follows: bool) -> str:
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages], tokenize=False, add_generation_prompt=reply_follows
        )
    except (TemplateError, ValueError, KeyError, TypeError) as error:
        raise RowsError(f"the chat template of the tokenizer cannot render a row: {error}") from error
    return str(text)


def _tokenize(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _end_of_turn(tokenizer: Any, reply: list[int]) -> int:
    """Return the position after the first special token of a reply, or 0 if it has none."""
    special = set(tokenizer.all_special_ids) | set(getattr(tokenizer, "added_tokens_decoder", {}))
    return next((index + 1 for index, token in enumerate(reply) if token in special), 0)
