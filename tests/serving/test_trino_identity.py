"""Trino's certificate and passwords: created once, private, renewed only if necessary."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
from cryptography import x509

from configuration.secrets import Secrets
from configuration.settings import Settings
from infra.services.certificates import RENEWAL, VALIDITY
from infra.services.trino_identity import ensure_trino_identity
from tests.serving.conftest import at

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def read_all(here: Settings) -> dict[Path, bytes]:
    folder = here.state / "configuration/trino"
    files = [folder / "identity.pem", folder / "passwords.txt", here.trino_ca_file]
    return {file: file.read_bytes() for file in files}


def read_chain(here: Settings) -> list[x509.Certificate]:
    identity = here.state / "configuration/trino/identity.pem"
    return x509.load_pem_x509_certificates(identity.read_bytes())


def test_only_the_owner_may_read_the_files(here: Settings, secrets: Secrets) -> None:
    ensure_trino_identity(here, secrets, NOW)
    assert {stat.S_IMODE(file.stat().st_mode) for file in read_all(here)} == {0o600}


def test_the_ca_signs_the_servers_certificate(here: Settings, secrets: Secrets) -> None:
    ensure_trino_identity(here, secrets, NOW)
    certificate, ca = read_chain(here)
    trusted = x509.load_pem_x509_certificate(here.trino_ca_file.read_bytes())
    certificate.verify_directly_issued_by(trusted)
    assert trusted == ca
    assert b"PRIVATE KEY" not in here.trino_ca_file.read_bytes()


def test_the_certificate_covers_every_address(
    settings: Settings, secrets: Secrets, tmp_path: Path
) -> None:
    elsewhere = at(settings, tmp_path, host="trino")
    ensure_trino_identity(elsewhere, secrets, NOW)
    names = (
        read_chain(elsewhere)[0]
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value
    )
    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", "trino"}
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_every_user_can_log_in(here: Settings, secrets: Secrets) -> None:
    ensure_trino_identity(here, secrets, NOW)
    text = (here.state / "configuration/trino/passwords.txt").read_text()
    hashed = dict(line.split(":", 1) for line in text.splitlines())
    assert hashed.keys() == {"etl", "analyst", "dashboard"}
    assert all(line.startswith("$2y$") for line in hashed.values())
    for user, line in hashed.items():
        password = getattr(secrets, f"trino_{user}_password")
        assert bcrypt.checkpw(password.encode(), line.encode())
        assert password not in text


def test_a_second_run_changes_nothing(here: Settings, secrets: Secrets) -> None:
    ensure_trino_identity(here, secrets, NOW)
    before = read_all(here)
    ensure_trino_identity(here, secrets, NOW + timedelta(days=1))
    assert read_all(here) == before


def test_certificate_is_renewed_when_it_expires_soon(here: Settings, secrets: Secrets) -> None:
    ensure_trino_identity(here, secrets, NOW)
    before = read_chain(here)
    ensure_trino_identity(here, secrets, NOW + VALIDITY - RENEWAL + timedelta(seconds=1))
    assert read_chain(here) != before


def test_certificate_is_renewed_when_the_host_changes(
    here: Settings, settings: Settings, secrets: Secrets
) -> None:
    ensure_trino_identity(here, secrets, NOW)
    before = read_chain(here)
    ensure_trino_identity(at(settings, here.state, host="trino"), secrets, NOW)
    assert read_chain(here) != before


def test_only_the_password_file_changes_when_a_secret_changes(
    here: Settings, secrets: Secrets
) -> None:
    ensure_trino_identity(here, secrets, NOW)
    before = read_all(here)
    changed = secrets.model_copy(update={"trino_analyst_password": "another"})
    ensure_trino_identity(here, changed, NOW)
    after = read_all(here)
    assert [file.name for file in before if after[file] != before[file]] == ["passwords.txt"]


def test_a_copy_of_settings_has_its_own_state_folder(settings: Settings, tmp_path: Path) -> None:
    assert settings.state != tmp_path
    assert at(settings, tmp_path, host="trino").state == tmp_path
