"""Tokens in Secrets of type kubernetes.io/service-account-token, from the controller to a request that bears one."""

import asyncio
from base64 import b64decode
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kybern.apiserver.service import SERVICE as APISERVER
from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, TOKEN_REVIEWS
from kybern.clock import virtual
from kybern.controllers.service import SERVICE as CONTROLLERS
from kybern.kube.status import StatusError, allowing
from kybern.runtime.main import ServiceFailure
from kybern.testing.mesh import Mesh, mesh

TYPE = "kubernetes.io/service-account-token"
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
USED, SINCE = "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"
TOKENS, CLEANER = "serviceaccount-token-controller", "legacy-serviceaccount-token-cleaner-controller"


class Cluster:
    """An apiserver and the controllers, with one signing key."""

    def __init__(self, net: Mesh, admin: Client, clock: virtual.VirtualClock) -> None:
        self.net, self.admin, self.clock = net, admin, clock

    async def secret(self, name: str, account: str, **labels: str) -> Any:
        noted = {"kubernetes.io/service-account.name": account}
        metadata = {"name": name, "namespace": "default", "annotations": noted, "labels": labels}
        return await self.admin.create(SECRETS, {"metadata": metadata, "type": TYPE})

    async def account(self, name: str, *secrets: str) -> Any:
        metadata = {"name": name, "namespace": "default"}
        body = {"metadata": metadata, "secrets": [{"name": one} for one in secrets]}
        return await self.admin.create(SERVICE_ACCOUNTS, body)

    async def get(self, resource: Any, name: str, namespace: str = "default") -> Any:
        with allowing(404):
            return await self.admin.get(resource, name, namespace)
        return None

    async def token(self, name: str) -> str:
        for _ in range(100):
            found = await self.get(SECRETS, name)
            if found and (found.get("data") or {}).get("token"):
                return b64decode(found["data"]["token"]).decode()
            await asyncio.sleep(0.1)
        raise AssertionError("no token")

    async def review(self, token: str, *audiences: str) -> Any:
        spec = {"token": token, "audiences": [*audiences]}
        return (await self.admin.create(TOKEN_REVIEWS, {"spec": spec}))["status"]


def simulate(tmp_path: Path, test: Any, *flags: str) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "sa.key"
    path.write_bytes(pem)

    async def main(clock: virtual.VirtualClock, random: Any) -> None:
        async with mesh(1, clock) as net:
            await net.start(APISERVER, "--store", "sqlite::memory:", "--service-account-key", str(path))
            async with net.client() as admin:
                await net.start(CONTROLLERS, "--service-account-private-key-file", str(path), *flags)
                await test(Cluster(net, admin, clock))

    virtual.run(main, seed=1)


