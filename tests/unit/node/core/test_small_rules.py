"""The small rules of the node agent, each as a table."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.node.core import backoff, cni, downward, images, log_format, node_status, pleg, probe, resources
from kybern.node.core.backoff import Backoff
from kybern.node.core.container_config import ConfigError, ImageFacts, container_config
from kybern.node.core.environment import MissingReference, expand, make_environment, service_variables
from kybern.node.core.hosts import render_hosts
from kybern.node.core.pleg import EventType, Seen
from kybern.node.core.pod_sandbox import (
    NodeSettings,
    dns_config,
    host_domain,
    hostname,
    kernel_hostname,
    sandbox_config,
)
from kybern.node.core.probe import Kind
from kybern.node.core.volumes import File, VolumeError, environment_references, select

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = NodeSettings("n", ("10.96.0.10",), host_dns=(("9.9.9.9",), ("corp",), ("rotate",)))


def make_pod(**spec: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "x"}], **spec}
    return {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec}


@pytest.mark.parametrize(("text", "expected"), [
    ("$(A)", "1"), ("x$(A)y$(B)", "x1y2"), ("$$(A)", "$(A)"), ("$(NO)", "$(NO)"), ("$A", "$A"), ("$$", "$"),
    ("$(A", "$(A"), ("$", "$"), ("$$$(A)", "$1"), ("", ""),
])  # fmt: skip
def test_expand(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_service_variables() -> None:
    def service(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": "10.0.0.1", **spec}}

    ports = [{"port": 80, "name": "http"}, {"port": 53, "protocol": "UDP"}]
    services = [
        service("my-web", "ns", ports=ports),
        service("other", "else", ports=ports),
        service("headless", "ns", ports=ports, clusterIP="None"),
        service("kubernetes", "default", ports=[{"port": 443}]),
    ]
    found = service_variables(services, "ns", True)
    assert found["MY_WEB_SERVICE_HOST"] == "10.0.0.1"
    assert found["MY_WEB_SERVICE_PORT_HTTP"] == "80"
    assert found["MY_WEB_PORT"] == "tcp://10.0.0.1:80"
    assert found["MY_WEB_PORT_53_UDP_PROTO"] == "udp"
    assert found["KUBERNETES_SERVICE_PORT"] == "443"
    assert not any(name.startswith(("OTHER", "HEADLESS")) for name in found)
    assert {name.split("_")[0] for name in service_variables(services, "ns", False)} == {"KUBERNETES"}


def test_environment_order_and_missing() -> None:
    container = {
        "name": "c",
        "envFrom": [{"configMapRef": {"name": "m"}, "prefix": "P_"}],
        "env": [{"name": "A", "value": "$(P_k)-$(S)"}, {"name": "P_k", "value": "own"}],
    }
    maps: dict[str, Any] = {"m": {"data": {"k": "v"}}}
    found = make_environment(container, "ns", {"S": "svc"}, maps, {}, str, str)
    assert found == {"S": "svc", "P_k": "own", "A": "v-svc"}
    with pytest.raises(MissingReference, match='configmap "m" not found'):
        make_environment(container, "ns", {}, {"m": None}, {}, str, str)
    container["env"] = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "no"}}}]
    with pytest.raises(MissingReference, match="couldn't find key no in Secret ns/s"):
        make_environment(container, "ns", {}, maps, {"s": {"data": {}}}, str, str)


@pytest.mark.parametrize(("spec", "servers", "searches", "options"), [
    ({}, ["10.96.0.10"], ["ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp"], ["ndots:5"]),
    ({"hostNetwork": True}, ["9.9.9.9"], ["corp"], ["rotate"]),
    ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, ["10.96.0.10"],
     ["ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp"], ["ndots:5"]),
    ({"dnsPolicy": "Default"}, ["9.9.9.9"], ["corp"], ["rotate"]),
    ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a"], "options": [
        {"name": "ndots", "value": "2"}, {"name": "edns0"}]}}, ["1.1.1.1"], ["a"], ["ndots:2", "edns0"]),
])  # fmt: skip
def test_dns(spec: Any, servers: list[str], searches: list[str], options: list[str]) -> None:
    found = dns_config(make_pod(**spec), SETTINGS)
    assert (list(found.servers), list(found.searches), list(found.options)) == (servers, searches, options)


def test_sandbox_config() -> None:
    spec = {"securityContext": {"fsGroup": 7, "runAsUser": 5, "sysctls": [{"name": "a", "value": "b"}]}}
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}, {"containerPort": 81}]
    pod = make_pod(**spec, containers=[{"name": "c", "image": "x", "ports": ports}])
    found = sandbox_config(pod, SETTINGS, 2, "/logs")
    assert found.linux.cgroup_parent == "/kybern/besteffort/podu"
    assert found.log_directory == "/logs/ns_p_u"
    assert (found.hostname, found.metadata.attempt) == ("p", 2)
    assert [(m.host_port, m.container_port, m.protocol) for m in found.port_mappings] == [(8080, 80, 1)]
    assert list(found.linux.security_context.supplemental_groups) == [7]
    assert found.linux.security_context.run_as_user.value == 5
    assert dict(found.linux.sysctls) == {"a": "b"}


@pytest.mark.parametrize(("spec", "name", "domain", "kernel"), [
    ({}, "p", "", "p"),
    ({"hostname": "h", "setHostnameAsFQDN": True}, "h", "", "h"),
    ({"hostname": "h", "subdomain": "s"}, "h", "s.ns.svc.cluster.local", "h"),
    ({"hostname": "h", "subdomain": "s", "setHostnameAsFQDN": True}, "h", "s.ns.svc.cluster.local",
     "h.s.ns.svc.cluster.local"),
    ({"hostname": "h", "subdomain": "s", "hostnameOverride": "a.b"}, "a.b", "", "a.b"),
])  # fmt: skip
def test_host_names(spec: Any, name: str, domain: str, kernel: str) -> None:
    pod = make_pod(**spec)
    assert (hostname(pod), host_domain(pod, SETTINGS), kernel_hostname(pod, SETTINGS)) == (name, domain, kernel)


def test_full_host_names_fit_the_kernel() -> None:
    pod = make_pod(hostname="h" * 50, subdomain="s", setHostnameAsFQDN=True)
    with pytest.raises(ValueError, match=r"is too long \(64 characters is the max, 73 characters requested\)"):
        kernel_hostname(pod, SETTINGS)


@pytest.mark.parametrize(("context", "image", "error"), [
    ({"runAsNonRoot": True}, ImageFacts("i"), "image will run as root"),
    ({"runAsNonRoot": True, "runAsUser": 0}, ImageFacts("i", 5), "runAsUser breaks non-root policy"),
    ({"runAsNonRoot": True}, ImageFacts("i", None, "web"), r"non-numeric user \(web\)"),
    ({"runAsNonRoot": True}, ImageFacts("i", 5), ""),
    ({"runAsNonRoot": True, "runAsUser": 9}, ImageFacts("i"), ""),
])  # fmt: skip
def test_run_as_non_root(context: Any, image: ImageFacts, error: str) -> None:
    container = {"name": "c", "image": "x", "securityContext": context}
    if error:
        with pytest.raises(ConfigError, match=error):
            container_config(make_pod(), container, 0, image, {}, [], SETTINGS, "")
    else:
        container_config(make_pod(), container, 0, image, {}, [], SETTINGS, "")


@pytest.mark.parametrize(("limits", "requests", "qos", "shares", "quota", "oom"), [
    ({}, {}, "BestEffort", 2, 0, 1000),
    ({"cpu": "1", "memory": "1Gi"}, {}, "Guaranteed", 1024, 100000, -997),
    ({}, {"cpu": "250m", "memory": "1Gi"}, "Burstable", 256, 0, 750),
    ({"cpu": "5m"}, {}, "Burstable", 5, 1000, 999),
])  # fmt: skip
def test_resources(limits: Any, requests: Any, qos: str, shares: int, quota: int, oom: int) -> None:
    container = {"name": "c", "image": "x", "resources": {"limits": limits, "requests": requests}}
    pod = make_pod(containers=[container])
    values = resources.container_values(container)
    assert resources.qos_class(pod) == qos
    assert (values.cpu_shares, values.cpu_quota) == (shares, quota)
    assert resources.oom_score(pod, container, 4 << 30) == oom


@pytest.mark.parametrize(("resource", "divisor", "expected"), [
    ("limits.cpu", "1", "1"), ("limits.cpu", "1m", "500"), ("requests.memory", "1Mi", "64"),
    ("limits.memory", "1Mi", "2048"), ("requests.ephemeral-storage", "", "0"),
])  # fmt: skip
def test_resource_field(resource: str, divisor: str, expected: str) -> None:
    container = {"name": "c", "resources": {"limits": {"cpu": "500m"}, "requests": {"memory": "64Mi"}}}
    assert resources.resource_field(container, resource, divisor, {"memory": "2Gi"}) == expected


def test_back_off_doubles_and_resets() -> None:
    state = Backoff()
    waits = []
    now = NOW
    for _ in range(8):
        ended = now
        waits.append(state.remaining("k", ended, now))
        now += timedelta(seconds=waits[-1])
        state.next("k", ended, now)
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]
    assert state.remaining("k", now + timedelta(minutes=11), now + timedelta(minutes=11)) == 0
    assert [backoff.text(s) for s in (10, 80, 300)] == ["10s", "1m20s", "5m0s"]


def test_probe_thresholds() -> None:
    live = probe.initial(Kind.LIVENESS, {"failureThreshold": 2})
    assert live.passing
    live = probe.observe(live, False, "")
    assert live.passing
    live = probe.observe(probe.observe(live, True, ""), False, "")
    assert not probe.failed(live)
    assert probe.failed(probe.observe(live, False, ""))
    ready = probe.initial(Kind.READINESS, {"successThreshold": 2})
    ready = probe.observe(ready, True, "")
    assert not ready.passing
    assert probe.observe(ready, True, "").passing


@pytest.mark.parametrize(("old", "new", "events"), [
    ("", "running", ["ContainerStarted"]), ("running", "exited", ["ContainerDied"]), ("running", "running", []),
    ("exited", "", ["ContainerRemoved"]), ("running", "", ["ContainerDied", "ContainerRemoved"]),
    ("", "created", ["ContainerChanged"]), ("running", "unknown", ["ContainerChanged"]),
    ("", "exited", ["ContainerDied"]),
])  # fmt: skip
def test_pleg(old: str, new: str, events: list[str]) -> None:
    before = {"c": Seen("u", "c", old)} if old else {}
    after = {"c": Seen("u", "c", new)} if new else {}
    assert [event.type for event in pleg.diff(before, after)] == [EventType(name) for name in events]


@pytest.mark.parametrize(("image", "full", "policy"), [
    ("busybox", "docker.io/library/busybox:latest", "Always"),
    ("kybern/busybox:1", "docker.io/kybern/busybox:1", "IfNotPresent"),
    ("localhost:5000/a", "localhost:5000/a:latest", "Always"),
    ("r.example/a:latest", "r.example/a:latest", "Always"),
    ("a@sha256:00", "docker.io/library/a@sha256:00", "IfNotPresent"),
])  # fmt: skip
def test_images(image: str, full: str, policy: str) -> None:
    assert images.normalize(image) == full
    assert images.pull_policy({"image": image}) == policy


LOG = [
    b"2026-01-01T00:00:01.000000000Z stdout F one",
    b"2026-01-01T00:00:02.000000000Z stderr F two",
    b"2026-01-01T00:00:03.000000000Z stdout P thr",
    b"2026-01-01T00:00:03.000000001Z stdout F ee",
    b"garbage",
]


@pytest.mark.parametrize(("rule", "tail", "expected"), [
    (log_format.Filter(), None, b"one\ntwo\nthree\n"),
    (log_format.Filter(stream="stderr"), None, b"two\n"),
    (log_format.Filter(since=NOW + timedelta(seconds=3)), None, b"three\n"),
    (log_format.Filter(timestamps=True, stream="stderr"), None, b"2026-01-01T00:00:02.000000000Z two\n"),
    (log_format.Filter(), 2, b"ee\n"),
    (log_format.Filter(), 0, b""),
])  # fmt: skip
def test_log_lines(rule: log_format.Filter, tail: int | None, expected: bytes) -> None:
    assert b"".join(log_format.select(LOG, rule, tail)) == expected


def test_hosts() -> None:
    pod = make_pod(hostAliases=[{"ip": "1.2.3.4", "hostnames": ["a", "b"]}])
    text = render_hosts(pod, ("10.0.0.5",), "p", "sub.ns.svc.cluster.local", None)
    assert "10.0.0.5\tp.sub.ns.svc.cluster.local\tp\n" in text
    assert text.endswith("# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")
    assert "(host network)" in render_hosts(pod, (), "p", "", "1.1.1.1 x\n")


def test_downward_fields() -> None:
    pod = make_pod(serviceAccountName="sa")
    pod["metadata"] |= {"labels": {"b": "2", "a": 'q"\n'}, "annotations": {"k": "v"}}

    def read(path: str) -> str:
        return downward.pod_field(pod, path, node_name="n", host_ips=["1.1.1.1"], pod_ips=["2.2.2.2", "::2"])

    assert read("metadata.labels") == 'a="q\\"\\n"\nb="2"'
    assert read("metadata.annotations['k']") == "v"
    assert (read("status.podIPs"), read("spec.nodeName"), read("spec.serviceAccountName")) == ("2.2.2.2,::2", "n", "sa")
    with pytest.raises(downward.UnknownField):
        read("status.phase")


def test_volume_files() -> None:
    config = {"data": {"a": "1", "b": "2"}, "binaryData": {"c": "AAE="}}
    assert select("configmap", "m", {}, config, "ns", 0o644) == {
        "a": File(b"1"), "b": File(b"2"), "c": File(b"\x00\x01")
    }  # fmt: skip
    items = {"items": [{"key": "a", "path": "x/y", "mode": 0o400}]}
    assert select("configmap", "m", items, config, "ns", 0o644) == {"x/y": File(b"1", 0o400)}
    with pytest.raises(VolumeError, match='secret "s" not found'):
        select("secret", "s", {}, None, "ns", 0o644)
    assert select("secret", "s", {"optional": True}, None, "ns", 0o644) == {}


def test_references() -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, {"name": "B", "value": "b"}]
    container = {"env": env, "envFrom": [{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "t"}}]}
    found = [(ref.kind, ref.name) for ref in environment_references(container)]
    assert found == [("secret", "s"), ("configmap", "m"), ("secret", "t")]


def test_cni() -> None:
    found = json.loads(cni.render_conflist("kybern", "kybern0", ["10.244.1.0/24"], "/ipam", 1450))
    assert [p["type"] for p in found["plugins"]] == ["bridge", "portmap"]
    bridge = found["plugins"][0]
    assert (bridge["bridge"], bridge["hairpinMode"], bridge["mtu"]) == ("kybern0", True, 1450)
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]


def test_node_conditions_keep_their_transition_times() -> None:
    facts = node_status.NodeFacts("n", "n", ("1.1.1.1",), memory=4 << 30, cpus=2)
    down = node_status.node_status(facts, node_status.NodeHealth("no runtime"), [], [], 0, NOW)
    later = NOW + timedelta(minutes=1)
    up = node_status.node_status(facts, node_status.NodeHealth(), down["conditions"], [], 0, later)
    by_type = {c["type"]: c for c in up["conditions"]}
    assert by_type["Ready"]["reason"] == "KubeletReady"
    assert by_type["Ready"]["lastTransitionTime"] == "2026-01-01T00:01:00Z"
    assert by_type["PIDPressure"]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert by_type["PIDPressure"]["lastHeartbeatTime"] == "2026-01-01T00:01:00Z"
    assert up["capacity"]["memory"] == f"{4 << 20}Ki"
