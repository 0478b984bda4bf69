"""`t2c-service feedback`: pairs from the feedback that a service has kept."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

feedback = App(
    name="feedback",
    help="Export feedback, which a service keeps in the `feedback.file` of its settings, as question-query pairs.",
)


@feedback.command(name="export")
def export_feedback(
    *, out: Path, config: Path | None = None, file: Path | None = None, database: str | None = None
) -> int:
    """Write questions with the queries that feedback accepted or corrected as JSONL; print their number as JSON.

    The last feedback about a question counts. `graphling own --feedback` validates the pairs and trains on them; read
    them before, since whoever may ask may give feedback.

    Parameters
    ----------
    out
        File for the pairs.
    config
        YAML file of settings, which names the snapshot.
    file
        File of feedback, instead of the one in the settings.
    database
        Name of the database whose feedback is exported; the default one if not given.
    """
    import json

    from graphling_io.outputs import atomic_file
    from t2c_core.schema.model import GraphSchema
    from t2c_service.errors import SettingsError
    from t2c_service.feedback.pairs import feedback_pairs
    from t2c_service.feedback.store import read_feedback
    from t2c_service.settings_loader import load_settings

    settings = load_settings(config)
    chosen = database or settings.database
    databases = settings.all_databases
    if chosen not in databases:
        raise SettingsError(f"unknown --database {chosen!r}; available: {', '.join(databases)}")
    source = file or settings.feedback.file
    if source is None:
        raise SettingsError("`feedback.file` is not set; name the file with --file")
    records = [each for each in read_feedback(source) if each.database == chosen]
    pairs, left_out = feedback_pairs(records, GraphSchema.load(databases[chosen].snapshot))
    with atomic_file(out, inputs=[source]) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
    print(json.dumps({"records": len(records), "pairs": len(pairs), "left_out": left_out}))
    return 0
