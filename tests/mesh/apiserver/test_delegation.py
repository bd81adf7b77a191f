"""Authentication and authorization by webhooks and policy files, as requests meet them."""

import asyncio
import base64
import re
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from kybern.apiserver.authentication import reload
from kybern.apiserver.authentication.webhook import TokenSettings
from kybern.apiserver.authorization.abac import read_policies
from kybern.apiserver.authorization.configuration import read_configuration
from kybern.apiserver.authorization.modes import AuthorizationSettings
from kybern.apiserver.authorization.webhook import AccessSettings
from kybern.apiserver.webhooks.flags import add_delegation_flags, read_authorization, read_token_webhook
from kybern.apiserver.webhooks.kubeconfig import read_kubeconfig
from kybern.client.resources import CONFIG_MAPS, Resource
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.testing.webhooks import WebhookServer, webhook_server

GATEWAY = "system:kybern:gateway"
REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False)
TOKENS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)


def kubeconfig(folder: Path, hooks: WebhookServer, path: str, **user: Any) -> Path:
    cluster = {
        "server": f"https://127.0.0.1:{hooks.port}{path}",
        "certificate-authority-data": base64.b64encode(hooks.ca).decode(),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / f"{path.strip('/')}.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


async def get_as(cluster: Any, token: str = "", **requester: Any) -> Any:
    """A GET of a ConfigMap through a gateway."""
    wanted = pb.GetRequest(
        resource=pb.Resource(version="v1", resource="configmaps", namespace="default"), name="missing"
    )
    async with cluster.client(GATEWAY) as gateway:
        return await gateway.calls._exchange.call(
            wanted, requester=pb.Requester(bearer_token=token, **requester), timeout=10
        )


async def code_of(awaitable: Any) -> tuple[int, str]:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value.code, caught.value.message


async def test_tokens_of_others(running: Any, tmp_path: Path) -> None:
    async with webhook_server(tmp_path) as hooks:
        users = {"bobs": {"username": "bob", "uid": "7", "groups": ["devs"], "extra": {"team": ["a"]}}}

        def answer(asked: dict[str, Any]) -> dict[str, Any]:
            user = users.get(asked["spec"]["token"])
            status = {"authenticated": True, "user": user} if user else {"authenticated": False, "error": "who?"}
            return {"apiVersion": asked["apiVersion"], "kind": "TokenReview", "status": status}

        hooks.answer("/tokens", answer)
        remote = read_kubeconfig(kubeconfig(tmp_path, hooks, "/tokens", token="me"))
        async with running(token_webhook=TokenSettings(remote, "v1")) as cluster:
            code, message = await code_of(get_as(cluster, "bobs"))
            assert code == 403
            assert message.startswith('configmaps "missing" is forbidden: User "bob" cannot get resource')
            assert (await code_of(get_as(cluster, "eve")))[0] == 401
            await asyncio.gather(*(code_of(get_as(cluster, "bobs")) for _ in range(5)))
            assert [review["spec"]["token"] for review in hooks.reviews] == ["bobs", "eve"]
            assert hooks.reviews[0]["spec"]["audiences"] == [*cluster.server.settings.issuing.issuers]
            assert hooks.headers[0]["Authorization"] == "Bearer me"
            async with cluster.client() as admin:
                found = await admin.create(TOKENS, {"spec": {"token": "bobs"}})
                assert found["status"]["user"] == {**users["bobs"], "groups": ["devs", "system:authenticated"]}
                assert "who?" in (await admin.create(TOKENS, {"spec": {"token": "eve"}}))["status"]["error"]
            assert (await code_of(get_as(cluster, "secret")))[1].startswith('configmaps "missing" is forbidden')


async def test_a_webhook_judges(running: Any, tmp_path: Path) -> None:
    async with webhook_server(tmp_path) as hooks:

        def answer(asked: dict[str, Any]) -> dict[str, Any]:
            spec = asked["spec"]
            status: dict[str, Any] = {"allowed": spec["user"] == "bob"}
            if spec["user"] == "eve":
                status = {"allowed": False, "denied": True, "reason": "not eve"}
            if spec["user"] == "joe":
                status = {"allowed": False, "reason": "no opinion of joe"}
            return {"apiVersion": asked["apiVersion"], "kind": asked["kind"], "status": status}

        hooks.answer("/access", answer)
        remote = read_kubeconfig(kubeconfig(tmp_path, hooks, "/access"))
        settings = AuthorizationSettings(("Webhook", "RBAC"), webhooks=(AccessSettings(remote, tries=()),))
        async with running(authorization=settings) as cluster:
            assert (await code_of(get_as(cluster, user="bob", groups=["a"])))[0] == 404
            spec = hooks.reviews[-1]["spec"]
            assert spec["resourceAttributes"] == {
                "namespace": "default", "verb": "get", "resource": "configmaps", "name": "missing", "version": "v1"
            }  # fmt: skip
            assert (spec["user"], spec["group"]) == ("bob", ["a", "system:authenticated"])
            asked = len(hooks.reviews)
            assert (await code_of(get_as(cluster, user="bob", groups=["a"])))[0] == 404
            assert len(hooks.reviews) == asked
            for user, reason in (("eve", "not eve"), ("joe", "no opinion of joe")):
                code, message = await code_of(get_as(cluster, user=user))
                assert (code, message.rpartition(": ")[2]) == (403, reason)
            assert (await code_of(get_as(cluster, user="root", groups=["system:masters"])))[0] == 404
            async with cluster.client("bob") as bob:
                assert (await bob.list(CONFIG_MAPS, "default")).items == []
            async with cluster.client() as admin:
                asked_of = {"verb": "get", "resource": "pods", "namespace": "default"}
                for user, allowed in (("bob", True), ("eve", False)):
                    body = {"spec": {"user": user, "resourceAttributes": asked_of}}
                    assert (await admin.create(REVIEWS, body))["status"]["allowed"] is allowed
            hooks.raw("/access", b"", 500)
            code, message = await code_of(get_as(cluster, user="new"))
            assert code == 500
            assert message.startswith("Internal Server Error: an error on the server")
            async with cluster.client() as admin:
                body = {"spec": {"user": "new", "resourceAttributes": asked_of}}
                status = (await admin.create(REVIEWS, body))["status"]
                assert (status["allowed"], "an error on the server" in status["evaluationError"]) == (False, True)


async def test_a_policy_file(running: Any, tmp_path: Path) -> None:
    file = tmp_path / "policies"
    version = {"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy"}
    specs: list[dict[str, Any]] = [
        {"user": "bob", "namespace": "default", "resource": "configmaps", "apiGroup": "*", "readonly": True},
        {"group": "devs", "namespace": "*", "resource": "*", "apiGroup": "*"},
    ]
    lines = ["# who may do what", *(orjson.dumps({**version, "spec": spec}).decode() for spec in specs), ""]
    file.write_text("\n".join(lines))
    settings = AuthorizationSettings(("ABAC",), read_policies(file))
    async with running(authorization=settings) as cluster:
        assert (await code_of(get_as(cluster, user="bob")))[0] == 404
        assert (await code_of(get_as(cluster, user="eve")))[0] == 403
        assert (await code_of(get_as(cluster, user="eve", groups=["devs"])))[0] == 404
        async with cluster.client("bob") as bob:
            body = {"metadata": {"name": "a", "namespace": "default"}}
            assert (await code_of(bob.create(CONFIG_MAPS, body)))[0] == 403


FLAGS: dict[str, tuple[list[str], str]] = {
    "unknown": (["--authorization-mode=Some"], 'authorization-mode "Some" is not a valid mode'),
    "twice": (
        ["--authorization-mode=RBAC,RBAC"],
        "authorization-mode ['RBAC', 'RBAC'] has mode specified more than once",
    ),
    "none": (["--authorization-mode="], "at least one authorization-mode must be passed"),
    "no file": (["--authorization-mode=ABAC"], "authorization-mode ABAC's authorization policy file not passed"),
    "no config": (
        ["--authorization-mode=Webhook"],
        "authorization-mode Webhook's authorization config file not passed",
    ),
    "no mode": (
        ["--authorization-webhook-config-file=x"],
        "cannot specify --authorization-webhook-config-file without mode Webhook",
    ),
}


@pytest.mark.parametrize("name", FLAGS)
def test_flags(name: str) -> None:
    given, expected = FLAGS[name]
    parser = ArgumentParser()
    add_delegation_flags(parser)
    with pytest.raises(ValueError, match=expected.replace("[", r"\[")):
        read_authorization(parser.parse_args(given))
    assert read_authorization(parser.parse_args([])) == AuthorizationSettings()
    assert read_token_webhook(parser.parse_args([])) is None


async def test_several_webhooks(running: Any, tmp_path: Path) -> None:
    async with webhook_server(tmp_path) as hooks:
        hooks.answer("/first", lambda asked: {**asked, "status": {"allowed": asked["spec"]["user"] == "bob"}})
        kubeconfig(tmp_path, hooks, "/first")
        kubeconfig(tmp_path, hooks, "/none")

        def judge(name: str, policy: str, *conditions: str) -> dict[str, Any]:
            webhook = {
                "timeout": "3s",
                "subjectAccessReviewVersion": "v1",
                "matchConditionSubjectAccessReviewVersion": "v1",
                "failurePolicy": policy,
                "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": f"{name}.yaml"},
                "matchConditions": [{"expression": one} for one in conditions],
            }
            return {"type": "Webhook", "name": name, "webhook": webhook}

        named = "has(request.resourceAttributes) && request.resourceAttributes.namespace == 'default'"
        authorizers = [
            judge("first", "NoOpinion", named, "!('system:masters' in request.groups)"),
            judge("none", "Deny", "request.user == 'eve'"),
            {"type": "RBAC", "name": "rbac"},
            {"type": "AlwaysAllow", "name": "alwaysallow"},
        ]
        file = tmp_path / "authorization.yaml"
        frame = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
        file.write_text(yaml.safe_dump({**frame, "authorizers": authorizers}))
        parser = ArgumentParser()
        add_delegation_flags(parser)
        settings = read_authorization(parser.parse_args([f"--authorization-config={file}"]))
        settings = replace(settings, webhooks=tuple(replace(one, tries=()) for one in settings.webhooks))
        async with running(authorization=settings) as cluster:
            assert (await code_of(get_as(cluster, user="bob")))[0] == 404
            assert hooks.reviews[-1]["apiVersion"] == "authorization.k8s.io/v1"
            assert (await code_of(get_as(cluster, user="joe")))[0] == 404  # AlwaysAllow
            code, message = await code_of(get_as(cluster, user="eve"))
            assert (code, message.rpartition(": ")[2]) == (500, "the server could not find the requested resource")
            asked = len(hooks.reviews)
            async with cluster.client("joe") as joe:
                await joe.list(CONFIG_MAPS, "other")
            assert len(hooks.reviews) == asked  # the conditions do not match


