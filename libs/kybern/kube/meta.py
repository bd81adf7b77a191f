"""ObjectMeta: small named readers over plain JSON objects.

An object is the dict its JSON decodes to. Readers never invent fields: absent means "" for strings, empty for
collections, None for times. Times are RFC 3339 in UTC, whole seconds for `Time` and microseconds for `MicroTime`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


def metadata(obj: Mapping[str, Any]) -> Object:
    """The object's metadata, or an empty dict (not attached to the object) when there is none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def name(obj: Mapping[str, Any]) -> str:
    return metadata(obj).get("name") or ""


def namespace(obj: Mapping[str, Any]) -> str:
    return metadata(obj).get("namespace") or ""


def generate_name(obj: Mapping[str, Any]) -> str:
    return metadata(obj).get("generateName") or ""


def uid(obj: Mapping[str, Any]) -> str:
    return metadata(obj).get("uid") or ""


def resource_version(obj: Mapping[str, Any]) -> str:
    return metadata(obj).get("resourceVersion") or ""


def generation(obj: Mapping[str, Any]) -> int:
    return metadata(obj).get("generation") or 0


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return metadata(obj).get("labels") or {}


def annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    return metadata(obj).get("annotations") or {}


def finalizers(obj: Mapping[str, Any]) -> list[str]:
    return metadata(obj).get("finalizers") or []


def kind(obj: Mapping[str, Any]) -> str:
    return obj.get("kind") or ""


def api_version(obj: Mapping[str, Any]) -> str:
    return obj.get("apiVersion") or ""


def group_version(api_version: str) -> tuple[str, str]:
    """Split "apps/v1" into ("apps", "v1") and "v1" into ("", "v1")."""
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", group)


def join_group_version(group: str, version: str) -> str:
    """The apiVersion: "apps/v1", or "v1" in the core group."""
    return f"{group}/{version}" if group else version


def gvk(obj: Mapping[str, Any]) -> tuple[str, str, str]:
    """Group, version and kind, as an object says."""
    return *group_version(api_version(obj)), kind(obj)


def creation_timestamp(obj: Mapping[str, Any]) -> datetime | None:
    return parse_time(metadata(obj).get("creationTimestamp"))


def deletion_timestamp(obj: Mapping[str, Any]) -> datetime | None:
    return parse_time(metadata(obj).get("deletionTimestamp"))


def deletion_grace_period(obj: Mapping[str, Any]) -> int | None:
    """metadata.deletionGracePeriodSeconds, or None when the object is not being deleted."""
    value = metadata(obj).get("deletionGracePeriodSeconds")
    return None if value is None else int(value)


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return bool(metadata(obj).get("deletionTimestamp"))


def owner_references(obj: Mapping[str, Any]) -> list[Object]:
    return metadata(obj).get("ownerReferences") or []


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """The one owner reference with controller: true, if any."""
    return next((ref for ref in owner_references(obj) if ref.get("controller")), None)


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    ref = controller_of(obj)
    return ref is not None and ref.get("uid") == uid(owner)


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> Object:
    """An owner reference to `owner`, blocking its foreground deletion when it is the controller."""
    ref: Object = {
        "apiVersion": api_version(owner),
        "kind": kind(owner),
        "name": name(owner),
        "uid": uid(owner),
    }
    if controller:
        ref |= {"controller": True, "blockOwnerDeletion": True}
    return ref


def key(obj: Mapping[str, Any]) -> str:
    """ "namespace/name", or "name" alone for cluster-scoped objects: the key of informers and work queues."""
    return join_key(namespace(obj), name(obj))


def join_key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def split_key(key: str) -> tuple[str, str]:
    """(namespace, name) of a key made by `key`; the namespace is "" for cluster-scoped objects."""
    namespace, slash, name = key.partition("/")
    return (namespace, name) if slash else ("", namespace)


def format_time(moment: datetime) -> str:
    """RFC 3339, UTC, whole seconds: Kubernetes' `Time`."""
    moment = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return moment.isoformat("T", "seconds")[:19] + "Z"


def format_micro_time(moment: datetime) -> str:
    """RFC 3339, UTC, always six fraction digits: Kubernetes' `MicroTime`."""
    return moment.astimezone(UTC).isoformat("T", "microseconds")[:26] + "Z"


def parse_time(text: str | None) -> datetime | None:
    """A `Time` or `MicroTime` as an aware datetime; None for absent. Raises ValueError for anything not RFC 3339."""
    if not text:
        return None
    moment = datetime.fromisoformat(_at_most_micros(text))
    if moment.tzinfo is None:
        raise ValueError(f'parsing time "{text}": no time zone')
    return moment


def _at_most_micros(text: str) -> str:
    """Cut nanosecond fractions, which datetime cannot hold, down to microseconds."""
    head, dot, tail = text.partition(".")
    if not dot:
        return text
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
