"""Moves on one object, one after another: what several managers, agents and users do to it in any order.

Every move is made of the object as it was first; `@RV@` and `@UID@` stand for what the server asked has stored.
"""

import random
from collections.abc import Callable
from typing import Any

from fuzz_requests import (
    Ask,
    Base,
    apply,
    configuration,
    merge,
    operations,
    subset,
    update,
)
from fuzz_values import Object, as_json, as_yaml, at, copied, places

Move = Callable[[random.Random, Base], Ask]
APPLY = {"Content-Type": "application/apply-patch+yaml"}
JSON, MERGE, STRATEGIC = ({"Content-Type": f"application/{kind}+json"} for kind in
                          ("json-patch", "merge-patch", "strategic-merge-patch"))  # fmt: skip
MANAGERS = ("m1", "m2", "m3", "kubectl", "kubectl-client-side-apply")
VALIDATIONS = ("", "", "&fieldValidation=Strict", "&fieldValidation=Ignore", "&fieldValidation=Warn")
OTHER_VERSIONS = {
    "autoscaling/v2": ("autoscaling/v1",),
    "fuzz.example.com/v1": ("fuzz.example.com/v2",),
}
OF_METADATA: tuple[Any, ...] = (
    {"resourceVersion": "@RV@"}, {"resourceVersion": "1"}, {"resourceVersion": None}, {"resourceVersion": ""},
    {"uid": "@UID@"}, {"uid": "x"}, {"finalizers": ["a.b/c"]}, {"managedFields": []}, {"managedFields": [{}]},
    {"managedFields": None}, {"labels": None}, {"name": "x"}, None,
)  # fmt: skip
PRECONDITIONS: tuple[Object, ...] = (
    {"uid": "@UID@"}, {"uid": "x"}, {"resourceVersion": "@RV@"}, {"resourceVersion": "1"}, {},
    {"uid": "@UID@", "resourceVersion": "1"},
)  # fmt: skip
QUERIES = ("", "", "?propagationPolicy=Orphan", "?gracePeriodSeconds=0", "?dryRun=All", "?orphanDependents=true")
BODIES = ("application/json", "application/json; charset=utf-8", "application/cbor", "text/plain", "")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ACCEPTED = (
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/yaml",
    "application/cbor",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "*/*",
)


def _manager(rng: random.Random) -> str:
    return f"?fieldManager={rng.choice(MANAGERS)}{rng.choice(VALIDATIONS)}"


def _sub(rng: random.Random, of: Base, chance: float = 0.2) -> str:
    return "/status" if "status" in of.subresources and rng.random() < chance else ""


def _emptied(rng: random.Random, obj: Object, times: int = 1) -> Object:
    """Some members empty, null, or gone; items of lists doubled or turned round."""
    made = copied(obj)
    for _ in range(times):
        found = [
            path for path in places(made) if path[0] not in ("apiVersion", "kind") and path != ("metadata", "name")
        ]
        found = [path for path in found if path != ("metadata",)]
        if not found:
            break
        path = rng.choice(found)
        holder, value = at(made, path[:-1]), at(made, path)
        if isinstance(value, list) and value and rng.random() < 0.6:
            holder[path[-1]] = rng.choice(
                ([], value[1:], value[::-1], [*value, *copied(value)], [*value, None], value[:1])
            )
        elif rng.random() < 0.4:
            del holder[path[-1]]
        else:
            holder[path[-1]] = rng.choice((None, {}, [], "", 0))
    return made


def applied(rng: random.Random, of: Base) -> Ask:
    """A part of it applied, perhaps with members that are empty."""
    config = configuration(rng, of, 0)
    if rng.random() < 0.5:
        config = _emptied(rng, config, rng.choice((1, 1, 2)))
    force = "&force=true" if rng.random() < 0.5 else ""
    path = of.path
    manager = _manager(rng)
    if (others := OTHER_VERSIONS.get(str(of.obj["apiVersion"]))) and rng.random() < 0.3:
        other = rng.choice(others)
        path = path.replace(f"/{of.obj['apiVersion']}/", f"/{other}/")
        config["apiVersion"] = other
        if of.definition is not None:  # nobody applies two shapes
            manager = "?fieldManager=other"
    body = (as_yaml if rng.random() < 0.3 else as_json)(config)
    return Ask("PATCH", f"{path}{_sub(rng, of)}{manager}{force}", body, APPLY)


