"""Defaults of the controllers of pods: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob and older kin."""

from kybern.kube.defaults.rules import Object, Rules, child, rule

_APPS = "io.k8s.api.apps.v1."
_BATCH = "io.k8s.api.batch.v1."
_CORE = "io.k8s.api.core.v1."
_HPA = "io.k8s.api.autoscaling."
_MAX_INT32 = 2**31 - 1
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _deployment_strategy(strategy: Object) -> None:
    if strategy["type"] == "RollingUpdate":
        rolling = child(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _daemon_set_strategy(strategy: Object) -> None:
    if strategy["type"] == "RollingUpdate":
        rolling = child(strategy, "rollingUpdate")
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def _template_generation(daemon_set: Object) -> None:
    """The count of templates that the API had before apps/v1; the registry says how many there were."""
    metadata = child(daemon_set, "metadata")
    annotations = metadata.get("annotations") or {}
    if TEMPLATE_GENERATION not in annotations:
        metadata["annotations"] = {**annotations, TEMPLATE_GENERATION: "0"}


def _stateful_set_strategy(strategy: Object) -> None:
    """A partition comes with the type: who names the type and no rolling update gets none."""
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        child(strategy, "rollingUpdate")
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        strategy["rollingUpdate"].setdefault("partition", 0)


def _claim_templates(spec: Object) -> None:
    for claim in spec.get("volumeClaimTemplates") or ():
        if claim is not None:
            claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"


def _template_labels(obj: Object) -> dict[str, str]:
    template = (obj.get("spec") or {}).get("template") or {}
    return dict((template.get("metadata") or {}).get("labels") or {})


def _own_labels(obj: Object) -> None:
    """Jobs and replication controllers without labels take those of their template: the same, not a copy, as what is
    added to a Job's template then is the Job's too."""
    template = (obj.get("spec") or {}).get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    metadata = child(obj, "metadata")
    if labels and not metadata.get("labels"):
        metadata["labels"] = labels


def _rc_selector(obj: Object) -> None:
    spec, labels = child(obj, "spec"), _template_labels(obj)
    if labels and not spec.get("selector"):
        spec["selector"] = labels


def _job(obj: Object) -> None:
    spec = child(obj, "spec")
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else _MAX_INT32)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    policy = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", policy)


def _hpa_metrics(spec: Object) -> None:
    """Without metrics an autoscaler keeps CPU at 80 % of what is requested."""
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _hpa_behavior(behavior: Object) -> None:
    up, down = child(behavior, "scaleUp"), child(behavior, "scaleDown")
    up.setdefault("stabilizationWindowSeconds", 0)
    for rules in (up, down):
        rules.setdefault("selectPolicy", "Max")
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    if up.get("policies") is None:
        up["policies"] = [{"type": "Pods", "value": 4, "periodSeconds": 15}, percent]
    if down.get("policies") is None:
        down["policies"] = [dict(percent)]


RULES: Rules = {
    _APPS + "Deployment": rule(status={}),
    _APPS + "DeploymentSpec": rule(replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={}),
    _APPS + "DeploymentStrategy": rule(_deployment_strategy, type="RollingUpdate"),
    _APPS + "ReplicaSetSpec": rule(replicas=1),
    _APPS + "StatefulSetSpec": rule(
        _claim_templates,
        replicas=1,
        revisionHistoryLimit=10,
        podManagementPolicy="OrderedReady",
        updateStrategy={},
        persistentVolumeClaimRetentionPolicy={},
    ),
    _APPS + "StatefulSetUpdateStrategy": rule(_stateful_set_strategy),
    _APPS + "StatefulSetPersistentVolumeClaimRetentionPolicy": rule(whenDeleted="Retain", whenScaled="Retain"),
    _APPS + "DaemonSet": rule(_template_generation),
    _APPS + "DaemonSetSpec": rule(revisionHistoryLimit=10, updateStrategy={}),
    _APPS + "DaemonSetUpdateStrategy": rule(_daemon_set_strategy, type="RollingUpdate"),
    _BATCH + "Job": rule(_own_labels, _job),
    _BATCH + "PodFailurePolicyOnPodConditionsPattern": rule(status="True"),
    _BATCH + "CronJobSpec": rule(
        concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1
    ),
    _CORE + "ReplicationController": rule(_own_labels, _rc_selector),
    _HPA + "v1.HorizontalPodAutoscaler": rule(spec={}),
    _HPA + "v2.HorizontalPodAutoscaler": rule(spec={}),
    _HPA + "v1.HorizontalPodAutoscalerSpec": rule(minReplicas=1),
    _HPA + "v2.HorizontalPodAutoscalerSpec": rule(_hpa_metrics, minReplicas=1),
    _HPA + "v2.HorizontalPodAutoscalerBehavior": rule(_hpa_behavior),
}
