"""A language model on a server with the OpenAI HTTP API, and the limits of its use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Address of a language model and limits of its use; `url` is empty where no model is used."""

    url: Annotated[str, Parameter(name="--llm-url")] = ""
    """Address of an OpenAI-compatible server, with /v1; its API key is read from T2C_LLM_KEY."""
    model: Annotated[str, Parameter(name="--llm-model")] = ""
    """Name of the model on the server; may be omitted if the server has one model only."""
    max_total_tokens: Annotated[int, Parameter(name="--max-total-tokens")] = 0
    """Maximum number of tokens read and written in all, cached replies included; 0 for no limit."""
    structured_output: Annotated[bool, Parameter(name="--structured-output")] = True
    """Whether the server constrains replies to a JSON schema (`response_format`)."""
    key_env: Annotated[str, Parameter(parse=False)] = "T2C_LLM_KEY"
    """Environment variable with the API key; no key is sent if it is not set."""
    temperature: Annotated[float, Parameter(parse=False)] = 0.8
    """Sampling temperature."""
    max_tokens: Annotated[int, Parameter(name="--llm-max-tokens")] = 2_000
    """Maximum number of tokens per reply."""
    timeout_s: Annotated[float, Parameter(name="--llm-timeout-s")] = 120.0
    """Maximum number of seconds per request."""
    retries: Annotated[int, Parameter(name="--llm-retries")] = 4
    """Number of times a failed request is repeated, with exponential backoff."""
    concurrency: Annotated[int, Parameter(name="--llm-concurrency")] = 8
    """Maximum number of requests in flight."""
