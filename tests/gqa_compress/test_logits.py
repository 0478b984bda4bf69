"""The loss that training reports is the loss of the model that it saves, for every model type."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from tests.gqa_compress.tiny_models import save_tiny, tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from gqa_compress.checkpoint.architectures import SUPPORTED
from gqa_compress.text.training_rows import make_batch, tokenize_rows
from gqa_compress.training.config import Optimizer, TrainingConfig
from gqa_compress.training.loop import train

# Factors that are not 1, so that leaving one out changes the loss.
FIELDS = {
    "cohere": {"logit_scale": 0.25},
    "granite": {"logits_scaling": 3.0, "embedding_multiplier": 2.0, "residual_multiplier": 0.5},
    "gemma2": {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0, "head_dim": 16},
    "qwen2": {"vocab_size": 258, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0},
}


@pytest.mark.parametrize("model_type", sorted({*SUPPORTED, "granite", "gemma2", "qwen3"}))
def test_the_reported_loss_is_that_of_the_saved_model(
    tmp_path: Path, sorting_rows: Path, model_type: str
) -> None:
    start = save_tiny(tiny_model(model_type, **FIELDS.get(model_type, {})), tmp_path / "start")
    recipe = TrainingConfig(
        output_dir=tmp_path / "out",
        train_file=sorting_rows,
        validation_file=sorting_rows,
        init_checkpoint=start,
        max_steps=2,
        max_tokens_per_batch=256,
        max_length=64,
        max_eval_samples=400,
        precision="fp32",
        optimizer=Optimizer(learning_rate=1e-3, warmup_steps=1),
    )
    report = train(recipe)
    model = AutoModelForCausalLM.from_pretrained(recipe.output_dir, dtype=torch.float32).eval()
    rows = tokenize_rows(sorting_rows, AutoTokenizer.from_pretrained(recipe.output_dir), max_length=64)
    loss, tokens = 0.0, 0
    for index in range(0, len(rows), 40):
        chosen = torch.arange(index, min(index + 40, len(rows))).numpy()
        batch = make_batch(rows, chosen, prompt_loss_weight=0.0)
        with torch.no_grad():
            logits = model(batch.input_ids).logits.flatten(0, 1)[batch.loss_positions]
        loss += float(F.cross_entropy(logits, batch.targets, reduction="sum"))
        tokens += len(batch.targets)
    assert report.eval_loss == pytest.approx(loss / tokens, rel=1e-5)