def test_a_secret_is_filled_and_its_token_speaks_for_the_account(tmp_path: Path) -> None:
    async def test(cluster: Cluster) -> None:
        account = await cluster.account("robot")
        uid = account["metadata"]["uid"]
        await cluster.secret("robot-token", "robot")
        token = await cluster.token("robot-token")
        made = await cluster.get(SECRETS, "robot-token")
        assert made["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == uid
        assert b64decode(made["data"]["namespace"]) == b"default"
        ca = (Path(cluster.net._pki) / "ca.crt").read_bytes()
        assert b64decode(made["data"]["ca.crt"]) == ca
        assert jwt.decode(token, options={"verify_signature": False}) == {
            "iss": "kubernetes/serviceaccount",
            "sub": "system:serviceaccount:default:robot",
            "kubernetes.io/serviceaccount/namespace": "default",
            "kubernetes.io/serviceaccount/secret.name": "robot-token",
            "kubernetes.io/serviceaccount/service-account.name": "robot",
            "kubernetes.io/serviceaccount/service-account.uid": uid,
        }
        status = await cluster.review(token)
        assert status["authenticated"]
        assert status["user"] == {
            "username": "system:serviceaccount:default:robot",
            "uid": uid,
            "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        }
        used = (await cluster.get(SECRETS, "robot-token"))["metadata"]["labels"][USED]
        assert used == str(cluster.clock.now().date())
        refused = await cluster.review(token, "elsewhere")
        assert 'is invalid for the target audiences ["elsewhere"]' in refused["error"]
        await cluster.admin.patch(SECRETS, "robot-token", "default", patch={"metadata": {"labels": {SINCE: used}}})
        assert "has been marked invalid" in (await cluster.review(token))["error"]
        await cluster.admin.delete(SECRETS, "robot-token", "default")
        assert (await cluster.review(token))["error"] == "[invalid bearer token, Token has been invalidated]"

    simulate(tmp_path, test)


def test_tokens_go_with_their_account(tmp_path: Path) -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.account("robot")
        await cluster.secret("robot-token", "robot")
        token = await cluster.token("robot-token")
        await cluster.secret("nobodys", "nobody")
        await asyncio.sleep(1)
        assert await cluster.get(SECRETS, "nobodys") is None
        await cluster.admin.delete(SERVICE_ACCOUNTS, "robot", "default")
        assert not (await cluster.review(token)).get("authenticated")
        await asyncio.sleep(1)
        assert await cluster.get(SECRETS, "robot-token") is None

    simulate(tmp_path, test)


def test_an_account_no_longer_lists_a_secret_that_is_gone(tmp_path: Path) -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.account("robot", "robot-token", "other")
        await cluster.secret("robot-token", "robot")
        await cluster.token("robot-token")
        await cluster.admin.delete(SECRETS, "robot-token", "default")
        await asyncio.sleep(1)
        assert (await cluster.get(SERVICE_ACCOUNTS, "robot"))["secrets"] == [{"name": "other"}]

    simulate(tmp_path, test)


def test_the_annotation_is_required(tmp_path: Path) -> None:
    async def test(cluster: Cluster) -> None:
        with pytest.raises(StatusError) as refused:
            await cluster.admin.create(SECRETS, {"metadata": {"name": "x", "namespace": "default"}, "type": TYPE})
        message = "metadata.annotations[kubernetes.io/service-account.name]: Required value"
        assert message in orjson.dumps(refused.value.status).decode()

    simulate(tmp_path, test)


def test_a_key_that_cannot_be_read(tmp_path: Path) -> None:
    async def main(clock: virtual.VirtualClock, random: Any) -> None:
        async with mesh(1, clock) as net:
            await net.start(CONTROLLERS, "--service-account-private-key-file", str(tmp_path / "none"))

    with pytest.raises(BaseExceptionGroup) as caught:
        virtual.run(main, seed=1)
    assert caught.group_contains(ServiceFailure, match="--service-account-private-key-file: .*No such file")


def test_unused_tokens_are_marked_then_removed(tmp_path: Path) -> None:
    async def test(cluster: Cluster) -> None:
        await asyncio.sleep(1)
        started = str(cluster.clock.now().date())
        tracking = await cluster.get(CONFIG_MAPS, TRACKING, "kube-system")
        assert tracking["data"] == {"since": started}
        await cluster.admin.patch(CONFIG_MAPS, TRACKING, "kube-system", patch={"data": {"since": "once"}})
        await asyncio.sleep(1)
        assert (await cluster.get(CONFIG_MAPS, TRACKING, "kube-system"))["data"] == {"since": started}
        await cluster.admin.patch(CONFIG_MAPS, TRACKING, "kube-system", patch={"data": {"since": "2000-01-01"}})
        await cluster.account("robot", "auto", "old")
        await cluster.secret("auto", "robot")
        await cluster.secret("old", "robot", **{SINCE: "2000-01-01"})
        await cluster.secret("manual", "robot")
        token = await cluster.token("auto")
        await cluster.token("old")
        await asyncio.sleep(120)
        flags = ("--controllers", CLEANER, "--legacy-service-account-token-clean-up-period", "1m")
        await cluster.net.start(CONTROLLERS, *flags, address="controllers:2")
        await asyncio.sleep(1)
        assert (await cluster.get(SECRETS, "auto"))["metadata"]["labels"] == {SINCE: str(cluster.clock.now().date())}
        assert "has been marked invalid" in (await cluster.review(token))["error"]
        assert await cluster.get(SECRETS, "old") is None
        assert "labels" not in (await cluster.get(SECRETS, "manual"))["metadata"]

    simulate(tmp_path, test, "--controllers", TOKENS)
