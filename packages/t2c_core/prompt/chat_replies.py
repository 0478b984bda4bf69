"""Extraction of the query from a chat model's reply: reasoning, template tokens, fences, JSON and prose are removed.

Candidates are gathered in the order JSON, fences, inline code, text; the first one that the parser reads is the query.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from t2c_core.cypher.parser import parse
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSAL: Final = "UNANSWERABLE"
MAX_CANDIDATES: Final = 200
"""Maximum number of candidates that are parsed."""

_REASONING = re.compile(
    r"<(think|thinking|thought|reasoning|reflection|analysis|scratchpad)>.*?</\1>|\[THINK\].*?\[/THINK\]"
    r"|◁think▷.*?◁/think▷|<\|channel\|>\s*(?:analysis|commentary)\b.*?(?:<\|end\|>|(?=<\|channel\|>\s*final))",
    re.DOTALL | re.IGNORECASE,
)
_END_OF_REASONING = re.compile(
    r"</(?:think|thinking|thought|reasoning|reflection|analysis|scratchpad)>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>\s*final\b[^<]*<\|message\|>",
    re.IGNORECASE,
)
_END_OF_TURN = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|eom_id|end|return|end_of_text|EOT)\|>|<｜end▁of▁sentence｜>|</s>|<eos>|<end_of_turn>",
    re.IGNORECASE,
)
_TEMPLATE_TOKEN = re.compile(
    r"<\|[^|<>\n]{1,40}\|>(?:assistant|model|final)?|<｜[^｜<>\n]{1,40}｜>|</?s>|<[be]os>|<pad>|\[/?INST\]"
    r"|<(?:start|end)_of_turn>(?:model)?|</?(?:answer|cypher|query|response|output|final|result|tool_call)>"
    r"|<\|?(?:EOT|endoftext)\|?>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"(?P<mark>`{3,}|~{3,})[ \t]*[\w+.-]*[ \t]*\n?(?P<body>.*?)(?:(?P=mark)|\Z)", re.DOTALL)
_INLINE_CODE = re.compile(r"(?<!`)(?P<mark>``?)(?!`)(?P<body>.+?)(?<!`)(?P=mark)(?!`)", re.DOTALL)
_KEYWORD = r"(?:OPTIONAL\s+MATCH|MATCH|UNWIND|CALL|WITH|RETURN|CREATE|MERGE|FOREACH|LOAD\s+CSV)"
_PREFIX = re.compile(
    r"(?:EXPLAIN|PROFILE|CYPHER(?:\s+\d+)?(?:\s+\w+\s*=\s*\w+)*)\s+(?=" + _KEYWORD + ")", re.IGNORECASE
)
_START = re.compile(
    r"(?m)^[ \t>*#$\d.)•–-]*(?P<line>" + _KEYWORD + r"\b)"
    r"|(?P<inside>(?<=[\s:>\"'`*(])(?:OPTIONAL MATCH|MATCH|UNWIND|CALL|WITH|RETURN)\b)",
    re.MULTILINE,
)
_ANY_CASE_START = re.compile(r"(?<!\w)" + _KEYWORD + r"\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"\s*(?:OPTIONAL|MATCH|WHERE|WITH|UNWIND|CALL|RETURN|ORDER|SKIP|OFFSET|LIMIT|UNION|AND|OR|XOR|NOT|ON|AS|IN|IS|CASE"
    r"|WHEN|THEN|ELSE|END|EXISTS|COUNT|COLLECT|DISTINCT|SET|REMOVE|DELETE|DETACH|CREATE|MERGE|FOREACH|YIELD|USING|FILTER|LET|NEXT|FINISH|STARTS|ENDS|CONTAINS|BY|ASC|DESC)\b"
)
_CONTINUATION = re.compile(_CLAUSE.pattern + r"|\s*(?:$|//|/\*|\*|[-<>(){}\[\],|+=.&!`'\"$])")
_LINE_COMMENT = re.compile(r"(?m)^[ \t]*(?:--|#)[ \t]+(?=[A-Za-z]).*$")
_END_OF_SENTENCE = re.compile(r"[\"'`*]+(?=[\s.,]|$)|[.,]?\s+(?=[–—]|[(-]?[A-Za-z])|\.(?=\s|$)")
_REFUSAL_IN_WORDS = re.compile(
    r"\b(?:can\s?not|can't|could\s?n[o']t|unable\s+to|not\s+possible|impossible|no\s+way)\b[^.\n]{0,80}"
    r"\b(?:answer|determine|retrieve|query|tell|quer)|\b(?:schema|graph|database|data)\b[^.\n]{0,40}"
    r"\b(?:does\s?n[o']t|do\s?n[o']t|lacks?|has\s+no|contains?\s+no)\b|\bnot\s+(?:answerable|in\s+the\s+(?:schema|graph))\b",
    re.IGNORECASE,
)


_MARKDOWN_ESCAPE = re.compile(r"\\([_*\[\]()<>{}#~|-])")


@dataclass(frozen=True)
class Reply:
    """What a reply says."""

    cypher: str = ""
    """The query; empty if the model refuses."""
    is_refusal: bool = False


def read_reply(text: str) -> Reply:
    """Return the query of a reply, or that the model refuses to answer.

    Args:
        text: reply of a chat model.

    Returns:
        The first candidate that the parser reads. Without one, what looks most like a query, so that the guard can
        repair it or say what is wrong with it.
    """
    text = clean(text)
    if re.match(rf"[\W_]*{REFUSAL}\b", text, re.IGNORECASE):
        return Reply(is_refusal=True)
    found = _first_readable(text)
    plain = _MARKDOWN_ESCAPE.sub(r"\1", html.unescape(text))
    if found is None and plain != text:  # `HAS\_PART` and `-&gt;`, as a reply for a web page has them
        found = _first_readable(plain)
    if found is not None:
        return found
    if REFUSAL in text.upper() or (not _START.search(text) and _REFUSAL_IN_WORDS.search(text)):
        return Reply(is_refusal=True)
    return Reply(_closest(text))


def _first_readable(text: str) -> Reply | None:
    """Return the first candidate that the parser reads, or a refusal, or None."""
    seen: dict[str, None] = {}
    for candidate in _candidates(text):
        query = candidate.strip().rstrip(";").strip()
        if not query or query in seen:
            continue
        if len(seen) >= MAX_CANDIDATES:
            break
        seen[query] = None
        if _is_readable(query):
            return Reply(query)
        if query.upper() == REFUSAL:
            return Reply(is_refusal=True)
    return None


def clean(text: str) -> str:
    """Remove reasoning and template tokens from a reply."""
    without = _REASONING.sub("\n", text)
    ends = list(_END_OF_REASONING.finditer(without))
    if ends and without[ends[-1].end() :].strip():
        without = without[ends[-1].end() :]  # the template had opened the reasoning
    turns = (_TEMPLATE_TOKEN.sub("", turn).strip() for turn in _END_OF_TURN.split(without))
    return re.sub(r"(?m)^>[ \t]?", "", next(filter(None, turns), ""))


def _candidates(text: str) -> Iterator[str]:
    """Yield possible queries, the most explicit ones first."""
    yield from _with_shorter(text)
    for value in _json_strings(text):
        yield from _of_text(value)
    fences = [match["body"] for match in _FENCE.finditer(text)]
    for body in fences:
        for value in _json_strings(body):
            yield from _of_text(value)
        yield from _of_text(body)
    prose = _FENCE.sub("\n\n", text) if fences else text
    for match in _INLINE_CODE.finditer(prose):
        if _ANY_CASE_START.match(match["body"].strip()):
            yield from _of_text(match["body"])
    yield from _of_text(prose)
    if fences:
        yield from _of_text(text)
    for match in _ANY_CASE_START.finditer(prose):
        block = _block(prose, match.start())
        if "(" in block.split("\n", maxsplit=1)[0]:
            yield from _with_shorter(block)


def _of_text(text: str) -> Iterator[str]:
    """Yield the whole text, then each block of lines that starts with a clause."""
    text = text.strip()
    if _ANY_CASE_START.match(text) or _PREFIX.match(text) or text.upper() == REFUSAL:
        yield from _with_shorter(text)
    end = 0
    for match in _START.finditer(text):
        group = "line" if match["line"] else "inside"
        start = match.start(group)
        if start < end:
            continue  # inside of a block that was tried
        block = _block(text, start)
        if group == "inside" and "(" not in block.split("\n", maxsplit=1)[0]:
            continue
        end = start + len(block)
        yield from _with_shorter(block)


def _block(text: str, start: int) -> str:
    """Return the lines from a clause on that look like Cypher."""
    lines = text[start:].split("\n")
    kept = 1
    while kept < len(lines) and _CONTINUATION.match(lines[kept]):
        kept += 1
    return "\n".join(lines[:kept])


def _with_shorter(text: str) -> Iterator[str]:
    """Yield a text, then the text without what does not look like Cypher at its end."""
    text = _LINE_COMMENT.sub("", _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text).strip()
    yield text
    yield text.strip("\"'`*_ \n")
    lines = text.split("\n")
    for count in range(len(lines) - 1, 0, -1):
        if (
            not lines[count].strip()
            or lines[count - 1].rstrip().endswith(";")
            or not _CONTINUATION.match(lines[count])
        ):
            yield "\n".join(lines[:count])
    if ";" in text:
        yield text.split(";", maxsplit=1)[0]
    first = lines[0] if len(lines) == 1 else ""
    for match in reversed(list(_END_OF_SENTENCE.finditer(first))):
        yield first[: match.start()]


def _json_strings(text: str) -> Iterator[str]:
    """Yield the strings of the JSON objects and lists in a text, those of telling keys first."""
    decoder, position = json.JSONDecoder(strict=False), 0
    while (match := re.compile(r"[{\[]").search(text, position)) is not None:
        try:
            value, position = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            position = match.end()
            continue
        yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield from _json_strings(value)  # arguments of a tool call are JSON in a string
            yield value
        case dict():
            for key in sorted(value, key=lambda name: str(name).lower() not in _QUERY_KEYS):
                yield from _strings(value[key])
        case list():
            for each in value:
                yield from _strings(each)


_QUERY_KEYS = frozenset(
    {"cypher", "query", "cypher_query", "statement", "code", "arguments", "input", "answer", "function"}
)


def _is_readable(query: str) -> bool:
    try:
        parse(query)
    except CypherSyntaxError:
        return False
    # English words can be Cypher: "call me", "return nothing".
    return bool(re.match(r"[A-Z/]", query) or re.search(r"[(\[{$]", query))


def _closest(text: str) -> str:
    """Return what looks most like a query: the first fence with a clause, a block of lines, or the whole text."""
    for body in (*(match["body"] for match in _FENCE.finditer(text)), text):
        match = _START.search(body)
        if match is not None:
            start = match.start("line" if match["line"] else "inside")
            return _block(body, start).strip().rstrip(";").strip()
    return text
