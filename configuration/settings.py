"""Settings: two TOML files in, one frozen and validated object out.

`tributary.toml` describes the pipeline (topics, windows, schedules). The topology's file,
`native.toml` or `containers.toml`, says where each server is. Only this module reads settings from
environment variables:

- `TRIBUTARY_SETTINGS`: a file to read instead of tributary.toml;
- `TRIBUTARY_TOPOLOGY`: a file to read instead of native.toml (tests use their own ports and state
  folder);
- `PRODUCER=off`: run without the producer;
- `PUBLISHED_PORTS`: in containers, the ports that Compose publishes on loopback and their published
  numbers (`trino.port=28443 superset.port=28088`).
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from configuration import REPOSITORY
from configuration.errors import SettingsError

PIPELINE_FILE = REPOSITORY / "configuration/tributary.toml"
NATIVE_FILE = REPOSITORY / "configuration/native.toml"
CONTAINERS_FILE = REPOSITORY / "configuration/containers.toml"
LOOPBACK = "127.0.0.1"

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Megabytes = Annotated[int, Field(ge=64)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
# The ids of valid events have no control characters either.
EventId = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,128}$")]
Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """A table of a settings file; it is frozen and rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Topics(Section):
    """Kafka topics and their limits."""

    clickstream: Name
    checkouts: Name
    changes_prefix: Name
    partitions: Count
    retention_hours: Count
    max_message_bytes: Count

    def changes(self, table: str) -> str:
        """Return the topic of a shop table's changes, as Debezium names it."""
        return f"{self.changes_prefix}.public.{table}"


class Contract(Section):
    """The values that a valid message may hold."""

    event_types: tuple[Name, ...]
    payment_statuses: tuple[Name, ...]
    payment_methods: tuple[Name, ...]
    max_future_seconds: Seconds


class Changes(Section):
    """Change capture of the shop's tables."""

    max_characters: Count
    retained_log_warning_mb: Count


class Watermark(Section):
    """How the job's watermark advances."""

    out_of_orderness_seconds: Annotated[int, Field(ge=0)]
    idle_timeout_seconds: Seconds


class Attribution(Section):
    """Which clicks count for a checkout, and how many the job keeps."""

    unknown_user_ids: tuple[int, ...]
    unknown_ids: tuple[EventId, ...]
    lookback_seconds: Seconds
    max_touchpoints: Annotated[int, Field(ge=2)]
    max_clicks_per_user: Count

    @model_validator(mode="after")
    def _touchpoints_fit(self) -> Self:
        if self.max_clicks_per_user < self.max_touchpoints:
            raise ValueError(
                f"max_clicks_per_user = {self.max_clicks_per_user} is below max_touchpoints ="
                f" {self.max_touchpoints}: raise the first or lower the second"
            )
        return self


class FlinkJob(Section):
    """How the job runs, the same in both topologies."""

    checkpoint_interval_seconds: Seconds
    state_backend: Literal["hashmap", "rocksdb"]
    parallelism: Count


class Lake(Section):
    """Names in the object store and the catalog."""

    catalog: Name
    bucket: Name
    state_bucket: Name

    @property
    def warehouse(self) -> str:
        """The folder of all tables."""
        return f"s3://{self.bucket}/warehouse"


class Marts(Section):
    """Schedules of housekeeping, and what the data-driven models learn from."""

    build_interval_minutes: Count
    learning_interval_minutes: Count
    learning_window_hours: Count
    learning_pause_minutes: Count
    learning_min_conversions: Count
    test_interval_minutes: Count
    audit_settle_seconds: Seconds
    tested_hours: Count
    compaction_interval_minutes: Count
    snapshot_retention_hours: Count


class Producer(Section):
    """The simulated shop."""

    rate: Annotated[float, Field(gt=0)]
    seed: int
    users: Count
    out_of_order_share: Share
    duplicate_share: Share
    late_share: Share
    malformed_share: Share
    failed_payment_share: Share
    shop_change_interval_seconds: Seconds

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        once = self.out_of_order_share + self.late_share + self.malformed_share
        total = once + 2 * self.duplicate_share  # each duplicate also has an original
        if total > 1:
            raise ValueError(
                "out_of_order_share + late_share + malformed_share + 2 x duplicate_share ="
                f" {total:g} is more than 1: lower one of them"
            )
        return self


class Pipeline(Section):
    """All of tributary.toml."""

    topics: Topics
    contract: Contract
    changes: Changes
    watermark: Watermark
    attribution: Attribution
    flink: FlinkJob
    lake: Lake
    marts: Marts
    producer: Producer


