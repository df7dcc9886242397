"""Both topologies have the same keys, services, order and ports; containers are confined."""

import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from configuration import REPOSITORY
from configuration.secrets import Secrets
from configuration.settings import (
    CONTAINERS_FILE,
    NATIVE_FILE,
    Topology,
    load_settings,
    read_section,
)
from configuration.settings import Settings as AnySettings
from infra.install.parts import Parts
from infra.install.progress import Reporter
from infra.services.model import Lakehouse
from infra.services.registry import SETUP_STEPS, describe_services, find_service
from infra.services.trino import describe_prompt
from infra.topologies.containers import render_launch, write_folder

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
INNER = read_section(Topology, CONTAINERS_FILE)
STATE = "/var/lib/tributary"
# Services that only containers have: `configure` writes the folders; the others do what `make` does
# natively.
OF_CONTAINERS = {"configure", "cli", "sql", "dev-ports"}
# Set-up steps that `configure` does.
CONFIGURED = {"kafka-identity", "trino-identity", "flink-identity"}
PORT = re.compile(r"127\.0\.0\.1:\$\{(?P<variable>\w+):-(?P<published>\d+)\}:(?P<inner>\d+)")
# A stage of the Dockerfile: the stage that it begins with, its name, and its lines.
STAGE = re.compile(r"^FROM (\S+) AS (\S+)\n((?:(?!FROM ).*\n?)*)", re.MULTILINE)


