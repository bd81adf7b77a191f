"""Transformers: bytes in the clear to bytes at rest and back, in Kubernetes' formats.

Each provider has a prefix (`k8s:enc:aesgcm:v1:`), each of its keys one below it (`key1:`). The storage key is
authenticated with the value (where the cipher can), so that a value cannot be moved to another key unnoticed.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from kybern.store.encryption.config import ConfigurationError, Key

ENCRYPTED = b"k8s:enc:"
NONCE, BLOCK, BOX_NONCE = 12, 16, 24
Entropy = Callable[[int], bytes]


class Unreadable(Exception):
    """Why a stored value cannot be read."""


class Cryptor(Protocol):
    """One key."""

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """Encrypt the value of a storage key."""
        ...

    def open(self, data: bytes, key: bytes) -> bytes:
        """Decrypt it. Raises Unreadable."""
        ...


class AesGcm:
    """12 bytes of nonce, then ciphertext and tag; the storage key is authenticated."""

    def __init__(self, secret: bytes, entropy: Entropy = os.urandom) -> None:
        self._cipher = AESGCM(secret)
        self._entropy = entropy

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        nonce = self._entropy(NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, key)

    def open(self, data: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        if len(data) < NONCE:
            raise Unreadable("the stored data was shorter than the required size")
        try:
            return self._cipher.decrypt(data[:NONCE], data[NONCE:], key)
        except InvalidTag:
            raise Unreadable("cipher: message authentication failed") from None


class AesCbc:
    """16 bytes of initialization vector, then PKCS#7-padded ciphertext. Nothing is authenticated."""

    def __init__(self, secret: bytes, entropy: Entropy = os.urandom) -> None:
        self._algorithm = algorithms.AES(secret)
        self._entropy = entropy

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        vector = self._entropy(BLOCK)
        padder, encryptor = PKCS7(BLOCK * 8).padder(), Cipher(self._algorithm, modes.CBC(vector)).encryptor()
        return vector + encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()

    def open(self, data: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        if len(data) < BLOCK:
            raise Unreadable("the stored data was shorter than the required size")
        if len(data) % BLOCK:
            raise Unreadable("the stored data is not a multiple of the block size")
        decryptor = Cipher(self._algorithm, modes.CBC(data[:BLOCK])).decryptor()
        unpadder = PKCS7(BLOCK * 8).unpadder()
        try:
            return unpadder.update(decryptor.update(data[BLOCK:]) + decryptor.finalize()) + unpadder.finalize()
        except ValueError:
            raise Unreadable("invalid padding on input") from None


class Secretbox:
    """24 bytes of nonce, then XSalsa20 and Poly1305. Needs PyNaCl, which only who names this provider installs."""

    def __init__(self, secret: bytes, entropy: Entropy = os.urandom) -> None:
        try:
            from nacl.exceptions import CryptoError
            from nacl.secret import SecretBox
        except ImportError:
            raise ConfigurationError("the secretbox provider needs PyNaCl: pip install 'kybern[secretbox]'") from None
        self._box = SecretBox(secret)
        self._entropy = entropy
        self._error = CryptoError

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        return bytes(self._box.encrypt(plain, self._entropy(BOX_NONCE)))

    def open(self, data: bytes, key: bytes) -> bytes:
        """See Cryptor."""
        try:
            return bytes(self._box.decrypt(data))
        except self._error:
            raise Unreadable("output array was not large enough for encryption") from None


CIPHERS: dict[str, Callable[[bytes], Cryptor]] = {"aesgcm": AesGcm, "aescbc": AesCbc, "secretbox": Secretbox}
NO_KEY = {
    "aesgcm": "no matching key was found for the provided AES transformer",
    "aescbc": "no matching key was found for the provided AES transformer",
    "secretbox": "no matching key was found for the provided Secretbox transformer",
}


class Provider(Protocol):
    """One element of `providers`."""

    prefix: bytes

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """The stored form, prefix included."""
        ...

    def open(self, data: bytes, key: bytes) -> bytes:
        """From the stored form. Raises Unreadable."""
        ...

    def current(self, data: bytes) -> bool:
        """Whether `seal` would use the same key today."""
        ...


class Identity:
    """No encryption; refuses what another provider has encrypted."""

    prefix = b""

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """See Provider."""
        return plain

    def open(self, data: bytes, key: bytes) -> bytes:
        """See Provider."""
        if data.startswith(ENCRYPTED):
            raise Unreadable("identity transformer tried to read encrypted data")
        return data

    def current(self, data: bytes) -> bool:
        """See Provider."""
        return not data.startswith(ENCRYPTED)


class LocalKeys:
    """A cipher with keys from the file: the first writes, all read."""

    def __init__(self, kind: str, keys: Sequence[Key]) -> None:
        self.prefix = f"k8s:enc:{kind}:v1:".encode()
        self._no_key = NO_KEY[kind]
        self._keys = [(self.prefix + f"{key.name}:".encode(), CIPHERS[kind](key.secret)) for key in keys]

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """See Provider."""
        prefix, cipher = self._keys[0]
        return prefix + cipher.seal(plain, key)

    def open(self, data: bytes, key: bytes) -> bytes:
        """See Provider."""
        problem = Unreadable(self._no_key)
        for prefix, cipher in self._keys:
            if data.startswith(prefix):
                try:
                    return cipher.open(data[len(prefix) :], key)
                except Unreadable as error:  # two keys may have the same name
                    problem = error
        raise problem

    def current(self, data: bytes) -> bool:
        """See Provider."""
        return data.startswith(self._keys[0][0])


@dataclass(frozen=True)
class Chain:
    """The providers of a resource."""

    providers: tuple[Provider, ...]

    def seal(self, plain: bytes, key: bytes) -> bytes:
        """What to store."""
        return self.providers[0].seal(plain, key)

    def open(self, data: bytes, key: bytes) -> bytes:
        """What was written. Raises Unreadable."""
        for provider in self.providers:
            if data.startswith(provider.prefix) and (provider.prefix or not data.startswith(ENCRYPTED)):
                return provider.open(data, key)
        if len(self.providers) == 1:
            return self.providers[0].open(data, key) if not self.providers[0].prefix else self._none()
        return self._none()

    def _none(self) -> bytes:
        raise Unreadable("no matching prefix found")

    def current(self, data: bytes) -> bool:
        """Whether the stored form is what would be written today."""
        first = self.providers[0]
        return data.startswith(first.prefix) and first.current(data)


PLAIN = Chain((Identity(),))
