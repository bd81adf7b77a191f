"""Resource records, independent of the wire, and their form on it."""

import ipaddress
from dataclasses import dataclass

from dnslib import AAAA, CNAME, NS, PTR, QTYPE, RR, SOA, SRV, TXT, A

Name = tuple[str, ...]  # labels, lower case, leaf first: ("web", "default", "svc", "cluster", "local")
CODES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `data` is an address, a name with its final dot, a text, or "priority weight port target"."""

    name: Name
    type: str
    ttl: int
    data: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say to a question: a code, records, and the SOA when there are none."""

    code: int
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    extras: tuple[Record, ...] = ()
    chase: str = ""  # a name outside the zone that the last CNAME points to


def split(name: str) -> Name:
    """Labels of a name in dotted form."""
    return tuple(label for label in name.lower().split(".") if label)


def dotted(name: Name) -> str:
    return ".".join(name) + "."


def reverse_name(address: str) -> Name:
    """The name below in-addr.arpa or ip6.arpa that stands for an address."""
    return split(ipaddress.ip_address(address).reverse_pointer)


def type_name(code: int) -> str:
    """`A` for 1, …; `TYPE123` for what has no name here."""
    return str(QTYPE.forward.get(code, f"TYPE{code}"))


def to_wire(record: Record, owner: str) -> RR:
    """The record for dnslib; `owner` is its name as the client spelled it."""
    match record.type:
        case "A":
            data = A(record.data)
        case "AAAA":
            data = AAAA(record.data)
        case "CNAME":
            data = CNAME(record.data)
        case "NS":
            data = NS(record.data)
        case "PTR":
            data = PTR(record.data)
        case "TXT":
            data = TXT(record.data.encode())
        case "SRV":
            priority, weight, port, target = record.data.split(" ")
            data = SRV(int(priority), int(weight), int(port), target)
        case "SOA":
            primary, mailbox, *times = record.data.split(" ")
            data = SOA(primary, mailbox, tuple(map(int, times)))
        case _:
            raise ValueError(record.type)
    return RR(owner, CODES[record.type], ttl=record.ttl, rdata=data)
