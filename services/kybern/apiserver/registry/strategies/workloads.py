"""Controllers of pods: scale, and what is warned of in the templates of their pods."""

from collections.abc import Callable

from kybern.apiserver.registry.strategies.jobs import JOBS
from kybern.apiserver.registry.strategy import Object, Strategy, already_made
from kybern.kube.pod_warnings import template_warnings

Warn = Callable[[Object, Object | None], list[str]]


def warns(*path: str) -> Warn:
    """Warnings of the template at `path`, said when the object is new or its generation changes."""
    shown = ".".join(path)

    def warn(new: Object, old: Object | None) -> list[str]:
        if old is not None and new["metadata"].get("generation") == old["metadata"].get("generation"):
            return []
        at = new
        for step in path:
            at = at.get(step) or {}
        return template_warnings(at, shown)

    return warn


_TEMPLATE = warns("spec", "template")
SCALABLE = Strategy(updates={"scale": already_made}, warn=_TEMPLATE)
WORKLOADS: dict[tuple[str, str], Strategy] = {
    ("", "podtemplates"): Strategy(returns_deleted=True, warn=warns("template")),
    ("", "replicationcontrollers"): Strategy(updates={"scale": already_made}, orphans_by_default=True, warn=_TEMPLATE),
    ("apps", "daemonsets"): Strategy(warn=_TEMPLATE),
    ("apps", "deployments"): SCALABLE,
    ("apps", "replicasets"): SCALABLE,
    ("apps", "statefulsets"): SCALABLE,
    ("batch", "cronjobs"): Strategy(warn=warns("spec", "jobTemplate", "spec", "template")),
    ("batch", "jobs"): JOBS,
}
