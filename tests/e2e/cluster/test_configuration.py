"""What pods get from the cluster: configMaps, secrets, the downward API, tokens; in the environment and as files."""

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.manifests import config_map, container, pod, secret
from kybern.testing.cluster.waiting import until

pytestmark = pytest.mark.containerd


def test_environment(kubectl: Kubectl) -> None:
    env = [
        {"name": "PLAIN", "value": "a $(FROM_MAP) $$(x)"},
        {"name": "FROM_MAP", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
        {"name": "ABSENT", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "no", "optional": True}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
    ]
    limits = {"limits": {"memory": "64Mi"}}
    every = [{"configMapRef": {"name": "settings"}, "prefix": "SET_"}]
    asking = container("env; sleep 3600", env=env, envFrom=every, resources=limits)
    kubectl.send("apply", config_map("settings", colour="blue"), secret("keys", password="pä$$"), pod("box", asking))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    seen = dict(line.partition("=")[::2] for line in until(lambda: kubectl("logs", "box")).splitlines())
    found = kubectl.json("get", "pod", "box")
    assert seen["PLAIN"] == "a $(FROM_MAP) $(x)", "only names defined before it are expanded"
    assert (seen["FROM_MAP"], seen["FROM_SECRET"], seen["SET_colour"]) == ("blue", "pä$$", "blue")
    assert "ABSENT" not in seen
    assert (seen["POD"], seen["IP"]) == ("box", found["status"]["podIP"])
    assert (seen["NODE"], seen["LABEL"], seen["MEMORY"]) == (found["spec"]["nodeName"], "box", "64")
    assert seen["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert seen["HOSTNAME"] == "box"


def test_volumes_and_their_live_update(kubectl: Kubectl) -> None:
    downward = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "requests.cpu", "divisor": "1m"}},
    ]
    together = [
        {"configMap": {"name": "settings", "items": [{"key": "colour", "path": "deep/colour", "mode": 0o400}]}},
        {"secret": {"name": "keys"}},
        {"serviceAccountToken": {"path": "token", "audience": "elsewhere", "expirationSeconds": 600}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    volumes = [
        {"name": "map", "configMap": {"name": "settings"}},
        {"name": "secret", "secret": {"secretName": "keys", "defaultMode": 0o440}},
        {"name": "down", "downwardAPI": {"items": downward}},
        {"name": "all", "projected": {"sources": together}},
        {"name": "empty", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]
    mounts = [{"name": v["name"], "mountPath": f"/v/{v['name']}"} for v in volumes]
    mounts.append({"name": "map", "mountPath": "/one", "subPath": "colour"})
    requests = {"requests": {"cpu": "30m"}}
    reading = container(volumeMounts=mounts, resources=requests)
    kubectl.send(
        "apply",
        config_map("settings", colour="blue", size="big"),
        secret("keys", password="one"),
        pod("box", reading, labels={"tier": "front"}, volumes=volumes),
    )
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")

    def inside(script: str) -> str:
        return kubectl("exec", "box", "--", "sh", "-c", script)

    assert inside("ls /v/map; cat /v/map/colour /one") == "colour\nsize\nblueblue"
    assert inside("cat /v/secret/password; stat -Lc %a /v/secret/password") == "one440"
    assert inside("cat /v/down/labels; echo; cat /v/down/cpu") == 'tier="front"\n30'
    assert inside("cat /v/all/deep/colour /v/all/password /v/all/name; stat -Lc %a /v/all/deep/colour") == (
        "blueonebox400"
    )
    assert inside("cat /v/all/token").count(".") == 2
    assert "tmpfs" in inside("grep /v/empty /proc/mounts")
    assert inside("touch /v/map/x 2>&1 || true").endswith("Read-only file system")
    kubectl.send("apply", config_map("settings", colour="green", shape="round"), secret("keys", password="two"))
    kubectl("label", "pod", "box", "tier=back", "--overwrite")
    until(lambda: inside("cat /v/map/colour") == "green", 90)
    assert inside("ls /v/map; cat /one") == "colour\nshape\nblue", "a subPath is not updated"
    until(lambda: inside("cat /v/secret/password /v/all/password /v/all/deep/colour") == "twotwogreen", 30)
    until(lambda: inside("cat /v/down/labels") == 'tier="back"', 30)
    assert kubectl.json("get", "pod", "box")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_pod_waits_for_what_it_needs(kubectl: Kubectl) -> None:
    env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "x"}}}]
    volumes = [{"name": "late", "secret": {"secretName": "late"}}]
    mounts = [{"name": "late", "mountPath": "/late"}]
    kubectl.send(
        "apply",
        pod("env", container(env=env)),
        pod("files", container(volumeMounts=mounts), volumes=volumes),
    )

    def reason() -> str:
        statuses = kubectl.json("get", "pod", "env")["status"].get("containerStatuses", [{}])
        return str(statuses[0].get("state", {}).get("waiting", {}).get("reason"))

    until(lambda: reason() == "CreateContainerConfigError")
    until(lambda: "FailedMount" in kubectl("events", "--for", "pod/files"))
    kubectl.send("apply", config_map("late", x="1"), secret("late", y="2"))
    kubectl("wait", "--for=condition=Ready", "pod/env", "pod/files", "--timeout=60s")
