"""Webhook configurations: names, rules, and where to call."""

from kybern.kube.field import duplicate, invalid, not_supported, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    chosen,
    items,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_subdomain
from kybern.kube.validation.webhook_client import REVIEW_VERSIONS, client_config, review_versions

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")


def validate_webhooks(obj: Object) -> Errors:
    names = set()
    for index, hook in enumerate(items(obj, "webhooks")):
        at, name = f"webhooks[{index}]", hook.get("name") or ""
        yield from _qualified(name, f"{at}.name")
        if name and name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _webhook(hook, at)


def _qualified(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
    elif problems := dns1123_subdomain(name):
        yield invalid(path, name, ",".join(problems))
    elif name.count(".") < 2:
        yield invalid(path, name, "should be a domain with at least three segments separated by dots")


def _webhook(hook: Object, path: str) -> Errors:
    for index, rule in enumerate(items(hook, "rules")):
        yield from validate_rule(rule, f"{path}.rules[{index}]")
    yield from chosen(hook, "failurePolicy", path, ("Fail", "Ignore"))
    yield from chosen(hook, "matchPolicy", path, ("Equivalent", "Exact"))
    yield from chosen(hook, "reinvocationPolicy", path, ("IfNeeded", "Never"))
    effects = hook.get("sideEffects")
    if effects is None:
        yield required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun")
    elif effects not in ("None", "NoneOnDryRun"):
        yield not_supported(f"{path}.sideEffects", effects, ("None", "NoneOnDryRun"))
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        yield invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
    for name in ("namespaceSelector", "objectSelector"):
        yield from validate_selector(hook.get(name), f"{path}.{name}")
    yield from client_config(child(hook, "clientConfig"), f"{path}.clientConfig")
    absent = f"must specify one of {', '.join(REVIEW_VERSIONS)}"
    yield from review_versions(items(hook, "admissionReviewVersions"), f"{path}.admissionReviewVersions", absent)


def validate_rule(rule: Object, path: str) -> Errors:
    operations = items(rule, "operations")
    if not operations:
        yield required(f"{path}.operations")
    if len(operations) > 1 and "*" in operations:
        yield invalid(f"{path}.operations", operations, "if '*' is present, must not specify other operations")
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            yield not_supported(f"{path}.operations[{index}]", operation, _OPERATIONS)
    for name in ("apiGroups", "apiVersions", "resources"):
        values = items(rule, name)
        if not values:
            yield required(f"{path}.{name}")
        elif len(values) > 1 and "*" in values and name != "resources":
            yield invalid(f"{path}.{name}", values, f"if '*' is present, must not specify other {_WORDS[name]}")
    for index, version in enumerate(items(rule, "apiVersions")):
        if not version:
            yield required(f"{path}.apiVersions[{index}]")
    yield from _resources(items(rule, "resources"), f"{path}.resources")
    yield from chosen(rule, "scope", path, ("*", "Cluster", "Namespaced"))


def _resources(resources: list[str], path: str) -> Errors:
    """`*/x`, `x/*` and their like may not name the same thing twice."""
    whole: set[str] = set()  # x of x/*
    everywhere: set[str] = set()  # x of */x
    plain = False
    for index, one in enumerate(resources):
        if not one:
            yield required(f"{path}[{index}]")
            continue
        resource, slash, subresource = one.partition("/")
        if not slash:
            plain = one != "*"
            continue
        if resource in whole:
            yield invalid(f"{path}[{index}]", one, f"if '{resource}/*' is present, must not specify {one}")
        if subresource in everywhere:
            yield invalid(f"{path}[{index}]", one, f"if '*/{subresource}' is present, must not specify {one}")
        if subresource == "*":
            whole.add(resource)
        if resource == "*":
            everywhere.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        yield invalid(path, resources, "if '*/*' is present, must not specify other resources")
    if "*" in resources and plain:
        yield invalid(path, resources, "if '*' is present, must not specify other resources without subresources")


_WORDS = {"apiGroups": "API groups", "apiVersions": "API versions"}
