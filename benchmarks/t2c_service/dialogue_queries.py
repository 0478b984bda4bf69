"""Measure follow-up turns without a database: the form of the queries is compared with that of the golds.

    python benchmarks/t2c_service/dialogue_queries.py --dialogues FILE... [--snapshot DIR] [--model DIR]
        [--lexicon FILE] [--out FILE] [--show]

Two queries have the same form if they have the same relationships between labels, conditions, columns, first sort key
and limit. Each follow-up is asked twice: behind the gold query of the turn before (`gold`), and behind the queries that
the service itself has for the turns before, the first of which the model writes (`asked`). --show prints what is not
right. `dialogues.py` compares rows, on a database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, cast

import torch

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.errors import CypherSyntaxError
from t2c_core.interpretation.words import Words
from t2c_core.prompt import SchemaTokenFormat
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import VALUES_FILE
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_service.answering.conversation.dialogue import Dialogue, PreviousTurn
from t2c_service.answering.conversation.draft import Draft, access
from t2c_service.answering.prompting.builder import PromptBuilder
from t2c_service.errors import CompletionError
from t2c_service.models.local.model import LocalModel

MIN_PROBABILITY = 0.25
"""Probability of a completion below which the service would not answer."""
TIMEOUT_S = 600.0
Query = tuple[str, dict[str, Any]]


class QueryForms:
    """Writes and compares queries of one graph.

    Args:
        snapshot: snapshot folder.
        model: checkpoint folder.
        lexicon: lexicon file.
    """

    def __init__(self, snapshot: Path, model: Path, lexicon: Path) -> None:
        torch.set_num_threads(1)
        words = Words.load(lexicon)
        self.schema = GraphSchema.load(snapshot)
        self.linker = Linker(ValueIndex(snapshot / VALUES_FILE), self.schema)
        self.dialogue = Dialogue(self.schema, words)
        self._prompts = PromptBuilder(
            self.schema, SchemaTokenFormat(self.schema), words=words, is_constrained=True
        )
        self.model = LocalModel.load(model, max_tokens=200, threads=1)

    async def write(self, question: str) -> Query | None:
        """Return the most probable query of the model, or None if it has none."""
        request = self._prompts.prepare(self.linker.link(question)).initial_requests(1)[0]
        try:
            completion = await self.model.complete(
                request.prompt, grammar=request.grammar, timeout_s=TIMEOUT_S
            )
            parsed = request.parse(completion.text)
        except CompletionError:
            return None
        probability = math.exp((completion.mean_logprob or 0.0) * max(completion.tokens, 1))
        if parsed.unanswerable or probability < MIN_PROBABILITY:
            return None
        return parsed.cypher, parsed.parameters

    def follow_up(self, question: str, previous: PreviousTurn) -> tuple[bool, Query | None]:
        """Return whether a question is a follow-up, and the changed query."""
        linked = self.linker.link(question)
        if not self.dialogue.is_follow_up(linked):
            return False, None
        found = self.dialogue.rewrite(linked, previous)
        return True, (found.cypher, found.parameters) if found else None

    def compare(self, query: Query | None, gold: str | None) -> str:
        """Return `right`, `wrong` or `none`."""
        if query is None or gold is None:
            return "right" if query is None and gold is None else "none" if query is None else "wrong"
        try:
            return "right" if self.form(query) == self.form((gold, {})) else "wrong"
        except CypherSyntaxError:
            return "wrong"

    def form(self, query: Query) -> tuple[Any, ...]:
        """Return relationships, conditions, columns, order and limit of a query."""
        draft = Draft(*query, self.schema)

        def label(variable: str) -> str:
            return draft.owners.get(variable, variable)

        conditions = set()
        for each in draft.conditions():
            value = draft.parameters.get(each.parameter) if each.parameter else True
            part = each.part
            if isinstance(value, str) and value.endswith("-01-01"):  # before 2000-01-01: before 2000
                value, part = int(value[:4]), "year"
            turned = each.negated and each.operator in {"=", "<>"}
            operator = {"=": "<>", "<>": "="}[each.operator] if turned else each.operator
            is_negated = each.negated and not turned
            conditions.add(
                (label(each.variable), each.key, part, operator, str(value).casefold(), is_negated)
            )
        if not draft.is_open:
            names = sorted(node.name for node in walk(draft.tree) if isinstance(node, t.Label))
            return (tuple(names), frozenset(conditions))
        aliases = {
            item.alias.name: item.expression
            for projection in (*draft.stages, draft.result)
            for item in projection.items
            if item.alias
        }

        def column(expression: Any) -> Any:
            expression = aliases.get(getattr(expression, "name", ""), expression)  # type: ignore[call-overload]
            if isinstance(expression, t.CountStar):
                return "count"
            if isinstance(expression, t.FunctionInvocation):
                name = expression.name[-1].lower()
                return name if name == "count" else (name, *map(column, expression.arguments))
            held = access(expression)
            return (label(held[0]), *held[1:]) if held else type(expression).__name__

        result = draft.result
        first = (column(result.order[0].expression), result.order[0].descending) if result.order else None
        limit = result.limit.value if isinstance(result.limit, t.Integer) else None
        if isinstance(result.limit, t.Parameter):
            limit = cast("int", draft.parameters.get(result.limit.name))
        edges = sorted((label(start), kind, label(end)) for start, _, kind, end in draft.edges())
        columns = frozenset(column(item.expression) for item in result.items)
        return (tuple(edges), frozenset(conditions), columns, first, limit)


async def measure(forms: QueryForms, dialogues: list[dict[str, Any]], *, show: bool) -> dict[str, int]:
    """Ask dialogues, and count the outcomes."""
    counts: Counter[str] = Counter()

    def count(kind: str, turn: dict[str, Any], query: Query | None) -> None:
        outcome = forms.compare(query, turn.get("cypher"))
        counts[f"{kind}: {outcome}"] += 1
        if show and outcome != "right":
            print(f"{kind}: {outcome}: {turn['question']}\n    {query}\n    gold {turn.get('cypher')}")

    for dialogue in dialogues:
        own: PreviousTurn | None = None
        gold: dict[str, Any] = {}
        for number, turn in enumerate(dialogue["turns"]):
            question = turn["question"]
            if gold.get("cypher"):
                previous = PreviousTurn(question=gold["question"], cypher=gold["cypher"], parameters={})
                is_follow_up, query = forms.follow_up(question, previous)
                count("gold", turn, query if is_follow_up else await forms.write(question))
            is_follow_up, query = forms.follow_up(question, own) if own else (False, None)
            query = query if is_follow_up else await forms.write(question)
            count("asked" if number else "first", turn, query)
            if query is not None:
                own = PreviousTurn(question=question, cypher=query[0], parameters=query[1])
            gold = turn
    return dict(sorted(counts.items()))


async def run(
    chosen: argparse.Namespace, files: dict[str, list[dict[str, Any]]]
) -> dict[str, dict[str, int]]:
    """Measure all files."""
    forms = QueryForms(chosen.snapshot, chosen.model, chosen.lexicon)
    try:
        return {name: await measure(forms, each, show=chosen.show) for name, each in files.items()}
    finally:
        await forms.model.close()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=Path, nargs="+", required=True)
    parser.add_argument("--snapshot", type=Path, default=Path("models/demo/snapshot"))
    parser.add_argument("--model", type=Path, default=Path("demo/starter"))
    parser.add_argument("--lexicon", type=Path, default=Path("demo/lexicon.yaml"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    files = {
        file.name: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for file in chosen.dialogues
    }
    text = json.dumps(asyncio.run(run(chosen, files)), indent=1)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
