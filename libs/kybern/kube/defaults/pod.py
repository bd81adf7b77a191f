"""Defaults of pods and everything inside a pod template."""

import re

from kybern.kube.defaults.amounts import thousandths
from kybern.kube.defaults.rules import Object, Rules, child, rule
from kybern.kube.quota import pods

CORE = "io.k8s.api.core.v1."


_NAME_PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_IMAGE = re.compile(
    rf"(?P<name>(?:(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?{_NAME_PART}(?:/{_NAME_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
_LONGEST_IMAGE = 255


def image_pull_policy(image: str) -> str:
    """Always for `latest`, said or implied; IfNotPresent for another tag or a digest, or what is no image name."""
    found = _IMAGE.fullmatch(image)
    if found is None or len(found["name"]) > _LONGEST_IMAGE:
        return "IfNotPresent"
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def _container_pull_policy(container: Object) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = image_pull_policy(container.get("image") or "")


def _image_volume(source: Object) -> None:
    if not source.get("pullPolicy"):
        source["pullPolicy"] = image_pull_policy(source.get("reference") or "")


def _empty_dir(volume: Object) -> None:
    """A volume that names no source is an emptyDir."""
    if all(name == "name" for name in volume):
        volume["emptyDir"] = {}


def _service_account(spec: Object) -> None:
    """`serviceAccount` is the old name of `serviceAccountName` and always says the same."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _pod(pod: Object) -> None:
    """What is defaulted in pods but not in templates: requests from limits, host ports, service links, odd graces."""
    spec = pod.get("spec")
    if spec is None:
        return
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    for container in containers:
        _requests_from_limits(container.get("resources"))
    _pod_level_requests(spec, containers)
    spec.setdefault("enableServiceLinks", True)
    if spec.get("hostNetwork"):
        for container in containers:
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort")


def _requests_from_limits(resources: Object | None) -> None:
    if resources and resources.get("limits"):
        requests = child(resources, "requests")
        for name, amount in resources["limits"].items():
            requests.setdefault(name, amount)


_POD_LEVEL = ("cpu", "memory")


def _pod_level_requests(spec: Object, containers: list[Object]) -> None:
    """What containers request together is the pod's request, and for what none requests its limit."""
    resources = spec.get("resources") or {}
    if not resources.get("limits"):
        return
    requests = child(resources, "requests")
    for name, amount in pods.pod_amounts({"spec": {**spec, "resources": None}}, "requests", overhead=False).items():
        if name in _POD_LEVEL:
            requests.setdefault(name, str(amount))
    for name, amount in pods.pod_amounts({"spec": {**spec, "resources": None}}, "limits", overhead=False).items():
        if name.startswith("hugepages-"):
            resources["limits"].setdefault(name, str(amount))
    for name, amount in resources["limits"].items():
        if name in _POD_LEVEL or name.startswith("hugepages-"):
            requests.setdefault(name, amount)


def _pod_ips(status: Object) -> None:
    """`podIP` is the first of `podIPs`; where they say different things, it is the one."""
    first, every = status.get("podIP"), status.get("podIPs") or []
    if first and (not every or every[0].get("ip") != first):
        status["podIPs"] = [{"ip": first}]
    elif every and every[0].get("ip"):
        status["podIP"] = every[0]["ip"]


_CONTAINER: Object = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
_MODE = 0o644

RULES: Rules = {
    CORE + "Pod": rule(_pod),
    CORE + "ResourceRequirements": rule(thousandths("limits", "requests")),
    CORE + "PodStatus": rule(_pod_ips),
    CORE + "PodSpec": rule(
        _service_account,
        thousandths("overhead"),
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    ),
    CORE + "Container": rule(_container_pull_policy, **_CONTAINER),
    CORE + "EphemeralContainer": rule(_container_pull_policy, **_CONTAINER),
    CORE + "Probe": rule(
        zero_is_absent=True, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3
    ),
    CORE + "HTTPGetAction": rule(path="/", scheme="HTTP"),
    CORE + "GRPCAction": rule(service=""),
    CORE + "ObjectFieldSelector": rule(apiVersion="v1"),
    CORE + "FileKeySelector": rule(optional=False),
    CORE + "Volume": rule(_empty_dir),
    CORE + "SecretVolumeSource": rule(defaultMode=_MODE),
    CORE + "ConfigMapVolumeSource": rule(defaultMode=_MODE),
    CORE + "DownwardAPIVolumeSource": rule(defaultMode=_MODE),
    CORE + "ProjectedVolumeSource": rule(defaultMode=_MODE),
    CORE + "ServiceAccountTokenProjection": rule(expirationSeconds=3600),
    CORE + "HostPathVolumeSource": rule(type=""),
    CORE + "AzureDiskVolumeSource": rule(readOnly=False),
    CORE + "ImageVolumeSource": rule(_image_volume),
}
