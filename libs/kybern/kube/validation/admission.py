"""Webhook configurations and CustomResourceDefinitions: names, rules, and where to call."""

from kybern.kube.field import duplicate, invalid, not_supported, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    immutable,
    items,
    one_of,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1035_label, dns1123_subdomain
from kybern.kube.validation.webhook_client import REVIEW_VERSIONS, client_config, review_versions

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")


def validate_webhooks(obj: Object) -> Errors:
    names = set()
    for index, hook in enumerate(items(obj, "webhooks")):
        at, name = f"webhooks[{index}]", hook.get("name") or ""
        yield from _qualified(name, f"{at}.name")
        if name in names:
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
    yield from one_of(hook, "failurePolicy", path, ("Fail", "Ignore"))
    yield from one_of(hook, "matchPolicy", path, ("Equivalent", "Exact"))
    yield from one_of(hook, "reinvocationPolicy", path, ("IfNeeded", "Never"))
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
    absent = f"must specify one of {', '.join(REVIEW_VERSIONS)}"
    yield from review_versions(items(hook, "admissionReviewVersions"), f"{path}.admissionReviewVersions", absent)
    yield from client_config(child(hook, "clientConfig"), f"{path}.clientConfig")


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
    yield from one_of(rule, "scope", path, ("*", "Cluster", "Namespaced"))


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


def validate_crd(obj: Object) -> Errors:
    """The frame of a CustomResourceDefinition; its schemas are checked where CRDs are served."""
    spec, name = child(obj, "spec"), child(obj, "metadata").get("name") or ""
    group, names = spec.get("group") or "", child(spec, "names")
    plural = names.get("plural") or ""
    if name != f"{plural}.{group}":
        yield invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield required("spec.group")
    elif problems := dns1123_subdomain(group):
        yield invalid("spec.group", group, ",".join(problems))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    yield from one_of(spec, "scope", "spec", ("Cluster", "Namespaced"), must=True)
    yield from _crd_names(names)
    versions = items(spec, "versions")
    seen = set()
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        for problem in dns1035_label(version.get("name") or ""):
            yield invalid(f"{at}.name", version.get("name") or "", problem)
        if version.get("name") and version["name"] in seen:
            yield duplicate(f"{at}.name", version["name"])
        seen.add(version.get("name"))
        if not child(version, "schema").get("openAPIV3Schema"):
            yield required(f"{at}.schema.openAPIV3Schema", "schemas are required")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid("spec.versions", versions, "must have exactly one version marked as storage version")


def _crd_names(names: Object) -> Errors:
    for name in ("plural", "singular", "kind", "listKind"):
        value = names.get(name) or ""
        if not value:
            if name in ("plural", "kind"):
                yield required(f"spec.names.{name}")
        elif problems := dns1035_label(value.lower()):
            mixed = "may have mixed case, but should otherwise match: " if name.lower().endswith("kind") else ""
            yield invalid(f"spec.names.{name}", value, mixed + ",".join(problems))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def validate_crd_update(obj: Object, old: Object) -> Errors:
    spec, before = child(obj, "spec"), child(old, "spec")
    for name in ("group", "scope"):
        yield from immutable(spec.get(name), before.get(name), f"spec.{name}")
    for name in ("kind", "plural"):
        new, was = (child(s, "names").get(name) for s in (spec, before))
        yield from immutable(new, was, f"spec.names.{name}")
    stored = items(child(old, "status"), "storedVersions")
    have = {version.get("name") for version in items(spec, "versions")}
    for index, version in enumerate(stored):
        if version not in have:
            detail = "missing from spec.versions; " + (
                f"{version} was previously a storage version, and must remain in spec.versions until a storage "
                "migration ensures no data remains persisted in it and removes it from status.storedVersions"
            )
            yield invalid(f"status.storedVersions[{index}]", version, detail)
