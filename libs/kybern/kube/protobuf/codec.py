"""Bodies and objects: the envelope around a message, lists, and the frames of a watch."""

from functools import cache
from typing import Any

from google.protobuf.message import DecodeError

from kybern.kube.protobuf.go_wire import GoWireError, mended
from kybern.kube.protobuf.messages import message_class, plan, table
from kybern.kube.protobuf.reading import read
from kybern.kube.protobuf.special import META, RUNTIME
from kybern.kube.protobuf.writing import message

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
Object = dict[str, Any]
PACKAGES = {
    "apiextensions.k8s.io": "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "k8s.io.kube_aggregator.pkg.apis.apiregistration",
    "internal.apiserver.k8s.io": "k8s.io.api.apiserverinternal",
}
META_KINDS = frozenset(
    {
        *("DeleteOptions", "ListOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "Status"),
        *("APIGroup", "APIGroupList", "APIResourceList", "APIVersions"),
        *("PartialObjectMetadata", "PartialObjectMetadataList"),
    }
)
BETA_LIST = ("meta.k8s.io/v1beta1", "PartialObjectMetadataList")  # its fields have numbers of their own


class ProtobufError(ValueError):
    """A body that is not a protobuf body of a known kind; the message says what is wrong with it, and what it was to
    be, if that was said."""

    def __init__(self, message: str, api_version: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.api_version, self.kind = api_version, kind


def message_name(api_version: str, kind: str) -> str:
    """The message of a kind. Raises ProtobufError for kinds without one (custom resources)."""
    group, _, version = api_version.rpartition("/")
    if kind in META_KINDS:
        return f"{META}beta1.{kind}" if (api_version, kind) == BETA_LIST else f"{META}.{kind}"
    package = PACKAGES.get(group) or f"k8s.io.api.{group.partition('.')[0] or 'core'}"
    name = f"{package}.{version}.{kind}"
    if name not in table():
        raise ProtobufError(f"no kind {kind!r} in version {api_version!r} has a protobuf form")
    return name


def has_form(api_version: str, kind: str) -> bool:
    """Whether objects of a kind can be protobuf."""
    try:
        return bool(message_name(api_version, kind))
    except ProtobufError:
        return False


def decode(body: bytes, default: tuple[str, str] = ("", ""), kinds: frozenset[str] | None = None) -> Object:
    """The object in a body, with apiVersion and kind, which are the default's where the body has none. Of kinds without
    a protobuf form, and of others than `kinds`, that is all. Raises ProtobufError.
    """
    if not body:
        raise ProtobufError("empty data")
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    if len(body) == len(MAGIC):
        raise ProtobufError("empty body")
    unknown = _parsed(f"{RUNTIME}.Unknown", body[4:])
    api_version, kind = _named(unknown.f1.f1, unknown.f1.f2, default)
    if not kind:
        raise ProtobufError("Object 'Kind' is missing in the protobuf body")
    content: Object = {}
    if has_form(api_version, kind) and (kinds is None or kind in kinds):
        try:
            name = message_name(api_version, kind)
            content = read(_parsed(name, unknown.f2), name)
        except (ValueError, OverflowError, OSError) as error:
            raise ProtobufError(str(error), api_version, kind) from None
    return {"kind": kind, "apiVersion": api_version, **content}


def _named(api_version: str, kind: str, default: tuple[str, str]) -> tuple[str, str]:
    """What a body says it is: an apiVersion that is none is as good as absent."""
    if not api_version or api_version.count("/") > 1:
        api_version = default[0]
    return api_version, kind or default[1]


def _parsed(name: str, data: bytes) -> Any:
    """A message, read as strictly as Go does, and no more. Raises ProtobufError."""
    kind = message_class(name)
    try:
        message = kind.FromString(data)
        size = message.ByteSize()
        message.DiscardUnknownFields()
        if message.ByteSize() == size:
            return message
    except DecodeError:
        pass
    try:
        return kind.FromString(mended(name, data))
    except (GoWireError, DecodeError) as error:
        raise ProtobufError(str(error)) from None


def encode(obj: Object) -> bytes:
    """The body of an object. Raises ProtobufError for kinds without a protobuf form, and for values that do not fit."""
    content = dict(obj)
    api_version, kind = content.pop("apiVersion", ""), content.pop("kind", "")
    return envelope(api_version, kind, _serialized(message_name(api_version, kind), content))


def _serialized(name: str, content: Object) -> bytes:
    try:
        return bytes(message(name, content).SerializeToString())
    except (TypeError, ValueError, AttributeError) as error:
        raise ProtobufError(f"the object does not fit its protobuf form: {error}") from None


def envelope(api_version: str, kind: str, content: bytes) -> bytes:
    """A body: the magic number and a `runtime.Unknown` around a message."""
    return _head(api_version, kind) + field_head(2, len(content)) + content + b'\x1a\x00"\x00'


@cache
def _head(api_version: str, kind: str) -> bytes:
    type_meta = message_class(f"{RUNTIME}.TypeMeta")(f1=api_version, f2=kind).SerializeToString()
    return MAGIC + field_head(1, len(type_meta)) + bytes(type_meta)


def field_head(number: int, size: int) -> bytes:
    """What precedes a field of so many bytes."""
    found = bytearray((number << 3 | 2,))
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)


class ListEncoder:
    """The body of a list, made item by item, so that its maker can pause in between."""

    def __init__(self, api_version: str, kind: str) -> None:
        """`kind` is the list's. Raises ProtobufError when it has no protobuf form."""
        self._api_version, self._kind = api_version, kind
        self._name = message_name(api_version, kind)
        fields = {field.json: field for field in plan(self._name)}
        self._item, self._number = fields["items"].type, fields["items"].number
        self._metadata = fields["metadata"].number
        self.items: list[bytes] = []  # fields of the list
        self.size = 0

    def add(self, item: Object) -> None:
        """Raises ProtobufError."""
        item.pop("kind", None)
        item.pop("apiVersion", None)
        content = _serialized(self._item, item)
        self.items += (field_head(self._number, len(content)), content)
        self.size += len(content)

    def body(self, metadata: Object) -> bytes:
        """The whole of it."""
        content = _serialized(f"{META}.ListMeta", metadata)
        head = field_head(self._metadata, len(content)) + content
        return envelope(self._api_version, self._kind, b"".join((head, *self.items)))


def frame(event_type: str, body: bytes) -> bytes:
    """One frame of a watch: four bytes of length, and a WatchEvent around an object's body."""
    raw = field_head(1, len(body))
    event = _event_head(event_type) + field_head(2, len(raw) + len(body)) + raw
    return (len(event) + len(body)).to_bytes(4, "big") + event + body


@cache
def _event_head(event_type: str) -> bytes:
    return field_head(1, len(event_type)) + event_type.encode()
