"""Field selectors over a version that a webhook converts to: its fields are known once objects are in that version.

Lists are filtered after their conversion, without pages. A watch remembers which objects it has shown, so that one that
comes to match, or no longer does, is told of as added or deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from kybern.apiserver.crd.cacher import fields_reader
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.selection import Selection
from kybern.kube.field_selectors import FieldSelector
from kybern.kube.structural import CustomKind
from kybern.protos.api.v1.objects_pb2 import EventType, WatchEvent

ADDED, MODIFIED, DELETED = EventType.EVENT_TYPE_ADDED, EventType.EVENT_TYPE_MODIFIED, EventType.EVENT_TYPE_DELETED


class LateSelection:
    """`early` is what can be selected before the conversion."""

    def __init__(self, custom: CustomKind, chosen: Selection) -> None:
        known = [one for one in chosen.fields.requirements if one.field.startswith("metadata.")]
        others = [one for one in chosen.fields.requirements if not one.field.startswith("metadata.")]
        self.early = replace(chosen, fields=FieldSelector(tuple(known)))
        self.empty = not others
        self._selector = FieldSelector(tuple(others))
        self._read = fields_reader(custom)
        self._shown: set[str] = set()

    def entries(self, converted: Iterable[Entry]) -> list[Entry]:
        """Those of a list that match; a watch counts them as shown."""
        found = [entry for entry in converted if self._matches(orjson.loads(entry.data))]
        self._shown |= {entry.uid for entry in found}
        return found

    def events(self, converted: Iterable[WatchEvent]) -> list[WatchEvent]:
        """What a watch shows of these events."""
        found = []
        for event in converted:
            obj = orjson.loads(event.object)
            if (kind := self._seen(event.type, obj)) is not None:
                same = kind == event.type
                found.append(
                    event if same else WatchEvent(type=kind, object=event.object, traceparent=event.traceparent)
                )
        return found

    def _seen(self, kind: EventType.ValueType, obj: dict[str, Any]) -> EventType.ValueType | None:
        uid = obj["metadata"]["uid"]
        shown = uid in self._shown
        if kind != DELETED and self._matches(obj):
            self._shown.add(uid)
            return MODIFIED if shown else ADDED
        self._shown.discard(uid)
        return DELETED if shown else None

    def _matches(self, obj: dict[str, Any]) -> bool:
        return self._selector.matches(self._read(obj))


def late_selection(served: Served, chosen: Selection) -> LateSelection | None:
    """None where everything can be selected at once."""
    if served.conversion is None or served.custom is None or chosen.fields.empty:
        return None
    late = LateSelection(served.custom, chosen)
    return None if late.empty else late
