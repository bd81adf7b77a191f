"""Warnings: what a pod or a pod template may say but had better not; the write goes on.

Pure: a spec and its path in, sentences out, in the order in which upstream says them.
"""

from collections.abc import Iterator
from typing import Any

from kybern.kube import quantity
from kybern.kube.validation.fields import child, items
from kybern.kube.validation.names import dns1123_label, label_value
from kybern.kube.validation.pod_annotations import APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD

Object = dict[str, Any]
Warnings = Iterator[str]

_ARCH, _OS = "kubernetes.io/arch", "kubernetes.io/os"
_REGION, _ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
# Labels of nodes that have new names: since when, and which.
_RENAMED = {
    "beta.kubernetes.io/arch": f'deprecated since v1.14; use "{_ARCH}" instead',
    "beta.kubernetes.io/os": f'deprecated since v1.14; use "{_OS}" instead',
    "failure-domain.beta.kubernetes.io/region": f'deprecated since v1.17; use "{_REGION}" instead',
    "failure-domain.beta.kubernetes.io/zone": f'deprecated since v1.17; use "{_ZONE}" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
}
_OLD_VOLUMES = {
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "gitRepo": ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
_OLD_PERSISTENT = ("photonPersistentDisk", "scaleIO", "storageos", "glusterfs", "cephfs", "rbd")
_VOLUME_ANNOTATIONS = {
    "volume.beta.kubernetes.io/storage-class": 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}
_RECYCLE = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
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
        if key in _RENAMED:
            yield f"{path}.nodeSelector[{key}]: {_RENAMED[key]}"
    yield from _affinity(child(spec, "affinity"), f"{path}.affinity")
    for index, constraint in enumerate(items(spec, "topologySpreadConstraints")):
        at = f"{path}.topologySpreadConstraints[{index}]"
        if constraint.get("topologyKey") in _RENAMED:
            yield f"{at}.topologyKey: {_renamed(constraint['topologyKey'])}"
        if constraint.get("labelSelector") is None:
            yield f"{at}.labelSelector: a null labelSelector results in matching no pod"
    for key in annotations:
        if key in _OLD_ANNOTATIONS:
            yield f"{metadata_path}.annotations[{key}]: {_OLD_ANNOTATIONS[key]}"
    yield from _volumes(items(spec, "volumes"), f"{path}.volumes")
    yield from _aliases(spec, path)
    yield from _pull_secrets(items(spec, "imagePullSecrets"), f"{path}.imagePullSecrets")
    for volume in items(spec, "volumes"):
        yield from _overlaps(volume)
    yield from _fractions(child(spec, "overhead"), f"{path}.overhead")
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


def volume_warnings(volume: Object) -> list[str]:
    """Of a PersistentVolume: what it should say elsewhere, names of nodes' labels, sources that are gone."""
    annotations, spec = child(child(volume, "metadata"), "annotations"), child(volume, "spec")
    found = [f"metadata.annotations[{key}]: {said}" for key, said in _VOLUME_ANNOTATIONS.items() if key in annotations]
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        found.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE}")
    for index, term in enumerate(items(child(child(spec, "nodeAffinity"), "required"), "nodeSelectorTerms")):
        found += _node_term(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
    for name in _OLD_PERSISTENT:
        if spec.get(name) is not None:
            shown, said = _OLD_VOLUMES[name]
            return [*found, f"spec.{shown}: {said}"]
    return found


def _renamed(key: str) -> str:
    return f"{key} is {_RENAMED[key]}"


def _affinity(affinity: Object, path: str) -> Warnings:
    node = child(affinity, "nodeAffinity")
    terms = items(child(node, _REQUIRED), "nodeSelectorTerms")
    for index, term in enumerate(terms):
        yield from _node_term(term, f"{path}.nodeAffinity.{_REQUIRED}.nodeSelectorTerms[{index}]")
    for index, weighted in enumerate(items(node, _PREFERRED)):
        at = f"{path}.nodeAffinity.{_PREFERRED}[{index}].preference"
        yield from _node_term(child(weighted, "preference"), at, checked=True)


def _node_term(term: Object, path: str, *, checked: bool = False) -> Warnings:
    """`checked`: values that no label can have are said here, as validation lets them pass."""
    for index, expression in enumerate(items(term, "matchExpressions")):
        at = f"{path}.matchExpressions[{index}]"
        if expression.get("key") in _RENAMED:
            yield f"{at}.key: {_renamed(expression['key'])}"
        for position, value in enumerate(items(expression, "values") if checked else ()):
            if problems := label_value(value):
                yield f"{at}.values[{position}]: {value} is invalid, {' '.join(problems)}"


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


def _volumes(volumes: list[Object], path: str) -> Warnings:
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        for source, (shown, detail) in _OLD_VOLUMES.items():
            if volume.get(source) is not None:
                yield f"{at}.{shown}: {detail}"
        claim = child(child(child(volume, "ephemeral"), "volumeClaimTemplate"), "spec")
        resources = f"{at}.ephemeral.volumeClaimTemplate.spec.resources"
        for side in ("limits", "requests"):
            yield from _fractions(child(child(claim, "resources"), side), f"{resources}.{side}", ("storage",))


def _overlaps(volume: Object) -> Warnings:
    """Files of one volume of which one would be another, or its folder."""
    sources = {
        "configMap": ("ConfigMap", "name"),
        "secret": ("Secret", "secretName"),
        "downwardAPI": ("DownwardAPI", ""),
    }
    for source, (title, key) in sources.items():
        given = volume.get(source)
        if given is not None:
            who = f'{title} "{given.get(key) or ""}"' if key else title
            files = [(entry.get("path") or "", "") for entry in items(given, "items")]
            yield from _overlapping(files, f'volume "{volume.get("name")}" ({who})')
    if any(all(value is None for value in entry.values()) for entry in items(child(volume, "projected"), "sources")):
        yield f'volume "{volume.get("name")}" (Projected) has no sources provided'
    projected = [
        (file, f" ({who})")
        for entry in items(child(volume, "projected"), "sources")
        for file, who in _projected_files(entry)
    ]
    yield from _overlapping(projected, f'volume "{volume.get("name")}" (Projected)')


def _projected_files(entry: Object) -> Iterator[tuple[str, str]]:
    for source, title in (("secret", "Secret"), ("configMap", "ConfigMap"), ("downwardAPI", "DownwardAPI")):
        given = entry.get(source)
        if given is not None:
            who = title if source == "downwardAPI" else f'{title} "{given.get("name") or ""}"'
            yield from ((one.get("path") or "", who) for one in items(given, "items"))
    token = entry.get("serviceAccountToken")
    if token is not None:
        yield token.get("path") or "", "ServiceAccountToken"


def _overlapping(files: list[tuple[str, str]], where: str) -> Warnings:
    for index, (file, who) in enumerate(files):
        for other, whose in files[:index]:
            if file == other or file.startswith(f"{other}/") or other.startswith(f"{file}/"):
                yield f'{where}: overlapping paths: "{file}"{who} with "{other}"{whose}'


def _fractions(amounts: Object, path: str, names: tuple[str, ...] = ("memory", "ephemeral-storage")) -> Warnings:
    """Bytes come whole."""
    for name, amount in amounts.items():
        if name in names and quantity.parse(amount).nanos % quantity.NANO:
            yield f'{path}[{name}]: fractional byte value "{amount}" is invalid, must be an integer'


def _container(container: Object, path: str) -> Warnings:
    for side in ("limits", "requests"):
        yield from _fractions(child(child(container, "resources"), side), f"{path}.resources.{side}")
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
