"""Attacks are refused with the codes of the corpora, good queries are allowed; needs no database."""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from t2c_core.guard.guard import Guard
from t2c_core.guard.verdict import CODES, REPAIRS

from .conftest import POLICY, rows

GOOD = rows("good")
ATTACKS = [row for row in rows("attacks") if row["code"] != "mask"]
WRONG = rows("wrong")


def by(corpus, key):
    """Group the rows of a corpus, one test per group."""
    ordered = sorted(corpus, key=lambda row: row[key])
    return [pytest.param(list(each), id=name) for name, each in groupby(ordered, key=lambda row: row[key])]


def test_corpora_are_large_and_without_duplicates():
    assert len(GOOD) >= 300
    assert len(ATTACKS) >= 200
    for corpus in (GOOD, ATTACKS, WRONG):
        assert max(Counter(row["id"] for row in corpus).values()) == 1
        assert max(Counter(row["cypher"] for row in corpus).values()) == 1


@pytest.mark.parametrize("group", by(GOOD, "category"))
def test_good_query_passes(group, bare, guard):
    for row in group:
        for each in (bare, guard):
            verdict = each.check(row["cypher"], row.get("params"))
            assert verdict.allowed, (row, verdict)
            assert {repair.code for repair in verdict.repairs} <= {"repair.limit", "repair.text"}, row


@pytest.mark.parametrize("group", by(ATTACKS, "family"))
def test_attack_is_refused_with_its_code(group, bare, guard, policy_guard):
    bare_policy_guard = Guard(policy=POLICY)
    for row in group:
        first, other = (policy_guard, bare_policy_guard) if row.get("policy") else (bare, guard)
        verdict = first.check(row["cypher"])
        assert verdict.codes == (row["code"],), (row, verdict)
        assert verdict.position is not None
        assert not other.check(row["cypher"]).allowed, row


def test_wrong_query_is_refused_with_its_code(guard, bare):
    for row in WRONG:
        assert guard.check(row["cypher"]).codes == (row["code"],), row
        assert bare.check(row["cypher"]).allowed != row["code"].startswith("scope."), row  # needs no schema


def test_every_code_occurs():
    occurring = {row["code"] for row in ATTACKS + WRONG}
    others = {"allow.node", "policy.path", "plan.query_type", "plan.operator"}
    assert occurring | others == set(CODES)


def test_documented_codes_are_the_codes():
    text = (Path(__file__).parents[3] / "docs" / "guard.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (.*) \|$", text, re.MULTILINE))
    assert documented == {**CODES, **REPAIRS}
