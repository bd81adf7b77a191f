"""Keys in the store: `/registry/<resource>/<namespace>/<name>`, upstream's layout with its historical exceptions."""

ROOT = "/registry/"

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
