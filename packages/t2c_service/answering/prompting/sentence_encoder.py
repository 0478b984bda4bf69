"""A sentence encoder for similar examples: a folder of a BERT-like model, mean-pooled, vectors of length one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from t2c_service.answering.prompting.examples import Encoder

BATCH = 64


def load_encoder(folder: Path) -> Encoder:
    """Load an encoder; blocks for seconds.

    Args:
        folder: with `config.json`, weights and tokenizer, as sentence-transformers saves it.

    Raises:
        SettingsError: the folder is no such model.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    if not (folder / "config.json").is_file():
        raise SettingsError(
            f"`encoder` {folder} has no config.json; name a folder that holds a sentence encoder"
        )
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SettingsError(f"`encoder` {folder} cannot be loaded: {error}") from error
    model.train(mode=False)

    def encode(sentences: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = []
        with torch.inference_mode():
            for start in range(0, len(sentences), BATCH):
                batch = tokenizer(
                    list(sentences[start : start + BATCH]), padding=True, truncation=True, return_tensors="pt"
                )
                states = model(**batch).last_hidden_state  # (B, T, C)
                mask = batch["attention_mask"].unsqueeze(-1)  # (B, T, 1)
                mean = (states * mask).sum(1) / mask.sum(1)  # (B, C)
                vectors += torch.nn.functional.normalize(mean, dim=-1).tolist()
        return vectors

    return encode
