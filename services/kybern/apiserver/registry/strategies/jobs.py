"""Jobs: the server makes the selector and the labels that tie pods to a Job, unless manualSelector is set."""

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube.pod_warnings import template_warnings

CONTROLLER_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"


def prepare_create(request: Request, new: Object) -> None:
    """Labels under today's and yesterday's names; the selector asks for today's uid label."""
    spec = new.get("spec") or {}
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    uid, name = new["metadata"]["uid"], new["metadata"].get("name") or ""
    metadata = dict(spec["template"].get("metadata") or {})
    made = {CONTROLLER_UID: uid, "controller-uid": uid, JOB_NAME: name, "job-name": name}
    metadata["labels"] = {**(metadata.get("labels") or {}), **made}
    new["spec"] = {
        **spec,
        "selector": {"matchLabels": {CONTROLLER_UID: uid}},
        "template": {**spec["template"], "metadata": metadata},
    }


def warn(new: Object, old: Object | None) -> list[str]:
    """Of the pods of a new Job; its template hardly changes afterwards."""
    return template_warnings(new["spec"].get("template") or {}, "spec.template") if old is None else []


JOBS = Strategy(prepare_create=(prepare_create,), orphans_by_default=True, warn=warn)
