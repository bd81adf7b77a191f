"""A TLS server that asks for certificates names whose: seen in its handshake, which TLS 1.2 shows to all."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.client_authorities import name_authorities
from kybern.pki.files import write_bundle

NOW = datetime.now(UTC)


def hello(server: ssl.SSLContext) -> bytes:
    """What the server says first."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    there, back, unused = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    for one in (client.wrap_bio(unused, there), server.wrap_bio(there, back, server_side=True)):
        try:
            one.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return back.read()


def subject(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).subject.public_bytes()


def certificate(name: str) -> bytes:
    key, called = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string(f"CN={name}")
    made = x509.CertificateBuilder(called, called, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_names(tmp_path: Path) -> None:
    own, other = create_ca(tmp_path / "ca", NOW), certificate("somebody else")
    write_bundle(tmp_path / "server", issue(own, Identity("server"), timedelta(days=1), NOW))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server" / "tls.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=own.pem.decode() + other.decode())
    assert subject(other) not in hello(context)
    assert name_authorities(context, own.pem + b"\n" + other)
    said = hello(context)
    assert subject(other) in said
    assert subject(own.pem) in said
    assert name_authorities(context, own.pem)
    assert subject(other) not in hello(context)


def test_none(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert not name_authorities(context, b"")
