"""Configuration files decoded strictly: members that are not known, and types that are not theirs, in Go's words.

A type is `string`, `duration`, `bool`, a list of one type, or a Struct.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Type = Any  # str | list[Type] | Struct


@dataclass(frozen=True)
class Struct:
    """A struct of Go, by the name that errors tell."""

    name: str
    fields: Mapping[str, Type]


def check_members(document: dict[str, Any], struct: Struct) -> None:
    """Raises ValueError with everything that is unknown, or the first member of another type."""
    unknown: list[str] = []
    for wrong in _problems(document, struct, "", "", unknown):
        raise ValueError(wrong)
    if unknown:
        raise ValueError("strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in unknown))


def _problems(value: dict[str, Any], struct: Struct, path: str, plain: str, unknown: list[str]) -> Iterator[str]:
    for name, member in value.items():
        at, bare = f"{path}.{name}" if path else str(name), f"{plain}.{name}" if plain else str(name)
        if name in struct.fields:
            yield from _member(member, struct.fields[name], struct.name, at, bare, unknown)
        elif path or name not in ("kind", "apiVersion"):
            unknown.append(at)


def _member(value: Any, of: Type, holder: str, path: str, plain: str, unknown: list[str]) -> Iterator[str]:
    if value is None:
        return
    if not _fits(value, of):
        yield f"json: cannot unmarshal {_kind(value)} into Go struct field {holder}.{plain} of type {_go(of)}"
    elif isinstance(of, list):
        for index, one in enumerate(value):
            yield from _member(one, of[0], holder, f"{path}[{index}]", plain, unknown)
    elif isinstance(of, Struct):
        yield from _problems(value, of, path, plain, unknown)


def _fits(value: Any, of: Type) -> bool:
    if isinstance(of, str):
        return isinstance(value, bool if of == "bool" else str)
    return isinstance(value, list if isinstance(of, list) else dict)


def _go(of: Type) -> str:
    if isinstance(of, list):
        return f"[]{_go(of[0])}"
    return {"duration": "string"}.get(of, of) if isinstance(of, str) else f"v1.{of.name}"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
    return "array" if isinstance(value, list) else "object"


_EXPRESSION = {"claim": "string", "expression": "string"}
_PREFIXED = Struct("PrefixedClaimOrExpression", {**_EXPRESSION, "prefix": "string"})
_MAPPINGS = {
    "username": _PREFIXED,
    "groups": _PREFIXED,
    "uid": Struct("ClaimOrExpression", _EXPRESSION),
    "extra": [Struct("ExtraMapping", {"key": "string", "valueExpression": "string"})],
}
_ISSUER = {
    "url": "string",
    "discoveryURL": "string",
    "certificateAuthority": "string",
    "audiences": ["string"],
    "audienceMatchPolicy": "string",
    "egressSelectorType": "string",
}
_CLAIM_RULE = {**_EXPRESSION, "requiredValue": "string", "message": "string"}
_JWT = {
    "issuer": Struct("Issuer", _ISSUER),
    "claimValidationRules": [Struct("ClaimValidationRule", _CLAIM_RULE)],
    "claimMappings": Struct("ClaimMappings", _MAPPINGS),
    "userValidationRules": [Struct("UserValidationRule", {"expression": "string", "message": "string"})],
}
_ANONYMOUS = {"enabled": "bool", "conditions": [Struct("AnonymousAuthCondition", {"path": "string"})]}
AUTHENTICATION = Struct(
    "AuthenticationConfiguration",
    {"jwt": [Struct("JWTAuthenticator", _JWT)], "anonymous": Struct("AnonymousAuthConfig", _ANONYMOUS)},
)
_WEBHOOK = {
    "authorizedTTL": "duration",
    "cacheAuthorizedRequests": "bool",
    "unauthorizedTTL": "duration",
    "cacheUnauthorizedRequests": "bool",
    "timeout": "duration",
    "subjectAccessReviewVersion": "string",
    "matchConditionSubjectAccessReviewVersion": "string",
    "failurePolicy": "string",
    "connectionInfo": Struct("WebhookConnectionInfo", {"type": "string", "kubeConfigFile": "string"}),
    "matchConditions": [Struct("WebhookMatchCondition", {"expression": "string"})],
}
_AUTHORIZER = {"type": "string", "name": "string", "webhook": Struct("WebhookConfiguration", _WEBHOOK)}
AUTHORIZATION = Struct("AuthorizationConfiguration", {"authorizers": [Struct("AuthorizerConfiguration", _AUTHORIZER)]})
