"""What a connection to etcd needs for TLS."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from kybern.pki.contexts import load
from kybern.pki.trust import trust_as_go


@dataclass(frozen=True)
class Tls:
    """PEM: the CA to trust (None: the system's), and our certificate if the cluster asks for one."""

    ca: bytes | None
    cert: bytes | None = None
    key: bytes | None = None

    @classmethod
    def read(cls, ca: str, cert: str, key: str) -> "Tls | None":
        """From files; None when none is named. Raises OSError, and FileNotFoundError for half a pair."""
        if not (ca or cert or key):
            return None
        if bool(cert) != bool(key):
            given, missing = ("--etcd-certfile", "--etcd-keyfile") if cert else ("--etcd-keyfile", "--etcd-certfile")
            raise FileNotFoundError(f"{given} needs {missing} beside it")
        return cls(*(Path(name).read_bytes() if name else None for name in (ca, cert, key)))

    def context(self) -> ssl.SSLContext:
        """For HTTP/2. Raises ssl.SSLError for what is no certificate."""
        found = ssl.create_default_context(cadata=self.ca.decode("ascii", "replace") if self.ca else None)
        trust_as_go(found)
        found.set_alpn_protocols(["h2"])
        if self.cert and self.key:
            load(found, self.cert, self.key)
        return found
