"""Replies of chat models: no query that a person would understand is lost, no refusal is taken for a query."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.prompt.chat import ChatFormat
from t2c_core.prompt.chat_replies import read_reply
from t2c_core.schema.model import GraphSchema
from t2c_core.values.linker import LinkedQuestion

CORPORA = Path(__file__).parents[2] / "corpora"
GENERATED = CORPORA / "chat_replies.jsonl"
ROWS = [
    json.loads(line)
    for file in (GENERATED, CORPORA / "chat_replies_by_hand.jsonl")
    for line in file.read_text(encoding="utf-8").splitlines()
]


def test_the_generated_replies_are_those_of_the_generator() -> None:
    generator = runpy.run_path(str(CORPORA / "chat_replies.py"))
    rows = [json.loads(line) for line in GENERATED.read_text(encoding="utf-8").splitlines()]
    assert generator["replies"]() == rows
    assert len(ROWS) >= 370


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_no_reply_is_lost(row: dict[str, str]) -> None:
    reply = read_reply(row["reply"])
    if row["cypher"] is None:
        assert reply.is_refusal
        assert reply.cypher == ""
    else:
        assert not reply.is_refusal
        assert render(parse(reply.cypher)) == render(parse(row["cypher"]))


@pytest.mark.parametrize(
    ("text", "cypher"),
    [
        # what the parser does not read goes whole to the guard, which repairs it or says what is wrong
        (
            "```cypher\nMATCH (p:Person)\nWHERE p.full name = $v1\nRETURN p.name\n```",
            "MATCH (p:Person)\nWHERE p.full name = $v1\nRETURN p.name",
        ),
        (
            "Here it is:\n\nMATCH (p:Person)\nWHERE p.full name = $v1\nRETURN p.name\n\nIt returns names.",
            "MATCH (p:Person)\nWHERE p.full name = $v1\nRETURN p.name",
        ),
        (
            "MATCH (p:Person) RETURN p.name\nORDER BY p.full name\nLIMIT 3",
            "MATCH (p:Person) RETURN p.name\nORDER BY p.full name\nLIMIT 3",
        ),
        ("```\nMATCH (n) DETACH DELETE n\n```", "MATCH (n) DETACH DELETE n"),
        ("MATCH (n)\nSET n.x = 1\nRETURN n", "MATCH (n)\nSET n.x = 1\nRETURN n"),
        ("MERGE (n:Person)\nRETURN n", "MERGE (n:Person)\nRETURN n"),
        ("no idea", "no idea"),
        ("", ""),
    ],
)
def test_what_the_parser_does_not_read_is_kept_whole(text: str, cypher: str) -> None:
    reply = read_reply(text)
    assert (reply.cypher, reply.is_refusal) == (cypher, False)


@given(st.text(alphabet="MATCHRETURNmatch with(){}[]`'\"<>|/\n:;.-#*~ xn", max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    read_reply(text)


@pytest.mark.parametrize("text", ["{" * 5000, "[" * 5000, "`" * 5000, "MATCH (" * 2000, "<think>" * 3000])
def test_hostile_replies_are_read_quickly(text: str) -> None:
    assert not read_reply(text).is_refusal


def test_the_chat_format_reads_replies_and_fills_parameters() -> None:
    chat = ChatFormat(GraphSchema(labels=(), types=(), triples=()))
    linked = LinkedQuestion("who?", ())
    assert chat.parse("```\nMATCH (p) RETURN p.name\n```", linked).cypher == "MATCH (p) RETURN p.name"
    assert chat.parse("UNANSWERABLE: nothing deals with that", linked).unanswerable
