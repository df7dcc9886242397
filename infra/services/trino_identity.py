"""Trino's identity: a server certificate, the CA that clients trust, and a password file.

Input: settings (host, folders) and secrets (the users' passwords). Output, with mode 0600:

- `identity.pem`: the server's key and its certificate chain;
- `passwords.txt`: one bcrypt line for each user;
- `settings.trino_ca_file`: the CA's certificate, for clients. The CA's key is never stored.

Valid files are left unchanged, so a second start changes nothing.
"""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from configuration.secrets import Secrets
from configuration.settings import Settings
from configuration.templates import write_private
from infra.services.certificates import (
    hash_password,
    is_current,
    is_hash_of,
    key_to_pem,
    key_usage,
    start_certificate,
    subject_names,
    to_pem,
)

Certificate = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def trino_identity_files(settings: Settings) -> tuple[Path, Path, Path]:
    """Return the paths of the identity, the password file and the CA's certificate."""
    folder = settings.state / "configuration/trino"
    return folder / "identity.pem", folder / "passwords.txt", settings.trino_ca_file


def ensure_trino_identity(settings: Settings, secrets: Secrets, now: datetime) -> None:
    """Make each file that is missing, is about to expire, or is for other hosts or passwords."""
    identity, password_file, ca_file = trino_identity_files(settings)
    hosts = settings.topology.trino.names
    if not _is_identity_valid(identity, ca_file, hosts, now):
        key, *chain = _make_identity(hosts, now)
        write_private(ca_file, to_pem(chain[-1]))
        write_private(identity, key_to_pem(key) + b"".join(map(to_pem, chain)))
    passwords = {
        "etl": secrets.trino_etl_password,
        "analyst": secrets.trino_analyst_password,
        "dashboard": secrets.trino_dashboard_password,
    }
    if not _are_passwords_current(password_file, passwords):
        lines = [f"{user}:{hash_password(password)}\n" for user, password in passwords.items()]
        write_private(password_file, "".join(lines))


def _make_identity(
    hosts: list[str], now: datetime
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate, x509.Certificate]:
    """Return a server key, its certificate for `hosts`, and the certificate of its CA."""
    ca_key, ca = _make_ca(now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        start_certificate("Tributary Trino", "Tributary CA", key.public_key(), now)
        .add_extension(subject_names(hosts), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(key_usage(is_ca=False), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return key, certificate, ca


def _make_ca(now: datetime) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        start_certificate("Tributary CA", "Tributary CA", key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(key_usage(is_ca=True), True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _is_identity_valid(identity: Path, ca_file: Path, hosts: list[str], now: datetime) -> bool:
    """Whether both files exist, match, name `hosts`, and expire later than `RENEWAL` from now."""
    if not (identity.exists() and ca_file.exists()):
        return False
    try:
        certificate, ca = x509.load_pem_x509_certificates(identity.read_bytes())
        trusted = x509.load_pem_x509_certificate(ca_file.read_bytes())
    except ValueError:
        return False
    return trusted == ca and is_current(certificate, hosts, now)


def _are_passwords_current(file: Path, passwords: dict[str, str]) -> bool:
    if not file.exists():
        return False
    hashed = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
    return hashed.keys() == passwords.keys() and all(
        is_hash_of(password, hashed[user]) for user, password in passwords.items()
    )
