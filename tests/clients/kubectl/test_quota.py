"""kubectl and ResourceQuotas: what describe shows, and how far a Deployment gets."""

import json
import time
from typing import Any

from kybern.testing.cluster import Kubectl


def lines(text: str) -> list[str]:
    """Lines with single blanks."""
    return [" ".join(line.split()) for line in text.splitlines()]


def until_used(kubectl: Kubectl, **expected: str) -> None:
    """Wait for what a quota counts."""
    wanted = {name.replace("_", "."): amount for name, amount in expected.items()}
    end = time.monotonic() + 20
    while (used := kubectl.json("get", "quota", "q").get("status", {}).get("used")) != wanted:
        assert time.monotonic() < end, used
        time.sleep(0.1)


def container(**resources: Any) -> str:
    """`--overrides` of a pod whose one container says what it wants."""
    return json.dumps({"spec": {"containers": [{"name": "p", "image": "busybox:1", "resources": resources}]}})


def test_a_quota_is_counted_described_and_kept(kubectl: Kubectl) -> None:
    kubectl("create", "quota", "q", "--hard=pods=2,requests.cpu=1,services=1")
    until_used(kubectl, pods="0", requests_cpu="0", services="0")
    error = kubectl.error("run", "p", "--image=busybox:1")
    assert error.endswith('pods "p" is forbidden: failed quota: q: must specify requests.cpu for: p')
    kubectl("run", "p", "--image=busybox:1", f"--overrides={container(requests={'cpu': '600m'})}")
    error = kubectl.error("run", "p2", "--image=busybox:1", f"--overrides={container(requests={'cpu': '600m'})}")
    assert error.endswith(
        "exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
    )
    kubectl("create", "service", "clusterip", "a", "--tcp=80")
    assert "exceeded quota: q" in kubectl.error("create", "service", "clusterip", "b", "--tcp=80")
    described = lines(kubectl("describe", "quota", "q"))
    assert described[-3:] == ["pods 1 2", "requests.cpu 600m 1", "services 1 1"]
    assert "pods: 1/2, requests.cpu: 600m/1, services: 1/1" in kubectl("get", "quota", "q")
    kubectl("delete", "pod", "p", "--now")
    until_used(kubectl, pods="0", requests_cpu="0", services="1")


def test_a_deployment_gets_as_far_as_the_quota(kubectl: Kubectl) -> None:
    kubectl("create", "quota", "q", "--hard=pods=2,count/deployments.apps=1")
    until_used(kubectl, pods="0", **{"count/deployments_apps": "0"})
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=4")
    until_used(kubectl, pods="2", **{"count/deployments_apps": "1"})
    kubectl("wait", "deployment/web", "--for=jsonpath={.status.replicas}=2", "--timeout=20s")
    kubectl("wait", "replicasets", "-l", "app=web", "--for=condition=ReplicaFailure", "--timeout=20s")
    assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in kubectl(
        "describe", "rs", "-l", "app=web"
    )
    assert "exceeded quota" in kubectl.error("create", "deployment", "more", "--image=busybox:1")
