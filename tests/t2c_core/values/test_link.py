"""Linking questions: what is found, what is left alone, and in which order places stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2c_core.schema.model import GraphSchema, NodeLabel, Property
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_core.values.sqlite_store import IndexedValue

if TYPE_CHECKING:
    from t2c_core.values.linker import LinkedMention


def values(linker: Linker, question: str) -> list[tuple[str, str, object]]:
    """Text, kind, and the best place's value or the link's own."""
    found = linker.link(question).links
    return [
        (each.text, each.kind, each.occurrences[0].value if each.occurrences else each.value)
        for each in found
    ]


def holders(link: LinkedMention) -> list[str]:
    return [f"{each.label_or_type}.{each.property}" for each in link.occurrences]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        # as written, with and without quotes, in any case
        ("Cases with 'Crohn's disease'?", [("'Crohn's disease'", "value", "Crohn's disease")]),
        ("cases of crohns disease", [("crohns disease", "value", "Crohn's disease")]),
        (
            "the STEVENS JOHNSON SYNDROME cases",
            [("STEVENS JOHNSON SYNDROME", "value", "Stevens-Johnson syndrome")],
        ),
        ("how many took humira?", [("humira", "value", "HUMIRA")]),
        ("fievre patients", [("fievre", "value", "Fièvre")]),
        ("films with bjork gudmundsdottir", [("bjork gudmundsdottir", "value", "Björk Guðmundsdóttir")]),
        # punctuation inside
        (
            "drugs with 'ENALAPRIL\\HYDROCHLOROTHIAZIDE'",
            [("'ENALAPRIL\\HYDROCHLOROTHIAZIDE'", "value", "ENALAPRIL\\HYDROCHLOROTHIAZIDE")],
        ),
        ("those with an ac/dc shock", [("ac/dc shock", "value", "AC/DC shock")]),
        ("prefers C++ to all", [("C++", "value", "C++")]),
        ("the 'Patients' choice' drug", [("'Patients' choice'", "value", "Patients' choice")]),
        # the longest wins
        ("pain in extremity", [("pain in extremity", "value", "Pain in extremity")]),
        (
            "polyethylene glycol 3350 users",
            [("polyethylene glycol 3350", "value", "POLYETHYLENE GLYCOL 3350")],
        ),
        ("takes vitamin b12", [("vitamin b12", "value", "Vitamin B12")]),
        # other endings
        ("reported by physicians", [("physicians", "value", "Physician")]),
        ("the physician's report", [("physician's", "value", "Physician")]),
        ("patients with allergies", [("allergies", "value", "Allergy")]),
        ("given orally", [("orally", "value", "Oral")]),
        ("female patients and men", [("female", "value", "F"), ("men", "value", "M")]),
        # short forms
        ("led to hospitalization", [("hospitalization", "value", "Hospitalization - Initial or Prolonged")]),
        ("played by Tom Hanks", [("Tom Hanks", "value", "Hanks, Tom")]),
        # misspelt
        ("pulmonry embolsim", [("pulmonry embolsim", "value", "Pulmonary embolism")]),
        ("cases of 'pulmonry embolsim'", [("'pulmonry embolsim'", "value", "Pulmonary embolism")]),
        ("reported by a physcian", [("physcian", "value", "Physician")]),
        ("the drug humra", [("humra", "value", "HUMIRA")]),
        ("lfe threatening ones", [("lfe threatening", "value", "Life-Threatening")]),
        # a part of a name
        ("who has diabetes", [("diabetes", "value", "Type 1 diabetes")]),
        ("those of Dr. Quillfeather", [("Quillfeather", "value", "Ada Quillfeather")]),
        ("cases of sarkany", [("sarkany", "value", "Sarkany's disease")]),
        ("where there is much gloom", []),
        ("names that contain diabetes", [("diabetes", "text", "diabetes")]),
        # words made from a name
        ("which cardiologists are there", [("cardiologists", "value", "Cardiology")]),
        ("asthmatic patients", [("asthmatic", "value", "Asthma")]),
        ("a psychiatrist", [("psychiatrist", "value", "Psychiatry")]),
        # adjectives that are plain words as well
        ("common drugs of adults", [("common", "value", "common"), ("adults", "value", "Adult")]),
        ("the most common drugs", []),
        ("drugs that they have in common", []),
        ("rare suspect drugs", [("rare", "value", "rare")]),
        # codes
        ("drugs with 5 mg", [("5", "number", 5), ("mg", "value", "mg")]),
        ("taken in g", [("g", "value", "g")]),
        ("of blood group O-?", [("O-", "value", "O-")]),
        ("blood group O+", [("O+", "value", "O+")]),
        ("gender F", [("F", "value", "F")]),
        ("of gender f", [("f", "value", "F")]),
        ("patients with 'f'", [("'f'", "value", "F")]),
        ("outcome code ho", [("ho", "value", "HO")]),
        ("how many HO cases", [("HO", "value", "HO")]),
        ("ho many cases are there", []),
        ("give me a list of all that we have", []),
        # words of the schema and plain words
        ("how many cases fall under it", []),
        ("the drug interaction cases", [("drug interaction", "value", "Drug interaction")]),
        ("cases with reaction 'Fall'", [("'Fall'", "value", "Fall")]),
        ("cases with the reaction Fall", [("Fall", "value", "Fall")]),
        ("where the reaction is fall", [("fall", "value", "Fall")]),
        ("any other case", []),
        ("the route is other", [("other", "value", "Other")]),
        ("the 'route' of the 'SUSPECT' relationship", []),
        ("the 'SUSPECT's of each 'Drug'", []),
        ("with other as the route", [("other", "value", "Other")]),
        ("the matches played", []),
        (
            "from 189.203.191.43 and 0039-2",
            [("189.203.191.43", "value", "189.203.191.43"), ("0039-2", "value", "0039-2")],
        ),
        ("the account 5853 5624 9828", [("5853 5624 9828", "value", "5853 5624 9828")]),
        ("codes that end with .com", [(".com", "text", ".com")]),
        ("patients with 'hum' in their name", [("'hum'", "text", "hum")]),
        ("drugs with hum in the name", [("hum", "text", "hum")]),
        ("for 'Drug HUMIRA'", [("HUMIRA", "value", "HUMIRA")]),
        ("more than once", [("once", "number", 1)]),
        ("which three drugs", [("three", "number", 3)]),
        ("how old are they", []),
        ("from the old ones", [("old", "value", "Old")]),
        ("cases of the first stage", [("first stage", "value", "First Stage")]),
        ("all age groups", []),
        ("which outcome and reaction descriptions?", []),
        # quoted text that is no value
        ("descriptions of 'foo bar'", [("'foo bar'", "text", "foo bar")]),
        ("names that contain 'hum'", [("'hum'", "text", "hum")]),
        ("names containing the word pain", [("pain", "value", "Pain")]),
        ("names that start with the letter Z", [("Z", "text", "Z")]),
        ("names starting with a", [("a", "text", "a")]),
        # numbers and dates
        ("top 3 of them", [("3", "number", 3)]),
        ("the top three", [("three", "number", 3)]),
        ("older than 70", [("70", "number", 70)]),
        ("primary ID 100654764", [("100654764", "value", 100654764)]),
        ("with primary id 45", [("45", "value", 45)]),
        ("sequence 20", [("20", "value", "20")]),
        ("on August 27, 2021", [("August 27, 2021", "date", "2021-08-27")]),
        ("on '2021-08-27'", [("'2021-08-27'", "date", "2021-08-27")]),
        ("in August 2021", [("August", "month", 8), ("2021", "year", 2021)]),
        ("the year 2001", [("2001", "year", 2001)]),
        ("a case with 2 drugs", [("2", "number", 2)]),
        ("", []),
        ("???", []),
    ],
)
def test_what_a_question_names(
    linker: Linker, question: str, expected: list[tuple[str, str, object]]
) -> None:
    assert values(linker, question) == expected


def test_links_are_named_in_order_and_point_into_the_question(linker: Linker) -> None:
    linked = linker.link("Top 3 routes of Humira for 'headache' in 2021?")
    assert [each.name for each in linked.links] == ["v1", "v2", "v3", "v4"]
    assert [linked.question[each.start : each.end] for each in linked.links] == [
        "3",
        "Humira",
        "'headache'",
        "2021",
    ]
    assert linked.parameters() == {"v1": 3, "v2": "HUMIRA", "v3": "Headache", "v4": 2021}


def test_all_places_of_a_value_are_kept_exact_case_first(linker: Linker) -> None:
    (capital,) = linker.link("who takes ASPIRIN?").links
    assert [(each.label_or_type, each.property, each.value) for each in capital.occurrences] == [
        ("Drug", "name", "ASPIRIN"),
        ("Drug", "substance", "ASPIRIN"),
        ("Drug", "name", "Aspirin"),
    ]
    (mixed,) = linker.link("who takes Aspirin?").links
    assert mixed.occurrences[0].value == "Aspirin"


def test_a_property_named_nearby_comes_first(linker: Linker) -> None:
    (reaction,) = linker.link("the reaction headache").links
    (indication,) = linker.link("the indication headache").links
    assert holders(reaction) == ["Reaction.description", "SUSPECT.indication"]
    assert holders(indication) == ["SUSPECT.indication", "Reaction.description"]


def test_a_misspelling_of_several_values_keeps_them_all(linker: Linker) -> None:
    (link,) = linker.link("those on the drug zytia").links
    assert {each.value for each in link.occurrences} == {"ZETIA", "ZYTIGA"}


def test_a_part_of_several_names_keeps_them_all(linker: Linker) -> None:
    (link,) = linker.link("patients with diabetes").links
    assert {each.value for each in link.occurrences} == {"Type 1 diabetes", "Type 2 diabetes"}


def test_limits_have_no_places_and_bounds_only_numbers(linker: Linker) -> None:
    (limit,) = linker.link("top 45 drugs").links
    (bound,) = linker.link("ids greater than 45").links
    (text,) = linker.link("sequences greater than 20").links
    assert limit.occurrences == ()
    assert holders(bound) == ["Case.primaryId"]
    assert text.occurrences == ()


def test_a_number_in_the_graph_keeps_its_places(linker: Linker) -> None:
    (year,) = linker.link("in 2001").links
    assert (year.kind, holders(year)) == ("year", ["Case.primaryId"])


def test_a_date_has_the_properties_that_hold_it(linker: Linker) -> None:
    (link,) = linker.link("reported on 1 July 2021").links
    assert (link.value, holders(link)) == ("2021-07-01", ["Case.reportDate"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.sampled_from("aeFf 'h\"3-.,(\\é’"), max_size=40))
def test_any_text_can_be_linked(linker: Linker, text: str) -> None:
    linked = linker.link(text)
    ends = [0, *(each.end for each in linked.links)]
    assert all(end <= link.start < link.end for end, link in zip(ends, linked.links, strict=False))
    assert all(text[link.start : link.end] == link.text for link in linked.links)


def test_a_question_without_end_is_linked_in_bounded_work(linker: Linker) -> None:
    linked = linker.link("polyethylene glycol 3350 'x " * 1_000)
    assert len(linked.links) >= 1_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_name_is_found_however_it_is_cased_or_quoted(
    linker: Linker, index: ValueIndex, data: st.DataObject
) -> None:
    name = data.draw(
        st.sampled_from(
            ["Crohn's disease", "Pulmonary embolism", "VORTIOXETINE HYDROBROMIDE", "Björk Guðmundsdóttir"]
        )
    )
    written = data.draw(st.sampled_from([name, name.lower(), name.upper(), name.title()]))
    quote = data.draw(st.sampled_from(["", '"', "'"]))
    (link,) = linker.link(f"How many are there for {quote}{written}{quote} in it?").links
    assert link.occurrences[0].value == name
    assert index.folded(name)


@pytest.mark.parametrize(
    "question", ["where does Anna Berg work", "where does anna berg work", "phone of 'Anna Berg'"]
)
def test_a_name_over_two_properties_is_linked_part_by_part(tmp_path, question):
    file = tmp_path / "values.sqlite"
    ValueIndex.build(
        file,
        [
            IndexedValue("Anna", "Person", "firstName", "node"),
            IndexedValue("Berg", "Person", "lastName", "node"),
        ],
    )
    properties = tuple(Property(name=each, type="STRING") for each in ("firstName", "lastName"))
    schema = GraphSchema(
        labels=(NodeLabel(name="Person", count=1, properties=properties),), types=(), triples=()
    )
    with ValueIndex(file) as index:
        links = Linker(index, schema).link(question).links
    assert [each.occurrences[0].property for each in links] == ["firstName", "lastName"]


UNSPACED = {
    ("人物", "名字"): ["刘备", "诸葛亮", "关羽", "曹", "欧阳修"],
    ("都市", "名前"): ["東京", "京都", "ニューヨーク", "さいたま"],
    ("คน", "ชื่อ"): ["สมชาย", "สมหญิง"],
    ("사람", "이름"): ["유비", "김철수"],
}


@pytest.fixture(scope="module")
def unspaced(tmp_path_factory):
    path = tmp_path_factory.mktemp("unspaced") / "values.sqlite"
    ValueIndex.build(
        path,
        (
            IndexedValue(each, label, name, "node", 1)
            for (label, name), values in UNSPACED.items()
            for each in values
        ),
    )
    labels = tuple(
        NodeLabel(name=label, count=9, properties=(Property(name=name, type="STRING"),))
        for label, name in UNSPACED
    )
    with ValueIndex(path) as index:
        yield Linker(index, GraphSchema(labels=labels, types=(), triples=()))


@pytest.mark.parametrize(
    ("question", "values"),
    [
        ("刘备是谁", ["刘备"]),
        ("谁是刘备", ["刘备"]),
        ("刘备和关羽的关系是什么？", ["刘备", "关羽"]),
        ("诸葛亮认识欧阳修吗", ["诸葛亮", "欧阳修"]),
        ("人物有多少", []),
        ("東京はどこですか", ["東京"]),
        ("ニューヨークとさいたまの距離", ["ニューヨーク", "さいたま"]),
        ("สมชายเป็นใคร", ["สมชาย"]),
        ("유비는 누구입니까", ["유비"]),
        ("김철수와 유비", ["김철수", "유비"]),
        ("who knows 刘备?", ["刘备"]),
    ],
)
def test_scripts_without_spaces_are_segmented_by_the_index(unspaced, question, values):
    linked = unspaced.link(question)
    assert [each.occurrences[0].value for each in linked.links] == values
    assert all(question[each.start : each.end] == each.text == each.value for each in linked.links)
