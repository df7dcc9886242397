"""Flink's identities, and the login of its front door.

Input: settings (hosts, folders) and secrets. Output, with mode 0600:

- `internal.p12`: the certificate of JobManager and TaskManager, for connections between them;
- `rest.p12`: the certificate of the REST API and of its clients in Java;
- `settings.flink_identity_file`: the same as PEM, for all other clients;
- `login`: the user who may see Flink's page, with a bcrypt hash.

Each certificate signs itself, and both ends of a connection present the same one and trust no other
one. So each keystore is its own truststore, as Flink's documentation recommends. Whoever holds the
key may run code in the cluster. There are two of them, because clients of the REST API need not be
members of the cluster.

Valid files are left unchanged, so a second start changes nothing.
"""

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from configuration.environment import FLINK_USER
from configuration.secrets import Secrets
from configuration.settings import Settings
from configuration.templates import write_private
from infra.services.certificates import (
    Identity,
    hash_password,
    identity_to_pem,
    is_current,
    is_hash_of,
    make_identity,
)


def internal_keystore(settings: Settings) -> Path:
    """Return the keystore of JobManager and TaskManager."""
    return settings.flink_identity_file.with_name("internal.p12")


def rest_keystore(settings: Settings) -> Path:
    """Return the keystore of the REST API and of its clients in Java."""
    return settings.flink_identity_file.with_name("rest.p12")


def login_file(settings: Settings) -> Path:
    """Return the file with the front door's user; Caddy imports it."""
    return settings.state / "configuration/front-door/login"


def ensure_flink_identity(settings: Settings, secrets: Secrets, now: datetime) -> None:
    """Make each file that is missing, is about to expire, or is for other hosts or passwords."""
    hosts = settings.topology.flink.names
    password = secrets.flink_keystore_password.encode()
    _ensure_keystore(internal_keystore(settings), password, hosts, now)
    identity = _ensure_keystore(rest_keystore(settings), password, hosts, now)
    pem = identity_to_pem(identity)
    if _read(settings.flink_identity_file) != pem:
        write_private(settings.flink_identity_file, pem)
    _ensure_login(login_file(settings), secrets.flink_operator_password)


def _ensure_keystore(file: Path, password: bytes, hosts: list[str], now: datetime) -> Identity:
    """Return the identity in a keystore; make a new one unless it is valid."""
    known = _read_keystore(file, password)
    if known and is_current(known[1], hosts, now):
        return known
    key, certificate = make_identity(f"Tributary Flink {file.stem}", hosts, now)
    encryption = BestAvailableEncryption(password)
    write_private(
        file,
        pkcs12.serialize_key_and_certificates(b"flink", key, certificate, None, encryption),
    )
    return key, certificate


def _read_keystore(file: Path, password: bytes) -> Identity | None:
    """Return the identity in a keystore; None if there is none that the password opens."""
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(_read(file), password)
    except ValueError:
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and certificate:
        return key, certificate
    return None


def _ensure_login(file: Path, password: str) -> None:
    user, _, hashed = _read(file).decode().strip().partition(" ")
    if user != FLINK_USER or not is_hash_of(password, hashed):
        write_private(file, f"{FLINK_USER} {hash_password(password)}\n")


def _read(file: Path) -> bytes:
    """Return a file's content; nothing if there is no file."""
    return file.read_bytes() if file.exists() else b""
