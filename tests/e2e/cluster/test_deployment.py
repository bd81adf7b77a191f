"""The main job: a Deployment, its Service from everywhere, and what `kubectl rollout` and `scale` do to it."""

import json

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.manifests import container, deployment, pod, service, web_container
from kybern.testing.cluster.waiting import fetch, until

pytestmark = pytest.mark.containerd


def pods_of(kubectl: Kubectl, name: str) -> set[str]:
    return set(kubectl("get", "pods", "-l", f"app={name}", "-o", "jsonpath={.items[*].metadata.name}").split())


def revision(kubectl: Kubectl, name: str) -> str:
    return kubectl("exec", f"deployment/{name}", "--", "sh", "-c", "echo $REVISION")


def with_revision(number: int) -> dict[str, object]:
    return deployment("web", 2, web_container(env=[{"name": "REVISION", "value": str(number)}]))


def test_service_answers_from_everywhere(kubectl: Kubectl) -> None:
    kubectl.send("apply", deployment("web", 3), service("web", type="NodePort"), pod("visitor"))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    names = pods_of(kubectl, "web")
    assert len(names) == 3
    spec = kubectl.json("get", "service", "web")["spec"]
    by_cluster_ip, by_node_port = f"http://{spec['clusterIP']}/", spec["ports"][0]["nodePort"]
    address = kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}")
    until(lambda: fetch(by_cluster_ip) in names)
    assert {fetch(by_cluster_ip) for _ in range(40)} == names, "every replica answers"
    assert until(lambda: fetch(f"http://{address}:{by_node_port}/")) in names
    kubectl("wait", "--for=condition=Ready", "pod/visitor", "--timeout=30s")
    for name in ("web", f"web.{kubectl.namespace}", f"web.{kubectl.namespace}.svc.cluster.local"):
        assert kubectl("exec", "visitor", "--", "wget", "-qO-", f"http://{name}/") in names
    assert fetch(f"http://{kubectl.json('get', 'pods', '-l', 'app=web')['items'][0]['status']['podIP']}:8080/") in names


def test_dns_knows_services_pods_and_the_outside_of_a_name(kubectl: Kubectl) -> None:
    kubectl.send("apply", deployment("web", 2), service("web", clusterIP="None"), pod("visitor"))
    kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    wanted = set(kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.podIP}").split())

    def look() -> bool:
        answer = kubectl("exec", "visitor", "--", "nslookup", f"web.{kubectl.namespace}.svc.cluster.local")
        return all(ip in answer for ip in wanted)

    until(look)
    assert "10.96.0.1" in kubectl("exec", "visitor", "--", "nslookup", "kubernetes.default.svc.cluster.local")
    failed = kubectl.run("exec", "visitor", "--", "nslookup", f"nothing.{kubectl.namespace}.svc.cluster.local")
    assert failed.code == 1
    assert "NXDOMAIN" in failed.out + failed.err


def test_update_undo_and_scale(kubectl: Kubectl) -> None:
    kubectl.send("apply", with_revision(1))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    first = pods_of(kubectl, "web")
    kubectl("set", "env", "deployment/web", "REVISION=2")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert revision(kubectl, "web") == "2"
    until(lambda: len(pods_of(kubectl, "web")) == 2)
    assert not pods_of(kubectl, "web") & first
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert revision(kubectl, "web") == "1"
    kubectl("scale", "deployment/web", "--replicas=4")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    until(lambda: len(pods_of(kubectl, "web")) == 4)  # the old ones may still be ending
    kubectl("scale", "deployment/web", "--replicas=0")
    until(lambda: not pods_of(kubectl, "web"))


def test_update_of_the_image_keeps_the_service_answering(kubectl: Kubectl) -> None:
    kubectl.send("apply", with_revision(1), service("web"))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    url = f"http://{kubectl.json('get', 'service', 'web')['spec']['clusterIP']}/"
    until(lambda: fetch(url))
    kubectl("rollout", "restart", "deployment/web")
    failures = 0

    def updated() -> bool:
        nonlocal failures
        try:
            fetch(url)
        except OSError:
            failures += 1
        status = kubectl.json("get", "deployment", "web")["status"]
        return bool(status.get("updatedReplicas") == 2 == status.get("availableReplicas") == status["replicas"])

    until(updated, 40)
    assert failures <= 2, "a connection may meet a pod that just ends, no more"


def test_delete_waits_for_the_pods_grace(kubectl: Kubectl) -> None:
    script = "trap 'sleep 1; echo bye; exit 0' TERM; while :; do sleep 0.1; done"
    kubectl.send("apply", pod("slow", container(script), terminationGracePeriodSeconds=20))
    kubectl("wait", "--for=condition=Ready", "pod/slow", "--timeout=30s")
    kubectl("delete", "pod", "slow", "--wait=false")
    assert kubectl("get", "pod", "slow", "--no-headers").split()[2] == "Terminating"
    assert kubectl("logs", "-f", "slow") == "bye"
    kubectl("wait", "--for=delete", "pod/slow", "--timeout=10s")
    stubborn = container("trap '' TERM; while :; do sleep 0.1; done")
    kubectl.send("apply", pod("stubborn", stubborn, terminationGracePeriodSeconds=300))
    kubectl("wait", "--for=condition=Ready", "pod/stubborn", "--timeout=30s")
    kubectl("delete", "pod", "stubborn", "--grace-period=1", "--timeout=10s")


def test_deleting_a_deployment_takes_its_pods(kubectl: Kubectl) -> None:
    kubectl.send("apply", deployment("web", 2), service("web"))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("delete", "deployment", "web")
    until(lambda: not pods_of(kubectl, "web"))
    assert json.loads(kubectl("get", "replicasets", "-o", "json"))["items"] == []
    slices = kubectl.json("get", "endpointslices")["items"]
    until(lambda: not any(each.get("endpoints") for each in kubectl.json("get", "endpointslices")["items"]))
    assert slices, "the Service keeps its slice"
