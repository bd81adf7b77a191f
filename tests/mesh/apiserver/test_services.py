"""Services: cluster IPs and node ports, given out once, given back, and still known after a restart."""

from pathlib import Path
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from kybern.kube.status import StatusError


def service(name: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    given = list(ports) or [{"port": 80}]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": given, **spec}}


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


async def test_cluster_ip(admin: Client) -> None:
    made = await admin.create(SERVICES, service("a"))
    spec = made["spec"]
    assert spec["clusterIP"].startswith("10.96.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"], spec["type"]) == (["IPv4"], "SingleStack", "ClusterIP")
    assert "nodePort" not in spec["ports"][0]
    error = await refused(admin.create(SERVICES, service("b", clusterIP=spec["clusterIP"])))
    assert "provided IP is already allocated" in error.message
    assert error.details["causes"][0]["field"] == "spec.clusterIPs"
    await admin.delete(SERVICES, "a", "default")
    again = await admin.create(SERVICES, service("b", clusterIP=spec["clusterIP"]))
    assert again["spec"]["clusterIP"] == spec["clusterIP"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"clusterIP": "192.0.2.1"}, "IP 192.0.2.1: the provided network does not match the current range"),
        ({"clusterIP": "x"}, "clusterIP"),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}, "provided port is not in the valid range"),
    ],
)
async def test_refused(admin: Client, spec: dict[str, Any], words: str) -> None:
    body = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}
    assert words in (await refused(admin.create(SERVICES, body))).message


async def test_what_fails_takes_nothing(admin: Client, cluster: Any) -> None:
    before = set(cluster.server.addresses.taken), set(cluster.server.node_ports.taken)
    await refused(admin.create(SERVICES, service("Bad-Name", type="NodePort")))
    await admin.create(SERVICES, service("dry", type="NodePort"), dry_run=True)
    assert (cluster.server.addresses.taken, cluster.server.node_ports.taken) == before


async def test_a_dry_run_that_would_let_go_of_a_service_keeps_its_address(admin: Client, cluster: Any) -> None:
    body = service("a", type="NodePort")
    body["metadata"]["finalizers"] = ["example.com/held"]
    await admin.create(SERVICES, body)
    await admin.delete(SERVICES, "a", "default")
    taken = set(cluster.server.addresses.taken), set(cluster.server.node_ports.taken)
    ending = await admin.get(SERVICES, "a", "default")
    ending["metadata"]["finalizers"] = []
    await admin.update(SERVICES, ending, dry_run=True)
    assert (cluster.server.addresses.taken, cluster.server.node_ports.taken) == taken
    await admin.update(SERVICES, ending)
    assert ending["spec"]["clusterIP"] not in cluster.server.addresses.taken


async def test_headless_and_external_name(admin: Client) -> None:
    headless = await admin.create(SERVICES, service("h", clusterIP="None"))
    assert headless["spec"]["clusterIPs"] == ["None"]
    external = await admin.create(SERVICES, service("e", type="ExternalName", externalName="example.com"))
    assert "clusterIP" not in external["spec"]


