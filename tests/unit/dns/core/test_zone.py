"""The records of the Kubernetes DNS specification 1.1, one row each."""

from typing import Any

import pytest

from kybern.dns.core.message import NOERROR, NXDOMAIN
from kybern.dns.core.records import CODES, split
from kybern.dns.core.zone import Zone

Object = dict[str, Any]
TTL = 5


def service(name: str, namespace: str = "default", **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def slice_(name: str, of: str, endpoints: list[Object], ports: list[Object], kind: str = "IPv4") -> Object:
    labels = {"kubernetes.io/service-name": of}
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"metadata": metadata, "addressType": kind, "endpoints": endpoints, "ports": ports}


HTTP = {"name": "http", "protocol": "TCP", "port": 80}
SYSLOG = {"name": "log", "protocol": "UDP", "port": 514}


def full_zone(pods: str = "insecure") -> Zone:
    zone = Zone(ttl=TTL, pods=pods)
    zone.set_namespaces(["default", "kube-system", "empty"])
    zone.set_service(service("web", clusterIP="10.96.0.7", clusterIPs=["10.96.0.7", "fd00::7"], ports=[HTTP, SYSLOG]))
    zone.set_service(service("plain", clusterIP="10.96.0.8", ports=[{"port": 80}]))
    zone.set_service(service("kube-dns", "kube-system", clusterIP="10.96.0.10", ports=[]))
    zone.set_service(service("db", clusterIP="None", ports=[HTTP]))
    endpoints: list[Object] = [
        {"addresses": ["10.244.0.1"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.244.0.2"]},
        {"addresses": ["10.244.0.3"], "hostname": "db-2", "conditions": {"ready": False}},
    ]
    zone.set_slice(slice_("db-x", "db", endpoints, [HTTP]))
    zone.set_slice(slice_("db-y", "db", [{"addresses": ["fd00::11"], "hostname": "db-0"}], [HTTP], "IPv6"))
    zone.set_service(service("nobody", clusterIP="None", ports=[HTTP]))
    zone.set_service(service("inside", type="ExternalName", externalName="web.default.svc.cluster.local"))
    zone.set_service(service("outside", type="ExternalName", externalName="www.example.com"))
    zone.set_service(service("round", type="ExternalName", externalName="round.default.svc.cluster.local"))
    return zone


WEB = "web.default.svc.cluster.local"
DB = "db.default.svc.cluster.local"
FOUND: dict[tuple[str, str], list[str]] = {
    ("dns-version.cluster.local", "TXT"): ["1.1.0"],
    ("cluster.local", "NS"): ["ns.dns.cluster.local."],
    ("ns.dns.cluster.local", "A"): ["10.96.0.10"],
    (WEB, "A"): ["10.96.0.7"],
    (WEB, "AAAA"): ["fd00::7"],
    (f"_http._tcp.{WEB}", "SRV"): [f"0 100 80 {WEB}."],
    (f"_log._udp.{WEB}", "SRV"): [f"0 100 514 {WEB}."],
    ("7.0.96.10.in-addr.arpa", "PTR"): [f"{WEB}."],
    ("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "PTR"): [f"{WEB}."],
    (DB, "A"): ["10.244.0.1", "10.244.0.2"],
    (DB, "AAAA"): ["fd00::11"],
    (f"db-0.{DB}", "A"): ["10.244.0.1"],
    (f"db-0.{DB}", "AAAA"): ["fd00::11"],
    (f"10-244-0-2.{DB}", "A"): ["10.244.0.2"],
    (f"_http._tcp.{DB}", "SRV"): [f"0 50 80 10-244-0-2.{DB}.", f"0 50 80 db-0.{DB}."],
    ("1.0.244.10.in-addr.arpa", "PTR"): [f"db-0.{DB}."],
    ("2.0.244.10.in-addr.arpa", "PTR"): [f"10-244-0-2.{DB}."],
    ("inside.default.svc.cluster.local", "A"): [f"{WEB}.", "10.96.0.7"],
    ("inside.default.svc.cluster.local", "CNAME"): [f"{WEB}."],
    ("outside.default.svc.cluster.local", "A"): ["www.example.com."],
    ("10-244-0-9.default.pod.cluster.local", "A"): ["10.244.0.9"],
    ("fd00--9.default.pod.cluster.local", "AAAA"): ["fd00::9"],
    ("WEB.Default.SVC.Cluster.Local", "A"): ["10.96.0.7"],
}

NO_DATA = [
    (WEB, "MX"),
    ("plain.default.svc.cluster.local", "AAAA"),
    ("nobody.default.svc.cluster.local", "A"),
    ("svc.cluster.local", "A"),
    ("pod.cluster.local", "A"),
    ("default.svc.cluster.local", "A"),
    ("default.pod.cluster.local", "A"),
    ("empty.svc.cluster.local", "A"),
    (f"_tcp.{WEB}", "A"),
    ("10-244-0-9.default.pod.cluster.local", "AAAA"),
    ("cluster.local", "A"),
]

MISSING = [
    "none.default.svc.cluster.local",
    "web.other.svc.cluster.local",
    "other.svc.cluster.local",
    "other.pod.cluster.local",
    f"db-2.{DB}",
    f"_https._tcp.{WEB}",
    "_80._tcp.plain.default.svc.cluster.local",
    "_http._tcp.nobody.default.svc.cluster.local",
    "not-an-address.default.pod.cluster.local",
    "10-244-0-9.other.pod.cluster.local",
    "www.google.com.default.svc.cluster.local",
    "www.google.com.cluster.local",
    "web.default.cluster.local",
]


@pytest.mark.parametrize(("name", "type_"), FOUND)
def test_found(name: str, type_: str) -> None:
    answer = full_zone().answer(split(name), CODES[type_])
    assert answer.code == NOERROR
    assert [record.data for record in answer.answers] == FOUND[name, type_]
    assert not answer.authority
    assert all(record.ttl == TTL for record in answer.answers)


@pytest.mark.parametrize(("name", "type_"), NO_DATA)
def test_the_name_exists_but_has_no_such_record(name: str, type_: str) -> None:
    answer = full_zone().answer(split(name), CODES.get(type_, 15))
    assert (answer.code, answer.answers) == (NOERROR, ())
    assert [record.type for record in answer.authority] == ["SOA"]


@pytest.mark.parametrize("name", MISSING)
def test_the_name_does_not_exist(name: str) -> None:
    answer = full_zone().answer(split(name), CODES["A"])
    assert (answer.code, answer.answers) == (NXDOMAIN, ())
    (soa,) = answer.authority
    assert soa.data.startswith("ns.dns.cluster.local. hostmaster.cluster.local. ")
    assert soa.data.endswith(f" {TTL}")


def test_srv_brings_the_addresses_along() -> None:
    answer = full_zone().answer(split(f"_http._tcp.{DB}"), CODES["SRV"])
    assert [record.data for record in answer.extras] == ["10.244.0.2", "10.244.0.1", "fd00::11"]


def test_an_alias_out_of_the_zone_says_where_to_go_on() -> None:
    answer = full_zone().answer(split("outside.default.svc.cluster.local"), CODES["A"])
    assert answer.chase == "www.example.com."


def test_an_alias_to_itself_ends() -> None:
    answer = full_zone().answer(split("round.default.svc.cluster.local"), CODES["A"])
    assert {record.type for record in answer.answers} == {"CNAME"}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (WEB, True),
        ("anything.cluster.local", True),
        ("cluster.local", True),
        ("mycluster.local", False),
        ("example.com", False),
        ("7.0.96.10.in-addr.arpa", True),
        ("9.9.9.9.in-addr.arpa", False),
    ],
)
def test_covers(name: str, ours: bool) -> None:
    assert full_zone().covers(split(name)) is ours


def test_verified_pods_are_those_that_run() -> None:
    zone = full_zone("verified")
    name = split("10-244-0-9.default.pod.cluster.local")
    assert zone.answer(name, CODES["A"]).code == NXDOMAIN
    pod = {"metadata": {"namespace": "default", "name": "p", "uid": "u"}, "status": {"podIP": "10.244.0.9"}}
    zone.set_pod(pod)
    assert [record.data for record in zone.answer(name, CODES["A"]).answers] == ["10.244.0.9"]
    zone.set_pod({**pod, "status": {"podIP": "10.244.0.9", "phase": "Succeeded"}})
    assert zone.answer(name, CODES["A"]).code == NXDOMAIN


def test_what_is_removed_leaves_nothing() -> None:
    zone, fresh = full_zone(), Zone(ttl=TTL)
    for key in ("web", "plain", "db", "nobody", "inside", "outside", "round"):
        zone.remove_service(f"default/{key}")
    zone.remove_service("kube-system/kube-dns")
    assert zone._records == fresh._records
    assert zone._below == fresh._below


def test_endpoints_may_come_before_their_service_and_leave_one_by_one() -> None:
    zone = Zone()
    one = slice_("one", "s", [{"addresses": ["10.0.0.1"]}], [HTTP])
    two = slice_("two", "s", [{"addresses": ["10.0.0.2"]}], [HTTP])
    zone.set_slice(one)
    zone.set_slice(two)
    zone.set_service(service("s", clusterIP="None"))
    name = split("s.default.svc.cluster.local")
    assert [record.data for record in zone.answer(name, 1).answers] == ["10.0.0.1", "10.0.0.2"]
    before = zone.generation
    zone.set_slice(dict(two))
    assert zone.generation == before
    zone.remove_slice(two)
    assert zone.generation > before
    assert [record.data for record in zone.answer(name, 1).answers] == ["10.0.0.1"]


def test_two_services_with_one_endpoint_share_the_reverse_name() -> None:
    zone = Zone()
    for name in ("a", "b"):
        zone.set_service(service(name, clusterIP="None"))
        zone.set_slice(slice_(name, name, [{"addresses": ["10.0.0.1"]}], [HTTP]))
    reverse = split("1.0.0.10.in-addr.arpa")
    assert len(zone.answer(reverse, CODES["PTR"]).answers) == 2
    zone.remove_service("default/a")
    assert [r.data for r in zone.answer(reverse, CODES["PTR"]).answers] == ["10-0-0-1.b.default.svc.cluster.local."]
