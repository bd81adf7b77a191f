"""Admission plugins: limits, quotas, PodSecurity, priorities, runtime classes, accounts, namespaces, defaults."""

import copy
from typing import Any

import pytest
from bad_values import Asked
from same import Both

Object = dict[str, Any]
NAMESPACES = "/api/v1/namespaces"
LIMITS: list[Object] = [
    {"type": "Container", "max": {"cpu": "2", "memory": "1Gi"}, "min": {"cpu": "100m"}, "default": {"cpu": "1"},
     "defaultRequest": {"cpu": "500m"}, "maxLimitRequestRatio": {"cpu": "2"}},
    {"type": "Pod", "max": {"cpu": "3"}, "min": {"cpu": "200m"}, "maxLimitRequestRatio": {"cpu": "2"}},
    {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}, "min": {"storage": "1Gi"}},
]  # fmt: skip


def pod(*, container: Object | None = None, annotations: Object | None = None, **spec: Any) -> Object:
    """A pod of one container, with this more."""
    metadata = {"name": "p", **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "i", **(container or {})}], **spec}}


def needs(limits: Object | None, requests: Object | None = None) -> Object:
    """A container's resources."""
    given = {"limits": limits, "requests": requests}
    return {"resources": {name: value for name, value in given.items() if value is not None}}


SIZES: list[Object] = [
    pod(), *(pod(container=needs(limits, requests)) for limits, requests in (
        ({"cpu": "3"}, None), ({"cpu": "50m"}, None), (None, {"cpu": "50m"}), ({"cpu": "2"}, {"cpu": "500m"}),
        ({"cpu": "2"}, {"cpu": "1"}), ({"memory": "2Gi"}, None), (None, {"cpu": "3"}), ({"cpu": "0"}, None),
        ({"a.b/c": "1"}, None))),
    pod(resources={"limits": {"cpu": "1"}}), pod(overhead={"cpu": "1"}),
    pod(initContainers=[{"name": "i", "image": "i", **needs({"cpu": "3"})}]),
]  # fmt: skip


def test_limit_ranges(both: Both, namespace: str) -> None:
    at, ask = f"{NAMESPACES}/{namespace}", Asked(both)
    both.same("POST", f"{at}/limitranges", {"metadata": {"name": "a"}, "spec": {"limits": LIMITS}})
    for number, body in enumerate(SIZES):
        ask(f"pod {number}", "POST", f"{at}/pods?dryRun=All", body)
    for size in ("1", "1Gi", "3Gi"):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        ask(size, "POST", f"{at}/persistentvolumeclaims?dryRun=All", {"metadata": {"name": "x"}, "spec": spec})
    ask.check()


HARD = {"pods": "2", "requests.cpu": "1", "limits.memory": "1Gi", "count/configmaps": "1", "services.nodeports": "1"}


def _quota(both: Both, at: str, hard: Object, **spec: Any) -> None:
    both.same("POST", f"{at}/resourcequotas", {"metadata": {"name": "a"}, "spec": {"hard": hard, **spec}})
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    both.same("PATCH", f"{at}/resourcequotas/a/status", {"status": status})


def test_quotas(both: Both, namespace: str) -> None:
    at, ask = f"{NAMESPACES}/{namespace}", Asked(both)
    _quota(both, at, HARD)
    sizes: list[Object] = [{}, needs({"cpu": "1"}), *(needs({"cpu": cpu, "memory": memory}) for cpu, memory in (
        ("500m", "100Mi"), ("600m", "100Mi"), ("2", "2Gi"), ("500m", "100Mi"), ("1m", "1Mi")))]  # fmt: skip
    for number, size in enumerate(sizes):
        body = pod(container=size)
        body["metadata"]["name"] = f"p{number}"
        ask(f"pod {number}", "POST", f"{at}/pods", body)
    for name in ("x", "y"):
        ask(name, "POST", f"{at}/configmaps", {"metadata": {"name": name}})
    ports = [{"port": 80, "name": "x"}, {"port": 81, "name": "y"}]
    ask("ports", "POST", f"{at}/services", {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": ports}})
    ask.check()


SCOPES = ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"]
TERM = {"topologyKey": "z", "namespaces": ["x"], "labelSelector": {"matchLabels": {"a": "b"}}}


@pytest.mark.parametrize("scope", SCOPES)
def test_scopes_of_quotas(both: Both, namespace: str, scope: str) -> None:
    at, ask = f"{NAMESPACES}/{namespace}", Asked(both)
    _quota(both, at, {"pods": "0"}, scopes=[scope])
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}}
    for body in (pod(), pod(container=needs({"cpu": "1"})), pod(activeDeadlineSeconds=5), pod(affinity=affinity)):
        ask(str(body["spec"]), "POST", f"{at}/pods?dryRun=All", body)
    ask.check()


