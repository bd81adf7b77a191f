"""Certificates as the peers' TLS sees them: real handshakes in memory, times given."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kybern.pki.authority import (
    Authority,
    AuthorityUnusable,
    Identity,
    create_ca,
    identity_of,
    issue,
    load_ca,
    open_ca,
    private_pem,
    sign,
)
from kybern.pki.files import write_bundle
from kybern.pki.source import KeyPair

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
SERVER = Identity("kube-apiserver", (), ("localhost", "kubernetes.default"), ("127.0.0.1", "::1"))
NODE = Identity("system:node:worker", ("system:nodes", "extra"))


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    """A CA that is valid now."""
    return create_ca(tmp_path / "pki", NOW)


def handshake(directory: Path, server: KeyPair, client: KeyPair | None, name: str, trust: bytes) -> str:
    """Run one mutual-TLS handshake; the client's common name as the server sees it. Raises ssl.SSLError."""
    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    write_bundle(directory / "s", server)
    accepting.load_cert_chain(directory / "s" / "tls.crt", directory / "s" / "tls.key")
    accepting.load_verify_locations(cadata=server.ca.decode())
    accepting.verify_mode = ssl.CERT_REQUIRED
    calling = ssl.create_default_context(cadata=trust.decode())
    if client is not None:
        write_bundle(directory / "c", client)
        calling.load_cert_chain(directory / "c" / "tls.pem")
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        calling.wrap_bio(a, b, server_hostname=name),
        accepting.wrap_bio(b, a, server_side=True),
    ]
    waiting = sides
    for _ in range(10):
        waiting = [side for side in waiting if not _step(side)]
    assert not waiting
    der = sides[1].getpeercert(binary_form=True)
    assert der is not None
    return identity_of(x509.load_der_x509_certificate(der)).common_name


def _step(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


@pytest.mark.parametrize("name", ["localhost", "kubernetes.default", "127.0.0.1", "::1"])
def test_mutual_tls_names_the_client(ca: Authority, tmp_path: Path, name: str) -> None:
    server, client = issue(ca, SERVER, HOUR, NOW), issue(ca, NODE, HOUR, NOW)
    assert handshake(tmp_path, server, client, name, ca.pem) == "system:node:worker"


def test_refused_handshakes(ca: Authority, tmp_path: Path) -> None:
    other = create_ca(tmp_path / "other", NOW)
    server, client = issue(ca, SERVER, HOUR, NOW), issue(ca, NODE, HOUR, NOW)
    expired = issue(ca, NODE, HOUR, NOW - 3 * HOUR)
    not_yet = issue(ca, NODE, HOUR, NOW + 3 * HOUR)
    stranger = issue(other, NODE, HOUR, NOW)
    cases = {
        "the server's certificate expired": (issue(ca, SERVER, HOUR, NOW - 3 * HOUR), client, "localhost", ca.pem),
        "the server's is another CA's": (server, client, "localhost", other.pem),
        "the server has another name": (server, client, "example.com", ca.pem),
        "the server has another address": (server, client, "127.0.0.2", ca.pem),
        "the client's expired": (server, expired, "localhost", ca.pem),
        "the client's is not valid yet": (server, not_yet, "localhost", ca.pem),
        "the client's is another CA's": (server, stranger, "localhost", ca.pem),
        "the client has none": (server, None, "localhost", ca.pem),
    }
    for case, (serving, calling, name, trust) in cases.items():
        try:
            handshake(tmp_path, serving, calling, name, trust)
        except ssl.SSLError:
            continue
        raise AssertionError(f"accepted although {case}")


def test_a_certificate_says_who_and_how_long(ca: Authority) -> None:
    pair = issue(ca, NODE, HOUR, NOW)
    cert = x509.load_pem_x509_certificate(pair.cert)
    assert identity_of(cert) == Identity("system:node:worker", ("system:nodes", "extra"), (), ())
    assert pair.not_after == cert.not_valid_after_utc == NOW + HOUR
    assert cert.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert identity_of(x509.load_pem_x509_certificate(issue(ca, SERVER, HOUR, NOW).cert)) == SERVER


def test_a_certificate_never_outlives_its_ca(tmp_path: Path) -> None:
    ca = create_ca(tmp_path, NOW, lifetime=HOUR)
    assert issue(ca, NODE, 5 * HOUR, NOW).not_after == NOW + HOUR


def test_signing_somebody_elses_key(ca: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pair = sign(ca, key.public_key(), NODE, HOUR, NOW)
    assert pair.key == b""
    assert x509.load_pem_x509_certificate(pair.cert).public_key() == key.public_key()


def test_a_ca_is_kept(tmp_path: Path) -> None:
    first = open_ca(tmp_path, NOW)
    assert open_ca(tmp_path, NOW).pem == first.pem
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(AuthorityUnusable, match="already has"):
        create_ca(tmp_path, NOW)


@pytest.mark.parametrize(
    ("key", "fits"),
    [(rsa.generate_private_key(65537, 2048), True), (ed25519.Ed25519PrivateKey.generate(), False)],
)
def test_a_ca_of_ones_own(tmp_path: Path, key: Any, fits: bool) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "own")])
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW, NOW + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256() if fits else None)
    )
    (tmp_path / "ca.crt").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "ca.key").write_bytes(private_pem(key))
    if not fits:
        with pytest.raises(AuthorityUnusable, match="neither an ECDSA nor an RSA key"):
            load_ca(tmp_path, NOW)
        return
    pair = issue(load_ca(tmp_path, NOW), Identity("me"), timedelta(days=1), NOW)
    x509.load_pem_x509_certificate(pair.cert).verify_directly_issued_by(cert)


def test_an_unusable_ca_is_a_sentence(tmp_path: Path) -> None:
    create_ca(tmp_path / "a", NOW)
    create_ca(tmp_path / "b", NOW)
    with pytest.raises(AuthorityUnusable, match=r"expired at .* remove that directory"):
        load_ca(tmp_path / "a", NOW + timedelta(days=4000))
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(AuthorityUnusable, match="does not belong to"):
        load_ca(tmp_path / "a", NOW)
    (tmp_path / "a" / "ca.key").unlink()
    with pytest.raises(AuthorityUnusable, match="No such file"):
        open_ca(tmp_path / "a", NOW)
    (tmp_path / "b" / "ca.crt").write_bytes(b"scrambled")
    with pytest.raises(AuthorityUnusable, match="cannot use"):
        load_ca(tmp_path / "b", NOW)
