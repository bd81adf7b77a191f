"""Keys in the store: `/registry/<resource>/<namespace>/<name>`, upstream's layout with its historical exceptions."""

from collections.abc import Callable, Iterable

ROOT = "/registry/"
Classify = Callable[[str], tuple[str, str] | None]

_SPECIAL = {
    ("", "nodes"): "minions",
    ("", "services"): "services/specs",
    ("", "endpoints"): "services/endpoints",
    ("", "replicationcontrollers"): "controllers",
    ("networking.k8s.io", "ingresses"): "ingress",
    ("apiextensions.k8s.io", "customresourcedefinitions"): "apiextensions.k8s.io/customresourcedefinitions",
    ("apiregistration.k8s.io", "apiservices"): "apiregistration.k8s.io/apiservices",
}


def prefix(group: str, resource: str, custom: bool = False) -> str:
    """Where the objects of a resource are; ends with a slash. `custom`: the resource comes from a CRD."""
    path = _SPECIAL.get((group, resource)) or (f"{group}/{resource}" if custom else resource)
    return f"{ROOT}{path}/"


def suffix(namespace: str, name: str) -> str:
    """The key of one object below its resource's prefix."""
    return f"{namespace}/{name}" if namespace else name


def classifier(builtin: Iterable[tuple[str, str]]) -> Classify:
    """A function from a key to the (group, resource) it belongs to, None for what is no object: by the built-in
    resources' prefixes, else by the shape of a custom resource's key."""
    known = {prefix(group, resource): (group, resource) for group, resource in builtin}

    def classify(key: str) -> tuple[str, str] | None:
        if not key.startswith(ROOT):
            return None
        end = key.find("/", len(ROOT)) + 1
        found = known.get(key[:end])
        if found is not None or not end:
            return found
        after = key.find("/", end) + 1
        first, second = key[len(ROOT) : end - 1], key[end : after - 1]
        if not after:
            return None
        return known.get(key[:after]) or ((first, second) if "." in first else None)

    return classify
