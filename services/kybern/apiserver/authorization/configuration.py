"""AuthorizationConfiguration: the file of --authorization-config, with any number of webhooks among the authorizers."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from kybern.apiserver.authorization.webhook import AccessSettings, MatchConditions
from kybern.apiserver.core.strict_members import AUTHORIZATION, check_members
from kybern.apiserver.core.well_formed import well_formed
from kybern.apiserver.webhooks.kubeconfig import Remote, read_kubeconfig
from kybern.kube.cel import CompileError, Program, compiler
from kybern.kube.cel.shapes import ListOf, MapOf, Scalar, Shape, Structs, struct
from kybern.kube.duration import format_go, parse_go
from kybern.kube.field import FieldError, Struct, duplicate, invalid, not_supported, required, too_many
from kybern.kube.validation.names import dns1123_subdomain

Object = dict[str, Any]
VERSIONS = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
KINDS = ("Webhook", "Node", "RBAC", "ABAC", "AlwaysAllow", "AlwaysDeny")
ONCE = KINDS[1:]
POLICIES = ("NoOpinion", "Deny")
MOST_CONDITIONS = 64
MOST_SECONDS = 30.0
TTLS = {"authorized": 300.0, "unauthorized": 30.0}


@dataclass
class Reading:
    """What was found so far, and what is wrong with it."""

    folder: Path
    modes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    webhooks: list[AccessSettings] = field(default_factory=list)
    errors: list[FieldError] = field(default_factory=list)


@well_formed("the AuthorizationConfiguration")
def read_configuration(path: Path, data: bytes | None = None) -> tuple[tuple[str, ...], tuple[AccessSettings, ...]]:
    """(modes in order, the webhooks among them) of a file or its data. Raises OSError, ValueError with a sentence."""
    try:
        config = yaml.safe_load(path.read_bytes() if data is None else data)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(config, dict) or config.get("kind") != "AuthorizationConfiguration":
        raise ValueError("not an AuthorizationConfiguration")
    if config.get("apiVersion") not in VERSIONS:
        raise ValueError(f'apiVersion: "{config.get("apiVersion") or ""}" is none of {", ".join(VERSIONS)}')
    check_members(config, AUTHORIZATION)
    authorizers = config.get("authorizers") or []
    if not authorizers:
        raise ValueError("authorizers: Required value: at least one authorization mode must be defined")
    reading = Reading(path.parent)
    for index, one in enumerate(authorizers):
        _authorizer(one or {}, f"authorizers[{index}]", reading)
    if reading.errors:
        told = list(dict.fromkeys(map(str, reading.errors)))
        raise ValueError(told[0] if len(told) == 1 else f"[{', '.join(told)}]")
    return tuple(reading.modes), tuple(reading.webhooks)


def _authorizer(one: Object, at: str, reading: Reading) -> None:
    kind, name, errors = one.get("type") or "", one.get("name") or "", reading.errors
    if not kind:
        errors.append(required(f"{at}.type"))
        return
    if kind not in KINDS:
        errors.append(not_supported(f"{at}.type", kind, KINDS))
        return
    if kind in ONCE and kind in reading.modes:
        errors.append(duplicate(f"{at}.type", kind))
        return
    if not name:
        errors.append(required(f"{at}.name"))
    elif name in reading.names:
        errors.append(duplicate(f"{at}.name", name))
    elif kind in ONCE and name != kind.lower():
        raise ValueError(f"expected name {kind.lower()} for authorizer {kind} instead of {name}")
    else:
        errors += [invalid(f"{at}.name", name, f"authorizer name is invalid: {why}") for why in dns1123_subdomain(name)]
    reading.modes.append(kind)
    reading.names.append(name)
    given = one.get("webhook")
    if kind != "Webhook":
        errors += (
            [] if given is None else [invalid(f"{at}.webhook", "non-null", "may only be specified when type=Webhook")]
        )
    elif given is None:
        errors.append(required(f"{at}.webhook", "required when type=Webhook"))
    else:
        _webhook(given, name, at, reading)


def _webhook(given: Object, name: str, at: str, reading: Reading) -> None:
    """Its members are told as the authorizer's own."""
    errors, before = reading.errors, len(reading.errors)
    seconds = _seconds(given, "timeout", at, errors) or 0.0
    ttls = {kind: _ttl(given, kind, at, errors) for kind in TTLS}
    version, policy = given.get("subjectAccessReviewVersion") or "", given.get("failurePolicy") or ""
    errors += _one_of(f"{at}.subjectAccessReviewVersion", version, ("v1", "v1beta1"))
    conditions = given.get("matchConditions") or ()
    judged = given.get("matchConditionSubjectAccessReviewVersion") or ""
    if judged and judged != "v1":
        errors.append(not_supported(f"{at}.matchConditionSubjectAccessReviewVersion", judged, ("v1",)))
    elif conditions and not judged:
        what = "required if match conditions are specified"
        errors.append(required(f"{at}.matchConditionSubjectAccessReviewVersion", what))
    errors += _one_of(f"{at}.failurePolicy", policy, POLICIES)
    remote = _remote(given.get("connectionInfo") or {}, f"{at}.connectionInfo", reading)
    _check_conditions(conditions, f"{at}.matchConditions", errors)
    if remote is None or len(errors) > before:
        return
    expressions = tuple(one["expression"] for one in conditions)
    reading.webhooks.append(
        AccessSettings(
            remote,
            version,
            ttls["authorized"],
            ttls["unauthorized"],
            seconds=seconds,
            denies=policy == "Deny",
            conditions=MatchConditions(expressions) if expressions else None,
            name=name,
        )
    )


