"""Authentication, authorization, impersonation, escalation, and the rights of each service."""

from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from kybern.client.objects import Client
from kybern.client.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    Resource,
)
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.client import ExchangeClient

RBAC = "rbac.authorization.k8s.io"
MASTERS = ("system:masters",)
POD_LIST = pb.ListRequest(resource=pb.Resource(version="v1", resource="pods", namespace="ns"))
WHO = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False)


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


@pytest.fixture
async def gateway(cluster: Any) -> AsyncIterator[ExchangeClient]:
    async with ExchangeClient(cluster.channel("system:kybern:gateway")) as client:
        yield client


async def who(gateway: ExchangeClient, requester: pb.Requester) -> Any:
    import orjson

    request = pb.CreateRequest(resource=pb.Resource(group=WHO.group, version="v1", resource=WHO.resource), object=b"{}")
    response = await gateway.call(request, requester=requester)
    return orjson.loads(response.object)["status"]["userInfo"]


async def bind(admin: Client, name: str, user: str, rules: list[dict], namespace: str = "") -> None:
    kind = "Role" if namespace else "ClusterRole"
    roles, bindings = (ROLES, ROLE_BINDINGS) if namespace else (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    await admin.create(roles, {"metadata": metadata, "rules": rules})
    ref = {"apiGroup": RBAC, "kind": kind, "name": name}
    subjects = [{"kind": "User", "apiGroup": RBAC, "name": user}]
    await admin.create(bindings, {"metadata": metadata, "roleRef": ref, "subjects": subjects})


@pytest.mark.parametrize(
    ("request_message", "message"),
    [
        (
            pb.GetRequest(resource=pb.Resource(version="v1", resource="pods", namespace="ns"), name="p"),
            'pods "p" is forbidden: User "bob" cannot get resource "pods" in API group "" in the namespace "ns"',
        ),
        (
            pb.GetRequest(resource=pb.Resource(group="apps", version="v1", resource="deployments", namespace="ns",
                                               subresource="scale"), name="d"),
            'deployments.apps "d" is forbidden: User "bob" cannot get resource "deployments/scale" in API group "apps" '
            'in the namespace "ns"',
        ),
        (
            pb.GetRequest(resource=pb.Resource(version="v1", resource="nodes"), name="n"),
            'nodes "n" is forbidden: User "bob" cannot get resource "nodes" in API group "" at the cluster scope',
        ),
        (
            pb.CheckAccessRequest(verb="get", path="/metrics"),
            'forbidden: User "bob" cannot get path "/metrics"',
        ),
    ],
)  # fmt: skip
async def test_forbidden_as_upstream_words_it(gateway: ExchangeClient, request_message: Any, message: str) -> None:
    error = await refused(gateway.call(request_message, requester=pb.Requester(user="bob")))
    assert (error.code, error.reason, error.message) == (403, "Forbidden", message)


async def test_lists_are_forbidden_too(cluster: Any) -> None:
    error = await refused(cluster.client("bob").list(PODS, "ns"))
    assert error.message == (
        'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "ns"'
    )


async def test_roles_count_as_soon_as_they_are_bound(admin: Client, cluster: Any) -> None:
    bob = cluster.client("bob")
    assert (await refused(bob.list(SECRETS, "default"))).code == 403
    await bind(admin, "reader", "bob", [{"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"]}], "default")
    assert (await bob.list(SECRETS, "default")).items == []
    assert (await refused(bob.list(SECRETS, "kube-system"))).code == 403
    assert (await refused(bob.list(SECRETS))).code == 403
    await admin.delete(ROLE_BINDINGS, "reader", "default")
    assert (await refused(bob.list(SECRETS, "default"))).code == 403


async def test_resource_names(admin: Client, cluster: Any) -> None:
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"]}
    await bind(admin, "one", "bob", [rule])
    for name in ("mine", "other"):
        await admin.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}})
    bob = cluster.client("bob")
    assert (await bob.get(CONFIG_MAPS, "mine", "default"))["metadata"]["name"] == "mine"
    assert (await refused(bob.get(CONFIG_MAPS, "other", "default"))).code == 403


