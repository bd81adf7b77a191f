"""Warnings: what a pod or a pod template may say but had better not; the write goes on.

Pure: a spec and its path in, sentences out, in the order in which upstream says them.
"""

from collections.abc import Iterator
from typing import Any

from kybern.kube.label_warnings import RENAMED, node_term, renamed
from kybern.kube.validation.fields import child, items
from kybern.kube.validation.names import dns1123_label
from kybern.kube.validation.pod_annotations import APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD
from kybern.kube.volume_warnings import fractions, of_volumes, overlaps

Object = dict[str, Any]
Warnings = Iterator[str]

_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def pod_warnings(pod: Object) -> list[str]:
    """Of a pod itself."""
    metadata, found = child(pod, "metadata"), []
    if problems := dns1123_label(metadata.get("name") or ""):
        found.append(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )
    return found + list(_spec(child(pod, "spec"), metadata, "spec", "metadata"))


def name_warnings(obj: Object) -> list[str]:
    """Of the name that the pods of an object get."""
    problems = dns1123_label(child(obj, "metadata").get("name") or "")
    if not problems:
        return []
    return [
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
        f"a DNS label is recommended: [{' '.join(problems)}]"
    ]


def template_warnings(template: Object, path: str) -> list[str]:
    """Of a template at `path`, such as `spec.template`."""
    spec = child(template, "spec")
    found = list(_spec(spec, child(template, "metadata"), f"{path}.spec", f"{path}.metadata"))
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        detail = "must be >= 0; negative values are invalid and will be treated as 1"
        found.append(f"{path}.spec.terminationGracePeriodSeconds: {detail}")
    return found


def _spec(spec: Object, metadata: Object, path: str, metadata_path: str) -> Warnings:
    annotations = child(metadata, "annotations")
    yield from _profiles(annotations, spec, f"{metadata_path}.annotations", of_pod=path == "spec")
    for key in child(spec, "nodeSelector"):
        if key in RENAMED:
            yield f"{path}.nodeSelector[{key}]: {RENAMED[key]}"
    yield from _affinity(child(spec, "affinity"), f"{path}.affinity")
    for index, constraint in enumerate(items(spec, "topologySpreadConstraints")):
        at = f"{path}.topologySpreadConstraints[{index}]"
        if constraint.get("topologyKey") in RENAMED:
            yield f"{at}.topologyKey: {renamed(constraint['topologyKey'])}"
        if constraint.get("labelSelector") is None:
            yield f"{at}.labelSelector: a null labelSelector results in matching no pod"
    for key in annotations:
        if key in _OLD_ANNOTATIONS:
            yield f"{metadata_path}.annotations[{key}]: {_OLD_ANNOTATIONS[key]}"
    yield from of_volumes(items(spec, "volumes"), f"{path}.volumes")
    yield from _aliases(spec, path)
    yield from _pull_secrets(items(spec, "imagePullSecrets"), f"{path}.imagePullSecrets")
    for volume in items(spec, "volumes"):
        yield from overlaps(volume)
    yield from fractions(child(spec, "overhead"), f"{path}.overhead")
    for name in ("initContainers", "containers"):
        for index, container in enumerate(items(spec, name)):
            yield from _container(container, f"{path}.{name}[{index}]")
    yield from _ports(spec, path)
    yield from _pod_affinity(child(spec, "affinity"), f"{path}.affinity")


def _profiles(annotations: Object, spec: Object, path: str, *, of_pod: bool) -> Warnings:
    """Security profiles in annotations, where no field says the same; AppArmor's of pods are told when copied."""
    context = child(spec, "securityContext")
    if SECCOMP_POD in annotations and context.get("seccompProfile") is None:
        yield f'{path}[{SECCOMP_POD}]: non-functional in v1.27+; use the "seccompProfile" field instead'
    containers = [*items(spec, "initContainers"), *items(spec, "containers")]
    contexts = {one.get("name"): child(one, "securityContext") for one in containers}
    for key in annotations:
        of_container = contexts.get(key.removeprefix(SECCOMP_CONTAINER))
        if key.startswith(SECCOMP_CONTAINER) and of_container is not None and "seccompProfile" not in of_container:
            yield f'{path}[{key}]: non-functional in v1.27+; use the "seccompProfile" field instead'
    if of_pod or context.get("appArmorProfile") is not None:
        return
    for key in annotations:
        of_container = contexts.get(key.removeprefix(APP_ARMOR), {}).get("appArmorProfile")
        if key.startswith(APP_ARMOR) and of_container is None:
            yield f'{path}[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'


