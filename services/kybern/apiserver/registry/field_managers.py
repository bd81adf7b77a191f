"""metadata.managedFields on ordinary writes: every create, update and patch records who set which field."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from kybern.apiserver.crd.conversion import Conversion, Unconverted
from kybern.apiserver.registry.request import UNKNOWN, Request
from kybern.apiserver.registry.reset_fields import reset_fields
from kybern.apiserver.registry.resource_table import Served
from kybern.kube import managed_fields, meta, schema
from kybern.kube.managed_fields import (
    Kind,
    Lens,
    ManagedFieldsError,
    NoSuchVersion,
    Type,
    built_in,
    name_from_user_agent,
)
from kybern.kube.structural import CustomKind

T = TypeVar("T")
Object = dict[str, Any]
KUBELET = "kubelet"
INVALID_AFTER_ADMISSION = (
    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating "
    "admission controller; please fix your requests"
)


@lru_cache(maxsize=1024)
def kind_of(served: Served, subresource: str) -> Kind:
    """A kind as one of its endpoints writes it."""
    info = served.info

    def lens(api_version: str) -> Lens | None:
        if served.custom is not None and api_version not in served.custom.api_versions:
            raise NoSuchVersion(api_version)
        if served.conversion is not None:
            return _through_webhook(served.conversion, api_version)
        if served.custom is not None:
            return Lens(_type(served))
        group, version = meta.group_version(api_version)
        other = schema.kind(group, version, info.kind)
        if other is None:
            return None
        if schema.same_shape(info.kind, info.api_version, api_version):
            return Lens(_type_of(other.gvk))
        return Lens(_type_of(other.gvk), lambda obj: schema.convert(obj, api_version))

    def back(obj: Object) -> Object:
        if served.conversion is not None:
            return served.conversion.converted(obj, info.api_version)
        return schema.convert(obj, info.api_version)

    reset = reset_fields(served.stored, subresource, served.custom is not None)
    return Kind(_type(served), info.api_version, reset, lens, served.custom is not None, back)


@lru_cache(maxsize=1024)
def _type(served: Served) -> Type:
    if served.custom is None:
        return _type_of(served.info.gvk)
    return _custom_type(served.custom)


def _custom_type(custom: CustomKind) -> Type:
    open_ended = {"x-kubernetes-preserve-unknown-fields": True} if custom.preserve else {}
    return built_in().root({**custom.schema, **open_ended})


@lru_cache(maxsize=1024)
def _through_webhook(conversion: Conversion, api_version: str) -> Lens | None:
    custom = conversion.kinds.get(api_version)
    if custom is None:
        return None
    return Lens(_custom_type(custom), lambda obj: conversion.converted(obj, api_version))


async def settled(request: Request, work: Callable[[], T]) -> T:
    """What `work` computes; it begins again when it needs an object in a version that a webhook has to be asked for."""
    conversion = request.served.conversion
    while True:
        try:
            return work()
        except Unconverted as missing:
            assert conversion is not None
            await conversion.learn(missing)


def _type_of(gvk: tuple[str, str, str]) -> Type:
    return built_in().named(schema.load().names[gvk])


def writer(request: Request) -> str:
    """The manager of a request: its fieldManager, else the first word of its user agent; of services who they are."""
    name = request.field_manager or name_from_user_agent(request.user_agent)
    if name or request.user_agent:
        return name or UNKNOWN
    return KUBELET if request.user.node else request.user.name.rpartition(":")[2]


def track_create(request: Request, obj: Object) -> None:
    """Record who has written a new object."""
    _track(request, obj, None)


def track_body(request: Request, obj: Object, gvk: tuple[str, str, str]) -> None:
    """Record who has sent the body of a subresource of another kind; the answer tells it."""
    kind = Kind(_type_of(gvk), obj["apiVersion"], {}, lambda api_version: None)
    now = meta.format_time(request.now)
    managed_fields.track_update(kind, None, obj, writer(request), request.subresource, now)


def track_update(request: Request, new: Object, old: Object) -> None:
    """Record who has changed what."""
    _track(request, new, old)


def check_admitted(request: Request, obj: Object, recorded: Any) -> None:
    """Put back what was recorded if a mutating admission plugin has made it unreadable."""
    found = obj["metadata"].get("managedFields")
    if found is recorded or found == recorded:
        return
    try:
        managed_fields.read(found)
    except ManagedFieldsError as error:
        obj["metadata"]["managedFields"] = recorded or []
        request.warnings.append(f"{INVALID_AFTER_ADMISSION}: {error}")


def _track(request: Request, new: Object, old: Object | None) -> None:
    served, subresource = request.served, request.subresource
    kind, now = kind_of(served, subresource), request.timestamp
    if served.is_stored_version or schema.same_shape(new["kind"], served.stored.api_version, kind.api_version):
        managed_fields.track_update(kind, old, new, writer(request), subresource, now)
        return
    seen = schema.convert(new, kind.api_version)
    before = None if old is None else schema.convert(old, kind.api_version)
    seen = {**seen, "metadata": dict(seen["metadata"])}
    managed_fields.track_update(kind, before, seen, writer(request), subresource, now)
    new["metadata"].pop("managedFields", None)
    if "managedFields" in seen["metadata"]:
        new["metadata"]["managedFields"] = seen["metadata"]["managedFields"]
