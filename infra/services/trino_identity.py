"""Trino's identity: a server certificate, the CA that clients trust, and a password file.

Input: settings (host, folders) and secrets (the users' passwords). Output, with mode 0600:

- `identity.pem`: the server's key and its certificate chain;
- `passwords.txt`: one bcrypt line for each user;
- `settings.trino_ca_file`: the CA's certificate, for clients. The CA's key is never stored.

Valid files are left unchanged, so a second start changes nothing.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from configuration.secrets import Secrets
from configuration.settings import Settings
from configuration.templates import write_private

VALIDITY = timedelta(days=825)
# If a certificate expires sooner than this, the next start makes a new one.
RENEWAL = timedelta(days=30)
# 2^10 rounds take 50 ms for a login on a laptop's core. Trino caches checked passwords.
BCRYPT_ROUNDS = 10

Certificate = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def trino_identity_files(settings: Settings) -> tuple[Path, Path, Path]:
    """Return the paths of the identity, the password file and the CA's certificate."""
    folder = settings.state / "configuration/trino"
    return folder / "identity.pem", folder / "passwords.txt", settings.trino_ca_file


def ensure_trino_identity(settings: Settings, secrets: Secrets, now: datetime) -> None:
    """Make each file that is missing, is about to expire, or is for other hosts or passwords."""
    identity, password_file, ca_file = trino_identity_files(settings)
    hosts = sorted({"localhost", "127.0.0.1", settings.topology.trino.host})
    if not _is_identity_valid(identity, ca_file, hosts, now):
        key, *chain = _make_identity(hosts, now)
        write_private(ca_file, _pem(chain[-1]).decode())
        write_private(identity, (_key_pem(key) + b"".join(map(_pem, chain))).decode())
    passwords = {
        "etl": secrets.trino_etl_password,
        "analyst": secrets.trino_analyst_password,
        "dashboard": secrets.trino_dashboard_password,
    }
    if not _are_passwords_current(password_file, passwords):
        lines = [f"{user}:{_hash(password)}\n" for user, password in passwords.items()]
        write_private(password_file, "".join(lines))


def _make_identity(
    hosts: list[str], now: datetime
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate, x509.Certificate]:
    """Return a server key, its certificate for `hosts`, and the certificate of its CA."""
    ca_key, ca = _make_ca(now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder("Tributary Trino", "Tributary CA", key.public_key(), now)
        .add_extension(x509.SubjectAlternativeName([_san(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(_usage(is_ca=False), True)
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
        _builder("Tributary CA", "Tributary CA", key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(_usage(is_ca=True), True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _builder(
    subject: str, issuer: str, public_key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # One day of tolerance for clocks that differ.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _is_identity_valid(identity: Path, ca_file: Path, hosts: list[str], now: datetime) -> bool:
    """Whether both files exist, match, name `hosts`, and expire later than `RENEWAL` from now."""
    if not (identity.exists() and ca_file.exists()):
        return False
    try:
        certificate, ca = x509.load_pem_x509_certificates(identity.read_bytes())
        trusted = x509.load_pem_x509_certificate(ca_file.read_bytes())
    except ValueError:
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        trusted == ca
        and list(names) == [_san(host) for host in hosts]
        and certificate.not_valid_after_utc > now.astimezone(UTC) + RENEWAL
    )


def _are_passwords_current(file: Path, passwords: dict[str, str]) -> bool:
    if not file.exists():
        return False
    hashed = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
    return hashed.keys() == passwords.keys() and all(
        bcrypt.checkpw(password.encode(), hashed[user].encode())
        for user, password in passwords.items()
    )


def _hash(password: str) -> str:
    """Return a bcrypt hash with the prefix `$2y$`, which Trino requires; the algorithm is equal."""
    line = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
    return line.replace("$2b$", "$2y$", 1)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
