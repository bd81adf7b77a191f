"""Server-side apply: a configuration says which fields it wants; the server merges it and remembers who wants what."""

from typing import Any

import orjson
import yaml

from kybern.apiserver.registry.create import create_object
from kybern.apiserver.registry.decode import prune, repeated, to_storage
from kybern.apiserver.registry.field_managers import kind_of, settled
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategies.scale import GVK as SCALE
from kybern.apiserver.registry.strategies.scale import replicas_of, scale_of, with_replicas
from kybern.apiserver.registry.update import change, need_version, read_version
from kybern.kube import managed_fields, meta, recognize, schema
from kybern.kube.document_limits import TooDeep, check_depth, load_yaml, yaml_error
from kybern.kube.field import required
from kybern.kube.go_yaml import GoLoader
from kybern.kube.managed_fields import built_in
from kybern.kube.status import StatusError, bad_request, conflict, invalid, not_found, status_error

Object = dict[str, Any]
GVK = tuple[str, str, str]
TYPE = "application/apply-patch+yaml"


async def apply(request: Request, data: bytes, force: bool) -> tuple[bytes, bool]:
    """(bytes in the request's version, whether the object is new). Raises StatusError (400, 404, 409, 422)."""
    need_manager(request)
    request.applying = True
    config = read(data, request.served.info.gvk)
    if request.served.storage.get(request.namespace, request.name) is None:
        try:
            return await _create(request, config), True
        except StatusError as error:
            if error.reason != "AlreadyExists":  # somebody else was faster: it is there now
                raise

    async def produce(stored: Object) -> Object:
        live = schema.convert(stored, request.served.info.api_version)
        applied = await settled(request, lambda: _apply(request, live, config, force))
        if request.served.custom is None and _same(applied, live):  # nor is it read in the request's version
            managed = (
                {"managedFields": applied["metadata"]["managedFields"]}
                if applied["metadata"].get("managedFields")
                else {}
            )
            rest = {name: value for name, value in stored["metadata"].items() if name != "managedFields"}
            obj = {**stored, "metadata": {**rest, **managed}}
            obj["metadata"].pop("resourceVersion", None)
        else:
            obj = _settled(request, live, config, applied)
        _check_strict(request)
        _check_name(request, config)
        if "resourceVersion" in config["metadata"]:
            need_version(request, obj)
        return obj

    return request.served.present(await change(request, produce, tracked=True)), False


async def apply_scale(request: Request, data: bytes, force: bool) -> bytes:
    """Apply of a Scale: its replicas become its manager's, through the subresource. The Scale."""
    need_manager(request)
    scale = read(data, SCALE)
    wrong = managed_fields.check(built_in().named(schema.load().names[SCALE]), scale)
    if wrong:
        raise _not_typed(scale, wrong)
    _check_name(request, scale)
    info = request.served.info
    config: Object = {"apiVersion": info.api_version, "kind": info.kind, "metadata": scale["metadata"]}
    replicas = replicas_of(scale)
    if replicas is not None:
        config = with_replicas(config, replicas, request.served.custom)

    async def produce(stored: Object) -> Object:
        live = schema.convert(stored, info.api_version)
        applied = await settled(request, lambda: _apply(request, live, config, force, "autoscaling/v1"))
        return _settled(request, live, config, applied)

    return orjson.dumps(scale_of(orjson.loads(await change(request, produce, tracked=True)), request.served.custom))


def need_manager(request: Request) -> None:
    """Raises StatusError (422)."""
    if not request.field_manager:
        error = required("fieldManager", "is required for apply patch")
        raise invalid("meta.k8s.io", "PatchOptions", "", [error])


def read(data: bytes, gvk: tuple[str, str, str]) -> Object:
    """The configuration, JSON or YAML, of the kind and version of the request. Raises StatusError (400)."""
    try:
        config = orjson.loads(data)
        check_depth(config, data)
    except TooDeep as error:
        raise bad_request(f"error decoding YAML: {error}") from None
    except orjson.JSONDecodeError:
        try:
            config = load_yaml(data, GoLoader)
            config = orjson.loads(orjson.dumps(config, default=str, option=orjson.OPT_NON_STR_KEYS))
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise bad_request(
                f"error decoding YAML: error converting YAML to JSON: {yaml_error(error, data)}"
            ) from None
    if config is None:
        config = {}
    if not isinstance(config, dict):
        why = f"json: cannot unmarshal {recognize.go_type(config)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    if _identity(config) != gvk:
        raise bad_request(f"invalid object type: {_shown(config)}")
    if config.get("metadata") is None:
        config["metadata"] = {}
    return config


