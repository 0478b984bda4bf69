"""Training rows for general models: the chat messages that the service sends, with the query as the reply.

Several questions may share a row: then those before the last have the place of few-shot examples, and one system
message, which holds the schema and is most of a row, serves all of them.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from t2c_core.prompt.chat import MAX_SCHEMA_CHARS, ChatFormat
from t2c_core.prompt.chat_replies import REFUSAL
from t2c_core.prompt.schema_pruning import fitting_format
from t2c_core.prompt.schema_tokens import SchemaTokenFormat
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_data.export.manifest import SPLITS, write_manifest
from t2c_data.export.query_relinking import relink_query
from t2c_data.pairs import write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion
    from t2c_data.pairs import Pair

Turn = tuple[str, "LinkedQuestion", str]
"""Id of a pair, its question with linked values, and its query."""


def export_chat(
    pairs: Sequence[Pair],
    out: Path,
    *,
    schema: GraphSchema,
    snapshot: Path,
    messages: bool = True,
    turns: int = 1,
    dropped: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write rows for general models, `{"messages"}` or `{"prompt", "completion"}`, and return the manifest.

    Args:
        pairs: the pairs.
        out: the folder.
        schema: schema of the graph.
        snapshot: folder with the value index.
        messages: chat messages rather than prompt and completion.
        turns: maximum number of questions of a row of messages; one if the schema is too long for a prompt, since each
            question then has a part of its own.
        dropped: number of pairs that were left out before, by reason.
        progress: called with the number of linked pairs and of all pairs.
    """
    chat = ChatFormat(schema)
    drops = Counter({"unlinked": 0, **(dropped or {})})
    linked: dict[str, list[Turn]] = {name: [] for name in SPLITS}
    for number, (pair, turn) in enumerate(_link(pairs, schema, snapshot), 1):
        if turn is None:
            drops["unlinked"] += 1
        else:
            linked[pair.split].append(turn)
        if progress:
            progress(number, len(pairs))
    count = turns if messages and len(chat.system) <= MAX_SCHEMA_CHARS else 1
    rows = {}
    for name, found in linked.items():
        lines = [
            _row(chat, found[begin : begin + count], messages=messages)
            for begin in range(0, len(found), count)
        ]
        write_lines(out / f"{name}.jsonl", lines)
        rows[name] = len(lines)
    return write_manifest(
        out,
        {
            "format": ChatFormat.name,
            "rows": rows,
            "questions": {name: len(found) for name, found in linked.items()},
            "dropped": dict(sorted(drops.items())),
            "schema": schema.version,
        },
    )


def _link(pairs: Iterable[Pair], schema: GraphSchema, snapshot: Path) -> Iterable[tuple[Pair, Turn | None]]:
    """Yield each pair with its turn, or None if its query cannot be written with the values that are linked."""
    atoms = SchemaTokenFormat(schema)
    with ValueIndex(snapshot / "values.sqlite") as index:
        linker = Linker(index, schema)
        for pair in pairs:
            linked = linker.link(pair.question)
            if not pair.cypher:
                yield pair, (pair.id, linked, REFUSAL)
                continue
            completion = relink_query(pair, linked, atoms)
            turn = None if completion is None else (pair.id, linked, atoms.parse(completion, linked).cypher)
            yield pair, turn


def _row(chat: ChatFormat, turns: Sequence[Turn], *, messages: bool) -> str:
    """Return a row as JSON."""
    *earlier, (identifier, linked, cypher) = turns
    fitting = fitting_format(chat, linked, max_chars=MAX_SCHEMA_CHARS)
    prompt = fitting.messages(linked, [(question, query) for _, question, query in earlier])
    content: dict[str, Any] = {"messages": [*prompt, {"role": "assistant", "content": cypher}]}
    if not messages:
        text = "\n\n".join(each["content"] for each in prompt) + "\n"
        content = {"prompt": text, "completion": cypher}
    return json.dumps({**content, "id": identifier}, ensure_ascii=False)
