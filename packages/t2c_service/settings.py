"""What a person configures, with what it may be; read by `configuration`, starts nothing."""

from __future__ import annotations

import ipaddress
from pathlib import Path  # noqa: TC003  (pydantic reads it)
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "T2C_"
DATABASE_NAME = r"^[A-Za-z][A-Za-z0-9_.-]{0,62}$"
Part = Literal["grammar", "values", "repair", "examples"]
"""Parts of answering that can be left out: the grammar of completions, linked values, mended queries, similar
examples."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class SettingsPart(BaseModel):
    """Keys that belong together; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class GraphSettings(SettingsPart):
    """The graph that is asked: a Bolt address, an embedded store, or both."""

    uri: str | None = None
    """Bolt address, for instance `bolt://127.0.0.1:7687`."""
    user: str = "neo4j"
    password: SecretStr | None = None
    """Without one, no authentication is attempted."""
    database: str | None = None
    """Without one, the server's default database."""
    home: Path | None = None
    """Folder of an embedded store; it is started when nothing answers at `uri`."""


class ModelSettings(SettingsPart):
    """The model that writes Cypher."""

    kind: Literal["local", "openai"] = "local"
    """`local`: a checkpoint folder, in process. `openai`: any server with the OpenAI HTTP API."""
    path: Path | None = None
    """Checkpoint folder of a local model."""
    url: str | None = None
    """Address of an OpenAI-compatible server, with `/v1`."""
    name: str | None = None
    """The model's name on that server; not needed if it serves one only."""
    api_key: SecretStr | None = None
    max_tokens: Annotated[int, Field(ge=8, le=4096)] = 256
    """Longest completion; a longer one counts as endless."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """Longest wait for one completion."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """CPU threads of a local model; 0: one for a small model, all cores for others."""
    grammar: Literal["auto", "on", "off"] = "auto"
    """Whether completions are kept within a grammar of the graph: `auto` for local models only, `on` for servers that
    take `structured_outputs`, as vLLM does."""

    @property
    def is_constrained(self) -> bool:
        """Whether completions are kept within a grammar."""
        return self.grammar == "on" or (self.grammar == "auto" and self.kind == "local")

    @model_validator(mode="after")
    def _says_where(self) -> ModelSettings:
        needed = "path" if self.kind == "local" else "url"
        if getattr(self, needed) is None:
            raise ValueError(f"kind is {self.kind!r} and needs `{needed}`")
        return self


class LimitSettings(SettingsPart):
    """How much one question may cost."""

    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Longest run of one query."""
    request_s: Annotated[float, Field(gt=0, le=3600)] = 40.0
    """Longest time for a question, all attempts together."""
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = 1000
    max_bytes: Annotated[int, Field(ge=1000, le=100_000_000)] = 2_000_000
    """Most bytes of rows; what is beyond is cut and said to be."""
    max_cell_chars: Annotated[int, Field(ge=10, le=1_000_000)] = 2000
    question_chars: Annotated[int, Field(ge=10, le=100_000)] = 2000
    body_bytes: Annotated[int, Field(ge=1000, le=10_000_000)] = 65_536
    """Longest request body."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """Rounds before giving up on a question: the first one, then one more hypothesis each."""
    samples: Annotated[int, Field(ge=1, le=16)] = 5
    """Most samples that a question may ask for."""
    default_samples: Annotated[int, Field(ge=1, le=16)] = 1
    """Queries written and run for a question that does not say how many; the rows that most of them give are the
    answer. More are more often right and cost more."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Confidence below which a question counts as unanswerable; 0 leaves that to the model."""
    retry_empty: bool = True
    """Whether a chat model is told that its query gave no rows, and may correct it."""
    diagnosis_queries: Annotated[int, Field(ge=0, le=50)] = 8
    """Queries that may be spent on finding out why there are no rows; 0 finds out nothing."""
    diagnosis_s: Annotated[float, Field(gt=0, le=60)] = 3.0
    """Longest time for that."""
    schema_chars: Annotated[int, Field(ge=500, le=1_000_000)] = 12_000
    """Longest schema text in the prompt of a chat model; of a longer one the fitting part is chosen."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    """Questions worked on at once."""
    waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Questions that may wait for their turn; more are turned away."""
    body_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Longest time that a request's body may take to arrive."""
    drain_s: Annotated[float, Field(ge=0, le=600)] = 45.0
    """Longest time for requests that run when the service is stopped."""