async def test_only_a_gateway_may_speak_for_others(cluster: Any, gateway: ExchangeClient) -> None:
    async with ExchangeClient(cluster.channel("bob")) as bob:
        request = pb.GetRequest(resource=pb.Resource(version="v1", resource="namespaces"), name="default")
        error = await refused(bob.call(request, requester=pb.Requester(user="admin", groups=MASTERS)))
        assert error.code == 401
        assert (await gateway.call(request, requester=pb.Requester(user="admin", groups=MASTERS))).object


async def test_who_am_i(gateway: ExchangeClient) -> None:
    assert await who(gateway, pb.Requester(user="bob", groups=["devs"])) == {
        "username": "bob",
        "groups": ["devs", "system:authenticated"],
    }
    assert await who(gateway, pb.Requester(bearer_token="secret")) == {
        "username": "alice",
        "uid": "1",
        "groups": ["devs", "system:authenticated"],
    }
    assert (await refused(who(gateway, pb.Requester(bearer_token="wrong")))).code == 401
    anonymous = await refused(who(gateway, pb.Requester()))
    assert 'User "system:anonymous" cannot create' in anonymous.message


async def test_impersonation(admin: Client, gateway: ExchangeClient) -> None:
    def acting(user: str, target: str, *groups: str) -> pb.Requester:
        return pb.Requester(user=user, impersonation=pb.Impersonation(user=target, groups=groups))

    error = await refused(who(gateway, acting("bob", "carol")))
    assert error.message == (
        'selfsubjectreviews.authentication.k8s.io is forbidden: User "bob" cannot impersonate-on:user-info:create '
        'resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope'
    )
    await bind(admin, "imp", "bob", [{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"]}])
    assert await who(gateway, acting("bob", "carol")) == {"username": "carol", "groups": ["system:authenticated"]}
    assert (await refused(who(gateway, acting("bob", "carol", "system:masters")))).code == 403
    account = await refused(who(gateway, acting("bob", "system:serviceaccount:ns:sa")))
    assert 'serviceaccounts "sa" is forbidden' in account.message


async def test_nobody_grants_what_they_do_not_have(admin: Client, cluster: Any) -> None:
    rules = [
        {"verbs": ["*"], "apiGroups": [RBAC], "resources": ["roles", "rolebindings", "clusterrolebindings"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
    ]
    for rule in rules[:1]:
        rule["verbs"] = ["create", "update", "get"]
    await bind(admin, "granter", "bob", rules)
    bob = cluster.client("bob")
    metadata = {"name": "r", "namespace": "default"}
    grant = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}
    error = await refused(bob.create(ROLES, {"metadata": metadata, "rules": [grant]}))
    assert error.message == (
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "bob" (groups=["system:authenticated"]) is attempting '
        'to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["list"]}'
    )
    await bob.create(ROLES, {"metadata": metadata, "rules": [{**grant, "verbs": ["get"]}]})
    binding = {
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": "bob"}],
    }
    assert (await refused(bob.create(ROLE_BINDINGS, binding))).code == 403
    await bob.create(ROLE_BINDINGS, {**binding, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"}})
    assert (await refused(bob.update(ROLE_BINDINGS, binding))).code == 403, "what it would grant is asked first"
    fixed = await refused(admin.update(ROLE_BINDINGS, binding))
    assert "cannot change roleRef" in fixed.message


async def test_a_role_that_holds_more_is_not_touched(admin: Client, cluster: Any) -> None:
    rules = [{"verbs": ["*"], "apiGroups": [RBAC], "resources": ["roles", "rolebindings"]}]
    rules[0]["verbs"] = ["patch", "create"]
    await bind(admin, "toucher", "bea", rules)
    bea = cluster.client("bea")
    grant = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "nodes"]}
    await admin.create(ROLES, {"metadata": {"name": "more", "namespace": "default"}, "rules": [grant, grant]})
    error = await refused(bea.patch(ROLES, "more", "default", patch={"metadata": {"labels": {"a": "b"}}}))
    assert error.message.splitlines()[1:] == [
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list" "get" "list"]}',
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list" "get" "list"]}',
    ], "sorted, verbs together"
    await bea.patch(ROLES, "more", "default", patch={"metadata": {"finalizers": ["a.b/c"]}})
    for ref, code, words in (
        ({"kind": "Nope", "name": "x"}, 400, 'unsupported role reference kind: "Nope"'),
        ({"kind": "Role", "name": "a/b"}, 400, "Name parameter invalid: \"a/b\": may not contain '/'"),
        ({"kind": "Role", "name": ""}, 400, "Name parameter required."),
        ({"kind": "Role", "name": "none"}, 404, f'rolebindings.{RBAC} "none" not found'),
    ):
        binding = {"metadata": {"name": "b", "namespace": "default"}, "roleRef": {"apiGroup": RBAC, **ref}}
        error = await refused(bea.create(ROLE_BINDINGS, binding))
        assert (error.code, error.message) == (code, words)


async def test_access_reviews(admin: Client, cluster: Any) -> None:
    await bind(admin, "reader", "bob", [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}], "default")
    asked = {"verb": "list", "resource": "pods", "namespace": "default"}
    spec = {"user": "bob", "resourceAttributes": asked}
    assert (await admin.create(SUBJECT_ACCESS_REVIEWS, {"spec": spec}))["status"]["allowed"] is True
    spec = {"user": "eve", "resourceAttributes": asked}
    assert (await admin.create(SUBJECT_ACCESS_REVIEWS, {"spec": spec}))["status"]["allowed"] is False
    own = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)
    bob = cluster.client("bob")
    assert (await bob.create(own, {"spec": {"resourceAttributes": asked}}))["status"]["allowed"] is True
    listed = Resource("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False)
    rules = (await bob.create(listed, {"spec": {"namespace": "default"}}))["status"]["resourceRules"]
    assert {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]} in rules


async def test_reviews_that_ask_nothing(admin: Client) -> None:
    group = "authorization.k8s.io"
    of_user = Resource(group, "v1", "subjectaccessreviews", "SubjectAccessReview", False)
    local = Resource(group, "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", True)
    attributes = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}
    there = {"namespace": "default"}
    for resource, metadata, spec, words in (
        (of_user, {}, {}, "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or"),
        (of_user, {}, attributes, 'spec.user: Invalid value: "": at least one of user or group must be specified'),
        (of_user, {"name": "x"}, {"user": "u", **attributes}, 'metadata: Invalid value: {"name":"x","managedFields":['),
        (local, there, {"user": "u", "nonResourceAttributes": {"path": "/x"}}, "disallowed on this kind of request"),
        (local, {"namespace": "other"}, {"user": "u", **attributes}, "must match metadata.namespace"),
    ):
        with pytest.raises(StatusError) as caught:
            await admin.create(resource, {"metadata": metadata, "spec": spec})
        assert (caught.value.code, caught.value.reason) == (422, "Invalid")
        assert caught.value.message.startswith(f'.{group} "" is invalid: ')
        assert words in caught.value.message
    review = await admin.create(local, {"metadata": there, "spec": {"user": "u", **attributes}})
    assert review["status"]["allowed"] is False


async def test_service_account_tokens(admin: Client, gateway: ExchangeClient, cluster: Any) -> None:
    account = await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "sa", "namespace": "default"}})
    spec = {"serviceAccountName": "sa", "containers": [{"name": "c", "image": "i"}]}
    pod = await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]}
    answer = await admin.create_subresource(
        SERVICE_ACCOUNTS, "token", "sa", {"spec": {"boundObjectRef": bound, "expirationSeconds": 600}}, "default"
    )
    token = answer["status"]["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "system:serviceaccount:default:sa"
    assert claims["exp"] - claims["iat"] == 600
    assert claims["kubernetes.io"]["pod"] == {"name": "p", "uid": pod["metadata"]["uid"]}
    info = await who(gateway, pb.Requester(bearer_token=token))
    assert info["username"] == "system:serviceaccount:default:sa"
    assert info["uid"] == account["metadata"]["uid"]
    assert "system:serviceaccounts:default" in info["groups"]
    assert info["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    review = await admin.create(TOKEN_REVIEWS, {"spec": {"token": token}})
    assert review["status"]["authenticated"] is True
    elsewhere = await admin.create(TOKEN_REVIEWS, {"spec": {"token": token, "audiences": ["other"]}})
    assert not elsewhere["status"].get("authenticated")
    await admin.delete(PODS, "p", "default")
    gone = await admin.create(TOKEN_REVIEWS, {"spec": {"token": token}})
    assert not gone["status"].get("authenticated")
    forged = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
    assert (await refused(who(gateway, pb.Requester(bearer_token=forged)))).code == 401


async def test_token_requests_are_checked(admin: Client) -> None:
    await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "sa", "namespace": "default"}})
    short = {"spec": {"expirationSeconds": 10}}
    error = await refused(admin.create_subresource(SERVICE_ACCOUNTS, "token", "sa", short, "default"))
    assert "may not specify a duration less than 10 minutes" in error.message
    missing = {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "nope"}}}
    assert (await refused(admin.create_subresource(SERVICE_ACCOUNTS, "token", "sa", missing, "default"))).code == 404


