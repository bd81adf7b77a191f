"""The Table object itself: column definitions, and rows that carry the object, its metadata, or neither.

Custom resources bring their own columns (additionalPrinterColumns), whose values are JSON paths into the object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import takewhile
from typing import Any, Literal

from kybern.kube import meta, schema
from kybern.kube.meta import Object
from kybern.kube.tables import json_path, pods, registry

IncludeObject = Literal["Metadata", "Object", "None"]
FIELDS_OF_OLD = frozenset(
    {
        "deprecated.daemonset.template.generation",
        *(
            f"autoscaling.alpha.kubernetes.io/{name}"
            for name in ("behavior", "conditions", "current-metrics", "metrics")
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """One Table column. `json_path` is set only for custom resources."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    json_path: str = ""
    description: str = ""

    def definition(self) -> Object:
        """The column as a TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description or f"{self.name} of the object",
            "priority": self.priority,
        }


DEFAULT_COLUMNS = (Column("Name", format="name"), Column("Created At", "date"))


@lru_cache(maxsize=512)
def columns(group: str, version: str, resource: str) -> tuple[Column, ...]:
    """The columns of a built-in resource; a version without columns of its own has those of its group."""
    found = schema.columns(group, version, resource)
    if not found:
        siblings = (
            info for info in schema.load().resources.values() if (info.group, info.resource) == (group, resource)
        )
        found = next((known for info in siblings if (known := schema.columns(group, info.version, resource))), ())
    return tuple(Column(c.name, c.type, c.format, c.priority) for c in found) or DEFAULT_COLUMNS


@dataclass(frozen=True, slots=True)
class Printing:
    """How one resource is shown: made once per resource by `built_in` or `custom`, then used for every row."""

    columns: tuple[Column, ...]
    group: str = ""
    resource: str = ""

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        if self.resource:
            return registry.printer(self.group, self.resource)(obj, now)
        return [
            meta.name(obj),
            *(json_path.cell(column.json_path, column.type, obj, now) for column in self.columns[1:]),
        ]

    def row(self, obj: Object, now: datetime, include: IncludeObject = "Metadata") -> Object:
        row: Object = {"cells": self.cells(obj, now)}
        if (self.group, self.resource) == ("", "pods") and (found := pods.pod_row_conditions(obj)):
            row["conditions"] = found
        row["object"] = None
        if include != "None":
            row["object"] = obj if include == "Object" else partial_object_metadata(obj)
        return row


def is_built_in(group: str, version: str, resource: str) -> bool:
    """Whether there are columns for a resource; answers without loading the whole schema."""
    return bool(schema.columns(group, version, resource))


def built_in(group: str, version: str, resource: str) -> Printing:
    return Printing(columns(group, version, resource), group, resource)


_COUNTS = (Column("Desired", "integer"), Column("Available", "integer"))
SCALE = Printing((Column("Name"), *_COUNTS, Column("Age")), "autoscaling", "scales")
CUSTOM_SCALE = Printing((Column("Name", format="name"), *_COUNTS, Column("Age", "date")), "autoscaling", "scales")
"""Of the subresource of any built-in and any custom kind."""

CREATED_COLUMN = Column("Age", "date", json_path=".metadata.creationTimestamp")


def custom(additional: Sequence[Column]) -> Printing:
    """Printing of a custom resource: its name, then its additionalPrinterColumns, or Age when it has none.

    A column whose path cannot be read is not shown, nor are those behind it.
    """
    readable = takewhile(lambda column: json_path.is_readable(column.json_path), additional or (CREATED_COLUMN,))
    return Printing((Column("Name", format="name"), *readable))


def partial_object_metadata(obj: Object) -> Object:
    """A PartialObjectMetadata of any object, without the annotations that stand for fields in some versions only."""
    metadata = obj.get("metadata") or {}
    annotations = metadata.get("annotations")
    if annotations and not FIELDS_OF_OLD.isdisjoint(annotations):
        kept = {name: text for name, text in annotations.items() if name not in FIELDS_OF_OLD}
        metadata = {name: value for name, value in metadata.items() if name != "annotations"}
        if kept:
            metadata["annotations"] = kept
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}


def table(printing: Printing, rows: Iterable[Object], list_meta: Object, *, with_columns: bool = True) -> Object:
    """A Table of rows made by `Printing.row`. Watch events after the first carry no column definitions."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_meta,
        "columnDefinitions": [column.definition() for column in printing.columns] if with_columns else None,
        "rows": list(rows),
    }
