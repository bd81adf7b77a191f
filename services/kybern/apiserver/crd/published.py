"""OpenAPI of custom resources: their definitions beside those of built-in kinds."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from kybern.apiserver.registry.resource_table import Served
from kybern.kube import openapi, schema
from kybern.kube.structural import publish

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

GVK = tuple[str, str, str]
Definitions = dict[str, dict[str, Any]]


def of_group_version(server: "ApiServer", group: str, version: str) -> list[Served]:
    """The custom resources of a group-version."""
    return [served for served in server.table.in_group_version(group, version) if served.custom is not None]


def of_everything(server: "ApiServer") -> list[Served]:
    """Every custom resource."""
    return [served for served in server.table.served.values() if served.custom is not None]


def digest(custom: Iterable[Served]) -> str:
    """Changes when the definitions do."""
    digest = hashlib.sha256()
    for served in custom:
        assert served.custom is not None
        info = served.info
        shown = [info.gvr, info.kind, info.namespaced, sorted(info.verbs), sorted(info.subresources)]
        digest.update(orjson.dumps([shown, served.custom.schema, served.custom.selectable]))
    return digest.hexdigest()


def _definitions(custom: Iterable[Served], *, reduced: bool) -> tuple[Definitions, dict[GVK, str]]:
    definitions: Definitions = {}
    names: dict[GVK, str] = {}
    for served in custom:
        assert served.custom is not None
        info = served.info
        schema_of, selectable = served.custom.schema, served.custom.selectable
        made = publish.definitions(info.group, info.version, info.kind, info.list_kind, schema_of, selectable)
        definitions |= {name: publish.for_v2(one) if reduced else one for name, one in made.items()}
        for kind in (info.kind, info.list_kind):
            names[(info.group, info.version, kind)] = publish.definition_name(info.group, info.version, kind)
    return definitions, names


def v3(group: str, version: str, custom: list[Served]) -> Any:
    """The document of a group-version; None if there is no such thing."""
    if not custom:
        return openapi.v3(group, version)
    loaded = schema.load()
    definitions, names = _definitions(custom, reduced=False)
    infos = [*loaded.in_group_version(group, version), *(served.info for served in custom)]
    return openapi.document_v3(infos, {**loaded.definitions, **definitions}, {**loaded.names, **names})


def v2(custom: list[Served]) -> Any:
    """The one document of everything."""
    if not custom:
        return openapi.v2()
    loaded = schema.load()
    definitions, names = _definitions(custom, reduced=True)
    infos = [*loaded.resources.values(), *(served.info for served in custom)]
    return openapi.document_v2(infos, {**loaded.definitions, **definitions}, {**loaded.names, **names})
