"""A pod's life: init containers, probes, restarts, images that are not there."""

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.manifests import Object, container, pod, service
from kybern.testing.cluster.waiting import until

pytestmark = pytest.mark.containerd


def status_of(kubectl: Kubectl, name: str, container: int = 0) -> Object:
    """The status of one container of a pod, {} when there is none yet."""
    statuses = kubectl.json("get", "pod", name)["status"].get("containerStatuses", [])
    found: Object = statuses[container] if len(statuses) > container else {}
    return found


def column(kubectl: Kubectl, name: str) -> str:
    """The STATUS that `kubectl get pods` shows."""
    return kubectl("get", "pod", name, "--no-headers").split()[2]


def test_init_containers_run_in_order_before_the_others(kubectl: Kubectl) -> None:
    mount: Object = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    spec: Object = {
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "initContainers": [
            container("sleep 1; echo one >> /shared/order", "one", **mount),
            container("echo two >> /shared/order", "two", **mount),
        ],
    }
    kubectl.send("apply", pod("box", container("echo main >> /shared/order; sleep 3600", **mount), **spec))
    until(lambda: column(kubectl, "box") == "Init:0/2")
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    assert kubectl("exec", "box", "--", "cat", "/shared/order").split() == ["one", "two", "main"]


def test_sidecar_and_failing_init_container(kubectl: Kubectl) -> None:
    sidecar = container("echo up; exec sleep 3600", "side", restartPolicy="Always")
    kubectl.send(
        "apply",
        pod("job", container("sleep 0.5"), initContainers=[sidecar], restartPolicy="Never"),
        pod("broken", container(), initContainers=[container("exit 3", "init")], restartPolicy="Never"),
    )
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/job", "--timeout=30s")
    until(lambda: column(kubectl, "broken") == "Init:Error")
    assert kubectl.json("get", "pod", "broken")["status"]["phase"] == "Failed"


def test_readiness_gates_endpoints(kubectl: Kubectl) -> None:
    probe = {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1}
    kubectl.send("apply", pod("web", container(readinessProbe=probe)), service("web"))
    until(lambda: column(kubectl, "web") == "Running")

    def addresses() -> str:
        return kubectl("get", "endpoints", "web", "-o", "jsonpath={.subsets[*].addresses[*].ip}")

    assert kubectl("get", "pod", "web", "--no-headers").split()[1] == "0/1"
    assert addresses() == ""
    kubectl("exec", "web", "--", "touch", "/tmp/ready")
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=10s")
    until(addresses, 5)
    kubectl("exec", "web", "--", "rm", "/tmp/ready")
    kubectl("wait", "--for=condition=Ready=false", "pod/web", "--timeout=10s")
    until(lambda: addresses() == "", 5)


@pytest.mark.parametrize(
    ("kind", "probe"),
    [
        ("exec", {"exec": {"command": ["test", "!", "-e", "/tmp/bad"]}}),
        ("http", {"httpGet": {"path": "/ok", "port": 8080}}),
        ("tcp", {"tcpSocket": {"port": 8080}}),
    ],
)
def test_failing_liveness_restarts(kubectl: Kubectl, kind: str, probe: Object) -> None:
    serve = "mkdir -p /tmp/www; echo fine > /tmp/www/ok; httpd -f -p 8080 -h /tmp/www & while :; do sleep 0.1; done"
    breaking = {"exec": "touch /tmp/bad", "http": "rm /tmp/www/ok", "tcp": "killall httpd"}[kind]
    live = {**probe, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1}
    kubectl.send("apply", pod("box", container(serve, livenessProbe=live)))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    kubectl("exec", "box", "--", "sh", "-c", breaking)
    until(lambda: status_of(kubectl, "box")["restartCount"] == 1, 20)
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    assert "Unhealthy" in kubectl("events", "--for", "pod/box")
    assert status_of(kubectl, "box")["lastState"]["terminated"]["exitCode"] in (137, 143)


def test_restart_policies_and_crash_loop(kubectl: Kubectl) -> None:
    kubectl.send(
        "apply",
        pod("loop", container("exit 1")),
        pod("never", container("exit 5"), restartPolicy="Never"),
        pod("done", container("exit 0"), restartPolicy="OnFailure"),
        pod("again", container("sleep 0.2; exit 0")),
    )
    kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/never", "--timeout=30s")
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/done", "--timeout=30s")
    assert (column(kubectl, "never"), column(kubectl, "done")) == ("Error", "Completed")
    assert status_of(kubectl, "never")["state"]["terminated"]["exitCode"] == 5
    until(lambda: column(kubectl, "loop") == "CrashLoopBackOff", 30)
    assert status_of(kubectl, "loop")["restartCount"] >= 1
    assert "back-off" in status_of(kubectl, "loop")["state"]["waiting"]["message"]
    until(lambda: status_of(kubectl, "again")["restartCount"] >= 1, 30)
    assert "BackOff" in kubectl("events", "--for", "pod/loop")


def test_image_that_cannot_be_pulled(kubectl: Kubectl) -> None:
    absent = {**container(), "image": "127.0.0.1:1/no/such:1"}
    never = {**container(), "image": "kybern/absent:1", "imagePullPolicy": "Never"}
    kubectl.send("apply", pod("absent", absent), pod("never", never), pod("bad", {**container(), "image": "UPPER:1"}))
    until(lambda: column(kubectl, "absent") in ("ErrImagePull", "ImagePullBackOff"))
    until(lambda: column(kubectl, "absent") == "ImagePullBackOff", 30)
    until(lambda: column(kubectl, "never") == "ErrImageNeverPull")
    until(lambda: column(kubectl, "bad") == "InvalidImageName")
    assert "Failed to pull image" in kubectl("events", "--for", "pod/absent")


def test_security_context_and_resources_reach_the_container(kubectl: Kubectl) -> None:
    context = {"runAsUser": 1000, "runAsGroup": 3000, "readOnlyRootFilesystem": True}
    limits = {"limits": {"memory": "32Mi", "cpu": "100m"}}
    safe = container("id -u; id -g; touch /x; exec sleep 3600", securityContext=context, resources=limits)
    kubectl.send("apply", pod("safe", safe), pod("root", container(securityContext={"runAsNonRoot": True})))
    kubectl("wait", "--for=condition=Ready", "pod/safe", "--timeout=30s")
    until(lambda: kubectl("logs", "safe").splitlines() == ["1000", "3000", "touch: /x: Read-only file system"])
    assert kubectl.json("get", "pod", "safe")["status"]["qosClass"] == "Guaranteed"
    limit = kubectl("exec", "safe", "--", "sh", "-c", "cat /sys/fs/cgroup/memory*/memory.limit_in_bytes || true")
    assert limit in ("", str(32 << 20))
    until(lambda: column(kubectl, "root") == "CreateContainerConfigError")


def test_memory_limit_kills(kubectl: Kubectl) -> None:
    hog = container("head -c 200m /dev/zero | tail", resources={"limits": {"memory": "16Mi"}})
    kubectl.send("apply", pod("hog", hog, restartPolicy="Never"))
    ended = until(lambda: status_of(kubectl, "hog").get("state", {}).get("terminated"), 30)
    assert ended["reason"] in ("OOMKilled", "Error")
