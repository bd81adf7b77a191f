"""kubectl and volumes: bound, described, waited for, protected; and autoscalers without metrics."""

from kybern.testing.cluster import Kubectl


def test_a_claim_finds_its_volume(kubectl: Kubectl) -> None:
    name = f"v-{kubectl.namespace}-{kubectl.minor}"
    spec = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": name}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}}
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": name}
    claims = [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim}, "spec": wanted}
        for claim in ("first", "second")
    ]
    kubectl.send("create", {**volume, "spec": {**spec, "hostPath": {"path": "/x"}}}, claims[0])
    kubectl("wait", "pvc/first", "--for=jsonpath={.status.phase}=Bound", "--timeout=20s")
    (row,) = kubectl("get", "pvc", "first", "--no-headers").splitlines()
    assert row.split()[:6] == ["first", "Bound", name, "2Gi", "RWO", name]
    kubectl.send("create", claims[1])
    message = f'storageclass.storage.k8s.io "{name}" not found'
    kubectl("wait", "events", "--field-selector=involvedObject.name=second", "--for=create", "--timeout=20s")
    assert message in kubectl("describe", "pvc", "second")
    kubectl("delete", "pv", name, "--wait=false")
    assert "Terminating" in kubectl("get", "pv", name)
    assert "[kubernetes.io/pv-protection]" in kubectl("describe", "pv", name)
    kubectl("delete", "pvc", "first", "second", "--timeout=20s")
    kubectl("wait", f"pv/{name}", "--for=delete", "--timeout=20s")


def test_an_autoscaler_says_what_it_lacks(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=busybox:1")
    kubectl("autoscale", "deployment", "web", "--cpu-percent=50", "--min=2", "--max=5")
    kubectl("wait", "deployment/web", "--for=jsonpath={.spec.replicas}=2", "--timeout=20s")
    kubectl("wait", "hpa/web", "--for=condition=ScalingActive=false", "--timeout=30s")
    described = kubectl("describe", "hpa", "web")
    assert "the server could not find the requested resource (get pods.metrics.k8s.io)" in described
