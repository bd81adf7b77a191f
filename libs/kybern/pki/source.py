"""Where a server or client gets its certificate from, and how it learns of a rotation.

A directory holds `tls.pem`: key, certificate and CA in one file, replaced by rename. A reader therefore never sees a
new certificate with an old key. `version` grows with each change; whoever builds credentials compares it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509

BUNDLE = "tls.pem"
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n?", re.DOTALL)


@dataclass(frozen=True)
class KeyPair:
    """A certificate chain, its private key and the CAs to trust, all PEM. `not_after` is the certificate's."""

    ca: bytes
    cert: bytes
    key: bytes
    not_after: datetime


class CertificateSource(Protocol):
    """What rpc servers and channels build their credentials from."""

    version: int

    def current(self) -> KeyPair:
        """The pair to use for new connections."""
        ...

    def poll(self) -> bool:
        """Look for a rotation; True if `version` grew."""
        ...

    def on_change(self, callback: Callable[[KeyPair], None]) -> Callable[[], None]:
        """Call back from `poll` after each rotation; the result unsubscribes."""
        ...


class CertificateUnusable(Exception):
    """The files are missing or broken; the message says which and what to do."""


def parse_bundle(pem: bytes) -> KeyPair:
    """Split a bundle: one private key, the certificate, any number of CA certificates after it."""
    keys: list[bytes] = []
    certs: list[bytes] = []
    for match in _PEM.finditer(pem):
        (keys if match.group(1).endswith(b"PRIVATE KEY") else certs).append(match.group(0))
    if len(keys) != 1 or len(certs) < 2:
        raise ValueError("expected one private key, one certificate and at least one CA certificate")
    leaf = x509.load_pem_x509_certificate(certs[0])
    return KeyPair(ca=b"".join(certs[1:]), cert=certs[0], key=keys[0], not_after=leaf.not_valid_after_utc)


class FixedCertificateSource:
    """A pair that changes only when told to: tests, the in-memory transport, one-shot clients."""

    def __init__(self, pair: KeyPair) -> None:
        self.version = 1
        self._pair = pair
        self._callbacks: list[Callable[[KeyPair], None]] = []

    def current(self) -> KeyPair:
        """The pair."""
        return self._pair

    def poll(self) -> bool:
        """Never changes by itself."""
        return False

    def on_change(self, callback: Callable[[KeyPair], None]) -> Callable[[], None]:
        """Call back from `set`."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def set(self, pair: KeyPair) -> None:
        """Rotate now."""
        self._pair = pair
        self.version += 1
        for callback in list(self._callbacks):
            callback(pair)


class FileCertificateSource:
    """The bundle in a directory, read again when the file was replaced.

    `poll` costs one stat; the owner calls it every few seconds. A bundle that cannot be read keeps the last good one
    in use, except at the start, when it raises CertificateUnusable.
    """

    def __init__(self, directory: Path) -> None:
        self.path = Path(directory) / BUNDLE
        self.version = 1
        self.problem: str | None = None
        self._callbacks: list[Callable[[KeyPair], None]] = []
        try:
            self._seen = self._stat()
            self._pair = parse_bundle(self.path.read_bytes())
        except (OSError, ValueError) as e:
            raise CertificateUnusable(f"cannot use the certificate {self.path}: {e}") from e

    def _stat(self) -> tuple[int, int, int]:
        st = self.path.stat()
        return st.st_ino, st.st_mtime_ns, st.st_size

    def current(self) -> KeyPair:
        """The last good pair."""
        return self._pair

    def poll(self) -> bool:
        """Look at the file; True if a new pair is in use. `problem` says why a changed file was not taken."""
        try:
            seen = self._stat()
            if seen == self._seen:
                return False
            pair = parse_bundle(self.path.read_bytes())
        except (OSError, ValueError) as e:
            self.problem = f"cannot use the certificate {self.path}: {e}"
            return False
        self.problem = None
        self._seen = seen
        if pair == self._pair:
            return False
        self._pair = pair
        self.version += 1
        for callback in list(self._callbacks):
            callback(pair)
        return True

    def on_change(self, callback: Callable[[KeyPair], None]) -> Callable[[], None]:
        """Call back from `poll`."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)
