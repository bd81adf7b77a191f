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
ANOTHER = "_v2"  # after the name of a custom definition that is one of a built-in kind, too


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
    built_in = schema.load().definitions
    names: dict[GVK, str] = {}
    for served in custom:
        assert served.custom is not None
        info = served.info
        schema_of, selectable = served.custom.schema, served.custom.selectable
        made = publish.definitions(info.group, info.version, info.kind, info.list_kind, schema_of, selectable)
        others = {name: f"{name}{ANOTHER}" for name in made if name in built_in}
        for name, one in made.items():
            definitions[others.get(name, name)] = _referring(publish.for_v2(one) if reduced else one, others)
        for kind in (info.kind, info.list_kind):
            name = publish.definition_name(info.group, info.version, kind)
            names[(info.group, info.version, kind)] = others.get(name, name)
    return definitions, names


def _referring(value: Any, others: dict[str, str]) -> Any:
    """A definition that refers to what is called otherwise."""
    if not others:
        return value
    if isinstance(value, list):
        return [_referring(one, others) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: others.get(one, one) if name == "$ref" and isinstance(one, str) else _referring(one, others)
        for name, one in value.items()
    }


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