@pytest.mark.parametrize(
    ("user", "groups", "allowed", "denied"),
    [
        ("system:kube-scheduler", (), [("list", PODS), ("create", "pods/binding")], [("list", SECRETS)]),
        ("system:kube-controller-manager", (), [("list", PODS), ("create", PODS), ("delete", CONFIG_MAPS)], []),
        ("system:kube-proxy", (), [("list", SERVICES), ("watch", NODES)], [("list", PODS), ("list", SECRETS)]),
        ("system:kybern:dns", (), [("list", SERVICES), ("watch", PODS)], [("list", SECRETS), ("create", PODS)]),
        (
            "system:node:n",
            ("system:nodes",),
            [("create", PODS), ("list", SERVICES), ("update", NODES)],
            [("create", NAMESPACES), ("list", SECRETS), ("list", PODS), ("update", LEASES)],
        ),
        ("system:kybern:gateway", (), [], [("list", PODS), ("list", SECRETS)]),
    ],
)
async def test_each_service_holds_what_its_role_needs(
    cluster: Any, user: str, groups: tuple[str, ...], allowed: list[Any], denied: list[Any]
) -> None:
    from kybern.apiserver.core.user import User, authenticated
    from kybern.kube.rbac import Attributes

    who = authenticated(User(user, groups))

    def may(verb: str, what: Any) -> bool:
        name, group = (what, "") if isinstance(what, str) else (what.resource, what.group)
        resource, _, subresource = name.partition("/")
        return bool(cluster.server.authorizer.may(who, Attributes(verb, group, resource, subresource, "default")))

    assert [what for what in allowed if not may(*what)] == []
    assert [what for what in denied if may(*what)] == []


