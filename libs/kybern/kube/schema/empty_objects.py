"""An object that nobody has written into, as Go writes it: with the members that are never left out.

Such objects are what bookmarks of watches carry.
"""

from functools import cache
from typing import Any

from kybern.kube.schema.table import GVK, load

_COUNTED = ("Deployment", "ReplicaSet", "StatefulSet")  # whose replicas are no pointer inside of upstream's server


@cache
def empty_object(gvk: GVK) -> dict[str, Any]:
    """What an empty object of a kind has beside kind, apiVersion and metadata; read-only."""
    name = load().names.get(gvk)
    found = {} if name is None else {member: value for member, value in _empty(name).items() if member != "metadata"}
    if gvk[0] == "apps" and gvk[2] in _COUNTED:
        found["spec"]["replicas"] = 0
    return found


def _empty(name: str) -> dict[str, Any]:
    schema = load()
    properties = schema.definitions[name].get("properties", {})
    zeros = schema.zeros.get(name)
    found = {} if zeros is None else dict(zeros.keeps)
    for member, value in found.items():
        reference = properties.get(member, {}).get("$ref", "")
        if value == {} and reference:
            found[member] = _empty(reference)
    return found
