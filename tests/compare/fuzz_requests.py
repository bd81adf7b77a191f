"""Requests made at random: creates, updates, every sort of patch and apply, of objects that `fuzz_values` changed.

Objects that are there already are only written to in dry runs; a sequence makes an object of its own, lets several
managers write to it, and takes it away. `@RV@` in a body stands for the version that the object has in
the server asked.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import yaml
from fuzz_values import (
    DROP,
    RAW_JSON,
    RAW_PATCH,
    RAW_YAML,
    Object,
    Path,
    Raw,
    as_json,
    as_yaml,
    at,
    copied,
    definition_at,
    mutated,
    odd,
    places,
)

from kybern.kube import schema
from kybern.kube.schema import ResourceInfo

HERE = File(__file__).parent
VALIDATIONS = (
    "",
    "",
    "fieldValidation=Strict",
    "fieldValidation=Strict",
    "fieldValidation=Ignore",
    "fieldValidation=Warn",
)
MANAGERS = ("m1", "m2")
# Whose changes both servers hear of a little later, and not at once.
DRY_ONLY = frozenset((
    "Namespace", "APIService", "CustomResourceDefinition", "FlowSchema", "PriorityLevelConfiguration", "ServiceCIDR",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
    "MutatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding", "PriorityClass",
    "RuntimeClass", "ResourceQuota", "LimitRange", "StorageClass", "IngressClass", "IPAddress", "Event",
))  # fmt: skip
# To whose status the servers themselves write, each in its own time.
FOLLOWED = ("FlowSchema", "ValidatingAdmissionPolicy")
NAMED = ("APIService", "CustomResourceDefinition", "IPAddress")  # by what they are of
SCALED = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController", "Fuzz", "Rich")
CUSTOM = {"Fuzz": "fuzzes", "Rich": "riches"}


@dataclass(frozen=True)
class Ask:
    """One request to both."""

    method: str
    path: str
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Base:
    """An object that is there, and how it is reached."""

    obj: Object
    collection: str
    name: str
    definition: Object | None
    subresources: tuple[str, ...]
    stored: bool = True

    @property
    def kind(self) -> str:
        return str(self.obj["kind"])

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.name}"


class Loader(yaml.SafeLoader):
    """Times stay texts."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith("timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_objects(namespace: str) -> list[Object]:
    """Everything in the files, in a namespace."""
    text = (HERE / "fuzz_objects.yaml").read_text().replace("NAMESPACE", namespace)
    found = [copied(each) for each in yaml.load_all(text, Loader)]
    found.append(yaml.load((HERE / "whole_pod.yaml").read_text(), Loader))
    found.append(list(yaml.load_all((HERE / "fuzz_rich.yaml").read_text(), Loader))[1])
    specs = yaml.load((HERE / "workloads.yaml").read_text(), Loader)
    for kind, spec in specs.items():
        if kind != "ReplicationController":
            found.append({"apiVersion": "batch/v1" if "Job" in kind else "apps/v1", "kind": kind, "spec": spec})
    return found


def base(obj: Object, namespace: str, number: int) -> Base:
    group, _, version = obj["apiVersion"].rpartition("/")
    info = schema.kind(group, version, obj["kind"])
    prefix = f"/apis/{obj['apiVersion']}" if group else "/api/v1"
    if info is None:
        return Base(
            {**obj, "metadata": {**obj.get("metadata", {}), "name": f"x{number}"}},
            f"{prefix}/namespaces/{namespace}/{CUSTOM[obj['kind']]}",
            f"x{number}",
            None,
            ("status", "scale"),
        )
    collection = f"{prefix}/namespaces/{namespace}/{info.resource}" if info.namespaced else f"{prefix}/{info.resource}"
    metadata = (
        {"name": f"x{number}", **obj.get("metadata", {})} if "get" in info.verbs or obj["kind"] == "Binding" else {}
    )
    made = {**obj, "metadata": metadata}
    return Base(
        made,
        collection,
        str(metadata.get("name", "")),
        schema.definition((group, version, obj["kind"])),
        _subresources(info),
        "get" in info.verbs and obj["kind"] not in FOLLOWED,
    )


