import pytest
import yaml

from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_data.errors import LexiconError
from t2c_data.lexicon.draft import draft_lexicon, draft_text
from t2c_data.lexicon.identifiers import split_identifier
from t2c_data.lexicon.model import Lexicon, from_content
from t2c_data.lexicon.morphology import article, plural_of
from t2c_data.lexicon.relationship_names import lexicalise_type

ODD = GraphSchema(
    labels=(
        NodeLabel(name="CaseReport", count=5, properties=(Property(name="reportDate", type="DATE"), Property(name="case_id", type="INTEGER", unique=True, distinct=5))),
        NodeLabel(name="Pérsôn dé", count=5, properties=(Property(name="full name", type="STRING", distinct=5), Property(name="is_active", type="BOOLEAN"))),
    ),
    types=(RelationshipType(name="REPORTED_BY", count=5), RelationshipType(name="knows`s", count=1)),
    triples=(
        Triple(source="CaseReport", type="REPORTED_BY", target="Pérsôn dé", count=5),
        Triple(source="Pérsôn dé", type="knows`s", target="Pérsôn dé", count=1),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [("reportDate", "report date"), ("REPORT_DATE", "report date"), ("HTTPServer", "HTTP server"), ("case_id", "case ID"), ("dob", "date of birth"), ("RATED_FB", "rated FB"), ("NHS_NO", "NHS number"), ("isbn13", "ISBN 13"), ("birthdate", "birth date"),
     ("customerid", "customer ID"), ("no_show", "no show"), ("Num_of_Staff", "number of staff"), ("totalGMV", "total GMV"), ("temp_min", "temp min")],
)  # fmt: skip
def test_names_are_split_into_words(name: str, words: str) -> None:
    assert split_identifier(name) == words


@pytest.mark.parametrize(
    ("noun", "plural"),
    [("case", "cases"), ("date of birth", "dates of birth"), ("therapy", "therapies"), ("case ID", "case IDs"), ("person", "people"), ("analysis", "analyses"), ("rated FB", "rated FB"), ("NHS number", "NHS numbers"),
     ("ISBN 13", "ISBN 13"), ("number killed", "numbers killed"), ("quantity per unit", "quantities per unit"), ("status", "statuses"), ("series", "series"), ("ship via", "ship via")],
)  # fmt: skip
def test_the_head_of_a_noun_is_inflected(noun: str, plural: str) -> None:
    assert plural_of(noun) == plural


def test_a_draft_names_every_label_property_and_type_even_odd_ones() -> None:
    lexicon = from_content(draft_lexicon(ODD), ODD)
    assert set(lexicon.labels) == {"CaseReport", "Pérsôn dé"}
    assert set(lexicon.properties) == {
        (label.name, each.name) for label in ODD.labels for each in label.properties
    }
    assert lexicon.labels["CaseReport"].display_property == "case_id"
    assert lexicon.labels["Pérsôn dé"].display_property == "full name"
    assert lexicon.labels["CaseReport"].nouns == (("case report", "case reports"),)
    assert "reported by {}" in lexicon.relationship(ODD.triples[0]).forward


def test_the_drafted_file_is_read_back(tmp_path) -> None:
    file = tmp_path / "lexicon.yaml"
    file.write_text(draft_text(ODD), encoding="utf-8")
    assert Lexicon.load(file, ODD) == from_content(draft_lexicon(ODD), ODD)


def test_general_words_mean_every_type_between_two_labels_in_a_draft_only(tmp_path) -> None:
    names = Property(name="name", type="STRING", distinct=5)
    schema = GraphSchema(
        labels=(NodeLabel(name="Case", count=5), NodeLabel(name="Drug", count=5, properties=(names,))),
        types=(RelationshipType(name="IS_SUSPECT", count=5), RelationshipType(name="TREATED_WITH", count=5)),
        triples=(
            Triple(source="Case", type="IS_SUSPECT", target="Drug", count=5),
            Triple(source="Case", type="TREATED_WITH", target="Drug", count=5),
        ),
    )
    (group,) = from_content(draft_lexicon(schema), schema).groups
    assert group.types == ("IS_SUSPECT", "TREATED_WITH")
    assert "associated with {}" in group.words.forward
    assert all(
        "associated with {}" not in words.forward
        for words in from_content(draft_lexicon(schema), schema).relationships.values()
    )
    edited = tmp_path / "lexicon.yaml"
    edited.write_text(yaml.safe_dump({"types": {"IS_SUSPECT": {"forward": ["associated with {}"]}}}))
    assert Lexicon.load(edited, schema).groups == ()


def test_the_only_way_to_a_label_is_said_by_its_name_too() -> None:
    lexicon = from_content(draft_lexicon(ODD), ODD)
    assert "where the pérsôn dé is {value}" in lexicon.relationship(ODD.triples[0]).forward


def test_a_type_that_ends_in_its_target_says_it_once() -> None:
    words = lexicalise_type("belongs to movement", "artist", "movement", alone=True)
    assert "belonging to {}" in words["forward"]
    assert not any("movements in" in phrase for phrase in words["forward"] + words["backward"])


def test_one_of_its_own_kind_is_not_said_by_name_alone() -> None:
    assert (
        "whose artist is {value}"
        not in lexicalise_type("influenced", "artist", "artist", alone=True)["forward"]
    )


def test_an_identifier_is_called_after_what_it_identifies() -> None:
    nouns = from_content(draft_lexicon(ODD), ODD).properties["CaseReport", "case_id"].nouns
    assert {("case report ID", "case report IDs"), ("ID", "IDs")} <= set(nouns)


def test_what_a_person_leaves_out_is_drafted(tmp_path) -> None:
    file = tmp_path / "lexicon.yaml"
    file.write_text(yaml.safe_dump({"labels": {"CaseReport": {"nouns": ["case", "file|files"]}}}))
    lexicon = Lexicon.load(file, ODD)
    assert lexicon.labels["CaseReport"].nouns == (("case", "cases"), ("file", "files"))
    assert lexicon.labels["CaseReport"].display_property == "case_id"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": {"Nothing": {"nouns": ["x"]}}}, "no label Nothing"),
        ({"properties": {"CaseReport": {"size": {"nouns": ["x"]}}}}, r"no property CaseReport\.size"),
        ({"types": {"NOTHING": {"forward": [], "backward": []}}}, "no type NOTHING"),
        ({"labels": {"CaseReport": {"noun": ["x"]}}}, "unknown field 'noun'"),
        ({"words": {}}, "unknown section 'words'"),
        ({"types": []}, "types: expected a mapping"),
        (
            {"properties": {"CaseReport": {"case_id": {"nouns": ["x"], "equals_phrases": "aged {}"}}}},
            r"properties\.CaseReport\.case_id\.equals_phrases: expected a list, found 'aged \{\}'",
        ),
        (
            {"types": {"REPORTED_BY": {"forward": ["by {}", "of {}"], "backward": "of {}"}}},
            r"types\.REPORTED_BY\.backward: expected a list",
        ),
        ({"labels": {"CaseReport": {"nouns": ["x"], "hidden": "perhaps"}}}, r"labels\.CaseReport\.hidden"),
        ([1], "a lexicon is a mapping"),
    ],
)
def test_a_lexicon_that_does_not_fit_is_refused_with_the_place(tmp_path, content, message: str) -> None:
    file = tmp_path / "lexicon.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(LexiconError, match=message):
        Lexicon.load(file, ODD)


