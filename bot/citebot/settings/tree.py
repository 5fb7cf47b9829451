"""The declared tree: every setting of the core, with its default and one line that says what it is."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

SHORTEST_TOKEN = 16


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _whole(path: Path) -> Path:
    return path.expanduser().absolute()


WholePath = Annotated[Path, AfterValidator(_whole)]
"""`~` is the home folder, a relative path starts in the working folder."""


class Section(BaseModel):
    """A part of the tree; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Choice(BaseModel):
    """Which part to use, and a sub-section of settings per part: `[index] use = "embedded"`, `[index.embedded] …`."""

    model_config = ConfigDict(extra="allow")
    use: str = ""

    def settings_of(self, name: str) -> dict[str, Any]:
        """The raw sub-section of one part."""
        return dict((self.model_extra or {}).get(name) or {})

    def other(self, entry: str) -> Choice:
        """The part `NAME` with its own section, or `NAME/MODEL` with another `model` in it."""
        name, _, model = entry.partition("/")
        section = self.settings_of(name) | ({"model": model} if model else {})
        return Choice.model_validate({"use": name, name: section})


class IndexChoice(Choice):
    """A `Choice` with a local index that answers while it is away."""

    standby: str = Field(
        "",
        description="Name of a local index, such as `embedded`, that is fed beside the chosen one and answers while "
        "that is away; empty: none.",
    )


class EmbedderChoice(Choice):
    """A `Choice` with the one before, whose vectors the index may still hold."""

    previous: str = Field(
        "",
        description="The embedder used before, `NAME` or `NAME/MODEL`: questions are embedded by it until the index of "
        "the chosen one is built.",
    )


class GeneratorChoice(Choice):
    """A `Choice` with others that are asked when the chosen one fails or is slow."""

    fallback: list[str] = Field(
        [],
        description="Asked in this order when the chosen one fails: names of generators, or `NAME/MODEL` for one with "
        "another `model`.",
    )

    def fallbacks(self) -> list[Choice]:
        """Each of `fallback` as a choice of its own."""
        return [self.other(entry) for entry in self.fallback]


class PluginSettings(Section):
    """Which plugins are loaded."""

    enabled: list[str] = Field(
        [
            *("console", "discord", "files", "git", "jsonl", "mediawiki", "redmine", "slack", "website"),
            *("embedded", "local", "elasticsearch", "cohere", "openai_compatible"),
        ],
        description="Entry points to load.",
    )
    blocked: list[str] = Field([], description="Never loaded, whoever asks.")
    dir: WholePath | None = Field(None, description="Folder of single-file plugins to load as well.")
    hook_timeout: float = Field(2.0, gt=0, description="Seconds a moment hook may take.")


class DatabaseSettings(Section):
    """Where the truth lives."""

    url: SecretStr = Field(SecretStr(""), description="Empty: SQLite in the data folder. Or `postgresql+psycopg://…`.")
    connections: int = Field(20, ge=2, description="Connections to PostgreSQL that one process opens at most.")
    lock_seconds: float = Field(10.0, gt=0, description="Seconds to wait for a lock, or for a free connection.")
    statement_seconds: float = Field(60.0, gt=0, description="Seconds that PostgreSQL may take for one statement.")
    listen: bool = Field(
        True,
        description="Be woken by PostgreSQL (LISTEN) when a question comes in, on one more connection; turn it off "
        "behind a pooler in transaction mode. Without it, processes look for questions once a second.",
    )


class AnsweringSettings(Section):
    """The question's path."""

    threshold: float = Field(0.5, ge=0, le=1, description="Confidence below which the answer is “I don't know”.")
    candidates: int = Field(200, ge=10, le=1000, description="Hits asked of each leg of the search.")
    passages: int = Field(6, ge=1, le=20, description="Passages an answer is written from.")
    weight_words: float = Field(0.55, ge=0, description="Weight of BM25 in the fusion.")
    weight_vectors: float = Field(0.45, ge=0, description="Weight of the dense vectors in the fusion.")
    weight_headings: float = Field(0.8, ge=0, description="Weight of the heading match, added on top.")
    weight_sparse: float = Field(0.0, ge=0, description="Weight of a learned sparse leg, where an index has one.")
    context_weight: float = Field(0.2, ge=0, le=1, description="Weight of the previous turn's terms in BM25.")
    deadline: float = Field(30.0, gt=0, description="Seconds for a whole answer.")
    hedge_after: float = Field(
        8.0, gt=0, description="Seconds without a first word after which a fallback of the generator is asked as well."
    )
    first_text: float = Field(
        20.0, gt=0, description="Seconds without a first word after which the passages themselves are shown."
    )
    max_question: int = Field(8000, gt=0, description="Characters of a question; the rest is cut with a note.")


class AccessSettings(Section):
    """Who is who."""

    groups: dict[str, list[str]] = Field({}, description="Members of groups, besides those the sources report.")
    guests: list[str] = Field([], description="People who are guests: they see only what is marked for them.")
    staleness: float = Field(900.0, gt=0, description="Seconds after which a group list opens nothing.")
    live_seconds: float = Field(
        3.0, gt=0, description="Seconds a source has to say live who may read; what it does not answer is hidden."
    )


class DeliverySettings(Section):
    """The inbox, the outbox and their workers."""

    workers: int = Field(10, ge=1, description="Questions answered at the same time by one process.")
    lease: float = Field(30.0, gt=0, description="Seconds a worker owns a question without renewing.")
    drain: float = Field(
        3.0,
        ge=0,
        le=20,
        description="Seconds that answers being written get to end when a process is stopped; the rest is begun anew.",
    )


