"""Keys of ServiceAccount tokens: further ones that verify."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kybern.pki.authority import Identity, create_ca, issue, private_pem
from kybern.pki.token_keys import TokenKeys, key_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OTHER = ec.generate_private_key(ec.SECP256R1())


def public_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


@pytest.mark.parametrize("pem", [public_pem(OTHER), private_pem(OTHER)], ids=["public", "private"])
def test_a_key_is_trusted(pem: bytes) -> None:
    keys = TokenKeys(ec.generate_private_key(ec.SECP256R1()))
    keys.trust(b"words before\n" + pem)
    assert list(keys.public) == [keys.key_id, key_id(OTHER.public_key())]


def test_several_certificates(tmp_path: Path) -> None:
    ca = create_ca(tmp_path, NOW)
    pair = issue(ca, Identity("x"), timedelta(days=1), NOW)
    keys = TokenKeys(OTHER)
    keys.trust(pair.cert + ca.pem)
    assert len(keys.public) == 3
    assert key_id(ca.key.public_key()) in keys.public


@pytest.mark.parametrize("pem", [b"", b"no key", public_pem(ed25519.Ed25519PrivateKey.generate())])
def test_what_cannot_be_used(pem: bytes) -> None:
    with pytest.raises(ValueError, match=r"no key|neither"):
        TokenKeys(OTHER).trust(pem)
