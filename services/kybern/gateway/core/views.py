"""Objects in the form a client asked for: the list around items, Tables, PartialObjectMetadata, watch frames.

In the plain case stored bytes are joined and never decoded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

import orjson

from kybern.gateway.core.negotiation import MediaType
from kybern.kube.meta import Object
from kybern.kube.tables.table import IncludeObject, Printing, partial_object_metadata, table

EventName = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
_FRAMES = {name: b'{"type":"%b","object":' % name.encode() for name in get_args(EventName)}


def list_metadata(resource_version: str, continue_token: str = "", remaining: int | None = None) -> Object:
    found: Object = {"resourceVersion": resource_version} if resource_version else {}
    if continue_token:
        found["continue"] = continue_token
    if remaining is not None:
        found["remainingItemCount"] = remaining
    return found


def list_open(kind: str, api_version: str) -> bytes:
    """The head of a list, up to its first item."""
    return b'{"kind":%b,"apiVersion":%b,"items":[' % (orjson.dumps(kind), orjson.dumps(api_version))


def list_close(metadata: Object) -> bytes:
    """The tail of a list, after its last item."""
    return b'],"metadata":%b}\n' % orjson.dumps(metadata)


def list_document(kind: str, api_version: str, items: bytes, metadata: Object) -> bytes:
    """A whole list in the usual order of members."""
    return b'{"kind":%b,"apiVersion":%b,"metadata":%b,"items":[%b]}' % (
        orjson.dumps(kind),
        orjson.dumps(api_version),
        orjson.dumps(metadata),
        items,
    )


def split_items(items: bytes) -> list[Object]:
    """Decode items joined by commas."""
    decoded: list[Object] = orjson.loads(b"[%b]" % items)
    return decoded


def partial_list(items: list[Object], metadata: Object, version: str) -> Object:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "items": [partial(item, version) for item in items] or None,  # as Go writes it
    }


def partial(obj: Object, version: str) -> Object:
    return {**partial_object_metadata(obj), "apiVersion": f"meta.k8s.io/{version}"}


class TableView:
    """Tables of one request: the printing, which part of each object rows carry, the kind of whole objects."""

    def __init__(
        self, printing: Printing, include: IncludeObject, version: str, kind: str = "", api_version: str = ""
    ) -> None:
        self._printing = printing
        self._include: IncludeObject = include
        self._version = version
        self._head = {"kind": kind, "apiVersion": api_version}
        self._columns_sent = False

    def rows(self, items: list[Object], now: datetime) -> list[Object]:
        rows = [self._printing.row(item, now, self._include) for item in items]
        if self._include == "Metadata":
            for row in rows:
                row["object"]["apiVersion"] = f"meta.k8s.io/{self._version}"
        elif self._include == "Object":  # items of a list come without kind and apiVersion
            for row in rows:
                row["object"] = {**self._head, **row["object"]}
        return rows

    def table(self, items: list[Object], metadata: Object, now: datetime) -> Object:
        return self._versioned(table(self._printing, self.rows(items, now), metadata))

    def event(self, obj: Object, now: datetime) -> Object:
        """The one-row Table of a watch event; only the first of a stream has the columns."""
        meta = obj.get("metadata") or {}
        version = {"resourceVersion": meta["resourceVersion"]} if meta.get("resourceVersion") else {}
        with_columns, self._columns_sent = not self._columns_sent, True
        return self._versioned(table(self._printing, self.rows([obj], now), version, with_columns=with_columns))

    def _versioned(self, found: Object) -> Object:
        found["apiVersion"] = f"meta.k8s.io/{self._version}"
        return found


def frame(event: EventName, obj: bytes) -> bytes:
    """One line of a watch stream."""
    return b"%b%b}\n" % (_FRAMES[event], obj)


def include_object(text: str) -> IncludeObject | None:
    """The `includeObject` parameter; None for a value that is none of upstream's."""
    match text:
        case "" | "Metadata":
            return "Metadata"
        case "Object":
            return "Object"
        case "None":
            return "None"
    return None


def is_status(obj: bytes) -> bool:
    """Whether an answer is a Status in the place of an object."""
    return b'"Status"' in obj[:64] and orjson.loads(obj).get("kind") == "Status"


def view(obj: bytes, media: MediaType, tables: TableView | None, now: datetime) -> bytes:
    """One object in the agreed form, still as JSON."""
    if tables is not None:
        decoded: Any = orjson.loads(obj)
        meta = decoded.get("metadata") or {}
        version = {"resourceVersion": meta["resourceVersion"]} if meta.get("resourceVersion") else {}
        return orjson.dumps(tables.table([decoded], version, now))
    if media.metadata_only:
        return orjson.dumps(partial(orjson.loads(obj), media.version))
    return obj


def list_view(document: bytes, media: MediaType, tables: TableView | None, now: datetime) -> bytes:
    """A whole list in the agreed form, still as JSON."""
    found = orjson.loads(document)
    items, metadata = found["items"], found["metadata"]
    if tables is not None:
        return orjson.dumps(tables.table(items, metadata, now))
    return orjson.dumps(partial_list(items, metadata, media.version)) if media.metadata_only else document
