"""Exposure: no port is open to other machines, and no secret is readable by others."""

from configuration.secrets import load_secrets
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse


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
