"""The PEM file of a certificate: made when it is missing, damaged or about to expire."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infra.services.certificates import RENEWAL, VALIDITY, ensure_identity_file

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ["127.0.0.1", "localhost"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An identity file that was made at `NOW`."""
    file = tmp_path / "identity.pem"
    ensure_identity_file(file, "Tributary Test", HOSTS, NOW)
    return file


def test_second_call_changes_nothing(file: Path) -> None:
    before = file.read_bytes()
    ensure_identity_file(file, "Tributary Test", HOSTS, NOW)
    assert file.read_bytes() == before


@pytest.mark.parametrize("kept_bytes", [0, 100, 300])
def test_damaged_file_is_made_again(file: Path, kept_bytes: int) -> None:
    file.write_bytes(file.read_bytes()[:kept_bytes])
    ensure_identity_file(file, "Tributary Test", HOSTS, NOW)
    key = load_pem_private_key(file.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    assert key.public_key() == certificate.public_key()


@pytest.mark.parametrize(
    ("hosts", "now"),
    [(HOSTS, NOW + VALIDITY - RENEWAL + timedelta(days=1)), ([*HOSTS, "kafka"], NOW)],
)
def test_file_is_made_again_before_it_expires_and_for_other_hosts(
    file: Path, hosts: list[str], now: datetime
) -> None:
    before = file.read_bytes()
    ensure_identity_file(file, "Tributary Test", hosts, now)
    assert file.read_bytes() != before
