"""Jobs and CronJobs: what their specs may say, what stays of them, and what a status may say and not take back."""

import json
from typing import Any

import pytest
from bad_values import Asked
from same import Both

Object = dict[str, Any]
T, LATER = "2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
RUN = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
INDEXED = {"completionMode": "Indexed"}
MANY = {**INDEXED, "completions": 100001, "backoffLimitPerIndex": 1}
LABELLED = {"metadata": {"labels": {"a": "b"}}, **RUN}
MANUAL = {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": LABELLED}


def on_exit(action: str = "Count", **codes: Any) -> Object:
    return {"action": action, "onExitCodes": {"operator": "In", "values": [1], **codes}}


def on_condition(*conditions: Object) -> Object:
    return {
        "action": "Count",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True", **one} for one in conditions],
    }


def failures(*rules: Object) -> Object:
    return {"podFailurePolicy": {"rules": [*rules]}}


def success(*rules: Object) -> Object:
    return {**INDEXED, "completions": 5, "successPolicy": {"rules": [*rules]}}


COUNTS: list[Object] = [
    {}, INDEXED, *({**INDEXED, "completions": number} for number in (0, -1, 2, 100001)),
    {**INDEXED, "completions": 3, "parallelism": 100001}, {"parallelism": -1, "completions": -1, "backoffLimit": -1},
    {"ttlSecondsAfterFinished": -1, "activeDeadlineSeconds": -1}, {"completionMode": "X"}, {"completionMode": ""},
    {"backoffLimitPerIndex": 1}, {"maxFailedIndexes": 1}, {"backoffLimitPerIndex": -1, "maxFailedIndexes": -1},
    {**INDEXED, "completions": 3, "maxFailedIndexes": 4}, {**INDEXED, "maxFailedIndexes": 4},
    {**INDEXED, "completions": 3, "backoffLimitPerIndex": 1, "maxFailedIndexes": 4},
    MANY, *({**MANY, "maxFailedIndexes": number} for number in (10000, 10001, 100001)), {**MANY, "parallelism": 10001},
    {**MANY, "parallelism": 100001, "maxFailedIndexes": 300000}, {"suspend": None}, {"parallelism": None},
]  # fmt: skip
SELECTORS: list[Object] = [
    {"manualSelector": True}, {"selector": {"matchLabels": {"a": "b"}}}, {"selector": {}}, MANUAL,
    {"manualSelector": False, "selector": {"matchLabels": {"a": "b"}}}, {**MANUAL, "selector": {}},
    {**MANUAL, "selector": {"matchLabels": {"-": "b"}}}, {**MANUAL, "template": RUN},
    {**MANUAL, "selector": {"matchExpressions": [{"key": "a", "operator": "Foo"}]}},
    *({"template": {"metadata": {"labels": {name: "x"}}, **RUN}}
      for name in ("job-name", "controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid")),
    *({"template": {"spec": {**RUN["spec"], "restartPolicy": policy}}} for policy in ("Always", "X", "", "OnFailure")),
]  # fmt: skip
POLICIES: list[Object] = [
    *({"managedBy": name} for name in ("", "x", "x/y", "kubernetes.io/job-controller", f"a.b/{'x' * 63}", "A_b/x",
                                       "/x", "x/", "a/b/c", "a/b c")),
    *({"podReplacementPolicy": policy} for policy in ("X", "", "Failed", "TerminatingOrFailed")),
    {"podReplacementPolicy": "TerminatingOrFailed", **failures(on_exit())}, {"podFailurePolicy": {}},
    failures(), failures({}), failures({"action": "X"}), failures({**on_exit(), **on_condition({})}),
    failures(on_exit("FailIndex")),
    {**failures(on_exit("FailIndex")), **INDEXED, "completions": 2, "backoffLimitPerIndex": 1},
    *(failures(on_exit(values=values)) for values in ([0], [2, 1], [1, 1], [3, 1, 3], [-1, 300], [*range(1, 257)])),
    *(failures(on_exit(operator=operator)) for operator in ("X", "", "NotIn")),
    *(failures(on_exit(containerName=name)) for name in ("c", "d", "")),
    *(failures(on_condition(one)) for one in ({}, {"status": ""}, {"status": "x"}, {"type": "a b"}, {"type": ""})),
    failures(on_condition(*([{}] * 21))), failures(*([on_exit()] * 21)),
    success(), success({}), *(success({"succeededCount": count}) for count in (1, 0, -1, 6)),
    *(success({"succeededIndexes": listed}) for listed in
      ("0", "5", "", "0-", "0,0", "2,1", "3-1", "a", "0-1-2", " 0", "1,", "+1", "-1", "01", "1-1", "9" * 20, "1-9")),
    success({"succeededIndexes": "0-2,4", "succeededCount": 5}), success(*([{"succeededCount": 1}] * 21)),
    {"successPolicy": {"rules": [{"succeededCount": 1}]}},
]  # fmt: skip


@pytest.mark.parametrize("table", ["COUNTS", "SELECTORS", "POLICIES"])
def test_specs(both: Both, namespace: str, table: str) -> None:
    batch, ask = f"/apis/batch/v1/namespaces/{namespace}", Asked(both)
    for spec in globals()[table]:
        said, whole = json.dumps(spec)[:100], {"template": RUN, **spec}
        ask(f"new {said}", "POST", f"{batch}/jobs?dryRun=All", {"metadata": {"name": "j"}, "spec": whole})
        cron = {"schedule": "@daily", "jobTemplate": {"spec": whole}}
        ask(f"cron {said}", "POST", f"{batch}/cronjobs?dryRun=All", {"metadata": {"name": "c"}, "spec": cron})
    ask.check()


def pod(**spec: Any) -> Object:
    return {"template": {"spec": spec}}


TERM = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SPREAD = {"maxSkew": 1, "topologyKey": "x", "whenUnsatisfiable": "DoNotSchedule"}
CHANGES: list[Object] = [
    *({"suspend": value} for value in (True, False, None)), *({"parallelism": number} for number in (3, 0, -1)),
    {"completions": 3}, {"completions": 3, "parallelism": 3}, {"backoffLimit": 3}, {"activeDeadlineSeconds": 5},
    {"ttlSecondsAfterFinished": 5}, *({"completionMode": mode} for mode in ("Indexed", "NonIndexed", None)),
    {"selector": {"matchLabels": {"z": "y"}}}, {"selector": None}, {"manualSelector": True}, {"manualSelector": None},
    {"backoffLimitPerIndex": 2}, {"maxFailedIndexes": 1}, {"maxFailedIndexes": None},
    {"podReplacementPolicy": "Failed"},
    {"managedBy": "x.y/z"}, {"managedBy": None}, failures(on_exit("Ignore")), {"podFailurePolicy": None},
    {"successPolicy": {"rules": [{"succeededCount": 2}]}}, {"successPolicy": None}, {"template": None},
    pod(nodeSelector={"k": "l"}), pod(nodeSelector=None), pod(tolerations=[{"key": "a", "operator": "Exists"}]),
    pod(affinity={"nodeAffinity": {REQUIRED: TERM}}),
    pod(affinity={"podAffinity": {REQUIRED: [{"topologyKey": "x"}]}}),
    pod(schedulingGates=[{"name": "g"}]), pod(priorityClassName="x"), pod(restartPolicy="OnFailure"),
    pod(hostNetwork=True),
    *(pod(containers=[one]) for one in ({"name": "c", "image": "z"}, {"name": "d", "image": "i"},
                                        {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}})),
    pod(topologySpreadConstraints=[SPREAD]), pod(nodeName="x"), pod(initContainers=[{"name": "i", "image": "i"}]),
    pod(volumes=[{"name": "v", "emptyDir": {}}]), pod(resources={"requests": {"cpu": "1"}}),
    *({"template": {"metadata": {"labels": labels}}} for labels in ({"n": "m"}, {"job-name": "m"}, {"-": "m"}, None)),
    {"template": {"metadata": {"annotations": {"n": "m"}}}}, {"template": {"metadata": {"name": "m"}}},
]  # fmt: skip
BASES: dict[str, Object] = {
    "run": {}, "suspended": {"suspend": True}, "manual": MANUAL, "failures": failures(on_exit()),
    "by": {"managedBy": "a.b/c"},
    "indexed": {**INDEXED, "completions": 5, "parallelism": 2, "backoffLimitPerIndex": 1, "maxFailedIndexes": 2},
    "elastic": {**INDEXED, "completions": 5, "parallelism": 5, "suspend": True},
    "success": success({"succeededCount": 1}),
}  # fmt: skip
STOOD_STILL = {"conditions": [{"type": "Suspended", "status": "True", "lastTransitionTime": T, "lastProbeTime": T}]}
STATUSES_OF_SUSPENDED = ({}, STOOD_STILL, {**STOOD_STILL, "active": 1}, {**STOOD_STILL, "startTime": T})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("base", BASES)
def test_changes(both: Both, namespace: str, base: str) -> None:
    path, ask = f"/apis/batch/v1/namespaces/{namespace}/jobs", Asked(both)
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {**RUN["spec"], "nodeSelector": {"n": "m"}}}
    ask("made", "POST", path, {"metadata": {"name": "j"}, "spec": {"template": template, **BASES[base]}})
    for status in STATUSES_OF_SUSPENDED if BASES[base].get("suspend") else ({},):
        if status:
            ask("status", "PATCH", f"{path}/j/status", {"status": {"active": None, **status}})
        for change in CHANGES:
            said = json.dumps(change)[:100]
            ask(f"merge {said}", "PATCH", f"{path}/j?dryRun=All", {"spec": change})
            ask(f"strategic {said}", "PATCH", f"{path}/j?dryRun=All", {"spec": change}, headers=STRATEGIC)
            applied = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": change}
            ask(f"apply {said}", "PATCH", f"{path}/j?dryRun=All&fieldManager=m&force=true", applied, headers=APPLY)
    ask.check()


