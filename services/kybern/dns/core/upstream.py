"""What is sent to upstream resolvers, what of their replies is believed, and what the client gets of them."""

from dnslib import DNSError, DNSRecord

from kybern.dns.core.message import (
    HEADER,
    IN,
    RECURSION_AVAILABLE,
    RECURSION_DESIRED,
    RESPONSE,
    SERVFAIL,
    TRUNCATED,
    FormatError,
    Query,
    opt_record,
    ttl_positions,
)
from kybern.dns.core.records import Answer, Name, to_wire
from kybern.dns.core.reply import assemble

UNREADABLE = (DNSError, ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError)


def question(name: Name, type_: int) -> bytes:
    """A question on the wire. Raises ValueError for a name that DNS cannot carry."""
    labels = [label.encode("latin-1") for label in name]
    if any(not 0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) > 254:
        raise ValueError(f"not a name: {'.'.join(name)!r}")
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return wire + type_.to_bytes(2, "big") + IN.to_bytes(2, "big")


def request(id_: int, asked: bytes) -> bytes:
    """A recursive query with EDNS0."""
    return HEADER.pack(id_, RECURSION_DESIRED, 1, 0, 0, 1) + asked + opt_record()


def believed(data: bytes, id_: int, asked: bytes) -> bool:
    """Whether bytes from an upstream are the reply to our question, and can be read."""
    if len(data) < HEADER.size + len(asked):
        return False
    found, flags, questions = HEADER.unpack_from(data)[:3]
    same = data[HEADER.size : HEADER.size + len(asked)].lower() == asked.lower()
    if found != id_ or not flags & RESPONSE or questions != 1 or not same:
        return False
    try:
        ttl_positions(data)
    except FormatError:
        return False
    return True


def truncated(data: bytes) -> bool:
    return bool(HEADER.unpack_from(data)[1] & TRUNCATED)


def reply(query: Query, data: bytes) -> bytes:
    """An upstream's reply (without its OPT record) as the reply to a client's question of the same name and type."""
    _, flags, questions, answers, authorities, extras = HEADER.unpack_from(data)
    kept = flags & 0x000F | RESPONSE | RECURSION_AVAILABLE | query.flags & 0x7900
    opt = opt_record() if query.edns else b""
    head = HEADER.pack(query.id, kept, questions, answers, authorities, extras + (1 if opt else 0))
    return head + query.question + data[HEADER.size + len(query.question) :] + opt


def chased(query: Query, answer: Answer, data: bytes | None) -> bytes:
    """Our CNAMEs, followed by what an upstream said about the name they lead to (None: nothing)."""
    message = DNSRecord()
    asked = ".".join(label.decode("latin-1") for label in query.labels) + "."
    message.rr = [to_wire(r, asked if r.name == query.name else ".".join(r.name) + ".") for r in answer.answers]
    code = SERVFAIL
    if data is not None:
        try:
            found = DNSRecord.parse(data)
            code = found.header.rcode
            message.rr += found.rr
            message.auth = found.auth
        except UNREADABLE:
            code = SERVFAIL
    message.header.id = query.id
    message.header.bitmap = RESPONSE | RECURSION_AVAILABLE | query.flags & 0x7900 | code
    return assemble(query, message)
