"""Judging pods by a level and version: what they violate, and what a namespace's pods would violate from now on."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.apiserver.core.pod_security import baseline, restricted
from kybern.apiserver.core.pod_security.control import Check, Violation
from kybern.apiserver.core.pod_security.policy import PRIVILEGED, RESTRICTED, LevelVersion

Object = dict[str, Any]


@lru_cache(maxsize=256)
def checks(wanted: LevelVersion) -> tuple[Check, ...]:
    """The checks of a level and version: those of baseline in order of names, then those of restricted."""
    if wanted.level == PRIVILEGED:
        return ()
    controls = [*baseline.CONTROLS]
    if wanted.level == RESTRICTED:
        overridden = {
            name for control in restricted.CONTROLS for since, name in control.overrides if since <= wanted.minor
        }
        controls = [control for control in controls if control.name not in overridden] + [*restricted.CONTROLS]
    found = [control.check(wanted.minor) for control in controls]
    return tuple(check for check in found if check is not None)


def violations(wanted: LevelVersion, metadata: Object, spec: Object) -> list[Violation]:
    """What a pod of this metadata and spec violates."""
    found = [check(metadata, spec) for check in checks(wanted)]
    return [violation for violation in found if violation is not None]


def describe(found: Iterable[Violation]) -> str:
    """`host ports (…), privileged (…)`."""
    return ", ".join(str(violation) for violation in found)


@dataclass(frozen=True)
class Template:
    """A pod, or what pods will be made from."""

    metadata: Object
    spec: Object


TEMPLATED = frozenset(
    (
        ("", "podtemplates"),
        ("", "replicationcontrollers"),
        ("apps", "daemonsets"),
        ("apps", "deployments"),
        ("apps", "replicasets"),
        ("apps", "statefulsets"),
        ("batch", "cronjobs"),
        ("batch", "jobs"),
    )
)


def template_of(group: str, resource: str, obj: Object) -> Template | None:
    """The pod template of a workload; None if it has none."""
    spec = obj.get("spec") or {}
    match (group, resource):
        case ("", "podtemplates"):
            found = obj.get("template")
        case ("batch", "cronjobs"):
            found = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")
        case ("", "replicationcontrollers") | ("batch", "jobs"):
            found = spec.get("template")
        case ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets"):
            found = spec.get("template")
        case _:
            found = None
    return None if found is None else Template(found.get("metadata") or {}, found.get("spec") or {})


def is_significant_update(new: Object, old: Object) -> bool:
    """Whether an update of a pod changes anything that the standards may look at."""
    if _seccomp(new) != _seccomp(old):
        return True
    after, before = new.get("spec") or {}, old.get("spec") or {}
    for group in ("containers", "initContainers"):
        pair = after.get(group) or [], before.get(group) or []
        if len(pair[0]) != len(pair[1]) or any(_changed(*both) for both in zip(*pair, strict=True)):
            return True
    known = {container["name"]: container for container in before.get("ephemeralContainers") or ()}
    return any(
        container["name"] not in known or _changed(container, known[container["name"]])
        for container in after.get("ephemeralContainers") or ()
    )


def _changed(new: Object, old: Object) -> bool:
    return bool(new.get("image") != old.get("image"))


def _seccomp(pod: Object) -> dict[str, str]:
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return {key: value for key, value in annotations.items() if "seccomp.security.alpha.kubernetes.io/" in key}


def namespace_warnings(namespace: str, enforce: LevelVersion, pods: list[Object], most: int = 3000) -> list[str]:
    """What to say when a namespace's pods violate its new level."""
    bad: dict[str, list[str]] = {}
    for pod in pods[:most]:
        reasons = ", ".join(v.reason for v in violations(enforce, pod.get("metadata") or {}, pod.get("spec") or {}))
        if reasons:
            bad.setdefault(reasons, []).append(pod["metadata"]["name"])
    warnings = []
    if len(pods) > most:
        warnings.append(
            f"new PodSecurity enforce level only checked against the first {most} of {len(pods)} existing pods"
        )
    if bad:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{enforce}"'
        )
    return [*warnings, *sorted(f"{_first(names)}: {reasons}" for reasons, names in bad.items())]


def _first(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"
