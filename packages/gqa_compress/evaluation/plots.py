"""Plots of a report: errors by layer, spectra, head similarity."""

import json
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gqa_compress.deprecated import rename_output_fields
from gqa_compress.evaluation.head_similarity import LayerHeads
from graphling_io.outputs import atomic_file


def draw_errors(models: list[Path], path: Path) -> bool:
    """Plot the errors of each conversion by layer.

    Args:
        models: checkpoint folders; those without conversion.json are left out.
        path: PNG file to write.

    Returns:
        Whether there was anything to plot.
    """
    reports = {model.name: model / "conversion.json" for model in models}
    found = {
        name: [
            rename_output_fields(layer) for layer in json.loads(file.read_text(encoding="utf-8"))["layers"]
        ]
        for name, file in reports.items()
        if file.exists()
    }
    if not found:
        return False
    figure, axes = _canvas(1, 2, figsize=(10, 4), sharey=True)
    for axis, error, title in zip(
        axes,
        ("attention_relative_error", "residual_relative_error"),
        ("after attention", "after the MLP"),
        strict=True,
    ):
        for name, layers in found.items():
            axis.plot(
                [layer["layer"] for layer in layers],
                [layer[error] for layer in layers],
                marker="o",
                label=name,
            )
        axis.set(xlabel="layer", yscale="log", title=f"error of the residual stream {title}")
    axes[0].set_ylabel("relative squared error, held-out tokens")
    axes[0].legend(fontsize=7)
    _save(figure, path)
    return True


def draw_spectra(layers: list[LayerHeads], kept: int, path: Path) -> None:
    """Plot how much of keys and values one merged head keeps.

    Args:
        layers: heads of the source model.
        kept: D, value directions that a merged head keeps.
        path: PNG file to write.
    """
    figure, axes = _canvas(1, 2, figsize=(10, 4))
    for number, layer in enumerate(layers):
        colour = colormaps["viridis"](number / max(1, len(layers) - 1))
        axes[0].plot(
            range(1, len(layer.key_explained_variance) + 1),
            layer.key_explained_variance.cumsum(),
            color=colour,
            label=f"{number}",
        )
        axes[1].plot(
            range(1, len(layer.value_explained_variance) + 1),
            layer.value_explained_variance.cumsum(),
            color=colour,
        )
    axes[0].axvline(1, linestyle=":")
    axes[1].axvline(kept, linestyle=":")
    axes[0].set(title="keys, per rotary pair", xlabel="components", ylabel="explained variance ratio")
    axes[1].set(title="values", xlabel="directions")
    axes[0].legend(title="layer", fontsize=6, ncols=2)
    _save(figure, path)


def draw_similarity(layers: list[LayerHeads], path: Path) -> None:
    """Plot the similarity of heads before and after alignment, one column per layer.

    Args:
        layers: heads of the source model.
        path: PNG file to write.
    """
    shown = layers[:: max(1, len(layers) // 8)][:8]
    figure, axes = _canvas(2, len(shown), figsize=(2 * len(shown) + 1, 4.4), squeeze=False)
    step = max(1, len(layers) // 8)
    for number, layer in enumerate(shown):
        for row, values in enumerate((layer.similarity_before_alignment, layer.similarity_after_alignment)):
            picture = axes[row][number].imshow(values, vmin=0, vmax=1, cmap="viridis")
            axes[row][number].set(xticks=[], yticks=[])
        axes[0][number].set_title(f"layer {number * step}", fontsize=8)
    axes[0][0].set_ylabel("before alignment")
    axes[1][0].set_ylabel("after alignment")
    figure.colorbar(picture, ax=axes, shrink=0.7)
    _save(figure, path, tight=False)


def _canvas(rows: int, columns: int, **options: Any) -> tuple[Any, Any]:
    figure = Figure(figsize=options.pop("figsize"))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def _save(figure: Any, path: Path, *, tight: bool = True) -> None:
    if tight:
        figure.tight_layout()
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