class Address(Section):
    """A server's main address."""

    host: str
    port: Port

    @property
    def authority(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def names(self) -> list[str]:
        """Every host by which a client may call the server, sorted: its own, and this machine's."""
        return sorted({"localhost", LOOPBACK, self.host})


class Paths(Section):
    """Folders on this machine."""

    state: Path
    parts: Path


class Network(Section):
    """Network settings that all services share."""

    bind_host: str

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches what listens on `bind_host`."""
        try:
            return ipaddress.ip_address(self.bind_host).is_loopback
        except ValueError:  # a name, which may lead anywhere
            return False


class KafkaAddress(Address):
    """The Kafka broker; its bootstrap address is `authority`.

    `broker_port` is for the broker itself and for who sets it up; both have its certificate.
    """

    broker_port: Port
    controller_port: Port
    heap_mb: Megabytes

    @property
    def broker_authority(self) -> str:
        """`host:port` for the broker itself and for who sets it up."""
        return f"{self.host}:{self.broker_port}"


class PostgresAddress(Address):
    """PostgreSQL, with the databases `catalog`, `superset` and `shop`.

    The owner of each database has the database's name.
    """

    def uri(self, database: str, user: str, password: str) -> str:
        """Return the SQLAlchemy URI, with the driver psycopg2."""
        return f"postgresql+psycopg2://{user}:{password}@{self.authority}/{database}"

    def jdbc_uri(self, database: str) -> str:
        """Return the JDBC URI, without credentials."""
        return f"jdbc:postgresql://{self.authority}/{database}"


class ConnectAddress(Address):
    """The Kafka Connect worker; `port` serves its REST API."""

    heap_mb: Megabytes

    @property
    def url(self) -> str:
        """URL of the REST API."""
        return f"http://{self.authority}"


class S3Address(Address):
    """An S3 store with path-style URLs."""

    console_port: Port
    region: str

    @property
    def endpoint(self) -> str:
        """URL of the API."""
        return f"http://{self.authority}"


class FlinkAddress(Address):
    """The Flink cluster.

    `rest_port` serves the REST API, for programs that have a certificate. `port` is the front door:
    it serves the web page, for people who have a password.
    """

    rest_port: Port
    rpc_port: Port
    taskmanager_host: str
    jobmanager_memory_mb: Megabytes
    taskmanager_memory_mb: Megabytes
    managed_memory_mb: Annotated[int, Field(ge=0)]

    @property
    def url(self) -> str:
        """URL of the REST API."""
        return f"https://{self.host}:{self.rest_port}"

    @property
    def page_url(self) -> str:
        """URL of the web page."""
        return f"http://{self.authority}"


class TrinoAddress(Address):
    """The Trino coordinator; it always requires TLS and a password."""

    heap_mb: Megabytes

    @property
    def url(self) -> str:
        """URL for clients."""
        return f"https://{self.authority}"


class SupersetAddress(Address):
    """Superset, the dashboards."""

    @property
    def url(self) -> str:
        """URL for browsers."""
        return f"http://{self.authority}"


class Topology(Section):
    """All of native.toml or containers.toml."""

    paths: Paths
    network: Network
    kafka: KafkaAddress
    postgres: PostgresAddress
    connect: ConnectAddress
    s3: S3Address
    flink: FlinkAddress
    trino: TrinoAddress
    superset: SupersetAddress

    @property
    def ports(self) -> dict[str, int]:
        """Every port, by the key that sets it, such as `kafka.controller_port`."""
        return {
            f"{section}.{key}": value
            for section, keys in self.model_dump().items()
            for key, value in keys.items()
            if key == "port" or key.endswith("_port")
        }

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        owners: dict[int, str] = {}
        for key, port in self.ports.items():
            if port in owners:
                raise ValueError(f"{key} and {owners[port]} are both {port}: change one of them")
            owners[port] = key
        return self

    def published(self, ports: Mapping[str, int]) -> Self:
        """Return this topology as programs outside the containers' networks see it.

        Args:
            ports: published ports on loopback, by their keys.

        Raises:
            SettingsError: a key of `ports` names no port.
        """
        published = self
        for key, port in ports.items():
            if key not in self.ports:
                known = ", ".join(self.ports)
                raise SettingsError(f"PUBLISHED_PORTS: {key}: no such port; use one of {known}")
            section, _, name = key.partition(".")
            address = getattr(published, section)
            address = address.model_copy(update={"host": LOOPBACK, name: port})
            published = published.model_copy(update={section: address})
        return published


class Settings(BaseModel):
    """Both settings files, validated; every service is configured from this object."""

    model_config = ConfigDict(frozen=True)

    pipeline_file: Path
    topology_file: Path
    pipeline: Pipeline
    topology: Topology
    is_producer_on: bool = True
    published_ports: Mapping[str, int] = {}

    @property
    def is_in_containers(self) -> bool:
        """Whether services run in containers, whose ports Compose publishes."""
        return bool(self.published_ports)

    @property
    def published(self) -> Topology:
        """The topology as programs on this machine see it; natively the same as `topology`."""
        return self.topology.published(self.published_ports)

    @property
    def state(self) -> Path:
        """Absolute path of the state folder."""
        return REPOSITORY / self.topology.paths.state

    @property
    def secrets_file(self) -> Path:
        """The file with every password."""
        return self.state / "secrets.toml"

    @property
    def trino_ca_file(self) -> Path:
        """The CA certificate that Trino's clients must trust; created at the first start."""
        return self.state / "trino-ca.pem"

    @property
    def kafka_identity_file(self) -> Path:
        """Key and certificate of Kafka's broker, as PEM; whoever has it may do everything."""
        return self.state / "configuration/kafka/identity.pem"

    @property
    def flink_identity_file(self) -> Path:
        """Key and certificate of Flink's REST API and of its clients, as PEM."""
        return self.state / "configuration/flink/rest.pem"

    @property
    def logs(self) -> Path:
        """The folder of the services' logs."""
        return self.state / "logs"

    @property
    def parts(self) -> Path:
        """Absolute path of the folder of fetched and built parts."""
        return REPOSITORY / self.topology.paths.parts

    def virtualenv_python(self, name: str) -> Path:
        """Return the interpreter of a virtual environment (tools, flink, dbt, superset)."""
        return self.parts / "environments" / name / "bin" / "python"


def load_settings() -> Settings:
    """Read and validate both files.

    Raises:
        SettingsError: a file or an environment variable is invalid. The message names it, the key,
            the value and the remedy.
    """
    pipeline_file = Path(os.environ.get("TRIBUTARY_SETTINGS") or PIPELINE_FILE)
    topology_file = Path(os.environ.get("TRIBUTARY_TOPOLOGY") or NATIVE_FILE)
    return Settings(
        pipeline_file=pipeline_file,
        topology_file=topology_file,
        pipeline=read_section(Pipeline, pipeline_file),
        topology=_read_topology(topology_file),
        is_producer_on=_read_switch("PRODUCER"),
        published_ports=_read_ports("PUBLISHED_PORTS"),
    )


def _read_topology(file: Path) -> Topology:
    """Read a topology; only containers, whose networks are closed, may listen on all interfaces."""
    topology = read_section(Topology, file)
    network = topology.network
    if not network.is_loopback and file.resolve() != CONTAINERS_FILE:
        raise SettingsError(
            f"{file}: network.bind_host = {network.bind_host!r}: other machines would reach"
            f" services that do not encrypt; use {LOOPBACK!r}, and an SSH tunnel from elsewhere"
        )
    return topology


def read_section(model: type[Model], file: Path) -> Model:
    """Parse one TOML file as `model`.

    Raises:
        SettingsError: the file can't be read, or one of its keys or values is invalid.
    """
    try:
        return model.model_validate(tomllib.loads(file.read_text()))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; restore it from git") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not TOML: {error}; correct its syntax") from None
    except ValidationError as error:
        lines = [_describe(file, problem) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _describe(file: Path, problem: Any) -> str:
    """Describe one pydantic error in one line: file, key, value, remedy."""
    key = ".".join(str(part) for part in problem["loc"]) or "(file)"
    match problem["type"]:
        case "extra_forbidden":
            return f"{file}: {key}: unknown key; remove it or correct its spelling"
        case "missing":
            return f"{file}: {key}: missing; add it (git shows its default)"
        case "value_error":
            return f"{file}: {key}: {problem['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{file}: {key} = {problem['input']!r}: {problem['msg']}; correct the value"


def _read_switch(name: str) -> bool:
    value = os.environ.get(name) or "on"
    if value not in ("on", "off"):
        raise SettingsError(f"{name}={value}: must be on or off")
    return value == "on"


def _read_ports(name: str) -> dict[str, int]:
    pairs = [pair.partition("=") for pair in os.environ.get(name, "").split()]
    try:
        return {key: int(port) for key, _, port in pairs}
    except ValueError:
        raise SettingsError(
            f"{name}={os.environ[name]}: must be like trino.port=28443, separated by spaces"
        ) from None