Scope = Literal["query", "cypher", "schema", "metrics"]
"""`query`: ask; `cypher`: run one's own queries; `schema`: see schema, examples and databases; `metrics`."""


class AccessSettings(SettingsPart):
    """Who may do what, and how much."""

    keys: Path | None = None
    """File of API keys, as `t2c-service keys` writes it. Without one, nobody is asked for a key."""
    key: SecretStr | None = None
    """Key that `t2c-service evaluate --url` shows to the service that it asks; a service itself needs none."""
    anonymous: tuple[Scope, ...] = ()
    """What callers without a key may do although there are keys."""
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Most questions a minute for each caller: key, or address of those without one; keys may have their own."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Most questions at once for each caller; keys may have their own."""
    redis: SecretStr | None = None
    """`redis://` address in which several replicas count together; each counts alone without it."""
    audit: Path | None = None
    """JSONL file to which every question and query is appended: who, what, verdict, number of rows."""


class ObservabilitySettings(SettingsPart):
    """What operators see."""

    log_format: Literal["text", "json"] = "text"
    otlp_endpoint: str | None = None
    """Address of an OpenTelemetry collector (OTLP over HTTP), for instance `http://collector:4318`."""
    service_name: str = "graphling"
    """Name under which traces are sent."""


class DatabaseSettings(SettingsPart):
    """One graph more that the service answers for."""

    graph: GraphSettings
    snapshot: Path
    policy: Path | None = None
    examples: Path | None = None
    model: ModelSettings | None = None
    """The service's own model without one."""
    prompt: Literal["atoms", "chat"] | None = None
    title: str = ""


class Settings(BaseSettings):
    """Everything the service can be told."""

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
    """Folder that `t2c-graph snapshot` wrote: schema and values."""
    policy: Path | None = None
    """YAML of what must not be seen (`hidden: [Patient.name]`), besides what the snapshot leaves out."""
    model: ModelSettings
    prompt: Literal["atoms", "chat"] = "atoms"
    """`atoms` for a small per-graph model, `chat` for a general one."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes any free port."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names under which the service may be called; by default those of `host` if it is a loopback, else any."""
    limits: LimitSettings = LimitSettings()
    access: AccessSettings = AccessSettings()
    observability: ObservabilitySettings = ObservabilitySettings()
    database: Annotated[str, Field(pattern=DATABASE_NAME)] = "default"
    """Name of this graph, where several are served."""
    databases: dict[Annotated[str, Field(pattern=DATABASE_NAME)], DatabaseSettings] = Field(default={})
    """Other graphs by name."""
    watch_s: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """How often to look whether a snapshot folder has been replaced; 0: never."""
    refresh_s: Annotated[float, Field(ge=0, le=2_592_000)] = 0.0
    """How often to take new snapshots of the graphs and use them; 0: never."""
    canary: Literal["off", "warn", "require"] = "warn"
    """Whether to try harmful queries on each server after the start, as `t2c-graph doctor` does; readiness shows what
    was found, and fails for it with `require`."""
    encoder: Path | None = None
    """Folder of a sentence encoder that finds similar examples; words are compared without one."""
    examples: Path | None = None
    """JSONL of questions to offer: `question`, `featured: true` on the few to show first; those with `cypher` are
    shown to chat models."""
    ablate: tuple[Part, ...] = ()
    """Parts of answering to leave out, to measure what they are worth."""
    page: bool = True
    """Whether to serve the page at `/`."""
    title: str = "Graphling"
    """Name of the page; several graphs go by names of their own."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let variables win over the file, which arrives as init arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _names_a_graph(self) -> Settings:
        if self.graph.uri is None and self.graph.home is None:
            raise ValueError("graph: give `uri` (a Bolt address), `home` (an embedded store), or both")
        if self.database in self.databases:
            raise ValueError(f"databases: {self.database!r} is the name of the first graph; choose another")
        return self

    @property
    def all_databases(self) -> dict[str, DatabaseSettings]:
        """Every graph by name, the first one first."""
        first = DatabaseSettings(
            graph=self.graph,
            snapshot=self.snapshot,
            policy=self.policy,
            examples=self.examples,
            title="" if self.databases else self.title,
        )
        return {self.database: first, **self.databases}

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names that requests may name; empty when any may."""
        if self.allowed_hosts:
            return self.allowed_hosts
        return (*LOOPBACK_NAMES, self.host) if _is_loopback(self.host) else ()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