def _subresources(info: ResourceInfo) -> tuple[str, ...]:
    return tuple(
        name
        for name in (each if isinstance(each, str) else each.name for each in info.subresources)
        if name in ("status", "scale")
    )


def _written(rng: random.Random, obj: Any, is_yaml: bool) -> tuple[bytes, dict[str, str]]:
    if not is_yaml:
        return as_json(obj), {"Content-Type": "application/json"}
    return as_yaml(obj), {"Content-Type": "application/yaml"}


def _query(*parts: str) -> str:
    return "?" + "&".join(part for part in parts if part)


def create(rng: random.Random, of: Base) -> list[Ask]:
    """A POST of the object with changes."""
    is_yaml = rng.random() < 0.2
    start = copied(of.obj)
    if start["metadata"] and of.kind not in NAMED:
        start["metadata"]["name"] = "new"
    made, _ = mutated(rng, start, of.definition, RAW_YAML if is_yaml else RAW_JSON)
    body, headers = _written(rng, made, is_yaml)
    return [Ask("POST", of.collection + _query("dryRun=All", rng.choice(VALIDATIONS)), body, headers)]


def update(rng: random.Random, of: Base) -> list[Ask]:
    """A PUT of the object with changes, or of its status."""
    is_yaml = rng.random() < 0.15
    start = {**of.obj, "metadata": {**of.obj["metadata"], "resourceVersion": "@RV@"}}
    made, _ = mutated(rng, start, of.definition, RAW_YAML if is_yaml else RAW_JSON)
    body, headers = _written(rng, made, is_yaml)
    sub = "/status" if "status" in of.subresources and rng.random() < 0.35 else ""
    return [Ask("PUT", of.path + sub + _query("dryRun=All", rng.choice(VALIDATIONS)), body, headers)]


def _nested(path: Path, value: Any) -> Any:
    for step in reversed(path):
        value = {str(step): value}
    return value


def _joined(left: Any, right: Any) -> Any:
    if isinstance(left, dict) and isinstance(right, dict):
        return {**left, **{name: _joined(left[name], item) if name in left else item for name, item in right.items()}}
    return right


def _part(rng: random.Random, made: Object, path: Path, of: Object | None, strategic: bool) -> Object:
    """The patch that brings what is at a path: lists whole, or by their merge keys."""
    steps: list[Any] = []
    value: Any = made
    for step in path:
        if isinstance(step, int) and isinstance(value, list):
            key = definition_at(of, tuple(steps)).get("x-kubernetes-patch-merge-key") if strategic else None
            if key is None or not isinstance(value[step] if step < len(value) else None, dict) or rng.random() < 0.2:
                break
            item = value[step]
            rest = path[len(steps) + 1 :]
            inner = _part(rng, item, rest, definition_at(of, (*steps, step)), strategic) if rest else dict(item)
            if isinstance(inner, dict) and key in item:
                inner = {key: item[key], **inner}
            if strategic and isinstance(inner, dict) and rng.random() < 0.25:
                inner["$patch"] = rng.choice(("delete", "replace", "merge", "x"))
            extra = [{"$patch": "replace"}] if rng.random() < 0.08 else []
            return _nested(tuple(steps), [inner, *extra])
        if not isinstance(value, dict) or step not in value:
            return _nested((*steps, step), None)
        steps.append(step)
        value = value[step]
    return _nested(tuple(steps), copied(value))


