"""Rows of the kinds that run pods: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob and their kin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kybern.kube import conditions, duration, meta
from kybern.kube.meta import Object, name
from kybern.kube.tables.cells import (
    NIL,
    NONE,
    UNKNOWN,
    UNSET,
    Cells,
    age,
    containers_and_images,
    label_selector_text,
    labels_text,
    or_none,
    since,
    spec,
    status,
)


def _count(obj: Object, field: str) -> int:
    return status(obj).get(field) or 0


def deployment_cells(obj: Object, now: datetime) -> Cells:
    return [
        name(obj),
        f"{_count(obj, 'readyReplicas')}/{spec(obj).get('replicas', 1)}",
        _count(obj, "updatedReplicas"),
        _count(obj, "availableReplicas"),
        age(obj, now),
        *containers_and_images(spec(obj).get("template")),
        label_selector_text(spec(obj).get("selector")),
    ]


def _replicas(obj: Object, now: datetime) -> Cells:
    return [
        name(obj),
        spec(obj).get("replicas", 1),
        _count(obj, "replicas"),
        _count(obj, "readyReplicas"),
        age(obj, now),
        *containers_and_images(spec(obj).get("template")),
    ]


def replica_set_cells(obj: Object, now: datetime) -> Cells:
    return [*_replicas(obj, now), label_selector_text(spec(obj).get("selector"))]


def replication_controller_cells(obj: Object, now: datetime) -> Cells:
    return [*_replicas(obj, now), labels_text(spec(obj).get("selector"))]


def scale_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), spec(obj).get("replicas") or 0, _count(obj, "replicas"), age(obj, now)]


def stateful_set_cells(obj: Object, now: datetime) -> Cells:
    ready = f"{_count(obj, 'readyReplicas')}/{spec(obj).get('replicas', 1)}"
    return [name(obj), ready, age(obj, now), *containers_and_images(spec(obj).get("template"))]


def daemon_set_cells(obj: Object, now: datetime) -> Cells:
    template = spec(obj).get("template") or {}
    return [
        name(obj),
        _count(obj, "desiredNumberScheduled"),
        _count(obj, "currentNumberScheduled"),
        _count(obj, "numberReady"),
        _count(obj, "updatedNumberScheduled"),
        _count(obj, "numberAvailable"),
        labels_text(spec(template).get("nodeSelector")),
        age(obj, now),
        *containers_and_images(template),
        label_selector_text(spec(obj).get("selector")),
    ]


def controller_revision_cells(obj: Object, now: datetime) -> Cells:
    owner = meta.controller_of(obj)
    controller = NONE
    if owner is not None:
        group, _ = meta.group_version(owner["apiVersion"])
        kind = owner["kind"].lower()
        controller = f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"
    return [name(obj), controller, obj.get("revision", 0), age(obj, now)]


def job_cells(obj: Object, now: datetime) -> Cells:
    return [
        name(obj),
        _job_status(obj),
        _completions(obj),
        _job_duration(obj, now),
        age(obj, now),
        *containers_and_images(spec(obj).get("template")),
        label_selector_text(spec(obj).get("selector")),
    ]


def _job_status(job: Object) -> str:
    for finished in ("Complete", "Failed"):
        if conditions.is_condition_true(job, finished):
            return finished
    if meta.is_deleting(job):
        return "Terminating"
    for state in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if conditions.is_condition_true(job, state):
            return state
    return "Running"


def _completions(job: Object) -> str:
    succeeded, wanted = _count(job, "succeeded"), spec(job).get("completions")
    if wanted is not None:
        return f"{succeeded}/{wanted}"
    parallelism = spec(job).get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(job: Object, now: datetime) -> str:
    started = meta.parse_time(status(job).get("startTime"))
    if started is None:
        return ""
    return duration.human((meta.parse_time(status(job).get("completionTime")) or now) - started)


def cron_job_cells(obj: Object, now: datetime) -> Cells:
    last = status(obj).get("lastScheduleTime")
    job_template = spec(obj).get("jobTemplate") or {}
    return [
        name(obj),
        spec(obj).get("schedule", ""),
        or_none(spec(obj).get("timeZone")),
        "True" if spec(obj).get("suspend") else "False",
        len(status(obj).get("active") or ()),
        since(last, now) if last else NONE,
        age(obj, now),
        *containers_and_images(spec(job_template).get("template")),
        label_selector_text(spec(job_template).get("selector")),
    ]


def pod_template_cells(obj: Object, now: datetime) -> Cells:
    template = obj.get("template") or {}
    return [name(obj), *containers_and_images(template), labels_text(meta.labels(template))]


def pod_disruption_budget_cells(obj: Object, now: datetime) -> Cells:
    fields = spec(obj)
    return [
        name(obj),
        str(fields.get("minAvailable", "N/A")),
        str(fields.get("maxUnavailable", "N/A")),
        _count(obj, "disruptionsAllowed"),
        age(obj, now),
    ]


def horizontal_pod_autoscaler_cells(obj: Object, now: datetime) -> Cells:
    target = spec(obj).get("scaleTargetRef") or {}
    minimum = spec(obj).get("minReplicas")
    return [
        name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _hpa_targets(obj),
        UNSET if minimum is None else str(minimum),
        spec(obj).get("maxReplicas", 0),
        _count(obj, "currentReplicas"),
        age(obj, now),
    ]


def _hpa_targets(hpa: Object) -> str:
    if "targetCPUUtilizationPercentage" in spec(hpa):  # autoscaling/v1
        current = status(hpa).get("currentCPUUtilizationPercentage")
        shown = UNKNOWN if current is None else f"{current}%"
        return f"cpu: {shown}/{spec(hpa)['targetCPUUtilizationPercentage']}%"
    metrics, currents = spec(hpa).get("metrics") or [], status(hpa).get("currentMetrics") or []
    if not metrics:
        return NONE
    texts = [_hpa_metric(metric, currents[i] if i < len(currents) else {}) for i, metric in enumerate(metrics)]
    shown = ", ".join(texts[:2])
    return f"{shown} + {len(texts) - 2} more..." if len(texts) > 2 else shown


def _hpa_metric(metric: Object, current: Object) -> str:
    kind = metric.get("type", "")
    source = kind[:1].lower() + kind[1:]
    wanted = metric.get(source) or {}
    target, now = wanted.get("target") or {}, (current.get(source) or {}).get("current") or {}
    absent = NIL if current.get(source) is not None else UNKNOWN  # measured, but not as was wanted
    prefix = f"{wanted.get('name', '')}: " if kind in ("Resource", "ContainerResource") else ""
    if target.get("averageUtilization") is not None:
        return f"{prefix}{_percent(now.get('averageUtilization'))}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        if kind in ("Object", "External"):
            return f"{now.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
        return f"{prefix}{now.get('averageValue', absent)}/{target['averageValue']}"
    return f"{prefix}{now.get('value', absent)}/{target.get('value', UNKNOWN)}"


def _percent(value: Any) -> str:
    return UNKNOWN if value is None else f"{value}%"
