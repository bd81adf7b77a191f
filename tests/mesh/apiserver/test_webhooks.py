"""Mutating and validating webhooks over HTTPS, as a write meets them."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from kybern.apiserver.admission.configuration import AdmissionConfiguration, read_webhook_users
from kybern.client.objects import Client
from kybern.client.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    Resource,
)
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.testing.webhooks import WebhookServer, patch, webhook_server

GROUP = "admissionregistration.k8s.io"
MUTATING = Resource(GROUP, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False)
VALIDATING = Resource(
    GROUP, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False
)
SCALERS_V1 = Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
RULE = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookServer]:
    async with webhook_server(tmp_path) as server:
        yield server


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def webhook(config: dict[str, Any], name: str = "x.example.com", **more: Any) -> dict[str, Any]:
    rules = more.pop("rules", [RULE])
    return {
        "name": name,
        "clientConfig": config,
        "rules": rules,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    } | more


def configuration(*webhooks: dict[str, Any], name: str = "x") -> dict[str, Any]:
    return {"metadata": {"name": name}, "webhooks": list(webhooks)}


async def test_a_denial_is_what_the_client_reads(admin: Client, hooks: WebhookServer) -> None:
    answers = {
        "/plain": ({}, 400, "", " without explanation"),
        "/reason": ({"status": {"reason": "Because"}}, 400, "Because", ": Because"),
        "/whole": ({"status": {"code": 409, "reason": "Conflict", "message": "go"}}, 409, "Conflict", ": go"),
        "/low": ({"status": {"code": 200, "message": "no"}}, 400, "", ": no"),
    }
    for path, (said, code, reason, text) in answers.items():
        hooks.admit(path, lambda request, said=said: {"allowed": False, **said})
        await admin.create(VALIDATING, configuration(webhook(hooks.client_config(path))))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert (error.code, error.reason) == (code, reason)
        assert error.message == f'admission webhook "x.example.com" denied the request{text}'
        await admin.delete(VALIDATING, "x")
    await admin.create(CONFIG_MAPS, config_map("a"))


async def test_mutation_and_what_a_webhook_is_asked(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/add", lambda request: patch({"op": "add", "path": "/data/more", "value": "yes"}))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/add"))))
    made = await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    assert made["data"] == {"x": "1", "more": "yes"}
    (asked,) = hooks.requests()
    assert asked["operation"] == "CREATE"
    assert asked["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert (asked["name"], asked["namespace"], asked["dryRun"]) == ("a", "default", False)
    assert asked["userInfo"]["username"] == "admin"
    assert asked["object"]["kind"] == "ConfigMap"
    assert "uid" not in asked["object"]["metadata"]
    assert asked["oldObject"] is None
    assert made["metadata"]["uid"]
    changed = await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"y": "2"}})
    assert changed["data"] == {"x": "1", "y": "2", "more": "yes"}
    asked = hooks.requests()[-1]
    assert asked["operation"] == "UPDATE"
    assert asked["options"] == {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"}
    assert asked["oldObject"]["metadata"]["uid"] == made["metadata"]["uid"]
    assert asked["object"]["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert len(hooks.connections) == 1
    error = await refused(admin.delete(CONFIG_MAPS, "a", "default"))
    assert error.message == (
        'Internal error occurred: admission webhook "x.example.com" attempted to modify the object, '
        "which is not supported for this operation"
    )


async def test_a_dry_run_needs_a_webhook_without_side_effects(
    admin: Client, hooks: WebhookServer, cluster: Any
) -> None:
    hooks.admit("/ok", lambda request: {"allowed": True})
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/ok"), sideEffects="NoneOnDryRun")))
    await admin.create(CONFIG_MAPS, config_map("a"), dry_run=True)
    assert hooks.requests()[-1]["dryRun"] is True
    assert hooks.requests()[-1]["options"]["dryRun"] == ["All"]
    cacher = cluster.server.table.cacher(GROUP, "validatingwebhookconfigurations")
    entry = cacher.entries["x"]
    old = entry.decode()
    old["webhooks"][0]["sideEffects"] = "Some"
    cacher.entries["x"] = entry.with_data(orjson.dumps(old))
    cacher.changed += 1
    error = await refused(admin.create(CONFIG_MAPS, config_map("b"), dry_run=True))
    assert (error.code, error.message) == (400, 'admission webhook "x.example.com" does not support dry run')
    await admin.create(CONFIG_MAPS, config_map("b"))


async def test_warnings_and_audit_annotations(admin: Client, hooks: WebhookServer) -> None:
    said = {"allowed": True, "warnings": ["mind the gap", "mind the gap"], "auditAnnotations": {"who": "me"}}
    hooks.admit("/warn", lambda request: said)
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/warn"))))
    request = pb.CreateRequest(
        resource=pb.Resource(version="v1", resource="configmaps", namespace="default"),
        object=orjson.dumps(config_map("a")),
    )
    assert list((await admin.calls.call("create", request, "", 10)).warnings) == ["mind the gap"]
    hooks.admit("/warn", lambda request: {**said, "allowed": False})
    error = await refused(admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"x": "y"}}))
    assert error.warnings == ("mind the gap",)
    gone = pb.DeleteCollectionRequest(resource=request.resource)
    hooks.admit("/warn", lambda request: said)
    assert list((await admin.calls.call("delete_collection", gone, "", 10)).warnings) == ["mind the gap"]


async def test_webhooks_have_no_more_time_than_the_request(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/x", lambda request: {"allowed": True})
    hook = webhook(hooks.client_config("/x"))
    await admin.create(VALIDATING, configuration({**hook, "timeoutSeconds": 20}))
    resource = pb.Resource(version="v1", resource="configmaps", namespace="default")
    for number, seconds in enumerate((7, 30)):
        request = pb.CreateRequest(resource=resource, object=orjson.dumps(config_map(f"a{number}")))
        await admin.calls.call("create", request, "", seconds)
    assert hooks.queries == ["timeout=7s", "timeout=20s"]


async def test_webhooks_are_told_the_name_of_a_review(admin: Client, hooks: WebhookServer) -> None:
    rule = {"operations": ["CREATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["selfsubjectreviews"]}
    hooks.admit("/x", lambda request: {"allowed": True})
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/x"), rules=[rule])))
    resource = pb.Resource(group="authentication.k8s.io", version="v1", resource="selfsubjectreviews")
    request = pb.CreateRequest(resource=resource, object=b'{"metadata":{"name":"me"}}')
    await admin.calls.call("create", request, "", 10)
    assert [asked["name"] for asked in hooks.requests()] == ["me"]


async def test_warnings_of_a_connection_that_is_not_made(admin: Client, hooks: WebhookServer) -> None:
    rule = {"operations": ["CONNECT"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec"]}
    hooks.admit("/warn", lambda request: {"allowed": True, "warnings": ["mind the gap"]})
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/warn"), rules=[rule])))
    pod = pb.Resource(version="v1", resource="pods", namespace="default", subresource="exec")
    error = await refused(admin.calls.call("connect", pb.ConnectRequest(resource=pod, name="absent"), "", 10))
    assert (error.code, error.warnings) == (404, ("mind the gap",))


async def test_failure_policy(admin: Client, hooks: WebhookServer) -> None:
    def config(path: str) -> dict[str, Any]:
        return hooks.client_config(path)

    async def slow(request: Any) -> dict[str, Any]:
        await asyncio.sleep(3)
        return {"allowed": True}

    hooks.admit("/slow", slow)
    hooks.raw("/broken", b"not json")
    hooks.raw("/status", b"busy", 500)
    hooks.raw("/uid", orjson.dumps({"kind": "AdmissionReview", "response": {"uid": "other"}}))
    url = f"https://127.0.0.1:{hooks.port}"
    service = {"service": {"namespace": "default", "name": "nobody", "path": "/p"}}
    called = "failed to call webhook: "
    unsigned = (
        called
        + 'Post "{url}/x?timeout=1s": tls: failed to verify certificate: x509: certificate signed by unknown authority'
    )
    table: list[tuple[dict[str, Any], str]] = [
        (config("/slow"), called + 'Post "{url}/slow?timeout=1s": context deadline exceeded'),
        (config("/none"), called + "the server could not find the requested resource"),
        (config("/status"), called + 'an error on the server ("unknown") has prevented the request from succeeding'),
        ({"url": f"{url}/x"}, unsigned),
        (
            {"url": "https://127.0.0.1:1"},
            called + 'Post "https://127.0.0.1:1/?timeout=1s": dial tcp 127.0.0.1:1: connect: connection refused',
        ),
        (service, called + 'Post "https://nobody.default.svc:443/p?timeout=1s": service "nobody" not found'),
    ]
    for given, expected in table:
        made = webhook(given, timeoutSeconds=1)
        await admin.create(VALIDATING, configuration(made))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        why = expected.replace("{url}", url)
        assert error.message == f'Internal error occurred: failed calling webhook "x.example.com": {why}'
        assert (error.code, error.reason) == (500, "InternalError")
        made["failurePolicy"] = "Ignore"
        current = await admin.get(VALIDATING, "x")
        await admin.update(VALIDATING, {**current, "webhooks": [made]})
        await admin.create(CONFIG_MAPS, config_map("a"))
        await admin.delete(VALIDATING, "x")
        await admin.delete(CONFIG_MAPS, "a", "default")
    invalid = "received invalid webhook response: expected response.uid="
    for path, expected in (
        ("/broken", "failed to call webhook: couldn't get version/kind; json parse error"),
        ("/uid", invalid),
    ):
        await admin.create(MUTATING, configuration(webhook(config(path))))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert f'failed calling webhook "x.example.com": {expected}' in error.message
        await admin.delete(MUTATING, "x")


async def test_webhooks_have_no_say_in_webhooks(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/no", lambda request: {"allowed": False})
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/no"), rules=[everything])))
    await refused(admin.create(CONFIG_MAPS, config_map("a")))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/no"), rules=[everything])))
    await admin.delete(MUTATING, "x")
    await admin.delete(VALIDATING, "x")
    await admin.create(CONFIG_MAPS, config_map("a"))


async def test_selectors_and_conditions(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/no", lambda request: {"allowed": False})
    await admin.create(NAMESPACES, {"metadata": {"name": "free", "labels": {"webhooks": "off"}}})
    namespaces = {"matchExpressions": [{"key": "webhooks", "operator": "NotIn", "values": ["off"]}]}
    objects = {"matchLabels": {"check": "me"}}
    conditions = [{"name": "not-joe", "expression": "!object.metadata.name.startsWith('joe')"}]
    made = webhook(
        hooks.client_config("/no"), namespaceSelector=namespaces, objectSelector=objects, matchConditions=conditions
    )
    await admin.create(VALIDATING, configuration(made))

    def labelled(name: str, namespace: str, check: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": namespace, "labels": {"check": check}}}

    await refused(admin.create(CONFIG_MAPS, labelled("a", "default", "me")))
    await admin.create(CONFIG_MAPS, labelled("a", "free", "me"))
    await admin.create(CONFIG_MAPS, labelled("b", "default", "not"))
    await admin.create(CONFIG_MAPS, labelled("joe", "default", "me"))
    assert len(hooks.reviews) == 1


async def test_order_and_reinvocation(admin: Client, hooks: WebhookServer) -> None:
    called: list[str] = []

    def adds(mark: str) -> Any:
        def answer(request: dict[str, Any]) -> dict[str, Any]:
            called.append(mark)
            data = request["object"].get("data") or {}
            return patch({"op": "add", "path": "/data", "value": {**data, mark: str(len(called))}})

        return answer

    for mark in ("a", "b", "c"):
        hooks.admit(f"/{mark}", adds(mark))
    again = webhook(hooks.client_config("/a"), "a.example.com", reinvocationPolicy="IfNeeded")
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/c"), "c.example.com"), name="2"))
    await admin.create(MUTATING, configuration(again, webhook(hooks.client_config("/b"), "b.example.com"), name="1"))
    made = await admin.create(CONFIG_MAPS, config_map("x"))
    assert called == ["a", "b", "c", "a"]
    assert made["data"] == {"a": "4", "b": "2", "c": "3"}


async def test_equivalent_versions(admin: Client, hooks: WebhookServer) -> None:
    """A write of v1 is shown in v2 to a webhook that asks for v2; a webhook that wants exact matches is not asked."""
    scaler = {
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "x.io/v1", "kind": "X", "name": "x"},
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 50,
        },
    }
    rule = {**RULE, "apiGroups": ["autoscaling"], "apiVersions": ["v2"], "resources": ["horizontalpodautoscalers"]}
    hooks.admit("/exact", lambda request: {"allowed": False})
    change = {"op": "replace", "path": "/spec/metrics/0/resource/target/averageUtilization", "value": 70}
    hooks.admit("/more", lambda request: patch(change))
    exact = webhook(hooks.client_config("/exact"), rules=[rule], matchPolicy="Exact")
    more = webhook(hooks.client_config("/more"), "more.example.com", rules=[rule])
    await admin.create(MUTATING, configuration(exact, more))
    made = await admin.create(SCALERS_V1, scaler)
    assert made["spec"]["targetCPUUtilizationPercentage"] == 70
    (asked,) = hooks.requests()
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v2", "v1")
    assert asked["object"]["apiVersion"] == "autoscaling/v2"


async def test_generated_names(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/look", lambda request: {"allowed": True})
    hooks.admit("/name", lambda request: patch({"op": "add", "path": "/metadata/name", "value": "chosen"}))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/look"))))
    made = await admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-", "namespace": "default"}})
    assert made["metadata"]["name"].startswith("x-")
    (asked,) = hooks.requests()
    assert "name" not in asked
    assert "name" not in asked["object"]["metadata"]
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/name")), name="y"))
    made = await admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-", "namespace": "default"}})
    assert made["metadata"]["name"] == "chosen"
    assert (await admin.get(CONFIG_MAPS, "chosen", "default"))["metadata"]["uid"] == made["metadata"]["uid"]


async def test_subresources(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/look", lambda request: {"allowed": True})
    rules = [
        {**RULE, "apiGroups": ["", "apps"], "resources": ["pods/binding", "pods/eviction", "deployments/scale"]},
    ]
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/look"), rules=rules)))
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/look"), rules=rules)))
    await admin.create(NODES, {"metadata": {"name": "n"}})
    container = {"name": "c", "image": "i"}
    await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [container]}})
    await admin.create_subresource(
        PODS, "binding", "p", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}, "default"
    )
    await admin.create_subresource(
        PODS, "eviction", "p", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}, "default"
    )
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    await admin.create(DEPLOYMENTS, {"metadata": {"name": "d", "namespace": "default"}, "spec": spec})
    await admin.patch(DEPLOYMENTS, "d", "default", patch={"spec": {"replicas": 3}}, subresource="scale")
    seen = [
        (one["operation"], one["subResource"], one["kind"]["kind"], (one["object"] or {}).get("kind"))
        for one in hooks.requests()
    ]
    expected = (
        ("CREATE", "binding", "Binding", "Binding"),
        ("CREATE", "eviction", "Eviction", "Eviction"),
        ("UPDATE", "scale", "Scale", "Scale"),
    )
    assert seen == [one for pair in zip(expected, expected, strict=True) for one in pair]
    asked = hooks.requests()[-1]
    assert (asked["oldObject"]["spec"]["replicas"], asked["object"]["spec"]["replicas"]) == (1, 3)


async def test_a_scale_can_be_changed(admin: Client, hooks: WebhookServer) -> None:
    rule = {**RULE, "apiGroups": ["apps"], "resources": ["deployments/scale"]}
    hooks.admit("/two", lambda request: patch({"op": "replace", "path": "/spec/replicas", "value": 2}))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/two"), rules=[rule])))
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    await admin.create(DEPLOYMENTS, {"metadata": {"name": "d", "namespace": "default"}, "spec": spec})
    scale = await admin.patch(DEPLOYMENTS, "d", "default", patch={"spec": {"replicas": 9}}, subresource="scale")
    assert scale["spec"]["replicas"] == 2
    assert (await admin.get(DEPLOYMENTS, "d", "default"))["spec"]["replicas"] == 2


async def test_connections(admin: Client, hooks: WebhookServer) -> None:
    rule = {**RULE, "operations": ["CONNECT"], "resources": ["pods/attach", "pods/exec"]}
    hooks.admit("/no", lambda request: {"allowed": False, "status": {"message": "attaching to pod is not allowed"}})
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/no"), rules=[rule])))
    request = pb.ConnectRequest(
        resource=pb.Resource(version="v1", resource="pods", subresource="exec", namespace="default"),
        name="p",
        verb="create",
        query="container=c&stdin=true&tty=false&stdout=1&command=sh&command=-c",
    )
    error = await refused(admin.calls.call("connect", request, "", 10))
    assert error.message == 'admission webhook "x.example.com" denied the request: attaching to pod is not allowed'
    (asked,) = hooks.requests()
    assert asked["operation"] == "CONNECT"
    assert asked["kind"]["kind"] == "PodExecOptions"
    assert asked["object"] == {
        "kind": "PodExecOptions",
        "apiVersion": "v1",
        "stdin": True,
        "stdout": True,
        "container": "c",
        "command": ["sh", "-c"],
    }
    assert asked["options"] is None


async def test_server_side_apply(admin: Client, hooks: WebhookServer) -> None:
    """What a webhook adds belongs to nobody; who applies keeps what he owns."""
    hooks.admit("/add", lambda request: patch({"op": "add", "path": "/data/added", "value": "x"}))
    rule = {**RULE, "operations": ["CREATE", "UPDATE"]}
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/add"), rules=[rule])))
    admin.field_manager = "me"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"mine": "1"}}
    apply = "application/apply-patch+yaml"
    made = await admin.patch(CONFIG_MAPS, "a", "default", patch=config, patch_type=apply)
    assert made["data"] == {"mine": "1", "added": "x"}
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["fieldsV1"]) == ("me", {"f:data": {"f:mine": {}}})
    assert hooks.requests()[-1]["operation"] == "CREATE"
    assert hooks.requests()[-1]["options"]["kind"] == "CreateOptions"
    made = await admin.patch(CONFIG_MAPS, "a", "default", patch={**config, "data": {}}, patch_type=apply)
    assert made["data"] == {"added": "x"}


async def test_services_are_called_at_their_endpoints(admin: Client, tmp_path: Path, cluster: Any) -> None:
    async with webhook_server(tmp_path, names=["hook.default.svc"], ips=[]) as hooks:
        hooks.admit("/no", lambda request: {"allowed": False})
        ports = [{"name": "https", "port": 443, "targetPort": "web"}]
        await admin.create(SERVICES, {"metadata": {"name": "hook", "namespace": "default"}, "spec": {"ports": ports}})
        config = {"service": {"name": "hook", "namespace": "default", "path": "/no"}, "caBundle": hooks.ca_bundle}
        await admin.create(VALIDATING, configuration(webhook(config)))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert error.message.endswith(
            'Post "https://hook.default.svc:443/no?timeout=5s": no endpoints available for service "hook"'
        )
        found = {
            "metadata": {"name": "hook-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "hook"}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["192.0.2.2"], "conditions": {"ready": False}},
                {"addresses": ["192.0.2.1"], "conditions": {"ready": True}},
            ],
            "ports": [{"name": "https", "port": hooks.port, "protocol": "TCP"}],
        }
        await admin.create(ENDPOINT_SLICES, found)
        slices = cluster.server.table.cacher("discovery.k8s.io", "endpointslices")
        entry = slices.get("default", "hook-1")  # no slice may name the loopback: only this cache does
        slices.entries[entry.key] = entry.with_data(entry.data.replace(b"192.0.2.1", b"127.0.0.1"))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert error.message == 'admission webhook "x.example.com" denied the request without explanation'
        spec = {"type": "ExternalName", "externalName": "localhost"}
        await admin.create(SERVICES, {"metadata": {"name": "out", "namespace": "default"}, "spec": spec})
        config = {**config, "service": {"name": "out", "namespace": "default", "port": hooks.port}}
        await admin.create(VALIDATING, configuration(webhook(config), name="a"))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert error.message.endswith(
            "x509: certificate is not valid for any names, but wanted to match out.default.svc"
        )


async def test_other_certificates(admin: Client, tmp_path: Path) -> None:
    async with webhook_server(tmp_path, names=["other.example.com"], ips=[]) as hooks:
        await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/x"))))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert error.message.endswith(
            "tls: failed to verify certificate: x509: cannot validate certificate for 127.0.0.1 because it doesn't "
            "contain any IP SANs"
        )


async def test_its_own_certificate_is_authority_enough(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/no", lambda request: {"allowed": False, "status": {"message": "seen"}})
    bundle = base64.b64encode(hooks.certificate).decode()
    await admin.create(VALIDATING, configuration(webhook({**hooks.client_config("/no"), "caBundle": bundle})))
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert error.message == 'admission webhook "x.example.com" denied the request: seen'


async def test_redirects_are_followed(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/no", lambda request: {"allowed": False, "status": {"message": "seen"}})
    hooks.raw("/moved", b"", 307, "/no")
    hooks.raw("/round", b"", 308, f"https://127.0.0.1:{hooks.port}/round")
    hooks.raw("/seen", b"", 303, "/none")
    hooks.raw("/nowhere", b"", 307)
    said = {
        "/moved": 'admission webhook "x.example.com" denied the request: seen',
        "/round": f'Post "https://127.0.0.1:{hooks.port}/round": stopped after 10 redirects',
        "/seen": "the server could not find the requested resource",
        "/nowhere": "the server responded with the status code 307 but did not return more information",
    }
    for path, message in said.items():
        await admin.create(VALIDATING, configuration(webhook(hooks.client_config(path))))
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert error.message.endswith(message)
        await admin.delete(VALIDATING, "x")
    assert len([asked for asked in hooks.headers if "Referer" in asked]) == 11


async def test_a_webhook_does_not_keep_the_server_from_starting(running: Any, tmp_path: Path) -> None:
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    gone = webhook({"url": "https://127.0.0.1:1/"}, rules=[everything])
    path = tmp_path / "kybern.db"
    async with running(path) as cluster, cluster.client() as admin:
        await admin.create(MUTATING, configuration(gone))
        await admin.create(VALIDATING, configuration(gone))
    async with running(path, advertise="192.0.2.3:6443") as cluster, cluster.client() as admin:
        found = await admin.get(ENDPOINT_SLICES, "kubernetes", "default")
        assert found["endpoints"][0]["addresses"] == ["192.0.2.3"]
        error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
        assert "connection refused" in error.message


async def test_metrics(admin: Client, hooks: WebhookServer, cluster: Any) -> None:
    hooks.admit("/no", lambda request: {"allowed": request["name"] == "a", "status": {"code": 403}})
    gone = webhook({"url": "https://127.0.0.1:1/"}, "gone.example.com", failurePolicy="Ignore")
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/no")), gone))
    await admin.create(CONFIG_MAPS, config_map("a"))
    await refused(admin.create(CONFIG_MAPS, config_map("b")))
    labels = {"name": "x.example.com", "type": "validating", "operation": "CREATE"}
    value = cluster.telemetry.registry.get_sample_value
    prefix = "apiserver_admission_webhook"
    rejected = {**labels, "error_type": "no_error", "rejection_code": "403"}
    assert value(f"{prefix}_rejection_count", rejected) == 1
    assert value(f"{prefix}_request_total", {**labels, "code": "200", "rejected": "false"}) == 1
    assert value(f"{prefix}_admission_duration_seconds_count", {**labels, "rejected": "true"}) == 1
    assert value(f"{prefix}_fail_open_count", {"name": "gone.example.com", "type": "validating"}) == 2


async def test_a_webhook_is_part_of_the_trace(admin: Client, hooks: WebhookServer) -> None:
    hooks.admit("/ok", lambda request: {"allowed": True})
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/ok"))))
    trace = "0af7651916cd43dd8448eb211c80319c"
    await admin.create(CONFIG_MAPS, config_map("a"), traceparent=f"00-{trace}-b7ad6b7169203331-01")
    await admin.create(CONFIG_MAPS, config_map("b"))
    first, second = (headers.get("traceparent", "") for headers in hooks.headers)
    assert first.startswith(f"00-{trace}-")
    assert not second


async def test_patches_that_are_none(admin: Client, hooks: WebhookServer) -> None:
    def answer(text: bytes) -> dict[str, Any]:
        return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(text).decode()}

    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/p"))))
    failing = 'Internal error occurred: failed calling webhook "x.example.com": received undecodable patch in webhook'
    for text in (b"{", b"{}"):
        hooks.admit("/p", lambda request, text=text: answer(text))
        assert (await refused(admin.create(CONFIG_MAPS, config_map("a")))).message.startswith(failing)
    hooks.admit("/p", lambda request: answer(b'[{"op":"remove","path":"/data/x"}]'))
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.message.partition(":")[0]) == (500, "Internal error occurred")
    hooks.admit("/p", lambda request: answer(b'[{"op":"add","path":"/data","value":7}]'))
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.message.partition(":")[0]) == (500, "Internal error occurred")
    hooks.admit("/p", lambda request: answer(b"[]"))
    await admin.create(CONFIG_MAPS, config_map("a"))


async def test_webhooks_are_called_as_somebody(running: Any, hooks: WebhookServer, tmp_path: Path) -> None:
    users = [{"name": f"127.0.0.1:{hooks.port}", "user": {"token": "it is me"}}]
    (tmp_path / "users.yaml").write_text(yaml.safe_dump({"users": users}))
    config = {"kind": "WebhookAdmissionConfiguration", "kubeConfigFile": "users.yaml"}
    given = AdmissionConfiguration(webhook_users={"ValidatingAdmissionWebhook": read_webhook_users(config, tmp_path)})
    hooks.admit("/ok", lambda request: {"allowed": True})
    async with running(admission=given) as cluster, cluster.client() as admin:
        await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/ok"))))
        await admin.create(MUTATING, configuration(webhook(hooks.client_config("/ok"))))
        await admin.create(CONFIG_MAPS, config_map("a"))
    assert [headers.get("Authorization") for headers in hooks.headers] == [None, "Bearer it is me"]


async def test_a_kept_connection_that_has_died_is_replaced(admin: Client, tmp_path: Path) -> None:
    port = 0
    for name in ("a", "b"):
        async with webhook_server(tmp_path, port=port) as hooks:
            hooks.admit("/ok", lambda request: {"allowed": True})
            if not port:
                port = hooks.port
                await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/ok"))))
            await asyncio.gather(*(admin.create(CONFIG_MAPS, config_map(f"{name}{i}")) for i in range(20)))
            assert len(hooks.reviews) == 20


async def test_a_client_that_goes_away_stops_nothing_else(admin: Client, hooks: WebhookServer) -> None:
    hold, asked = asyncio.Event(), asyncio.Event()

    async def slow(request: dict[str, Any]) -> dict[str, Any]:
        if request["name"] == "held":
            asked.set()
            await hold.wait()
        return {"allowed": True}

    hooks.admit("/slow", slow)
    await admin.create(VALIDATING, configuration(webhook(hooks.client_config("/slow"), timeoutSeconds=30)))
    held = asyncio.create_task(admin.create(CONFIG_MAPS, config_map("held")))
    await asked.wait()
    await admin.create(CONFIG_MAPS, config_map("other"))  # nobody waits for the one that is held
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    hold.set()
    await admin.create(CONFIG_MAPS, config_map("after"))
    names = {one["metadata"]["name"] for one in (await admin.list(CONFIG_MAPS, "default")).items}
    assert {"after", "other"} <= names
    assert "held" not in names


async def test_reserved_names(admin: Client, hooks: WebhookServer) -> None:
    request = pb.CreateRequest(
        resource=pb.Resource(group=GROUP, version="v1", resource="validatingwebhookconfigurations"),
        object=orjson.dumps(configuration(webhook(hooks.client_config("/x"), rules=[]), name="x.static.k8s.io")),
    )
    (warning,) = (await admin.calls.call("create", request, "", 10)).warnings
    assert warning == (
        'metadata.name: names ending with ".static.k8s.io" are reserved for static manifest-based configurations and '
        "cannot be managed via the API"
    )


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "replace", "path": "/kind", "value": "Secret"}, 'no kind "Secret" is registered for version "v1"'),
        ({"op": "replace", "path": "/apiVersion", "value": "x/v1"}, 'no kind "ConfigMap" is registered'),
        ({"op": "replace", "path": "/kind", "value": ["x"]}, "no kind"),
        ({"op": "replace", "path": "/metadata", "value": 5}, "json: cannot unmarshal number"),
    ],
)
async def test_no_webhook_makes_an_object_of_another_kind(
    admin: Client, hooks: WebhookServer, operation: dict[str, Any], words: str
) -> None:
    hooks.admit("/p", lambda request: patch(operation))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/p"))))
    error = await refused(admin.create(CONFIG_MAPS, config_map("a")))
    assert (error.code, error.reason) == (500, "InternalError")
    assert words in error.message
    assert (await refused(admin.get(CONFIG_MAPS, "a", "default"))).code == 404


@pytest.mark.parametrize("path", ["/kind", "/apiVersion"])
async def test_a_kind_that_goes_without_saying(admin: Client, hooks: WebhookServer, path: str) -> None:
    hooks.admit("/p", lambda request: patch({"op": "remove", "path": path}))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/p"))))
    made = await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    assert (made["kind"], made["apiVersion"], made["data"]) == ("ConfigMap", "v1", {"x": "1"})


@pytest.mark.parametrize("replicas", ["x", [1], {"a": 1}])
async def test_a_scale_of_a_wrong_type(admin: Client, hooks: WebhookServer, replicas: Any) -> None:
    rule = {**RULE, "apiGroups": ["apps"], "resources": ["deployments/scale"]}
    hooks.admit("/p", lambda request: patch({"op": "replace", "path": "/spec/replicas", "value": replicas}))
    await admin.create(MUTATING, configuration(webhook(hooks.client_config("/p"), rules=[rule])))
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    await admin.create(DEPLOYMENTS, {"metadata": {"name": "d", "namespace": "default"}, "spec": spec})
    error = await refused(
        admin.patch(DEPLOYMENTS, "d", "default", patch={"spec": {"replicas": 9}}, subresource="scale")
    )
    assert error.code == 500
    assert "cannot unmarshal" in error.message
    assert (await admin.get(DEPLOYMENTS, "d", "default"))["spec"]["replicas"] == 1