CONTEXT = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
UNSAFE: list[Object] = [
    pod(), pod(hostNetwork=True), pod(hostPID=True, hostIPC=True),
    pod(container={"securityContext": {"privileged": True}}),
    pod(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
    pod(container={"ports": [{"containerPort": 80, "hostPort": 80}]}),
    pod(container={"securityContext": {"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}}),
    pod(securityContext={"sysctls": [{"name": "a.b", "value": "1"}], "runAsUser": 0, "seLinuxOptions": {"type": "x"}}),
    pod(securityContext={"seccompProfile": {"type": "Unconfined"}, "appArmorProfile": {"type": "Unconfined"}}),
    pod(container={"securityContext": {"procMount": "Unmasked"}}, hostUsers=False),
    pod(securityContext={"windowsOptions": {"hostProcess": True}}),
    pod(securityContext={"windowsOptions": {"hostProcess": True}}, hostNetwork=True),
    pod(container={"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
        securityContext=CONTEXT),
    pod(container={"livenessProbe": {"httpGet": {"port": 80, "host": "x"}}}),
]  # fmt: skip


@pytest.mark.parametrize("level", ["restricted", "baseline", "privileged", "x", ""])
def test_pod_security(both: Both, level: str) -> None:
    name, ask = f"security-{level or 'none'}", Asked(both)
    modes = {"enforce": level, "warn": "restricted", "audit": "baseline"}
    labels = {f"pod-security.kubernetes.io/{mode}": value for mode, value in modes.items()}
    ask(level, "POST", NAMESPACES, {"metadata": {"name": name, "labels": labels}})
    both.ask("POST", f"{NAMESPACES}/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    for number, body in enumerate(UNSAFE):
        ask(f"pod {number}", "POST", f"{NAMESPACES}/{name}/pods?dryRun=All", body)
        template = {"metadata": {"labels": {"a": "b"}}, "spec": copy.deepcopy(body["spec"])}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        path = f"/apis/apps/v1/namespaces/{name}/deployments?dryRun=All"
        ask(f"deployment {number}", "POST", path, {"metadata": {"name": "d"}, "spec": spec})
    ask.check()


MORE: list[Object] = [
    pod(priorityClassName="nope"), pod(priorityClassName="system-node-critical"), pod(priority=5),
    pod(priorityClassName="system-cluster-critical", priority=5), pod(runtimeClassName="nope"),
    pod(serviceAccountName="nope"), pod(serviceAccount="x"), pod(automountServiceAccountToken=False),
    pod(tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]),
    pod(tolerations=[{"operator": "Exists"}]), pod(tolerations=[{"operator": "Exists", "effect": "NoExecute"}]),
    pod(preemptionPolicy="Never"), pod(annotations={"kubernetes.io/config.mirror": "x"}),
]  # fmt: skip


def test_pods(both: Both, namespace: str) -> None:
    ask = Asked(both)
    for number, body in enumerate(MORE):
        ask(f"pod {number}", "POST", f"{NAMESPACES}/{namespace}/pods?dryRun=All", body)
    ask.check()


def test_runtime_classes(both: Both, namespace: str) -> None:
    at, ask = f"rc-{namespace}", Asked(both)
    scheduling = {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "operator": "Exists"}]}
    overhead = {"podFixed": {"cpu": "1"}}
    body = {"metadata": {"name": at}, "handler": "h", "overhead": overhead, "scheduling": scheduling}
    both.same("POST", "/apis/node.k8s.io/v1/runtimeclasses", body)
    for more in (
        {},
        {"overhead": {"cpu": "2"}},
        {"nodeSelector": {"a": "c"}},
        {"tolerations": [{"operator": "Exists"}]},
        {"tolerations": [{"key": "k", "value": "v"}]},
        {"tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}]},
    ):
        ask(str(more), "POST", f"{NAMESPACES}/{namespace}/pods?dryRun=All", pod(runtimeClassName=at, **more))
    ask.check()


def test_namespaces(both: Both, namespace: str) -> None:
    ask, at = Asked(both), f"{NAMESPACES}/t{namespace}"
    for name in ("default", "kube-system", "kube-public"):
        ask(name, "DELETE", f"{NAMESPACES}/{name}")
    ask("make", "POST", NAMESPACES, {"metadata": {"name": f"t{namespace}"}})
    ask("delete", "DELETE", at)
    for path in (at, f"{NAMESPACES}/nope{namespace}"):
        ask("write", "POST", f"{path}/configmaps", {"metadata": {"name": "x"}})
        ask("replace", "PUT", f"{path}/configmaps/x", {"metadata": {"name": "x"}})
        ask("clear", "DELETE", f"{path}/configmaps")
    ask("label", "PATCH", at, {"metadata": {"labels": {"a": "b"}}})
    ask.check()
