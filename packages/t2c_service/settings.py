"""Settings of the service: names, types, defaults and meanings; `settings_loader` reads them."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path  # noqa: TC003  (pydantic reads it)
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from t2c_core.values.locales import Locale  # noqa: TC001  (pydantic reads it)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

PREFIX = "T2C_"
DATABASE_NAME = r"^[A-Za-z][A-Za-z0-9_.-]{0,62}$"
Part = Literal["grammar", "values", "repair", "examples"]
"""Components of answering that can be disabled: constrained decoding, linked values, repairs, few-shot examples."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
RENAMED: Mapping[str, str] = {
    "limits.request_s": "limits.request_timeout_s",
    "limits.body_s": "limits.body_timeout_s",
    "limits.drain_s": "limits.graceful_shutdown_s",
    "limits.attempts": "limits.max_attempts",
    "limits.samples": "limits.max_samples",
    "limits.waiting": "limits.max_queued",
    "limits.question_chars": "limits.max_question_chars",
    "limits.schema_chars": "limits.max_schema_chars",
    "limits.body_bytes": "limits.max_body_bytes",
    "limits.diagnosis_queries": "limits.max_diagnosis_queries",
    "limits.diagnosis_s": "limits.max_diagnosis_s",
    "access.per_minute": "access.requests_per_minute",
    "access.key": "access.client_api_key",
    "access.keys": "access.keys_file",
    "access.audit": "access.audit_log",
    "access.redis": "access.redis_url",
    "watch_s": "snapshot_poll_s",
    "refresh_s": "snapshot_refresh_s",
    "canary": "hardening_check",
}
"""Present names by deprecated ones; `settings_loader` accepts both and warns."""
SHORT: Mapping[str, str] = {"graph": "graph.uri", "model": "model.path"}
"""Settings that the variable of a group sets if it is no JSON: `T2C_GRAPH=bolt://localhost:7687`."""


