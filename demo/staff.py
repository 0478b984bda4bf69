"""The wards and doctors of the invented hospital, and the visits that patients pay them.

Holds no patients: `hospital` makes them.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from sheets import LAST_DAY, Row, Sheet, day_between, truth, weighted

if TYPE_CHECKING:
    from random import Random

    from hospital import Patient, Reference

LANGUAGES = ("Arabic", "French", "German", "Italian", "Japanese", "Polish", "Russian", "Spanish", "Turkish")
REASONS = {
    "check-up": 6,
    "follow-up": 6,
    "medication review": 4,
    "new complaint": 4,
    "surgery": 2,
    "vaccination": 2,
}
URGENT_REASONS = {"acute worsening": 5, "accident": 2, "medication error": 1}


def staff_sheets(reference: Reference, names: dict[str, list[str]], random: Random) -> list[Sheet]:
    """Return wards, specialties and doctors: two to four for each specialty."""
    doctors: list[Row] = []
    specialises: list[Row] = []
    works: list[Row] = []
    heads: list[Row] = []
    for ward in reference.wards:
        for specialty in ward["specialties"].split(";"):
            for _ in range(random.choice((2, 2, 3, 4))):
                name = names[random.choice(("female", "male"))].pop()
                hired = day_between(random, datetime.date(1996, 1, 1), datetime.date(2024, 12, 31))
                languages = [
                    "English",
                    *sorted(random.sample(LANGUAGES, random.choices((0, 1, 2), (3, 4, 2))[0])),
                ]
                doctors.append((name, hired, truth(random.random() < 0.7), ";".join(languages)))
                specialises.append((name, specialty))
                works.append((name, ward["name"]))
        # The doctor who has been there longest leads.
        head, hired = min(
            ((row[0], row[1]) for row in doctors if (row[0], ward["name"]) in works), key=lambda pair: pair[1]
        )
        heads.append((head, ward["name"], day_between(random, hired, datetime.date(2025, 6, 30))))
    return [
        Sheet.of_nodes(
            "Ward",
            "name:ID(Ward)",
            "floor:long",
            "beds:long",
            rows=[(row["name"], row["floor"], row["beds"]) for row in reference.wards],
        ),
        Sheet.of_nodes(
            "Specialty",
            "name:ID(Specialty)",
            rows=[(each,) for row in reference.wards for each in row["specialties"].split(";")],
        ),
        Sheet.of_nodes(
            "Doctor",
            "name:ID(Doctor)",
            "hireDate:date",
            "fullTime:boolean",
            "languages:string[]",
            rows=doctors,
        ),
        Sheet.of_relationships("Doctor", "SPECIALISES_IN", "Specialty", rows=specialises),
        Sheet.of_relationships("Doctor", "WORKS_ON", "Ward", rows=works),
        Sheet.of_relationships("Doctor", "HEADS", "Ward", "since:date", rows=heads),
    ]


def visit_sheets(
    reference: Reference, patients: list[Patient], staff: dict[str, list[Row]], random: Random
) -> list[Sheet]:
    """Return visits: who came when and why, who saw them and on which ward.

    Args:
        reference: gives the specialty of each disease.
        patients: those who come.
        staff: rows of name, hire date and ward, by specialty.
        random: generator of the visits.
    """
    specialty_of = {row["name"]: row["specialty"] for row in reference.diseases}
    visits: list[Row] = []
    has: list[Row] = []
    seen: list[Row] = []
    on: list[Row] = []
    for patient in patients:
        for _ in range(random.choices((1, 2, 3, 4, 5), (3, 4, 4, 2, 1))[0]):
            urgent = random.random() < 0.22
            reason = weighted(random, URGENT_REASONS if urgent else REASONS)
            days = (
                random.randint(1, 12)
                if urgent or reason == "surgery"
                else random.choices((0, 1, 2), (8, 1, 1))[0]
            )
            cost = round(60 + 410 * days + random.uniform(0, 90) + (1800 if reason == "surgery" else 0), 2)
            specialty = (
                "Emergency medicine" if urgent else specialty_of[random.choice(list(patient.diagnoses))]
            )
            day = day_between(random, datetime.date(2022, 1, 1), LAST_DAY)
            present = [row for row in staff[specialty] if row[1] <= day] or staff[specialty][:1]
            doctor, hired, ward = random.choice(present)
            day = max(day, hired)
            identity = f"V{len(visits) + 1:04}"
            visits.append((identity, day, reason, truth(urgent), days, cost))
            has.append((patient.number, identity))
            seen.append((identity, doctor))
            on.append((identity, ward))
    return [
        Sheet.of_nodes(
            "Visit",
            ":ID(Visit)",
            "date:date",
            "reason",
            "emergency:boolean",
            "days:long",
            "cost:double",
            rows=visits,
        ),
        Sheet.of_relationships("Patient", "HAS_VISIT", "Visit", rows=has),
        Sheet.of_relationships("Visit", "SEEN_BY", "Doctor", rows=seen),
        Sheet.of_relationships("Visit", "ON_WARD", "Ward", rows=on),
    ]
