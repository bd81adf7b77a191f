"""AuthorizationConfiguration: the file of --authorization-config, with any number of webhooks among the authorizers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from kybern.apiserver.authorization.webhook import AccessSettings, MatchConditions
from kybern.apiserver.core.well_formed import well_formed
from kybern.apiserver.webhooks.kubeconfig import read_kubeconfig
from kybern.kube.cel import CompileError
from kybern.kube.duration import parse_go

Object = dict[str, Any]
VERSIONS = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
KINDS = ("Webhook", "Node", "RBAC", "ABAC", "AlwaysAllow", "AlwaysDeny")
ONCE = KINDS[1:]
POLICIES = ("NoOpinion", "Deny")


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
    authorizers = config.get("authorizers") or []
    if not authorizers:
        raise ValueError("authorizers: Required value: at least one authorization mode must be defined")
    modes: list[str] = []
    names: list[str] = []
    webhooks = []
    for index, one in enumerate(authorizers):
        at, kind, name = f"authorizers[{index}]", one.get("type") or "", one.get("name") or ""
        if kind not in KINDS:
            raise ValueError(f'{at}.type: Unsupported value: "{kind}": supported values: {", ".join(sorted(KINDS))}')
        if kind in ONCE and kind in modes:
            raise ValueError(f'{at}.type: Duplicate value: "{kind}"')
        if not name or name in names:
            raise ValueError(f'{at}.name: Duplicate value: "{name}"' if name else f"{at}.name: Required value")
        if kind in ONCE and name != kind.lower():
            raise ValueError(f"expected name {kind.lower()} for authorizer {kind} instead of {name}")
        modes.append(kind)
        names.append(name)
        if kind == "Webhook":
            webhooks.append(_webhook(one.get("webhook") or {}, f"{at}.webhook", path.parent))
    return tuple(modes), tuple(webhooks)


def _webhook(given: Object, at: str, folder: Path) -> AccessSettings:
    for member in ("timeout", "subjectAccessReviewVersion", "failurePolicy", "connectionInfo"):
        if not given.get(member):
            raise ValueError(f"{at}.{member}: Required value")
    policy, version = given["failurePolicy"], given["subjectAccessReviewVersion"]
    if policy not in POLICIES:
        raise ValueError(f'{at}.failurePolicy: Unsupported value: "{policy}": supported values: "NoOpinion", "Deny"')
    if version not in ("v1", "v1beta1"):
        raise ValueError(f'{at}.subjectAccessReviewVersion: Unsupported value: "{version}"')
    seconds = parse_go(given["timeout"]).total_seconds()
    if not 0 < seconds <= 30:
        raise ValueError(f"{at}.timeout: Invalid value: must be > 0s and <= 30s")
    connection = given["connectionInfo"]
    if connection.get("type") != "KubeConfigFile":
        raise ValueError(f'{at}.connectionInfo.type: Unsupported value: "{connection.get("type") or ""}"')
    if not connection.get("kubeConfigFile"):
        raise ValueError(f"{at}.connectionInfo.kubeConfigFile: Required value")
    settings = AccessSettings(
        read_kubeconfig(folder / connection["kubeConfigFile"]),
        version,
        _ttl(given, "authorized", 300.0),
        _ttl(given, "unauthorized", 30.0),
        seconds=seconds,
        denies=policy == "Deny",
    )
    conditions = tuple(one.get("expression") or "" for one in given.get("matchConditions") or ())
    try:
        return replace(settings, conditions=MatchConditions(conditions)) if conditions else settings
    except CompileError as error:
        raise ValueError(f"{at}.matchConditions: compilation failed: {error}") from None


def _ttl(given: Object, name: str, default: float) -> float:
    if given.get(f"cache{name.capitalize()}Requests") is False:
        return 0.0
    text = given.get(f"{name}TTL")
    return parse_go(text).total_seconds() if text else default
