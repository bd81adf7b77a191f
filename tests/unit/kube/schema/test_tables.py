"""The shipped tables say what the measured facts say, and load quickly."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kybern.kube import schema

ROOT = Path(__file__).resolve().parents[4]
FACTS = ROOT / "tools" / "facts"


def fact(name: str) -> Any:
    return json.loads((FACTS / f"{name}-1.36.json").read_text())


def test_committed_tables_are_what_the_generator_writes() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "schema.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_resources_equal_discovery() -> None:
    """Written back into discovery's form, the resources are the measured ones in the measured order."""
    loaded = schema.load()
    written: dict[str, list[dict[str, Any]]] = {}
    for info in loaded.resources.values():
        rows = written.setdefault(info.api_version, [])
        row: dict[str, Any] = {"name": info.resource, "singularName": info.singular, "namespaced": info.namespaced}
        row |= {"kind": info.kind, "verbs": sorted(info.verbs)}
        if info.short_names:
            row["shortNames"] = list(info.short_names)
        if info.categories:
            row["categories"] = list(info.categories)
        rows.append(row)
        for sub in info.subresources.values():
            row = {"name": f"{info.resource}/{sub.name}", "namespaced": info.namespaced, "kind": sub.kind}
            if (sub.group, sub.version) != (info.group, info.version):
                row |= {"group": sub.group, "version": sub.version}
            rows.append(row | {"verbs": sorted(sub.verbs)})
    assert {key: _normal(rows) for key, rows in written.items()} == {
        key: _normal(rows) for key, rows in fact("discovery")["resources"].items()
    }


def _normal(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({**row, "verbs": sorted(row["verbs"])} for row in rows), key=lambda row: str(row["name"]))


def test_groups_keep_upstreams_order() -> None:
    groups = [group for group in schema.load().groups if group.name]
    wanted = fact("discovery")["groups"]
    assert [group.name for group in groups] == [group["name"] for group in wanted]
    assert [(list(group.versions), group.preferred) for group in groups] == [
        (group["versions"], group["preferred"]) for group in wanted
    ]


def test_columns_equal_facts() -> None:
    for key, rows in fact("table-columns").items():
        group_version, _, resource = key.rpartition("/")
        group, _, version = group_version.rpartition("/")
        found = schema.columns(group, version, resource)
        assert [[c.name, c.type, c.format, c.priority] for c in found] == rows, key


def test_every_listable_resource_has_columns() -> None:
    missing = [info.gvr for info in schema.load().resources.values() if "list" in info.verbs and not info.columns]
    assert missing == []


@pytest.mark.parametrize("kind", ["enums", "defaults"])
def test_enums_and_defaults_equal_facts(kind: str) -> None:
    definitions = schema.load().definitions
    found = {}
    for name, definition in definitions.items():
        for member, prop in definition.get("properties", {}).items():
            key = "enum" if kind == "enums" else "default"
            if key in prop:
                found[f"{name}.{member}"] = prop[key]
            elif key in prop.get("items", {}):
                found[f"{name}.{member}[]"] = prop["items"][key]
    wanted = {path: value for path, value in fact("enums-defaults")[kind].items() if _served(path)}
    assert found == wanted
    assert len(wanted) > 0.9 * len(fact("enums-defaults")[kind])


def _served(path: str) -> bool:
    return path.removesuffix("[]").rpartition(".")[0] in schema.load().definitions


def test_every_reference_leads_somewhere() -> None:
    definitions = schema.load().definitions
    for name, definition in definitions.items():
        for member, prop in definition.get("properties", {}).items():
            for place in (prop, prop.get("items", {}), prop.get("additionalProperties", {})):
                assert isinstance(place.get("type", ""), str), f"{name}.{member}: loosened type"
                assert "oneOf" not in place
                assert place.get("$ref", name) in definitions, f"{name}.{member}"


def test_every_resource_has_a_definition() -> None:
    loaded = schema.load()
    assert [info.gvk for info in loaded.resources.values() if loaded.definition(info.gvk) is None] == []


@pytest.mark.parametrize(
    ("gvk", "field", "wanted"),
    [
        (("", "v1", "Pod"), "spec", {"$ref": "io.k8s.api.core.v1.PodSpec"}),
        (("apps", "v1", "Deployment"), "metadata", {"$ref": "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}),
    ],
)
def test_definition_of_a_kind(gvk: tuple[str, str, str], field: str, wanted: dict[str, str]) -> None:
    definition = schema.definition(gvk)
    assert definition is not None
    assert definition["properties"][field] == wanted


def test_merge_rules_of_lists_are_kept() -> None:
    ports = schema.load().definitions["io.k8s.api.core.v1.Container"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"


@pytest.mark.parametrize(
    ("gvr", "storage"),
    [
        (("autoscaling", "v1", "horizontalpodautoscalers"), "autoscaling/v2"),
        (("events.k8s.io", "v1", "events"), "v1"),
        (("apps", "v1", "deployments"), "apps/v1"),
    ],
)
def test_storage_version(gvr: tuple[str, str, str], storage: str) -> None:
    info = schema.resource(*gvr)
    assert info is not None
    assert info.storage_api_version == storage


def test_unknown_names_are_none() -> None:
    assert schema.resource("", "v1", "unicorns") is None
    assert schema.kind("", "v2", "Pod") is None
    assert schema.definition(("", "v1", "Unicorn")) is None


def test_loading_is_fast() -> None:
    schema.load.cache_clear()
    best = min(_timed() for _ in range(5))
    assert best < 0.05


def _timed() -> float:
    schema.load.cache_clear()
    start = time.perf_counter()
    schema.load()
    return time.perf_counter() - start
