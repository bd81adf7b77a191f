"""The documents themselves: paths from operations, components from definitions, in OpenAPI v2 and v3."""

from collections.abc import Callable, Iterable
from typing import Any

from kybern.kube.openapi.operations import PATCH as PATCH_GVK
from kybern.kube.openapi.operations import Operation, operations, root
from kybern.kube.openapi.parameters import parameter
from kybern.kube.openapi.schemas import PATCH, PATCH_SCHEMA, component, reachable
from kybern.kube.schema import Definition, ResourceInfo, load

JSON = dict[str, Any]
VERSION = "v1.36.0"
_READ_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_CUSTOM_TYPES = ("application/json", "application/yaml")
_PATCH_TYPES = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)  # fmt: skip
_WATCH_TYPES = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
_INFO = {"title": "Kubernetes", "version": VERSION}
_CUSTOM_INFO = {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}
_TOKEN = {"type": "apiKey", "description": "Bearer Token authentication", "name": "authorization", "in": "header"}


def group_version_path(group: str, version: str) -> str:
    """The key of a group-version in the v3 index: `api/v1`, `apis/apps/v1`."""
    return root(group, version).removeprefix("/")


def v3(group: str, version: str) -> JSON | None:
    """The document of a built-in group-version, or None."""
    schema = load()
    infos = schema.in_group_version(group, version)
    if not infos:
        return None
    return document_v3(infos, schema.definitions, schema.names)


def v3_index(hash_of: Callable[[str], str], paths: Iterable[str] | None = None) -> JSON:
    """Where the documents are; `hash_of` a path changes whenever its document does, and lets clients cache it."""
    if paths is None:
        schema = load()
        paths = (group_version_path(group.name, version) for group in schema.groups for version in group.versions)
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={hash_of(path)}"} for path in paths}}


def v2() -> JSON:
    """The one document of all built-in kinds."""
    schema = load()
    return document_v2(schema.resources.values(), schema.definitions, schema.names)


def document_v3(
    infos: Iterable[ResourceInfo], definitions: dict[str, Definition], names: dict[tuple[str, str, str], str]
) -> JSON:
    """An OpenAPI v3 document of any resources; `names` maps group-version-kinds to definitions."""
    writer = _Writer({**names, PATCH_GVK: PATCH}, v3=True)
    found = list(operations(infos))
    paths, known = writer.paths(found), load().definitions
    schemas: JSON = {
        name: component(name, definitions[name], v3=True, custom=name not in known)
        for name in reachable(definitions, writer.used)
    }
    if PATCH in writer.used:
        schemas[PATCH] = PATCH_SCHEMA
    return {
        "openapi": "3.0.0",
        "info": _CUSTOM_INFO if all(operation.custom for operation in found) else _INFO,
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"BearerToken": _TOKEN}},
    }


def document_v2(
    infos: Iterable[ResourceInfo], definitions: dict[str, Definition], names: dict[tuple[str, str, str], str]
) -> JSON:
    """An OpenAPI v2 document of any resources, with every definition given."""
    writer = _Writer({**names, PATCH_GVK: PATCH}, v3=False)
    paths = writer.paths(operations(infos))
    known = load().definitions
    written: JSON = {
        name: component(name, schema, v3=False, custom=name not in known) for name, schema in definitions.items()
    }
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": paths,
        "definitions": {**written, PATCH: PATCH_SCHEMA},
        "securityDefinitions": {"BearerToken": _TOKEN},
        "security": [{"BearerToken": []}],
    }


class _Writer:
    """Writes operations as path items and remembers which definitions they use."""

    def __init__(self, names: dict[tuple[str, str, str], str], *, v3: bool) -> None:
        self.names = names
        self.v3 = v3
        self.used: set[str] = set()

    def paths(self, found: Iterable[Operation]) -> JSON:
        paths: JSON = {}
        for operation in found:
            item = paths.setdefault(operation.path, {})
            item[operation.method] = self.operation(operation)
            if "parameters" not in item:
                named = [name for name in ("name", "namespace") if f"{{{name}}}" in operation.path]
                item["parameters"] = [parameter(name, v3=self.v3) for name in (*named, "pretty")]
        return dict(sorted(paths.items()))

    def operation(self, operation: Operation) -> JSON:
        group, version, kind = operation.gvk
        written: JSON = {
            "tags": [operation.tag],
            "description": operation.said,
            "operationId": operation.id,
        }
        if operation.parameters:  # an empty list is not the same to clients that compare documents
            written["parameters"] = [parameter(name, v3=self.v3) for name in operation.parameters]
        written["x-kubernetes-action"] = operation.action
        written["x-kubernetes-group-version-kind"] = {"group": group, "version": version, "kind": kind}
        if self.v3:
            self._body_and_answer_v3(operation, written)
        else:
            self._body_and_answer_v2(operation, written)
        return written

    def _schema(self, gvk: tuple[str, str, str] | None) -> JSON:
        name = self.names.get(gvk) if gvk is not None else None
        if name is None:
            return {"type": "string"}
        self.used.add(name)
        return {"$ref": ("#/components/schemas/" if self.v3 else "#/definitions/") + name}

    def _types(self, operation: Operation) -> tuple[str, ...]:
        if operation.answer is None:
            return ("*/*",)
        if operation.custom:
            return _CUSTOM_TYPES
        return (*_READ_TYPES, *_WATCH_TYPES) if operation.action == "list" else _READ_TYPES

    def _body_and_answer_v3(self, operation: Operation, written: JSON) -> None:
        answer = self._schema(operation.answer)
        content = {kind: {"schema": answer} for kind in self._types(operation)}
        written["responses"] = {"401": {"description": "Unauthorized"}}
        for code, text in _codes(operation):
            written["responses"][code] = {"description": text, "content": content}
        if operation.body is not None:
            kinds = _body_types(operation)
            schema = self._schema(operation.body)
            written["requestBody"] = {"content": {kind: {"schema": schema} for kind in kinds}}
            if operation.action in ("post", "put", "patch"):
                written["requestBody"]["required"] = True

    def _body_and_answer_v2(self, operation: Operation, written: JSON) -> None:
        written["consumes"] = list(_body_types(operation))
        written["produces"] = list(self._types(operation))
        written["schemes"] = ["https"]
        answer = self._schema(operation.answer)
        written["responses"] = {"401": {"description": "Unauthorized"}}
        for code, text in _codes(operation):
            written["responses"][code] = {"description": text, "schema": answer}
        if operation.body is not None:
            body: JSON = {"name": "body", "in": "body", "schema": self._schema(operation.body)}
            if operation.action in ("post", "put", "patch"):
                body["required"] = True
            written.setdefault("parameters", []).insert(0, body)


def _body_types(operation: Operation) -> tuple[str, ...]:
    """Strategic merge patch is for built-in kinds; kubectl asks here whether it may use it."""
    if operation.action != "patch":
        return _CUSTOM_TYPES if operation.custom else ("*/*",)
    return tuple(name for name in _PATCH_TYPES if not operation.custom or "strategic" not in name)


def _codes(operation: Operation) -> tuple[tuple[str, str], ...]:
    match operation.action:
        case "post":
            return ("200", "OK"), ("201", "Created"), ("202", "Accepted")
        case "put":
            return ("200", "OK"), ("201", "Created")
        case "patch" if not operation.custom:
            return ("200", "OK"), ("201", "Created")
        case "delete":
            return ("200", "OK"), ("202", "Accepted")
    return (("200", "OK"),)
