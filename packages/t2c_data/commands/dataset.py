"""Commands on a file of pairs: `validate`, `paraphrase`, `split`, `stats`, `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from graphling_io.console import print_status, progress
from t2c_data.errors import DataInputError
from t2c_data.jobs.config import ExportConfig, ParaphraseConfig, ValidateConfig


def validate(
    config: Annotated[ValidateConfig, Parameter(name="*")],
    *,
    pairs: Path | None = None,
    labels: Path | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Validate pairs with five validators, or measure the validators on labelled pairs.

    Parameters
    ----------
    pairs
        A file of pairs.
    labels
        A file of labelled pairs: question, cypher and right (true or false).
    out
        File for the pairs with keep, reasons, checks and details. With --labels: file for the whole report, with the
        false negatives and false positives.
    """
    from t2c_data.jobs.validate import run_evaluation, run_validation

    if (pairs is None) == (labels is None):
        raise DataInputError("give either --pairs FILE or --labels FILE")
    with progress("Validating pairs") as advance:
        if labels is not None:
            report = run_evaluation(config, labels, out, progress=advance)
        elif pairs is not None and out is not None:
            report = run_validation(config, pairs, out, progress=advance)
        else:
            raise DataInputError("--pairs needs --out FILE for the validation results")
    return report


def paraphrase(
    config: Annotated[ParaphraseConfig, Parameter(name="*")], *, pairs: Path, out: Path
) -> dict[str, Any]:
    """Add paraphrases of a language model to pairs; only verified ones are added.

    Parameters
    ----------
    pairs
        A file of pairs.
    out
        File for the pairs and their paraphrases.
    """
    from t2c_data.jobs.validate import run_paraphrase

    return run_paraphrase(config, pairs, out)


def split(*, pairs: Path, out: Path, seed: int = 0, encoder: bool = False) -> dict[str, Any]:
    """Split pairs anew, so that no query skeleton and no near-duplicate question is in two splits.

    Parameters
    ----------
    pairs
        A file of pairs.
    out
        File for the pairs with their splits.
    seed
        Seed of the assignment.
    encoder
        Also keep questions together that the sentence encoder finds nearly equal, such as paraphrases.
    """
    from t2c_data.dataset.sentence_encoder import Encoder, near_duplicate_questions
    from t2c_data.dataset.split import assign_splits
    from t2c_data.pairs import read_pairs, write_lines

    given = read_pairs(pairs)
    must_link = near_duplicate_questions(given, Encoder()) if encoder else []
    found, report = assign_splits(given, seed=seed, must_link=must_link)
    write_lines(out, (pair.to_json() for pair in found))
    return report


def stats(
    *, pairs: Path, snapshot: Path | None = None, manifest: Path | None = None, out: Path | None = None
) -> dict[str, Any]:
    """Print statistics of pairs as JSON: counts, query skeletons, lengths, lexical diversity, coverage, leakage.

    Parameters
    ----------
    pairs
        A file of pairs.
    snapshot
        Folder that `t2c-graph snapshot` wrote, for the coverage of the schema.
    manifest
        Manifest of the build, for the dropped candidates; the one beside the pairs if omitted.
    out
        Folder for the statistics report with charts.
    """
    from collections import Counter

    from t2c_core.schema.model import GraphSchema
    from t2c_data.dataset.report import write_report
    from t2c_data.dataset.stats import describe, read_drops
    from t2c_data.pairs import read_pairs

    found = read_pairs(pairs)
    dropped = read_drops(manifest or pairs.with_name("manifest.json"), needed=manifest is not None)
    statistics = describe(found, schema=GraphSchema.load(snapshot) if snapshot else None, dropped=dropped)
    if out is not None and found:
        write_report(statistics, Counter(len(pair.question.split()) for pair in found), out)
        print_status(f"wrote {out}/README.md")
    return statistics


def export(config: Annotated[ExportConfig, Parameter(name="*")], *, out: Path) -> dict[str, Any]:
    """Export pairs as training rows; pairs that validation rejected are left out.

    Parameters
    ----------
    out
        Folder of the export.
    """
    from t2c_data.jobs.export import run_export

    with progress("Linking questions") as advance:
        return run_export(config, out, progress=advance)
