"""What could be seen from outside: nothing listens there, and no secret is lying about."""

from collections.abc import Iterator

import psutil

from infra.secrets import load_secrets
from tests.e2e.lake import Lake, Lakehouse, read_status


def processes(lakehouse: Lakehouse) -> Iterator[psutil.Process]:
    """Of all services, with their children."""
    for service in read_status(lakehouse)["services"]:
        process = psutil.Process(service["pid"])
        yield process
        yield from process.children(recursive=True)


def test_all_ports_are_on_loopback_when_it_runs(lakehouse: Lakehouse) -> None:
    listening = {
        connection.laddr
        for process in processes(lakehouse)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {address.port for address in listening} >= set(
        lakehouse.settings.topology.ports.values()
    )
    loopback = ("127.", "::1", "::ffff:127.")
    assert [address for address in listening if not address.ip.startswith(loopback)] == []


def test_no_secret_is_in_arguments_or_logs_when_it_runs(
    lakehouse: Lakehouse, crafted: Lake
) -> None:
    assert crafted.flink.running_job()
    secrets = load_secrets(lakehouse.settings).model_dump()
    places: dict[str, str] = {
        f"arguments of {process.name()}": " ".join(process.cmdline())
        for process in processes(lakehouse)
    }
    for file in lakehouse.settings.logs.rglob("*"):
        if file.is_file():
            places[str(file)] = file.read_text(errors="replace")
    found = [
        f"{name} in {place}"
        for place, text in places.items()
        for name, secret in secrets.items()
        if secret in text
    ]
    assert found == []


def test_no_secret_is_told_when_flink_is_asked(lakehouse: Lakehouse, crafted: Lake) -> None:
    secrets = load_secrets(lakehouse.settings).model_dump()
    told = crafted.flink.everything_told()
    assert [name for name, secret in secrets.items() if secret in told] == []


def test_only_its_owner_can_read_it_when_a_file_has_a_secret(lakehouse: Lakehouse) -> None:
    secrets = [value.encode() for value in load_secrets(lakehouse.settings).model_dump().values()]
    state = lakehouse.settings.state
    files = [
        file
        for file in [
            *state.glob("*"),
            *state.glob("configuration/**/*"),
            *state.glob("supervisor/*"),
        ]
        if file.is_file()
    ]
    with_secrets = [
        file for file in files if any(secret in file.read_bytes() for secret in secrets)
    ]
    assert lakehouse.settings.secrets_file in with_secrets
    assert [file for file in with_secrets if file.stat().st_mode & 0o077] == []