def _affinity(affinity: Object, path: str) -> Warnings:
    node = child(affinity, "nodeAffinity")
    terms = items(child(node, _REQUIRED), "nodeSelectorTerms")
    for index, term in enumerate(terms):
        yield from node_term(term, f"{path}.nodeAffinity.{_REQUIRED}.nodeSelectorTerms[{index}]")
    for index, weighted in enumerate(items(node, _PREFERRED)):
        at = f"{path}.nodeAffinity.{_PREFERRED}[{index}].preference"
        yield from node_term(child(weighted, "preference"), at, checked=True)


def _pod_affinity(affinity: Object, path: str) -> Warnings:
    for kind in ("podAffinity", "podAntiAffinity"):
        for index, term in enumerate(items(child(affinity, kind), _REQUIRED)):
            if term.get("labelSelector") is None:
                at = f"{path}.{kind}.{_REQUIRED}[{index}]"
                yield f"{at}.labelSelector: a null labelSelector results in matching no pod"
        for index, weighted in enumerate(items(child(affinity, kind), _PREFERRED)):
            if child(weighted, "podAffinityTerm").get("labelSelector") is None:
                at = f"{path}.{kind}.{_PREFERRED}[{index}].podAffinityTerm"
                yield f"{at}.labelSelector: a null labelSelector results in matching no pod"


def _aliases(spec: Object, path: str) -> Warnings:
    seen = set()
    for index, alias in enumerate(items(spec, "hostAliases")):
        if alias.get("ip") in seen:
            yield f'{path}.hostAliases[{index}].ip: duplicate ip "{alias["ip"]}"'
        seen.add(alias.get("ip"))


def _pull_secrets(secrets: list[Object], path: str) -> Warnings:
    names = [secret.get("name") or "" for secret in secrets]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f'{path}[{index}].name: duplicate name "{name}"'
    for index, name in enumerate(names):
        if not name:
            yield f'{path}[{index}].name: invalid empty name ""'


def _container(container: Object, path: str) -> Warnings:
    for side in ("limits", "requests"):
        yield from fractions(child(child(container, "resources"), side), f"{path}.resources.{side}")
    seen = set()
    for index, variable in enumerate(items(container, "env")):
        name = variable.get("name") or ""
        if name in seen and f"$({name})" not in (variable.get("value") or ""):
            yield f'{path}.env[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
        seen.add(name)


def _ports(spec: Object, path: str) -> Warnings:
    """Ports that one pod opens twice, in any of the containers that run together; then names that are taken."""
    running = [
        (f"{path}.{name}[{index}]", container)
        for name in ("initContainers", "containers")
        for index, container in enumerate(items(spec, name))
        if name == "containers" or container.get("restartPolicy") == "Always"
    ]
    ports = [
        (f"{at}.ports[{index}]", port)
        for at, container in running
        for index, port in enumerate(items(container, "ports"))
    ]
    for place, (at, port) in enumerate(ports):
        if port.get("hostIP") and not port.get("hostPort"):
            yield f"{at}: hostIP set without hostPort: {_shown(port)}"
        for other_at, other in ports[:place]:
            if any(port.get(name) != other.get(name) for name in ("containerPort", "protocol")):
                continue
            if all((port.get(name) or "") == (other.get(name) or "") for name in ("hostPort", "hostIP")):
                yield f"{at}: duplicate port definition with {other_at}"
                break
            if not port.get("hostPort") or not other.get("hostPort"):
                yield f"{at}: overlapping port definition with {other_at}"
    yield from _port_names(ports)


def _shown(port: Object) -> str:
    """As Go prints the struct."""
    values = (("Name", ""), ("HostPort", 0), ("ContainerPort", 0), ("Protocol", ""), ("HostIP", ""))
    return "{" + " ".join(f"{name}:{port.get(name[0].lower() + name[1:], zero)}" for name, zero in values) + "}"


def _port_names(ports: list[tuple[str, Object]]) -> Warnings:
    first: dict[str, str] = {}
    for at, port in ports:
        name = port.get("name")
        if name and name in first:
            yield (
                f'{at}: duplicate port name "{name}" with {first[name]}, services and probes that select ports by name '
                f"will use {first[name]}"
            )
        elif name:
            first[name] = at
