"""Server-side apply: a configuration says which fields it wants; the server merges it and remembers who wants what."""

from dataclasses import replace
from typing import Any

import orjson
import yaml

from kybern.apiserver.core.managed_fields.managers import (
    APPLY,
    Kind,
    Manager,
    Managers,
    applied,
    conflicts,
)
from kybern.apiserver.registry.create import create_object
from kybern.apiserver.registry.decode import parse, prune, to_storage
from kybern.apiserver.registry.field_managers import kind_of, manager, managers_of, own_part, write
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change
from kybern.kube import schema
from kybern.kube.field import required
from kybern.kube.status import StatusError, bad_request, invalid, not_found

Object = dict[str, Any]
TYPE = "application/apply-patch+yaml"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL = "kubectl"


async def apply(request: Request, data: bytes, force: bool) -> tuple[bytes, bool]:
    """(bytes in the request's version, whether the object is new)."""
    if not request.field_manager:
        error = required("fieldManager", "is required for apply patch")
        raise invalid("meta.k8s.io", "PatchOptions", "", [error])
    config = _read(request, data)
    if request.served.storage.get(request.namespace, request.name) is None:
        return await _create(request, config), True

    async def produce(live: Object) -> Object:
        return _merged(request, live, config, force)

    return request.served.present(await change(request, produce, tracked=True)), False


def _read(request: Request, data: bytes) -> Object:
    """The configuration in storage version, without defaults. Raises StatusError (400)."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            raw = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from None
    config = parse(orjson.dumps(raw, default=str), request.served.info.gvk)
    prune(request, config, request.served.info.gvk)
    metadata = config["metadata"]
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    name = metadata.setdefault("name", request.name)
    if name != request.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({request.name})")
    if not request.served.is_stored_version:
        config = schema.convert(config, request.served.stored.api_version)
    return config


async def _create(request: Request, config: Object) -> bytes:
    if request.subresource:
        raise not_found(request.group, request.resource, request.name)
    request.check("create")
    if config["metadata"].get("uid"):
        raise not_found(request.group, request.resource, request.name)
    paths = own_part(request, frozenset(kind_of(request.served.stored.gvk).leaves(config)))
    obj = to_storage(request, orjson.loads(orjson.dumps(config)))
    write(obj, {manager(request, APPLY): frozenset(paths)})
    return request.served.present(await create_object(request, obj, tracked=True))


def _merged(request: Request, live: Object, config: Object, force: bool) -> Object:
    kind = kind_of(request.served.stored.gvk)
    who, known = manager(request, APPLY), managers_of(request, live)
    base = {**live, "metadata": {k: v for k, v in live["metadata"].items() if k != "resourceVersion"}}
    wanted = _limited(request, config)
    force = force or _was_applied_by_kubectl(request, live, wanted, known, who, kind)
    obj, managers = applied(base, wanted, known, who, kind, force)
    obj = orjson.loads(orjson.dumps(obj))
    version = config["metadata"].get("resourceVersion")
    if version:
        obj["metadata"]["resourceVersion"] = version
    write(obj, _times(managers, known))
    return to_storage(request, obj)


def _limited(request: Request, config: Object) -> Object:
    """The part of a configuration that the endpoint can change."""
    if "status" not in request.served.stored.subresources:
        return config
    if request.subresource != "status":
        return {member: value for member, value in config.items() if member != "status"}
    return {member: config[member] for member in ("kind", "apiVersion", "metadata", "status") if member in config}


def _times(managers: Managers, before: Managers) -> Managers:
    """A manager whose fields are the same keeps its time, so that applying twice writes once."""
    times = {manager: manager.time for manager in before}
    return {
        replace(manager, time=times[manager]) if manager in times and before[manager] == paths else manager: paths
        for manager, paths in managers.items()
    }


def _was_applied_by_kubectl(
    request: Request, live: Object, config: Object, known: Managers, who: Manager, kind: Kind
) -> bool:
    """kubectl may take over what its own client-side apply has written, and nothing else."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    if not text or request.field_manager != KUBECTL:
        return False
    try:
        last = parse(text.encode(), request.served.info.gvk)
    except StatusError:
        return False
    before = set(kind.leaves(last))
    lost = conflicts(known, who, kind.leaves(config), kind.leaves(live))
    return all(path in before for paths in lost.values() for path in paths)
