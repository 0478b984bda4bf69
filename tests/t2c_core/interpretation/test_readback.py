"""Read-backs say what a query asks for; forms without words have none."""

import json
from pathlib import Path

import pytest

from t2c_core.cypher.parser import parse
from t2c_core.interpretation.readback import read_back
from t2c_core.interpretation.words import Words, pluralize, split_identifier, with_article
from t2c_core.schema import GraphSchema, NodeLabel, Property, RelationshipType, Triple

ROOT = Path(__file__).parents[3]
SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Patient",
            count=9,
            properties=(
                Property(name="name", type="STRING"),
                Property(name="age", type="INTEGER"),
                Property(name="smoker", type="BOOLEAN"),
                Property(name="born", type="DATE"),
                Property(name="tags", type="LIST<STRING>"),
            ),
        ),
        NodeLabel(name="Drug", count=9, properties=(Property(name="name", type="STRING"),)),
        NodeLabel(name="Ward", count=9, properties=(Property(name="name", type="STRING"),)),
    ),
    types=(
        RelationshipType(name="TAKES", count=9, properties=(Property(name="dose", type="FLOAT"),)),
        RelationshipType(name="ALLERGIC_TO", count=9),
        RelationshipType(name="ON_WARD", count=9),
    ),
    triples=(
        Triple(source="Patient", type="TAKES", target="Drug", count=9),
        Triple(source="Patient", type="ALLERGIC_TO", target="Drug", count=9),
        Triple(source="Patient", type="ON_WARD", target="Ward", count=9),
    ),
)
WORDS = Words(
    {
        "labels": {"Patient": {"animate_nouns": ["patient|patients"]}},
        "properties": {
            "Patient": {
                "age": {"greater_than": ["older than {}"]},
                "smoker": {"yes": ["who [smokes|smoke]"]},
                "born": {"nouns": ["birth date|birth dates"]},
            }
        },
        "types": {
            "TAKES": {"forward": ["who [takes|take] {}"], "backward": ["taken by {}"]},
            "ALLERGIC_TO": {
                "forward": ["allergic to {}"],
                "backward": ["to which {} is allergic"],
                "without": ["not allergic to {}"],
            },
            "ON_WARD": {"forward": ["on {}"], "backward": ["of {}"]},
        },
    }
)
TAKES = "MATCH (p:Patient)-[t:TAKES]->(d:Drug)"


@pytest.mark.parametrize(
    ("cypher", "text"),
    [
        ("MATCH (p:Patient) RETURN count(p)", "The number of patients"),
        ("MATCH (p:Patient) WHERE p.age > 60 RETURN p.name", "Patients older than 60"),
        (
            "MATCH (p:Patient) WITH avg(p.age) AS n MATCH (q:Patient) WHERE q.age > n RETURN q.name",
            "Patients with age over the average age of patients",
        ),
        (
            "MATCH (p:Patient) WHERE p.age >= 60 AND p.age <= 70 RETURN p.name",
            "Patients with age from 60 to 70",
        ),
        (
            "MATCH (p:Patient) WHERE p.born < date('2000-01-01') RETURN p.name",
            "Patients with birth date before 2000-01-01",
        ),
        ("MATCH (p:Patient) WHERE p.smoker RETURN p.name, p.age", "The age of patients who smoke"),
        ("MATCH (p:Patient {name: 'Ada'}) RETURN p.age", "The age of the patient “Ada”"),
        (f"{TAKES} WHERE d.name = 'Aspirin' RETURN p.name", "Patients who take the drug “Aspirin”"),
        (
            f"{TAKES} WHERE t.dose > 5 RETURN DISTINCT d.name",
            "Different drugs taken by a patient (with dose over 5)",
        ),
        (
            f"{TAKES} RETURN d.name, count(DISTINCT p)",
            "For each drug: the number of different patients who take that drug",
        ),
        (
            "MATCH (p:Patient)-[:TAKES]->(d:Drug)<-[:ALLERGIC_TO]-(p) RETURN p.name",
            "Patients who take a drug to which the same patient is allergic",
        ),
        (
            "MATCH (p:Patient) WHERE COUNT { (p)-[:TAKES]->(:Drug) } > 4 RETURN p.name",
            "Patients who take more than 4 drugs",
        ),
        (
            "MATCH (p:Patient) WHERE NOT EXISTS { (p)-[:ALLERGIC_TO]->(:Drug) } RETURN p.name",
            "Patients not allergic to any drug",
        ),
        (
            "MATCH (p:Patient) RETURN avg(COUNT { (p)-[:TAKES]->(:Drug) })",
            "The average number of drugs taken by that patient, over patients",
        ),
        (
            f"{TAKES} WITH p, count(DISTINCT d) AS n WHERE n > 4 RETURN p.name",
            "Patients, only where the number of different drugs taken by that patient is greater than 4",
        ),
        (
            f"{TAKES} WITH p, count(d) AS n RETURN max(n)",
            "The highest number of drugs taken by that patient, over patients",
        ),
        (
            f"{TAKES} RETURN d.name, count(*) AS n ORDER BY n DESC LIMIT 5",
            (
                "For each drug: the number of patients who take that drug, ordered by that value (highest first), "
                "only the first 5"
            ),
        ),
        (
            "MATCH (p:Patient) RETURN 100.0 * sum(CASE WHEN p.smoker THEN 1 ELSE 0 END) / count(p)",
            "The percentage of patients who smoke",
        ),
        (
            "MATCH (p:Patient) RETURN p.born.year, COUNT(*)",
            "For each year of the birth date: the number of patients",
        ),
        ("RETURN EXISTS { MATCH (p:Patient)-[:ON_WARD]->(w:Ward) }", "Whether there is a patient on a ward"),
        ("MATCH (p:Patient) RETURN min(p.born)", "The earliest birth date of patients"),
    ],
)
def test_a_query_is_read_back(cypher: str, text: str) -> None:
    assert read_back(parse(cypher), schema=SCHEMA, words=WORDS) == text