async def test_webhooks_are_told_of_selectors_and_their_configuration_is_followed(
    running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LOOK", 0.02)
    async with webhook_server(tmp_path) as hooks:
        for path in ("/first", "/second"):
            hooks.answer(path, lambda asked: {**asked, "status": {"allowed": asked["spec"]["user"] == "bob"}})
            kubeconfig(tmp_path, hooks, path)
        file = tmp_path / "authorization.yaml"

        def authorizer(kind: str) -> dict[str, Any]:
            if kind in ("RBAC", "Node"):
                return {"type": kind, "name": kind.lower()}
            webhook = {"timeout": "3s", "subjectAccessReviewVersion": "v1", "failurePolicy": "Deny"}
            connection = {"type": "KubeConfigFile", "kubeConfigFile": f"{kind}.yaml"}
            return {"type": "Webhook", "name": kind, "webhook": {**webhook, "connectionInfo": connection}}

        def write(*kinds: str) -> None:
            frame = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
            whole = tmp_path / "whole"  # nobody may read half of it
            whole.write_text(yaml.safe_dump({**frame, "authorizers": [authorizer(kind) for kind in kinds]}))
            whole.replace(file)

        write("RBAC", "first")
        parser = ArgumentParser()
        add_delegation_flags(parser)
        settings = read_authorization(parser.parse_args([f"--authorization-config={file}"]))
        async with running(authorization=settings) as cluster, cluster.client("bob") as bob:
            await bob.list(CONFIG_MAPS, "default", label_selector="a in (b),!c", field_selector="metadata.name!=x")
            assert hooks.reviews[-1]["spec"]["resourceAttributes"] == {
                "namespace": "default",
                "verb": "list",
                "version": "v1",
                "resource": "configmaps",
                "fieldSelector": {"requirements": [{"key": "metadata.name", "operator": "NotIn", "values": ["x"]}]},
                "labelSelector": {
                    "requirements": [
                        {"key": "a", "operator": "In", "values": ["b"]},
                        {"key": "c", "operator": "DoesNotExist"},
                    ]
                },
            }
            named = {"rawSelector": "metadata.name=y"}
            broken = {"requirements": [{"key": "a", "operator": "Like", "values": ["b"]}]}
            attributes = {"verb": "watch", "resource": "pods", "fieldSelector": named, "labelSelector": broken}
            async with cluster.client() as admin:
                spec = {"user": "bob", "extra": {"k": ["v"]}, "resourceAttributes": attributes}
                status = (await admin.create(REVIEWS, {"spec": spec}))["status"]
            words = "spec.resourceAttributes.labelSelector ignored due to parse error"
            assert (status["allowed"], status["evaluationError"]) == (True, words)
            asked = hooks.reviews[-1]["spec"]
            assert asked["extra"] == {"k": ["v"]}
            assert "labelSelector" not in asked["resourceAttributes"]
            requirement = {"key": "metadata.name", "operator": "In", "values": ["y"]}
            assert asked["resourceAttributes"]["fieldSelector"] == {"requirements": [requirement]}
            total = "apiserver_authorization_config_controller_automatic_reloads_total"

            def counted() -> dict[str, float]:
                samples = (s for m in cluster.telemetry.registry.collect() for s in m.samples if s.name == total)
                return {sample.labels["status"]: sample.value for sample in samples}

            for kinds, expected in (
                (("RBAC",), (403, {"success": 1})),
                (("second",), (403, {"success": 1, "failure": 1})),  # without RBAC
                (("RBAC", "Node"), (403, {"success": 1, "failure": 2})),  # there was no Node at the start
                (("second", "RBAC"), (404, {"success": 2, "failure": 2})),
            ):
                await asyncio.to_thread(write, *kinds)
                async with asyncio.timeout(5):
                    while counted() != expected[1]:
                        await asyncio.sleep(0.02)
                assert (await code_of(bob.get(CONFIG_MAPS, "missing", "default")))[0] == expected[0]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no kind": ({"kind": "X"}, "not an AuthorizationConfiguration"),
    "no authorizer": ({"authorizers": []}, "authorizers: Required value: at least one authorization mode"),
    "a type": ({"authorizers": [{"type": "X", "name": "x"}]}, 'authorizers[0].type: Unsupported value: "X"'),
    "no name": ({"authorizers": [{"type": "RBAC"}]}, "authorizers[0].name: Required value"),
    "twice": (
        {"authorizers": [{"type": "RBAC", "name": "rbac"}, {"type": "RBAC", "name": "b"}]},
        'authorizers[1].type: Duplicate value: "RBAC"',
    ),
    "no timeout": (
        {"authorizers": [{"type": "Webhook", "name": "a"}]},
        "authorizers[0].webhook: Required value",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_configurations(name: str, tmp_path: Path) -> None:
    changes, expected = WRONG[name]
    frame = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
    file = tmp_path / "authorization.yaml"
    file.write_text(yaml.safe_dump({**frame, **changes}))
    with pytest.raises(ValueError, match=re.escape(expected)):
        read_configuration(file)