def said(*kinds: str, status: str = "True") -> list[Object]:
    return [{"type": kind, "status": status, "lastTransitionTime": T, "lastProbeTime": T} for kind in kinds]


DONE, FAILED = said("SuccessCriteriaMet", "Complete"), said("FailureTarget", "Failed")
STATUSES: list[Object] = [
    *({name: -1} for name in ("active", "succeeded", "failed", "ready", "terminating")), {"ready": 2, "active": 1},
    {"completionTime": T}, {"startTime": T}, {"startTime": T, "conditions": FAILED}, {"conditions": FAILED},
    {"startTime": T, "completionTime": LATER, "conditions": DONE},
    {"startTime": LATER, "completionTime": T, "conditions": DONE},
    {"startTime": T, "conditions": said("Complete", "Failed")},
    {"startTime": T, "completionTime": T, "conditions": FAILED},
    {"startTime": T, "conditions": said("FailureTarget", "SuccessCriteriaMet", "Complete")},
    {"startTime": T, "active": 1, "terminating": 2, "ready": 3, "conditions": FAILED},
    {"startTime": T, "conditions": said("Failed", "SuccessCriteriaMet")},
    {"conditions": said("Complete", status="False")},
    {"startTime": T, "completionTime": T, "conditions": said("Complete")},
    *({"completedIndexes": listed} for listed in ("0", "0,2-3", "x", "9", "1,0", "0-", "")),
    *({"failedIndexes": listed} for listed in ("0", "", "x", "9")), {"failedIndexes": "0-2", "completedIndexes": "1-3"},
    {"failedIndexes": "0", "completedIndexes": "0"}, {"uncountedTerminatedPods": {}},
    {"uncountedTerminatedPods": {"succeeded": ["a", "a", ""], "failed": ["a"]}},
    {"uncountedTerminatedPods": {"failed": ["b"]}, "startTime": T, "conditions": FAILED},
]  # fmt: skip
# What is written one after the other.
LIVES: list[list[Object]] = [
    [{"startTime": T, "succeeded": 2, "failed": 1, "active": 1, "ready": 1}, {"succeeded": 1}, {"failed": 0},
     {"startTime": None}, {"startTime": LATER}, {"conditions": said("FailureTarget")}, {"conditions": []},
     {"conditions": said("FailureTarget", "SuccessCriteriaMet")}, {"conditions": FAILED, "active": 0, "ready": 0},
     {"conditions": said("FailureTarget")}, {"succeeded": 9}, {"active": 1}, {"completionTime": T}],
    [{"startTime": T, "conditions": said("SuccessCriteriaMet")}, {"conditions": []},
     {"conditions": DONE, "completionTime": LATER}, {"completionTime": T}, {"conditions": said("SuccessCriteriaMet")},
     {"conditions": said("Complete")}, {"completionTime": None}, {"startTime": None}],
]  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_statuses(both: Both, namespace: str, base: str) -> None:
    path, ask = f"/apis/batch/v1/namespaces/{namespace}/jobs", Asked(both)
    for name in ("j", *(f"life{index}" for index in range(len(LIVES)))):
        ask("made", "POST", path, {"metadata": {"name": name}, "spec": {"template": RUN, **BASES[base]}})
    for status in STATUSES:
        ask(json.dumps(status)[:150], "PATCH", f"{path}/j/status?dryRun=All", {"status": status})
    for index, life in enumerate(LIVES):
        for step, status in enumerate(life):
            ask(f"{index} {step} {status}", "PATCH", f"{path}/life{index}/status", {"status": status})
    ask.check()


