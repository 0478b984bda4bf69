"""A table of converted models beside their teacher.

Holds what is measured of each and its Markdown. Source of the figures: perplexity.py, cache.py, conversion.json.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from gqa_compress.checkpoint.inspection import inspect
from gqa_compress.evaluation.cache import bench
from gqa_compress.evaluation.generation import compare_generations
from gqa_compress.evaluation.perplexity import evaluate_against_teacher


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """One model of a report.

    Attributes:
        model: its folder.
        kv_heads: key-value heads.
        perplexity: on the report's text.
        ratio: perplexity over the teacher's.
        kl: mean KL(teacher ‖ model) a token, in nats.
        agreement: share of tokens where both find the same token most likely.
        written: share of greedy continuations up to the first difference from the teacher's.
        cache_bytes_a_token: measured in a filled cache.
        decode_tokens_per_s: one sequence, greedy.
        conversion_s: seconds the conversion took; None for a model that was not converted.
    """

    model: str
    kv_heads: int
    perplexity: float
    ratio: float
    kl: float
    agreement: float
    written: float
    cache_bytes_a_token: float
    decode_tokens_per_s: float
    conversion_s: float | None


def compare_all(
    teacher: Path, models: list[Path], text: Path, *, tokens: int | None = None, length: int = 512
) -> list[ReportRow]:
    """Measure a teacher and models made from it.

    Args:
        teacher: checkpoint folder.
        models: checkpoint folders.
        text: .txt, or .jsonl with `text`.
        tokens: about how many to use; all when None.
        length: most tokens in a sequence.

    Returns:
        One row a model, the teacher first.

    Raises:
        InputError: a checkpoint or the text cannot be used.
    """
    return [_row(model, teacher, text, tokens, length) for model in (teacher, *models)]


def _row(model: Path, teacher: Path, text: Path, tokens: int | None, length: int) -> ReportRow:
    measured = evaluate_against_teacher(model, teacher, text, tokens=tokens, length=length)
    weighed = bench(model)
    conversion = model / "conversion.json"
    return ReportRow(
        model=str(model),
        kv_heads=inspect(model).kv_heads,
        perplexity=measured.perplexity,
        ratio=measured.perplexity / measured.teacher_perplexity,
        kl=measured.kl,
        agreement=measured.agreement,
        written=compare_generations(model, teacher, text, prompt_tokens=min(64, length)).common_prefix_ratio,
        cache_bytes_a_token=weighed.cache_bytes_a_token,
        decode_tokens_per_s=weighed.decode_tokens_per_s,
        conversion_s=json.loads(conversion.read_text(encoding="utf-8"))["seconds"]
        if conversion.exists()
        else None,
    )


def markdown(rows: list[ReportRow]) -> str:
    """Render rows as a Markdown table.

    Args:
        rows: the teacher first.

    Returns:
        The table.
    """
    columns = ["model", "kv heads", "perplexity", "ratio", "KL", "same top token", "same text"]
    columns += ["cache bytes a token", "decoded/s", "seconds"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = (
            Path(row.model).name,
            row.kv_heads,
            f"{row.perplexity:.4g}",
            f"{row.ratio:.4f}",
            f"{row.kl:.4f}",
            f"{row.agreement:.1%}",
            f"{row.written:.1%}",
            f"{row.cache_bytes_a_token:,.0f}",
            f"{row.decode_tokens_per_s:,.0f}",
            "–" if row.conversion_s is None else f"{row.conversion_s:.0f}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def draw(
    teacher: Path,
    models: list[Path],
    text: Path,
    folder: Path,
    *,
    tokens: int | None = None,
    length: int = 512,
) -> list[Path]:
    """Draw errors by layer, the spectra that merging cuts off, and the likeness of heads.

    Args:
        teacher: checkpoint folder of a supported model.
        models: checkpoint folders made from it.
        text: to measure heads on.
        folder: to write into.
        tokens: about how many tokens to use; all when None.
        length: most tokens in a sequence.

    Returns:
        The pictures.

    Raises:
        InputError: a checkpoint or the text cannot be used.

    Writes:
        FOLDER/errors.png (if a model holds its conversion.json), spectra.png and likeness.png.
    """
    from gqa_compress.evaluation import plots
    from gqa_compress.evaluation.head_similarity import measure_head_similarity

    fewest = min((inspect(model).kv_heads for model in models), default=1)
    layers = measure_head_similarity(teacher, text, kv_heads=fewest, tokens=tokens, length=length)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [folder / "errors.png"] if plots.draw_errors(models, folder / "errors.png") else []
    plots.draw_spectra(layers, inspect(teacher).head_size, folder / "spectra.png")
    plots.draw_likeness(layers, folder / "likeness.png")
    return [*drawn, folder / "spectra.png", folder / "likeness.png"]
