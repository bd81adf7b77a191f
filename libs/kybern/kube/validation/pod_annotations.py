"""Security profiles said in annotations of a pod, as before they had fields: well-formed, and what the fields say."""

from collections.abc import Iterator

from kybern.kube.field import forbidden, invalid
from kybern.kube.validation.fields import Errors, Object, child, items
from kybern.kube.validation.paths import relative_path

APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_LOCAL = "localhost/"
_TYPES = {"runtime/default": "RuntimeDefault", "docker/default": "RuntimeDefault", "unconfined": "Unconfined"}
_LISTS = ("initContainers", "containers")


def profile_of(value: str) -> Object | None:
    """The field that says what an annotation says; nothing for what is no profile."""
    if value.startswith(_LOCAL):
        return {"type": "Localhost", "localhostProfile": value.removeprefix(_LOCAL)}
    return {"type": _TYPES[value]} if value in _TYPES else None


def copy_app_armor(pod: Object) -> list[str]:
    """Give containers without a profile the one that the annotation names, and say so; Windows has none."""
    spec, annotations = child(pod, "spec"), child(child(pod, "metadata"), "annotations")
    if child(spec, "os").get("name") == "windows" or not any(key.startswith(APP_ARMOR) for key in annotations):
        return []
    of_pod, warnings = child(spec, "securityContext").get("appArmorProfile"), []
    for _, container in _containers(spec, "spec"):
        key = APP_ARMOR + (container.get("name") or "")
        context = container.get("securityContext") or {}
        if key not in annotations or context.get("appArmorProfile") is not None:
            continue
        profile = profile_of(annotations[key])
        if profile is not None and profile != of_pod:
            container["securityContext"] = {**context, "appArmorProfile": profile}
        if of_pod is None:
            warnings.append(
                f'metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'
            )
    return warnings


def validate_profile_annotations(metadata: Object, spec: Object, metadata_path: str, path: str) -> Errors:
    """`metadata_path` is that of `metadata`, `path` that of `spec`."""
    annotations = child(metadata, "annotations")
    if not annotations:
        return
    yield from validate_seccomp_annotations(annotations, f"{metadata_path}.annotations")
    yield from _app_armor(annotations, spec, f"{metadata_path}.annotations")
    if child(spec, "os").get("name") == "windows":
        return
    of_pod = child(spec, "securityContext").get("seccompProfile")
    yield from _mismatch(annotations.get(SECCOMP_POD), of_pod, "seccomp", f"{path}.securityContext.seccompProfile")
    for at, container in _containers(spec, path):
        context, name = child(container, "securityContext"), container.get("name") or ""
        said = annotations.get(SECCOMP_CONTAINER + name)
        yield from _mismatch(said, context.get("seccompProfile"), "seccomp", f"{at}.securityContext.seccompProfile")
        said = annotations.get(APP_ARMOR + name)
        profile = context.get("appArmorProfile") or child(spec, "securityContext").get("appArmorProfile")
        yield from _mismatch(said, profile, "apparmor", f"{at}.securityContext.appArmorProfile")


def _containers(spec: Object, path: str) -> Iterator[tuple[str, Object]]:
    for name in _LISTS:
        for index, container in enumerate(items(spec, name)):
            yield f"{path}.{name}[{index}]", container


def validate_seccomp_annotations(annotations: Object, path: str) -> Errors:
    for key, value in annotations.items():
        if key != SECCOMP_POD and not key.startswith(SECCOMP_CONTAINER):
            continue
        if value.startswith(_LOCAL):
            yield from relative_path(value.removeprefix(_LOCAL), f"{path}.{key}")
        elif value not in _TYPES:
            yield invalid(f"{path}.{key}", value, "must be a valid seccomp profile")


def _app_armor(annotations: Object, spec: Object, path: str) -> Errors:
    names = {container.get("name") for _, container in _containers(spec, "")}
    names |= {container.get("name") for container in items(spec, "ephemeralContainers")}
    for key, value in annotations.items():
        if not key.startswith(APP_ARMOR):
            continue
        name = key.removeprefix(APP_ARMOR)
        if name not in names:
            yield invalid(f"{path}[{key}]", name, "container not found")
        if value and (profile_of(value) is None or value == "docker/default"):
            yield invalid(f"{path}[{key}]", value, f'invalid AppArmor profile name: "{value}"')


def _mismatch(said: str | None, field: Object | None, what: str, path: str) -> Errors:
    if said is None or field is None:
        return
    profile = profile_of(said) or {}
    if profile.get("type") != field.get("type"):
        yield forbidden(f"{path}.type", f"{what} type in annotation and field must match")
    elif profile.get("localhostProfile") != field.get("localhostProfile"):
        yield forbidden(f"{path}.localhostProfile", f"{what} profile in annotation and field must match")
