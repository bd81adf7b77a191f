"""Signing: a certificate with the request's subject, names and usages, for as long as it asks, within a limit."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from kybern.controllers.certificates.core.request import Wanted
from kybern.pki.authority import BACKDATE

SHORTEST = timedelta(minutes=10)
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
}


@dataclass(frozen=True)
class SigningAuthority:
    """A CA certificate with its key, of any kind that can sign."""

    cert: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes


def read_authority(cert: bytes, key: bytes) -> SigningAuthority:
    """From two PEM files. Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(cert)
    try:
        private = serialization.load_pem_private_key(key, None)
    except TypeError as error:
        raise ValueError("the key of the certificate authority is encrypted") from error
    if private.public_key() != certificate.public_key():
        raise ValueError("certificate and key of the certificate authority do not belong together")
    return SigningAuthority(certificate, private)  # type: ignore[arg-type]  # it has signed itself


def lifetime(seconds: int | None, most: timedelta) -> timedelta:
    """How long a certificate is good for: as asked for, within the signer's limits."""
    if seconds is None:
        return most
    return min(most, max(SHORTEST, timedelta(seconds=seconds)))


def sign(ca: SigningAuthority, wanted: Wanted, good_for: timedelta, now: datetime, serial: int) -> bytes:
    """The certificate as PEM. Raises ValueError for what cannot be signed."""
    if not wanted.csr.is_signature_valid:
        raise ValueError("unable to verify certificate request signature")
    unknown = set(wanted.usages) - _KEY_USAGES.keys() - _EXTENDED.keys()
    if unknown:
        raise ValueError(f"unrecognized usage values: {sorted(unknown)}")
    builder = (
        x509.CertificateBuilder()
        .subject_name(wanted.csr.subject)
        .issuer_name(ca.cert.subject)
        .public_key(wanted.csr.public_key())
        .serial_number(serial)
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(now + good_for, ca.cert.not_valid_after_utc))
    )
    if _KEY_USAGES.keys() & wanted.usages:  # an empty one would allow nothing at all
        builder = builder.add_extension(_key_usage(wanted.usages), critical=True)
    purposes = list(dict.fromkeys(_EXTENDED[usage] for usage in sorted(wanted.usages) if usage in _EXTENDED))
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    try:
        names = wanted.csr.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        pass
    else:
        builder = builder.add_extension(names.value, critical=names.critical)
    edwards = isinstance(ca.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    certificate = builder.sign(ca.key, None if edwards else hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_usage(usages: tuple[str, ...]) -> x509.KeyUsage:
    named = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
    if named & {"encipher_only", "decipher_only"}:
        named.add("key_agreement")
    return x509.KeyUsage(**{name: name in named for name in dict.fromkeys(_KEY_USAGES.values())})


def expires(pem: bytes) -> datetime | None:
    """When a certificate ends; None for what is none."""
    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        return None