class SettingsPart(BaseModel):
    """A group of settings; unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class GraphSettings(SettingsPart):
    """The graph database: a Bolt address, an embedded store, or both."""

    uri: str | None = None
    """Bolt address, for instance `bolt://127.0.0.1:7687`."""
    user: str = "neo4j"
    password: SecretStr | None = None
    """No authentication is attempted without a password."""
    database: str | None = None
    """Name of the database on the server; its default database if not set."""
    home: Path | None = None
    """Folder of an embedded store, which is started when no server answers at `uri`."""

    @model_validator(mode="before")
    @classmethod
    def _take_credentials(cls, content: Any) -> Any:
        """Use NEO4J_USERNAME and NEO4J_PASSWORD, as all commands do, unless a password is set."""
        password = os.environ.get("NEO4J_PASSWORD")
        if not password or not isinstance(content, dict) or content.get("password"):
            return content
        user = {"user": name} if (name := os.environ.get("NEO4J_USERNAME")) else {}
        return {**user, **content, "password": password}


class ModelSettings(SettingsPart):
    """The model that generates Cypher."""

    kind: Literal["local", "openai"] = "local"
    """`local`: a checkpoint folder, run in process. `openai`: any server with the OpenAI HTTP API."""
    path: Path | None = None
    """Checkpoint folder of a local model."""
    url: str | None = None
    """Address of an OpenAI-compatible server, with `/v1`."""
    name: str | None = None
    """Name of the model on that server; not needed if the server has only one."""
    api_key: SecretStr | None = None
    max_tokens: Annotated[int, Field(ge=8, le=4096)] = 256
    """Maximum number of tokens per completion; a completion that reaches it is a failure."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """Maximum number of seconds per completion."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """CPU threads of a local model; 0 takes one for a small model and all cores for others."""
    grammar: Literal["auto", "on", "off"] = "auto"
    """Constrained decoding within a grammar of the graph: `auto` for local models only, `on` also for servers that
    support `structured_outputs`, as vLLM does."""

    @property
    def is_constrained(self) -> bool:
        """Whether decoding is constrained by a grammar."""
        return self.grammar == "on" or (self.grammar == "auto" and self.kind == "local")

    @model_validator(mode="after")
    def _check_location(self) -> ModelSettings:
        needed = "path" if self.kind == "local" else "url"
        if getattr(self, needed) is None:
            raise ValueError(f"kind is {self.kind!r} and needs `{needed}`")
        return self


class LimitSettings(SettingsPart):
    """Limits on a question and on the service as a whole."""

    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Maximum number of seconds that one query runs."""
    request_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 40.0
    """Maximum number of seconds for a question, including the wait for a slot and all attempts."""
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = 1000
    max_bytes: Annotated[int, Field(ge=1000, le=100_000_000)] = 2_000_000
    """Maximum number of bytes of rows; a longer result is truncated and marked as such."""
    max_cell_chars: Annotated[int, Field(ge=10, le=1_000_000)] = 2000
    max_question_chars: Annotated[int, Field(ge=10, le=100_000)] = 2000
    max_body_bytes: Annotated[int, Field(ge=1000, le=10_000_000)] = 65_536
    """Maximum number of bytes of a request body."""
    max_attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """Maximum number of attempts at a question: the first query and the hypotheses that follow it."""
    max_samples: Annotated[int, Field(ge=1, le=16)] = 5
    """Maximum number of samples that a question may request."""
    default_samples: Annotated[int, Field(ge=1, le=16)] = 1
    """Queries generated and executed for a question that does not set `samples`; the result that most of them agree on
    is the answer. More samples are more accurate and cost more."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Confidence below which a question counts as unanswerable; 0 leaves the decision to the model."""
    retry_empty: bool = True
    """Whether a chat model may correct a query that returned no rows."""
    max_diagnosis_queries: Annotated[int, Field(ge=0, le=50)] = 8
    """Maximum number of queries that diagnose an empty result; 0 disables the diagnosis."""
    max_diagnosis_s: Annotated[float, Field(gt=0, le=60)] = 3.0
    """Maximum number of seconds of such a diagnosis."""
    max_schema_chars: Annotated[int, Field(ge=500, le=1_000_000)] = 12_000
    """Maximum number of characters of the schema in the prompt of a chat model; a longer schema is pruned."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    """Maximum number of questions answered at once."""
    max_queued: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Maximum number of questions queued for a slot; more are rejected."""
    body_timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Maximum number of seconds until the body of a request has arrived."""
    graceful_shutdown_s: Annotated[float, Field(ge=0, le=600)] = 45.0
    """Maximum number of seconds for requests in progress when the service is stopped."""


Scope = Literal["query", "cypher", "schema", "metrics"]
"""`query`: ask questions; `cypher`: run given queries; `schema`: read schema, examples and databases; `metrics`."""


class AccessSettings(SettingsPart):
    """Authentication, authorisation, rate limits and the audit log."""

    keys_file: Path | None = None
    """File of API keys, written by `t2c-service keys`. No key is required without it."""
    client_api_key: SecretStr | None = None
    """API key with which `t2c-service evaluate --url` authenticates; the service itself does not use it."""
    anonymous: tuple[Scope, ...] = ()
    """Scopes of requests without an API key, where there is a file of keys."""
    allow_anonymous: bool = False
    """Whether a service without a file of keys may listen on an address that other machines can reach. `t2c-service
    serve` refuses to start otherwise."""
    invalid_keys_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Maximum number of invalid API keys per minute and client address that are answered with 401 and recorded in the
    audit log; further ones get 429. Valid keys are not affected."""
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Maximum number of questions per minute and principal: an API key, or the client address without one. A key may
    have a limit of its own."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Maximum number of concurrent questions per principal; a key may have a limit of its own."""
    redis_url: SecretStr | None = None
    """`redis://` address through which replicas share rate limits; without it each replica counts its own requests."""
    audit_log: Path | None = None
    """JSONL file to which every question and query is appended: principal, query, outcome, number of rows."""


class FeedbackSettings(SettingsPart):
    """Feedback about answers."""

    file: Path | None = None
    """JSONL file to which verdicts on answers and corrected queries are appended; no feedback is kept without it."""
    max_bytes: Annotated[int, Field(ge=1000, le=10_000_000_000)] = 10_000_000
    """Maximum size of that file; further feedback is refused."""


class ObservabilitySettings(SettingsPart):
    """Logs and traces."""

    log_format: Literal["text", "json"] = "text"
    otlp_endpoint: str | None = None
    """Address of an OpenTelemetry collector (OTLP over HTTP), for instance `http://collector:4318`."""
    service_name: str = "graphling"
    """Service name in traces."""


class DatabaseSettings(SettingsPart):
    """A further graph of the service."""

    graph: GraphSettings
    snapshot: Path
    policy: Path | None = None
    lexicon: Path | None = None
    examples: Path | None = None
    verified_queries: Path | None = None
    aliases: Path | None = None
    locale: Locale | None = None
    """The locale of this graph; that of the service if not set."""
    model: ModelSettings | None = None
    """The model of this graph; the `model` of the service if not set."""
    prompt: Literal["atoms", "chat"] | None = None
    title: str = ""


