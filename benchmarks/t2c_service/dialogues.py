"""Measure follow-up turns: dialogues asked turn by turn, as a client with the earlier questions asks them.

    python benchmarks/t2c_service/dialogues.py --dialogues FILE... [--out results/dialogues.json] [--show]

A turn is right if its rows are those of the gold query, in its order where it has one. Three figures: turns as asked,
with nothing but the earlier questions; follow-ups behind the gold query of the turn before; and those with the words of
both questions composed for the model instead of a change of the query (`composed`). `lenient` compares the columns that
both results have, where the question does not say which columns it wants. --show prints the turns that are not right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2c_core.consistency.query_analysis import QueryAnalysis
from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.graph.client import QueryLimits
from t2c_core.metrics import compare, equal_on_common_columns
from t2c_service.access.principals import LOCAL_ADMIN
from t2c_service.answering.conversation.dialogue import compose
from t2c_service.answering.conversation.turns import Turn
from t2c_service.answering.options import AskOptions
from t2c_service.bootstrap import open_service
from t2c_service.service import RequestContext
from t2c_service.settings_loader import load_settings

if TYPE_CHECKING:
    from t2c_service.answering.records import Answer
    from t2c_service.service import Service

TIMEOUT_S = 300.0
"""Seconds for a query, on a machine with other work."""
LIMITS = QueryLimits(max_rows=10_000, timeout_s=TIMEOUT_S)
GIVEN = {"answered", "empty"}


class Dialogues:
    """Asks dialogues of one service."""

    def __init__(self, service: Service, *, show: bool) -> None:
        self._service = service
        self._show = show
        self.counts: Counter[str] = Counter()

    async def ask(self, dialogue: dict[str, Any]) -> None:
        """Ask all turns of a dialogue and count what is right."""
        turns = dialogue["turns"]
        for number, turn in enumerate(turns):
            earlier = [Turn(question=each["question"]) for each in turns[:number]]
            kind = "follow-up" if number else "first"
            self._count(f"{kind} as asked", turn, await self._gold(turn), await self._answer(turn, earlier))
            before = turns[number - 1] if number else {}
            if not before.get("cypher"):
                continue
            gold = await self._gold(turn)
            given = [Turn(question=before["question"], cypher=before["cypher"], is_trusted=True)]
            self._count("follow-up behind the gold query", turn, gold, await self._answer(turn, given))
            composed = {"question": compose(before["question"], turn["question"])}
            self._count("follow-up composed", turn, gold, await self._answer(composed, []))

    async def _answer(self, turn: dict[str, Any], conversation: list[Turn]) -> Answer:
        context = RequestContext(principal=LOCAL_ADMIN, channel="command")
        options = AskOptions(include_graph=False)
        return await self._service.ask(turn["question"], options, conversation=conversation, context=context)

    async def _gold(self, turn: dict[str, Any]) -> list[tuple[Any, ...]] | None:
        if not turn.get("cypher"):
            return None
        graph = self._service.default_database.graph
        result = await graph.execute_read(turn["cypher"], {}, LIMITS)
        return [tuple(row) for row in result.rows]

    def _count(
        self, kind: str, turn: dict[str, Any], gold: list[tuple[Any, ...]] | None, answer: Answer
    ) -> None:
        rows = [tuple(row) for row in answer.rows]
        is_given = answer.status in GIVEN
        if gold is None:
            outcome = "wrong" if is_given else "right"
            lenient = not is_given
        else:
            in_order = is_given and _same_order(turn["cypher"], answer.cypher or "")
            is_equal = in_order and compare(gold, rows).equal
            lenient = in_order and (is_equal or equal_on_common_columns(gold, rows))
            outcome = "right" if is_equal else "wrong" if is_given else "not answered"
        self.counts[f"{kind}: {outcome}"] += 1
        self.counts[f"{kind}: lenient"] += lenient
        if self._show and outcome != "right" and "composed" not in kind:
            print(f"{kind}: {outcome}{' (lenient right)' if lenient else ''}: {turn['question']}")
            print(
                f"    {answer.status} {answer.cypher} {dict(answer.parameters)}\n    gold {turn.get('cypher')}"
            )


def _same_order(gold: str, cypher: str) -> bool:
    """Return whether a query sorts as the gold does, if that sorts."""
    wanted, used = QueryAnalysis(gold).order, QueryAnalysis(cypher).order
    if not wanted:
        return True
    return bool(used) and _sort_key(wanted[0], gold) == _sort_key(used[0], cypher)


def _sort_key(item: t.SortItem, cypher: str) -> tuple[str, bool]:
    result = QueryAnalysis(cypher).result
    aliases = {each.alias.name: each.expression for each in result.items if each.alias} if result else {}
    expression = item.expression
    if isinstance(expression, t.Variable):
        expression = aliases.get(expression.name, expression)
    keys = [node.key for node in walk(expression) if isinstance(node, t.Property)]
    return (keys[0] if keys else "count"), item.descending


async def run(config: Path, files: list[Path], *, show: bool) -> dict[str, Any]:
    """Ask the dialogues of files, and return the counts of each."""
    settings = load_settings(config)
    limits = settings.limits.model_copy(
        update={"timeout_s": TIMEOUT_S, "request_timeout_s": 2 * TIMEOUT_S, "max_rows": LIMITS.max_rows}
    )
    changes = {"hardening_check": "off", "limits": limits}
    report: dict[str, Any] = {}
    async with open_service(settings.model_copy(update=changes)) as service:
        for file in files:
            dialogues = Dialogues(service, show=show)
            for line in file.read_text(encoding="utf-8").splitlines():
                await dialogues.ask(json.loads(line))
            report[file.name] = dict(sorted(dialogues.counts.items()))
    return report


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("demo/graphling.yaml"))
    parser.add_argument("--dialogues", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    report = asyncio.run(run(chosen.config, chosen.dialogues, show=chosen.show))
    text = json.dumps(report, indent=1)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
