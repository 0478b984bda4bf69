"""Latency of an in-process answer by stage, up to the query: link, prompt, model, parse.

    python benchmarks/t2c_service/answers.py --snapshot SNAPSHOT --model demo/starter --questions demo/questions.jsonl
        [--threads 1 2] [--repeats 3] [--loads 1 8]

Writes results/answers.json and results/answers.md beside this file. Each question is asked alone, then several at a
time. `transformers` is the same model run by that library; `ours` is `FastLlama`, `ours, grammar` the same with
constrained decoding. Wall times depend on the load of the machine (`busy`), so CPU times are given too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from t2c_core.grammar import GrammarCache
from t2c_core.prompt import SchemaTokenFormat
from t2c_core.schema import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_service.models.local import engine
from t2c_service.models.local import model as local
from t2c_service.models.local.model import LocalModel

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
STAGES = ("link", "prompt", "model", "parse", "total")


class Clock:
    """Wall and CPU milliseconds by stage."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall.setdefault(name, []).append((time.perf_counter() - wall) * 1000)
        self.cpu.setdefault(name, []).append((time.process_time() - cpu) * 1000)

    def figures(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                "wall_p50_ms": statistics.median(times),
                "wall_p95_ms": sorted(times)[int(len(times) * 0.95)],
                "cpu_p50_ms": statistics.median(self.cpu[name]),
                "cpu_p95_ms": sorted(self.cpu[name])[int(len(times) * 0.95)],
            }
            for name, times in self.wall.items()
        }


class Answers:
    """Everything up to the query of one graph and model."""

    def __init__(self, snapshot: Path, model: LocalModel, *, grammar: bool) -> None:
        self.schema = GraphSchema.load(snapshot)
        self.linker = Linker(ValueIndex(snapshot / "values.sqlite"), self.schema)
        self.format = SchemaTokenFormat(self.schema)
        self.grammars = GrammarCache(self.schema, self.format) if grammar else None
        self.model = model

    async def ask(self, question: str, clock: Clock) -> str:
        with clock.stage("total"):
            with clock.stage("link"):
                linked = self.linker.link(question)
            with clock.stage("prompt"):
                prompt = self.format.render(linked)
                grammar = self.grammars.for_question(linked) if self.grammars else None
            with clock.stage("model"):
                completion = await self.model.complete(prompt, grammar=grammar, timeout_s=600)
            with clock.stage("parse"):
                generated = self.format.parse(completion.text, linked)
        return generated.cypher

    async def measure(
        self, questions: list[str], repeats: int
    ) -> tuple[dict[str, dict[str, float]], list[str]]:
        for question in questions:  # grammars are compiled and values read once
            await self.ask(question, Clock())
        clock, queries = Clock(), []
        for _ in range(repeats):
            queries = []
            for question in questions:
                queries.append(await self.ask(question, clock))
        return clock.figures(), queries

    async def throughput(self, questions: list[str], at_once: int) -> dict[str, float]:
        slots = asyncio.Semaphore(at_once)
        times: list[float] = []

        async def one(question: str) -> None:
            async with slots:
                started = time.perf_counter()
                await self.ask(question, Clock())
                times.append((time.perf_counter() - started) * 1000)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(one, questions))
        return {
            "questions_a_second": len(questions) / (time.perf_counter() - wall),
            "cpu_ms_a_question": (time.process_time() - cpu) * 1000 / len(questions),
            "p50_ms": statistics.median(times),
            "p95_ms": sorted(times)[int(len(times) * 0.95)],
        }


def load(folder: Path, threads: int, *, ours: bool) -> LocalModel:
    chosen = engine.choose_engine
    if not ours:
        engine.choose_engine = lambda model, **_: engine.TransformersEngine(model)
    try:
        return LocalModel.load(folder, threads=threads)
    finally:
        engine.choose_engine = chosen


async def run(chosen: argparse.Namespace) -> dict[str, object]:
    lines = chosen.questions.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    result: dict[str, object] = {
        "busy": os.getloadavg()[0],
        "questions": len(questions),
        "alone": {},
        "load": {},
    }
    queries: dict[str, list[str]] = {}
    for threads in chosen.threads:
        for name, ours, grammar in (
            ("transformers", False, False),
            ("ours", True, False),
            ("ours, grammar", True, True),
        ):
            model = load(chosen.model, threads, ours=ours)
            answers = Answers(chosen.snapshot, model, grammar=grammar)
            key = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
            result["alone"][key], queries[key] = await answers.measure(questions, chosen.repeats)
            print(key, json.dumps(result["alone"][key]["model"]), flush=True)
            if grammar and threads == chosen.threads[0]:
                for at_once in chosen.loads:
                    result["load"][at_once] = await answers.throughput(questions * chosen.repeats, at_once)
                    print(at_once, "at once", json.dumps(result["load"][at_once]), flush=True)
            await model.close()
    first = next(iter(queries.values()))
    result["other_queries"] = {
        key: sum(left != right for left, right in zip(first, found, strict=True))
        for key, found in queries.items()
    }
    return result


def write(result: dict) -> None:
    (RESULTS / "answers.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    head = ["", *(f"{stage} p50 / p95" for stage in STAGES), "queries unlike the first row's"]
    lines = ["# Time of an in-process answer, up to the query", ""]
    lines += [f"{result['questions']} questions; load of the machine {result['busy']:.1f}.", ""]
    for kind in ("wall", "cpu"):
        lines += [f"Milliseconds, {kind}:", "", "|" + "|".join(head) + "|", "|---" * len(head) + "|"]
        for key, stages in result["alone"].items():
            cells = [
                f"{stages[each][f'{kind}_p50_ms']:.2f} / {stages[each][f'{kind}_p95_ms']:.2f}"
                for each in STAGES
            ]
            lines.append("|" + "|".join([key, *cells, str(result["other_queries"][key])]) + "|")
        lines.append("")
    lines += [
        "Several at a time (ours, grammar):",
        "",
        "|at once|questions a second|CPU ms a question|p50 ms|p95 ms|",
    ]
    lines += ["|---|---|---|---|---|"]
    lines += [
        "|" + "|".join([str(at_once), *(f"{each:.2f}" for each in row.values())]) + "|"
        for at_once, row in result["load"].items()
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "answers.md").write_text(text, encoding="utf-8")
    print(text)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--snapshot", type=Path, required=True)
    options.add_argument("--model", type=Path, required=True)
    options.add_argument("--questions", type=Path, required=True)
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options.add_argument("--loads", type=int, nargs="+", default=[1, 8])
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads[0])
    local.CACHE_SIZE = 1  # repeated questions are decoded again
    write(asyncio.run(run(chosen)))


if __name__ == "__main__":
    main()
