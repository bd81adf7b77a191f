"""What a connection to etcd needs for TLS."""

from dataclasses import dataclass
from pathlib import Path


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