async def test_node_ports(admin: Client, cluster: Any) -> None:
    dns = [{"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53, "protocol": "TCP"}]
    made = await admin.create(SERVICES, service("a", *dns, type="NodePort"))
    numbers = [port["nodePort"] for port in made["spec"]["ports"]]
    assert numbers[0] == numbers[1]
    assert 30000 <= numbers[0] <= 32767
    error = await refused(admin.create(SERVICES, service("b", {"port": 1, "nodePort": numbers[0]}, type="NodePort")))
    assert "provided port is already allocated" in error.message
    kept = await admin.patch(SERVICES, "a", "default", patch={"metadata": {"labels": {"x": "y"}}})
    assert [port["nodePort"] for port in kept["spec"]["ports"]] == numbers
    plain = await admin.patch(SERVICES, "a", "default", patch={"spec": {"type": "ClusterIP"}})
    assert all("nodePort" not in port for port in plain["spec"]["ports"])
    assert plain["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert cluster.server.node_ports.taken == set()


async def test_an_update_keeps_the_address(admin: Client) -> None:
    made = await admin.create(SERVICES, service("a"))
    body = service("a", {"port": 81})
    body["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    changed = await admin.update(SERVICES, body)
    assert changed["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert changed["spec"]["ports"][0]["port"] == 81


async def test_the_kubernetes_service(admin: Client) -> None:
    found = await admin.get(SERVICES, "kubernetes", "default")
    assert found["spec"]["clusterIP"] == "10.96.0.1"
    endpoints = await admin.get(ENDPOINTS, "kubernetes", "default")
    assert endpoints["subsets"] == [
        {"addresses": [{"ip": "192.0.2.2"}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}
    ]
    (slice_,) = (await admin.list(ENDPOINT_SLICES, "default")).items
    assert slice_["endpoints"][0]["addresses"] == ["192.0.2.2"]


async def test_a_restart_keeps_everything(running: Any, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with running(path) as cluster:
        admin = cluster.client()
        made = await admin.create(SERVICES, service("a", type="NodePort"))
        revision = cluster.server.feed.revision
    async with running(path, advertise="192.0.2.9:7443") as cluster:
        admin = cluster.client()
        assert await admin.get(SERVICES, "a", "default") == made
        assert cluster.server.feed.revision == revision + 2  # the two endpoint objects
        endpoints = await admin.get(ENDPOINTS, "kubernetes", "default")
        assert endpoints["subsets"][0]["addresses"] == [{"ip": "192.0.2.9"}]
        same = service("b", {"port": 1, "nodePort": made["spec"]["ports"][0]["nodePort"]}, type="NodePort")
        assert "already allocated" in (await refused(admin.create(SERVICES, same))).message
        error = await refused(anext(admin.watch(SERVICES, resource_version="3")))
        assert error.reason == "Expired"


async def test_a_number_is_of_one_service(admin: Client) -> None:
    tcp, udp = {"name": "t", "port": 1, "nodePort": 30100}, {"name": "u", "port": 2, "protocol": "UDP"}
    two = service("a", tcp, {**udp, "nodePort": 30100}, type="NodePort")
    assert (
        "spec.ports[1].nodePort: Invalid value: 30100: provided port is already"
        in (await refused(admin.create(SERVICES, two))).message
    )
    await admin.create(SERVICES, service("a", tcp, type="NodePort"))
    other = service("b", {**udp, "nodePort": 30100}, type="NodePort")
    assert "provided port is already allocated" in (await refused(admin.create(SERVICES, other))).message
    both = {"spec": {"ports": [tcp, {**udp, "nodePort": 30100}]}}
    await admin.patch(SERVICES, "a", "default", patch=both)
    await admin.patch(SERVICES, "a", "default", patch={"spec": {"ports": [{**udp, "nodePort": 30100}]}})
    error = await refused(admin.create(SERVICES, service("b", tcp, type="NodePort")))
    assert "provided port is already allocated" in error.message
    twice = {"spec": {"ports": [{**udp, "nodePort": 30101}, {**udp, "name": "v", "port": 3, "nodePort": 30101}]}}
    error = await refused(admin.patch(SERVICES, "a", "default", patch=twice))
    assert (error.code, error.message) == (400, "duplicate nodePort: {UDP 30101}")


_RELEASE = "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": must be 'SingleStack' to release the secondary IP"


@pytest.mark.parametrize(
    ("spec", "families", "words"),
    [
        ({"ipFamilies": ["IPv6", "IPv4"]}, ["IPv6", "IPv4"], ""),
        ({"ipFamilies": ["IPv4"]}, [], _RELEASE),
        ({"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}, ["IPv4"], ""),
        ({"ipFamilyPolicy": "SingleStack"}, ["IPv4"], ""),
        ({"selector": {"a": "b"}}, [], 'spec.ipFamilies[1]: Invalid value: "IPv6": not configured on this cluster'),
        ({"selector": {"a": "b"}, "ipFamilyPolicy": "PreferDualStack", "ipFamilies": None}, ["IPv4"], ""),
    ],
    ids=["another order", "one without saying so", "one", "the policy alone", "a selector", "a preference"],
)
async def test_families_of_headless_services(
    admin: Client, spec: dict[str, Any], families: list[str], words: str
) -> None:
    """Without a selector they may have any."""
    made = await admin.create(SERVICES, service("h", clusterIP="None"))
    assert (made["spec"]["ipFamilies"], made["spec"]["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")
    change = admin.patch(SERVICES, "h", "default", patch={"spec": spec})
    if words:
        assert words in (await refused(change)).message
    else:
        assert (await change)["spec"]["ipFamilies"] == families


async def test_what_an_external_name_may_not_have_is_told_with_all_else(admin: Client) -> None:
    spec: dict[str, Any] = {"type": "ExternalName", "clusterIP": "None", "ipFamilyPolicy": "SingleStack"}
    error = await refused(admin.create(SERVICES, service("e", **spec)))
    fields = ["spec.clusterIPs", "spec.ipFamilyPolicy", "spec.externalName"]
    assert [cause["field"] for cause in error.details["causes"]] == fields
    await admin.create(SERVICES, service("h", clusterIP="None"))
    left = {"spec": {**spec, "externalName": "a.b", "clusterIP": None}}
    error = await refused(admin.patch(SERVICES, "h", "default", patch=left))
    assert [cause["field"] for cause in error.details["causes"]] == ["spec.ipFamilyPolicy"]
    made = await admin.patch(SERVICES, "h", "default", patch={"spec": {"type": "ExternalName", "externalName": "a.b"}})
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & made["spec"].keys()