def test_an_unquoted_yes_or_true_of_yaml_is_understood() -> None:
    content = yaml.safe_load(
        "properties: {'Pérsôn dé': {is_active: {nouns: [state], yes: [that are active], values: {true: [active]}}}}"
    )
    words = from_content(content, ODD).properties["Pérsôn dé", "is_active"]
    assert words.true_phrases == ("that are active",)
    assert words.values == {"true": ("active",)}


def test_former_field_names_are_accepted_with_a_warning(tmp_path) -> None:
    former = {
        "labels": {
            "CaseReport": {"nouns": ["case"], "people": ["patient"], "key": "case_id", "name": ["case_id"]}
        },
        "properties": {
            "CaseReport": {
                "case_id": {"nouns": ["number"], "phrases": ["no {}"], "more": ["over {}"], "most": ["last"]}
            },
            "Pérsôn dé": {
                "is_active": {"nouns": ["state"], "yes": ["that are active"], "no": ["that are not"]}
            },
        },
        "types": {"REPORTED_BY": {"target": ["reporter"], "assumed": True, "without": ["without {}"]}},
        "absent": ["price"],
    }
    file = tmp_path / "lexicon.yaml"
    file.write_text(yaml.safe_dump(former))
    with pytest.warns(FutureWarning, match=r"people \(use animate_nouns\)"):
        lexicon = Lexicon.load(file, ODD)
    label = lexicon.labels["CaseReport"]
    assert label.animate_nouns == (("patient", "patients"),)
    assert (label.display_property, label.naming_properties) == ("case_id", ("case_id",))
    words = lexicon.properties["CaseReport", "case_id"]
    assert (words.equals_phrases, words.greater_than, words.superlative_max) == (
        ("no {}",),
        ("over {}",),
        ("last",),
    )
    assert lexicon.properties["Pérsôn dé", "is_active"].true_phrases == ("that are active",)
    entry = lexicon.relationship(ODD.triples[0])
    assert (entry.target_role, entry.is_default, entry.negated_phrases) == (
        (("reporter", "reporters"),),
        True,
        ("without {}",),
    )
    assert lexicon.out_of_schema_nouns == ("price",)


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [("hour", "an hour"), ("user", "a user"), ("ID", "an ID"), ("European", "a European"), ("unused bed", "an unused bed"), ("FDA code", "an FDA code")],
)  # fmt: skip
def test_articles_follow_the_sound(noun: str, phrase: str) -> None:
    assert article(noun) == phrase
    words = lexicalise_type(f"is {noun}", "case", "drug", alone=False)
    assert any(phrase in each for each in words["forward"])


