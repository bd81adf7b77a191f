"""Request headers: a front proxy, known by a certificate of an authority of its own, names the user in headers.

A certificate of that authority is never a user by itself; headers of anybody else mean nothing.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from kybern.gateway.core.header_text import as_text, extra_key
from kybern.rpc.transport import Identity

if TYPE_CHECKING:
    from kybern.gateway.http.message import Request

USER, GROUP, UID, EXTRA = "X-Remote-User", "X-Remote-Group", "X-Remote-Uid", "X-Remote-Extra-"


@dataclass(frozen=True)
class FrontProxies:
    """Whose certificates are front proxies', and in which headers these say what. Header names are lower case."""

    pem: str
    authorities: tuple[x509.Certificate, ...]
    names: frozenset[str] = frozenset()  # common names; empty: any
    users: tuple[bytes, ...] = ()
    groups: tuple[bytes, ...] = ()
    uids: tuple[bytes, ...] = ()
    extra: tuple[str, ...] = field(default=())  # prefixes

    def issued(self, der: bytes) -> bool:
        """Whether a certificate that TLS has verified comes from one of these authorities."""
        certificate = x509.load_der_x509_certificate(der)
        for authority in self.authorities:
            try:
                certificate.verify_directly_issued_by(authority)
                return True
            except (ValueError, TypeError, InvalidSignature):
                continue
        return False

    def trusts(self, identity: Identity) -> bool:
        """Whether the holder of a certificate from here may name users."""
        return bool(identity.user) and (not self.names or identity.user in self.names)

    def user(self, request: Request) -> dict[str, Any] | None:
        """user, uid, groups and extra as a front proxy says; None if it names nobody."""
        user = next((found for name in self.users if (found := request.header(name))), "")
        if not user:
            return None
        uid = next((found for name in self.uids if (found := request.header(name))), "")
        groups = [group for name in self.groups for group in request.all_headers(name) if group]
        extra: dict[str, list[str]] = {}
        for prefix in self.extra:
            for raw in request.headers:
                name = as_text(raw)
                if name.startswith(prefix):
                    extra.setdefault(extra_key(name.removeprefix(prefix)), []).extend(request.all_headers(raw))
        return {"user": user, "uid": uid, "groups": groups, "extra": extra}


def add_request_header_flags(parser: ArgumentParser) -> None:
    """Kubernetes' names; off without an authority."""
    add = parser.add_argument_group("front proxies").add_argument
    add("--requestheader-client-ca-file", default="", metavar="FILE", help="authority of front proxies")
    add("--requestheader-allowed-names", default="", metavar="LIST", help="their common names; default: any")
    add("--requestheader-username-headers", default=USER, metavar="LIST", help="headers that name the user")
    add("--requestheader-group-headers", default=GROUP, metavar="LIST", help="headers that name groups")
    add("--requestheader-uid-headers", default=UID, metavar="LIST", help="headers with the user's uid")
    add("--requestheader-extra-headers-prefix", default=EXTRA, metavar="LIST", help="of headers with further facts")


FLAGS = (
    "requestheader_client_ca_file",
    "requestheader_allowed_names",
    "requestheader_username_headers",
    "requestheader_group_headers",
    "requestheader_uid_headers",
    "requestheader_extra_headers_prefix",
)


def read_front_proxies(options: Namespace) -> FrontProxies | None:
    """None without an authority. Raises OSError, ValueError."""
    path = options.requestheader_client_ca_file
    if not path:
        return None
    pem = Path(path).read_bytes()
    return FrontProxies(
        pem.decode(),
        tuple(x509.load_pem_x509_certificates(pem)),
        frozenset(_list(options.requestheader_allowed_names)),
        _headers(options.requestheader_username_headers),
        _headers(options.requestheader_group_headers),
        _headers(options.requestheader_uid_headers),
        tuple(prefix.lower() for prefix in _list(options.requestheader_extra_headers_prefix)),
    )


def _list(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _headers(text: str) -> tuple[bytes, ...]:
    return tuple(one.lower().encode("latin-1") for one in _list(text))