def _identity(config: Object) -> tuple[str, str, str]:
    """Group, version and kind; what is no text says nothing."""
    api_version, kind = (value if isinstance(value := config.get(name), str) else "" for name in ("apiVersion", "kind"))
    if api_version.count("/") > 1:
        return "", "", ""
    group, _, version = api_version.rpartition("/")
    return group, version, kind


def _shown(config: Object) -> str:
    group, version, kind = _identity(config)
    return f"{group}/{version}, Kind={kind}" if group or version else f"/, Kind={kind}"


def _check_strict(request: Request) -> None:
    """Refuse, or warn of, keys that the YAML gives twice. Raises StatusError (400)."""
    if request.strict_errors and request.field_validation == "Strict":
        raise bad_request(f"error strict decoding YAML: error converting YAML to JSON: {repeated(request)}")
    request.warnings[:] = request.strict_errors


def _not_typed(config: Object, wrong: str) -> StatusError:
    return status_error(400, "", f"failed to create typed patch object ({managed_fields.described(config)}): {wrong}")


def _check_name(request: Request, config: Object) -> None:
    metadata = config["metadata"]
    if "name" in metadata and not metadata["name"]:
        why = "was undeterminable: name must be provided"
        raise bad_request(f"the name of the object ({request.name} based on URL) {why}")
    name = metadata.get("name") or request.name
    if name != request.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({request.name})")
    namespace = config["metadata"].get("namespace")
    if request.served.info.namespaced and namespace not in (None, "", request.namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _apply(request: Request, live: Object | None, config: Object, force: bool, seen_as: str = "") -> Object:
    kind = kind_of(request.served, request.subresource)
    return managed_fields.apply(
        kind, live, config, request.field_manager, meta.format_time(request.now),
        force=force, subresource=request.subresource, seen_as=seen_as,
    )  # fmt: skip


async def _create(request: Request, config: Object) -> bytes:
    if not request.subresource:
        request.check("create")
    elif not request.served.strategy.create_on_update:
        raise not_found(request.group, request.resource, request.name)
    applied = _apply(request, None, config, False)
    obj = _settled(request, None, config, applied)
    _check_strict(request)
    if request.subresource:
        raise not_found(request.group, request.resource, request.name)
    if uid := config["metadata"].get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(request.group, request.resource, request.name, why)
    _check_name(request, config)
    if not config["metadata"].get("name"):
        why = "was undeterminable: name must be provided"
        raise bad_request(f"the name of the object ({request.name} based on URL) {why}")
    read_version(config["metadata"].get("resourceVersion") or "")
    return request.served.present(await create_object(request, obj, tracked=True))


def _settled(request: Request, live: Object | None, config: Object, applied: Object) -> Object:
    """The applied object decoded and with defaults, in storage version; a copy that shares nothing."""
    obj: Object = orjson.loads(orjson.dumps(applied))

    def refuse(gvk: GVK, problem: schema.DecodeError | str) -> StatusError:
        what, detail = managed_fields.described(config), getattr(problem, "restoring", problem)
        why = f"unable to convert unstructured object to {what.partition('; ')[2]}: {detail}"
        return status_error(400, "", f"failed to convert new object ({what}) to proper version: {why}")

    prune(request, obj, request.served.info.gvk, refuse=refuse, restored=True)
    if live is not None and not config["metadata"].get("resourceVersion"):
        obj["metadata"].pop("resourceVersion", None)
    if request.served.custom is None:
        return to_storage(request, obj)
    if obj.get("status") is None:
        obj.pop("status", None)
    if live is None or not _same(applied, live):  # as upstream: what changes nothing brings no defaults
        request.served.custom.fill(obj)  # nulls that an applier sets are judged as they are
    return request.served.to_storage(obj)


def _same(applied: Object, live: Object) -> bool:
    """Whether nothing but managers differs."""
    bare = [{**one, "metadata": {**one["metadata"], "managedFields": None}} for one in (applied, live)]
    return bare[0] == bare[1]
