"""Certificates and requests in PEM: what is taken, and what is said of the rest."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from kybern.kube.validation.certificate_pem import certificate_problem, request_problem

KEYS: dict[str, Any] = {
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
NAME = x509.Name([])
EMPTY = "must contain at least one CERTIFICATE PEM block"
NOT_REQUEST = "PEM block type must be CERTIFICATE REQUEST"


def request(kind: str = "ecdsa") -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    return builder.sign(KEYS[kind], None if kind == "ed25519" else hashes.SHA256()).public_bytes(Encoding.PEM)


def with_sha1(kind: str) -> bytes:
    """As the library no longer signs: another request's shape, with the names of SHA-1 in it."""
    shape, key = x509.load_pem_x509_csr(request(kind)), KEYS[kind]
    algorithm = sequence(bytes.fromhex("06092a864886f70d0101050500" if kind == "rsa" else "06072a8648ce3d0401"))
    told = shape.tbs_certrequest_bytes
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(told, padding.PKCS1v15(), hashes.SHA1())
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature = key.sign(told, ec.ECDSA(hashes.SHA1()))
    signed = b"\x03" + length(len(signature) + 1) + b"\0" + signature
    return pem("CERTIFICATE REQUEST", sequence(told + algorithm + signed))


def sequence(content: bytes) -> bytes:
    return b"\x30" + length(len(content)) + content


def length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    return b"\x81" + size.to_bytes(1) if size < 256 else b"\x82" + size.to_bytes(2)


def certificate() -> bytes:
    now, key = datetime.now(UTC), KEYS["ecdsa"]
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def pem(kind: str, der: bytes) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (kind.encode(), base64.encodebytes(der), kind.encode())


def spoiled(kind: str) -> bytes:
    """The last byte of its signature is another one."""
    der = x509.load_pem_x509_csr(request(kind)).public_bytes(Encoding.DER)
    return pem("CERTIFICATE REQUEST", der[:-1] + bytes([der[-1] ^ 1]))


CSR, CERT = request(), certificate()
HEADED = CERT.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\nA: b\n\n", 1)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        pytest.param(CSR, "", id="ecdsa"),
        pytest.param(request("rsa"), "", id="rsa"),
        pytest.param(request("ed25519"), "", id="ed25519"),
        pytest.param(with_sha1("rsa"), "", id="rsa with SHA-1"),
        pytest.param(with_sha1("ecdsa"), "", id="ecdsa with SHA-1"),
        pytest.param(b"hello\n" + CSR + CERT, "", id="only the first block counts"),
        pytest.param(CSR.replace(b"REQUEST-----\n", b"REQUEST-----\nA: b\n\n", 1), "", id="headers"),
        pytest.param(b"", NOT_REQUEST, id="empty"),
        pytest.param(CERT, NOT_REQUEST, id="certificate"),
        pytest.param(CSR.replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"), NOT_REQUEST, id="old name"),
        pytest.param(spoiled("ecdsa"), "x509: ECDSA verification failure", id="signed by another"),
        pytest.param(spoiled("rsa"), "crypto/rsa: verification error", id="signed by another (rsa)"),
        pytest.param(spoiled("ed25519"), "x509: Ed25519 verification failure", id="signed by another (ed25519)"),
        pytest.param(pem("CERTIFICATE REQUEST", b"\x30\x01\x00\x00"), "asn1: syntax error: trailing data", id="more"),
        pytest.param(pem("CERTIFICATE REQUEST", b"\x30\x05\x00"), "asn1: syntax error: data truncated", id="less"),
        pytest.param(pem("CERTIFICATE REQUEST", b"\x30\x01\x00"), "x509: malformed certificate request", id="other"),
    ],
)
def test_requests(data: bytes, wanted: str) -> None:
    assert request_problem(encoded(data)) == wanted


def test_what_is_no_sequence() -> None:
    found = request_problem(encoded(pem("CERTIFICATE REQUEST", b"\0\0\0")))
    assert found.startswith("asn1: structure error: tags don't match (16 vs {class:0 tag:0 length:0 isCompound:false})")
    assert found.endswith("certificateRequest @2")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        pytest.param(b"", "", id="none"),
        pytest.param(CERT, "", id="one"),
        pytest.param(b"a\n" + CERT + b"\n" + CERT + b"b", "", id="two, and text around"),
        pytest.param(b"zz", EMPTY, id="no block"),
        pytest.param(CERT + CSR, 'only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"', id="mixed"),
        pytest.param(HEADED, "no PEM block headers are permitted", id="headers"),
        pytest.param(CERT + pem("CERTIFICATE", b"\0"), "x509: malformed certificate", id="second is malformed"),
    ],
)
def test_certificates(data: bytes, wanted: str) -> None:
    assert certificate_problem(encoded(data)) == wanted