def test_values_come_from_the_parameters_and_are_quoted() -> None:
    query = parse("MATCH (p:Patient) WHERE p.name = $v1 AND p.age = $v2 RETURN count(*)")
    told = read_back(query, schema=SCHEMA, words=WORDS, parameters={"v1": "Ada", "v2": 30})
    assert told == "The number of the patient “Ada” with age 30"


def test_names_stand_in_for_words_that_no_lexicon_has() -> None:
    told = read_back(parse(f"{TAKES} RETURN p.name"), schema=SCHEMA, words=Words())
    assert told == "Patients linked by “takes” to a drug"


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH p = shortestPath((a:Patient)-[:TAKES*]->(d:Drug)) RETURN p",
        "UNWIND [1, 2] AS x RETURN x",
        "MATCH (p:Patient) RETURN reduce(s = 0, x IN p.tags | s + 1)",
        "MATCH (p:Patient) WITH count(*) AS n MATCH (d:Drug) RETURN n, count(d)",
    ],
)
def test_a_form_without_words_has_no_read_back(cypher: str) -> None:
    assert read_back(parse(cypher), schema=SCHEMA, words=WORDS) is None


def test_every_condition_and_limit_of_a_query_is_told() -> None:
    query = parse(
        f"{TAKES}, (p)-[:ON_WARD]->(w:Ward) WHERE p.age < 50 AND NOT d.name CONTAINS 'x' AND w.name IN ['A', 'B'] "
        "RETURN p.name ORDER BY p.age LIMIT 7"
    )
    told = read_back(query, schema=SCHEMA, words=WORDS) or ""
    for part in ("under 50", "not true", "contains “x”", "“A” or “B”", "ordered by the age", "first 7"):
        assert part in told


@pytest.mark.parametrize(
    ("cypher", "text"),
    [
        (
            (
                "MATCH (p:Patient)-[:TAKES]->(d:Drug), (p)-[:ON_WARD]->(w:Ward) WHERE w.name = 'Chest' "
                "WITH p.name AS g, count(*) AS n RETURN g ORDER BY n DESC LIMIT 1"
            ),
            "Patients on the ward “Chest”, ordered by",
        ),
        (
            "MATCH (p:Patient) WHERE p.name = 'Ann' RETURN p.age, COUNT { (p)-[:TAKES]->(:Drug) }",
            "The age of the patient “Ann”, with the number of drugs taken by that patient",
        ),
        (
            "MATCH (p:Patient) RETURN p.name, COUNT { (p)-[:TAKES]->(:Drug) }",
            "Patients, with the number of drugs",
        ),
    ],
)
def test_conditions_are_kept_where_a_measure_is_said_first(cypher: str, text: str) -> None:
    assert (read_back(parse(cypher), schema=SCHEMA, words=WORDS) or "").startswith(text)


def test_golds_of_the_demo_questions_are_read_back() -> None:
    rows = [
        json.loads(line) for line in (ROOT / "demo/questions.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    told = [
        read_back(parse(row["cypher"]), schema=SCHEMA, words=Words()) for row in rows if row.get("cypher")
    ]
    assert sum(each is not None for each in told) >= 0.9 * len(told)


@pytest.mark.parametrize(
    ("name", "words"),
    [("HAS_RESULT", "has result"), ("birthDate", "birth date"), ("hasURL", "has URL"), ("icd10", "icd 10")],
)
def test_identifiers_are_split_into_words(name: str, words: str) -> None:
    assert split_identifier(name) == words


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("drug", "drugs"), ("body system", "body systems"), ("city", "cities"), ("day", "days"), ("box", "boxes"),
        ("diagnosis", "diagnoses"), ("name of the ward", "names of the ward"), ("date of birth", "dates of birth"),
    ],
)  # fmt: skip
def test_the_head_of_a_noun_phrase_is_inflected(noun: str, plural: str) -> None:
    assert pluralize(noun) == plural


@pytest.mark.parametrize("noun", ["hour", "allergy", "insurer", "ICD code", "X-ray", "MRI"])
def test_a_vowel_sound_takes_an(noun: str) -> None:
    assert with_article(noun) == f"an {noun}"


@pytest.mark.parametrize("noun", ["drug", "university", "user", "unit", "one-off", "WHO list", "European"])
def test_a_consonant_sound_takes_a(noun: str) -> None:
    assert with_article(noun) == f"a {noun}"
