"""Front proxies: who may name users in headers, and who may not."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kybern.pki.authority import Authority, Identity, create_ca, issue
from kybern.pki.files import write_bundle

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
HEADERS = {
    "X-Remote-User": "carol",
    "X-Remote-Uid": "42",
    "X-Remote-Extra-Acme.com%2Fteam": "blue",
}
GROUPS = [("X-Remote-Group", "devs"), ("X-Remote-Group", "ops")]


@pytest.fixture
async def proxied(fronts: Any, tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[tuple[Any, Authority]]:
    """A gateway that trusts front proxies of an authority of their own."""
    ca = create_ca(tmp_path / "proxies", datetime.now(UTC))
    path = tmp_path / "proxies.pem"
    path.write_bytes(ca.pem)
    flags = {"requestheader_client_ca_file": str(path), "requestheader_allowed_names": "proxy-a, proxy-b"}
    async with fronts(tmp_path, unused_tcp_port, flags) as front:
        yield front, ca


@asynccontextmanager
async def by(front: Any, ca: Authority, name: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with a certificate of the proxies' authority."""
    context = ssl.create_default_context(cadata=front.ca.pem.decode())
    folder = front.folder / f"proxy-{name}"
    write_bundle(folder, issue(ca, Identity(name, ("system:masters",)), timedelta(days=1), datetime.now(UTC)))
    context.load_cert_chain(folder / "tls.pem")
    async with aiohttp.ClientSession(front.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


async def who(session: aiohttp.ClientSession, headers: Any) -> tuple[int, Any]:
    async with session.post(WHO, json={}, headers=headers) as response:
        body = await response.json()
        return response.status, body.get("status", {}).get("userInfo") if response.status == 201 else body


async def test_a_front_proxy_names_the_user(proxied: tuple[Any, Authority]) -> None:
    front, ca = proxied
    async with by(front, ca, "proxy-a") as proxy:
        _, info = await who(proxy, [*HEADERS.items(), *GROUPS])
        assert info == {
            "username": "carol",
            "uid": "42",
            "groups": ["devs", "ops", "system:authenticated"],
            "extra": {"acme.com/team": ["blue"]},
        }
        _, info = await who(proxy, {"X-Remote-User": "dave"})  # the same connection, another user
        assert info == {"username": "dave", "groups": ["system:authenticated"]}
        for name in ("erin", "frank"):  # plain reads too
            async with proxy.get("/api/v1/namespaces/default", headers={"X-Remote-User": name}) as response:
                assert f'User "{name}" cannot get' in (await response.json())["message"]
        assert (await who(proxy, {}))[0] == 401
        _, info = await who(proxy, {"Authorization": "Bearer secret"})
        assert info["username"] == "alice"


async def test_another_certificate_of_the_authority_is_nobody(proxied: tuple[Any, Authority]) -> None:
    """Neither its headers nor the groups in its certificate count, and it is not anonymous."""
    front, ca = proxied
    async with by(front, ca, "someone") as other:
        assert (await who(other, HEADERS))[0] == 401


async def test_headers_of_ordinary_clients_mean_nothing(proxied: tuple[Any, Authority]) -> None:
    front, _ = proxied
    async with front.client("bob") as bob:
        _, info = await who(bob, HEADERS)
        assert info["username"] == "bob"
    async with front.client() as nobody:
        code, answer = await who(nobody, HEADERS)
        assert (code, 'User "system:anonymous"' in answer["message"]) == (403, True)


async def test_a_proxy_that_names_nobody_is_not_anonymous(proxied: tuple[Any, Authority]) -> None:
    front, ca = proxied
    async with by(front, ca, "proxy-a") as proxy, front.client() as nobody:
        assert (await who(proxy, {}))[0] == 401
        assert (await who(proxy, {"Authorization": "Basic eDp4"}))[0] == 401
        assert (await who(proxy, {"Authorization": "Bearer secret"}))[1]["username"] == "alice"
        assert (await who(nobody, {}))[0] == 403


async def test_of_several_headers_the_first_counts(proxied: tuple[Any, Authority]) -> None:
    front, ca = proxied
    async with by(front, ca, "proxy-a") as proxy:
        _, info = await who(
            proxy, [("X-Remote-User", "carol "), ("X-Remote-User", "dave"), ("X-Remote-Extra-%zz", "ü")]
        )
        assert (info["username"], info["extra"]) == ("carol", {"%zz": ["ü"]})
        assert (await who(proxy, [("X-Remote-User", ""), ("X-Remote-User", "dave")]))[0] == 401
    impersonating = [("Impersonate-User", "zoë"), ("Impersonate-User", "root")]
    async with front.client("root", "system:masters") as root:
        assert (await who(root, impersonating))[1]["username"] == "zoë"
        assert (await who(root, [("Impersonate-Extra-a", "x")]))[0] == 400
