"""Server-side apply: who owns what after which write, as tables and against a deliberately dumb model."""

import copy
import dataclasses
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.kube import managed_fields, schema
from kybern.kube.managed_fields import Kind, Lens, Types, built_in, from_paths
from kybern.kube.managed_fields.field_set import paths
from kybern.kube.status import StatusError

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
Object = dict[str, Any]


def kind(api_version: str, name: str, reset: str = "status") -> Kind:
    group, _, version = api_version.rpartition("/")
    of = built_in().named(schema.load().names[group, version, name])

    def lens(other: str) -> Lens | None:
        group, _, version = other.rpartition("/")
        found = schema.kind(group, version, name)
        if found is None:
            return None
        theirs = built_in().named(schema.load().names[found.gvk])
        if schema.same_shape(name, api_version, other):
            return Lens(theirs)
        return Lens(theirs, lambda obj: schema.convert(obj, other))

    fields = from_paths([(f"f:{reset}",)])
    return Kind(of, api_version, fields, lens, back=lambda obj: schema.convert(obj, api_version))


CONFIG_MAP, DEPLOYMENT = kind("v1", "ConfigMap"), kind("apps/v1", "Deployment")


def config_map(data: dict[str, str] | None = None, **metadata: Any) -> Object:
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "d", **metadata}}
    return obj if data is None else {**obj, "data": data}


def apply(live: Object | None, config: Object, who: str, of: Kind = CONFIG_MAP, now: str = NOW, **more: Any) -> Object:
    made = managed_fields.apply(of, copy.deepcopy(live), config, who, now, **more)
    return {**made, "metadata": {**made["metadata"], "uid": "u"}}


def update(live: Object | None, obj: Object, who: str, of: Kind = CONFIG_MAP, subresource: str = "") -> Object:
    new = copy.deepcopy(obj)
    managed_fields.track_update(of, live, new, who, subresource, NOW)
    return {**new, "metadata": {**new["metadata"], "uid": "u"}}


def owners(obj: Object) -> dict[str, set[str]]:
    """Manager and operation → paths, without the containers."""
    found: dict[str, set[str]] = {}
    for entry in obj["metadata"].get("managedFields", ()):
        named = (managed_fields.field_set.readable(path) for path in paths(entry["fieldsV1"]))
        found[f"{entry['manager']} {entry['operation']}"] = set(named)
    return found


def test_ownership_is_shared_handed_over_and_ends() -> None:
    one = apply(None, config_map({"x": "1", "y": "1"}), "one")
    both = apply(one, config_map({"x": "1"}), "two")
    assert owners(both) == {"one Apply": {".data.x", ".data.y"}, "two Apply": {".data.x"}}
    handed = apply(both, config_map({"y": "1"}), "one")
    assert handed["data"] == {"x": "1", "y": "1"}
    assert owners(handed) == {"one Apply": {".data.y"}, "two Apply": {".data.x"}}
    gone = apply(handed, config_map(), "two")
    assert gone["data"] == {"y": "1"}
    assert owners(gone) == {"one Apply": {".data.y"}}


def test_force_takes_what_others_own() -> None:
    live = update(None, config_map({"x": "1", "z": "1"}), "editor")
    with pytest.raises(StatusError) as caught:
        apply(live, config_map({"x": "2"}), "me")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.x'
    assert caught.value.code == 409
    forced = apply(live, config_map({"x": "2"}), "me", force=True)
    assert owners(forced) == {"me Apply": {".data.x"}, "editor Update": {".data", ".data.z"}}


def test_conflicts_with_several_managers_are_listed_by_manager() -> None:
    live = apply(None, config_map({"a": "1", "b": "1"}), "other")
    live = update(live, {**live, "data": {"a": "1", "b": "1", "c": "1"}}, "editor", subresource="status")
    with pytest.raises(StatusError) as caught:
        apply(live, config_map({"a": "2", "b": "2", "c": "2"}), "me")
    assert caught.value.message == (
        'Apply failed with 3 conflicts: conflicts with "editor" with subresource "status" using v1:\n- .data.c\n'
        'conflicts with "other":\n- .data.a\n- .data.b'
    )
    assert [cause["field"] for cause in caught.value.details["causes"]] == [".data.c", ".data.a", ".data.b"]