def applied_scale(rng: random.Random, of: Base) -> Ask:
    if "scale" not in of.subresources or of.definition is None:  # which Kubernetes cannot do for custom resources
        return applied(rng, of)
    spec = {"replicas": rng.choice((0, 1, 5, 99))}
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": of.name}, "spec": spec}
    body = _emptied(rng, body) if rng.random() < 0.2 else body
    force = "&force=true" if rng.random() < 0.5 else ""
    if rng.random() < 0.4:
        return Ask("PATCH", f"{of.path}/scale{_manager(rng)}&dryRun=All", as_json({"spec": body.get("spec")}), MERGE)
    return Ask("PATCH", f"{of.path}/scale{_manager(rng)}{force}&dryRun=All", as_json(body), APPLY)


def replaced(rng: random.Random, of: Base) -> Ask:
    """A PUT with a version that is right, stale, absent or none; a uid that is right or not."""
    obj = _emptied(rng, of.obj, rng.choice((0, 1, 2)))
    metadata = obj.setdefault("metadata", {"name": of.name}) or {}
    obj["metadata"] = metadata
    version = rng.choice(("@RV@", "@RV@", "@RV@", None, "", "1", "0", "x", 5))
    if version is not None:
        metadata["resourceVersion"] = version
    if rng.random() < 0.2:
        metadata["uid"] = rng.choice(("@UID@", "other", ""))
    if rng.random() < 0.15:
        metadata["managedFields"] = rng.choice(([], [{}], None, [{"manager": "x"}]))
    if rng.random() < 0.1:
        last = as_json(subset(rng, of.obj, of.definition, 0.6)).decode()
        metadata["annotations"] = {**(metadata.get("annotations") or {}), LAST_APPLIED: last}
    is_yaml = rng.random() < 0.15
    kind = rng.choice(BODIES) if rng.random() < 0.1 else "application/json"
    headers = {"Content-Type": "application/yaml" if is_yaml else kind}
    return Ask("PUT", f"{of.path}{_sub(rng, of)}{_manager(rng)}", (as_yaml if is_yaml else as_json)(obj), headers)


def merged(rng: random.Random, of: Base) -> Ask:
    """A merge patch of a part, with nulls."""
    part = subset(
        rng, {name: item for name, item in of.obj.items() if name not in ("apiVersion", "kind")}, of.definition, 0.5
    )
    part = _emptied(rng, part, rng.choice((1, 1, 2, 3)))
    kind = MERGE if of.definition is None or rng.random() < 0.5 else STRATEGIC
    if rng.random() < 0.15:
        part = {**part, "metadata": rng.choice(OF_METADATA)}
    return Ask("PATCH", f"{of.path}{_sub(rng, of)}{_manager(rng)}", as_json(part), kind)


