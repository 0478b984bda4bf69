"""What reading pairs one by one has found wrong, so that it does not come back."""

import re
from random import Random

import pytest

from t2c_core.prompt.variable_names import VariableNames
from t2c_data.errors import UnfitError
from t2c_data.generation.instantiate import InstantiatedTemplate, TemplateInstantiator, remove_repetitions
from t2c_data.graph.context import GraphContext
from t2c_data.lexicon.morphology import inflect_number, negate, subject_verb_agreement
from t2c_data.lexicon.relationship_names import lexicalise_type
from t2c_data.planning.query_tree import SENTINEL_CLOSE, SENTINEL_OPEN, ValueMention
from t2c_data.realisation.surface import realise
from t2c_data.templates.model import load_templates

PATTERNS = {pattern.id: pattern for pattern in load_templates()}
DRAFTS = 30


def drafts(world: GraphContext, *pattern_ids: str, count: int = DRAFTS) -> list[InstantiatedTemplate]:
    composer = TemplateInstantiator(world, VariableNames(world.schema))
    found = []
    for pattern_id in pattern_ids:
        for number in range(count):
            try:
                found.append(composer.instantiate(PATTERNS[pattern_id], Random(f"{pattern_id} {number}")))
            except UnfitError:
                continue
    assert found
    return found


def questions(made: list[InstantiatedTemplate]) -> list[tuple[str, str]]:
    return [
        (realise(text, each.cypher, each.mentions, Random(0)).question, each.cypher)
        for each in made
        for text in each.texts
    ]


def test_a_condition_without_a_value_is_said_too(world: GraphContext) -> None:
    """`smoker = true` leaves no mark in the query that a missing value would betray."""
    made = questions(
        drafts(world, "yesno.degree", "top.entity", "group.entity", "lookup.common", "count.root")
    )
    flagged = [(text, cypher) for text, cypher in made if re.search(r"patient\d?\.smoker = ", cypher)]
    assert flagged
    assert [text for text, _ in flagged if not re.search(r"smok", text, re.IGNORECASE)] == []


def test_dates_are_late_or_early_not_high_or_low(world: GraphContext) -> None:
    ids = [each for each in PATTERNS if each.startswith("top.value")]
    made = [(text, cypher) for text, cypher in questions(drafts(world, *ids)) if ".date" in cypher.lower()]
    dated = [text for text, cypher in made if re.search(r"ORDER BY \w+\.(date|birthDate|hireDate)\b", cypher)]
    assert dated
    wrong = (
        r"\b(highest|largest|greatest|lowest|smallest|bottom) [a-z ]*(date|birthday)|how (high|much|large)"
    )
    assert [text for text in dated if re.search(wrong, text)] == []


def test_figures_are_asked_over_several_things(world: GraphContext) -> None:
    ids = [each.id for each in PATTERNS.values() if each.category in {"aggregate", "group", "top"}]
    for made in drafts(world, *ids, count=12):
        own = {"avg(patient.", "sum(patient.", "max(patient.", "min(patient."}
        if any(each in made.cypher for each in own):
            assert "patient.patientNumber = " not in made.cypher


def test_a_sum_is_not_over_rows_that_repeat(world: GraphContext) -> None:
    for made in drafts(world, "agg.avg", "agg.sum", "group.avg", count=60):
        joined = re.findall(r"-\[(\w+):(\w+)\]->", made.cypher)
        assert not (
            len(joined) == 1
            and "HAS_SIDE_EFFECT" in made.cypher
            and "drug." in made.cypher.partition("RETURN")[2]
            and "side_effect.name = " not in made.cypher
            and "side_effect.name" not in made.cypher.partition("RETURN")[2]
            and "has_side_effect" not in made.cypher.partition("RETURN")[2]
        ), made.cypher


@pytest.mark.parametrize(
    ("phrase", "plural"),
    [
        ("that {} takes", "that {} take"),
        ("where {} is a symptom", "where {} are a symptom"),
        ("to which {} is allergic", "to which {} are allergic"),
        ("in which {value} specialises", "in which {value} specialise"),
        ("that {} teaches", "that {} teach"),
        ("taken by {}", "taken by {}"),
        ("where the symptom is {}", "where the symptom is {}"),
    ],
)
def test_a_verb_agrees_with_the_things_in_front_of_it(phrase: str, plural: str) -> None:
    assert subject_verb_agreement(phrase) == plural