def test_what_was_there_before_the_first_apply() -> None:
    live = {**config_map({"x": "1"}), "metadata": {"name": "a", "uid": "u"}}
    with pytest.raises(StatusError, match=r'conflict with "before-first-apply" using v1: .data.x'):
        apply(live, config_map({"x": "2"}), "me")
    assert set(owners(apply(live, config_map({"x": "1"}), "me"))) == {"me Apply", "before-first-apply Update"}


def test_an_update_takes_what_it_changes_and_drops_what_it_removes() -> None:
    live = apply(None, config_map({"x": "1", "y": "1", "z": "1"}), "me")
    changed = update(live, {**live, "data": {"x": "2", "y": "1"}}, "editor")
    assert owners(changed) == {"me Apply": {".data.y"}, "editor Update": {".data.x"}}
    assert "editor Update" not in owners(update(live, live, "editor"))


@pytest.mark.parametrize("given", [[], [{}]])
def test_resetting(given: list[Any]) -> None:
    live = apply(None, config_map({"x": "1"}), "me")
    reset = update(live, {**live, "metadata": {**live["metadata"], "managedFields": given}}, "editor")
    assert "managedFields" not in reset["metadata"]
    again = update(reset, {**reset, "data": {"x": "2"}}, "editor")
    assert "managedFields" not in again["metadata"], "what is not tracked stays so until it is applied"
    kept = update(live, {**live, "metadata": {**live["metadata"], "managedFields": given}}, "e", subresource="status")
    assert kept["metadata"]["managedFields"] == live["metadata"]["managedFields"]


@pytest.mark.parametrize(
    "entry",
    [
        {"manager": "x", "operation": "Bogus", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}},
        {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV2", "fieldsV1": {}},
        {"manager": "x", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {}},
        {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"q:x": {}}},
        "x",
    ],
)
def test_unreadable_managers_are_ignored(entry: Any) -> None:
    live = apply(None, config_map({"x": "1"}), "me")
    kept = update(live, {**live, "metadata": {**live["metadata"], "managedFields": [entry]}}, "editor")
    assert kept["metadata"]["managedFields"] == live["metadata"]["managedFields"]


def test_kubectl_takes_over_what_client_side_apply_wrote() -> None:
    last = orjson.dumps(config_map({"x": "1", "y": "1"})).decode()
    live = update(None, config_map({"x": "1", "y": "1"}, annotations={LAST_APPLIED: last}), "kubectl-client-side-apply")
    taken = apply(live, config_map({"x": "2", "y": "2"}), "kubectl")
    assert taken["data"] == {"x": "2", "y": "2"}
    assert orjson.loads(taken["metadata"]["annotations"][LAST_APPLIED])["data"] == {"x": "2", "y": "2"}
    with pytest.raises(StatusError, match="2 conflicts"):
        apply(live, config_map({"x": "2", "y": "2"}), "other")
    edited = update(live, {**live, "data": {"x": "3", "y": "1"}}, "editor")
    with pytest.raises(StatusError, match=r'1 conflict: conflict with "editor" using v1: .data.x'):
        apply(edited, config_map({"x": "2", "y": "2"}), "kubectl")


def test_times() -> None:
    one = apply(None, config_map({"x": "1"}), "me")
    assert one["metadata"]["managedFields"][0]["time"] == NOW
    same = apply(one, config_map({"x": "1"}), "me", now=LATER)
    assert same == one
    more = apply(one, config_map({"x": "2"}), "me", now=LATER)
    assert more["metadata"]["managedFields"][0]["time"] == LATER


def test_the_oldest_of_many_updaters_are_folded() -> None:
    live = update(None, config_map({"k0": "1"}), "m0")
    for number in range(1, 13):
        data = {**live["data"], f"k{number}": "1"}
        new = {**copy.deepcopy(live), "data": data}
        managed_fields.track_update(CONFIG_MAP, live, new, f"m{number}", "", f"2026-01-{number:02}")
        live = new
    names = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert len(names) == 10
    assert "ancient-changes" in names
    assert names[-1] == "m12"


