"""Transformers: upstream's formats, byte for byte, and what is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.store.encryption.config import Key
from kybern.store.encryption.kms import Derived
from kybern.store.encryption.transformers import (
    AesCbc,
    AesGcm,
    Chain,
    Identity,
    LocalKeys,
    Unreadable,
)

KEY = b"/registry/secrets/default/a"
OLD, NEW = Key("old", b"o" * 32), Key("new", b"n" * 16)


@pytest.mark.parametrize("kind", ["aesgcm", "aescbc", "secretbox"])
@given(plain=st.binary(max_size=200))
def test_round_trip(kind: str, plain: bytes) -> None:
    if kind == "secretbox":
        pytest.importorskip("nacl")
    provider = LocalKeys(kind, [OLD])
    stored = provider.seal(plain, KEY)
    assert stored.startswith(f"k8s:enc:{kind}:v1:old:".encode())
    assert provider.open(stored, KEY) == plain
    assert plain not in stored.removeprefix(provider.prefix) or len(plain) < 8


def test_the_layout_is_upstreams() -> None:
    """Nonce or vector in front; computed with other tools from the same key, nonce and data."""
    counter = bytes(range(12))
    gcm = AesGcm(b"k" * 32, entropy=lambda size: counter).seal(b"value", KEY)
    assert gcm[:12] == counter
    assert len(gcm) == 12 + len(b"value") + 16
    cbc = AesCbc(b"k" * 16, entropy=lambda size: bytes(size)).seal(b"value", KEY)
    assert base64.b64encode(cbc[16:]) == base64.b64encode(_openssl_cbc())
    assert len(cbc) == 32


def _openssl_cbc() -> bytes:
    import subprocess

    command = ["openssl", "enc", "-aes-128-cbc", "-K", (b"k" * 16).hex(), "-iv", "00" * 16]
    return subprocess.run(command, input=b"value", capture_output=True, check=True).stdout


def test_a_value_cannot_be_moved_to_another_key() -> None:
    provider = LocalKeys("aesgcm", [OLD])
    with pytest.raises(Unreadable, match="message authentication failed"):
        provider.open(provider.seal(b"x", KEY), KEY + b"b")


def test_the_first_key_writes_and_all_read() -> None:
    before, after = LocalKeys("aesgcm", [OLD]), LocalKeys("aesgcm", [NEW, OLD])
    stored = before.seal(b"x", KEY)
    assert after.open(stored, KEY) == b"x"
    assert (before.current(stored), after.current(stored)) == (True, False)
    assert after.seal(b"x", KEY).startswith(b"k8s:enc:aesgcm:v1:new:")
    with pytest.raises(Unreadable, match="no matching key was found for the provided AES transformer"):
        LocalKeys("aesgcm", [NEW]).open(stored, KEY)


@pytest.mark.parametrize(
    ("chain", "stored", "expected"),
    [
        pytest.param(Chain((LocalKeys("aesgcm", [OLD]), Identity())), b"{}", b"{}", id="identity fallback"),
        pytest.param(Chain((Identity(),)), b"{}", b"{}", id="identity"),
        pytest.param(Chain((LocalKeys("aesgcm", [OLD]),)), b"{}", "no matching prefix found", id="no fallback"),
        pytest.param(
            Chain((Identity(),)),
            b"k8s:enc:aesgcm:v1:old:x",
            "identity transformer tried to read encrypted data",
            id="encrypted, but nothing is configured",
        ),
        pytest.param(
            Chain((LocalKeys("aescbc", [OLD]), Identity())),
            b"k8s:enc:aesgcm:v1:old:x",
            "no matching prefix found",
            id="another cipher",
        ),
        pytest.param(
            Chain((LocalKeys("aesgcm", [OLD]),)), b"k8s:enc:aesgcm:v1:old:x", "shorter than the required", id="short"
        ),
        pytest.param(
            Chain((LocalKeys("aescbc", [OLD]),)),
            b"k8s:enc:aescbc:v1:old:" + b"x" * 20,
            "not a multiple of the block size",
            id="cut",
        ),
    ],
)
def test_chains(chain: Chain, stored: bytes, expected: bytes | str) -> None:
    if isinstance(expected, bytes):
        assert chain.open(stored, KEY) == expected
        return
    with pytest.raises(Unreadable, match=expected):
        chain.open(stored, KEY)


@given(stored=st.binary(max_size=100))
def test_nothing_crashes_on_damaged_data(stored: bytes) -> None:
    for kind in ("aesgcm", "aescbc"):
        provider = LocalKeys(kind, [OLD])
        try:
            provider.open(provider.prefix + b"old:" + stored, KEY)
        except Unreadable:
            continue
        assert kind == "aescbc"


def test_every_value_has_a_key_of_its_own() -> None:
    derived = Derived(b"s" * 32)
    one, other = derived.seal(b"x", KEY), derived.seal(b"x", KEY)
    assert one[:32] != other[:32]
    assert derived.open(one, KEY) == derived.open(other, KEY) == b"x"
    with pytest.raises(Unreadable):
        derived.open(one, KEY + b"b")