async def test_node_agents_ask_for_audiences_that_their_pods_want(admin: Client, cluster: Any) -> None:
    await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "sa", "namespace": "default"}})
    volumes: list[Any] = [
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}},
        {"name": "c", "csi": {"driver": "d.example.com"}},
    ]
    spec = {"serviceAccountName": "sa", "nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    spec["volumes"] = volumes
    pod = await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]}
    agent = cluster.client("system:node:n", "system:nodes")

    async def asked(*audiences: str) -> str:
        wanted = {"spec": {"boundObjectRef": bound, "audiences": [*audiences]}}
        try:
            await agent.create_subresource(SERVICE_ACCOUNTS, "token", "sa", wanted, "default")
        except StatusError as error:
            return error.message.partition("is forbidden: ")[2]
        return ""

    assert [await asked(), await asked("vault")] == ["", ""]  # the first is for the volume that every pod has
    assert await asked("vault", "x") == "node may only request 0 or 1 audiences"
    assert await asked("x") == 'error validating audience "x": csidriver.storage.k8s.io "d.example.com" not found'
    drivers = Resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", namespaced=False)
    await admin.create(drivers, {"metadata": {"name": "d.example.com"}, "spec": {"tokenRequests": [{"audience": "d"}]}})
    assert await asked("d") == ""
    why = "system:node:n is not authorized to request tokens for this audience"
    assert await asked("x") == f'audience "x" not found in pod spec volume, {why}'