def _draft(property_: Property, *others: Property, label: str = "Thing"):
    label_ = NodeLabel(name=label, count=5, properties=(property_, *others))
    schema = GraphSchema(labels=(label_,), types=(), triples=())
    return from_content(draft_lexicon(schema), schema).properties[label, property_.name]


@pytest.mark.parametrize(
    ("name", "most", "least"),
    [("age", "oldest", "youngest"), ("weightKg", "heaviest", "lightest"), ("unitPrice", "most expensive", "cheapest"), ("population", "largest", "smallest"),
     ("runtime", "longest", "shortest"), ("max_speed", "fastest", "slowest"), ("netWorthMillions", "richest", "poorest"), ("rating", "best", "worst"),
     ("num_of_beds", "largest", "smallest"), ("year", "most recent", "oldest"), ("distance_km", "farthest", "nearest"), ("birth_year", "youngest", "oldest")],
)  # fmt: skip
def test_measures_have_adjectives(name: str, most: str, least: str) -> None:
    words = _draft(Property(name=name, type="INTEGER"))
    if name == "max_speed":  # the maximum of a measure is a measure of its own
        assert not words.superlative_max
        return
    assert most in words.superlative_max
    assert least in words.superlative_min


@pytest.mark.parametrize("name", ["reorder_level", "highest_position", "contact_title", "model_year_code"])
def test_what_only_contains_a_measure_has_no_adjectives(name: str) -> None:
    assert not _draft(Property(name=name, type="INTEGER")).superlative_max


def test_only_the_single_date_of_a_label_makes_it_recent() -> None:
    date, other = Property(name="visit_date", type="DATE"), Property(name="paid_on", type="DATE")
    assert "most recent" in _draft(date).superlative_max
    assert "most recent" not in _draft(date, other).superlative_max


@pytest.mark.parametrize(
    ("name", "noun", "phrase"),
    [("unitsInStock", "number of units in stock", "with more than {} units in stock"), ("bedCount", "number of beds", "with more than {} beds"),
     ("killed", "number of people killed", "with more than {} people killed")],
)  # fmt: skip
def test_counts_are_numbers_of_things(name: str, noun: str, phrase: str) -> None:
    words = _draft(Property(name=name, type="INTEGER"))
    assert words.nouns[0][0] == noun
    assert phrase in words.greater_than


@pytest.mark.parametrize(
    ("name", "more_than_zero", "zero"),
    [("unitsInStock", "that [is|are] in stock", "out of stock"), ("unitsOnOrder", "on order", "not on order"),
     ("discount", "with a discount", "with no discount"), ("bedCount", "with beds", "without beds")],
)  # fmt: skip
def test_amounts_have_phrases_for_zero_and_for_more(name: str, more_than_zero: str, zero: str) -> None:
    words = _draft(Property(name=name, type="INTEGER"))
    assert more_than_zero in words.positive_phrases
    assert zero in words.zero_phrases


def test_a_measure_has_no_phrases_for_zero() -> None:
    assert not _draft(Property(name="age", type="INTEGER")).zero_phrases


def test_an_identifier_of_something_else_is_not_called_after_its_owner() -> None:
    words = _draft(Property(name="customerID", type="STRING"), label="Order")
    assert not {"order ID", "ID"} & {noun[0] for noun in words.nouns}


@pytest.mark.parametrize(
    ("kind", "source", "target", "phrase"),
    [("has lost in battle", "ship", "battle", "lost in {}"), ("has caused by ship", "death", "ship", "caused by {}"), ("visit", "museum", "visitor", "visited by {}"),
     ("votes", "person", "candidate", "that [votes|vote] for {}"), ("has singer", "song", "singer", "sung by {}"), ("orders", "order", "product", "that [contains|contain] {}"),
     ("works in", "doctor", "ward", "employed by {}"), ("purchased", "customer", "order", "that placed {}"), ("takes", "patient", "drug", "on {}")],
)  # fmt: skip
def test_relationships_are_said_as_people_do(kind: str, source: str, target: str, phrase: str) -> None:
    assert phrase in lexicalise_type(kind, source, target, alone=True)["forward"]


def test_who_is_called_after_what_they_do_is_not_called_so_twice() -> None:
    assert lexicalise_type("visit", "museum", "visitor", alone=True)["target_role"] == ["visitor"]
    assert lexicalise_type("supplies", "supplier", "product", alone=True)["source_role"] == ["supplier"]


def test_an_event_says_what_people_do_over_it() -> None:
    labels = (NodeLabel(name="Order", count=1), NodeLabel(name="Ward", count=1))
    schema = GraphSchema(labels=labels, types=(), triples=())
    entries = from_content(draft_lexicon(schema), schema).labels
    assert "ordered" in entries["Order"].event_participles
    assert entries["Ward"].event_participles == ()


def test_a_place_that_things_go_to_or_come_from_is_said_so() -> None:
    words = {name: _draft(Property(name=name, type="STRING")) for name in ("shipCity", "birthPlace", "city")}
    assert "shipped to {}" in words["shipCity"].equals_phrases
    assert "born in {}" in words["birthPlace"].equals_phrases
    assert "in {}" in words["city"].equals_phrases
