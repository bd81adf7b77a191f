"""Tokens: of Secrets, of outside issuers with a real HTTPS server, basic auth, anonymous paths, TokenReview."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kybern.apiserver.authentication import reload
from kybern.apiserver.authentication.flags import AuthenticationSettings, read_structured
from kybern.apiserver.core.authentication.jwt_config import Anonymous, Issuer, Mapped
from kybern.apiserver.core.user import User
from kybern.client.objects import Client
from kybern.client.resources import SECRETS, TOKEN_REVIEWS
from kybern.kube.status import StatusError
from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.client import ExchangeClient
from kybern.runtime.main import ServiceFailure

WHO = pb.CreateRequest(
    resource=pb.Resource(group="authentication.k8s.io", version="v1", resource="selfsubjectreviews"), object=b"{}"
)


@dataclass
class Provider:
    """A real OIDC issuer: discovery document and keys over HTTPS."""

    url: str
    ca: str
    keys: dict[str, Any] = field(default_factory=dict)
    fetches: int = 0
    failing: bool = False
    claims: dict[str, Any] = field(default_factory=dict)  # what the endpoint of distributed claims tells
    asked: list[str] = field(default_factory=list)  # the Authorization of each request there

    def add(self, kid: str, key: Any) -> None:
        self.keys[kid] = key

    def token(self, kid: str, algorithm: str = "RS256", **claims: Any) -> str:
        now = int(datetime.now(UTC).timestamp())
        said = {"iss": self.url, "aud": "kybern", "sub": "alice", "exp": now + 60, "iat": now, **claims}
        return jwt.encode(said, self.keys[kid], algorithm=algorithm, headers={"kid": kid})

    async def discovery(self, request: web.Request) -> web.Response:
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def distributed(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("Authorization", ""))
        if "status" in self.claims:
            return web.Response(status=self.claims["status"])
        return web.Response(text=self.token("one", **self.claims))

    async def jwks(self, request: web.Request) -> web.Response:
        self.fetches += 1
        if self.failing:
            return web.Response(status=500)
        documents = []
        for kid, key in self.keys.items():
            algorithm = jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else None
            shown = (algorithm or jwt.algorithms.RSAAlgorithm).to_jwk(key.public_key(), as_dict=True)
            documents.append({**shown, "kid": kid, "use": "sig"})
        return web.json_response({"keys": documents})


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    now = datetime.now(UTC)
    ca = create_ca(tmp_path / "issuer", now)
    pair = issue(ca, Identity("issuer", (), ("localhost",), ("127.0.0.1",)), timedelta(days=1), now)
    write_bundle(tmp_path / "tls", pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls" / "tls.pem")
    found = Provider("", ca.pem.decode())
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", found.discovery)
    app.router.add_get("/keys", found.jwks)
    app.router.add_get("/groups", found.distributed)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.url = f"https://localhost:{runner.addresses[0][1]}"
    found.add("one", rsa.generate_private_key(65537, 2048))
    yield found
    await runner.cleanup()


async def who(gateway: ExchangeClient, token: str) -> Any:
    response = await gateway.call(WHO, requester=pb.Requester(bearer_token=token))
    return orjson.loads(response.object)["status"]["userInfo"]


async def refused(gateway: ExchangeClient, token: str) -> bool:
    try:
        await who(gateway, token)
    except StatusError as error:
        return error.code == 401
    return False


def of(provider: Provider, **members: Any) -> AuthenticationSettings:
    issuer = Issuer(provider.url, ("kybern",), Mapped("sub", "oidc:"), Mapped("groups", "g:"), ca=provider.ca)
    return AuthenticationSettings((replace(issuer, **members),))


async def test_a_token_of_an_outside_issuer(running: Any, provider: Provider) -> None:
    async with (
        running(authentication=of(provider)) as cluster,
        cluster.client() as admin,
        ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway,
    ):
        info = await who(gateway, provider.token("one", groups=["devs"]))
        assert (info["username"], info["groups"]) == ("oidc:alice", ["g:devs", "system:authenticated"])
        past = int(datetime.now(UTC).timestamp()) - 1
        foreign = rsa.generate_private_key(65537, 2048)
        claims = jwt.decode(provider.token("one"), options={"verify_signature": False})
        for bad in (
            provider.token("one", exp=past),
            provider.token("one", aud="another"),
            provider.token("one", iss="https://elsewhere"),
            jwt.encode(claims, foreign, algorithm="RS256", headers={"kid": "one"}),
            jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "one"}),
            provider.token("one") + "x",
            "not.a.jwt",
        ):
            assert await refused(gateway, bad), bad
        review = {"spec": {"token": provider.token("one", groups=["devs"])}}
        answer = await admin.create(TOKEN_REVIEWS, review)
        assert answer["status"]["authenticated"]
        assert answer["status"]["user"]["username"] == "oidc:alice"
        assert answer["status"]["audiences"] == [*cluster.server.settings.issuing.issuers]
        answer = await admin.create(TOKEN_REVIEWS, {"spec": {"token": provider.token("one", exp=past)}})
        assert "authenticated" not in answer["status"]
        assert "oidc: token is expired" in answer["status"]["error"]


async def test_groups_that_are_to_be_had_elsewhere(running: Any, provider: Provider) -> None:
    async with (
        running(authentication=of(provider)) as cluster,
        cluster.client() as admin,
        ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway,
    ):
        source = {"endpoint": f"{provider.url}/groups", "access_token": "f005ba11"}
        pointing = {"_claim_names": {"groups": "src"}, "_claim_sources": {"src": source}}
        provider.claims = {"groups": ["a", "b"], "sub": "whoever"}
        info = await who(gateway, provider.token("one", **pointing))
        assert (info["username"], info["groups"]) == ("oidc:alice", ["g:a", "g:b", "system:authenticated"])
        assert provider.asked == ["Bearer f005ba11"]
        own = {**pointing, "groups": ["own"], "sub": "bob"}
        assert (await who(gateway, provider.token("one", **own)))["groups"] == ["g:own", "system:authenticated"]
        assert provider.asked == ["Bearer f005ba11"]
        past = int(datetime.now(UTC).timestamp()) - 1
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"status": 503}, "while getting distributed claim"),
            ({"sub": "x"}, "did not contain claim: groups"),
            ({"groups": ["a"], "aud": "elsewhere"}, 'expected audience "kybern" got ["elsewhere"]'),
            ({"groups": ["a"], "exp": past}, "token is expired"),
            ({"groups": ["a"], "iss": "https://localhost:1"}, "authenticator not initialized"),
        ]
        for number, (claims, error) in enumerate(wrong):
            provider.claims = claims
            elsewhere = {**source, "access_token": str(number)}
            token = provider.token("one", **{**pointing, "_claim_sources": {"src": elsewhere}})
            assert await refused(gateway, token)
            answer = await admin.create(TOKEN_REVIEWS, {"spec": {"token": token}})
            assert "oidc: could not expand distributed claims: " in answer["status"]["error"]
            assert error in answer["status"]["error"]


async def test_keys_are_fetched_again_when_a_new_one_signs(running: Any, provider: Provider) -> None:
    async with (
        running(authentication=of(provider)) as cluster,
        ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway,
    ):
        assert (await who(gateway, provider.token("one")))["username"] == "oidc:alice"
        provider.add("two", ec.generate_private_key(ec.SECP256R1()))
        before = provider.fetches
        for keys in cluster.server.oidc._issuers.values():
            keys._fresh = 0.0
        tokens = [provider.token("two", "ES256", sub=f"user{number}") for number in range(20)]
        names = [(await found)["username"] for found in [asyncio.create_task(who(gateway, t)) for t in tokens]]
        assert names == [f"oidc:user{number}" for number in range(20)]
        assert provider.fetches == before + 1
        for keys in cluster.server.oidc._issuers.values():
            keys._fresh = 60.0
        foreign = rsa.generate_private_key(65537, 2048)
        claims = jwt.decode(tokens[0], options={"verify_signature": False})
        for number in range(5):  # nobody makes the server ask its issuer for every token
            assert await refused(
                gateway, jwt.encode(claims, foreign, algorithm="RS256", headers={"kid": f"unknown{number}"})
            )
        assert provider.fetches == before + 1


async def test_an_issuer_that_is_away_at_first(running: Any, provider: Provider) -> None:
    provider.failing = True
    async with running(authentication=of(provider)) as cluster:
        for keys in cluster.server.oidc._issuers.values():
            keys._fresh = 0.1
        async with ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway:
            assert await refused(gateway, provider.token("one"))
            provider.failing = False
            await asyncio.sleep(0.15)
            assert (await who(gateway, provider.token("one")))["username"] == "oidc:alice"


def configuration(provider: Provider, prefix: str, **members: Any) -> bytes:
    jwt_issuer = {
        "issuer": {"url": provider.url, "audiences": ["kybern"], "certificateAuthority": provider.ca},
        "claimMappings": {"username": {"claim": "sub", "prefix": prefix}},
    }
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
    return orjson.dumps({**head, "jwt": [jwt_issuer], **members})


def replace_file(path: Path, data: bytes) -> None:
    """At once, so that nobody reads half of it."""
    whole = path.with_suffix(".new")
    whole.write_bytes(data)
    whole.replace(path)


async def test_a_changed_configuration_is_read_again(
    running: Any,
    provider: Provider,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reload, "LOOK", 0.02)
    path = tmp_path / "authentication.yaml"
    await asyncio.to_thread(path.write_bytes, configuration(provider, "one:"))
    issuers = read_structured(path, configuration(provider, "one:")).issuers
    async with (
        running(authentication=AuthenticationSettings(issuers, file=path)) as cluster,
        ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway,
    ):
        token = provider.token("one")
        assert (await who(gateway, token))["username"] == "one:alice"
        refused = "it must be an AuthenticationConfiguration; what was read before stays"
        for data, expected, logged in (
            (configuration(provider, "two:"), "two:alice", ""),
            (b"kind: Nonsense", "two:alice", refused),
            (configuration(provider, "three:", anonymous={"enabled": False}), "three:alice", ""),
        ):
            await asyncio.to_thread(replace_file, path, data)
            async with asyncio.timeout(5):
                while (await who(gateway, token))["username"] != expected or logged not in caplog.text:
                    await asyncio.sleep(0.02)
        with pytest.raises(StatusError, match="Unauthorized"):
            await gateway.call(WHO, requester=pb.Requester())
        name, counted = "apiserver_authentication_config_controller", {}
        for metric in cluster.telemetry.registry.collect():
            for sample in metric.samples:
                if sample.name.startswith(name) and not sample.name.endswith(("_created", "_seconds")):
                    counted[sample.name, sample.labels.get("status", sample.labels.get("hash"))] = sample.value
        digest = hashlib.sha256(await asyncio.to_thread(path.read_bytes)).hexdigest()
        assert counted == {
            (f"{name}_automatic_reloads_total", "success"): 2,
            (f"{name}_automatic_reloads_total", "failure"): 1,
            (f"{name}_last_config_info", f"sha256:{digest}"): 1,
        }


async def test_bootstrap_tokens(running: Any) -> None:
    async with (
        running() as cluster,
        cluster.client() as admin,
        ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway,
    ):
        assert await refused(gateway, "abcdef.0123456789abcdef")
        await admin.create(SECRETS, bootstrap_secret("abcdef", "true"))
        info = await who(gateway, "abcdef.0123456789abcdef")
        assert info["username"] == "system:bootstrap:abcdef"
        assert info["groups"] == ["system:bootstrappers", "system:bootstrappers:w", "system:authenticated"]
        assert await refused(gateway, "abcdef.0123456789abcdee")
        await admin.create(SECRETS, bootstrap_secret("ghijkl", "false"))
        assert await refused(gateway, "ghijkl.0123456789abcdef")
        await review(admin, "abcdef.0123456789abcdef", "system:bootstrap:abcdef")


def bootstrap_secret(token_id: str, usage: str) -> dict[str, Any]:
    data = {
        "token-id": token_id,
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": usage,
        "auth-extra-groups": "system:bootstrappers:w",
    }
    return {
        "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": data,
    }


async def review(admin: Client, token: str, name: str) -> None:
    answer = await admin.create(TOKEN_REVIEWS, {"spec": {"token": token}})
    assert answer["status"]["user"]["username"] == name


async def test_basic_auth(running: Any) -> None:
    pair = base64.b64encode(b"bob:secret").decode()
    settings = AuthenticationSettings(basic={pair: User("bob", ("devs",), "7")})
    async with (
        running(authentication=settings) as cluster,
        ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway,
    ):
        response = await gateway.call(WHO, requester=pb.Requester(basic_auth=pair))
        info = orjson.loads(response.object)["status"]["userInfo"]
        assert info == {"username": "bob", "uid": "7", "groups": ["devs", "system:authenticated"]}
        with pytest.raises(StatusError, match="Unauthorized"):
            await gateway.call(WHO, requester=pb.Requester(basic_auth=pair[:-2] + "xx"))


async def test_anonymous_on_some_paths_alone(running: Any) -> None:
    settings = AuthenticationSettings(anonymous=Anonymous(True, frozenset({"/version/"})))
    async with (
        running(authentication=settings) as cluster,
        ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway,
    ):
        nobody = pb.Requester()
        found = await gateway.call(pb.CheckAccessRequest(verb="get", path="/version/"), requester=nobody)
        assert found.user == "system:anonymous"
        for request in (pb.CheckAccessRequest(verb="get", path="/healthz"), WHO):
            with pytest.raises(StatusError, match="Unauthorized"):
                await gateway.call(request, requester=nobody)


async def test_an_authority_that_is_none_is_told_at_the_start(running: Any) -> None:
    issuer = Issuer("https://a", ("x",), Mapped("sub"), ca="-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----")
    with pytest.raises(ServiceFailure, match="the authority of an issuer of tokens cannot be read"):
        async with running(authentication=AuthenticationSettings((issuer,))):
            pass
