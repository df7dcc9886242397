"""Flink's certificates and its page's login: private, created once, renewed only if necessary."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from configuration.settings import Settings
from infra.services.certificates import RENEWAL, VALIDITY, is_hash_of
from infra.services.flink_identity import (
    ensure_flink_identity,
    internal_keystore,
    login_file,
    rest_keystore,
)
from infra.services.model import Lakehouse
from tests.support.scratch import describe_scratch

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def scratch(tmp_path: Path) -> Lakehouse:
    scratch = describe_scratch(tmp_path)
    ensure_flink_identity(scratch.settings, scratch.secrets, NOW)
    return scratch


def read_all(settings: Settings) -> dict[Path, bytes]:
    keystores = (internal_keystore(settings), rest_keystore(settings))
    files = (*keystores, settings.flink_identity_file, login_file(settings))
    return {file: file.read_bytes() for file in files}


def changed_by(scratch: Lakehouse, now: datetime) -> set[str]:
    """The names of the files that another start changes."""
    before = read_all(scratch.settings)
    ensure_flink_identity(scratch.settings, scratch.secrets, now)
    after = read_all(scratch.settings)
    return {file.name for file in before if after[file] != before[file]}


def change(scratch: Lakehouse, secret: str) -> Lakehouse:
    secrets = scratch.secrets.model_copy(update={secret: "another"})
    return Lakehouse(scratch.settings, secrets, scratch.parts)


def test_only_the_owner_may_read_the_files(scratch: Lakehouse) -> None:
    modes = {stat.S_IMODE(file.stat().st_mode) for file in read_all(scratch.settings)}
    assert modes == {0o600}


def test_certificate_covers_every_address(scratch: Lakehouse) -> None:
    pem = scratch.settings.flink_identity_file.read_bytes()
    extensions = x509.load_pem_x509_certificate(pem).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_a_client_of_the_rest_api_has_no_key_of_the_cluster(scratch: Lakehouse) -> None:
    everything = read_all(scratch.settings)
    settings = scratch.settings
    assert everything[internal_keystore(settings)] != everything[rest_keystore(settings)]


def test_login_file_has_no_password(scratch: Lakehouse) -> None:
    user, hashed = login_file(scratch.settings).read_text().split()
    assert user == "operator"
    assert is_hash_of(scratch.secrets.flink_operator_password, hashed)


def test_a_second_start_changes_nothing(scratch: Lakehouse) -> None:
    assert changed_by(scratch, NOW + timedelta(days=1)) == set()


def test_certificates_are_renewed_when_they_expire_soon(scratch: Lakehouse) -> None:
    soon = NOW + VALIDITY - RENEWAL + timedelta(seconds=1)
    assert changed_by(scratch, soon) == {"internal.p12", "rest.p12", "rest.pem"}


def test_keystores_are_made_again_when_their_password_changes(scratch: Lakehouse) -> None:
    changed = change(scratch, "flink_keystore_password")
    assert changed_by(changed, NOW) == {"internal.p12", "rest.p12", "rest.pem"}


def test_login_changes_with_the_password(scratch: Lakehouse) -> None:
    assert changed_by(change(scratch, "flink_operator_password"), NOW) == {"login"}
