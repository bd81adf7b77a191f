"""TLS of the HTTPS port: the gateway's certificate, client certificates of the cluster's CA welcome but not required.

A rotation changes the context in place: new handshakes use the new certificate, open connections are left alone.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from kybern.pki.client_authorities import name_authorities
from kybern.pki.source import FileCertificateSource, KeyPair
from kybern.pki.trust import trust_as_go


def server_context(source: FileCertificateSource, further: str = "", *, http2: bool = True) -> ssl.SSLContext:
    """A server context that follows `source`, which its owner polls; `further`: more authorities of clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 1
    trust_as_go(context)
    if further:
        context.load_verify_locations(cadata=further)
    _load(context, source.path, source.current(), further)
    source.on_change(lambda pair: _load(context, source.path, pair, further))
    return context


def _load(context: ssl.SSLContext, bundle: Path, pair: KeyPair, further: str) -> None:
    context.load_cert_chain(bundle)
    context.load_verify_locations(cadata=pair.ca.decode())
    name_authorities(context, pair.ca + b"\n" + further.encode())