class Settings(BaseSettings):
    """All settings of the service."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    graph: GraphSettings
    snapshot: Path
    """Folder written by `t2c-graph snapshot`: schema and values."""
    policy: Path | None = None
    """YAML file of hidden names (`hidden: [Patient.name]`), in addition to what the snapshot omits."""
    lexicon: Path | None = None
    """Lexicon (`t2c-data lexicon`) whose words `interpretation` uses; the names of the schema if not set."""
    model: ModelSettings
    prompt: Literal["atoms", "chat"] = "atoms"
    """Prompt format: `atoms` for a small model trained on this graph, `chat` for a general model."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes any free port."""
    published_host: str | None = None
    """Address on which a container engine publishes the service, if it differs from `host`; it decides whether other
    machines can reach the service."""
    allowed_hosts: tuple[str, ...] = ()
    """Accepted host names; those of the loopback interface if `host` is a loopback address, else any."""
    limits: LimitSettings = LimitSettings()
    access: AccessSettings = AccessSettings()
    observability: ObservabilitySettings = ObservabilitySettings()
    feedback: FeedbackSettings = FeedbackSettings()
    database: Annotated[str, Field(pattern=DATABASE_NAME)] = "default"
    """Name of this graph where there are several."""
    databases: dict[Annotated[str, Field(pattern=DATABASE_NAME)], DatabaseSettings] = Field(default={})
    """Further graphs by name."""
    snapshot_poll_s: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """Seconds between checks for a replaced snapshot folder; 0 disables them."""
    snapshot_refresh_s: Annotated[float, Field(ge=0, le=2_592_000)] = 0.0
    """Seconds between new snapshots that the service takes itself; 0 disables them."""
    hardening_check: Literal["off", "warn", "require"] = "warn"
    """Whether to send the probe queries of `t2c-graph doctor` to each server after the start. `/readyz` reports the
    findings; with `require` the service is unready until the server is hardened."""
    encoder: Path | None = None
    """Folder of a sentence encoder that selects similar examples; words are compared without one."""
    examples: Path | None = None
    """JSONL of example questions: `question`, and `featured: true` for those to show first. Examples with `cypher`
    serve as few-shot examples for chat models."""
    verified_queries: Path | None = None
    """YAML file of verified queries: named, parameterised queries that answer questions with their wordings before the
    model is asked."""
    aliases: Path | None = None
    """YAML file of other names of values, for the snapshots that the service takes itself (`t2c-graph snapshot
    --aliases` for others)."""
    locale: Locale = "en"
    """How numbers and dates are written in questions: `en` (03/04/2021 is 4 March), `en-GB`, `de`, `fr` or `es` (it is
    3 April, and the last three have a decimal comma)."""
    ablate: tuple[Part, ...] = ()
    """Components of answering to disable, for ablation measurements."""
    page: bool = True
    """Whether to serve the web page at `/`."""
    title: str = "Graphling"
    """Title of the web page."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give variables precedence over the file, whose content arrives as init arguments."""
        return _Environment(settings_cls), init_settings

    @model_validator(mode="after")
    def _check_graphs(self) -> Settings:
        if self.graph.uri is None and self.graph.home is None:
            raise ValueError("graph: give `uri` (a Bolt address), `home` (an embedded store), or both")
        if self.database in self.databases:
            raise ValueError(
                f"databases: {self.database!r} is already the name of the first graph; choose another"
            )
        return self

    @property
    def all_databases(self) -> dict[str, DatabaseSettings]:
        """All graphs by name; the default one comes first."""
        first = DatabaseSettings(
            graph=self.graph,
            snapshot=self.snapshot,
            policy=self.policy,
            lexicon=self.lexicon,
            examples=self.examples,
            verified_queries=self.verified_queries,
            aliases=self.aliases,
            locale=self.locale,
            title="" if self.databases else self.title,
        )
        others = {
            name: each.model_copy(update={"locale": each.locale or self.locale})
            for name, each in self.databases.items()
        }
        return {self.database: first, **others}

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach the service."""
        return not _is_loopback(self.published_host or self.host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Accepted host names; empty if any is accepted."""
        if self.allowed_hosts:
            return self.allowed_hosts
        return (*LOOPBACK_NAMES, self.host) if _is_loopback(self.host) else ()


class _Environment(EnvSettingsSource):
    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in read_environment(os.environ).items()}


def read_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the `T2C_` variables under their present names; comma-separated lists become JSON arrays."""
    lists = {key for key, field in walk_settings(Settings) if get_origin(field.annotation) is tuple}
    found = {}
    for name, value in environment.items():
        if name.upper().startswith(PREFIX):
            key = name[len(PREFIX) :].lower().replace("__", ".")
            key = RENAMED.get(key, key)
            if key in SHORT and not value.lstrip().startswith("{"):
                key = SHORT[key]
            if key in lists and not value.lstrip().startswith("["):
                value = json.dumps([part.strip() for part in value.split(",") if part.strip()])  # noqa: PLW2901
            found[variable_of(key)] = value
    return found


def variable_of(key: str) -> str:
    """Return the name of the environment variable of a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def part_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the group of settings that a field holds, directly or by name."""
    for each in (field.annotation, *get_args(field.annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def is_mapping(field: FieldInfo) -> bool:
    """Return whether a field holds groups of settings by name."""
    return get_origin(field.annotation) is dict


def walk_settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting with its dotted key, groups being entered."""
    for name, field in model.model_fields.items():
        part = part_of(field)
        if part is not None and not is_mapping(field):
            yield from walk_settings(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
