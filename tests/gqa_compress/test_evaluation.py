"""Evaluation: what models write, what their heads have in common, and the report with its pictures."""

from pathlib import Path

import numpy as np
import pytest
from tests.gqa_compress.tiny_models import save_tiny, tiny_model, with_copied_heads

from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.errors import RowsError
from gqa_compress.evaluation.generation import compare_generations
from gqa_compress.evaluation.head_similarity import measure_head_similarity
from gqa_compress.evaluation.report import draw


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("It was the best of times, it was the worst of times, it was the age of wisdom.\n" * 12)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, text: Path) -> tuple[Path, Path]:
    """A model whose heads 0-3 and 4-7 are rotated copies, and a mean of them that is wrong."""
    folder = tmp_path_factory.mktemp("models")
    source = save_tiny(with_copied_heads(tiny_model("llama"), 2, "rotated"), folder / "source")
    plan = ConversionConfig(
        kv_heads=2, method="mean", refit=False, distill_steps_per_layer=0, tokens=512, max_length=64
    )
    convert(source, text, folder / "out", plan)
    return source, folder / "out"


def test_a_model_writes_what_it_writes(models: tuple[Path, Path], text: Path) -> None:
    source, out = models
    sizes = {"prompts": 4, "prompt_length": 16, "new_tokens": 8}
    same = compare_generations(source, source, text, **sizes)
    assert (same.prompts, same.exact_match, same.common_prefix_ratio) == (4, 1, 1)
    other = compare_generations(out, source, text, **sizes)
    assert other.common_prefix_ratio < 1
    assert other.exact_match <= other.common_prefix_ratio


def test_prompts_longer_than_the_text_are_refused(models: tuple[Path, Path], text: Path) -> None:
    with pytest.raises(RowsError, match="no sequence of 5000 tokens"):
        compare_generations(models[0], models[0], text, prompt_length=5000)


def test_alignment_shows_which_heads_are_copies(models: tuple[Path, Path], text: Path) -> None:
    for layer in measure_head_similarity(models[0], text, kv_heads=2, tokens=400, max_length=64):
        copies = np.kron(np.eye(2), np.ones((4, 4))).astype(bool)
        np.testing.assert_allclose(layer.similarity_after_alignment[copies], 1, atol=1e-6)
        assert (layer.similarity_after_alignment[~copies] < 0.999).all()
        assert layer.similarity_before_alignment[0, 1] < 0.9
        np.testing.assert_allclose(np.diag(layer.similarity_before_alignment), 1)
        assert layer.key_explained_variance[0] == pytest.approx(1)
        assert layer.value_explained_variance[:8].sum() == pytest.approx(1)
        assert len(layer.value_explained_variance) == 32


def test_the_report_draws_its_pictures(models: tuple[Path, Path], text: Path, tmp_path: Path) -> None:
    drawn = draw(models[0], [models[1]], text, tmp_path / "plots", tokens=400, max_length=64)
    assert [path.name for path in drawn] == ["errors.png", "spectra.png", "similarity.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(p.name for p in drawn)
