"""Write the demo graph: the tables of `source/` and an invented hospital as typed CSV files.

Holds the reading of the reference tables and the writing of files; the hospital is made in `hospital`.
The same seed gives the same bytes.

    python demo/build_graph.py [--seed 7] [--out demo/graph]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from hospital import Reference, build_hospital
from sheets import Sheet

HERE = Path(__file__).resolve().parent


def read_table(name: str) -> list[dict[str, str]]:
    """Read one table of `source/`.

    Args:
        name: the table's file name without its ending.
    """
    with (HERE / "source" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def split(cell: str) -> list[str]:
    """Return the elements of a cell that holds a list."""
    return [each for each in cell.split(";") if each]


def read_reference() -> Reference:
    """Read what the hospital needs to know of medicine, and its names, wards and insurers."""
    contraindicated: dict[str, set[str]] = {}
    for row in read_table("contraindications"):
        for drug in split(row["drugs"]):
            contraindicated.setdefault(drug, set()).add(row["disease"])
    return Reference(
        diseases=read_table("diseases"),
        treatments={
            row["disease"]: (split(row["firstLine"]), split(row["further"])) for row in read_table("treats")
        },
        contraindicated=contraindicated,
        doses={
            row["drug"]: ([float(each) for each in split(row["doses"])], row["unit"])
            for row in read_table("doses")
        },
        tests=read_table("lab_tests"),
        wards=read_table("wards"),
        insurers=read_table("insurers"),
        given_names={row["sex"]: split(row["names"]) for row in read_table("given_names")},
        family_names=[row["name"] for row in read_table("family_names")],
    )


def named_nodes(label: str, names: list[str]) -> Sheet:
    """Return a sheet of nodes that have nothing but a name, each name once."""
    return Sheet.of_nodes(label, f"name:ID({label})", rows=[(name,) for name in dict.fromkeys(names)])


def drug_sheets() -> list[Sheet]:
    """Return drugs, their classes and what relates a drug to another or to an effect.

    An interaction is mutual: it is written in both directions, so that either finds it.
    """
    drugs = read_table("drugs")
    effects = [
        (row["drug"], effect, frequency)
        for row in read_table("side_effects")
        for frequency in ("common", "uncommon", "rare")
        for effect in split(row[frequency])
    ]
    columns = ("name", "brandNames", "approvalYear", "prescriptionOnly", "halfLifeHours")
    return [
        Sheet.of_nodes(
            "Drug",
            "name:ID(Drug)",
            "brandNames:string[]",
            "approvalYear:long",
            "prescriptionOnly:boolean",
            "halfLifeHours:double",
            rows=[tuple(row[column] for column in columns) for row in drugs],
        ),
        Sheet.of_nodes(
            "DrugClass",
            "name:ID(DrugClass)",
            "mechanism",
            rows=[(row["name"], row["mechanism"]) for row in read_table("classes")],
        ),
        named_nodes("SideEffect", [effect for _, effect, _ in effects]),
        Sheet.of_relationships(
            "Drug", "BELONGS_TO", "DrugClass", rows=[(row["name"], row["drugClass"]) for row in drugs]
        ),
        Sheet.of_relationships("Drug", "HAS_SIDE_EFFECT", "SideEffect", "frequency", rows=effects),
        Sheet.of_relationships(
            "Drug",
            "INTERACTS_WITH",
            "Drug",
            "severity",
            "effect",
            rows=[
                (*pair, row["severity"], row["effect"])
                for row in read_table("interactions")
                for pair in ((row["drug"], row["other"]), (row["other"], row["drug"]))
            ],
        ),
    ]


def disease_sheets() -> list[Sheet]:
    """Return diseases, body systems, symptoms, and what relates diseases to them and to drugs."""
    diseases = read_table("diseases")
    symptoms = [
        (row["disease"], symptom)
        for row in read_table("disease_symptoms")
        for symptom in split(row["symptoms"])
    ]
    treats = [
        (drug, row["disease"], "true" if column == "firstLine" else "false")
        for row in read_table("treats")
        for column in ("firstLine", "further")
        for drug in split(row[column])
    ]
    forbidden = [
        (drug, row["disease"]) for row in read_table("contraindications") for drug in split(row["drugs"])
    ]
    return [
        Sheet.of_nodes(
            "Disease",
            "name:ID(Disease)",
            "icd10",
            "chronic:boolean",
            rows=[(row["name"], row["icd10"], row["chronic"]) for row in diseases],
        ),
        named_nodes("BodySystem", [row["bodySystem"] for row in diseases]),
        named_nodes("Symptom", [symptom for _, symptom in symptoms]),
        Sheet.of_relationships("Drug", "TREATS", "Disease", "firstLine:boolean", rows=treats),
        Sheet.of_relationships("Drug", "CONTRAINDICATED_IN", "Disease", rows=forbidden),
        Sheet.of_relationships("Disease", "HAS_SYMPTOM", "Symptom", rows=symptoms),
        Sheet.of_relationships(
            "Disease", "AFFECTS", "BodySystem", rows=[(row["name"], row["bodySystem"]) for row in diseases]
        ),
        Sheet.of_relationships(
            "Specialty", "COVERS", "Disease", rows=[(row["specialty"], row["name"]) for row in diseases]
        ),
    ]


def test_sheets() -> list[Sheet]:
    """Return laboratory tests and the drugs that they monitor."""
    tests = read_table("lab_tests")
    return [
        Sheet.of_nodes(
            "LabTest",
            "name:ID(LabTest)",
            "unit",
            "low:double",
            "high:double",
            rows=[(row["name"], row["unit"], row["low"], row["high"]) for row in tests],
        ),
        Sheet.of_relationships(
            "LabTest",
            "MONITORS",
            "Drug",
            rows=[(row["name"], drug) for row in tests for drug in split(row["drugs"])],
        ),
    ]


def write(sheet: Sheet, folder: Path) -> None:
    """Write a sheet as `LABEL.csv` or `TYPE.csv`, through a temporary file."""
    part = folder / f".{sheet.name}.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(sheet.header)
        writer.writerows(sheet.rows)
    part.replace(folder / f"{sheet.name}.csv")


def main() -> None:
    """Build the graph and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7, help="seed of the invented hospital")
    parser.add_argument("--out", type=Path, default=HERE / "graph", help="folder to write the CSV files to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sheets = [
        *drug_sheets(),
        *disease_sheets(),
        *test_sheets(),
        *build_hospital(read_reference(), options.seed),
    ]
    for sheet in sheets:
        write(sheet, options.out)
    nodes = sum(len(sheet.rows) for sheet in sheets if not sheet.is_relationships)
    relationships = sum(len(sheet.rows) for sheet in sheets if sheet.is_relationships)
    print(f"{nodes} nodes, {relationships} relationships in {len(sheets)} files: {options.out}")


if __name__ == "__main__":
    main()
