"""Nodes: an agent registers its node together with the status; what configured agents through the API is gone."""

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object


def without_config(_: Request, obj: Object) -> None:
    """Drop `spec.configSource` and `status.config`, which no node has any more."""
    for part, name in (("spec", "configSource"), ("status", "config")):
        if name in (obj.get(part) or {}):
            obj[part] = {key: value for key, value in obj[part].items() if key != name}


def keep_config(request: Request, new: Object, old: Object) -> None:
    """What an update says of configuration is dropped in the same way."""
    without_config(request, new)
