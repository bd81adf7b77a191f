"""The name in a proxy subresource's path: [http:|https:]NAME[:PORT], and which addresses a proxy may connect to."""

from dataclasses import dataclass
from ipaddress import ip_address

SCHEMES = ("", "http", "https")


@dataclass(frozen=True)
class ProxyName:
    """`port` is a number, a name or ""."""

    scheme: str
    name: str
    port: str


def split(text: str) -> ProxyName | None:
    """None for a name of another form."""
    parts = text.split(":")
    match parts:
        case [name]:
            found = ProxyName("", name, "")
        case [name, port]:
            found = ProxyName("", name, port)
        case [scheme, name, port]:
            found = ProxyName(scheme, name, port)
        case _:
            return None
    return found if found.name and found.scheme in SCHEMES else None


def is_proxyable(address: str) -> bool:
    """Neither the host's own loopback nor a link-local address: those are not the cluster's."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)


def port_of(text: str) -> int:
    """The number of a port, 0 for what is none."""
    number = int(text) if len(text) <= 5 and text.isascii() and text.isdigit() else 0
    return number if number <= 65535 else 0


def join(host: str, port: int | str) -> str:
    """HOST:PORT, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
