"""Settings: an error names the file, the key and the remedy."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from configuration.errors import SettingsError
from configuration.settings import (
    CONTAINERS_FILE,
    NATIVE_FILE,
    PIPELINE_FILE,
    Pipeline,
    Settings,
    Topology,
    load_settings,
    read_section,
)

FILES: dict[Path, type[Pipeline] | type[Topology]] = {
    PIPELINE_FILE: Pipeline,
    NATIVE_FILE: Topology,
    CONTAINERS_FILE: Topology,
}


def edited(folder: Path, file: Path, pattern: str, replacement: str) -> Path:
    """Copy a settings file and replace its only match of `pattern`."""
    text, count = re.subn(pattern, replacement, file.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{pattern} matches {count} times in {file.name}"
    copy = folder / file.name
    copy.write_text(text)
    return copy


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "named"),
    [
        (
            PIPELINE_FILE,
            r"^lookback_seconds =",
            "lookback_second =",
            [
                "attribution.lookback_second",
                "unknown key",
                "attribution.lookback_seconds",
                "missing",
            ],
        ),
        (PIPELINE_FILE, r"^users = .*\n", "", ["producer.users", "missing", "add it"]),
        (PIPELINE_FILE, r"^\[marts\]", "[mart]", ["mart:", "unknown key", "marts:", "missing"]),
        (
            PIPELINE_FILE,
            r"^lookback_seconds = .*",
            "lookback_seconds = 0",
            ["attribution.lookback_seconds = 0", "greater than 0"],
        ),
        (
            PIPELINE_FILE,
            r"^lookback_seconds = .*",
            "lookback_seconds = 'an hour'",
            ["attribution.lookback_seconds = 'an hour'", "integer"],
        ),
        (
            PIPELINE_FILE,
            r"^state_backend = .*",
            "state_backend = 'disk'",
            ["flink.state_backend = 'disk'", "hashmap", "rocksdb"],
        ),
        (
            PIPELINE_FILE,
            r"^late_share = .*",
            "late_share = 1.5",
            ["producer.late_share = 1.5", "less than or equal to 1"],
        ),
        (
            PIPELINE_FILE,
            r"^late_share = .*",
            "late_share = 1.0",
            ["late_share", "more than 1", "lower one"],
        ),
        (
            PIPELINE_FILE,
            r"^max_clicks_per_user = .*",
            "max_clicks_per_user = 99",
            ["max_clicks_per_user = 99", "max_touchpoints", "raise the first"],
        ),
        (
            PIPELINE_FILE,
            r"^unknown_ids = .*",
            'unknown_ids = ["null", ""]',
            ["attribution.unknown_ids.1 = ''", "match"],
        ),
        (PIPELINE_FILE, r"^catalog = .*", "catalog = 'a b'", ["lake.catalog = 'a b'"]),
        (PIPELINE_FILE, r"^catalog = .*", "catalog = ", ["not TOML"]),
        (
            NATIVE_FILE,
            r"^controller_port = .*",
            "controller_port = 70000",
            ["kafka.controller_port = 70000", "65535"],
        ),
        (
            NATIVE_FILE,
            r"^controller_port = .*",
            "controller_port = 28081",
            ["kafka.controller_port", "flink.port", "28081", "change one"],
        ),
    ],
)
def test_error_names_file_key_and_remedy_when_settings_are_wrong(
    tmp_path: Path, file: Path, pattern: str, replacement: str, named: list[str]
) -> None:
    copy = edited(tmp_path, file, pattern, replacement)
    with pytest.raises(SettingsError) as error:
        read_section(FILES[file], copy)
    for word in [str(copy), *named]:
        assert word in str(error.value)


def test_error_names_every_problem_when_there_are_several(tmp_path: Path) -> None:
    copy = edited(tmp_path, PIPELINE_FILE, r"^users = .*", "users = 0\ncustomers = 1")
    with pytest.raises(SettingsError, match=r"producer\.users = 0[^\n]*\n[^\n]*customers: unknown"):
        read_section(Pipeline, copy)


def test_error_names_the_file_when_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: No such file"):
        read_section(Pipeline, tmp_path / "absent.toml")


def test_environment_variables_choose_other_settings_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = edited(tmp_path, PIPELINE_FILE, r"^lookback_seconds = .*", "lookback_seconds = 600")
    topology = Path(shutil.copy(NATIVE_FILE, tmp_path))
    monkeypatch.setenv("TRIBUTARY_SETTINGS", str(pipeline))
    monkeypatch.setenv("TRIBUTARY_TOPOLOGY", str(topology))
    monkeypatch.setenv("PRODUCER", "off")
    settings = load_settings()
    assert settings.pipeline.attribution.lookback_seconds == 600
    assert settings.topology_file == topology
    assert not settings.is_producer_on


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "localhost"])  # noqa: S104
def test_native_services_must_listen_on_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    topology = edited(tmp_path, NATIVE_FILE, r"^bind_host = .*", f'bind_host = "{address}"')
    monkeypatch.setenv("TRIBUTARY_TOPOLOGY", str(topology))
    with pytest.raises(SettingsError) as error:
        load_settings()
    for word in (str(topology), f"network.bind_host = '{address}'", "use '127.0.0.1'"):
        assert word in str(error.value)


def test_producer_switch_must_be_on_or_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRODUCER", "yes")
    with pytest.raises(SettingsError, match="PRODUCER=yes: must be on or off"):
        load_settings()


def test_published_ports_are_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIBUTARY_TOPOLOGY", str(CONTAINERS_FILE))
    monkeypatch.setenv("PUBLISHED_PORTS", "trino.port=9092 s3.console_port=1")
    settings = load_settings()
    assert settings.is_in_containers
    assert settings.published.trino.url == "https://127.0.0.1:9092"
    assert settings.published.s3.console_port == 1
    assert settings.published.kafka == settings.topology.kafka
    assert settings.topology.trino.host == "trino"


@pytest.mark.parametrize(
    ("value", "named"),
    [("trino.port", "must be like"), ("trino.prt=1", "trino.prt: no such port; use one of kafka")],
)
def test_error_explains_a_wrong_published_port(
    monkeypatch: pytest.MonkeyPatch, value: str, named: str
) -> None:
    monkeypatch.setenv("PUBLISHED_PORTS", value)
    with pytest.raises(SettingsError, match=named):
        load_settings().published  # noqa: B018


def test_loaded_settings_are_frozen() -> None:
    settings: Settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.pipeline.attribution.lookback_seconds = 1


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_settings_file_explains_every_key(file: Path) -> None:
    """A comment stands above the key, or above the block of keys that it belongs to."""
    lines = file.read_text().splitlines()
    unexplained = []
    is_explained = False
    for line, before in zip(lines, ["", *lines], strict=False):
        if line.startswith("#"):
            is_explained = True
        elif line.startswith("[") or not line:
            is_explained = before.startswith("#") and is_explained
        elif key := re.match(r"\w+(?= = )", line):
            unexplained += [key[0]] * (not is_explained and not is_plain(file, key[0]))
    assert unexplained == []


def is_plain(file: Path, key: str) -> bool:
    """Whether the key is a host or port, which the header of the topology file explains."""
    return FILES[file] is Topology and (key == "host" or key.endswith("port"))


def test_pipeline_and_topology_files_share_no_key() -> None:
    pipeline, topology = (tomllib.loads(file.read_text()) for file in (PIPELINE_FILE, NATIVE_FILE))
    shared = {
        f"{section}.{key}"
        for section in pipeline.keys() & topology.keys()
        for key in pipeline[section].keys() & topology[section].keys()
    }
    assert shared == set()
