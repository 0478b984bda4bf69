"""An invented hospital: patients, diagnoses, prescriptions, laboratory results; with the staff of `staff`.

Holds no medical facts of its own (they come in a `Reference`) and reads or writes no file.
Each kind of record draws from its own generator, so that a change to one leaves the others as they were.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from random import Random

from sheets import LAST_DAY, Row, Sheet, day_between, truth, weighted
from staff import staff_sheets, visit_sheets

PATIENTS = 150
BLOOD_GROUPS = {"O+": 35, "A+": 34, "B+": 10, "AB+": 4, "O-": 7, "A-": 6, "B-": 3, "AB-": 1}
ALLERGENS = (
    "Amoxicillin",
    "Phenoxymethylpenicillin",
    "Co-trimoxazole",
    "Aspirin",
    "Ibuprofen",
    "Ceftriaxone",
    "Carbamazepine",
    "Morphine",
)
REACTIONS = {"skin rash": 5, "hives": 3, "swelling": 2, "anaphylaxis": 1}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the hospital is made from."""

    diseases: list[dict[str, str]]
    treatments: dict[str, tuple[list[str], list[str]]]
    """First-line and further drugs by disease."""
    contraindicated: dict[str, set[str]]
    """Diseases by the drug that must not be given in them."""
    doses: dict[str, tuple[list[float], str]]
    """Usual doses and their unit by drug."""
    tests: list[dict[str, str]]
    wards: list[dict[str, str]]
    insurers: list[dict[str, str]]
    given_names: dict[str, list[str]]
    family_names: list[str]


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A patient and what the later records depend on."""

    number: str
    birth: datetime.date
    row: Row
    diagnoses: dict[str, datetime.date]
    """Date of diagnosis by disease."""
    allergies: tuple[str, ...]


def people(reference: Reference, random: Random) -> dict[str, list[str]]:
    """Return every full name once, shuffled, by sex; a family name is used twice at most for each sex."""
    names = {}
    for sex, given in reference.given_names.items():
        family = [*reference.family_names, *reference.family_names]
        random.shuffle(family)
        drawn = [f"{given[place % len(given)]} {each}" for place, each in enumerate(family)]
        names[sex] = list(dict.fromkeys(drawn))
        random.shuffle(names[sex])
    return names


def diagnose(
    reference: Reference, random: Random, sex: str, birth: datetime.date
) -> dict[str, datetime.date]:
    """Draw one to four diseases that fit sex and age, and the day each was found."""
    fitting = {}
    for disease in reference.diseases:
        earliest = max(datetime.date(birth.year + int(disease["fromAge"]), 12, 31), datetime.date(2015, 1, 1))
        if disease["sex"] in {"", sex} and earliest < datetime.date(2025, 6, 30):
            fitting[disease["name"]] = (earliest, int(disease["weight"]))
    found: dict[str, datetime.date] = {}
    for _ in range(random.choices((1, 2, 3, 4), (3, 4, 3, 2))[0]):
        name = weighted(random, {name: weight for name, (_, weight) in fitting.items()})
        found.setdefault(name, day_between(random, fitting[name][0], datetime.date(2025, 6, 30)))
    return found


def make_patients(reference: Reference, names: dict[str, list[str]], random: Random) -> list[Patient]:
    """Draw the patients."""
    patients = []
    for place in range(PATIENTS):
        sex = random.choice(("female", "male"))
        birth = day_between(random, datetime.date(1932, 1, 1), datetime.date(2007, 12, 31))
        height = round(random.triangular(150, 185) if sex == "female" else random.triangular(162, 198))
        weight = round((height / 100) ** 2 * random.triangular(18.5, 37, 25), 1)
        smoker, blood = random.random() < 0.24, weighted(random, BLOOD_GROUPS)
        number = f"P{1001 + place}"
        row = (number, names[sex].pop(), birth, sex, truth(smoker), blood, height, weight)
        allergies = random.sample(ALLERGENS, random.choices((0, 1, 2), (74, 20, 6))[0])
        patients.append(
            Patient(
                number=number,
                birth=birth,
                row=row,
                diagnoses=diagnose(reference, random, sex, birth),
                allergies=tuple(allergies),
            )
        )
    return patients


def patient_sheets(reference: Reference, patients: list[Patient], random: Random) -> list[Sheet]:
    """Return patients, their diagnoses, allergies and insurers."""
    shares = {row["name"]: int(row["share"]) for row in reference.insurers}
    severities = {"mild": 4, "moderate": 4, "severe": 2}
    diagnosed: list[Row] = []
    allergic: list[Row] = []
    insured: list[Row] = []
    for patient in patients:
        for disease, day in patient.diagnoses.items():
            diagnosed.append((patient.number, disease, day, weighted(random, severities)))
        allergic.extend((patient.number, drug, weighted(random, REACTIONS)) for drug in patient.allergies)
        since = day_between(
            random, datetime.date(max(2005, patient.birth.year), 1, 1), datetime.date(2024, 12, 31)
        )
        insured.append((patient.number, weighted(random, shares), since))
    return [
        Sheet.of_nodes(
            "Patient",
            "patientNumber:ID(Patient)",
            "name",
            "birthDate:date",
            "sex",
            "smoker:boolean",
            "bloodGroup",
            "heightCm:long",
            "weightKg:double",
            rows=[patient.row for patient in patients],
        ),
        Sheet.of_nodes(
            "Insurer",
            "name:ID(Insurer)",
            "private:boolean",
            "city",
            rows=[(row["name"], row["private"], row["city"]) for row in reference.insurers],
        ),
        Sheet.of_relationships(
            "Patient", "DIAGNOSED_WITH", "Disease", "date:date", "severity", rows=diagnosed
        ),
        Sheet.of_relationships("Patient", "ALLERGIC_TO", "Drug", "reaction", rows=allergic),
        Sheet.of_relationships("Patient", "INSURED_BY", "Insurer", "since:date", rows=insured),
    ]


def prescribe(reference: Reference, patient: Patient, random: Random) -> list[Row]:
    """Draw a patient's drugs: those that treat the diagnoses, none that is forbidden or not tolerated."""
    chronic = {row["name"] for row in reference.diseases if row["chronic"] == "true"}
    taken: dict[str, Row] = {}
    for disease, found in patient.diagnoses.items():
        first, further = reference.treatments.get(disease, ([], []))
        choices = dict.fromkeys(first, 3) | dict.fromkeys(further, 1)
        allowed = {
            drug: weight
            for drug, weight in choices.items()
            if drug not in patient.allergies
            and drug not in taken
            and not reference.contraindicated.get(drug, set()) & set(patient.diagnoses)
        }
        for _ in range(random.choices((1, 2, 3), (5, 4, 2))[0] if allowed else 0):
            drug = weighted(random, allowed)
            since = day_between(random, found, min(LAST_DAY, found + datetime.timedelta(days=60)))
            lasts = random.randint(90, 900) if disease in chronic else random.randint(5, 28)
            ends = since + datetime.timedelta(days=lasts)
            goes_on = ends > LAST_DAY or (disease in chronic and random.random() < 0.75)
            doses, unit = reference.doses[drug]
            daily = random.choices((1, 2, 3), (6, 3, 1))[0]
            row = (patient.number, drug, random.choice(doses), unit, daily, since, "" if goes_on else ends)
            taken.setdefault(drug, row)
    return list(taken.values())


