"""What few ask: members named twice, node ports and families of Services, Bindings, forms, odd versions."""

import json
from typing import Any

import pytest
from bad_values import Asked
from same import Both, differences, readable

Object = dict[str, Any]
FORMS = ("Table", "PartialObjectMetadataList", "PartialObjectMetadata")
CONTAINER = {"name": "c", "image": "i"}

TWICE = [
    '"metadata":{"name":"c","name":null}',
    '"metadata":{"name":"c"},"metadata":null',
    '"metadata":{"name":"c","labels":{"x":"y"}},"metadata":{"labels":{"z":"y"}}',
    '"metadata":{"name":"c"},"metadata":{"annotations":null,"labels":{"a":"b"}}',
    '"metadata":{"name":"c","finalizers":["a/b","c/d"],"finalizers":["e/f"]}',
    '"metadata":{"name":"c","finalizers":["a/b"],"finalizers":null}',
    '"metadata":{"name":"c"},"data":{"a":"b"},"data":{"c":"d"}',
    '"metadata":{"name":"c"},"data":{"a":"b"},"data":{"a":null}',
    '"metadata":{"name":"c"},"data":{"a":"b"},"data":null',
    '"metadata":{"name":"c"},"immutable":true,"immutable":null',
    '"metadata":{"name":3,"name":"c"}',
]
TWICE_IN_A_POD = [
    '"containers":[{"name":"c","image":"i"}],"containers":null',
    '"containers":[{"name":"c","image":"i","image":null}],"restartPolicy":"Never","restartPolicy":null',
    '"containers":[{"name":"c","image":"i"}],"containers":[{"image":"j"},{"name":"x"}]',
    '"containers":[{"name":"c","image":"i"}],"securityContext":{"runAsUser":3},"securityContext":{"runAsGroup":4}',
    '"containers":[{"name":"c","image":"i"}],"activeDeadlineSeconds":3,"activeDeadlineSeconds":null',
    '"containers":[{"name":"c","image":"i"}],"nodeSelector":{"a":"b"},"nodeSelector":{"c":null}',
]


@pytest.mark.parametrize("validation", ["", "Ignore", "Strict"])
def test_members_named_twice(both: Both, namespace: str, validation: str) -> None:
    ask, core = Asked(both), f"/api/v1/namespaces/{namespace}"
    query = f"?dryRun=All&fieldValidation={validation}"
    for members in TWICE:
        ask(members, "POST", f"{core}/configmaps{query}", f"{{{members}}}".encode())
    for members in TWICE_IN_A_POD:
        body = f'{{"metadata":{{"name":"c"}},"spec":{{{members}}}}}'.encode()
        ask(members, "POST", f"{core}/pods{query}", body)
    ask.check()


PORTS = [(0, 0), (30001, 30001), (30001, 30011), (30011, 30011), (30001, 30002), (30099, 30099), (30098, 30011), (1, 1),
         (30099, 1), (0, 30099), (30099, 0), (0, 30011)]  # fmt: skip
SECOND = [{}, {"protocol": "UDP"}, {"port": 1, "protocol": "UDP"}, {"port": 1}]


def test_node_ports(both: Both, namespace: str) -> None:
    ask, path = Asked(both), f"/api/v1/namespaces/{namespace}/services"
    for name, number in (("a", 30001), ("b", 30011)):
        ports = [{"name": "x", "port": 1, "nodePort": number}, {"name": "y", "port": 1, "protocol": "UDP"}]
        ask("made", "POST", path, {"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": ports}})
    ask("made", "POST", path, {"metadata": {"name": "c"}, "spec": {"ports": [{"port": 1}]}})
    for first, second in PORTS:
        for more in SECOND if first or second else SECOND[:3]:  # the last is told numbers that each made up
            for kind in ("NodePort", "LoadBalancer", "ClusterIP"):
                ports = [
                    {"name": "x", "port": 1, "nodePort": first},
                    {"name": "y", "port": 2, "nodePort": second, **more},
                ]
                spec = {"type": kind, "ports": ports}
                ask(f"{spec}", "POST", f"{path}?dryRun=All", {"metadata": {"name": "n"}, "spec": spec})
                for name in "abc":
                    pair = both.ask("PATCH", f"{path}/{name}?dryRun=All", {"spec": spec})
                    if pair.kube.status == 500:  # bad input is never a failure of the server
                        told = pair.kybern.status, pair.kybern.document["message"]
                        assert told == (400, pair.kube.document["message"]), f"{name} {spec}"
                    else:
                        found = differences(readable(pair.kube), readable(pair.kybern))
                        assert not found, "\n".join([f"{name} {spec}", *found])
    ask.check()


SERVICES: dict[str, Object] = {
    "h": {"clusterIP": "None"}, "hs": {"clusterIP": "None", "selector": {"a": "b"}},
    "h1": {"clusterIP": "None", "ipFamilyPolicy": "SingleStack"},
    "h2": {"clusterIP": "None", "ipFamilyPolicy": "PreferDualStack"},
}  # fmt: skip
EXTERNAL: list[Object] = [
    {}, {"ports": [{"port": 0}], "clusterIP": "None"}, {"externalName": "a.b"},
    {"externalName": "A!", "clusterIP": "None", "selector": {"a!": "b"}}, {"externalName": "a.b", "clusterIP": None},
    {"externalName": "a.b", "ipFamilies": ["IPv4"]}, {"externalName": "a.b", "ipFamilyPolicy": "SingleStack"},
]  # fmt: skip


