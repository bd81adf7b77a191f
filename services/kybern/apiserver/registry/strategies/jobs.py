"""Jobs: the server makes the selector and the labels that tie pods to a Job, unless manualSelector is set."""

from kybern.apiserver.registry.metadata import ordered
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube.pod_warnings import name_warnings, template_warnings

_PRESERVED = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them "
    "or set propagationPolicy=Orphan to suppress this warning"
)
CONTROLLER_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"


def prepare_create(request: Request, new: Object) -> None:
    """Labels under today's and yesterday's names, a selector that asks for today's uid label; what is given stays."""
    spec = new.get("spec") or {}
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    uid, name = new["metadata"]["uid"], new["metadata"].get("name") or ""
    metadata = dict(spec["template"].get("metadata") or {})
    made = {CONTROLLER_UID: uid, "controller-uid": uid, JOB_NAME: name, "job-name": name}
    labels = dict(sorted({**made, **(metadata.get("labels") or {})}.items()))
    if not new["metadata"].get("labels") or new["metadata"]["labels"] is metadata.get("labels"):  # the template's, then
        new["metadata"]["labels"] = dict(labels)
    metadata["labels"] = labels
    given = spec.get("selector") or {}
    asked = dict(sorted({CONTROLLER_UID: uid, **(given.get("matchLabels") or {})}.items()))
    new["spec"] = {
        **spec,
        "selector": {**given, "matchLabels": asked},
        "template": {**spec["template"], "metadata": metadata},
    }


def keep_labels(request: Request, new: Object, old: Object) -> None:
    """A status that comes without labels takes those of the template: none is as good as those by default."""
    labels = ((new["spec"].get("template") or {}).get("metadata") or {}).get("labels")
    if labels and not new["metadata"].get("labels"):
        new["metadata"] = ordered({**new["metadata"], "labels": dict(labels)})


def warn(new: Object, old: Object | None) -> list[str]:
    """Of a new Job and its pods; its template hardly changes afterwards."""
    if old is not None:
        return []
    return [*name_warnings(new), *template_warnings(new["spec"].get("template") or {}, "spec.template")]


def warn_of_pods(request: Request, old: Object) -> None:
    """Jobs leave their pods behind, unless asked: old clients rely on that."""
    if request.deletion is not None and not request.deletion.policy:
        request.warnings.append(_PRESERVED)


JOBS = Strategy(
    validate_delete=warn_of_pods,
    prepare_create=(prepare_create,),
    status_update=(keep_labels,),
    orphans_by_default=True,
    warn=warn,
)
