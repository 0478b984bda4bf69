"""Report on converted models: a table beside their teacher, and plots."""

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
        model: checkpoint folder.
        kv_heads: KV heads.
        perplexity: perplexity on the report's text.
        perplexity_ratio: perplexity relative to the teacher's.
        kl: mean KL(teacher ‖ model) per token, in nats.
        top1_agreement: fraction of tokens for which both have the same most likely token.
        greedy_prefix_ratio: mean fraction of greedy continuations before the first difference from the teacher's.
        kv_cache_bytes_per_token: measured in a filled cache.
        decode_tokens_per_s: of one sequence, greedy.
        conversion_s: seconds of the conversion; None for a model that was not converted.
    """

    model: str
    kv_heads: int
    perplexity: float
    perplexity_ratio: float
    kl: float
    top1_agreement: float
    greedy_prefix_ratio: float
    kv_cache_bytes_per_token: float
    decode_tokens_per_s: float
    conversion_s: float | None


def compare_all(
    teacher: Path, models: list[Path], text: Path, *, tokens: int | None = None, max_length: int = 512
) -> list[ReportRow]:
    """Measure a teacher and models made from it.

    Args:
        teacher: checkpoint folder.
        models: checkpoint folders.
        text: .txt, or .jsonl with `text`.
        tokens: approximate number of tokens; all if None.
        max_length: maximum number of tokens in a sequence.

    Returns:
        One row per model, the teacher first.

    Raises:
        InputError: a checkpoint or the text cannot be used.
    """
    return [_row(model, teacher, text, tokens, max_length) for model in (teacher, *models)]


def _row(model: Path, teacher: Path, text: Path, tokens: int | None, max_length: int) -> ReportRow:
    compared = evaluate_against_teacher(model, teacher, text, tokens=tokens, max_length=max_length)
    generated = compare_generations(model, teacher, text, prompt_length=min(64, max_length))
    speed = bench(model)
    path = model / "conversion.json"
    conversion_s = json.loads(path.read_text(encoding="utf-8"))["seconds"] if path.exists() else None
    return ReportRow(
        model=str(model),
        kv_heads=inspect(model).kv_heads,
        perplexity=compared.perplexity,
        perplexity_ratio=compared.perplexity / compared.teacher_perplexity,
        kl=compared.kl,
        top1_agreement=compared.top1_agreement,
        greedy_prefix_ratio=generated.common_prefix_ratio,
        kv_cache_bytes_per_token=speed.kv_cache_bytes_per_token,
        decode_tokens_per_s=speed.decode_tokens_per_s,
        conversion_s=conversion_s,
    )


def markdown(rows: list[ReportRow]) -> str:
    """Return rows, the teacher first, as a Markdown table."""
    columns = ["model", "KV heads", "perplexity", "perplexity ratio", "KL", "top-1 agreement"]
    columns += ["greedy prefix ratio", "KV-cache bytes per token", "decode tokens/s", "conversion (s)"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = (
            Path(row.model).name,
            row.kv_heads,
            f"{row.perplexity:.4g}",
            f"{row.perplexity_ratio:.4f}",
            f"{row.kl:.4f}",
            f"{row.top1_agreement:.1%}",
            f"{row.greedy_prefix_ratio:.1%}",
            f"{row.kv_cache_bytes_per_token:,.0f}",
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
    max_length: int = 512,
) -> list[Path]:
    """Plot errors by layer, the spectra that merging truncates, and the similarity of heads.

    Args:
        teacher: checkpoint folder of a supported model.
        models: checkpoint folders made from it.
        text: text to measure heads on.
        folder: folder to write into.
        tokens: approximate number of tokens; all if None.
        max_length: maximum number of tokens in a sequence.

    Returns:
        The plots.

    Raises:
        InputError: a checkpoint or the text cannot be used.

    Writes:
        FOLDER/errors.png (if a model has a conversion.json), spectra.png and similarity.png.
    """
    from gqa_compress.evaluation import plots
    from gqa_compress.evaluation.head_similarity import measure_head_similarity

    kv_heads = min((inspect(model).kv_heads for model in models), default=1)
    layers = measure_head_similarity(teacher, text, kv_heads=kv_heads, tokens=tokens, max_length=max_length)
    drawn = [folder / "errors.png"] if plots.draw_errors(models, folder / "errors.png") else []
    plots.draw_spectra(layers, inspect(teacher).head_dim, folder / "spectra.png")
    plots.draw_similarity(layers, folder / "similarity.png")
    return [*drawn, folder / "spectra.png", folder / "similarity.png"]
