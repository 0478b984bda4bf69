import re
from random import Random

import pytest

from t2c_core.prompt.compact import decode, encode
from t2c_core.prompt.names import Names
from t2c_data.composition import Composer, Draft
from t2c_data.errors import TemplateError, UnfitError
from t2c_data.patterns import choose, load_patterns, variants
from t2c_data.surface import write
from t2c_data.world import World

PATTERNS = load_patterns()
TRIES = 400
SPLIT_LABELS = ("Patient", "Drug", "Visit", "LabResult", "Doctor", "Disease", "LabTest", "Ward")


def fill(world: World, pattern_id: str, count: int) -> list[Draft]:
    pattern = next(each for each in PATTERNS if each.id == pattern_id)
    composer = Composer(world, Names(world.schema))
    found: list[Draft] = []
    for number in range(TRIES):
        try:
            found.append(composer.compose(pattern, Random(number)))
        except UnfitError:
            continue
        if len(found) == count:
            break
    return found


def test_there_are_a_hundred_patterns_in_many_categories() -> None:
    assert len(PATTERNS) >= 100
    assert len({pattern.category for pattern in PATTERNS}) >= 12
    assert sum(variants(say) for pattern in PATTERNS for say in pattern.say) > 10_000


def test_every_pattern_is_filled_from_the_demo_graph_and_runs(world: World, run_all) -> None:
    queries, owners = [], []
    for pattern in PATTERNS:
        drafts = fill(world, pattern.id, 2)
        assert drafts, f"{pattern.id} cannot be filled"
        for draft in drafts:
            for text in draft.texts:
                written = write(text, draft.cypher, draft.mentions, Random(1))
                assert not re.search("[\ue000-\ue0ff{}$]", written.question), written.question
                assert set(written.parameters) == set(re.findall(r"\$(v\d+)", written.cypher))
                assert decode(encode(written.cypher)) == written.cypher
            queries.append((written.cypher, written.parameters))
            owners.append(pattern)
    answers = run_all(queries)
    empty = [owner.id for owner, rows in zip(owners, answers, strict=True) if not rows]
    assert len(empty) <= len(answers) * 0.05, empty


def test_parameters_are_numbered_in_the_order_of_their_mentions(world: World) -> None:
    for draft in fill(world, "lookup.key", 30):
        for text in draft.texts:
            written = write(text, draft.cypher, draft.mentions, Random(1))
            places = [
                written.question.find(str(value))
                for value in written.parameters.values()
                if isinstance(value, str) and "-" not in value
            ]
            assert places == sorted(places)
            assert list(written.parameters) == [
                f"v{number}" for number in range(1, len(written.parameters) + 1)
            ]


def test_wordings_of_one_query_differ(world: World) -> None:
    drafts = fill(world, "agg.avg", 20)
    assert all(len(set(draft.texts)) == len(draft.texts) for draft in drafts)
    assert sum(len(draft.texts) for draft in drafts) > 40


def test_choices_nest_and_an_empty_choice_is_one() -> None:
    assert {choose("a(b|c(d|e)|)", Random(seed)) for seed in range(60)} == {"ab", "acd", "ace", "a"}


def test_a_broken_file_of_patterns_is_named(tmp_path) -> None:
    (tmp_path / "bad.yaml").write_text("patterns:\n- {id: x, category: y}\n")
    with pytest.raises(TemplateError, match=r"bad\.yaml"):
        load_patterns(tmp_path)
    (tmp_path / "bad.yaml").unlink()
    with pytest.raises(TemplateError, match="no patterns"):
        load_patterns(tmp_path)