@pytest.mark.parametrize(
    ("phrase", "denied"),
    [
        ("that must not be given to {}", ""),
        ("that [does|do] not go with {}", ""),
        ("without {}", ""),
        ("that [treats|treat] {}", "that [does|do] not treat {}"),
        ("that [was|were] taken by {}", "that [was|were] not taken by {}"),
        ("that may be given to {}", "that may not be given to {}"),
        ("taken by {}", "not taken by {}"),
    ],
)
def test_what_is_denied_already_is_not_denied_again(phrase: str, denied: str) -> None:
    assert negate(phrase) == denied


def test_a_phrase_agrees_with_the_noun_in_front_of_it() -> None:
    assert inflect_number("that were reported {}", plural=False) == "that was reported {}"
    assert inflect_number("who have {}", plural=False) == "who has {}"
    assert inflect_number("that were reported {}", plural=True) == "that were reported {}"


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("return the ward ward names", "return the ward names"),
        ("the blood test's test name", "the blood test name"),
        ("drugs with their names of the patients", "drugs with the names of the patients"),
        ("name the names of all drugs", "list the names of all drugs"),
        ("visits to the ward X, above floor 0,.", "visits to the ward X, above floor 0."),
        ("the drug used at night used at night in the case", "the drug used at night in the case"),
        ("drugs with their date of approval", "drugs with their date of approval"),
    ],
)
def test_what_holes_give_side_by_side_is_mended(text: str, better: str) -> None:
    assert remove_repetitions(text) == better


@pytest.mark.parametrize(("value", "said"), [(1, "1 day"), (2, "2 days")])
def test_one_is_followed_by_a_singular(value: int, said: str) -> None:
    text = f"visits shorter than {SENTINEL_OPEN}0{SENTINEL_CLOSE} days"
    question = realise(text, "", {0: ValueMention(0, value, "number")}, Random(0)).question
    assert question.rstrip(".").endswith(said)


@pytest.mark.parametrize(
    ("name", "phrase", "role"),
    [
        ("falls under", "that [falls|fall] under {}", ""),
        ("is interacting", "where {} is an interacting drug", "interacting drug"),
        ("is primary suspect", "where {} is a primary suspect", "primary suspect drug"),
        ("contraindicated in", "contraindicated in {}", ""),
        ("resulted in", "that resulted in {}", ""),
        ("treats", "that [treats|treat] {}", "treated drug"),
        ("wrote", "that wrote {}", "written drug"),
        ("member of", "that [is a member|are members] of {}", ""),
        ("allergic to", "that [is|are] allergic to {}", ""),
        ("on ward", "on ward {}", ""),
        ("xqz 7", "linked to {} by xqz 7", ""),
    ],
)
def test_the_name_of_a_type_suggests_phrases_and_roles(name: str, phrase: str, role: str) -> None:
    words = lexicalise_type(name, "case", "drug", alone=False)
    assert phrase in words["forward"]
    assert words["target_role"] == ([role] if role else [])


def test_what_people_do_over_an_event_is_said_without_the_event(world: GraphContext) -> None:
    """Patients visit wards over visits; the doctors who see them visit nothing."""
    made = questions(drafts(world, "lookup.key", "lookup.key.own", "lookup.distinct.root", count=300))
    visited = [(text, cypher) for text, cypher in made if " visited " in text]
    over = [text for text, cypher in visited if ":Ward" in cypher and "visit.date" not in cypher]
    assert any(re.search(r"visited by", text) for text in over)
    assert any(re.search(r"(that|who) (have |has )?visited", text) for text in over)
    assert not [
        text for text, _ in visited if re.search(r"(doctor|physician)s? (that|who) (ha\w+ )?visited", text)
    ]


def test_what_neighbours_do_most_is_an_adjective(world: GraphContext) -> None:
    made = [text for text, _ in questions(drafts(world, "top.entity", "top.entity.one", count=120))]
    assert any(re.search(r"most (often |frequently )?(taken|prescribed|visited)\b", text) for text in made)


def test_an_event_of_which_only_the_time_matters_is_said_by_a_participle(world: GraphContext) -> None:
    made = questions(drafts(world, "lookup.key", "count.root", "lookup.distinct.root", count=250))
    dated = [cypher for text, cypher in made if re.search(r"visited (in|on|before|after) '?\d{4}", text)]
    assert dated
    assert all("visit.date" in cypher for cypher in dated)


def test_how_often_something_happened_is_said_in_times(world: GraphContext) -> None:
    made = [text for text, _ in questions(drafts(world, "list.degree", "count.degree", count=150))]
    assert any(re.search(r"\b(visited|prescribed|taken|treated) .*\d+ times", text) for text in made)
