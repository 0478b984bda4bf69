"""The models that write Cypher, behind one protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from t2c_service.models.protocol import Completion, CypherModel, Prompt

if TYPE_CHECKING:
    from t2c_service.settings import ModelSettings

__all__ = ["Completion", "CypherModel", "Prompt", "open_model"]


async def open_model(settings: ModelSettings) -> CypherModel:
    """Make the model that the settings name; loads a local one.

    Raises:
        ModelFolderError: a local model's folder cannot be used.
    """
    if settings.kind == "openai":
        from t2c_service.models.openai import OpenAIModel

        assert settings.url is not None  # noqa: S101  (the settings see to it)
        return OpenAIModel(
            settings.url, name=settings.name, api_key=settings.api_key, max_tokens=settings.max_tokens
        )
    from t2c_service.models.local.model import LocalModel

    assert settings.path is not None  # noqa: S101
    return await asyncio.to_thread(
        LocalModel.load, settings.path, max_tokens=settings.max_tokens, threads=settings.threads
    )