def _one_of(path: str, value: str, choices: tuple[str, ...]) -> list[FieldError]:
    if not value:
        return [required(path)]
    return [] if value in choices else [not_supported(path, value, choices, in_order=True)]


def _seconds(given: Object, name: str, at: str, errors: list[FieldError]) -> float | None:
    """Raises ValueError for what is no duration."""
    path, text = f"{at}.{name}", given.get(name)
    if name not in given or not (duration := parse_go(text or "")):
        errors.append(required(path))
        return None
    seconds = duration.total_seconds()
    if not 0 < seconds <= MOST_SECONDS:
        errors.append(invalid(path, format_go(duration), "must be > 0s and <= 30s"))
    return seconds


def _ttl(given: Object, name: str, at: str, errors: list[FieldError]) -> float:
    """Raises ValueError for what is no duration."""
    member = f"{name}TTL"
    duration = parse_go(given[member] or "") if member in given else None
    if duration is not None and duration.total_seconds() < 0:
        errors.append(invalid(f"{at}.{member}", format_go(duration), "must be > 0s"))
    if given.get(f"cache{name.capitalize()}Requests") is False:
        return 0.0
    return duration.total_seconds() if duration else TTLS[name]


def _remote(connection: Object, at: str, reading: Reading) -> Remote | None:
    kind, name, errors = connection.get("type") or "", connection.get("kubeConfigFile") or "", reading.errors
    if not kind:
        errors.append(required(f"{at}.type"))
    elif kind != "KubeConfigFile":  # an apiserver is in no cluster of its own
        shown = Struct(Type=kind, KubeConfigFile=name or None)
        errors.append(not_supported(f"{at}.type", shown, ("KubeConfigFile",)))
    elif not name:
        errors.append(required(f"{at}.kubeConfigFile"))
    else:
        file = reading.folder / name
        if file.is_file():
            return read_kubeconfig(file)
        why = (
            "must be a regular file" if file.exists() else f"error loading file: stat {name}: no such file or directory"
        )
        errors.append(invalid(f"{at}.kubeConfigFile", name, why))
    return None


def _check_conditions(conditions: Any, at: str, errors: list[FieldError]) -> None:
    if len(conditions) > MOST_CONDITIONS:
        errors.append(too_many(at, len(conditions), MOST_CONDITIONS))
        return
    seen = set()
    for index, one in enumerate(conditions):
        path, expression = f"{at}[{index}].expression", (one or {}).get("expression") or ""
        if not expression.strip():
            errors.append(required(path))
        elif expression in seen:
            errors.append(duplicate(path, expression))
        else:
            errors += _compiled(path, expression)
        seen.add(expression)


def _compiled(path: str, expression: str) -> list[FieldError]:
    try:
        found = str(Program(compiler.check(expression, _environment()), ("request",)).result_type)
    except CompileError as error:
        return [invalid(path, expression, f"compilation failed: {error}")]
    return [] if found == "bool" else [invalid(path, expression, f"must evaluate to bool but got {found}")]


@lru_cache(maxsize=1)
def _environment() -> compiler.Environment:
    """`request` is the spec of a SubjectAccessReview."""
    text, structs = Scalar("string"), Structs()
    wanted = struct({"key": text, "operator": text, "values": ListOf(text)}, "kubernetes.SelectorRequirement")
    selector: dict[str, Shape] = {"rawSelector": text, "requirements": ListOf(wanted)}
    named = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
    resource: dict[str, Shape] = dict.fromkeys(named, text)
    resource["fieldSelector"] = struct(selector, "kubernetes.FieldSelectorAttributes")
    resource["labelSelector"] = struct(selector, "kubernetes.LabelSelectorAttributes")
    fields: dict[str, Shape] = {
        "resourceAttributes": struct(resource, "kubernetes.ResourceAttributes"),
        "nonResourceAttributes": struct({"path": text, "verb": text}, "kubernetes.NonResourceAttributes"),
        "user": text,
        "groups": ListOf(text),
        "extra": MapOf(ListOf(text)),
        "uid": text,
    }
    spec = struct(fields, "kubernetes.SubjectAccessReviewSpec")
    return compiler.Environment({"request": structs.type_of(spec, "request")}, structs)
