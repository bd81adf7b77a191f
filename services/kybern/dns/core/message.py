"""DNS messages as far as a server reads them by hand: a question with EDNS0 in, positions of TTLs in a reply.

Everything here takes whatever bytes arrive: it returns a value or raises `FormatError`, and never anything else.
"""

import struct
from dataclasses import dataclass

HEADER = struct.Struct("!HHHHHH")
FIXED = struct.Struct("!HHIH")  # of a resource record after its name: type, class, TTL, length
RESPONSE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED, RECURSION_AVAILABLE = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}
OPT, IN, ANY = 41, 1, 255
CLASSIC_SIZE = 512
EDNS_SIZE = 1232  # what fits every path without fragments; we offer it, and send no more over UDP


class FormatError(ValueError):
    """Not a DNS message that can be understood; `id` is what to answer to, None if not even that can be read."""

    def __init__(self, message: str, id_: int | None = None) -> None:
        super().__init__(message)
        self.id = id_


@dataclass(frozen=True, slots=True)
class Query:
    """One question."""

    id: int
    flags: int
    labels: tuple[bytes, ...]  # as sent
    type: int
    class_: int
    question: bytes  # on the wire
    size: int = CLASSIC_SIZE  # of the largest reply over UDP
    edns: bool = False
    version: int = 0

    @property
    def name(self) -> tuple[str, ...]:
        """The labels, lower case, in order."""
        return tuple(label.decode("latin-1").lower() for label in self.labels)

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 15


def parse_query(data: bytes) -> Query:
    """Read a question. Raises FormatError."""
    if len(data) < HEADER.size:
        raise FormatError("shorter than a header")
    id_, flags, questions, answers, authorities, extras = HEADER.unpack_from(data)
    if flags & RESPONSE:
        raise FormatError("a response")
    if questions != 1:
        raise FormatError(f"{questions} questions", id_)
    labels, end = _question_name(data, id_)
    if end + 4 > len(data):
        raise FormatError("the question is cut off", id_)
    type_, class_ = struct.unpack_from("!HH", data, end)
    question = data[HEADER.size : end + 4]
    size, edns, version = CLASSIC_SIZE, False, 0
    if extras and not answers and not authorities:
        position = end + 4
        for _ in range(extras):
            position, record = _skip_record(data, position, id_)
            if record[0] == OPT and not edns:
                edns, version = True, record[2] >> 16 & 255
                size = min(max(record[1], CLASSIC_SIZE), EDNS_SIZE)
    return Query(id_, flags, labels, type_, class_, question, size, edns, version)


def _question_name(data: bytes, id_: int) -> tuple[tuple[bytes, ...], int]:
    labels, position = [], HEADER.size
    while True:
        if position >= len(data):
            raise FormatError("the name is cut off", id_)
        length = data[position]
        if length == 0:
            break
        if length > 63 or position + 1 + length > len(data):
            raise FormatError("a label is too long", id_)
        labels.append(data[position + 1 : position + 1 + length])
        position += 1 + length
        if position - HEADER.size > 254:
            raise FormatError("the name is too long", id_)
    return tuple(labels), position + 1


def _skip_name(data: bytes, position: int, id_: int | None) -> int:
    while position < len(data):
        length = data[position]
        if length >= 192:
            return position + 2
        if length > 63:
            break
        position += 1 + length
        if length == 0:
            return position
    raise FormatError("a name is cut off", id_)


def _skip_record(data: bytes, position: int, id_: int | None) -> tuple[int, tuple[int, int, int, int]]:
    """The position after a resource record, and its type, class, TTL and length."""
    position = _skip_name(data, position, id_)
    if position + FIXED.size > len(data):
        raise FormatError("a record is cut off", id_)
    type_, class_, ttl, length = FIXED.unpack_from(data, position)
    position += FIXED.size + length
    if position > len(data):
        raise FormatError("a record is cut off", id_)
    return position, (type_, class_, ttl, length)


def ttl_positions(data: bytes) -> list[tuple[int, int]]:
    """Where the TTLs of a reply stand, and their values; OPT records are left out. Raises FormatError."""
    if len(data) < HEADER.size:
        raise FormatError("shorter than a header")
    _, _, questions, *counts = HEADER.unpack_from(data)
    position = HEADER.size
    for _ in range(questions):
        position = _skip_name(data, position, None) + 4
    found = []
    for _ in range(sum(counts)):
        after, (type_, _, ttl, length) = _skip_record(data, position, None)
        if type_ != OPT:
            found.append((after - length - 6, ttl))
        position = after
    return found


def without_opt(data: bytes) -> bytes:
    """A reply that ends before its OPT record, which speaks of one hop only. Raises FormatError."""
    id_, flags, questions, answers, authorities, extras = HEADER.unpack_from(data)
    position = HEADER.size
    for _ in range(questions):
        position = _skip_name(data, position, None) + 4
    for _ in range(answers + authorities):
        position, _record = _skip_record(data, position, None)
    kept = 0
    while kept < extras:
        after, record = _skip_record(data, position, None)
        if record[0] == OPT:
            break
        position, kept = after, kept + 1
    head = HEADER.pack(id_, flags, questions, answers, authorities, kept)
    return head + data[HEADER.size : position]


def opt_record(extended: int = 0) -> bytes:
    """Our EDNS0 record: no options, version 0."""
    return b"\0" + FIXED.pack(OPT, EDNS_SIZE, extended << 24, 0)


def bare_reply(query: Query, code: int, flags: int = 0) -> bytes:
    """A reply that has nothing but a code."""
    opt = opt_record(code >> 4) if query.edns else b""
    all_flags = RESPONSE | flags | query.flags & 0x7900 | code & 15
    return HEADER.pack(query.id, all_flags, 1, 0, 0, 1 if opt else 0) + query.question + opt


def format_error_reply(id_: int) -> bytes:
    """FORMERR to a message whose question could not be read."""
    return HEADER.pack(id_, RESPONSE | FORMERR, 0, 0, 0, 0)
