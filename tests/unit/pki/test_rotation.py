"""Rotation: when, why, and that readers never see half of one."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.pki.rotation import Issuer, needs_rotation, rotation_time
from kybern.pki.source import CertificateUnusable, FileCertificateSource, FixedCertificateSource, KeyPair, parse_bundle

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NODE = Identity("system:node:a", ("system:nodes",))
DNS = Identity("system:dns", (), ("dns",), ("10.0.0.10",))


def belongs(pair: KeyPair) -> bool:
    """Whether key and certificate are of one pair."""
    key = serialization.load_pem_private_key(pair.key, None)
    return key.public_key() == x509.load_pem_x509_certificate(pair.cert).public_key()


@pytest.mark.parametrize(
    ("jitter", "after", "due"),
    [
        (0.0, 0.66, False),
        (0.0, 0.67, True),
        (0.999, 0.79, False),
        (0.999, 0.81, True),
        (None, 0.66, False),
        (None, 0.81, True),
        (None, 2.0, True),
        (None, -0.1, True),
    ],
)
def test_when(tmp_path: Path, jitter: float | None, after: float, due: bool) -> None:
    cert = x509.load_pem_x509_certificate(issue(create_ca(tmp_path, NOW), NODE, 100 * DAY, NOW).cert)
    assert needs_rotation(cert, NOW + 100 * DAY * after, jitter) is due


def test_certificates_do_not_come_due_together(tmp_path: Path) -> None:
    ca = create_ca(tmp_path, NOW)
    times = {rotation_time(x509.load_pem_x509_certificate(issue(ca, NODE, 100 * DAY, NOW).cert)) for _ in range(20)}
    assert len(times) > 10


def test_the_issuer_replaces_what_is_due_and_nothing_else(tmp_path: Path) -> None:
    ca = create_ca(tmp_path, NOW)
    issuer = Issuer(tmp_path, ca, {"node": NODE, "dns": DNS}, lifetime=100 * DAY)
    assert issuer.next_rotation() is None
    assert [(r.service, r.reason) for r in issuer.rotate(NOW)] == [("node", "none yet"), ("dns", "none yet")]
    assert issuer.rotate(NOW + 60 * DAY) == []
    first = issuer.next_rotation()
    assert first is not None
    assert NOW + 66 * DAY < first < NOW + 81 * DAY
    due = issuer.rotate(first)
    assert [r.reason for r in due] == ["due"]
    assert {r.reason for r in issuer.rotate(NOW + 90 * DAY)} == {"due"}
    assert len(issuer.rotate(NOW + 90 * DAY, force=True)) == 2


def test_the_issuer_notices_another_ca_and_another_identity(tmp_path: Path) -> None:
    Issuer(tmp_path, create_ca(tmp_path / "old", NOW), {"node": NODE, "dns": DNS}).rotate(NOW)
    ca = create_ca(tmp_path / "new", NOW)
    issuer = Issuer(tmp_path, ca, {"node": NODE})
    assert [r.reason for r in issuer.rotate(NOW)] == ["issued by another authority"]
    moved = Issuer(tmp_path, ca, {"node": Identity("system:node:a", ("system:nodes",), (), ("10.0.0.1",))})
    assert [r.reason for r in moved.rotate(NOW)] == ["its identity changed"]
    assert moved.rotate(NOW) == []
    (tmp_path / "node" / "tls.pem").write_bytes(b"scrambled")
    assert [r.reason for r in moved.rotate(NOW)] == ["none yet"]


def test_secrets_are_secret(tmp_path: Path) -> None:
    Issuer(tmp_path, create_ca(tmp_path, NOW), {"node": NODE}).rotate(NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "node").iterdir()}
    assert modes == {"tls.pem": 0o600, "tls.key": 0o600, "tls.crt": 0o644, "ca.crt": 0o644}


def test_a_source_follows_rotations(tmp_path: Path) -> None:
    ca = create_ca(tmp_path, NOW)
    issuer = Issuer(tmp_path, ca, {"node": NODE})
    with pytest.raises(CertificateUnusable, match=r"tls\.pem"):
        FileCertificateSource(tmp_path / "node")
    issuer.rotate(NOW)
    source = FileCertificateSource(tmp_path / "node")
    seen: list[KeyPair] = []
    unsubscribe = source.on_change(seen.append)
    first = source.current()
    assert (source.poll(), source.version, first.ca) == (False, 1, ca.pem)
    issuer.rotate(NOW + DAY, force=True)
    assert (source.poll(), source.version) == (True, 2)
    assert source.poll() is False
    assert seen == [source.current()]
    assert source.current() != first
    unsubscribe()
    issuer.rotate(NOW + 2 * DAY, force=True)
    assert source.poll()
    assert len(seen) == 1


@pytest.mark.parametrize("content", [b"", b"scrambled", None])
def test_a_broken_bundle_keeps_the_last_good_pair(tmp_path: Path, content: bytes | None) -> None:
    issuer = Issuer(tmp_path, create_ca(tmp_path, NOW), {"node": NODE})
    issuer.rotate(NOW)
    source = FileCertificateSource(tmp_path / "node")
    good = source.current()
    if content is None:
        source.path.unlink()
    else:
        source.path.write_bytes(content)
    assert source.poll() is False
    assert source.current() == good
    assert source.problem is not None
    issuer.rotate(NOW, force=True)
    assert source.poll()
    assert source.problem is None


def test_a_reader_never_sees_a_new_certificate_with_an_old_key(tmp_path: Path) -> None:
    ca = create_ca(tmp_path, NOW)
    pairs = [issue(ca, NODE, DAY, NOW) for _ in range(2)]
    write_bundle(tmp_path / "node", pairs[0])
    stop = threading.Event()

    def replace() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            write_bundle(tmp_path / "node", pairs[turn % 2])

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        source = FileCertificateSource(tmp_path / "node")
        changes, until = 0, time.monotonic() + 20
        while changes < 20 and time.monotonic() < until:
            changes += source.poll()
            assert source.problem is None
            assert source.current() in pairs
    finally:
        stop.set()
        writer.join()
    assert changes == 20
    assert all(belongs(pair) for pair in pairs)


def test_parse_bundle_wants_all_three_parts(tmp_path: Path) -> None:
    pair = issue(create_ca(tmp_path, NOW), NODE, DAY, NOW)
    assert parse_bundle(pair.key + pair.cert + pair.ca) == pair
    for parts in (pair.cert + pair.ca, pair.key + pair.cert, pair.key + pair.key + pair.cert + pair.ca):
        with pytest.raises(ValueError, match="expected one private key"):
            parse_bundle(parts)


def test_a_fixed_source_changes_when_told(tmp_path: Path) -> None:
    ca = create_ca(tmp_path, NOW)
    source = FixedCertificateSource(issue(ca, NODE, DAY, NOW))
    seen: list[KeyPair] = []
    source.on_change(seen.append)
    assert not source.poll()
    source.set(issue(ca, NODE, DAY, NOW))
    assert (source.version, seen) == (2, [source.current()])
