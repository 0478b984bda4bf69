"""Measure value linking: recall, spurious links, latency, and a large index.

    python benchmarks/t2c_core/linking.py --snapshot SNAPSHOT --pairs PAIRS.jsonl
        [--without-graph MORE.jsonl ...] [--values 1000000] [--show 20]

Writes results/linking.json and results/linking.md beside this file. A gold literal counts as found if some
link has the literal's value, and for an equality also the property that the gold Cypher compares it with,
where the graph holds it there. Literals that the question does not say are left out. For pairs whose graph
is not at hand the index and the schema are made of what their golds name: an easier case for recall, an
honest one for links that should not be there. Times are those of the processor, so that a busy machine does
not change them.
"""

from __future__ import annotations

import argparse
import calendar
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2c_core.schema import GraphSchema, NodeLabel, Property
from t2c_core.values.index import IndexedValue, ValueIndex
from t2c_core.values.linker import LinkedMention, Linker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULTS = Path(__file__).parent / "results"

_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_LITERAL = rf"(?:date\(\s*)?(?:{_TEXT}|-?\d+(?:\.\d+)?)"
_VARIABLE = re.compile(r"[(\[]\s*(\w+)\s*:\s*(\w+)")
_MAP = re.compile(r"[(\[]\s*\w*\s*:\s*(\w+)[^{}()\[\]]*\{([^{}]*)\}")
_PAIR = re.compile(rf"(\w+)\s*:\s*({_LITERAL})")
_COMPARISON = re.compile(
    r"(?:toLower\(|date\()?(\w+)\.(\w+)\)?(?:\.(year|month))?\s*"
    rf"(=|<>|<=|>=|<|>|IN|CONTAINS|STARTS WITH|ENDS WITH)\s*(\[[^\]]*\]|{_LITERAL})",
    re.IGNORECASE,
)
_ACCESS = re.compile(r"\b(\w+)\.(\w+)")
_LIMIT = re.compile(r"\bLIMIT\s+(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Gold:
    """A literal of a gold Cypher and the property it is compared with; `owner` is empty if there is none."""

    value: str | int | float
    owner: str = ""
    property: str = ""
    equality: bool = True


def golds(cypher: str) -> list[Gold]:
    owners = dict(_VARIABLE.findall(cypher))
    found = [
        Gold(_read(text), owner, name)
        for owner, pairs in _MAP.findall(cypher)
        for name, text in _PAIR.findall(pairs)
    ]
    for variable, name, part, operator, operand in _COMPARISON.findall(cypher):
        equality = operator.upper() in {"=", "<>", "IN"} and not part
        found += [
            Gold(_read(text), owners.get(variable, ""), name, equality)
            for text in re.findall(_LITERAL, operand)
        ]
    found += [Gold(int(text), equality=False) for text in _LIMIT.findall(cypher)]
    return list(dict.fromkeys(found))


def _read(text: str) -> str | int | float:
    text = re.sub(r"^date\(\s*", "", text)
    if text[0] in "'\"":
        return re.sub(r"\\([\\'\"])", r"\1", text[1:-1])
    return float(text) if "." in text else int(text)


def is_found(gold: Gold, links: tuple[LinkedMention, ...], index: ValueIndex) -> bool:
    return any(matches(gold, link, index) for link in links)


def matches(gold: Gold, link: LinkedMention, index: ValueIndex) -> bool:
    placed = any(
        (each.label_or_type, each.property, each.value) == (gold.owner, gold.property, gold.value)
        for each in link.occurrences
    )
    if placed:
        return True
    stored = gold.equality and any(
        (hit.label_or_type, hit.property, hit.value) == (gold.owner, gold.property, gold.value)
        for hit in index.folded(str(gold.value))
    )
    if stored:
        return False
    return link.value == gold.value or str(link.value).casefold() == str(gold.value).casefold()


def is_in(question: str, gold: Gold) -> bool:
    """Whether a reader could take the literal from the question at all."""
    text = str(gold.value)
    if text.casefold() in question.casefold():
        return True
    if isinstance(gold.value, int) and not gold.equality and 1 <= gold.value <= 12:
        return calendar.month_name[gold.value].casefold() in question.casefold()
    return isinstance(gold.value, float) and text.removesuffix(".0") in question


def unquoted(question: str, texts: list[str]) -> str:
    for text in sorted(texts, key=len, reverse=True):
        for written in (text, text.replace("'", "\\'")):
            question = question.replace(f"'{written}'", text).replace(f'"{written}"', text)
    return question


def with_slip(question: str, texts: list[str], seed: str) -> str:
    generator = random.Random(seed)
    for text in sorted(texts, key=len, reverse=True):
        positions = [i for i in range(1, len(text) - 1) if text[i - 1 : i + 2].isalpha()]
        if len(text) < 6 or not positions:
            continue
        at = generator.choice(positions)
        wrong = {
            "drop": text[:at] + text[at + 1 :],
            "double": text[:at] + text[at] + text[at:],
            "swap": text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            "other": text[:at] + generator.choice("aeioustrn") + text[at + 1 :],
        }[generator.choice(["drop", "double", "swap", "other"])]
        question = re.sub(re.escape(text), lambda _, wrong=wrong: wrong, question, flags=re.IGNORECASE)
    return question


def variants(question: str, texts: list[str]) -> dict[str, str]:
    bare = unquoted(question, texts)
    return {
        "as written": question,
        "quotes removed": bare,
        "quotes removed, lower case": bare.lower(),
        "typo": with_slip(question, texts, question),
        "typo, quotes removed, lower case": with_slip(
            bare.lower(), [each.lower() for each in texts], question
        ),
    }


def measure(
    linker: Linker, index: ValueIndex, pairs: list[dict[str, str]], show: int
) -> dict[str, dict[str, float]]:
    table: dict[str, Counter[str]] = {}
    shown: Counter[str] = Counter()
    for pair in pairs:
        wanted = [gold for gold in golds(pair["cypher"]) if is_in(pair["question"], gold)]
        texts = [
            gold.value for gold in wanted if isinstance(gold.value, str) and not gold.value[:4].isdigit()
        ]
        for name, question in variants(pair["question"], texts).items():
            links = linker.link(question).links
            tally = table.setdefault(name, Counter())
            missed = [gold for gold in wanted if not is_found(gold, links, index)]
            strings = [gold for gold in wanted if gold.value in texts]
            spurious = [link for link in links if not any(matches(gold, link, index) for gold in wanted)]
            tally.update(
                questions=1,
                golds=len(wanted),
                found=len(wanted) - len(missed),
                strings=len(strings),
                strings_found=sum(gold not in missed for gold in strings),
                whole=not missed,
                spurious=len(spurious),
                spurious_values=sum(link.kind in {"value", "text"} for link in spurious),
            )
            if (missed or spurious) and shown[name] < show:
                shown[name] += 1
                print(f"[{name}] {question}\n    missed: {missed}", file=sys.stderr)
                for link in spurious:
                    print(f"    spurious: {link.text!r} {link.kind} {link.occurrences[:3]}", file=sys.stderr)
    return {
        name: {
            "questions": tally["questions"],
            "recall": tally["found"] / tally["golds"],
            "recall of texts": tally["strings_found"] / tally["strings"],
            "questions with all": tally["whole"] / tally["questions"],
            "spurious a question": tally["spurious"] / tally["questions"],
            "spurious values a question": tally["spurious_values"] / tally["questions"],
        }
        for name, tally in table.items()
    }


def timed(call: Callable[[str], object], texts: list[str]) -> dict[str, float]:
    times = []
    for text in texts:
        start = time.thread_time()
        call(text)
        times.append((time.thread_time() - start) * 1000)
    times.sort()
    return {"p50 cpu ms": statistics.median(times), "p99 cpu ms": times[int(len(times) * 0.99)]}


def synthetic(count: int) -> Iterator[IndexedValue]:
    generator = random.Random(0)
    parts = [
        "".join(generator.choices("aeioubcdfghlmnprst", k=generator.randint(2, 5))) for _ in range(3_000)
    ]
    lexicon = ["".join(generator.sample(parts, 2)) for _ in range(200_000)]
    for number in range(count):
        owner, name = f"Label{number % 20}", f"name{number % 3}"
        words = generator.choices(lexicon, k=generator.choice([1, 2, 2, 3, 4, 6]))
        yield IndexedValue(" ".join(words).capitalize(), owner, name, "node", 1 + number % 7)


def index_of_golds(pairs: list[dict[str, str]], path: Path) -> GraphSchema:
    """Index the texts that golds compare properties with; make a schema of all properties that golds name."""
    values: Counter[tuple[str, str, str]] = Counter()
    properties: dict[str, set[str]] = {}
    for pair in pairs:
        owners = dict(_VARIABLE.findall(pair["cypher"]))
        for owner in owners.values():
            properties.setdefault(owner, set())
        for variable, name in _ACCESS.findall(pair["cypher"]):
            if variable in owners:
                properties[owners[variable]].add(name)
        for gold in golds(pair["cypher"]):
            if gold.owner:
                properties.setdefault(gold.owner, set()).add(gold.property)
                if isinstance(gold.value, str) and gold.equality:
                    values[gold.owner, gold.property, gold.value] += 1
    rows = (IndexedValue(value, owner, name, "node", count) for (owner, name, value), count in values.items())
    ValueIndex.build(path, rows)
    labels = (
        NodeLabel(
            name=owner,
            count=1,
            properties=tuple(Property(name=name, type="STRING") for name in sorted(names)),
        )
        for owner, names in sorted(properties.items())
    )
    return GraphSchema(labels=tuple(labels), types=(), triples=())


def large(count: int) -> dict[str, float]:
    labels = tuple(
        NodeLabel(
            name=f"Label{i}",
            count=1,
            properties=tuple(Property(name=f"name{k}", type="STRING") for k in range(3)),
        )
        for i in range(20)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.sqlite"
        start = time.thread_time()
        stored = ValueIndex.build(path, synthetic(count))
        built = time.thread_time() - start
        rows = [row for number, row in enumerate(synthetic(count)) if number % (count // 500) == 0]
        with ValueIndex(path) as index:
            linker = Linker(index, GraphSchema(labels=labels, types=(), triples=()))
            template = (
                "How many cases from {} were reported by people living near it and what is their average age?"
            )
            texts = [str(row.value) for row in rows]
            plain = [template.format(text.lower()) for text in texts]
            quoted = [template.format(f"'{text}'") for text in texts]
            slips = [
                with_slip(question, [text.lower()], question)
                for question, text in zip(plain, texts, strict=True)
            ]
            wrong = [
                with_slip(question, [text], question) for question, text in zip(quoted, texts, strict=True)
            ]
            result = {"values": stored, "build cpu s": built, "bytes": path.stat().st_size}
            result |= {
                f"one fuzzy look-up {key}": value for key, value in timed(index.fuzzy, texts[:200]).items()
            }
            for name, questions in (
                ("plain", plain),
                ("quoted", quoted),
                ("typo", slips),
                ("quoted typo", wrong),
            ):
                result |= {f"{name} {key}": value for key, value in timed(linker.link, questions).items()}
                hits = sum(
                    any(
                        place.value == row.value
                        for link in linker.link(question).links
                        for place in link.occurrences
                    )
                    for question, row in zip(questions, rows, strict=True)
                )
                result[f"{name} recall"] = hits / len(rows)
    return result


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--snapshot", type=Path, required=True)
    options.add_argument("--pairs", type=Path, required=True)
    options.add_argument("--without-graph", type=Path, nargs="*", default=[])
    options.add_argument(
        "--values", type=int, default=1_000_000, help="size of the synthetic index; 0 leaves it out"
    )
    options.add_argument("--show", type=int, default=0, help="print so many misses of each variant")
    chosen = options.parse_args()
    pairs = read_pairs(chosen.pairs)
    with ValueIndex(chosen.snapshot / "values.sqlite") as index:
        linker = Linker(index, GraphSchema.load(chosen.snapshot))
        times = timed(linker.link, [pair["question"] for pair in pairs])
        result: dict = {
            "recall": {chosen.pairs.stem: measure(linker, index, pairs, chosen.show)},
            "latency": times,
        }
    for file in chosen.without_graph:
        with tempfile.TemporaryDirectory() as folder:
            others = read_pairs(file)
            schema = index_of_golds(others, Path(folder) / "values.sqlite")
            with ValueIndex(Path(folder) / "values.sqlite") as index:
                result["recall"][file.stem] = measure(Linker(index, schema), index, others, chosen.show)
    if chosen.values:
        result["large"] = large(chosen.values)
    write(result)


def read_pairs(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(result: dict) -> None:
    (RESULTS / "linking.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    lines = ["# Linking questions to values"]
    for name, table in result["recall"].items():
        columns = list(next(iter(table.values())))
        lines += ["", f"{name}:", "", "| |" + "|".join(columns) + "|", "|---" * (len(columns) + 1) + "|"]
        lines += [
            f"|{key}|" + "|".join(f"{row[each]:.4g}" for each in columns) + "|" for key, row in table.items()
        ]
    times = ", ".join(f"{key} {value:.2f}" for key, value in result["latency"].items())
    lines += ["", f"Time a question on the first: {times}."]
    if "large" in result:
        lines += [
            "",
            "Synthetic index:",
            "",
            *(f"* {key}: {value:,.3g}" for key, value in result["large"].items()),
        ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "linking.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