@pytest.fixture(scope="module")
def settings() -> AnySettings:
    """The settings that a container reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIBUTARY_TOPOLOGY", str(CONTAINERS_FILE))
        return load_settings()


@pytest.fixture(scope="module")
def described(settings: AnySettings) -> Lakehouse:
    secrets = Secrets(**{name: f"secret {name}" for name in Secrets.model_fields})
    return Lakehouse(settings, secrets, Parts(settings.parts, Reporter()))


def list_keys(file: Path) -> list[tuple[str, str]]:
    return [
        (section, key) for section, keys in tomllib.loads(file.read_text()).items() for key in keys
    ]


def test_both_topologies_have_the_same_keys() -> None:
    assert list_keys(CONTAINERS_FILE) == list_keys(NATIVE_FILE)


def test_both_topologies_have_the_same_services(described: Lakehouse) -> None:
    services = {service.name for service in describe_services(described)}
    steps = {step.name for step in SETUP_STEPS} - CONFIGURED
    assert CONTAINERS.keys() == services | steps | OF_CONTAINERS


def test_container_waits_for_what_its_service_needs(described: Lakehouse) -> None:
    graph = {name: set(container.get("depends_on", {})) for name, container in CONTAINERS.items()}
    order = list(TopologicalSorter(graph).static_order())
    wanted = {
        **{service.name: service.after for service in describe_services(described)},
        **{step.name: step.after for step in SETUP_STEPS},
    }
    missing = [
        f"{name} does not wait for {each}"
        for name in CONTAINERS.keys() & wanted.keys()
        for each in set(wanted[name]) - CONFIGURED
        if each not in ancestors(name, graph)
    ]
    assert order
    assert missing == []
    started_unready = [
        f"{name} starts before {each} is {condition}"
        for name, container in CONTAINERS.items()
        for each, condition in wrong_conditions(container.get("depends_on", {}))
    ]
    # The job itself waits for its slots. It depends on the TaskManager only so that the TaskManager
    # is stopped after the job.
    assert started_unready == ["attribution starts before taskmanager is service_healthy"]


def ancestors(name: str, graph: dict[str, set[str]]) -> set[str]:
    return {each for parent in graph[name] for each in {parent, *ancestors(parent, graph)}}


def wrong_conditions(depends_on: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    """Dependencies with a wrong condition, each with the right one."""
    return [
        (each, wanted)
        for each, how in depends_on.items()
        if how["condition"] != (wanted := wanted_condition(CONTAINERS[each]))
    ]


def wanted_condition(container: dict[str, Any]) -> str:
    is_one_shot = container.get("restart") == "no"
    return "service_completed_successfully" if is_one_shot else "service_healthy"


def test_services_restart_after_their_container_or_the_engine_is_killed(
    described: Lakehouse,
) -> None:
    policies = {CONTAINERS[service.name]["restart"] for service in describe_services(described)}
    assert policies == {"always"}


def test_every_service_with_a_probe_has_a_healthcheck(described: Lakehouse) -> None:
    askable = {service.name for service in describe_services(described) if service.probe}
    checked = {name for name, container in CONTAINERS.items() if "healthcheck" in container}
    assert checked == askable


def test_both_topologies_publish_the_same_urls() -> None:
    native = read_section(Topology, NATIVE_FILE).ports
    inner = {port: key for key, port in INNER.ports.items()}
    published = [
        PORT.fullmatch(port)
        for container in CONTAINERS.values()
        for port in container.get("ports", [])
    ]
    assert len(published) == 8
    for match in published:
        assert match, "a published port must be on loopback, with a variable and a default"
        key = inner[int(match["inner"])]
        assert match["variable"] == f"TRIBUTARY_{key.upper().replace('.', '_')}"
        assert int(match["published"]) == native[key]
        told = f"{key}=${{{match['variable']}:-{match['published']}}}"
        assert told in CONTAINERS["configure"]["environment"]["PUBLISHED_PORTS"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_container_is_confined(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"]
    assert container["init"]
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container
    if "profiles" not in container:
        assert container["mem_limit"]
        assert container["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize(
    ("name", "needed_mb"),
    [
        ("kafka", INNER.kafka.heap_mb),
        ("connect", INNER.connect.heap_mb),
        ("jobmanager", INNER.flink.jobmanager_memory_mb),
        ("taskmanager", INNER.flink.taskmanager_memory_mb),
        # Memory outside its heap: up to 1,219 MB in all end-to-end tests, by `docker stats`.
        ("trino", INNER.trino.heap_mb + 1_219),
    ],
)
def test_container_memory_limit_exceeds_what_the_settings_grant(name: str, needed_mb: int) -> None:
    limit = CONTAINERS[name]["mem_limit"]
    assert int(limit[:-1]) * {"m": 1, "g": 1024}[limit[-1]] > needed_mb


def test_containers_that_build_marts_know_the_published_ports() -> None:
    """By them `name_remedy` (infra/services/marts.py) knows that it must advise for containers."""
    published = CONTAINERS["configure"]["environment"]["PUBLISHED_PORTS"]
    told = {
        name: container.get("environment", {}).get("PUBLISHED_PORTS")
        for name, container in CONTAINERS.items()
        if container["image"] == "tributary-housekeeping"
    }
    assert told == dict.fromkeys(("housekeeping", "marts", "cli"), published)


def test_networks_have_no_way_out() -> None:
    users = {
        network: [
            name
            for name, container in CONTAINERS.items()
            if network in container.get("networks", [])
        ]
        for network in COMPOSE["networks"]
    }
    for network, options in COMPOSE["networks"].items():
        if options == {"internal": True}:
            continue
        assert options["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
        [only] = users[network]
        assert CONTAINERS[only]["ports"]


def test_service_sees_only_its_own_folder(described: Lakehouse) -> None:
    for service in (*describe_services(described), describe_prompt(described)):
        [state] = [
            volume
            for volume in CONTAINERS[service.name]["volumes"]
            if isinstance(volume, dict) and volume["target"] == STATE
        ]
        assert state["read_only"]
        assert state["volume"] == {"subpath": f"services/{service.name}"}


def test_only_setup_steps_and_commands_see_the_whole_state() -> None:
    with_all = {
        name
        for name, container in CONTAINERS.items()
        if any(str(volume).startswith(f"state:{STATE}") for volume in container.get("volumes", []))
    }
    steps = {step.name for step in SETUP_STEPS} - CONFIGURED - {"marts", "dashboards"}
    assert with_all == {"configure", "cli", *steps}


def test_service_folder_holds_only_the_granted_secrets(
    described: Lakehouse, tmp_path: Path
) -> None:
    producer = find_service(described, "producer")
    write_folder(producer, described, tmp_path)
    text = "".join(file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    seen = [name for name, value in described.secrets.model_dump().items() if value in text]
    assert seen == ["postgres_shop_password", "kafka_producer_password"]
    assert (tmp_path / "secrets.toml").stat().st_mode & 0o077 == 0


def read_image(target: str) -> str:
    """Return the lines of a stage and of all stages below it."""
    found = STAGE.findall((REPOSITORY / "Dockerfile").read_text())
    stages: dict[str, tuple[str, str]] = {name: (below, lines) for below, name, lines in found}
    below, lines = stages[target]
    return (read_image(below) if below in stages else "") + lines


def test_image_has_the_java_that_its_service_runs(described: Lakehouse) -> None:
    runtime = re.compile(r"/usr/lib/tributary/(java-\d+)")
    for service in (*describe_services(described), describe_prompt(described)):
        runs = set(runtime.findall(render_launch(service)))
        image = read_image(CONTAINERS[service.name]["build"]["target"])
        assert runs == set(runtime.findall(image)), service.name


def test_dockerfile_and_compose_file_name_no_version() -> None:
    """The locks pin all versions; the base image is a build argument."""
    texts = [(REPOSITORY / name).read_text() for name in ("Dockerfile", "docker-compose.yaml")]
    code = [
        line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#")
    ]
    versions = [line for line in code if re.search(r"[\w-]==?v?\d+\.\d|:\d+\.\d", line)]
    assert versions == []
    assert {line.split()[1] for line in code if line.startswith("FROM $")} == {"${BASE_IMAGE}"}
