"""What could be seen from outside: nothing listens there, and no secret is lying about."""

from configuration.secrets import load_secrets
from tests.support.lake import Lake
from tests.support.lakehouses import RunningLakehouse


def test_all_ports_are_on_loopback_when_it_runs(lakehouse: RunningLakehouse) -> None:
    listening = lakehouse.listening()
    assert {port for _, port in listening} >= lakehouse.ports()
    loopback = ("127.", "::1", "::ffff:127.")
    assert [address for address in listening if not address[0].startswith(loopback)] == []


def test_no_secret_is_in_arguments_or_logs_when_it_runs(
    lakehouse: RunningLakehouse, lake: Lake
) -> None:
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


def test_no_secret_is_told_when_flink_is_asked(lakehouse: RunningLakehouse, lake: Lake) -> None:
    secrets = load_secrets(lakehouse.settings).model_dump()
    told = lake.flink.everything_told()
    assert [name for name, secret in secrets.items() if secret in told] == []


def test_only_its_owner_can_read_it_when_a_file_has_a_secret(lakehouse: RunningLakehouse) -> None:
    secrets = [value.encode() for value in load_secrets(lakehouse.settings).model_dump().values()]
    with_secrets = {
        name: file.mode
        for name, file in lakehouse.state_files().items()
        if any(secret in file.content for secret in secrets)
    }
    assert lakehouse.settings.secrets_file.name in with_secrets
    assert [name for name, mode in with_secrets.items() if mode & 0o077] == []