SCHEDULES = [
    "*/5 * * * *", "0 0 1 1 *", "@hourly", "@every 1h", "@every 1s", "@every", "@every x", "@every 1", "@every -1h",
    "@reboot", "@Hourly", "", "  ", " * * * * * ", "* * * *", "* * * * * *", "60 * * * *", "59 23 31 12 7",
    "0 24 * * *",
    "0 0 0 * *",
    "0 0 32 * *", "0 0 * 0 *", "0 0 * 13 *", "5-1 * * * *", "1,,3 * * * *", "0 0 * * mon,", "*/0 * * * *",
    "*/x * * * *",
    "*/100 * * * *", "? ? ? ? ?", "0 0 L * *", "0 0 * * mon-FRI", "0 0 * JAN *", "0 0 * foo *", "1/2 * * * *",
    "1-2-3 * * * *",
    "1/2/3 * * * *", "-1 * * * *", "+1 * * * *", "01 * * * *", "*-5 * * * *", "TZ=UTC * * * * *",
    "CRON_TZ=UTC * * * * *",
    "TZ=Nope/Where * * * * *", "TZ=UTC", "TZ= * * * * *", "TZ=UTC @hourly", "*\t* * * *",
    "99999999999999999999 * * * *",
]  # fmt: skip
ZONES = [None, "", "UTC", "utc", "Local", "local", "Europe/Paris", "europe/paris", "Etc/GMT+5", "Nope/Where", "../etc",
         "/UTC",          "UTC ", "Europe", "a\\b", "./UTC", "Etc//UTC", "x" * 300]  # fmt: skip