def _directed(rng: random.Random, patch: Object, obj: Object, of: Object | None) -> Object:
    """A strategic merge patch with a directive more."""
    lists = [
        path
        for path in places(obj)
        if isinstance(at(obj, path), list) and not any(isinstance(step, int) for step in path)
    ]
    maps = [
        path
        for path in places(obj)
        if isinstance(at(obj, path), dict) and not any(isinstance(step, int) for step in path)
    ]
    roll = rng.random()
    if lists and roll < 0.7:
        path = rng.choice(lists)
        value, where = at(obj, path), path[:-1]
        key = definition_at(of, path).get("x-kubernetes-patch-merge-key")
        items = [{key: item.get(key)} if key and isinstance(item, dict) else item for item in value]
        rng.shuffle(items)
        order = rng.choice((items, items[1:], [*items, {key: "new"} if key else "new"], items[:1], None, "x"))
        if roll < 0.4:
            return _joined(patch, _nested((*where, f"$setElementOrder/{path[-1]}"), order))
        return _joined(
            patch,
            _nested(
                (*where, f"$deleteFromPrimitiveList/{path[-1]}"),
                rng.choice((items[:1], value[:1], order, ["nope"], [])),
            ),
        )
    if not maps:
        return patch
    path = rng.choice(maps)
    if roll < 0.85:
        keys = sorted(at(obj, path))
        return _joined(patch, _nested((*path, "$retainKeys"), rng.choice((keys, keys[:1], keys[1:], ["nope"], None))))
    return _joined(patch, _nested((*path, "$patch"), rng.choice(("replace", "delete", "merge", "", 1))))


def merge(rng: random.Random, of: Base) -> list[Ask]:
    """A merge patch, or a strategic one."""
    strategic = of.definition is not None and rng.random() < 0.6
    made, changed = mutated(rng, of.obj, of.definition, RAW_PATCH)
    patch: Any = {}
    for path in changed:
        patch = _joined(patch, _part(rng, made, path, of.definition, strategic))
    if strategic and rng.random() < 0.5:
        patch = _directed(rng, patch, of.obj, of.definition)
    kind = "strategic-merge-patch" if strategic else "merge-patch"
    return [_patch(rng, of, as_json(patch), f"application/{kind}+json")]


def _patch(rng: random.Random, of: Base, body: bytes, kind: str) -> Ask:
    sub = "/status" if "status" in of.subresources and rng.random() < 0.3 else ""
    if of.kind in SCALED and rng.random() < 0.1:
        sub = "/scale"
    return Ask("PATCH", of.path + sub + _query("dryRun=All", rng.choice(VALIDATIONS)), body, {"Content-Type": kind})


def _pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def operations(rng: random.Random, of: Base) -> list[Ask]:
    """A JSON patch."""
    made, changed = mutated(rng, of.obj, of.definition, RAW_PATCH)
    found: list[Any] = []
    for path in changed:
        try:
            value = at(made, path)
        except (KeyError, IndexError, TypeError):
            value = DROP
        name = (
            rng.choice(("replace", "replace", "add", "add", "test", "copy", "move", "remove"))
            if value is not DROP
            else rng.choice(("remove", "replace"))
        )
        operation: Object = {"op": name, "path": _pointer(path)}
        if name in ("copy", "move"):
            operation["from"] = _pointer(
                rng.choice([path for path in places(of.obj) if path[0] not in ("apiVersion", "kind")])
            )
        elif name != "remove":
            operation["value"] = None if value is DROP else value
        if rng.random() < 0.15 and path:
            operation["path"] = _pointer((*path[:-1], rng.choice(("-", 0, 5, "nope", -1))))
        if rng.random() < 0.05:
            operation = {**operation, rng.choice(("op", "path", "value", "from")): odd(rng, "x", {}, RAW_JSON)}
            operation = {key: item for key, item in operation.items() if item is not DROP}
        found.append(operation)
    return [_patch(rng, of, as_json(found), "application/json-patch+json")]


