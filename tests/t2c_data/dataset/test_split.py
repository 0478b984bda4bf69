"""Splits without leakage, against a plain reference in memory."""

from collections import defaultdict
from dataclasses import replace
from random import Random

from t2c_data.dataset.split import (
    Splitter,
    StringInterner,
    assign_splits,
    leak_report,
    near_duplicate_key,
)
from t2c_data.pairs import Pair, skeleton


def pairs(count: int, seed: int = 0) -> list[Pair]:
    rng = Random(seed)
    words = ["drug", "case", "ward", "age", "name", "date", "dose", "route"]
    return [
        Pair(
            id=str(number),
            question=f"what {' '.join(rng.choices(words, k=3))} is {rng.randrange(5)}",
            cypher=f"MATCH (n:{rng.choice(words)}) WHERE n.x = $v1 RETURN n.{rng.choice(words)}{rng.randrange(40)}",
            parameters={"v1": number},
        )
        for number in range(count)
    ]


def components(made: list[Pair]) -> dict[int, set[int]]:
    """Join by repeated passes until nothing changes: slow, plain."""
    group = list(range(len(made)))
    lowest: dict[str, int] = {}
    changed = True
    while changed:
        changed = False
        for place, pair in enumerate(made):
            for key in (f"c{skeleton(pair.cypher)}", f"q{near_duplicate_key(pair)}"):
                low = min(lowest.get(key, group[place]), group[place])
                changed |= lowest.get(key, low) != low or group[place] != low
                lowest[key] = group[place] = low
    found: dict[int, set[int]] = defaultdict(set)
    for place, low in enumerate(group):
        found[low].add(place)
    return found


def test_components_are_never_cut() -> None:
    made = pairs(400)
    split, report = assign_splits(made, seed=3)
    for places in components(made).values():
        assert len({split[place].split for place in places}) == 1
    assert {name: report[name] for name in ("skeleton", "question", "near")} == {
        "skeleton": 0, "question": 0, "near": 0,
    }  # fmt: skip
    assert [pair.id for pair in split] == [pair.id for pair in made]


def test_the_seed_mixes_and_the_order_of_pairs_within_a_component_does_not_matter() -> None:
    made = pairs(400)
    first = {pair.id: pair.split for pair in assign_splits(made, seed=1)[0]}
    assert first != {pair.id: pair.split for pair in assign_splits(made, seed=2)[0]}
    assert first == {pair.id: pair.split for pair in assign_splits(made[::-1], seed=1)[0]}


def test_pairs_that_are_alike_for_another_reason_stay_together() -> None:
    made = pairs(60)
    splitter = Splitter()
    for pair in made:
        splitter.add(pair)
    for place in range(1, len(made)):
        splitter.join(0, place)
    assert set(splitter.choose(seed=0)) == {"train"}


def test_a_leak_is_counted() -> None:
    made = pairs(2)
    twin = [made[0], Pair(**{**made[0].__dict__, "id": "x", "split": "test"})]
    report = leak_report(twin)
    assert (report["skeleton"], report["question"], report["near"]) == (1, 1, 1)
    assert report["splits"] == {"test": 1, "train": 1}


def test_texts_are_numbered_as_they_come_and_sorted_as_python_sorts() -> None:
    texts = ["b", "a", "é", "Z", "b", "\U0001f600", "\uffff", ""]
    numbering = StringInterner()
    assert [numbering.number(text) for text in texts] == [0, 1, 2, 3, 0, 4, 5, 6]
    assert len(numbering) == 7
    assert [text for text, _ in numbering.sorted()] == sorted(set(texts))


def test_pairs_that_share_a_shape_or_a_wording_stay_together() -> None:
    def pair(number: int, question: str, cypher: str, value: str) -> Pair:
        return Pair(id=str(number), question=question, cypher=cypher, parameters={"v1": value})

    made = [
        pair(number, f"{verb} the {thing} {place} of 'value{number}'", f"MATCH (a:{thing}{place}) WHERE a.x = $v1 RETURN a.y", f"value{number}")
        for number, (verb, thing, place) in enumerate((verb, thing, place) for verb in ("list", "show", "get") for thing in "ABCDEFGH" for place in "JKLMNOPQRS")
    ]  # fmt: skip
    split, report = assign_splits(made, seed=3)
    assert report["skeleton"] == report["near"] == report["question"] == 0
    assert len({each.split for each in split}) == 3
    assert leak_report([*split, made[0], replace(made[0], split="dev")])["skeleton"] == 1
    assert near_duplicate_key(made[0]) == near_duplicate_key(pair(1, "please show me A J of 'z'", "", "z"))
