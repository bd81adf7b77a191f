"""Pods on a real containerd: they run, end, restart, and go."""

import asyncio
import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

pytestmark = [pytest.mark.containerd, pytest.mark.asyncio]
World = Any
SLEEP = {"command": ["sleep", "1000"]}


def phase(name: str) -> Any:
    return lambda pod: pod.get("status", {}).get("phase") == name


def first(pod: Any) -> Any:
    return pod.get("status", {}).get("containerStatuses", [{}])[0]


def is_ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script], **more}


async def test_runs_and_goes(world: World) -> None:
    world.run_pod("web", SLEEP)
    pod = await world.until("web", is_ready)
    status = pod["status"]
    assert status["phase"] == "Running"
    assert ip_address(status["podIP"]) in ip_network(world.cidr)
    assert status["hostIP"]
    assert first(pod)["containerID"].startswith("containerd://")
    assert "startedAt" in first(pod)["state"]["running"]
    assert await world.exec("web", "hostname") == "web\n"
    world.delete("web")
    await world.until_gone("web")
    assert not (world.state / "pods" / pod["metadata"]["uid"]).exists()


async def test_end_and_termination_message(world: World) -> None:
    script = "echo out; echo err >&2; echo why > /dev/termination-log; exit 7"
    world.run_pod("job", shell(script), restartPolicy="Never")
    pod = await world.until("job", phase("Failed"))
    ended = first(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (7, "Error", "why\n")
    assert sorted((await world.logs("job")).splitlines()) == ["err", "out"]
    assert await world.logs("job", stream="Stderr") == "err\n"


async def test_message_falls_back_to_logs(world: World) -> None:
    container = shell("echo last words; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    world.run_pod("job", container, restartPolicy="Never")
    pod = await world.until("job", phase("Failed"))
    assert first(pod)["state"]["terminated"]["message"] == "last words\n"


async def test_restart_with_back_off_and_previous_log(world: World) -> None:
    world.run_pod("crash", shell("echo attempt; exit 3"))
    pod = await world.until(
        "crash", lambda p: first(p).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
    )
    assert first(pod)["restartCount"] == 1
    assert first(pod)["lastState"]["terminated"]["exitCode"] == 3
    assert await world.logs("crash", previous=True) == "attempt\n"


async def test_init_containers_and_sidecar(world: World) -> None:
    shared = {"volumeMounts": [{"name": "work", "mountPath": "/work"}], "image": "kybern/busybox:1"}
    inits = [
        {"name": "first", **shared, **shell("echo one > /work/log")},
        {"name": "side", **shared, **shell("echo side >> /work/log; sleep 1000"), "restartPolicy": "Always"},
        {"name": "second", **shared, **shell("echo two >> /work/log")},
    ]
    main = {**shared, **shell("cat /work/log; sleep 1000")}
    world.run_pod("multi", main, initContainers=inits, volumes=[{"name": "work", "emptyDir": {"medium": "Memory"}}])
    pod = await world.until("multi", is_ready)
    states = [next(iter(s["state"])) for s in pod["status"]["initContainerStatuses"]]
    assert states == ["terminated", "running", "terminated"]
    assert sorted((await world.logs("multi")).split()) == ["one", "side", "two"]
    assert "tmpfs on /work" in await world.exec("multi", "mount")


async def test_sidecar_does_not_keep_a_job_alive(world: World) -> None:
    side = {"name": "side", "image": "kybern/busybox:1", **shell("sleep 1000"), "restartPolicy": "Always"}
    world.run_pod("job", shell("exit 0"), initContainers=[side], restartPolicy="Never")
    pod = await world.until("job", phase("Succeeded"))
    assert first(pod)["state"]["terminated"]["reason"] == "Completed"


async def test_environment_and_volumes(world: World) -> None:
    def put(resource: str, kind: str, **body: Any) -> None:
        world.api.put(("", resource), {"apiVersion": "v1", "kind": kind, **body})

    put(
        "configmaps", "ConfigMap", metadata={"name": "conf", "namespace": "default"}, data={"key": "v1", "b.txt": "bee"}
    )
    put("secrets", "Secret", metadata={"name": "sec", "namespace": "default"}, data={"pw": "aHVzaA=="})
    ports = [{"port": 443, "name": "https"}]
    put(
        "services",
        "Service",
        metadata={"name": "kubernetes", "namespace": "default"},
        spec={"clusterIP": "10.96.0.1", "ports": ports},
    )
    env = [
        {"name": "PLAIN", "value": "x-$(FROM_CONF)-$$(NO)"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "pw"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "OPT", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
    ]
    env.insert(0, {"name": "FROM_CONF", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "key"}}})
    projected = {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"secret": {"name": "sec"}},
        ]
    }
    volumes = [
        {"name": "conf", "configMap": {"name": "conf", "defaultMode": 0o400}},
        {"name": "all", "projected": projected},
        {"name": "tmp", "emptyDir": {}},
    ]
    mounts = [
        {"name": "conf", "mountPath": "/conf"},
        {"name": "conf", "mountPath": "/one.txt", "subPath": "b.txt"},
        {"name": "all", "mountPath": "/all", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp", "subPath": "inner"},
    ]
    limits = {"limits": {"cpu": "250m", "memory": "64Mi"}}
    env_from = [{"prefix": "P_", "secretRef": {"name": "sec"}}]
    world.run_pod(
        "all", {**SLEEP, "env": env, "volumeMounts": mounts, "resources": limits, "envFrom": env_from},
        volumes=volumes, hostAliases=[{"ip": "1.2.3.4", "hostnames": ["far", "away"]}], subdomain="sub",
        securityContext={"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000},
    )  # fmt: skip
    pod = await world.until("all", is_ready)
    variables = dict(line.split("=", 1) for line in (await world.exec("all", "env")).splitlines())
    assert variables["PLAIN"] == "x-v1-$(NO)"
    assert variables["POD_IP"] == pod["status"]["podIP"]
    assert (variables["PW"], variables["P_pw"], variables["CPU"]) == ("hush", "hush", "250")
    assert "OPT" not in variables
    assert variables["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert await world.exec("all", "cat", "/conf/key", "/one.txt", "/all/labels", "/all/pw") == "v1beeallhush"
    assert (await world.exec("all", "cat", "/all/token")).startswith("token-")
    hosts = await world.exec("all", "cat", "/etc/hosts")
    assert "1.2.3.4\tfar\taway" in hosts
    assert f"{pod['status']['podIP']}\tall.sub.default.svc.cluster.local\tall" in hosts
    assert "nameserver 10.96.0.10" in await world.exec("all", "cat", "/etc/resolv.conf")
    assert (await world.exec("all", "id")).split() == ["uid=1000", "gid=2000", "groups=2000,3000"]
    assert "Read-only" in await world.exec("all", "touch", "/all/x")
    assert await world.exec("all", "sh", "-c", "echo hi > /tmp/x && cat /tmp/x") == "hi\n"
    assert (await world.exec("all", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")).strip() == str(64 << 20)
    put("configmaps", "ConfigMap", metadata={"name": "conf", "namespace": "default"}, data={"key": "v2"})
    async with asyncio.timeout(10):
        while await world.exec("all", "cat", "/conf/key") != "v2":
            await asyncio.sleep(0.05)


async def test_missing_config_map_is_waited_for(world: World) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]
    world.run_pod("late", {**SLEEP, "env": env})
    pod = await world.until(
        "late",
        lambda p: (
            "waiting" in first(p).get("state", {})
            and first(p)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        ),
    )
    assert first(pod)["state"]["waiting"]["message"] == 'configmap "late" not found'
    metadata = {"name": "late", "namespace": "default"}
    world.api.put(
        ("", "configmaps"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}
    )
    await world.until("late", is_ready)


@pytest.mark.parametrize(("container", "reason"), [
    ({"image": "kybern/none:1", "imagePullPolicy": "Never"}, "ErrImageNeverPull"),
    ({"image": "127.0.0.1:1/none:1"}, "ErrImagePull"),
    ({"image": "kybern/busybox:1", "securityContext": {"runAsNonRoot": True}}, "CreateContainerConfigError"),
    ({"image": "kybern/busybox:1", "command": ["/nonexistent"]}, "RunContainerError"),
])  # fmt: skip
async def test_reasons(world: World, container: Any, reason: str) -> None:
    world.run_pod("odd", container)
    seen = []

    def has(pod: Any) -> bool:
        seen.append(first(pod).get("state", {}).get("waiting", {}).get("reason"))
        return reason in seen

    await world.until("odd", has)


async def test_probes(world: World) -> None:
    check = {"exec": {"command": ["test", "-f", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    http = {"httpGet": {"port": "web", "path": "/"}, "periodSeconds": 1}
    server = shell(
        "mkdir /www; echo hi > /www/index.html; exec httpd -f -p 8080 -h /www",
        ports=[{"name": "web", "containerPort": 8080}],
    )
    world.run_pod(
        "probed",
        {
            **server,
            "readinessProbe": check,
            "livenessProbe": http,
            "startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        },
    )
    pod = await world.until("probed", lambda p: first(p).get("started"))
    assert not first(pod)["ready"]
    await world.exec("probed", "touch", "/tmp/ok")
    await world.until("probed", is_ready)
    await world.exec("probed", "rm", "/tmp/ok")
    await world.until("probed", lambda p: not is_ready(p))


async def test_liveness_restarts(world: World) -> None:
    check = {"exec": {"command": ["test", "-f", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    world.run_pod("sick", {**shell("touch /tmp/ok; sleep 1000"), "livenessProbe": check})
    await world.until("sick", is_ready)
    await world.exec("sick", "rm", "/tmp/ok")
    pod = await world.until("sick", lambda p: first(p).get("restartCount") == 1 and is_ready(p))
    assert first(pod)["lastState"]["terminated"]["exitCode"] == 137


async def test_pre_stop_and_grace(world: World) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo pre > /proc/1/fd/1"]}}}
    world.run_pod(
        "slow",
        {**shell("trap 'echo term; exit 0' TERM; while true; do sleep 0.1; done"), "lifecycle": hook},
        terminationGracePeriodSeconds=20,
    )
    await world.until("slow", is_ready)
    lines: list[str] = []

    async def follow() -> None:
        lines.append(await world.logs("slow", follow=True))

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.2)
    world.delete("slow")
    await world.until_gone("slow", 10)
    await task
    assert lines == ["pre\nterm\n"]


async def test_a_shorter_grace_counts(world: World) -> None:
    world.run_pod("stubborn", shell("trap '' TERM; while true; do sleep 0.1; done"), terminationGracePeriodSeconds=60)
    await world.until("stubborn", is_ready)
    world.delete("stubborn")
    await asyncio.sleep(0.3)
    assert world.pod("stubborn")
    world.delete("stubborn", 1)
    await world.until_gone("stubborn", 10)


async def test_agent_restart_leaves_containers_alone(world: World) -> None:
    world.run_pod("stay", SLEEP)
    before = await world.until("stay", is_ready)
    await world.stop()
    await world.start()
    await asyncio.sleep(1.5)
    after = world.pod("stay")
    assert first(after) == first(before)
    assert after["status"]["podIP"] == before["status"]["podIP"]
    world.run_pod("next", SLEEP)
    await world.until("next", is_ready)


async def test_orphans_are_stopped(world: World) -> None:
    world.run_pod("orphan", SLEEP)
    pod = await world.until("orphan", is_ready)
    await world.stop()
    world.api.remove(("", "pods"), "default/orphan")
    await world.start()
    uid = pod["metadata"]["uid"]
    async with asyncio.timeout(15):
        while await world.runtime.list_pod_sandboxes({"io.kubernetes.pod.uid": uid}):
            await asyncio.sleep(0.05)


async def test_host_network_and_host_port(world: World) -> None:
    server = shell("mkdir /www; echo $HOSTNAME > /www/index.html; exec httpd -f -p 18080 -h /www")
    world.run_pod("host", server, hostNetwork=True)
    pod = await world.until("host", is_ready)
    assert pod["status"]["podIP"] == pod["status"]["hostIP"]
    world.run_pod(
        "ported",
        {
            **shell("mkdir /www; echo ported > /www/index.html; exec httpd -f -p 80 -h /www"),
            "ports": [{"containerPort": 80, "hostPort": 18081}],
            "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1},
        },
    )
    pod = await world.until("ported", is_ready)
    reader, writer = await asyncio.open_connection(pod["status"]["hostIP"], 18081)
    writer.write(b"GET /index.html HTTP/1.0\r\n\r\n")
    assert b"ported" in await reader.read()
    writer.close()


async def test_stats(world: World) -> None:
    from kybern.protos.node.v1 import node_pb2

    world.run_pod("busy", SLEEP)
    await world.until("busy", is_ready)
    answer = await world.stub.GetStats(node_pb2.GetStatsRequest(node_name="node-1"), timeout=10)
    summary = json.loads(answer.summary)
    assert [pod["podRef"]["name"] for pod in summary["pods"]] == ["busy"]
    assert summary["pods"][0]["containers"][0]["memory"]["workingSetBytes"] > 0


async def test_ephemeral_container_sees_the_target(world: World) -> None:
    pod = world.run_pod("app", {"command": ["sleep", "4321"]})
    await world.until("app", is_ready)
    debug = {"name": "debug", "image": "kybern/busybox:1", "targetContainerName": "c0", **shell("ps; sleep 1000")}
    world.api.put(("", "pods"), {**world.pod("app"), "spec": {**pod["spec"], "ephemeralContainers": [debug]}})
    await world.until(
        "app", lambda p: "running" in (p["status"].get("ephemeralContainerStatuses") or [{}])[0].get("state", {})
    )
    await asyncio.sleep(0.2)
    assert "sleep 4321" in await world.logs("app", container=world.ref("app", "debug"))


async def test_a_dead_sandbox_is_replaced(world: World) -> None:
    world.run_pod("box", SLEEP)
    await world.until("box", is_ready)
    for _ in range(3):
        restarts = first(world.pod("box"))["restartCount"]
        dead = world.agent.find("default", "box").runtime.sandboxes[0].id
        await world.runtime.stop_pod_sandbox(dead)

        def replaced(pod: dict[str, Any], dead: str = dead, restarts: int = restarts) -> bool:
            # A container may be started once more in the dying sandbox, so the count can rise by more than one.
            newest = world.agent.find("default", "box").runtime.sandboxes[0].id
            return newest != dead and first(pod).get("restartCount", 0) > restarts and is_ready(pod)

        await world.until("box", replaced, 60)
        world.agent.node.crashes.forget("")
    assert len(world.agent.find("default", "box").runtime.sandboxes) <= 3