def test_versions_of_another_shape() -> None:
    v1, v2 = kind("autoscaling/v1", "HorizontalPodAutoscaler"), kind("autoscaling/v2", "HorizontalPodAutoscaler")
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    obj = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": spec}
    live = schema.convert(apply(None, obj, "old", v1), "autoscaling/v2")
    changed = copy.deepcopy(live)
    changed["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 60
    new = update(live, changed, "new", v2)
    assert ".spec.targetCPUUtilizationPercentage" not in owners(new)["old Apply"]
    assert owners(new)["new Update"] == {".spec.metrics"}
    gone = kind("v1", "ConfigMap")
    stale = apply(None, config_map({"x": "1"}), "me")
    stale["metadata"]["managedFields"][0]["apiVersion"] = "gone/v1"
    assert owners(update(stale, {**stale, "data": {"x": "2"}}, "editor", gone)) == {"editor Update": {".data.x"}}


CUSTOM = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "list": {"type": "array", "items": {"type": "string"}},
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "atomic": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": {"a": {"type": "integer"}},
                },
            },
        }
    },
}


def test_custom_resources() -> None:
    of = Types(schema.load().definitions).root(CUSTOM)
    custom = Kind(of, "x.io/v1", {}, lambda _: Lens(of))
    spec = {"list": ["a"], "set": ["a"], "open": {"deep": {"er": 1}, "l": [1]}, "atomic": {"a": 1}}
    obj = {"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "a"}, "spec": spec}
    live = apply(None, obj, "me", custom)
    assert owners(live) == {
        "me Apply": {
            ".spec.list", '.spec.set[="a"]', ".spec.atomic", ".spec.open.deep", ".spec.open.deep.er", ".spec.open.l",
        }
    }  # fmt: skip
    more = apply(live, {**obj, "spec": {"set": ["b"], "open": {"other": 2}}}, "other", custom)
    assert more["spec"]["set"] == ["a", "b"]
    assert more["spec"]["open"] == {"deep": {"er": 1}, "l": [1], "other": 2}


def test_a_schema_that_has_become_atomic() -> None:
    def custom(map_type: str) -> Kind:
        spec = {"type": "object", "x-kubernetes-map-type": map_type, "additionalProperties": {"type": "string"}}
        of = Types(schema.load().definitions).root({"type": "object", "properties": {"spec": spec}})
        return Kind(of, "x.io/v1", {}, lambda _: Lens(of), changing=True)

    obj = {"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"a": "1"}}
    live = apply(None, obj, "one", custom("granular"))
    assert owners(live) == {"one Apply": {".spec.a"}}
    with pytest.raises(StatusError, match=r'1 conflict: conflict with "one": \.spec$'):
        apply(live, {**obj, "spec": {"b": "1"}}, "two", custom("atomic"))
    taken = apply(live, {**obj, "spec": {"b": "1"}}, "two", custom("atomic"), force=True)
    assert taken["spec"] == {"b": "1"}
    assert owners(taken) == {"two Apply": {".spec"}}


KEYS = st.sampled_from("abcd")
DATA = st.dictionaries(KEYS, st.sampled_from("12"), max_size=4)
WRITES = st.lists(st.tuples(st.sampled_from(["apply", "update"]), st.sampled_from("PQR"), DATA), max_size=12)


class Model:
    """Every key of a map has a value and a set of owners; nothing else."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.owners: dict[str, set[str]] = {}

    def apply(self, who: str, data: dict[str, str]) -> None:
        for key, value in data.items():
            if self.data.get(key, value) != value:
                self.owners[key] = set()
            self.data[key] = value
            self.owners.setdefault(key, set()).add(who)
        for key in list(self.data):
            if key not in data and who in self.owners.get(key, ()):
                self.owners[key].discard(who)
                if not self.owners[key]:
                    del self.data[key], self.owners[key]

    def update(self, who: str, data: dict[str, str]) -> None:
        for key in {*self.data, *data}:
            if key not in data:
                self.owners.pop(key, None)
            elif self.data.get(key) != data[key]:
                self.owners[key] = {who}
        self.data = dict(data)

    def owned(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for key, names in self.owners.items():
            for name in names:
                found.setdefault(name, set()).add(f".data.{key}")
        return found


@given(WRITES)
@settings(deadline=None)
def test_against_a_dumb_model(writes: list[tuple[str, str, dict[str, str]]]) -> None:
    live, model = update(None, config_map({}), "nobody"), Model()
    live["metadata"]["managedFields"] = apply(None, config_map(labels={"l": "1"}), "L")["metadata"]["managedFields"]
    live["metadata"]["labels"] = {"l": "1"}
    for verb, who, data in writes:
        if verb == "apply":
            live = apply(live, config_map(data), who, force=True)
            model.apply(f"{who} Apply", data)
            assert apply(live, config_map(data), who) == live, "applying again changes nothing, and without force"
        else:
            live = update(live, {**live, "data": data}, who)
            model.update(f"{who} Update", data)
        assert (live.get("data") or {}) == model.data
        found = {who: {path for path in fields if path.startswith(".data.")} for who, fields in owners(live).items()}
        assert {who: fields for who, fields in found.items() if fields} == model.owned()


CONTAINERS = st.lists(st.sampled_from("abc"), unique=True, max_size=3)


@given(CONTAINERS.filter(bool), CONTAINERS, st.sampled_from(["1", "2"]))
@settings(deadline=None)
def test_apply_then_take_back(first: list[str], second: list[str], image: str) -> None:
    def deployment(names: list[str], **more: Any) -> Object:
        pod = {"spec": {"containers": [{"name": name, **more} for name in names]}}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": pod}}

    base = apply(None, deployment(first), "one", DEPLOYMENT)
    both = apply(base, deployment(second, image=image), "two", DEPLOYMENT)
    found = [container["name"] for container in both["spec"]["template"]["spec"]["containers"]]
    assert set(found) == {*first, *second}
    assert [name for name in found if name in second] == second
    back = apply(both, deployment([]), "two", DEPLOYMENT)
    assert {c["name"] for c in back["spec"]["template"]["spec"]["containers"]} == set(first)
    assert all("image" not in c for c in back["spec"]["template"]["spec"]["containers"])
    assert owners(back) == owners(base)


@pytest.mark.parametrize(("other", "left"), [("", False), ("autoscaling/v1", True), ("autoscaling/v2", True)])
def test_what_was_applied_in_a_version_of_another_shape_goes(other: str, left: bool) -> None:
    """autoscaling/v1 has a percentage where v2 has a list of metrics; `other` is where somebody wants them, too."""
    one, two = (kind(f"autoscaling/{version}", "HorizontalPodAutoscaler") for version in ("v1", "v2"))
    target = {"kind": "Deployment", "name": "d"}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 5}},
    }

    def config(api_version: str, **spec: Any) -> Object:
        metadata = {"name": "a", "namespace": "d"}
        spec = {"maxReplicas": 3, "scaleTargetRef": target, **spec}
        return {"apiVersion": api_version, "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}

    live = apply(None, config("autoscaling/v1", targetCPUUtilizationPercentage=5), "m", one)
    if other == "autoscaling/v1":
        live = apply(live, config(other, targetCPUUtilizationPercentage=5), "n", one, force=True)
    live = schema.convert(live, "autoscaling/v2")
    if other == "autoscaling/v2":
        live = apply(live, config(other, metrics=[metric]), "n", two, force=True)
    made = apply(live, config("autoscaling/v2"), "m", two)
    assert ("metrics" in made["spec"]) is left
    assert {entry["apiVersion"] for entry in made["metadata"]["managedFields"] if entry["manager"] == "m"} == {
        "autoscaling/v2"
    }


def gone(api_version: str) -> Lens | None:
    raise managed_fields.NoSuchVersion(api_version)


def test_managers_of_a_version_that_a_definition_has_no_more() -> None:
    custom = dataclasses.replace(CONFIG_MAP, lens=gone, changing=True)
    live = apply(None, config_map({"x": "1"}), "m")
    live["metadata"]["managedFields"][0]["apiVersion"] = "v0"
    with pytest.raises(StatusError, match="request to convert CR to an invalid group/version: v0"):
        apply(live, config_map({"x": "2"}), "n", custom)
    new = copy.deepcopy(live)
    managed_fields.track_update(custom, live, new, "n", "", NOW)
    assert "managedFields" not in new["metadata"]
