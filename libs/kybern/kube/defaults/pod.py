"""Defaults of pods and everything inside a pod template."""

from kybern.kube import quantity
from kybern.kube.defaults.rules import Object, Rules, child, rule

CORE = "io.k8s.api.core.v1."


def image_pull_policy(image: str) -> str:
    """Always for `latest`, said or implied; IfNotPresent for another tag or a digest."""
    name, at, _ = image.partition("@")
    if at:
        return "IfNotPresent"
    _, colon, tag = name.rpartition("/")[2].partition(":")
    return "Always" if not colon or tag == "latest" else "IfNotPresent"


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


def _pod_level_requests(spec: Object, containers: list[Object]) -> None:
    """A pod-level limit is also the request, unless containers request that resource: then their sum is."""
    resources = spec.get("resources") or {}
    if not resources.get("limits"):
        return
    requests = child(resources, "requests")
    for name, amount in resources["limits"].items():
        asked = [
            quantity.parse(given[name])
            for container in spec.get("containers") or ()
            if name in (given := (container.get("resources") or {}).get("requests") or {})
        ]
        requests.setdefault(name, str(sum(asked[1:], asked[0])) if asked else amount)


_CONTAINER: Object = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
_MODE = 0o644

RULES: Rules = {
    CORE + "Pod": rule(_pod),
    CORE + "PodSpec": rule(
        _service_account,
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
