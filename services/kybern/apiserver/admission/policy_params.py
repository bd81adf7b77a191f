"""Parameters: the objects that a binding hands to its policy, by name or by labels."""

from functools import lru_cache
from typing import Any

import orjson

from kybern.apiserver.admission.plugin import Object
from kybern.apiserver.admission.policy_compiled import Binding, Policy
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.storage.entry import Entry
from kybern.kube.managed_fields import gvk_text
from kybern.kube.selectors import from_label_selector


class ConfigurationError(Exception):
    """A policy or binding cannot be carried out as it is written; the message is upstream's."""


@lru_cache(maxsize=1024)
def decoded(data: bytes) -> Object:
    """An object to read, not to change."""
    obj: Object = orjson.loads(data)
    return obj


def param_resource(request: Request, policy: Policy) -> Served | None:
    """The resource of a policy's parameters; None if it has none. Raises ConfigurationError if it is not served."""
    kind = policy.param_kind
    if kind is None:
        return None
    served = request.server.table.of_kind(kind.get("apiVersion") or "", kind.get("kind") or "")
    if served is None or served.cacher is None:
        raise ConfigurationError(
            "failed to configure policy: failed to find resource referenced by paramKind: "
            f"'{gvk_text({'apiVersion': kind.get('apiVersion'), 'kind': kind.get('kind')})}'"
        )
    return served


async def params_of(request: Request, served: Served | None, binding: Binding) -> list[Object | None]:
    """What to evaluate a policy with, once for each: [None] without parameters. Raises ConfigurationError."""
    if served is None or binding.param_ref is None:
        return [None]
    found = [await _in_version(entry, served) for entry in _entries(request, binding.param_ref, served)]
    if found:
        return list(found)
    if binding.param_ref.get("parameterNotFoundAction") == "Allow":
        return []
    raise ConfigurationError(
        "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    )


def _entries(request: Request, ref: Object, served: Served) -> list[Entry]:
    namespace = ref.get("namespace") or ""
    if served.info.namespaced:
        namespace = namespace or (request.namespace if request.served.info.namespaced else "")
        if not namespace:
            raise ConfigurationError(
                "failed to configure binding: cannot use namespaced paramRef in policy binding that matches "
                "cluster-scoped resources"
            )
    elif namespace:
        raise ConfigurationError(
            "failed to configure binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
        )
    cacher = served.storage
    if ref.get("name"):
        entry = cacher.get(namespace, ref["name"])
        return [] if entry is None else [entry]
    selector: Any = from_label_selector(ref.get("selector"))
    entries = (cacher.entries[key] for key in sorted(cacher.entries))
    return [entry for entry in entries if entry.namespace == namespace and selector.matches(entry.labels)]


async def _in_version(entry: Entry, served: Served) -> Object:
    if served.conversion is not None:
        entry = await served.conversion.entry(entry, served.info.api_version)
        return decoded(entry.data)
    found = decoded(served.present(entry.data))
    return _untracked(found) if served.custom is None else found


def _untracked(obj: Object) -> Object:
    """An object without its managed fields, as Kubernetes keeps parameters of its own kinds."""
    return {**obj, "metadata": {name: one for name, one in obj["metadata"].items() if name != "managedFields"}}