def result_value(test: dict[str, str], random: Random) -> tuple[float, bool]:
    """Draw a value, a quarter of them out of the test's range, and whether it is abnormal."""
    low, high = float(test["low"]), float(test["high"])
    width = high - low
    digits = 0 if width >= 50 else 1 if width >= 2 else 2
    kind = random.choices(("inside", "above", "below"), (75, 17, 8))[0]
    if kind == "above" or (kind == "below" and low == 0):
        value = random.uniform(high + width * 0.05, high + width * 0.9)
    elif kind == "below":
        value = random.uniform(max(low * 0.4, low - width * 0.6), low * 0.97)
    else:
        value = random.uniform(low + width * 0.02, high - width * 0.02)
    value = round(value, digits)
    return value, not low <= value <= high


def laboratory_sheets(reference: Reference, prescriptions: list[Row], random: Random) -> list[Sheet]:
    """Return results of the tests that monitor the drugs patients take."""
    results: list[Row] = []
    of_patient: list[Row] = []
    of_test: list[Row] = []
    for number, drug, *_, since, _ in prescriptions:
        fitting = [test for test in reference.tests if drug in test["drugs"].split(";")]
        for test in random.sample(fitting, min(2, len(fitting))):
            for _ in range(random.choices((1, 2), (2, 1))[0]):
                value, abnormal = result_value(test, random)
                day = day_between(random, max(since, datetime.date(2021, 1, 1)), LAST_DAY)
                identity = f"L{len(results) + 1:04}"
                results.append((identity, value, day, truth(abnormal)))
                of_patient.append((number, identity))
                of_test.append((identity, test["name"]))
    return [
        Sheet.of_nodes(
            "LabResult", ":ID(LabResult)", "value:double", "date:date", "abnormal:boolean", rows=results
        ),
        Sheet.of_relationships("Patient", "HAS_RESULT", "LabResult", rows=of_patient),
        Sheet.of_relationships("LabResult", "OF_TEST", "LabTest", rows=of_test),
    ]


def build_hospital(reference: Reference, seed: int) -> list[Sheet]:
    """Make the hospital.

    Args:
        reference: medical facts, names, wards and insurers.
        seed: the same seed gives the same rows.

    Returns:
        One sheet for each label and type.
    """
    names = people(reference, Random(f"{seed} names"))
    staff = staff_sheets(reference, names, Random(f"{seed} staff"))
    patients = make_patients(reference, names, Random(f"{seed} patients"))
    by_name = {sheet.name: sheet.rows for sheet in staff}
    ward_of = {row[0]: row[1] for row in by_name["WORKS_ON"]}
    hired = {row[0]: row[1] for row in by_name["Doctor"]}
    by_specialty: dict[str, list[Row]] = {}
    for doctor, specialty, _ in by_name["SPECIALISES_IN"]:
        by_specialty.setdefault(specialty, []).append((doctor, hired[doctor], ward_of[doctor]))
    random = Random(f"{seed} prescriptions")
    prescriptions = [row for patient in patients for row in prescribe(reference, patient, random)]
    columns = ("dose:double", "unit", "timesDaily:long", "since:date", "until:date")
    return [
        *staff,
        *patient_sheets(reference, patients, Random(f"{seed} insurance")),
        Sheet.of_relationships("Patient", "TAKES", "Drug", *columns, rows=prescriptions),
        *laboratory_sheets(reference, prescriptions, Random(f"{seed} laboratory")),
        *visit_sheets(reference, patients, by_specialty, Random(f"{seed} visits")),
    ]
