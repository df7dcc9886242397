"""Exposure: no port is open to other machines, and no file is readable by other users."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from configuration.secrets import load_secrets
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse, has_rights_for_others, walk


def test_all_ports_are_on_loopback(lakehouse: RunningLakehouse) -> None:
    listening = lakehouse.listening()
    assert {port for _, port in listening} >= lakehouse.ports()
    loopback = ("127.", "::1", "::ffff:127.")
    assert [address for address in listening if not address[0].startswith(loopback)] == []


def test_no_secret_is_in_arguments_or_logs(lakehouse: RunningLakehouse, lake: Lake) -> None:
    assert lake.flink.running_job()
    secrets = load_secrets(lakehouse.settings).model_dump()
    places = lakehouse.told()
    assert places
    for process in lakehouse.processes():
        places[f"arguments of {process.name()}"] = " ".join(process.cmdline())
    found = [
        f"{name} in {place}"
        for place, text in places.items()
        for name, secret in secrets.items()
        if secret in text
    ]
    assert found == []


def test_flink_api_reveals_no_secret(lakehouse: RunningLakehouse, lake: Lake) -> None:
    secrets = load_secrets(lakehouse.settings).model_dump()
    told = lake.flink.everything_told()
    assert [name for name, secret in secrets.items() if secret in told] == []


def test_only_the_owner_can_read_files_with_secrets(lakehouse: RunningLakehouse) -> None:
    secrets = [value.encode() for value in load_secrets(lakehouse.settings).model_dump().values()]
    with_secrets = {
        name: file.mode
        for name, file in lakehouse.state_files().items()
        if any(secret in file.content for secret in secrets)
    }
    assert lakehouse.settings.secrets_file.name in with_secrets
    assert [name for name, mode in with_secrets.items() if mode & 0o077] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_another_user_can_open_nothing_in_the_lakehouses_folders(
    lakehouse: RunningLakehouse,
) -> None:
    folders = lakehouse.folders()
    assert Path("/etc/passwd") in open_as_stranger([Path("/etc/passwd")])
    paths = [path for folder in folders for path in walk(folder)]
    assert len(paths) > len(folders)
    assert open_as_stranger(paths) == []


def test_services_write_files_for_their_owner_only(lakehouse: RunningLakehouse, lake: Lake) -> None:
    assert lake.flink.running_job()
    assert lakehouse.readable_by_others() == []


def test_files_that_services_write_anywhere_are_for_their_owner_only(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
    assert lake.flink.running_job()
    written = [path for process in lakehouse.processes() for path in list_written(process)]
    assert written
    assert [path for path in written if has_rights_for_others(path)] == []


# A user id that no service and no other program has.
STRANGER = 54_321
# Prints each path of its input that its user can list, enter, read or write. Others may have closed
# the folder of our Python, but everybody can run the shell.
OPEN = """\
while IFS= read -r path; do
    if [ -r "$path" ] || [ -w "$path" ] || [ -x "$path" ]; then printf '%s\\n' "$path"; fi
done
"""


def open_as_stranger(paths: Iterable[Path]) -> list[Path]:
    """The paths that another user of the machine can open, or find files in."""
    result = subprocess.run(
        ["sh", "-c", OPEN],
        input="".join(f"{path}\n" for path in paths),
        user=STRANGER,
        group=STRANGER,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in result.stdout.splitlines()]


def list_written(process: psutil.Process) -> list[Path]:
    """The files that a process has open to write, as paths of its descriptors.

    Such a path also leads to a file that only the process's container shows.
    """
    try:
        opened = process.open_files()
    except psutil.NoSuchProcess:  # a probe or a build may end at any time
        return []
    return [Path(f"/proc/{process.pid}/fd/{file.fd}") for file in opened if file.mode != "r"]
