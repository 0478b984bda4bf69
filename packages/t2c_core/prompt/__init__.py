"""Prompt formats: how a question is rendered for a model, and how its completion is parsed."""

from t2c_core.prompt.chat import ChatFormat
from t2c_core.prompt.format import ParsedCompletion, PromptFormat
from t2c_core.prompt.schema_tokens import SchemaTokenFormat

__all__ = ["ChatFormat", "ParsedCompletion", "PromptFormat", "SchemaTokenFormat"]