class RetentionSettings(Section):
    """Days that things are kept; 0: for ever. What is older goes within the hour, from one process of all."""

    inbox_days: float = Field(30.0, ge=0, description="Finished questions, as they came in.")
    outbox_days: float = Field(
        30.0, ge=0, description="Posts that were sent, and which messages show them; never longer than the question."
    )
    traces_days: float = Field(90.0, ge=0, description="How each answer was made (`citebot answers show`).")
    answers_days: float = Field(0.0, ge=0, description="Answers, with feedback and what people were asked about them.")
    audit_days: float = Field(0.0, ge=0, description="Lines of `citebot audit`.")
    counters_days: float = Field(30.0, ge=0, description="Counters of budgets, and which process did what was due.")


class BudgetSettings(Section):
    """What models may cost on one day (UTC), in the currency of the models' prices and in tokens; 0: any amount."""

    person_cost: float = Field(0.0, ge=0, description="For the questions of one person.")
    conversation_cost: float = Field(0.0, ge=0, description="For the questions of one channel or private conversation.")
    workspace_cost: float = Field(0.0, ge=0, description="For the questions of one workspace of a platform.")
    everybody_cost: float = Field(0.0, ge=0, description="For all questions.")
    person_tokens: int = Field(0, ge=0, description="Tokens read and written for one person.")
    conversation_tokens: int = Field(0, ge=0, description="Tokens for one channel or private conversation.")
    workspace_tokens: int = Field(0, ge=0, description="Tokens for one workspace of a platform.")
    everybody_tokens: int = Field(0, ge=0, description="Tokens for all questions.")


class IngestSettings(Section):
    """The document's path."""

    poll: float = Field(300.0, gt=0, description="Seconds between two reads of a source.")
    sweep: float = Field(
        86_400.0, gt=0, description="Seconds between two full listings of a source with a change feed."
    )
    refetch_days: float = Field(7.0, gt=0, description="Every document is read again this often: edits can be silent.")
    chunk_tokens: int = Field(350, ge=50, description="Target size of a chunk.")
    chunk_min_tokens: int = Field(80, ge=0, description="Smaller chunks join their neighbour under the same heading.")
    max_document_bytes: int = Field(20_000_000, gt=0, description="Larger documents are parked.")
    parse_seconds: float = Field(30.0, gt=0, description="Seconds a parser may take per document.")
    parse_memory_mb: int = Field(512, gt=0, description="Memory a parser may take.")


class EgressSettings(Section):
    """Requests of sources to other servers."""

    allow: list[str] = Field(
        [],
        description="Servers of your own that may be read although they are not on the public web: names, "
        "`name:port`, addresses or networks. Other ports than 80 and 443 are named here as well.",
    )
    ca_file: WholePath | None = Field(
        None, description="Certificates (PEM) of your own authority, besides the public ones."
    )
    requests_per_second: float = Field(10.0, gt=0, description="Most requests per second of one source to one host.")
    timeout_seconds: float = Field(30.0, gt=0, description="Seconds a server may take to connect or to go on.")
    max_response_bytes: int = Field(50_000_000, gt=0, description="Larger answers are not read.")


class SecretsSettings(Section):
    """Keys that encrypt the secrets of sources in the database."""

    keys: list[SecretStr] = Field(
        [], description="Fernet keys, the first one encrypts; none: `secrets.key` in the data folder, made when needed."
    )


class MetricsSettings(Section):
    """Who may read `/metrics`, and where."""

    token: SecretStr = Field(SecretStr(""), description="Bearer token that opens `/metrics` and nothing else.")
    host: str = Field("127.0.0.1", description="Address of `metrics.port`; any but a loopback address needs the token.")
    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Serve `/metrics` on this port as well, for processes without a web chat; 0 takes any free one.",
    )

    @model_validator(mode="after")
    def _not_to_the_world(self) -> Self:
        token = self.token.get_secret_value()
        if token and len(token) < SHORTEST_TOKEN:
            raise ValueError(f"metrics.token must have at least {SHORTEST_TOKEN} characters")
        if self.port is not None and not token and not _is_loopback(self.host):
            raise ValueError(
                f"metrics.host {self.host} is reachable from other machines, so it needs metrics.token; "
                "or listen on 127.0.0.1"
            )
        return self


class LogSettings(Section):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("warning", description="The least that is written.")
    json_lines: bool = Field(False, description="One JSON object a line.")


class Settings(Section):
    """The tree. Built by `load_settings`; building it directly reads neither files nor the environment."""

    data_dir: WholePath = Field(
        default_factory=lambda: Path("~/.citebot").expanduser(), description="Everything Citebot keeps lives here."
    )
    plugins: PluginSettings = PluginSettings()
    database: DatabaseSettings = DatabaseSettings()
    index: IndexChoice = IndexChoice(use="embedded")
    embedder: EmbedderChoice = EmbedderChoice(use="local")
    reranker: Choice = Choice(use="")
    generator: GeneratorChoice = GeneratorChoice(use="extractive")
    platform: Choice = Choice(use="console")
    answering: AnsweringSettings = AnsweringSettings()
    access: AccessSettings = AccessSettings()
    delivery: DeliverySettings = DeliverySettings()
    retention: RetentionSettings = RetentionSettings()
    budgets: BudgetSettings = BudgetSettings()
    ingest: IngestSettings = IngestSettings()
    egress: EgressSettings = EgressSettings()
    secrets: SecretsSettings = SecretsSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
