"""Who is at the other end of a connection: its address, and the identity in its client certificate."""

from __future__ import annotations

import ssl
from hashlib import sha256
from typing import Any, NamedTuple

from kybern.gateway.http.front_proxy import FrontProxies
from kybern.rpc.identity import certificate_identity
from kybern.rpc.transport import Identity

NOBODY = Identity("")


class Peer(NamedTuple):
    """`credential_id` is of the client certificate; `front_proxy`: this client may name users in headers; `stranger`:
    it shows a certificate that is nobody's here, and so is not anonymous either."""

    address: str = ""
    identity: Identity = NOBODY
    credential_id: str = ""
    front_proxy: FrontProxies | None = None
    stranger: bool = False
    ends: float = 0.0  # when the client certificate does, in seconds since 1970


def peer_of(transport: Any, proxies: FrontProxies | None) -> Peer:
    """What TLS and the socket say. A front proxy speaks for others, so is nobody itself."""
    name = transport.get_extra_info("peername")
    address = name[0] if isinstance(name, tuple) else ""
    tls = transport.get_extra_info("ssl_object")
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    if not der:
        return Peer(address)
    identity = certificate_identity(ssl.DER_cert_to_PEM_cert(der).encode())
    if proxies is not None and proxies.issued(der):
        return Peer(address, front_proxy=proxies if proxies.trusts(identity) else None, stranger=True)
    ends = ssl.cert_time_to_seconds(tls.getpeercert()["notAfter"])
    return Peer(address, identity, f"X509SHA256={sha256(der).hexdigest()}" if identity.user else "", ends=ends)