def _pointer(path: tuple[Any, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def stepped(rng: random.Random, of: Base) -> Ask:
    """A JSON patch with every operation, escapes, ends of lists, tests."""
    found = [path for path in places(of.obj) if path[0] not in ("apiVersion", "kind")]
    steps: list[Object] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        path, other = rng.choice(found), rng.choice(found)
        value = at(of.obj, path)
        pointer = _pointer(path)
        if isinstance(value, list) and rng.random() < 0.6:
            pointer += rng.choice(("/-", "/0", f"/{len(value)}", f"/{len(value) + 1}", "/-1", "/00", "/x"))
            value = value[0] if value else "a"
        elif isinstance(value, dict) and rng.random() < 0.4:
            name = rng.choice(("new", "a/b", "a~b", "~1", "", "0"))
            pointer += _pointer((name,))
            value = rng.choice(("x", 1, None, {}))
        operation = rng.choice(("add", "add", "replace", "remove", "test", "copy", "move"))
        step: Object = {"op": operation, "path": pointer}
        if operation in ("copy", "move"):
            step["from"] = _pointer(other)
        elif operation != "remove":
            step["value"] = value if rng.random() < 0.8 else rng.choice((None, "z", 3, [], {}))
        steps.append(step)
    return Ask("PATCH", f"{of.path}{_sub(rng, of)}{_manager(rng)}", as_json(steps), JSON)


def deleted(rng: random.Random, of: Base) -> Ask:
    """A DELETE with options in its body or query."""
    options: Object = {
        "kind": "DeleteOptions",
        "apiVersion": rng.choice(("v1", "v1", "meta.k8s.io/v1", of.obj["apiVersion"])),
    }
    roll = rng.random()
    if roll < 0.5:
        options["preconditions"] = rng.choice(PRECONDITIONS)
    if rng.random() < 0.4:
        options["propagationPolicy"] = rng.choice(("Foreground", "Orphan", "Background", "x", ""))
    if rng.random() < 0.2:
        options["gracePeriodSeconds"] = rng.choice((0, 1, -1, 30))
    if rng.random() < 0.2:
        options["orphanDependents"] = rng.choice((True, False))
    if rng.random() < 0.5:
        options["dryRun"] = ["All"]
    if rng.random() < 0.1:
        member = rng.choice(("unknown", "dryRun", "ignoreStoreReadErrorWithClusterBreakingPotential"))
        options[member] = rng.choice((True, "x", []))
    query = rng.choice(QUERIES)
    body = None if rng.random() < 0.2 else as_json(options)
    return Ask("DELETE", of.path + query, body, {"Content-Type": "application/json"} if body else {})


def looked_at(rng: random.Random, of: Base) -> Ask:
    """A GET in another form; or a PATCH that is answered in one."""
    accept = {"Accept": rng.choice(ACCEPTED)}
    if rng.random() < 0.7:
        return Ask("GET", of.path + _sub(rng, of), None, accept)
    patch = {"metadata": {"labels": {"l": rng.choice("abc")}}}
    return Ask("PATCH", of.path + _manager(rng), as_json(patch), {**MERGE, **accept})


def again(rng: random.Random, of: Base) -> Ask:
    """A POST of what may be there."""
    obj = copied(of.obj)
    if rng.random() < 0.3:
        obj["metadata"] = {
            **obj["metadata"],
            "generateName": "generated-",
            "resourceVersion": rng.choice(("", "1", "0")),
        }
    return Ask("POST", of.collection + _manager(rng), as_json(obj), {"Content-Type": "application/json"})


def odd(rng: random.Random, of: Base) -> Ask:
    """What the other fuzzer does, for good."""
    asked = rng.choice((update, merge, operations, apply))(rng, of)[0]
    return Ask(
        asked.method, asked.path.replace("dryRun=All", _manager(rng)[1:].partition("&")[0]), asked.body, asked.headers
    )


MOVES: tuple[Move, ...] = (
    applied, applied, applied, applied, applied_scale, replaced, replaced, merged, merged, stepped, deleted,
    looked_at, again, odd,
)  # fmt: skip


def moves(rng: random.Random, of: Base) -> list[Ask]:
    """A sequence on an object of its own, which is looked at after every write."""
    name = f"s{rng.randrange(10**9)}"
    metadata = {key: item for key, item in of.obj["metadata"].items() if rng.random() < 0.7}
    own = Base({**of.obj, "metadata": {**metadata, "name": name}}, of.collection, name, of.definition, of.subresources)
    valid = as_json(own.obj)
    if rng.random() < 0.5:
        first = Ask("POST", f"{own.collection}?fieldManager=m0", valid, {"Content-Type": "application/json"})
    else:
        first = Ask("PATCH", f"{own.path}?fieldManager=m1", valid, APPLY)
    found = [first]
    for _ in range(rng.choice((2, 3, 4, 5))):
        found += [rng.choice(MOVES)(rng, own), Ask("GET", own.path, None)]
    return found
