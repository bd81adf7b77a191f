"""What is in PEM: a certificate request that its own key has signed, or certificates; problems in Go's words."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

REQUEST, CERTIFICATE = "CERTIFICATE REQUEST", "CERTIFICATE"
_BLOCK = re.compile(r"^-----BEGIN ([^\n]+?)-----[ \t\r]*\n(.*?)^-----END \1-----", re.DOTALL | re.MULTILINE)
_FIELD = "{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 "
_FIELD += "timeType:0 set:false omitEmpty:false}"
_UNVERIFIED = {
    ec.EllipticCurvePublicKey: "x509: ECDSA verification failure",
    rsa.RSAPublicKey: "crypto/rsa: verification error",
    ed25519.Ed25519PublicKey: "x509: Ed25519 verification failure",
}


@dataclass(frozen=True)
class Block:
    """One block: what it says it is, whether it has headers, and what is in it."""

    kind: str
    headed: bool
    der: bytes


def request_problem(data: str | None) -> str:
    """What is wrong with a request in base64; "" if nothing is. Only the first block counts."""
    first = next(_blocks(data), None)
    if first is None or first.kind != REQUEST:
        return f"PEM block type must be {REQUEST}"
    wrong = _shape_problem(first.der)
    if wrong:
        return wrong
    try:
        request = x509.load_der_x509_csr(first.der)
        valid, key = request.is_signature_valid or _signed_with_sha1(request), request.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate request"
    if valid:
        return ""
    return next((text for kind, text in _UNVERIFIED.items() if isinstance(key, kind)), "x509: invalid signature")


def _signed_with_sha1(request: x509.CertificateSigningRequest) -> bool:
    """Go takes such a signature of a request, where the library does not look at it."""
    key = request.public_key()
    try:
        if request.signature_algorithm_oid == SignatureAlgorithmOID.RSA_WITH_SHA1 and isinstance(key, rsa.RSAPublicKey):
            key.verify(request.signature, request.tbs_certrequest_bytes, padding.PKCS1v15(), hashes.SHA1())
            return True
        if request.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA1 and isinstance(
            key, ec.EllipticCurvePublicKey
        ):
            key.verify(request.signature, request.tbs_certrequest_bytes, ec.ECDSA(hashes.SHA1()))
            return True
    except InvalidSignature:
        pass
    return False


def certificate_problem(data: str | None) -> str:
    """The first thing wrong with certificates in base64; "" if nothing is, or there are none at all."""
    if not data:
        return ""
    count = 0
    for block in _blocks(data):
        if block.kind != CERTIFICATE:
            return f'only {CERTIFICATE} PEM blocks are allowed, found "{block.kind}"'
        if block.headed:
            return "no PEM block headers are permitted"
        try:
            x509.load_der_x509_certificate(block.der)
        except ValueError:
            return "x509: malformed certificate"
        count += 1
    return "" if count else f"must contain at least one {CERTIFICATE} PEM block"


def bundle_problem(data: str | None) -> str:
    """Why a caBundle in base64 has no authority to trust; "" if it has one, or there is no bundle."""
    if not data:
        return ""
    said = ""
    for block in _blocks(data):
        if block.kind != CERTIFICATE or block.headed:
            continue
        try:
            x509.load_der_x509_certificate(block.der)
        except ValueError:
            said = said or "failed to parse certificate: x509: malformed certificate"
        else:
            return ""
    return f"unable to load root certificates: {said or 'unable to parse bytes as PEM block'}"


def _blocks(data: str | None) -> Iterator[Block]:
    try:
        text = base64.b64decode(data or "").decode("ascii", "replace")
    except ValueError:
        return
    for found in _BLOCK.finditer(text):
        head, blank, rest = found[2].partition("\n\n")
        headed = bool(blank) and ":" in head
        try:
            der = base64.b64decode(rest if headed else found[2])
        except ValueError:
            continue  # no block at all
        yield Block(found[1], headed, der)


def _shape_problem(der: bytes) -> str:
    """What Go's decoder says of bytes that are not one sequence."""
    if len(der) < 2:
        return "asn1: syntax error: data truncated"
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if der[0] != 0x30:
        compound = str(bool(der[0] & 0x20)).lower()
        found = f"{{class:{der[0] >> 6} tag:{der[0] & 0x1F} length:{length} isCompound:{compound}}}"
        return f"asn1: structure error: tags don't match (16 vs {found}) {_FIELD} certificateRequest @{start}"
    if start + length > len(der):
        return "asn1: syntax error: data truncated"
    return "asn1: syntax error: trailing data" if start + length < len(der) else ""