MORE: list[Object] = [
    {"concurrencyPolicy": "X"}, {"concurrencyPolicy": None}, {"successfulJobsHistoryLimit": -1},
    {"failedJobsHistoryLimit": -1},
    {"startingDeadlineSeconds": -1}, {"jobTemplate": None}, {"jobTemplate": {"metadata": {"name": "x",
    "labels": {"-": "b"}}}},
    {"schedule": "TZ=UTC", "timeZone": "X/y z", "startingDeadlineSeconds": -1, "concurrencyPolicy": "q",
     "successfulJobsHistoryLimit": -1, "failedJobsHistoryLimit": -1, "jobTemplate": {"spec": {"parallelism": -1}}},
]  # fmt: skip


def test_cron_jobs(both: Both, namespace: str) -> None:
    path, ask = f"/apis/batch/v1/namespaces/{namespace}/cronjobs", Asked(both)
    base = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": RUN}}}
    ask("made", "POST", path, {"metadata": {"name": "c"}, "spec": base})
    changes = [{"schedule": schedule} for schedule in SCHEDULES] + [{"timeZone": zone} for zone in ZONES] + MORE
    for change in changes:
        ask(f"new {change}", "POST", f"{path}?dryRun=All", {"metadata": {"name": "n"}, "spec": {**base, **change}})
        ask(f"old {change}", "PATCH", f"{path}/c?dryRun=All", {"spec": change})
    for name in ("a" * 52, "a" * 53, "a.b", "A", ""):
        ask(name, "POST", f"{path}?dryRun=All", {"metadata": {"name": name}, "spec": base})
    ask.check()
