"""Networks: `cidr('10.0.0.0/8')`, what they contain."""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import ClassVar

from kybern.kube.cel.errors import EvaluationError, no_overload
from kybern.kube.cel.library.addresses import why_no_address
from kybern.kube.cel.library.ip import IP, ip
from kybern.kube.cel.overloads import Overload, member, part, plain, walks
from kybern.kube.cel.values import Opaque

NAME, ADDRESS = "net.CIDR", "net.IP"
_PARSING = "network address parse error during conversion from string: "


@dataclass(frozen=True, slots=True)
class CIDR(Opaque):
    """An address with the length of its network's prefix."""

    type_name: ClassVar[str] = NAME
    interface: IPv4Interface | IPv6Interface

    def __str__(self) -> str:
        return str(self.interface)


def cidr(text: str) -> CIDR:
    """Raises EvaluationError."""
    problem = _problem(text)
    if problem:
        raise EvaluationError(f'{_PARSING}{_PARSING}netip.ParsePrefix("{text}"): {problem}')
    found = ip_interface(text)
    if isinstance(found, IPv6Interface) and found.ip.ipv4_mapped is not None:
        raise EvaluationError(f'{_PARSING}IPv4-mapped IPv6 address "{text}" is not allowed')
    return CIDR(found)


def _problem(text: str) -> str:
    address, slash, length = text.rpartition("/")
    if not slash:
        return "no '/'"
    why = why_no_address(address)
    if why:
        return f'ParseAddr("{address}"): {why}'
    if "%" in address:
        return "IPv6 zones cannot be present in a prefix"
    if not (length.isascii() and length.isdigit()) or (len(length) > 1 and length[0] == "0"):
        return f'bad bits after slash: "{length}"'
    return "prefix length out of range" if int(length) > ip_interface(address).max_prefixlen else ""


def _is_cidr(text: str) -> bool:
    try:
        cidr(text)
    except EvaluationError:
        return False
    return True


def _contains_ip(network: CIDR, address: IP) -> bool:
    return address.address in network.interface.network


def _contains_ip_text(network: CIDR, text: str) -> bool:
    try:
        address = ip(text)
    except EvaluationError:
        raise no_overload() from None
    return _contains_ip(network, address)


def _contains_cidr(network: CIDR, other: CIDR) -> bool:
    """The other's address is in the network, and its prefix is not shorter."""
    mine, its = network.interface.network, other.interface
    return its.ip in mine and its.network.prefixlen >= mine.prefixlen


def _masked(network: CIDR) -> CIDR:
    return CIDR(ip_interface(str(network.interface.network)))


def _compares(network: CIDR, other: object) -> int:
    return part(32) + (part(len(other)) if isinstance(other, str) else 0)


OVERLOADS: list[Overload] = [
    plain("cidr", f"string -> {NAME}", cidr, walks),
    plain("isCIDR", "string -> bool", _is_cidr, walks),
    plain("string", f"{NAME} -> string", str),
    member("ip", f"{NAME} -> {ADDRESS}", lambda network: IP(network.interface.ip)),
    member("masked", f"{NAME} -> {NAME}", _masked),
    member("prefixLength", f"{NAME} -> int", lambda network: network.interface.network.prefixlen),
    member("containsIP", f"{NAME}, {ADDRESS} -> bool", _contains_ip, _compares),
    member("containsIP", f"{NAME}, string -> bool", _contains_ip_text, _compares),
    member("containsCIDR", f"{NAME}, {NAME} -> bool", _contains_cidr, _compares),
    member(
        "containsCIDR", f"{NAME}, string -> bool", lambda network, text: _contains_cidr(network, cidr(text)), _compares
    ),
]
