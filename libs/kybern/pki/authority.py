"""The cluster's certificate authority: ECDSA P-256 (or whatever is put there), and certificates that name a Kubernetes
identity.

Common name = user, organizations = groups (e.g. `system:node:worker` in `system:nodes`). One certificate serves both
sides of a mutual-TLS connection, so every certificate is for servers and clients. Time is an argument, never read.

    DIR/ca.crt, DIR/ca.key           the authority
    DIR/sa.pub, DIR/sa.key           signs ServiceAccount tokens (not an X.509 identity)
    DIR/<service>/tls.pem            a service's key, certificate and CA in one file (see source.py)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kybern.pki.files import write_atomic
from kybern.pki.source import KeyPair

CaKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CA_LIFETIME = timedelta(days=3650)
CA_COMMON_NAME = "kubernetes"
BACKDATE = timedelta(minutes=5)
"""Certificates begin a little in the past, for clocks that are behind."""


class AuthorityUnusable(Exception):
    """The CA's files are missing, broken, expired, or do not belong together; the message says what to do."""


@dataclass(frozen=True)
class Authority:
    """A CA certificate with its key."""

    cert: x509.Certificate
    key: CaKey

    @property
    def pem(self) -> bytes:
        """The CA certificate."""
        return self.cert.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Identity:
    """Whom a certificate names, and under which names and addresses it may serve."""

    common_name: str
    organizations: Sequence[str] = ()
    dns_names: Sequence[str] = ()
    ips: Sequence[str] = ()


def create_ca(directory: Path, now: datetime, lifetime: timedelta = CA_LIFETIME) -> Authority:
    """A new CA in the directory, which must not have one."""
    if (directory / "ca.key").exists():
        raise AuthorityUnusable(f"{directory} already has a certificate authority")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CA_COMMON_NAME)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(CA_COMMON_NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    authority = Authority(cert, key)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(directory / "ca.crt", authority.pem, 0o644)
    write_atomic(directory / "ca.key", private_pem(key), 0o600)
    return authority


def load_ca(directory: Path, now: datetime) -> Authority:
    """The CA in the directory. Raises AuthorityUnusable."""
    try:
        cert = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    except (OSError, ValueError, TypeError) as e:
        raise AuthorityUnusable(f"cannot use the certificate authority in {directory}: {e}") from e
    if not isinstance(key, CaKey):
        raise AuthorityUnusable(f"{directory}/ca.key is neither an ECDSA nor an RSA key: use a CA with one of these")
    if key.public_key() != cert.public_key():
        raise AuthorityUnusable(
            f"{directory}/ca.key does not belong to {directory}/ca.crt: restore both, or remove both"
        )
    if now >= cert.not_valid_after_utc:
        raise AuthorityUnusable(
            f"the certificate authority in {directory} expired at {cert.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: "
            "remove that directory to get a new one (every kubeconfig must then be fetched again)"
        )
    return Authority(cert, key)


def open_ca(directory: Path, now: datetime) -> Authority:
    """The CA in the directory, made if there is none."""
    has_one = (directory / "ca.key").exists() or (directory / "ca.crt").exists()
    return load_ca(directory, now) if has_one else create_ca(directory, now)


def issue(ca: Authority, identity: Identity, lifetime: timedelta, now: datetime) -> KeyPair:
    """A new key and certificate; it never outlives its CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    return sign(ca, key.public_key(), identity, lifetime, now, private_pem(key))


def sign(
    ca: Authority,
    public_key: ec.EllipticCurvePublicKey,
    identity: Identity,
    lifetime: timedelta,
    now: datetime,
    key_pem: bytes = b"",
) -> KeyPair:
    """A certificate for a key that somebody else may hold (then `key` of the result is empty)."""
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in identity.organizations]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.cert.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(now + lifetime, ca.cert.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in identity.dns_names]
    names += [x509.IPAddress(ip_address(ip)) for ip in identity.ips]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    cert = builder.sign(ca.key, hashes.SHA256())
    pem = cert.public_bytes(serialization.Encoding.PEM)
    return KeyPair(ca=ca.pem, cert=pem, key=key_pem, not_after=cert.not_valid_after_utc)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def identity_of(cert: x509.Certificate) -> Identity:
    """Whom a certificate names."""
    common_names = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = cert.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    try:
        alternatives = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        alternatives = x509.SubjectAlternativeName([])
    return Identity(
        common_name=str(common_names[0].value) if common_names else "",
        organizations=tuple(str(attribute.value) for attribute in organizations),
        dns_names=tuple(alternatives.get_values_for_type(x509.DNSName)),
        ips=tuple(str(ip) for ip in alternatives.get_values_for_type(x509.IPAddress)),
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
