"""Messages as Go's decoders read them: what they refuse, in their words; texts that are no UTF-8 are mended.

Only messages are looked at that the library refuses, or of which it did not understand everything: it takes a field
of a wrong wire type for an unknown one, and Go takes any bytes for a text, which JSON cannot.
"""

import re

from kybern.kube.protobuf.messages import SCALARS, FieldPlan, plan
from kybern.kube.varint import varint as encoded

VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = range(6)
_WIRE_TYPES = {"bool": VARINT, "int32": VARINT, "int64": VARINT, "double": FIXED64}
_INITIALS = re.compile(
    "(api|aws|ca|cidr|cpu|csi|dns|fc|fs|gce|gid|grpc|http|https|id|ip|iscsi|nfs|os|rbd|se|tcp|tls|tty|uid|uri|url|v1)"
    "(?=[A-Z]|s$|$)"
)


class GoWireError(ValueError):
    """Bytes that Go's generated decoders refuse; the message is theirs."""


def mended(name: str, data: bytes) -> bytes:
    """A message whose texts can be read, without what nobody knows. Raises GoWireError."""
    fields = {field.number: field for field in plan(name)}
    at, parts = 0, []
    while at < len(data):
        key, value = varint(data, at)
        known = _known(name, fields, key)
        if known is None:
            end = _skipped(data, at)
        elif key & 7 == BYTES:
            start, end = _length(data, value)
            content = _content(known, data[start:end])
            parts.append(data[at:value] + encoded(len(content)) + content)
        else:
            end = _scalar_end(data, value, key & 7)
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def _known(name: str, fields: dict[int, FieldPlan], key: int) -> FieldPlan | None:
    """The field of a key, None if the message has no such. Raises GoWireError."""
    number, wire_type = _int32(key >> 3), key & 7
    if wire_type == END_GROUP:
        raise GoWireError(f"proto: {_last(name)}: wiretype end group for non-group")
    if number <= 0:
        raise GoWireError(f"proto: {_last(name)}: illegal tag {number} (wire type {key})")
    known = fields.get(number)
    if known is not None:
        wanted = BYTES if known.map else _WIRE_TYPES.get(known.type, BYTES)
        if wire_type != wanted and not (known.repeated and wire_type == BYTES):
            raise GoWireError(f"proto: wrong wireType = {wire_type} for field {go_field(known)}")
    return known


def _content(field: FieldPlan, content: bytes) -> bytes:
    if field.map:
        return _entry(field.type, content)
    if field.type == "string":
        return _text(content)
    return content if field.type in SCALARS else mended(field.type, content)


def _entry(value_type: str, data: bytes) -> bytes:
    """Of a map, whose decoders do not look at wire types."""
    at, parts = 0, []
    while at < len(data):
        key, value = varint(data, at)
        if _int32(key >> 3) in (1, 2):
            start, end = _length(data, value)
            text = key >> 3 == 1 or value_type == "string"
            content = data[start:end] if value_type == "bytes" and not text else _text(data[start:end])
            if not text and value_type not in SCALARS:
                content = mended(value_type, data[start:end])
            parts.append(encoded(key & ~7 | BYTES) + encoded(len(content)) + content)
        else:
            end = _skipped(data, at)
        at = end
    return b"".join(parts)


def _text(content: bytes) -> bytes:
    return content.decode("utf-8", "replace").encode()


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends. Raises GoWireError."""
    found, shift = 0, 0
    while True:
        if shift >= 64:
            raise GoWireError("proto: integer overflow")
        if at >= len(data):
            raise GoWireError("unexpected EOF")
        found |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return found & 0xFFFF_FFFF_FFFF_FFFF, at


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Where a value with a length begins and ends. Raises GoWireError."""
    size, start = varint(data, at)
    if size >= 1 << 63 or start + size >= 1 << 63:
        raise GoWireError("proto: negative length found during unmarshaling")
    if start + size > len(data):
        raise GoWireError("unexpected EOF")
    return start, start + size


def _scalar_end(data: bytes, at: int, wire_type: int) -> int:
    end = varint(data, at)[1] if wire_type == VARINT else at + 8
    if end > len(data):
        raise GoWireError("unexpected EOF")
    return end


def _skipped(data: bytes, at: int) -> int:
    """The end of a field that nobody knows; of a group with all that is in it. Raises GoWireError."""
    depth = 0
    while at < len(data):
        key, at = varint(data, at)
        match key & 7:
            case 0:
                _, at = varint(data, at)
            case 1:
                at += 8
            case 2:
                size, at = varint(data, at)
                if size >= 1 << 63:
                    raise GoWireError("proto: negative length found during unmarshaling")
                at += size
            case 3:
                depth += 1
            case 4:
                if depth == 0:
                    raise GoWireError("proto: unexpected end of group")
                depth -= 1
            case 5:
                at += 4
            case wire_type:
                raise GoWireError(f"proto: illegal wireType {wire_type}")
        if depth == 0:
            break
    if depth or at > len(data):
        raise GoWireError("unexpected EOF")
    return at


def _int32(number: int) -> int:
    return (number & 0xFFFF_FFFF) - (1 << 32 if number & 1 << 31 else 0)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def go_field(field: FieldPlan) -> str:
    """What a field is called in Go."""
    kind = _last(field.type)
    if not field.json or (field.json == "metadata" and kind in ("ObjectMeta", "ListMeta")):
        return kind
    initials = _INITIALS.match(field.json)
    if initials is not None:
        return initials[0].upper() + field.json[initials.end() :]
    return field.json[0].upper() + field.json[1:]
