"""Other projects' merges in the benchmark of pretrained models: exact where their theory says so."""

import runpy
from pathlib import Path

import pytest
import torch
from tests.gqa_compress.tiny_models import Copies, save_tiny, tiny_model, with_copied_heads
from transformers import AutoModelForCausalLM

from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.heads.merging import METHODS

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "gqa_compress" / "baselines.py"
TOKENS = torch.arange(1, 60)[None]


@pytest.mark.parametrize(
    ("method", "copies", "exact"),
    [
        ("rorope", "equal", True),
        ("rorope", "scaled", False),  # real rotations know no phase
        ("low_rank", "scaled", True),
        ("two_norm", "equal", False),  # other heads lose the pair
    ],
)
def test_baselines_undo_what_their_maps_can_undo(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch, method: str, copies: Copies, exact: bool
) -> None:
    for name, merge in runpy.run_path(str(PROGRAM))["BASELINES"].items():
        monkeypatch.setitem(METHODS, name, merge)  # type: ignore[arg-type]
    source = save_tiny(with_copied_heads(tiny_model("llama"), 2, copies), tmp_path / "source")
    config = ConversionConfig(
        kv_heads=2,
        method=method,  # type: ignore[arg-type]
        refit=False,
        distill_steps_per_layer=0,
        tokens=1024,
        max_length=64,
    )
    convert(source, text, tmp_path / "out", config)
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(TOKENS).logits
        for folder in (source, tmp_path / "out")
    )
    assert torch.allclose(before, after, atol=1e-4, rtol=1e-4) == exact