def subset(rng: random.Random, value: Any, of: Object | None, keep: float) -> Any:
    """Some members of an object; items of maps keep their keys."""
    of = schema.load().resolve(of or {})
    if isinstance(value, dict):
        kept = [name for name in value if rng.random() < keep]
        return {name: subset(rng, value[name], definition_at(of, (name,)), keep) for name in kept}
    if isinstance(value, list) and of.get("x-kubernetes-list-type") == "map":
        keys, inner = of.get("x-kubernetes-list-map-keys", []), of.get("items")
        chosen = [item for item in value if rng.random() < keep] or value[:1]
        return [
            {**{key: item[key] for key in keys if key in item}, **subset(rng, item, inner, keep)}
            if isinstance(item, dict)
            else item
            for item in chosen
        ]
    return copied(value)


def configuration(rng: random.Random, of: Base, changes: int | None = None) -> Object:
    """What a manager may apply."""
    rest = {name: item for name, item in of.obj.items() if name not in ("apiVersion", "kind", "metadata")}
    if rng.random() < 0.8:
        rest.pop("status", None)
    metadata = {name: item for name, item in of.obj["metadata"].items() if name != "name" and rng.random() < 0.5}
    made = {**metadata, "name": of.name}
    part = {
        "apiVersion": of.obj["apiVersion"],
        "kind": of.kind,
        "metadata": made,
        **subset(rng, rest, of.definition, rng.choice((0.3, 0.6, 0.9, 1))),
    }
    return mutated(rng, part, of.definition, RAW_YAML, changes)[0] if changes != 0 else part


def apply(rng: random.Random, of: Base) -> list[Ask]:
    """A configuration applied, to what is there or to nothing."""
    body = (as_yaml if rng.random() < 0.5 else as_json)(configuration(rng, of))
    name = of.path if rng.random() < 0.8 else f"{of.collection}/new"
    if name != of.path:
        body = body.replace(f'"{of.name}"'.encode(), b'"new"')
    return [_apply(rng, of, name, body, "dryRun=All")]


def _apply(rng: random.Random, of: Base, path: str, body: bytes, *more: str) -> Ask:
    sub = "/status" if "status" in of.subresources and path == of.path and rng.random() < 0.2 else ""
    query = _query(
        *more,
        f"fieldManager={rng.choice(MANAGERS)}",
        rng.choice(VALIDATIONS),
        "force=true" if rng.random() < 0.5 else "",
    )
    return Ask("PATCH", path + sub + query, body, {"Content-Type": "application/apply-patch+yaml"})


def sequence(rng: random.Random, of: Base) -> list[Ask]:
    """An object of several managers: made, applied to, updated, patched."""
    name = f"s{rng.randrange(10**9)}"
    own = Base(
        {**of.obj, "metadata": {**of.obj["metadata"], "name": name}},
        of.collection,
        name,
        of.definition,
        of.subresources,
    )
    valid = as_json(own.obj)
    first = Ask("POST", f"{own.collection}?fieldManager=m0", valid, {"Content-Type": "application/json"})
    found = [first] if rng.random() < 0.6 else []
    if not found:
        found.append(
            Ask("PATCH", f"{own.path}?fieldManager=m1", valid, {"Content-Type": "application/apply-patch+yaml"})
        )
    for _ in range(rng.choice((2, 3, 4))):
        step = rng.choice((apply, apply, update, merge, operations, "subset", "subset"))
        if step in (apply, "subset"):
            body = as_json(configuration(rng, own, 0 if step == "subset" else 1))
            found.append(_apply(rng, own, own.path, body))
        else:
            asked = step(rng, own)[0]
            path = asked.path.replace("dryRun=All", f"fieldManager={rng.choice(('m1', 'm3'))}")
            found.append(Ask(asked.method, path, asked.body, asked.headers))
    return found


STEPS = (create, create, update, update, merge, merge, operations, apply, apply)
__all__ = ["DRY_ONLY", "STEPS", "Ask", "Base", "Raw", "base", "load_objects", "sequence"]


def case(rng: random.Random, of: Base) -> list[Ask]:
    """What is asked of one object in turn."""
    if not of.stored:
        return create(rng, of)
    if of.kind not in DRY_ONLY and rng.random() < 0.15:
        return sequence(rng, of)
    return rng.choice(STEPS)(rng, of)