async def test_node_agents_read_what_their_pods_need(admin: Client, cluster: Any) -> None:
    await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "other", "namespace": "default"}})
    for name in ("used", "unused"):
        await admin.create(SECRETS, {"metadata": {"name": name, "namespace": "default"}})
    one, two = (cluster.client(f"system:node:{name}", "system:nodes") for name in ("one", "two"))
    assert (await refused(one.get(SECRETS, "used", "default"))).message == (
        'secrets "used" is forbidden: User "system:node:one" cannot get resource "secrets" in API group "" in the '
        "namespace \"default\": no relationship found between node 'one' and this object"
    )
    volume = {"name": "v", "secret": {"secretName": "used"}}
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": [volume]}
    pod = await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    assert (await refused(one.get(SECRETS, "used", "default"))).code == 403
    target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "one"}}
    await admin.create_subresource(PODS, "binding", "p", target, "default")
    assert (await one.get(SECRETS, "used", "default"))["metadata"]["name"] == "used"
    assert (await one.list(SECRETS, "default", field_selector="metadata.name=used")).items
    assert (await refused(one.list(SECRETS, "default"))).code == 403
    assert (await refused(one.get(SECRETS, "unused", "default"))).code == 403
    assert (await refused(two.get(SECRETS, "used", "default"))).code == 403
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]}
    wanted = {"spec": {"boundObjectRef": bound}}
    assert (await one.create_subresource(SERVICE_ACCOUNTS, "token", "default", wanted, "default"))["status"]["token"]
    assert (await refused(one.create_subresource(SERVICE_ACCOUNTS, "token", "other", wanted, "default"))).code == 403
    unbound: dict[str, Any] = {"spec": {}}
    assert (await refused(one.create_subresource(SERVICE_ACCOUNTS, "token", "default", unbound, "default"))).code == 403
    await admin.delete(PODS, "p", "default", grace_period_seconds=0)
    assert (await refused(one.get(SECRETS, "used", "default"))).code == 403


async def test_pods_that_refer_to_nothing_come_and_go(admin: Client) -> None:
    mirrors = {"kubernetes.io/config.mirror": "x"}  # such a pod has no service account either
    for name in ("p", "q", "r"):
        metadata = {"name": name, "namespace": "default", "annotations": mirrors}
        spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "one"}
        await admin.create(PODS, {"metadata": metadata, "spec": spec})
    for name in ("p", "q", "r"):
        await admin.delete(PODS, name, "default", grace_period_seconds=0)
    assert (await admin.list(PODS, "default")).items == []


