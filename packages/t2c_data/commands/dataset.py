"""Commands on a file of pairs: `validate`, `reword`, `split`, `stats`, `export`.

Each parses, calls one public function and prints. How pairs come from a graph is in `building`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from graphling_io.console import print_status, progress
from t2c_data.errors import DataInputError


def validate(  # noqa: PLR0913 - the options of a command
    *,
    uri: str,
    snapshot: Path,
    pairs: Path | None = None,
    out: Path | None = None,
    judged: Path | None = None,
    lexicon: Path | None = None,
    unproven: bool = False,
    encoder: bool = False,
    llm_url: str = "",
    llm_model: str = "",
    replies: Path | None = None,
    user: str = "",
    password_env: str = "T2C_GRAPH_PASSWORD",  # noqa: S107 - a variable's name
    workers: int = 6,
) -> int:
    """Give each pair a verdict of five validators; or measure the validators on pairs that people judged.

    Parameters
    ----------
    uri
        Bolt address of the graph; it is only read.
    snapshot
        Folder that `t2c-graph snapshot` wrote.
    pairs
        A file of pairs.
    out
        The file with their verdicts: each row plus keep, reasons, checks and details. With --judged: the whole
        report, with the pairs missed and the false alarms.
    judged
        A file of judged pairs: question, cypher and right (true or false).
    lexicon
        Words of the graph, edited by a person; drafted from the schema when absent.
    unproven
        Keep pairs whose answer is empty, or whose values the graph does not have.
    encoder
        Also ask the sentence encoder how far a question is from its query.
    llm_url
        Address with /v1 of a model that judges what passes all else; its key in T2C_LLM_KEY.
    llm_model
        The model's name there; the only one if left out.
    replies
        Folder where the model's replies are kept; beside `out` if left out.
    user
        User of the graph, when it asks for one.
    password_env
        Name of the environment variable that holds the password.
    workers
        Queries in flight.
    """
    import json

    from t2c_data.jobs.validate import ValidateConfig, run_validation

    if (pairs is None) == (judged is None):
        raise DataInputError("give either --pairs FILE or --judged FILE")
    if pairs is not None and out is None:
        raise DataInputError("--pairs wants --out FILE for the verdicts")
    order = ValidateConfig(
        uri=uri, snapshot=snapshot, lexicon=lexicon, unproven=unproven, encoder=encoder, llm_url=llm_url,
        llm_model=llm_model, replies=replies, workers=workers,
        auth=(user, os.environ.get(password_env, "")) if user else None,
    )  # fmt: skip
    with progress("Validating pairs") as advance:
        report = run_validation(order, pairs=pairs, judged=judged, out=out, progress=advance)
    print(json.dumps(report, ensure_ascii=False))
    return 0


def reword(  # noqa: PLR0913 - the options of a command
    *,
    pairs: Path,
    snapshot: Path,
    out: Path,
    llm_url: str,
    llm_model: str = "",
    lexicon: Path | None = None,
    count: int = 2,
    encoder: bool = True,
    replies: Path | None = None,
) -> int:
    """Have a model reword questions; only rewordings that hold are added to the pairs.

    Parameters
    ----------
    pairs
        A file of pairs.
    snapshot
        Folder that `t2c-graph snapshot` wrote.
    out
        The file with the pairs and their rewordings; what failed is counted on standard output.
    llm_url
        Address with /v1 of an OpenAI-compatible server; its key in T2C_LLM_KEY.
    llm_model
        The model's name there; the only one if left out.
    lexicon
        Words of the graph, edited by a person; drafted from the schema when absent.
    count
        Rewordings asked for of each question.
    encoder
        Whether the sentence encoder must find question and rewording alike.
    replies
        Folder where the model's replies are kept; beside `out` if left out.
    """
    import json

    from t2c_data.jobs.validate import ParaphraseConfig, run_reword

    order = ParaphraseConfig(
        snapshot=snapshot, lexicon=lexicon, llm_url=llm_url, llm_model=llm_model, count=count, encoder=encoder,
        replies=replies,
    )  # fmt: skip
    print(json.dumps(run_reword(order, pairs, out)))
    return 0


def split(*, pairs: Path, out: Path, seed: int = 0, encoder: bool = False) -> int:
    """Split pairs anew so that no query shape and no near-duplicate question stands on both sides.

    Parameters
    ----------
    pairs
        A file of pairs.
    out
        The file with their splits; the report goes to standard output.
    seed
        Mixes the assignment.
    encoder
        Whether questions that the sentence encoder finds nearly equal stay together too; for reworded ones.
    """
    import json

    from t2c_data.dataset.split import assign_splits
    from t2c_data.pairs import read_pairs, write_lines

    given = read_pairs(pairs)
    alike: list[tuple[int, int]] = []
    if encoder:
        from t2c_data.dataset.near_duplicates import near_duplicate_questions
        from t2c_data.dataset.sentence_encoder import Encoder

        alike = near_duplicate_questions(given, Encoder())
    found, report = assign_splits(given, seed=seed, must_link=alike)
    write_lines(out, (pair.to_json() for pair in found))
    print(json.dumps(report))
    return 0


def stats(
    *, pairs: Path, snapshot: Path | None = None, manifest: Path | None = None, out: Path | None = None
) -> int:
    """Report on a file of pairs as JSON: counts, shapes, lengths, variety, coverage, leaks.

    Parameters
    ----------
    pairs
        A file of pairs.
    snapshot
        Folder that `t2c-graph snapshot` wrote, to see what of the schema no pair touches.
    manifest
        The build's manifest, for what it dropped; the one beside the pairs when absent.
    out
        Folder for the results page: the same figures, drawn.
    """
    import json
    from collections import Counter

    from t2c_core.schema.model import GraphSchema
    from t2c_data.dataset.plots import write_results
    from t2c_data.dataset.stats import describe, read_drops
    from t2c_data.pairs import read_pairs

    found = read_pairs(pairs)
    drops = read_drops(manifest or pairs.with_name("manifest.json"), needed=manifest is not None)
    figures = describe(found, schema=GraphSchema.load(snapshot) if snapshot else None, dropped=drops)
    if out is not None and found:
        write_results(figures, Counter(len(pair.question.split()) for pair in found), out)
        print_status(f"wrote {out}/README.md")
    print(json.dumps(figures, indent=1))
    return 0


def export(
    *,
    pairs: Path,
    out: Path,
    format: Literal["atoms", "chat", "completion", "parquet"] = "atoms",  # noqa: A002
    snapshot: Path | None = None,
    seed: int = 0,
    noise: float = 0.45,
    force: bool = False,
) -> int:
    """Export pairs for training.

    Parameters
    ----------
    pairs
        A file of pairs.
    out
        Folder of the export.
    format
        atoms: tokenizer and rows of a tiny per-graph model; chat: OpenAI messages; completion: prompt and
        completion for general models; parquet: the pairs as they are, with a data card.
    snapshot
        Folder that `t2c-graph snapshot` wrote; needed for all but parquet.
    seed
        Mixes the noise.
    noise
        Share of questions whose quotes, capitals or letters are disturbed before they are linked (atoms).
    force
        Write into a folder that is not empty.
    """
    import json

    from t2c_core.schema.model import GraphSchema
    from t2c_data.export.formats import ensure_empty_dir, export_atoms, export_chat, export_parquet
    from t2c_data.pairs import read_pairs

    found = read_pairs(pairs)
    if format != "parquet" and snapshot is None:
        raise DataInputError(f"--format {format} links values and needs --snapshot DIR")
    ensure_empty_dir(out, force=force)
    if format == "parquet" or snapshot is None:
        print(json.dumps(export_parquet(found, out)))
        return 0
    schema = GraphSchema.load(snapshot)
    with progress("Linking questions") as advance:
        if format == "atoms":
            manifest = export_atoms(
                found, out, schema=schema, snapshot=snapshot, seed=seed, noise=noise, progress=advance
            )
        else:
            manifest = export_chat(
                found, out, schema=schema, snapshot=snapshot, messages=format == "chat", progress=advance
            )
    print(json.dumps(manifest))
    return 0
