"""TLS contexts for a pair in memory: Python reads certificates from files alone, so a memory file stands in."""

import os
import ssl

from kybern.pki.source import KeyPair


def server_context(pair: KeyPair, protocols: list[str]) -> ssl.SSLContext:
    """For a server that wants a certificate of the pair's CA from every client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    return _filled(context, pair, protocols)


def client_context(pair: KeyPair, protocols: list[str]) -> ssl.SSLContext:
    """For a client that verifies a server's name and shows the pair's certificate."""
    return _filled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair, protocols)


def load(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    """Show this certificate from the next handshake on; PEM. Raises ssl.SSLError."""
    bundle = os.memfd_create("certificate")
    try:
        os.write(bundle, cert + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{bundle}")
    finally:
        os.close(bundle)


def renew(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Follow a rotation: the new certificate is shown, its CA trusted too."""
    load(context, pair.cert, pair.key)
    context.load_verify_locations(cadata=pair.ca.decode())


def _filled(context: ssl.SSLContext, pair: KeyPair, protocols: list[str]) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(protocols)
    renew(context, pair)
    return context