async def test_node_agents_touch_only_what_is_theirs(admin: Client, cluster: Any) -> None:
    one = cluster.client("system:node:one", "system:nodes")
    made = await one.create(NODES, {"metadata": {"name": "one"}})
    assert made["spec"]["taints"]
    error = await refused(one.create(NODES, {"metadata": {"name": "two"}}))
    assert 'node "one" is not allowed to modify node "two"' in error.message
    for name in ("one", "two"):
        spec = {"nodeName": name, "containers": [{"name": "c", "image": "i"}]}
        await admin.create(PODS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    patch = {"status": {"phase": "Running"}}
    assert (await one.patch(PODS, "one", "default", patch=patch, subresource="status"))["status"]["phase"] == "Running"
    assert (await refused(one.patch(PODS, "two", "default", patch=patch, subresource="status"))).code == 403
    assert (await refused(one.delete(PODS, "two", "default"))).code == 403
    await one.delete(PODS, "one", "default", grace_period_seconds=0)
    lease = {"metadata": {"name": "one", "namespace": "kube-node-lease"}, "spec": {"holderIdentity": "one"}}
    assert (await one.create(LEASES, lease))["spec"]["holderIdentity"] == "one"
    lease["metadata"]["name"] = "two"
    assert (await refused(one.create(LEASES, lease))).code == 403


RESTRICTED = {"node-restriction.kubernetes.io/tenant": "a"}
ROLE = {"node-role.kubernetes.io/control-plane": ""}


async def test_node_agents_give_themselves_no_labels_that_are_not_theirs(admin: Client, cluster: Any) -> None:
    one = cluster.client("system:node:one", "system:nodes")
    for labels in (RESTRICTED, ROLE):
        error = await refused(one.create(NODES, {"metadata": {"name": "one", "labels": labels}}))
        assert error.code == 403
        assert f"is not allowed to set the following labels: {next(iter(labels))}" in error.message
    await one.create(NODES, {"metadata": {"name": "one", "labels": {"topology.kubernetes.io/zone": "a", "mine": "b"}}})
    for subresource in ("", "status"):
        patch = {"metadata": {"labels": ROLE}}
        error = await refused(one.patch(NODES, "one", patch=patch, subresource=subresource))
        assert "is not allowed to modify labels: node-role.kubernetes.io/control-plane" in error.message
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}
    error = await refused(one.patch(NODES, "one", patch={"metadata": {"ownerReferences": [owner]}}))
    assert 'node "one" is not allowed to modify ownerReferences' in error.message


@pytest.mark.parametrize(
    ("spec", "owner", "words"),
    [
        ({}, {}, ""),
        ({}, None, 'node "one" can only create pods with an owner reference set to itself'),
        ({}, {"kind": "ConfigMap"}, 'node "one" can only create pods with an owner reference set to itself'),
        ({}, {"controller": False}, "with a controller owner reference set to itself"),
        ({}, {"blockOwnerDeletion": True}, "must not set blockOwnerDeletion on an owner reference"),
        ({}, {"uid": "other"}, "node one UID mismatch"),
        ({"serviceAccountName": "default"}, {}, "a mirror pod may not reference service accounts"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, {}, "a mirror pod may not reference secrets"),
        (
            {"volumes": [{"name": "v", "configMap": {"name": "c"}}]},
            {},
            "can not create pods that reference configmaps",
        ),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            {},
            "can not create pods that reference persistentvolumeclaims",
        ),
    ],
)
async def test_mirror_pods_lead_to_nothing_else(
    admin: Client, cluster: Any, spec: dict[str, Any], owner: dict[str, Any] | None, words: str
) -> None:
    one = cluster.client("system:node:one", "system:nodes")
    node = await one.create(NODES, {"metadata": {"name": "one"}})
    own = {"apiVersion": "v1", "kind": "Node", "name": "one", "uid": node["metadata"]["uid"], "controller": True}
    metadata = {
        "name": "static-one",
        "namespace": "default",
        "annotations": {"kubernetes.io/config.mirror": "x"},
        "ownerReferences": [{**own, **owner}] if owner is not None else [],
    }
    pod = {"metadata": metadata, "spec": {"nodeName": "one", "containers": [{"name": "c", "image": "i"}], **spec}}
    if not words:
        assert (await one.create(PODS, pod))["spec"]["nodeName"] == "one"
        return
    error = await refused(one.create(PODS, pod))
    assert error.code == 403
    assert words in error.message


async def test_node_agents_do_not_label_pods(admin: Client, cluster: Any) -> None:
    one = cluster.client("system:node:one", "system:nodes")
    spec = {"nodeName": "one", "containers": [{"name": "c", "image": "i"}]}
    await admin.create(PODS, {"metadata": {"name": "a", "namespace": "default"}, "spec": spec})
    patch = {"metadata": {"labels": {"app": "database"}}, "status": {"phase": "Running"}}
    error = await refused(one.patch(PODS, "a", "default", patch=patch, subresource="status"))
    assert 'node "one" cannot update labels through pod status' in error.message
