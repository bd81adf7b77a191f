"""Encoded objects: JSON bytes that start `{"kind":…,"apiVersion":…,"metadata":{`, so that edits are byte slices.

The stored form has no resourceVersion (it is the store's revision); `splice` puts it in as the first member of
metadata. List items of built-in kinds drop kind and apiVersion: `item` slices them off.
"""

from typing import Any

import orjson

Object = dict[str, Any]
_METADATA = b'"metadata":{'


def head(kind: str, api_version: str) -> bytes:
    """The known first bytes of every encoded object of a kind."""
    return b'{"kind":%s,"apiVersion":%s,' % (orjson.dumps(kind), orjson.dumps(api_version))


def encode(obj: Object) -> bytes:
    """The stored form: kind, apiVersion and metadata first, without resourceVersion."""
    ordered: Object = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": None}
    ordered.update(obj)
    meta = ordered["metadata"] or {}
    if "resourceVersion" in meta:
        meta = {member: value for member, value in meta.items() if member != "resourceVersion"}
    ordered["metadata"] = meta
    return bytes(memoryview(orjson.dumps(ordered)))  # a copy: what orjson returns keeps a buffer thrice its size


def splice(stored: bytes, prefix: bytes, revision: int) -> bytes:
    """The stored form with its resourceVersion. Bytes another writer laid out differently are encoded again."""
    cut = len(prefix) + len(_METADATA)
    if not stored.startswith(prefix) or stored[len(prefix) : cut] != _METADATA or stored[cut : cut + 1] == b"}":
        stored = _again(stored)
        cut = stored.index(_METADATA) + len(_METADATA)
        if stored[cut : cut + 1] == b"}":
            return b'%b"resourceVersion":"%d"%b' % (stored[:cut], revision, stored[cut:])
    return b'%b"resourceVersion":"%d",%b' % (stored[:cut], revision, stored[cut:])


def with_given(stored: bytes, prefix: bytes, text: str) -> bytes:
    """The stored form with a resourceVersion that a client made up."""
    made = splice(stored, prefix, 0)
    return made.replace(b'"resourceVersion":"0"', b'"resourceVersion":' + orjson.dumps(text), 1)


def respliced(data: bytes, prefix: bytes, revision: int) -> bytes:
    """Encoded bytes that carry a resourceVersion, with another one instead."""
    start = data.index(_METADATA, len(prefix) if data.startswith(prefix) else 0)
    start += len(_METADATA) + len(b'"resourceVersion":"')
    end = data.index(b'"', start)
    return b"%b%d%b" % (data[:start], revision, data[end:])


def item(data: bytes, prefix: bytes) -> bytes:
    """An encoded object as an element of a list: without kind and apiVersion."""
    return b"{" + data[len(prefix) :]


def bookmark(prefix: bytes, empty: Object, revision: int, initial_events_end: bool = False) -> bytes:
    """The object of a BOOKMARK event: one of the kind that is `empty`."""
    note = b',"annotations":{"k8s.io/initial-events-end":"true"}' if initial_events_end else b""
    rest = b"," + orjson.dumps(empty)[1:] if empty else b"}"
    return b'%b"metadata":{"resourceVersion":"%d"%b}%b' % (prefix, revision, note, rest)


def _again(stored: bytes) -> bytes:
    return encode(orjson.loads(stored))
