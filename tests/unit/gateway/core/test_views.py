"""Lists, Tables and watch frames made of stored bytes."""

from datetime import UTC, datetime

import orjson

from kybern.gateway.core import views
from kybern.gateway.core.negotiation import MediaType
from kybern.gateway.core.views import TableView
from kybern.kube.tables import table

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
META = {"name": "x", "resourceVersion": "7", "creationTimestamp": "2026-01-01T11:00:00Z"}
OBJECT = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": META, "data": {"a": "b"}}


def test_list_forms_agree() -> None:
    items = b'{"a":1},{"a":2}'
    metadata = views.list_metadata("9", "token", 3)
    whole = orjson.loads(views.list_document("PodList", "v1", items, metadata))
    streamed = orjson.loads(views.list_open("PodList", "v1") + items + views.list_close(metadata))
    assert whole == streamed
    assert whole["metadata"] == {"resourceVersion": "9", "continue": "token", "remainingItemCount": 3}
    assert orjson.loads(views.list_document("PodList", "v1", b"", views.list_metadata("9")))["items"] == []


def test_watch_frames() -> None:
    assert views.frame("ADDED", b'{"a":1}') == b'{"type":"ADDED","object":{"a":1}}\n'


def test_only_the_first_event_of_a_table_watch_has_columns() -> None:
    tables = TableView(table.built_in("", "v1", "configmaps"), "Metadata", "v1")
    first, second = (tables.event(OBJECT, NOW) for _ in range(2))
    assert [c["name"] for c in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["cells"] == ["x", 1, "60m"]
    assert second["metadata"] == {"resourceVersion": "7"}


def test_views_of_one_object() -> None:
    stored = orjson.dumps(OBJECT)
    assert views.view(stored, MediaType(), None, NOW) == stored
    partial = orjson.loads(views.view(stored, MediaType(view="PartialObjectMetadata", version="v1"), None, NOW))
    assert partial == {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": META}
    tables = TableView(table.built_in("", "v1", "configmaps"), "Object", "v1beta1")
    shown = orjson.loads(views.view(stored, MediaType(view="Table", version="v1beta1"), tables, NOW))
    assert shown["apiVersion"] == "meta.k8s.io/v1beta1"
    assert shown["rows"][0]["object"] == OBJECT


def test_whole_objects_in_tables_have_a_kind() -> None:
    item = {"metadata": META, "data": {"a": "b"}}
    tables = TableView(table.built_in("", "v1", "configmaps"), "Object", "v1", "ConfigMap", "v1")
    assert [row["object"] for row in tables.rows([item], NOW)] == [OBJECT]


def test_include_object() -> None:
    assert [views.include_object(text) for text in ("", "None", "Object", "All")] == [
        "Metadata",
        "None",
        "Object",
        None,
    ]
