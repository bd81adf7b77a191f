"""Addresses: `ip('10.0.0.1')` and what can be asked of one."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import ClassVar

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.library.addresses import why_no_address
from kybern.kube.cel.overloads import Overload, member, plain, walks, walks_twice
from kybern.kube.cel.values import Opaque

NAME = "net.IP"


@dataclass(frozen=True, slots=True)
class IP(Opaque):
    """An address of IPv4 or IPv6, without a zone."""

    type_name: ClassVar[str] = NAME
    address: IPv4Address | IPv6Address

    def __str__(self) -> str:
        return str(self.address)


def ip(text: str) -> IP:
    """Raises EvaluationError."""
    why = why_no_address(text)
    if why:
        raise EvaluationError(
            f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): {why}'
        )
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
        if address.ipv4_mapped is not None:
            raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return IP(address)


def _is_ip(text: str) -> bool:
    try:
        ip(text)
    except EvaluationError:
        return False
    return True


def _is_canonical(text: str) -> bool:
    return str(ip(text).address) == text


def _is_global_unicast(value: IP) -> bool:
    address = value.address
    if address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local:
        return False
    return address != IPv4Address("255.255.255.255")


def _is_link_local_multicast(value: IP) -> bool:
    address = value.address
    if isinstance(address, IPv4Address):
        return address.packed[:3] == bytes((224, 0, 0))
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 2


OVERLOADS: list[Overload] = [
    plain("ip", f"string -> {NAME}", ip, walks),
    plain("isIP", "string -> bool", _is_ip, walks),
    plain("ip.isCanonical", "string -> bool", _is_canonical, walks_twice),
    plain("string", f"{NAME} -> string", str),
    member("family", f"{NAME} -> int", lambda value: value.address.version),
    member("isUnspecified", f"{NAME} -> bool", lambda value: value.address.is_unspecified),
    member("isLoopback", f"{NAME} -> bool", lambda value: value.address.is_loopback),
    member("isLinkLocalMulticast", f"{NAME} -> bool", _is_link_local_multicast),
    member("isLinkLocalUnicast", f"{NAME} -> bool", lambda value: value.address.is_link_local),
    member("isGlobalUnicast", f"{NAME} -> bool", _is_global_unicast),
]