def test_families_and_external_names(both: Both, namespace: str) -> None:
    ask, path = Asked(both), f"/api/v1/namespaces/{namespace}/services"
    for name, spec in SERVICES.items():
        ask(name, "POST", path, {"metadata": {"name": name}, "spec": {"ports": [{"name": "a", "port": 1}], **spec}})
        for policy in (0, None, "SingleStack", "PreferDualStack", "RequireDualStack"):
            for families in (0, None, ["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]):
                for selector in (0, None, {"c": "d"}):
                    given = {"ipFamilyPolicy": policy, "ipFamilies": families, "selector": selector}
                    patch = {"spec": {member: value for member, value in given.items() if value != 0}}
                    ask(f"{name} {patch}", "PATCH", f"{path}/{name}?dryRun=All", patch)
        for more in EXTERNAL:
            patch = {"spec": {"type": "ExternalName", **more}}
            ask(f"{name} {patch}", "PATCH", f"{path}/{name}?dryRun=All", patch)
            ask(f"{patch}", "POST", f"{path}?dryRun=All", {"metadata": {"name": "n"}, **patch})
    ask.check()


METADATA: list[Object] = [
    {}, {"name": "p"}, {"name": "q"}, {"generateName": "p"}, {"name": "p", "namespace": "other"},
    {"name": "p", "uid": "x"},
]  # fmt: skip


def test_bindings_connections_and_forms(both: Both, namespace: str) -> None:
    ask, core = Asked(both), f"/api/v1/namespaces/{namespace}"
    ask("made", "POST", f"{core}/pods", {"metadata": {"name": "p"}, "spec": {"containers": [CONTAINER]}})
    for path in ("bindings", "pods/p/binding", "pods/q/binding"):
        for metadata in METADATA:
            body = {"metadata": metadata, "target": {"kind": "Node", "name": "x"}}
            ask(f"{path} {metadata}", "POST", f"{core}/{path}?dryRun=All", body)
    for way in ("exec", "attach", "portforward", "proxy", "proxy/x"):
        for said in ("All", "X", ""):
            for method in ("POST", "GET"):
                ask(f"{method} {way} {said}", method, f"{core}/pods/p/{way}?dryRun={said}")
    ask("a log of nobody", "GET", f"{core}/pods/p/log")
    for of in ("configmaps", "serviceaccounts", "pods"):
        for form in FORMS:
            accept = {"Accept": f"application/json;as={form};v=v1;g=meta.k8s.io"}
            answer = both.ask("DELETE", f"{core}/{of}?dryRun=All", None, accept)
            shown = [json.loads(each.body)["kind"] for each in (answer.kube, answer.kybern)]
            assert shown[0] == shown[1], f"{of} as {form}: {shown}"
    for version in ("x", "0", "1", "-1", "1.5", "99999999999999999999"):
        body = {"metadata": {"name": "b", "resourceVersion": version}}
        ask(f"version {version}", "POST", f"{core}/configmaps?dryRun=All", body)
    ask.check()


def test_finalizers_of_what_is_being_deleted(both: Both, namespace: str) -> None:
    ask, path = Asked(both), f"/api/v1/namespaces/{namespace}/configmaps"
    ask("made", "POST", path, {"metadata": {"name": "f", "finalizers": ["a.b/c"]}})
    ask("deleted", "DELETE", f"{path}/f")
    for wanted in (["x.y/z"], ["a.b/c", "x.y/z"], ["a.b/c"], ["x.y/z", "q.r/s"]):
        ask(f"{wanted}", "PATCH", f"{path}/f?dryRun=All", {"metadata": {"finalizers": wanted}})
    ask.check()


def test_amounts_are_thousandths(both: Both, namespace: str) -> None:
    ask, core = Asked(both), f"/api/v1/namespaces/{namespace}"
    small = {"cpu": "0.0001", "memory": "5n"}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "0.0001"}, "limits": {"storage": "5n"}},
    }
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
    for path, spec in (
        (f"{core}/pods", {"containers": [{**CONTAINER, "resources": {"requests": small, "limits": small}}]}),
        (f"{core}/persistentvolumeclaims", claim),
        (f"{core}/resourcequotas", {"hard": small}),
        (f"{core}/limitranges", {"limits": [{"type": "Container", "max": small, "min": small}]}),
        ("/api/v1/persistentvolumes", {**claim, "resources": None, "capacity": small, "hostPath": {"path": "/a"}}),
        (f"/apis/apps/v1/namespaces/{namespace}/statefulsets", {
            "selector": {"matchLabels": {"a": "b"}}, "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": claim}],
        }),
    ):  # fmt: skip
        ask(path, "POST", f"{path}?dryRun=All", {"metadata": {"name": "x"}, "spec": spec})
    ask.check()
