"""What all certificates of ours have in common: names, lifetime, and how they are written."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from configuration.templates import write_private

Identity = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]

VALIDITY = timedelta(days=825)
# If a certificate expires sooner than this, the next start makes a new one.
RENEWAL = timedelta(days=30)
# 2^10 rounds take 50 ms for a login on a laptop's core. Trino and Caddy cache checked passwords.
BCRYPT_ROUNDS = 10


def start_certificate(
    subject: str, issuer: str, public_key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    """Return a certificate to complete and to sign; it is valid for `VALIDITY` from now."""
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


def key_usage(*, is_ca: bool) -> x509.KeyUsage:
    """Return what a key may do: a CA signs certificates, any other key signs handshakes."""
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


def subject_names(hosts: list[str]) -> x509.SubjectAlternativeName:
    """Return the names of a server that is reached at `hosts`."""
    return x509.SubjectAlternativeName([_general_name(host) for host in hosts])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def is_current(certificate: x509.Certificate, hosts: list[str], now: datetime) -> bool:
    """Whether a certificate names exactly `hosts` and expires later than `RENEWAL` from now."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_lasting = certificate.not_valid_after_utc > now.astimezone(UTC) + RENEWAL
    return names == subject_names(hosts) and is_lasting


def make_identity(name: str, hosts: list[str], now: datetime) -> Identity:
    """Return a key and its certificate, which signs itself and may be a server's and a client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        start_certificate(name, name, key.public_key(), now)
        .add_extension(subject_names(hosts), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        # No key usage: OpenSSL would ask a certificate that signs itself for that of a CA.
        .add_extension(x509.ExtendedKeyUsage(usages), False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def ensure_identity_file(file: Path, name: str, hosts: list[str], now: datetime) -> None:
    """Make a PEM file with a key and its certificate, unless it holds a current one."""
    known = _read_certificate(file)
    if not (known and is_current(known, hosts, now)):
        write_private(file, identity_to_pem(make_identity(name, hosts, now)))


def _read_certificate(file: Path) -> x509.Certificate | None:
    """Return the certificate in a PEM file; None if there is none, or the file is damaged."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def identity_to_pem(identity: Identity) -> bytes:
    """Return a key and its certificate as PEM, not encrypted."""
    key, certificate = identity
    return key_to_pem(key) + to_pem(certificate)


def to_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def hash_password(password: str) -> str:
    """Return a bcrypt hash with the prefix `$2y$`, which Trino requires; the algorithm is equal."""
    line = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
    return line.replace("$2b$", "$2y$", 1)


def is_hash_of(password: str, hashed: str) -> bool:
    """Whether `hash_password` made `hashed` of this password."""
    return bcrypt.checkpw(password.encode(), hashed.encode())
