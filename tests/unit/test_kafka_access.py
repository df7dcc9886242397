"""Kafka's users and the broker's certificate: private, made once, renewed only if necessary."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from configuration.secrets import Secrets
from infra.services.certificates import RENEWAL, VALIDITY, ensure_identity_file
from infra.services.kafka_access import USERS, list_rights
from tests.support.scratch import make_scratch_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ["127.0.0.1", "localhost"]


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    file = tmp_path / "identity.pem"
    ensure_identity_file(file, "broker", HOSTS, NOW)
    return file


def is_renewed(identity: Path, hosts: list[str], now: datetime) -> bool:
    before = identity.read_bytes()
    ensure_identity_file(identity, "broker", hosts, now)
    return identity.read_bytes() != before


def test_only_the_owner_may_read_the_identity(identity: Path) -> None:
    assert identity.stat().st_mode & 0o777 == 0o600


def test_start_keeps_an_identity_that_is_valid(identity: Path) -> None:
    assert not is_renewed(identity, HOSTS, NOW + VALIDITY - RENEWAL - timedelta(days=1))


def test_start_renews_an_identity_that_expires_soon(identity: Path) -> None:
    assert is_renewed(identity, HOSTS, NOW + VALIDITY - RENEWAL)


def test_start_renews_an_identity_of_other_hosts(identity: Path) -> None:
    assert is_renewed(identity, [*HOSTS, "kafka"], NOW)


@pytest.mark.parametrize("kept_bytes", [0, 100, 300])
def test_start_renews_an_identity_that_is_damaged(identity: Path, kept_bytes: int) -> None:
    identity.write_bytes(identity.read_bytes()[:kept_bytes])
    assert is_renewed(identity, HOSTS, NOW)
    key = load_pem_private_key(identity.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(identity.read_bytes())
    assert key.public_key() == certificate.public_key()


def test_every_user_has_a_password() -> None:
    passwords = {name for name in Secrets.model_fields if name.startswith("kafka_")}
    assert passwords == {f"kafka_{user}_password" for user in USERS}


def test_rights_are_those_of_the_users_only(tmp_path: Path) -> None:
    """The user `admin` needs none; a right of an unknown user would go unnoticed."""
    topics = make_scratch_settings(tmp_path).pipeline.topics
    assert {right.user for right in list_rights(topics)} == set(USERS) - {"admin"}
