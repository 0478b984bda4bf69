"""What a model is asked and how its reply is read: one interface, a format for each kind of model."""

from t2c_core.prompt.chat import ChatFormat
from t2c_core.prompt.format import ParsedCompletion, PromptFormat
from t2c_core.prompt.schema_tokens import SchemaTokenFormat

__all__ = ["ChatFormat", "ParsedCompletion", "PromptFormat", "SchemaTokenFormat"]
