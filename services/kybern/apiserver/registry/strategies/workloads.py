"""Controllers of pods: scale, and what is warned of in the templates of their pods."""

from collections.abc import Callable

from kybern.apiserver.registry.strategies import daemon_sets
from kybern.apiserver.registry.strategies.jobs import JOBS, keep_labels
from kybern.apiserver.registry.strategy import Object, Strategy, already_made
from kybern.kube.pod_warnings import name_warnings, template_warnings
from kybern.kube.volume_warnings import claim_sizes

Warn = Callable[[Object, Object | None], list[str]]


def warns(*path: str, named: bool = False) -> Warn:
    """Warnings of the template at `path`, said when the object is new or its generation changes.

    `named`: the pods get the object's name, which had better be a label then.
    """
    shown = ".".join(path)

    def warn(new: Object, old: Object | None) -> list[str]:
        if old is not None and new["metadata"].get("generation") == old["metadata"].get("generation"):
            return []
        found = name_warnings(new) if named and old is None else []
        at = new
        for step in path:
            at = at.get(step) or {}
        return found + template_warnings(at, shown)

    return warn


_UNNAMED = warns("spec", "template")
_TEMPLATE = warns("spec", "template", named=True)
SCALABLE = Strategy(updates={"scale": already_made}, warn=_TEMPLATE)


def _warn_stateful_set(new: Object, old: Object | None) -> list[str]:
    found = _UNNAMED(new, old)
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        for index, claim in enumerate(new["spec"].get("volumeClaimTemplates") or ()):
            found += claim_sizes(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}]")
    if (new["spec"].get("revisionHistoryLimit") or 0) < 0 and (old is None or new["spec"] != old["spec"]):
        found.append(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
        )
    return found


def _warn_of_new(new: Object, old: Object | None) -> list[str]:
    return _TEMPLATE(new, None) if old is None else []


WORKLOADS: dict[tuple[str, str], Strategy] = {
    ("", "podtemplates"): Strategy(returns_deleted=True, warn=warns("template")),
    ("", "replicationcontrollers"): Strategy(
        updates={"scale": already_made}, status_update=(keep_labels,), orphans_by_default=True, warn=_warn_of_new
    ),
    ("apps", "daemonsets"): Strategy(
        prepare_create=(daemon_sets.prepare_create,),
        prepare_update=(daemon_sets.prepare_update,),
        status_update=(daemon_sets.keep,),
        warn=_UNNAMED,
    ),
    ("apps", "deployments"): SCALABLE,
    ("apps", "replicasets"): SCALABLE,
    ("apps", "statefulsets"): Strategy(updates={"scale": already_made}, warn=_warn_stateful_set),
    ("batch", "cronjobs"): Strategy(warn=warns("spec", "jobTemplate", "spec", "template", named=True)),
    ("batch", "jobs"): JOBS,
}
