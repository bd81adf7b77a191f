"""OpenAPI v3 made from v2, for servers that publish only that: what both have, moved to where v3 has it.

Something is lost, as upstream: parameters keep type, format and uniqueness alone, and only a parameter that is called
`body` becomes the body of the request.
"""

from typing import Any

JSON = dict[str, Any]
V2_PREFIX, V3_PREFIX = "#/definitions/", "#/components/schemas/"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_OPERATION = ("tags", "summary", "description", "externalDocs", "operationId", "deprecated")
_PARAMETER = ("name", "in", "description", "required", "allowEmptyValue")
_FLAT = ("type", "format", "uniqueItems")


def v2_to_v3(document: JSON) -> JSON:
    """The whole document."""
    found: JSON = {"openapi": "3.0.0", **_pick(document, ("info", "externalDocs"))}
    produces = document.get("produces") or []
    paths = document.get("paths")
    if isinstance(paths, dict):
        found["paths"] = {at: item if at.startswith("x-") else path_item(item) for at, item in paths.items()}
    components: JSON = {}
    if isinstance(definitions := document.get("definitions"), dict):
        components["schemas"] = {name: schema(one) for name, one in definitions.items()}
    if isinstance(responses := document.get("responses"), dict):
        components["responses"] = {name: response(one, produces) for name, one in responses.items()}
    if isinstance(security := document.get("securityDefinitions"), dict):
        components["securitySchemes"] = {name: security_scheme(one) for name, one in security.items()}
    found["components"] = components
    return found


def schema(given: Any) -> Any:
    """A schema, its references pointing to components; one with siblings is wrapped, since v3 would ignore those."""
    if not isinstance(given, dict):
        return given
    found = dict(given)
    reference = found.get("$ref")
    if isinstance(reference, str) and V2_PREFIX in reference:
        found["$ref"] = V3_PREFIX + reference.partition(V2_PREFIX)[2]
    if isinstance(properties := found.get("properties"), dict):
        found["properties"] = {name: schema(one) for name, one in properties.items()}
    for member in ("items", "additionalProperties", "additionalItems"):
        value = found.get(member)
        if isinstance(value, list):
            found[member] = [schema(one) for one in value]
        elif isinstance(value, dict):
            found[member] = schema(value)
    if "$ref" in found and len(found) > 1:
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    return found


def path_item(given: Any) -> Any:
    """The operations of a path."""
    if not isinstance(given, dict):
        return given
    found = _pick(given, ("$ref",)) | _extensions(given)
    found |= {method: operation(given[method]) for method in METHODS if isinstance(given.get(method), dict)}
    if given.get("parameters"):
        found["parameters"] = [parameter(one) for one in given["parameters"]]
    return found


def operation(given: JSON) -> JSON:
    """One operation: its body among the parameters, media types at the operation."""
    found = _pick(given, _OPERATION) | _extensions(given)
    others: list[JSON] = []
    for one in given.get("parameters") or ():
        if one.get("name") == "body" and one.get("schema") is not None:
            consumes = given.get("consumes") or ()
            content = {media: {"schema": schema(one["schema"])} for media in consumes}
            found["requestBody"] = {"content": content} if content else {}
        else:
            others.append(parameter(one))
    if others:
        found["parameters"] = others
    answers = given.get("responses") or {}
    produces = given.get("produces") or []
    found["responses"] = {
        code: one if code.startswith("x-") else response(one, produces) for code, one in answers.items()
    }
    return found


def response(given: JSON, produces: list[str]) -> JSON:
    """A response with its schema once for each media type."""
    found: JSON = _extensions(given)
    if "$ref" in given:
        return {**found, "$ref": given["$ref"].replace("#/responses/", "#/components/responses/", 1)}
    found["description"] = given.get("description") or ""
    if given.get("schema") is not None and produces:
        found["content"] = {media: {"schema": schema(given["schema"])} for media in produces}
    return found


def parameter(given: JSON) -> JSON:
    """A parameter with a schema."""
    if "$ref" in given:
        return {"$ref": given["$ref"].replace("#/parameters/", "#/components/parameters/", 1)}
    flat = _pick(given, _FLAT)
    own = schema(given["schema"]) if given.get("schema") is not None else flat
    return {**_pick(given, _PARAMETER), **_extensions(given), "schema": own}


def security_scheme(given: JSON) -> JSON:
    """How clients may authenticate."""
    found = _pick(given, ("type", "description", "name", "in")) | _extensions(given)
    flow = given.get("flow")
    if flow:
        found["flows"] = {flow: _pick(given, ("authorizationUrl", "tokenUrl", "scopes"))}
    return found


def _pick(given: JSON, members: tuple[str, ...]) -> JSON:
    return {member: given[member] for member in members if given.get(member) not in (None, "", False, [])}


def _extensions(given: JSON) -> JSON:
    return {member: value for member, value in given.items() if member.startswith("x-")}
