"""Answers on the wire: flags, order, and what is left out when a reply does not fit."""

from typing import Any

from dnslib import DNSHeader, DNSRecord

from kybern.dns.core.message import (
    AUTHORITATIVE,
    HEADER,
    RECURSION_AVAILABLE,
    RESPONSE,
    TRUNCATED,
    Query,
    opt_record,
)
from kybern.dns.core.records import Answer, Record, dotted, to_wire

ROTATIONS = 8


def encode(query: Query, answer: Answer, *, forwards: bool) -> list[bytes]:
    """The reply to a query, once for each order of its addresses (at most 8); without a limit on its size.

    The order changes from reply to reply, so that clients that take the first address spread. The owner names are
    those of the question, as the client spelled them.
    """
    asked = ".".join(label.decode("latin-1") for label in query.labels) + "."
    turns = _turns(answer.answers)
    return [_pack(query, answer, _turned(answer.answers, turn), asked, forwards) for turn in range(turns)]


def _turns(answers: tuple[Record, ...]) -> int:
    return max(1, min(ROTATIONS, sum(record.type in ("A", "AAAA", "SRV") for record in answers)))


def _turned(answers: tuple[Record, ...], turn: int) -> list[Record]:
    """CNAMEs first, as they lead on; the rest begins with another record each turn."""
    fixed = [record for record in answers if record.type == "CNAME"]
    rest = [record for record in answers if record.type != "CNAME"]
    return fixed + rest[turn:] + rest[:turn]


def _pack(query: Query, answer: Answer, answers: list[Record], asked: str, forwards: bool) -> bytes:
    header = DNSHeader(id=query.id, bitmap=_flags(query, answer.code, forwards), q=1)
    message = DNSRecord(header)
    message.questions = []
    name = query.name
    for section, records in (
        (message.rr, answers),
        (message.auth, answer.authority),
        (message.ar, answer.extras),
    ):
        section += [to_wire(r, asked if r.name == name else dotted(r.name)) for r in records]
    return assemble(query, message)


def assemble(query: Query, message: DNSRecord) -> bytes:
    """Pack the records of a message after the question as it was sent, with our OPT if it had one."""
    message.questions = [_RawQuestion(query.question)]
    message.header.q = 1
    packed = bytes(message.pack())
    if not query.edns:
        return packed
    id_, flags, questions, answers, authorities, extras = HEADER.unpack_from(packed)
    head = HEADER.pack(id_, flags, questions, answers, authorities, extras + 1)
    return head + packed[HEADER.size :] + opt_record()


class _RawQuestion:
    """A question that packs to the bytes the client sent."""

    def __init__(self, wire: bytes) -> None:
        self._wire = wire

    def pack(self, buffer: Any) -> None:
        """`buffer` is a dnslib.buffer.Buffer, which has no types."""
        buffer.append(self._wire)


def _flags(query: Query, code: int, forwards: bool) -> int:
    available = RECURSION_AVAILABLE if forwards else 0
    return RESPONSE | AUTHORITATIVE | available | query.flags & 0x7900 | code & 15


def fit(query: Query, reply: bytes) -> bytes:
    """The reply if the client takes its size over UDP; else an empty one that says: ask over TCP."""
    if len(reply) <= query.size:
        return reply
    id_, flags = HEADER.unpack_from(reply)[:2]
    opt = opt_record() if query.edns else b""
    return HEADER.pack(id_, flags | TRUNCATED, 1, 0, 0, 1 if opt else 0) + query.question + opt
