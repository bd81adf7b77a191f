"""TLS of a client that shows its certificate to servers of other authorities: extension API servers.

A context is made once for each authority, and anew when the client's certificate was rotated.
"""

import ssl
from collections import OrderedDict
from pathlib import Path

from kybern.pki.trust import trust_as_go

REMEMBERED = 64  # contexts


class ClientTls:
    """`certificate` is a bundle (key, certificate, authorities) or None."""

    def __init__(self, certificate: Path | None) -> None:
        self._certificate = certificate
        self._contexts: OrderedDict[tuple[bytes, bool, float], ssl.SSLContext] = OrderedDict()

    def context(self, ca: bytes = b"", *, insecure: bool = False) -> ssl.SSLContext:
        """Trusts `ca` (PEM; empty: the host's authorities), or everybody. Raises OSError, ssl.SSLError, ValueError."""
        changed = self._certificate.stat().st_mtime if self._certificate is not None else 0.0
        key = (ca, insecure, changed)
        found = self._contexts.get(key)
        if found is None:
            found = ssl.create_default_context(cadata=ca.decode("ascii", "replace") or None)
            trust_as_go(found)
            found.set_alpn_protocols(["http/1.1"])
            if insecure:
                found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
            if self._certificate is not None:
                found.load_cert_chain(self._certificate)
            self._contexts[key] = found
            if len(self._contexts) > REMEMBERED:
                self._contexts.popitem(last=False)
        return found
