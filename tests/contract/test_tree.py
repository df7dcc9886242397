"""The repository's files contain nothing of one machine, and name no registry."""

import re
import subprocess
from pathlib import Path

import pytest

from configuration import REPOSITORY

# Hosts that a file may name: this machine, addresses for documentation, and sites we refer to.
KNOWN_HOSTS = re.compile(
    r"^(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|192\.0\.2\.\d+"
    r"|([\w-]+\.)*example(\.(com|org|net))?|[\w-]+|([\w-]+\.)?(github|apache|trino|getdbt|w3|json-schema|"
    r"tributary)\.(com|io|org)|.*[{}$<>%].*)$"
)
URL = re.compile(r"\bhttps?://([^\s/:\"'`)>\]]+)")
REGISTRY_OPTIONS = re.compile(
    r"--(extra-)?index-url|--find-links|GOPROXY=http|^\s*registry\s*=|/maven2\b", re.MULTILINE
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.*~}])/(home|Users|root|work|farm|tmp|private|mnt|opt|usr/local)/"
)
LARGEST_BYTES = 1024 * 1024


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    return [file for name in listed.split("\0") if name and (file := REPOSITORY / name).is_file()]


def text_of(file: Path) -> str:
    body = file.read_bytes()
    return "" if b"\0" in body else body.decode()


def offences(pattern: re.Pattern[str]) -> list[str]:
    """`file: match` for each match in a tracked text file, except this one."""
    return [
        f"{file.relative_to(REPOSITORY)}: {match[0]}"
        for file in tracked_files()
        if file != Path(__file__).resolve()
        for match in pattern.finditer(text_of(file))
    ]


def test_files_name_only_known_hosts() -> None:
    strangers = [
        f"{file.relative_to(REPOSITORY)}: {host}"
        for file in tracked_files()
        for host in URL.findall(text_of(file))
        if not KNOWN_HOSTS.match(host)
    ]
    assert strangers == []


@pytest.mark.parametrize("pattern", [REGISTRY_OPTIONS, MACHINE_PATHS], ids=["registry", "path"])
def test_files_contain_no_registry_options_and_no_machine_paths(
    pattern: re.Pattern[str],
) -> None:
    assert offences(pattern) == []


def test_no_tracked_file_is_large() -> None:
    assert [file for file in tracked_files() if file.stat().st_size > LARGEST_BYTES] == []


@pytest.mark.parametrize("folder", ["dbt", "trino", "superset", "minio"])
def test_folder_does_not_shadow_the_package_of_its_name(folder: str) -> None:
    assert list((REPOSITORY / folder).rglob("__init__.py")) == []
